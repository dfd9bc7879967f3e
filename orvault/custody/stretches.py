"""What a period takes of a camera's runs, and whether that is whole: nothing missing, swapped or cut off in it.

Looks at what the ledger knows and at the anchors in history. That each segment's file is the one that the ledger
means, and whose signature is on it, rendering checks when it has the file.

Only the period counts. A segment that is missing before or after it keeps nobody from what he asked for; one that may
have been inside does, because a copy must not look complete when it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orvault.clock import US_PER_S
from orvault.container.chain import START, Head, check_run
from orvault.custody.anchors import Anchor, Anchors
from orvault.custody.ports import CameraInfo
from orvault.custody.recorded import StoredGap, StoredSegment
from orvault.custody.request import ExportRequest
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import show_time
from orvault.errors import ErrorKind, OrvaultError

FirstSeen = Callable[[StoredSegment], int]

_BEFORE_START_US = (
    60 * US_PER_S
)  # a run may begin with the 30 s before its start, and what of a fragment is beyond


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One run round the period.

    `before`: the nearest segment that the ledger has before those of the period. `beyond`: those after them, as far
    as the next anchor, or the next one alone. `anchors`: all of the run, by number. `started_us`: when its start was
    ordered, 0 if the ledger does not know the run any more. `begun_by`: the node of its earliest known segment, "" if
    there is none.
    """

    run_id: str
    started_us: int
    before: StoredSegment | None
    beyond: tuple[StoredSegment, ...]
    anchors: tuple[Anchor, ...]
    begun_by: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """One camera's part of a job: its segments in order of time, the gaps between them, and its runs around them."""

    camera: CameraInfo
    segments: tuple[StoredSegment, ...]
    gaps: tuple[StoredGap, ...]
    runs: tuple[Surroundings, ...] = ()
    broken_seq: int | None = None  # the entry of history that is not what was written, if one is


def track_of(uow: UnitOfWork, request: ExportRequest, camera_id: str, anchors: Anchors) -> Track:
    """What the ledger and history hold of a camera in the request's period."""
    wish = request.wish
    camera = uow.cameras.get(camera_id)
    assert camera is not None, "a foreign key holds the camera"
    segments = tuple(uow.segments.of(wish.case_id, camera_id, wish.from_us, wish.to_us))
    started = {r.run_id: r.started_us for r in uow.runs.of_case(wish.case_id) if r.camera_id == camera_id}
    for anchor in anchors.known:
        if anchor.camera_id == camera_id:
            started.setdefault(anchor.run_id, 0)
    inside = _by_run(segments)
    runs = tuple(
        _surroundings(uow, run_id, started_us, inside.get(run_id, []), anchors.of(run_id), wish.to_us)
        for run_id, started_us in started.items()
        if run_id in inside or started_us - _BEFORE_START_US < wish.to_us
    )
    gaps = tuple(uow.gaps.of(wish.case_id, camera_id, wish.from_us, wish.to_us))
    return Track(camera, segments, gaps, runs, anchors.broken_seq)


def _surroundings(
    uow: UnitOfWork,
    run_id: str,
    started_us: int,
    inside: Sequence[StoredSegment],
    anchors: tuple[Anchor, ...],
    to_us: int,
) -> Surroundings:
    if inside:
        before = uow.segments.last(run_id, below=inside[0].header.meta.sequence)
        at = inside[-1].header.meta.sequence
    else:
        before = uow.segments.last(run_id, before_us=to_us)
        at = -1 if before is None else before.header.meta.sequence
    anchor = next((each for each in anchors if each.sequence > at), None)
    beyond = uow.segments.following(run_id, at, anchor.sequence) if anchor is not None else ()
    beyond = beyond or uow.segments.following(run_id, at)
    earliest = uow.segments.following(run_id, -1)
    begun_by = earliest[0].header.meta.node_id if earliest else ""
    return Surroundings(run_id, started_us, before, tuple(beyond), anchors, begun_by)


def check_gap_node(track: Track, gap: StoredGap, node_id: str) -> None:
    """Raise UNTRUSTED unless this node, which signed the gap, may speak for the camera: as for segments.

    A run of which nothing is known excuses nothing, and its camera may have moved since: any enrolled node's counts.
    """
    begun_by = next((each.begun_by for each in track.runs if each.run_id == gap.run_id), "") or node_id
    if node_id not in (track.camera.node_id, begun_by):
        raise OrvaultError(
            ErrorKind.UNTRUSTED,
            f"Node {node_id!r} signed it, and the camera is not one of that node's.",
            where=f"gap of camera {track.camera.camera_id} from {show_time(gap.from_us)}",
        )


