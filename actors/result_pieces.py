"""What participants may look at of a rendering, while its request is in review: a sealed copy in pieces, and which.

The pieces lie in the rendering's folder (render_work.py), the list beside them. Their keys follow from those of the
segments and from the request: the key service derives them for a view that is allowed, and lets no segment's key out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.render_work import RenderWork
from orvault.container.canonical import encode
from orvault.container.files import write_private
from orvault.errors import ErrorKind, OrvaultError
from orvault.viewing.results import ResultPiece

LIST = "result.json"
_ENDING = "-result"


@dataclass(frozen=True)
class ResultPieces:
    """Which segments each piece of each camera was made of, in order; `made_by` as their keys and names are bound."""

    made_by: str
    cameras: Mapping[str, Sequence[Sequence[str]]]

    def write(self, folder: Path) -> None:
        """Keep it, durably; STORAGE where there is no room. It names segments, and holds nothing of them."""
        write_private(folder / LIST, encode({"cameras": self.cameras, "made_by": self.made_by}))

    @classmethod
    def read(cls, folder: Path) -> ResultPieces:
        """What `write` kept. NOT_FOUND where nothing is kept any more, or never was."""
        try:
            found = json.loads((folder / LIST).read_bytes())
            return cls(found["made_by"], found["cameras"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"Of this result nothing is kept to look at ({type(error).__name__})."
            advice = "Have the answer taken in on paper."
            raise OrvaultError(ErrorKind.NOT_FOUND, message, advice=advice) from error


def piece_name(camera_id: str, number: int) -> str:
    """The file of one piece of the result."""
    return f"{camera_id}-{number:05d}{_ENDING}"


def place_line(first_90k: int, start_us: int) -> bytes:
    """What stands before the pictures of a sealed piece of the result: where it lies in the whole."""
    return encode({"first_90k": first_90k, "start_us": start_us}) + b"\n"


def opened_piece(folder: Path, made_by: str, name: str, key: bytes) -> ResultPiece:
    """One piece, opened with its key. Errors: ALTERED, DAMAGED (not what was sealed, or gone)."""
    try:
        data = RenderWork(folder, made_by).read(name, key)
    except OSError as error:
        message = f"A piece of this result cannot be read: {error.strerror}."
        raise OrvaultError(ErrorKind.DAMAGED, message, where=name) from error
    place, _, video = data.partition(b"\n")
    at = json.loads(place)
    return ResultPiece(video, at["start_us"], at["first_90k"])


def keep_result(folder: Path) -> None:
    """Remove what else a rendering left: the pieces of the recipients' copies, and what was found."""
    for path in folder.iterdir():
        if path.name != LIST and not path.name.endswith(_ENDING):
            path.unlink(missing_ok=True)


def kept_results(packages: Path) -> list[str]:
    """The requests of which a result is kept."""
    return [path.parent.name.removesuffix(".work") for path in packages.glob(f"*.work/{LIST}")]
