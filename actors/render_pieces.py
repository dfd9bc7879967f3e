"""What a rendering keeps between its steps: how footage is cut into pieces, and what is written of each.

Sealing it is render_work.py's part; what is written is read back by this same version of the program only.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orvault.clock import US_PER_S
from orvault.custody.recorded import SegmentLike
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.placing import Reached
from orvault.vision.detection import SKIPPED, Detection, FrameDetections, Kind
from orvault.vision.second_look import Left

_PAIRS = ("gaps", "damaged")
PIECE_S, LEAST_PIECE_S = 60, 10  # of footage: what a killed worker loses at most; of each of many copies


@dataclass(frozen=True)
class Piece:
    """What is known of a finished piece: what came out, and what the second look said of it."""

    first_90k: int
    frames: int
    gaps: tuple[tuple[int, int], ...]
    damaged: tuple[tuple[int, int], ...]
    start_us: int
    end_us: int
    reached: Reached
    pictures: int
    left: tuple[Left, ...]

    def to_bytes(self) -> bytes:
        """For disk."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, data: bytes) -> Piece:
        """What `to_bytes` wrote; it was sealed, so it is ours. DAMAGED where it was another state of this program."""
        try:
            fields: dict[str, Any] = json.loads(data)
            gaps, damaged = (tuple((begin, end) for begin, end in fields.pop(name)) for name in _PAIRS)
            left = tuple(Left(**each | {"box": tuple(each["box"])}) for each in fields.pop("left"))
            reached = Reached(**fields.pop("reached"))
            return cls(**fields, gaps=gaps, damaged=damaged, left=left, reached=reached)
        except (KeyError, TypeError, ValueError) as error:
            message = f"The record of a piece was written otherwise: {error}"
            raise OrvaultError(ErrorKind.DAMAGED, message) from error


def spans_of(segments: Sequence[SegmentLike], copies: int) -> list[tuple[int, int]]:
    """Pieces as ranges of segments, of about a minute; shorter where several copies are held in memory at once."""
    longest_us = max(LEAST_PIECE_S, PIECE_S // copies) * US_PER_S
    spans: list[tuple[int, int]] = []
    first, length_us = 0, 0
    for number, segment in enumerate(segments):
        meta = segment.header.meta
        length_us += meta.end_us - meta.start_us
        if length_us >= longest_us or number + 1 == len(segments):
            spans.append((first, number + 1))
            first, length_us = number + 1, 0
    return spans


def write_found(found: Sequence[Sequence[FrameDetections]]) -> bytes:
    """What was found in each picture of each fragment of a piece, for disk."""
    rows = [[_row(frame) for frame in fragment] for fragment in found]
    return zlib.compress(json.dumps(rows, allow_nan=True).encode(), 1)


def _row(frame: FrameDetections) -> object:
    if frame is None or frame is SKIPPED:
        return None if frame is None else 0
    return [[d.kind.value, d.x1, d.y1, d.x2, d.y2, d.score, d.source, d.faint] for d in frame]


def read_found(data: bytes) -> list[list[FrameDetections]]:
    """What `write_found` wrote; it was sealed, so it is ours."""
    return [[_frame(row) for row in fragment] for fragment in json.loads(zlib.decompress(data))]


def _frame(row: Any) -> FrameDetections:
    if row is None or row == 0:
        return None if row is None else SKIPPED
    return [Detection(Kind(kind), *rest) for kind, *rest in row]