def check_track(track: Track, from_us: int, to_us: int) -> FirstSeen:
    """Check that what a camera recorded in from-to is all there and as it was; returns who saw which segment when.

    The answer says for a segment when the server is known to have seen it: when its row was written, or earlier,
    when an anchor was written that its run agrees with (rows can be made anew, history cannot).

    Raises:
        OrvaultError: DAMAGED for what is missing, ALTERED for what does not belong where it stands.
    """
    if track.broken_seq is not None:
        raise OrvaultError(
            ErrorKind.ALTERED,
            f"Entry {track.broken_seq} of history, an anchor of this case, is not what was written.",
            where=f"camera {track.camera.title}",
            advice="Have an auditor check history before anything of this case leaves.",
        )
    inside = _by_run(track.segments)
    around = {each.run_id: each for each in track.runs}
    agreed: dict[str, list[Anchor]] = {}
    for run_id in dict.fromkeys([*around, *inside]):
        known = around.get(run_id) or Surroundings(run_id, 0, None, (), ())
        stretch = _Stretch(track.camera, known, inside.get(run_id, []), from_us, to_us)
        agreed[run_id] = stretch.check()

    def first_seen(segment: StoredSegment) -> int:
        meta = segment.header.meta
        anchored = (each.at_us for each in agreed[meta.run_id] if each.sequence >= meta.sequence)
        return min([segment.indexed_us, *anchored])

    return first_seen


class _Stretch:
    """The segments of one run in the period, and the rules over them."""

    def __init__(
        self,
        camera: CameraInfo,
        around: Surroundings,
        inside: Sequence[StoredSegment],
        from_us: int,
        to_us: int,
    ) -> None:
        self._camera = camera
        self._around = around
        self._inside = inside
        self._to_us = to_us
        self._from_us = from_us
        # Does the period begin (end) within what is there? Then what lies outside of it was not asked for.
        self._open_start = not (inside and inside[0].header.meta.start_us <= from_us)
        self._open_end = not (inside and inside[-1].header.meta.end_us >= to_us)

    def check(self) -> list[Anchor]:
        """The anchors that the run was found to agree with. Errors: see `check_track`."""
        if self._open_end:
            self._check_end()
        self._check_nodes()
        links = [*self._inside, *self._unbroken_beyond()]
        if not links:
            return []
        first, last = links[0].header.meta.sequence, links[-1].header.meta.sequence
        agreed = [each for each in self._around.anchors if first <= each.sequence <= last]
        try:
            check_run(links, before=self._before(first), anchors=[each.head for each in agreed])
        except OrvaultError as error:
            raise self._told(error.kind, f"{error.where}: {error.message}") from error
        return agreed

    def _check_nodes(self) -> None:
        """One node's key must not speak for another's camera; one that moved is its earlier node's in the runs that
        this began. The index holds to it too, but a row may have come past it.
        """
        for segment in self._inside:
            meta = segment.header.meta
            if meta.node_id not in (self._camera.node_id, self._around.begun_by):
                raise self._told(
                    ErrorKind.ALTERED,
                    f"Segment {meta.sequence} says that node {meta.node_id!r} recorded it, and the camera is not one"
                    " of that node's.",
                )

    @property
    def _at(self) -> int:
        """The number of the last segment up to the period's end, -1 if there is none."""
        last = self._last
        return -1 if last is None else last.header.meta.sequence

    @property
    def _last(self) -> StoredSegment | None:
        return self._inside[-1] if self._inside else self._around.before

    def _before(self, first: int) -> Head | None:
        before = self._around.before
        at = START if before is None else Head(before.header.meta.sequence, before.digest)
        return at if at.sequence == first - 1 or (self._inside and self._open_start) else None

    def _unbroken_beyond(self) -> list[StoredSegment]:
        """What follows without a hole: it ties the period to the next anchor."""
        at, found = self._at, []
        for segment in self._around.beyond:
            at += 1
            if segment.header.meta.sequence != at:
                break
            found.append(segment)
        return found

    def _check_end(self) -> None:
        """Nothing may be missing between the last segment of the period, or before it, and the next one."""
        around, at = self._around, self._at
        if around.beyond:
            upto = around.beyond[0].header.meta.sequence - 1
        else:
            upto = max((each.sequence for each in around.anchors if each.end_us > self._from_us), default=at)
        if upto <= at:
            return
        since = around.started_us if self._last is None else self._last.header.meta.end_us
        some = f"segment {upto} is" if upto == at + 1 else f"segments {at + 1} to {upto} are"
        what = f"{some} missing after {show_time(since)}"
        raise self._told(
            ErrorKind.DAMAGED,
            f"The run was cut off: {what}." if not around.beyond else f"In the run, {what}.",
        )

    def _told(self, kind: ErrorKind, message: str) -> OrvaultError:
        return OrvaultError(
            kind,
            message,
            where=f"camera {self._camera.title}, run {self._around.run_id}",
            advice="Look for it on the recorder's disk: what lies there is indexed again when the node starts. A"
            " period that leaves this out can still be asked for."
            if kind is ErrorKind.DAMAGED
            else "Have history and the recorder's disk looked at before anything of this run leaves.",
        )


def _by_run(segments: Sequence[StoredSegment]) -> dict[str, list[StoredSegment]]:
    runs: dict[str, list[StoredSegment]] = {}
    for segment in segments:
        runs.setdefault(segment.header.meta.run_id, []).append(segment)
    return runs
