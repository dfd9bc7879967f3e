"""Carries out one approved request: open, detect, mask, mark, seal.

Clear pictures exist here in memory only; what is written is sealed as it is written. The rules (what may be
opened, how it is masked) were decided before and stand in the job.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from actors.render_tools import Answer, RenderTools
from orvault.clock import US_PER_S
from orvault.container.gap import check_gap
from orvault.container.package import MediaInfo, PackageBuilder, PackageSummary, PackageTerms
from orvault.container.segment import open_segment, segment_digest, verify_segment
from orvault.container.trust import Identity
from orvault.custody.recorded import SegmentLike, StoredSegment
from orvault.custody.service import CustodyService, RenderJob, Track
from orvault.custody.stretches import FirstSeen, check_track
from orvault.custody.text import show_time
from orvault.errors import ErrorKind, OrvaultError
from orvault.rendition import Rendition
from orvault.video.codec import decode_fragment
from orvault.vision.mask import FrameDetections, FramePlan, MaskMode, MaskPolicy, MaskStyle, plan_regions
from orvault.vision.watermark import Corner, TextWatermark, WatermarkPainter

WINDOW_PER_ACTOR = 2  # fragments in flight: one being worked on, one waiting
KEYS_AT_ONCE = 1_000  # segment keys per history entry; two days of a camera are 86 400


class Rendering:
    """One request, from claim to package."""

    def __init__(self, job: RenderJob, custody: CustodyService, tools: RenderTools) -> None:
        redaction = job.request.wish.redaction
        self._job = job
        self._custody = custody
        self._tools = tools
        self._policy = MaskPolicy(MaskMode(redaction.masking), MaskStyle(redaction.style))
        self._watermark = TextWatermark(redaction.watermark, Corner(redaction.position))
        self._nodes = tools.nodes.load()
        self._first_seen: dict[str, FirstSeen] = {}
        self._done = 0
        self._total = 2 * sum(len(track.segments) for track in job.tracks)  # found, then rendered

    def carry_out(self) -> PackageSummary:
        """Build the package.

        1. every camera's runs are unbroken chains in the period, and agree with the anchors in history; its pictures
           have one size, into which the watermark can be drawn; only then keys are asked for, one camera after
           another;
        2. verify each segment against its node's certificate, believed when it was first seen, and what is indexed;
        3. open it, find the people in it (several at a time);
        4. plan the regions over the whole clip;
        5. open again, mask, mark, encode, seal as it is written;
        6. sign and close the package.
        Memory holds a few fragments and the boxes, however long the footage is.
        Errors: ALTERED, DAMAGED, UNTRUSTED, BAD_MEDIA, BAD_REQUEST (the watermark), GRANT_MISSING, KEYS_LOCKED,
        UNAVAILABLE, STORAGE.
        """
        wish = self._job.request.wish
        for track in self._job.tracks:  # one of which nothing is left, too
            self._first_seen[track.camera.camera_id] = check_track(track, wish.from_us, wish.to_us)
            self._check_pictures(track)
        identity = Identity.load(self._tools.server_identity)
        with PackageBuilder(self._tools.packages, identity, self._terms()) as builder:
            media = [self._camera(builder, track) for track in self._job.tracks if track.segments]
            self._report("sealing")
            # Named by the epoch: a predecessor that is fenced, but still writing, cannot replace this file.
            out = self._tools.packages / f"{self._package_id}-{self._job.epoch}.orvault"
            return builder.finish(out, media, self._job.request.wish.recipients)

    def _check_pictures(self, track: Track) -> None:
        """Hours of detection must not end at a watermark that does not fit, or at another picture size."""
        metas = [segment.header.meta for segment in track.segments]
        sizes = list(dict.fromkeys((meta.width, meta.height) for meta in metas))
        if len(sizes) > 1:
            (wide, high), (width, height) = sizes[:2]
            raise OrvaultError(
                ErrorKind.BAD_MEDIA,
                f"The camera's picture size changed from {wide}x{high} to {width}x{height}.",
                where=f"camera {track.camera.title}",
                advice="Export the times before and after the change apart.",
            )
        for width, height in sizes:
            WatermarkPainter(self._watermark, width, height)

    @property
    def _package_id(self) -> str:
        assert self._job.request.package_id is not None, "given at the approval"
        return self._job.request.package_id

    def _terms(self) -> PackageTerms:
        request, wish = self._job.request, self._job.request.wish
        redaction = wish.redaction
        return PackageTerms(
            package_id=self._package_id,
            request_id=request.request_id,
            case_id=wish.case_id,
            purpose=wish.purpose,
            legal_basis=wish.basis.summary(),
            recipients=tuple(recipient.name for recipient in wish.recipients),
            terms_text=wish.terms,
            masking=f"{redaction.masking}, {redaction.style}",
            watermark=redaction.watermark,
            not_before_us=request.validity.from_us,
            not_after_us=request.validity.until_us,
            issued_us=self._tools.clock.now_us(),
        )

    def _camera(self, builder: PackageBuilder, track: Track) -> MediaInfo:
        for gap in track.gaps:
            check_gap(gap, self._nodes, gap.recorded_us)  # a forged one would excuse what was removed
        keys = self._keys(track)
        meta, wish = track.segments[0].header.meta, self._job.request.wish
        fps = _frame_rate(track)
        plans = self._plan(track, keys, fps)
        with builder.media_sink(track.camera.camera_id) as sink:
            rendition = Rendition(
                sink,
                meta.width,
                meta.height,
                fps,
                self._policy,
                self._watermark,
                from_us=wish.from_us,
                to_us=wish.to_us,
                crf=self._tools.crf,
                preset=self._tools.preset,
            )
            for (segment, fragment), frames in zip(self._opened(track, keys), plans, strict=True):
                rendition.add(fragment, frames, segment.header.meta.start_us)
                self._step(f"masking {track.camera.title}")
            report = rendition.close()
        return MediaInfo(
            camera_id=track.camera.camera_id,
            title=track.camera.title,
            width=meta.width,
            height=meta.height,
            fps=round(fps, 3),
            frames=report.frames,
            start_us=report.start_us,
            end_us=report.end_us,
            gaps=merged_within(
                [*((gap.from_us, gap.to_us) for gap in track.gaps), *report.gaps], wish.from_us, wish.to_us
            ),
            sources=tuple(
                {"segment_id": segment.header.meta.segment_id, "digest": segment.digest}
                for segment in track.segments
            ),
        )

    def _keys(self, track: Track) -> list[bytes]:
        """The keys of all segments of a camera, in order."""
        request_id, keys = self._job.request.request_id, []
        for first in range(0, len(track.segments), KEYS_AT_ONCE):
            some = track.segments[first : first + KEYS_AT_ONCE]
            keys += self._tools.keys.open_for_render(request_id, some)
        return keys

    def _plan(self, track: Track, keys: Sequence[bytes], fps: float) -> list[list[FramePlan]]:
        """Per fragment the plan of each of its frames, made over the whole clip at once."""
        meta = track.segments[0].header.meta
        found = list(self._detected(track, keys))
        frames = [frame for fragment in found for frame in fragment]
        plans = iter(plan_regions(frames, self._policy, meta.width, meta.height, fps=fps))
        return [[next(plans) for _ in fragment] for fragment in found]

    def _detected(self, track: Track, keys: Sequence[bytes]) -> Iterator[list[FrameDetections]]:
        """Detections per fragment, in order; as many under way as the detection actors can take."""
        if self._policy.mode is MaskMode.PICTURE:
            # The whole picture is masked: nothing is looked for, but every segment is still verified.
            for _, fragment in self._opened(track, keys):
                # Counted, not taken from the header: a decoder may leave out pictures that were coded.
                yield [None] * sum(1 for _ in decode_fragment(fragment))
                self._step(f"verifying {track.camera.title}")
            return
        window = WINDOW_PER_ACTOR * self._tools.detection.width()
        under_way: deque[Answer] = deque()
        for _, fragment in self._opened(track, keys):
            under_way.append(self._tools.detection.detect(fragment))
            if len(under_way) >= window:
                yield self._detection_result(under_way, track)
        while under_way:
            yield self._detection_result(under_way, track)

    def _detection_result(self, under_way: deque[Answer], track: Track) -> list[FrameDetections]:
        result = under_way.popleft().result()
        self._step(f"finding people in {track.camera.title}")
        return result

    def _opened(self, track: Track, keys: Sequence[bytes]) -> Iterator[tuple[SegmentLike, bytes]]:
        """Each segment with its clear fragment, verified first.

        1. the node's certificate, as it stood when the server first saw the segment; 2. the signature and the
        ciphertext's digest; 3. that it is the segment the ledger means, whose place in its run was checked; 4. the
        chunks, while opening.
        """
        first_seen = self._first_seen[track.camera.camera_id]
        for segment, key in zip(track.segments, keys, strict=True):
            certificate = self._nodes.certificate_of(segment.header, first_seen(segment))
            data = self._read(segment)
            header = verify_segment(data, certificate)
            if header != segment.header or segment_digest(data) != segment.digest:
                raise _altered(segment, "is not the one that was indexed")
            yield segment, open_segment(data, key)

    def _read(self, segment: StoredSegment) -> bytes:
        meta = segment.header.meta
        try:
            return self._tools.segments.read(meta.node_id, segment.path)
        except OrvaultError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            raise OrvaultError(
                ErrorKind.DAMAGED,
                f"Segment {meta.sequence} of run {meta.run_id} ({show_time(meta.start_us)}) was indexed on"
                f" {show_time(segment.indexed_us)} and is not on this node's disk any more.",
                where=f"node {meta.node_id}, {segment.path}",
                advice="Look for it in a copy of that disk. A period that leaves it out can still be asked for.",
            ) from error

    def _step(self, stage: str) -> None:
        self._done += 1
        self._report(stage)

    def _report(self, stage: str) -> None:
        request_id = self._job.request.request_id
        self._custody.render_progress(request_id, self._job.epoch, stage, self._done, self._total)


def merged_within(gaps: Iterable[tuple[int, int]], from_us: int, to_us: int) -> tuple[tuple[int, int], ...]:
    """The gaps (from, to) as far as they lie in from-to, in order; those that overlap or touch are one.

    A recorder and the pictures themselves tell of one gap with edges that differ by a picture's time.
    """
    merged: list[tuple[int, int]] = []
    for begin, end in sorted((max(begin, from_us), min(end, to_us)) for begin, end in gaps):
        if begin >= end:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return tuple(merged)


def _frame_rate(track: Track) -> float:
    """Pictures per second as recorded, over all segments of a camera."""
    metas = [segment.header.meta for segment in track.segments]
    length_us = sum(meta.end_us - meta.start_us for meta in metas)
    return sum(meta.frames for meta in metas) * US_PER_S / max(1, length_us)


def _altered(segment: SegmentLike, what: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.ALTERED, f"segment {segment.header.meta.segment_id} {what}.", where=segment.path
    )
