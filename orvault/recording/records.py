"""What recording tells the rest of a segment that is on disk, and of where a run stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from orvault.container.keys import KeySlot
from orvault.container.segment import SegmentHeader


@dataclass(frozen=True)
class SegmentRecord:
    """A segment on disk: header (as written, not verified), digest, size, path below the root, key slots."""

    header: SegmentHeader
    digest: str
    bytes: int
    path: str
    slots: tuple[KeySlot, ...]


class Tail(NamedTuple):
    """Where a run stands: the next number, what the next segment names as the one before, the time covered (UTC us).

    `lost` says why what is told here is not the very last segment, which then cannot be read back.
    """

    next_sequence: int
    previous_digest: str
    end_us: int
    lost: str = ""


FRESH = Tail(0, "", 0)
