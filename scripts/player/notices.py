"""Writes the notices that ship with the player: every package inside, its licence, and what the LGPL asks for.

Which packages are inside follows from the modules that PyInstaller collected. Texts come from the packages
themselves; those of Qt's licences, which its packages lack, lie in licences/.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterable
from pathlib import Path

_LICENCE_NAMES = ("licen", "copying", "notice", "authors", "sbom")
_RULE = "=" * 100

_HEAD = """OR Vault player: what is inside, and on whose terms
{rule}
The player's own code is under the Apache License 2.0. It contains the packages below, each under its own licence.

Under the GNU Lesser General Public License are
- FFmpeg (libavcodec, libavformat, libavutil, libswscale, libswresample), version 2.1 or later, in OpenCV's package.
  It was configured without --enable-gpl, and lies in libraries of its own: in the folder form of the player replace
  them by your own build of the same version; the one-file form is packed from that folder by the same description.
  Its source is FFmpeg's release of the version that the libraries name; OpenCV's package says how it was built.
- Qt for Python and Qt (where the player has its window), version 3: libraries of their own, replaceable in the same
  way; their source is The Qt Company's release of the version named below.
- libquadmath (GCC's runtime library, version 2.1 or later), inside OpenCV's package.
- On Linux GLib (libglib, libgthread), libsystemd, Libgcrypt and libgpg-error, version 2.1 or later: libraries of the
  system that the player was built on, which Qt asks for; each a file of its own, replaceable in the same way.
Who passes the player on, passes this file on with it, and on request the source of these libraries.
No library under the GPL is inside: the build refuses one.
"""


def text(modules: Iterable[str]) -> str:
    """The whole file, for a player that contains these modules."""
    parts = [
        _HEAD.format(rule=_RULE),
        _section("Python", sys.version.split()[0], "PSF-2.0", _python_licence()),
    ]
    for name in sorted(_distributions(modules), key=str.lower):
        found = importlib.metadata.distribution(name)
        licence = found.metadata.get("License-Expression") or found.metadata.get("License") or "see below"
        parts.append(_section(name, found.version, licence.splitlines()[0], _texts(found)))
    for path in sorted((Path(__file__).parent / "licences").glob("*.txt")):
        parts.append(f"{_RULE}\n{path.stem}\n{_RULE}\n{path.read_text('utf-8')}")
    return "\n".join(parts)


def _distributions(modules: Iterable[str]) -> set[str]:
    owners = importlib.metadata.packages_distributions()
    tops = {name.replace("\\", "/").split("/")[0].split(".")[0] for name in modules}
    return {owner for top in tops for owner in owners.get(top, ()) if owner != "orvault"}


def _texts(found: importlib.metadata.Distribution) -> str:
    files = [
        file
        for file in found.files or ()
        if ".dist-info" in str(file)
        and any(word in file.name.lower() for word in _LICENCE_NAMES)
        and file.suffix.lower() in ("", ".txt", ".md", ".rst", ".apache", ".bsd", ".psf")
    ]
    return "\n".join(Path(str(found.locate_file(file))).read_text("utf-8", "replace") for file in files)


def _python_licence() -> str:
    path = Path(sys.base_prefix) / "LICENSE.txt"
    library = (
        Path(sys.base_prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "LICENSE.txt"
    )
    found = next((each for each in (path, library) if each.is_file()), None)
    return "The Python Software Foundation License." if found is None else found.read_text("utf-8", "replace")


def _section(name: str, version: str, licence: str, words: str) -> str:
    return f"{_RULE}\n{name} {version}\n{licence}\n{_RULE}\n{words.strip()}\n"
