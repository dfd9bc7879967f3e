"""Export packages: the public face of their writer, reader and papers.

Source: docs/format/package-v1.md.
"""

from __future__ import annotations

from orvault.container.label import Label, PackageSlot
from orvault.container.manifest import Manifest, MediaInfo, PackageTerms
from orvault.container.media_sink import MediaSink
from orvault.container.package_copy import copy_without
from orvault.container.package_reader import PackageReader
from orvault.container.package_writer import PackageBuilder, PackageSummary

__all__ = [
    "Label",
    "Manifest",
    "MediaInfo",
    "MediaSink",
    "PackageBuilder",
    "PackageReader",
    "PackageSlot",
    "PackageSummary",
    "PackageTerms",
    "copy_without",
]
