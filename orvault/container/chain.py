"""The chain of a run: is a segment missing, doubled, out of order, foreign, or the end cut off?

Looks at headers and digests only. That each segment is what its node signed, `segment.verify_segment` tells before;
which head of a run was anchored, and where, its caller knows.
Source: docs/format/segment-v1.md, 3.2 and section 7, step 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from orvault.container.segment_header import SegmentHeader, SegmentMeta
from orvault.errors import ErrorKind, OrvaultError


class Link(Protocol):
    """A verified segment's header and digest; a sealed, a recorded and an indexed segment are all links."""

    @property
    def header(self) -> SegmentHeader: ...
    @property
    def digest(self) -> str: ...


@dataclass(frozen=True)
class Head:
    """Where a run stands: the number of a segment, and its digest (hexadecimal)."""

    sequence: int
    digest: str


START = Head(-1, "")  # where a run stands before its first segment
UNREADABLE = "0" * 64  # what a segment names as `previous` when its node could not read the one before (3.6)


def check_run(segments: Sequence[Link], *, before: Head | None = None, anchors: Sequence[Head] = ()) -> Head:
    """Check that `segments` are one unbroken stretch of one run, in its order; returns where it ends.

    `before` is the segment before them: `START` if the run must begin here, None if it is not known. `anchors` are
    heads of this run that were noted elsewhere: the stretch must reach each and agree with it, so that a run whose
    end was cut off shows. It may go on after them.

    1. All are of one case, camera and run. 2. Their numbers grow. 3. None is missing. 4. Each names the digest of
    the one before, or says that its node could not read it. 5. None begins before the one before it. 6. Every
    anchor is among them.

    Raises:
        OrvaultError: ALTERED for a segment that does not belong where it stands, DAMAGED for one that is missing.
    """
    for first, second in pairwise(segments):
        _check_same_run(first.header.meta, second.header.meta)
    # The order before anything else: two swapped segments are no missing ones.
    for first, second in pairwise(segments):
        _check_order(first, second)
    at = before
    for segment in segments:
        if at is not None:
            _check_follows(at, segment)
        at = Head(segment.header.meta.sequence, segment.digest)
    for first, second in pairwise(segments):
        if second.header.meta.start_us < first.header.meta.start_us:
            raise _altered(second, "It begins before the one before it.")
    end = at or START
    for anchor in anchors:
        _check_anchor(segments, end, anchor)
    return end


def _check_same_run(first: SegmentMeta, second: SegmentMeta) -> None:
    for name, one, other in (
        ("case", first.case_id, second.case_id),
        ("camera", first.camera_id, second.camera_id),
        ("run", first.run_id, second.run_id),
    ):
        if one != other:
            raise OrvaultError(
                ErrorKind.ALTERED,
                f"It is of the {name} {other}; the one before it is of {one}.",
                where=f"segment {second.segment_id}",
            )


def _check_order(first: Link, second: Link) -> None:
    one, other = first.header.meta.sequence, second.header.meta.sequence
    if other == one:
        raise _altered(second, f"There is a second segment with the number {one}.")
    if other < one:
        raise _altered(second, f"It is out of order: number {other} stands after number {one}.")


def _check_follows(before: Head, segment: Link) -> None:
    sequence = segment.header.meta.sequence
    if sequence <= before.sequence:
        raise _altered(segment, f"Its number is {sequence}, after number {before.sequence}.")
    if sequence > before.sequence + 1:
        raise OrvaultError(
            ErrorKind.DAMAGED,
            f"Before it, {_numbers(before.sequence + 1, sequence - 1)} missing.",
            where=segment.header.where,
        )
    if segment.header.previous not in (before.digest, UNREADABLE):
        raise _altered(
            segment, "It does not follow the one before it: that is another one than it was chained to."
        )


def _check_anchor(segments: Sequence[Link], end: Head, anchor: Head) -> None:
    if end.sequence < anchor.sequence:
        raise OrvaultError(
            ErrorKind.DAMAGED,
            f"The run was cut off: {_numbers(end.sequence + 1, anchor.sequence)} missing at its end.",
            where=f"run {segments[0].header.meta.run_id}" if segments else "run",
        )
    for segment in segments:
        if segment.header.meta.sequence == anchor.sequence:
            if segment.digest != anchor.digest:
                raise _altered(segment, "It is not the one that was anchored.")
            return
    raise OrvaultError(
        ErrorKind.DAMAGED, f"The anchored segment, number {anchor.sequence}, is missing.", where="run"
    )


def _numbers(first: int, last: int) -> str:
    return f"segment {first} is" if first == last else f"segments {first} to {last} are"


def _altered(segment: Link, message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.ALTERED, message, where=segment.header.where)
