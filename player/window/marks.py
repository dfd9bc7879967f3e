"""What there is to jump to on the time line: gaps, parts that were left clear, regions that were covered by hand.

The package holds no other events of the case; where pictures begin and end is each camera's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from orvault.container.package import Manifest, MediaInfo

NEAR_US = 500_000  # closer than this a mark counts as where one is


class MarkKind(Enum):
    """Why somebody may want to look here."""

    GAP = "gap"
    CLEAR = "left-clear"
    COVERED = "covered-by-hand"


@dataclass(frozen=True)
class Mark:
    """A stretch of the time line (UTC microseconds) of one camera."""

    from_us: int
    to_us: int
    kind: MarkKind
    camera_id: str


def span_of(media: Sequence[MediaInfo]) -> tuple[int, int]:
    """From the first camera's beginning to the last one's end."""
    return min(info.start_us for info in media), max(info.end_us for info in media)


def marks_of(manifest: Manifest) -> list[Mark]:
    """Every mark of a package, by time."""
    first_us, last_us = span_of(manifest.media)
    found = [
        Mark(from_us, to_us, MarkKind.GAP, info.camera_id)
        for info in manifest.media
        for from_us, to_us in info.gaps
    ]
    choice = manifest.terms.masking_choice
    if choice is not None:
        found += [Mark(part.from_us, part.to_us, MarkKind.CLEAR, part.camera_id) for part in choice.clear]
        found += [
            Mark(region.keys[0].at_us, region.keys[-1].at_us, MarkKind.COVERED, region.camera_id)
            for region in choice.drawn
            if len(region.keys) > 1  # with one key it is there in every picture: nothing to jump to
        ]
    within = (mark for mark in found if mark.to_us >= first_us and mark.from_us <= last_us)
    return sorted(within, key=lambda mark: (mark.from_us, mark.to_us, mark.camera_id))


def next_mark(marks: Sequence[Mark], at_us: int) -> Mark | None:
    """The first that begins behind here."""
    return next((mark for mark in marks if mark.from_us > at_us + NEAR_US), None)


def previous_mark(marks: Sequence[Mark], at_us: int) -> Mark | None:
    """The last that begins before here."""
    return next((mark for mark in reversed(marks) if mark.from_us < at_us - NEAR_US), None)


def gap_at(info: MediaInfo, at_us: int) -> tuple[int, int] | None:
    """The recorded gap of a camera that holds this time."""
    return next((gap for gap in info.gaps if gap[0] <= at_us < gap[1]), None)
