"""Carries out one approved request: open, detect, mask, mark, seal.

Clear pictures exist here in memory only; what is written is sealed as it is written. The rules (what may be
opened, how it is masked) were decided before and stand in the job.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orvault.clock import US_PER_S, Clock
from orvault.container.chain import check_run
from orvault.container.enrolment import EnrolledNodes
from orvault.container.package import MediaInfo, PackageBuilder, PackageSummary, PackageTerms
from orvault.container.segment import open_segment, segment_digest, verify_segment
from orvault.container.trust import Identity
from orvault.custody.recorded import SegmentLike
from orvault.custody.service import CustodyService, RenderJob, Track
from orvault.errors import ErrorKind, OrvaultError
from orvault.rendition import Rendition
from orvault.video.codec import decode_fragment
from orvault.vision.mask import FrameDetections, FramePlan, MaskMode, MaskPolicy, MaskStyle, plan_regions
from orvault.vision.watermark import Corner, TextWatermark

WINDOW_PER_ACTOR = 2  # fragments in flight: one being worked on, one waiting
KEYS_AT_ONCE = 1_000  # segment keys per history entry; two days of a camera are 86 400


class Segments(Protocol):
    """Reads sealed segments where they lie."""

    def read(self, node_id: str, path: str) -> bytes:
        """The sealed bytes. Errors: UNAVAILABLE, NOT_FOUND, STORAGE."""
        ...


class RenderKeys(Protocol):
    """Opens segment keys on a render grant (actors/keys.py)."""

    def open_for_render(self, request_id: str, records: Sequence[SegmentLike]) -> list[bytes]:
        """Segment keys in the order of `records`."""
        ...

    def unlocked(self) -> bool:
        """Whether keys can be opened now."""
        ...


class Answer(Protocol):
    """A detection that is under way."""

    def result(self) -> list[FrameDetections]:
        """Wait for it."""
        ...


class Detection(Protocol):
    """The detection actors."""

    def width(self) -> int:
        """How many fragments they work on at once."""
        ...

    def detect(self, fragment: bytes) -> Answer:
        """Begin detecting in one clear fragment."""
        ...


class NodeTrust(Protocol):
    """Which nodes are believed (container/enrolment.py), as it stands when it is asked."""

    def load(self) -> EnrolledNodes:
        """Certificates and revocations. Errors: BAD_SETTINGS, UNTRUSTED."""
        ...


@dataclass(frozen=True)
class RenderTools:
    """What a rendering works with; plain fields, so that tests hand in their own."""

    segments: Segments
    keys: RenderKeys
    detection: Detection
    clock: Clock
    server_identity: Path
    nodes: NodeTrust
    packages: Path
    preset: str
    crf: int


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
        self._done = 0
        self._total = 2 * sum(len(track.segments) for track in job.tracks)  # found, then rendered

    def carry_out(self) -> PackageSummary:
        """Build the package.

        1. one camera after another: its runs are unbroken chains; only then their keys are asked for;
        2. verify each segment against its node's certificate and its place in the chain;
        3. open it, find the people in it (several at a time);
        4. plan the regions over the whole clip;
        5. open again, mask, mark, encode, seal as it is written;
        6. sign and close the package.
        Memory holds a few fragments and the boxes, however long the footage is.
        Errors: ALTERED, DAMAGED, BAD_MEDIA, GRANT_MISSING, KEYS_LOCKED, UNAVAILABLE, STORAGE.
        """
        identity = Identity.load(self._tools.server_identity)
        with PackageBuilder(self._tools.packages, identity, self._terms()) as builder:
            media = [self._camera(builder, track) for track in self._job.tracks if track.segments]
            self._report("sealing")
            # Named by the epoch: a predecessor that is fenced, but still writing, cannot replace this file.
            out = self._tools.packages / f"{self._package_id}-{self._job.epoch}.orvault"
            return builder.finish(out, media, self._job.request.wish.recipients)

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
        _check_chains(track)
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
        recorded = [(gap.from_us, gap.to_us) for gap in track.gaps]
        return MediaInfo(
            camera_id=track.camera.camera_id,
            title=track.camera.title,
            width=meta.width,
            height=meta.height,
            fps=round(fps, 3),
            frames=report.frames,
            start_us=report.start_us,
            end_us=report.end_us,
            gaps=tuple(sorted({*recorded, *report.gaps})),
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

        1. the node's certificate, its signature and the ciphertext's digest; 2. that it is the segment the ledger
        means, whose place in its run was checked; 3. the chunks, while opening.
        """
        for segment, key in zip(track.segments, keys, strict=True):
            meta = segment.header.meta
            data = self._tools.segments.read(meta.node_id, segment.path)
            header = verify_segment(data, self._nodes.certificate_of(segment.header))
            if header != segment.header or segment_digest(data) != segment.digest:
                raise _altered(segment, "is not the one that was indexed")
            yield segment, open_segment(data, key)

    def _step(self, stage: str) -> None:
        self._done += 1
        self._report(stage)

    def _report(self, stage: str) -> None:
        request_id = self._job.request.request_id
        self._custody.render_progress(request_id, self._job.epoch, stage, self._done, self._total)


def _check_chains(track: Track) -> None:
    """Each run in the period is one unbroken stretch; what came before and after the period nobody asked for."""
    runs: dict[str, list[SegmentLike]] = {}
    for segment in track.segments:
        runs.setdefault(segment.header.meta.run_id, []).append(segment)
    for segments in runs.values():
        check_run(segments)


def _frame_rate(track: Track) -> float:
    """Pictures per second as recorded, over all segments of a camera."""
    metas = [segment.header.meta for segment in track.segments]
    length_us = sum(meta.end_us - meta.start_us for meta in metas)
    return sum(meta.frames for meta in metas) * US_PER_S / max(1, length_us)


def _altered(segment: SegmentLike, what: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.ALTERED, f"segment {segment.header.meta.segment_id} {what}.", where=segment.path
    )
