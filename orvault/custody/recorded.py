"""What was recorded, as the ledger knows it: segments, gaps, and the summary of a run; and how spans are
found.

A `SegmentLike` mirrors recording's `SegmentRecord` by structure, because the two stand side by side and neither
imports the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from orvault.clock import US_PER_S
from orvault.container.gap import Gap
from orvault.container.keys import KeySlot
from orvault.container.segment import SegmentHeader

# Segments of one run follow each other to within a frame or two; a hole of this size is worth showing.
_JOIN_US = US_PER_S
LONGEST_STRETCH_US = 24 * 3600 * US_PER_S


class SegmentLike(Protocol):
    """A sealed segment on a node's disk: its signed header, digest, size, relative path and key slots."""

    @property
    def header(self) -> SegmentHeader: ...
    @property
    def digest(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def slots(self) -> tuple[KeySlot, ...]: ...


class Sealers(Protocol):
    """Which nodes' signatures are believed; `orvault.container.enrolment.EnrolledNodes`."""

    def check_first_seen(self, header: SegmentHeader, seen_us: int) -> None:
        """UNTRUSTED for a segment that is seen first at `seen_us` and of a node unknown or revoked by then."""
        ...


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment as the ledger gives it back; fields as in `SegmentLike`.

    `indexed_us` is when the server took it in, by its own clock. The header's times are the recorder's word.
    """

    header: SegmentHeader
    digest: str
    bytes: int
    path: str
    slots: tuple[KeySlot, ...]
    indexed_us: int


@dataclass(frozen=True)
class StoredGap(Gap):
    """A gap as the ledger gives it back. `recorded_us`: when the server took it in."""

    recorded_us: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of recorded time, UTC microseconds, end exclusive."""

    start_us: int
    end_us: int

    def overlaps(self, from_us: int, to_us: int) -> bool:
        """Whether any of it lies in from-to."""
        return self.start_us < to_us and self.end_us > from_us


@dataclass(frozen=True, slots=True)
class Stretch:
    """Segments of a run that follow each other, in number and in time; no more than a day of them.

    The bound makes what overlaps a period findable: it began within the day before, or in it.
    """

    run_id: str
    first_sequence: int
    last_sequence: int
    start_us: int
    end_us: int
    frames: int
    bytes: int

    @classmethod
    def of(cls, segment: SegmentLike) -> Stretch:
        """A segment alone."""
        meta, number = segment.header.meta, segment.header.meta.sequence
        return cls(meta.run_id, number, number, meta.start_us, meta.end_us, meta.frames, segment.bytes)

    @property
    def segments(self) -> int:
        """How many segments it has."""
        return self.last_sequence - self.first_sequence + 1

    def goes_on_as(self, later: Stretch) -> bool:
        """Whether `later` begins where this ends, and both together are no longer than a stretch may be."""
        return (
            later.run_id == self.run_id
            and later.first_sequence == self.last_sequence + 1
            and later.start_us - self.end_us < _JOIN_US
            and later.end_us - self.start_us <= LONGEST_STRETCH_US
        )

    def joined(self, later: Stretch) -> Stretch:
        """Both in one."""
        return replace(
            self,
            last_sequence=later.last_sequence,
            start_us=min(self.start_us, later.start_us),
            end_us=max(self.end_us, later.end_us),
            frames=self.frames + later.frames,
            bytes=self.bytes + later.bytes,
        )


@dataclass(frozen=True, slots=True)
class RunsWanted:
    """Which runs are to be summed up, `limit` at most; None: of every case, or camera. UTC microseconds."""

    case_id: str | None
    camera_id: str | None
    from_us: int
    to_us: int
    limit: int


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One camera's recording in one run: what is there, how big, and what is missing in it."""

    run_id: str
    case_id: str
    camera_id: str
    start_us: int
    end_us: int
    segments: int
    frames: int
    bytes: int
    missing_segments: int
    recording: bool
    gaps: tuple[StoredGap, ...]
    destroyed_us: int | None = None  # since when nothing of it opens any more


@dataclass(frozen=True, slots=True)
class Volume:
    """How much one camera recorded: since when, for how long (both in microseconds), and how many bytes."""

    camera_id: str
    since_us: int
    recorded_us: int
    bytes: int


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What became of segments offered: new ones, known ones, and (id, reason) of refused ones."""

    added: int
    known: int
    refused: tuple[tuple[str, str], ...]


def join_spans(pieces: Iterable[tuple[int, int]]) -> tuple[Span, ...]:
    """Spans out of (start_us, end_us) pieces in order of their start; holes under a second do not divide."""
    spans: list[Span] = []
    for start, end in pieces:
        if spans and start - spans[-1].end_us < _JOIN_US:
            spans[-1] = Span(spans[-1].start_us, max(spans[-1].end_us, end))
        else:
            spans.append(Span(start, end))
    return tuple(spans)
