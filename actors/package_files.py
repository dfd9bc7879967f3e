"""The files of a request on the export server: packages, finished or abandoned, and work that was begun."""

from __future__ import annotations

import logging
from pathlib import Path

from actors.render_work import remove_work, work_folder
from orvault.custody.request import ExportRequest

log = logging.getLogger(__name__)


def remove_files(packages: Path, request: ExportRequest) -> bool:
    """Remove all that was ever made for a request; False, and logged, where something cannot be removed."""
    patterns = [f"{copy.package_id}-*.orvault" for copy in request.copies]
    patterns += [copy.package.path for copy in request.copies if copy.package is not None]
    removed = [remove_pattern(packages, pattern) for pattern in patterns]
    return all([*removed, remove_work(work_folder(packages, request.request_id))])


def remove_pattern(packages: Path, pattern: str) -> bool:
    """Remove what fits the pattern; False, and logged, for what cannot be removed."""
    try:
        for path in packages.glob(pattern):
            path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s in %s cannot be removed: %s", pattern, packages, error.strerror)
        return False
    return True
