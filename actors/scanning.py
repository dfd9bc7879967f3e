"""Scans drafts' footage for whom and what is in it, so that a person can choose what is masked.

It shows nobody a picture and keeps none: times and boxes go into the ledger, what was found lies sealed on disk for
the rendering that comes after.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from actors.following import Finder, Followed, findings_work
from actors.footage import Footage
from actors.render_tools import RenderTools
from orvault.custody.choice import WHOLE, BoxMicro
from orvault.custody.scan import MAX_TRACKS, CameraScan, FoundTrack
from orvault.custody.service import CustodyService, ScanJob
from orvault.custody.stretches import Track
from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.mask import MaskMode, MaskStyle
from orvault.vision.parts import TrackPart
from orvault.vision.tracks import Ints, MaskTrack, TrackKind, boxes_at

PASSING = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.KEYS_LOCKED})

log = logging.getLogger(__name__)


class Scanner:
    """Takes scans from the ledger, one after another; one thread calls it."""

    def __init__(self, custody: CustodyService, tools: RenderTools) -> None:
        self._custody, self._tools = custody, tools

    def work_off(self) -> None:
        """Carry out every scan that waits. While the key store is locked nothing is claimed.

        What lacks something that passes is given back for later.
        """
        while self._tools.keys.unlocked() and (job := self._custody.claim_scan()) is not None:
            try:
                self._custody.finish_scan(job.scan.scan_id, job.epoch, self._scanned(job))
            except OrvaultError as error:
                log.warning("scan %s: %s", job.scan.scan_id, error)
                self._end(job, error)

    def _end(self, job: ScanJob, error: OrvaultError) -> None:
        try:
            if error.kind in PASSING:
                self._custody.give_back_scan(job.scan.scan_id, job.epoch)
            elif error.kind is not ErrorKind.CONFLICT:  # else it is another worker's by now, or over
                self._custody.fail_scan(job.scan.scan_id, job.epoch, error.outside_words)
        except OrvaultError as refusal:
            if refusal.kind is not ErrorKind.CONFLICT:
                raise
            log.warning("scan %s dropped: %s", job.scan.scan_id, refusal)

    def _scanned(self, job: ScanJob) -> list[CameraScan]:
        """The same steps as a rendering's first half, and checked as carefully. Errors: as for a rendering."""
        wish = job.request.wish
        footage = [Footage(track, (wish.from_us, wish.to_us), self._tools) for track in job.tracks]
        for each in footage:
            each.sizes()
            each.check_gaps()
        work = _Work(self._custody, job, sum(len(track.segments) for track in job.tracks))
        return [self._camera(job, each, work) for each in footage if each.track.segments]

    def _camera(self, job: ScanJob, footage: Footage, work: _Work) -> CameraScan:
        footage.open_keys(job.request.request_id)
        track, redaction = footage.track, job.request.wish.redaction
        mode, masking = MaskMode(redaction.masking), self._tools.masking
        finder = Finder(
            track,
            footage.keys,
            footage.opened,
            self._tools.detection,
            findings_work(
                self._tools.packages,
                job.request.request_id,
                masking,
                mode,
                self._tools.detection.models(),
            ),
            work.step,
            mode,
        )
        policy = masking.policy(track.camera.camera_id, mode, MaskStyle(redaction.style))
        wish = job.request.wish
        return camera_scan(track, Followed.through(track, finder.found(), policy), (wish.from_us, wish.to_us))


class _Work:
    """Tells how far a scan is."""

    def __init__(self, custody: CustodyService, job: ScanJob, total: int) -> None:
        self._custody, self._job, self._total, self._done = custody, job, total, 0

    def step(self, stage: str, *, advanced: bool = False) -> None:
        self._done += 1
        scan_id, epoch = self._job.scan.scan_id, self._job.epoch
        self._custody.scan_progress(scan_id, epoch, stage, self._done, self._total)


def camera_scan(track: Track, followed: Followed, range_us: tuple[int, int]) -> CameraScan:
    """What a person chooses from: every part of a track that may be left clear, and the tracks that have none.

    Of each what lies in the period (UTC us) alone: the first and last segments reach beyond it, what leaves does not.
    """
    times = _Times(track, followed.numbers)
    parts: dict[int, list[TrackPart]] = {}
    for part in followed.parts():
        parts.setdefault(part.track_id, []).append(part)
    listed = [
        _listed(each, seen, track, times)
        for each in followed.tracks
        for whole in parts.get(each.track_id)
        or [TrackPart(str(each.track_id), each.track_id, each.first, each.last)]
        if (seen := times.within(whole, range_us)) is not None
    ]
    return CameraScan(
        track.camera.camera_id, followed.digest, tuple(listed[:MAX_TRACKS]), max(0, len(listed) - MAX_TRACKS)
    )


def _listed(each: MaskTrack, part: TrackPart, track: Track, times: _Times) -> FoundTrack:
    meta = track.segments[0].header.meta
    boxes = boxes_at(each.frames, each.boxes, np.arange(part.first, part.last + 1))
    sizes = np.clip(boxes, 0, (meta.width, meta.height) * 2)
    best = int(np.prod(sizes[:, 2:] - sizes[:, :2], axis=1).argmax())
    return FoundTrack(
        name=part.name,
        person=each.track_id,
        kind=_kind(each),
        from_us=times.at(part.first),
        to_us=times.at(part.last),
        clearable="." in part.name,
        shown_us=times.at(part.first + best),
        box_micro=_micro(sizes[best].tolist(), meta.width, meta.height),
    )


def _kind(track: MaskTrack) -> str:
    if track.kind is TrackKind.OBJECT:
        return min(track.sources)
    return "lying" if track.kind is TrackKind.LYING else "person"


def _micro(box: Sequence[float], width: int, height: int) -> BoxMicro:
    x1, y1, x2, y2 = (
        round(side * WHOLE / limit) for side, limit in zip(box, (width, height) * 2, strict=True)
    )
    return (x1, y1, x2, y2)


class _Times:
    """When each picture was taken (UTC us), pictures evenly spread over their segment; for people to read."""

    def __init__(self, track: Track, numbers: Sequence[Ints]) -> None:
        recorded = [
            (each, segment.header.meta)
            for each, segment in zip(numbers, track.segments, strict=True)
            if each.size
        ]
        self._numbers, self._metas = [each for each, _ in recorded], [meta for _, meta in recorded]
        self._firsts = [int(each[0]) for each in self._numbers]

    def at(self, number: int) -> int:
        """The time of the picture with this number, or of the last one before it."""
        segment = max(0, bisect_right(self._firsts, number) - 1)
        meta, numbers = self._metas[segment], self._numbers[segment]
        share = max(0, int(np.searchsorted(numbers, number, "right")) - 1) / len(numbers)
        return meta.start_us + round(share * (meta.end_us - meta.start_us))

    def within(self, part: TrackPart, range_us: tuple[int, int]) -> TrackPart | None:
        """As much of it as was taken in this period; None: nothing."""
        pictures = range(part.first, part.last + 1)
        begin, end = (bisect_left(pictures, limit_us, key=self.at) for limit_us in range_us)
        return replace(part, first=pictures[begin], last=pictures[end - 1]) if begin < end else None
