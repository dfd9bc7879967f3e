"""Holds what a built player contains against what it may: nothing of the server, and no decoder under the GPL.

Called by orvault_player.spec; a build that breaks a rule stops there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

FORBIDDEN = (
    "actors", "api", "cluster", "orvault.custody", "orvault.ledger", "orvault.marks", "orvault.papers",
    "orvault.recording", "orvault.rendition", "orvault.video", "orvault.viewing", "orvault.vision",
    "alembic", "av", "fastapi", "onnxruntime", "pymysql", "ray", "sqlalchemy", "starlette", "uvicorn",
)  # fmt: skip
# What other packages would bring along if they are installed; the player has no use for it.
UNUSED = (
    "IPython", "PIL", "attr", "charset_normalizer", "defusedxml", "matplotlib", "psutil", "pytest", "setuptools",
    "tkinter", "yaml",
    "readline",  # GNU Readline is under the GPL; a player asks for one line at a time
)  # fmt: skip
_GPL_LIBRARIES = re.compile(r"x26[45]|readline|gdbm", re.IGNORECASE)
_DECODERS = re.compile(r"avcodec|videoio_ffmpeg", re.IGNORECASE)
_LICENCE = re.compile(rb"(?:libavcodec|FFmpeg) license: ([ -~]+)|\b(L?GPL version [23](?:\.1)? or later)")


class Refused(SystemExit):
    """The build must not leave this machine."""


def check(modules: Sequence[str], libraries: Iterable[Path]) -> None:
    """Raise Refused, naming it, for a module of the server or a library whose licence is not to be passed on."""
    found = sorted(
        name for name in modules if any(name == each or name.startswith(each + ".") for each in FORBIDDEN)
    )
    if found:
        raise Refused(f"The player contains parts of the server: {', '.join(found[:20])}.")
    decoders = []
    for path in libraries:
        if _GPL_LIBRARIES.search(path.name):
            raise Refused(f"The player contains {path.name}, which is under the GPL (docs/adr/0033).")
        if _DECODERS.search(path.name):
            decoders.append(path)
            check_licence(path.name, path.read_bytes())
    if not decoders:
        raise Refused("The player contains no decoder.")


def check_licence(name: str, library: bytes) -> None:
    """Raise Refused unless an FFmpeg library says that it is under the LGPL, and was configured so."""
    said = [first or second for first, second in _LICENCE.findall(library)]
    if not said or not all(licence.startswith(b"LGPL") for licence in said) or b"--enable-gpl" in library:
        words = b", ".join(said).decode("ascii", "replace") or "nothing"
        raise Refused(f"{name} says of its licence: {words}; the LGPL was expected (docs/adr/0033).")
