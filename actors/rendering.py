"""Carries out one approved request: open, detect, mask, mark, seal.

Clear pictures exist here in memory only; what is written is sealed as it is written. The rules (what may be
opened, how it is masked) were decided before and stand in the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path

from actors.camera_rendering import CameraJob, CameraRendering, steps_of
from actors.render_tools import RenderTools
from actors.render_work import RenderWork, work_folder
from actors.watermarks import marks_of_copies
from orvault import __version__
from orvault.clock import US_PER_S
from orvault.container.checkpoint import origin_of
from orvault.container.gap import check_gap
from orvault.container.history import HistoryProof
from orvault.container.package import MediaInfo, PackageBuilder, PackageSummary, PackageTerms
from orvault.container.segment import open_segment, segment_digest, verify_segment
from orvault.container.trust import Identity
from orvault.custody.checkpoints import LogSigner
from orvault.custody.recorded import SegmentLike, StoredSegment
from orvault.custody.request import Copy
from orvault.custody.second_look import MAX_KEPT, Finding, SecondLook, Trial, worst
from orvault.custody.service import CustodyService, RenderJob, Track
from orvault.custody.stretches import FirstSeen, check_track
from orvault.custody.text import show_time
from orvault.errors import ErrorKind, OrvaultError
from orvault.rendition import empty_range
from orvault.vision.mask import MaskMode, MaskStyle
from orvault.vision.site import SiteMasking
from orvault.vision.watermark import WatermarkPainter

KEYS_AT_ONCE = 1_000  # segment keys per history entry; two days of a camera are 86 400


class Rendering:
    """One request, from claim to package."""

    def __init__(self, job: RenderJob, custody: CustodyService, tools: RenderTools) -> None:
        redaction = job.request.wish.redaction
        self._job = job
        self._copies = job.request.copies
        self._custody = custody
        self._tools = tools
        self._mode, self._style = MaskMode(redaction.masking), MaskStyle(redaction.style)
        names = [[recipient.name for recipient in copy.recipients] for copy in self._copies]
        self._watermark, self._watermarks = marks_of_copies(redaction, job.watermark_image, names)
        self._nodes = tools.nodes.load()
        self._first_seen: dict[str, FirstSeen] = {}
        self._looks: list[tuple[str, CameraRendering]] = []
        self._work = RenderWork(work_folder(tools.packages, self._copies[0].package_id), self._made_by())
        self._done = 0
        self._total = sum(steps_of(track, len(self._copies)) for track in job.tracks)

    def carry_out(self) -> list[PackageSummary]:
        """Build the packages, one per copy, in the order of the request's copies.

        1. every camera's runs are unbroken chains in the period, and agree with the anchors in history; its pictures
           have one size, into which the watermark can be drawn; only then keys are asked for, one camera after
           another;
        2. verify each segment against its node's certificate, believed when it was first seen, and what is indexed;
        3. open it, find the people in it (several at a time);
        4. plan the regions over the whole clip;
        5. open again, mask, then for each copy mark and encode, a piece at a time; look again; keep it sealed;
        6. join the pieces, sealing as it is written; sign and close the packages.
        Memory holds two pieces and the boxes, however long the footage is. What a piece of 3. or 5. gave is kept, so
        that a restarted worker does not do it again.
        Errors: ALTERED, DAMAGED, UNTRUSTED, BAD_MEDIA, BAD_REQUEST (the watermark), GRANT_MISSING, KEYS_LOCKED,
        UNAVAILABLE, STORAGE.
        """
        wish = self._job.request.wish
        for track in self._job.tracks:  # one of which nothing is left, too
            self._first_seen[track.camera.camera_id] = check_track(track, wish.from_us, wish.to_us)
            self._check_pictures(track)
        identity = Identity.load(self._tools.server_identity)
        signer = LogSigner(origin_of(identity.chain_ders[-1]), identity)
        with ExitStack() as stack:
            builders = [
                stack.enter_context(PackageBuilder(self._tools.packages, identity, self._terms(copy)))
                for copy in self._copies
            ]
            media = [self._camera(builders, track) for track in self._job.tracks if track.segments]
            self._report("sealing")
            return [
                builder.finish(self._out(copy), media, copy.recipients, partial(self._prove, signer, copy))
                for builder, copy in zip(builders, self._copies, strict=True)
            ]

    def _prove(self, signer: LogSigner, copy: Copy, content: str) -> HistoryProof:
        """History has what a package holds before it is signed."""
        request_id, epoch = self._job.request.request_id, self._job.epoch
        return self._custody.seal_package(request_id, epoch, copy.package_id, content, signer)

    def _made_by(self) -> dict[str, object]:
        """Everything but the footage that decides what the finished pieces hold."""
        request = self._job.request
        return {
            "copies": [copy.package_id for copy in self._copies],
            "encoder": [self._tools.preset, self._tools.crf],
            "mask": _masking_in_words(self._mode, self._style, self._tools.masking),
            "period": [request.wish.from_us, request.wish.to_us],
            "request": request.request_id,
            "version": __version__,
            "watermark": repr(request.wish.redaction),
        }

    def _out(self, copy: Copy) -> Path:
        # Named by the epoch: a predecessor that is fenced, but still writing, cannot replace this file.
        return self._tools.packages / f"{copy.package_id}-{self._job.epoch}.orvault"

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
        for own, (width, height) in product(self._watermarks, sizes):
            WatermarkPainter([*self._watermark, *own], width, height)

    def _terms(self, copy: Copy) -> PackageTerms:
        request, wish = self._job.request, self._job.request.wish
        names = [recipient.name for recipient in copy.recipients]
        redaction = wish.redaction.for_copy(names)
        return PackageTerms(
            package_id=copy.package_id,
            request_id=request.request_id,
            case_id=wish.case_id,
            purpose=wish.purpose,
            legal_basis=wish.basis.summary(),
            recipients=tuple(names),
            terms_text=wish.terms,
            masking=f"{redaction.masking}, {redaction.style}",
            watermark=redaction.watermark_summary(),
            not_before_us=request.validity.from_us,
            not_after_us=request.validity.until_us,
            issued_us=self._tools.clock.now_us(),
        )

    def _camera(self, builders: Sequence[PackageBuilder], track: Track) -> MediaInfo:
        for gap in track.gaps:
            check_gap(gap, self._nodes, gap.recorded_us)  # a forged one would excuse what was removed
        camera, wish = track.camera, self._job.request.wish
        keys, fps = self._keys(track), _frame_rate(track)
        copy_ids = [copy.package_id for copy in self._copies]
        job = CameraJob(
            track=track,
            fps=fps,
            range_us=(wish.from_us, wish.to_us),
            policy=self._tools.masking.policy(camera.camera_id, self._mode, self._style),
            watermark=self._watermark,
            watermarks=self._watermarks,
            keys=keys,
            mark_keys=self._tools.keys.mark_keys(self._job.request.request_id, camera.camera_id, copy_ids),
        )
        rendering = CameraRendering(
            job, partial(self._opened, track, keys), self._tools, self._work, self._step
        )
        rendering.render()
        self._looks.append((camera.camera_id, rendering))
        frames = sum(piece.frames for piece in rendering.pieces)
        if not frames:
            raise empty_range()
        for number, builder in enumerate(builders):
            with builder.media_sink(camera.camera_id) as sink:
                rendering.write(number, sink)
        meta = track.segments[0].header.meta
        told = [gap for piece in rendering.pieces for gap in piece.gaps]
        return MediaInfo(
            camera_id=camera.camera_id,
            title=camera.title,
            width=meta.width,
            height=meta.height,
            fps=round(fps, 3),
            frames=frames,
            start_us=rendering.pieces[-1].start_us,
            end_us=rendering.pieces[-1].end_us,
            gaps=merged_within(
                [*((gap.from_us, gap.to_us) for gap in track.gaps), *told], wish.from_us, wish.to_us
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

    def second_look(self) -> SecondLook:
        """What the second look found on all cameras; known once the work is carried out."""
        findings = [
            Finding(
                camera_id, round(piece.start_us + (piece.first_90k + left.pts_90k) * 100 / 9), left.box,
                round(1000 * left.score), left.source,
            )
            for camera_id, rendering in self._looks
            for piece in rendering.pieces
            for left in piece.left
        ]  # fmt: skip
        pictures = sum(piece.pictures for _, rendering in self._looks for piece in rendering.pieces)
        trials = [Trial(rendering.trial.value) for _, rendering in self._looks]
        return SecondLook(pictures, len(findings), tuple(findings[:MAX_KEPT]), worst(trials))

    def _opened(
        self, track: Track, keys: Sequence[bytes], begin: int, end: int
    ) -> Iterator[tuple[SegmentLike, bytes]]:
        """Each of the segments `begin` up to, without, `end` with its clear fragment, verified first.

        1. the node's certificate, as it stood when the server first saw the segment; 2. the signature and the
        ciphertext's digest; 3. that it is the segment the ledger means, whose place in its run was checked; 4. the
        chunks, while opening.
        """
        first_seen = self._first_seen[track.camera.camera_id]
        for segment, key in zip(track.segments[begin:end], keys[begin:end], strict=True):
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

    def _step(self, stage: str, *, advanced: bool = False) -> None:
        self._done += 1
        self._report(stage, advanced=advanced)

    def _report(self, stage: str, *, advanced: bool = False) -> None:
        request_id, epoch = self._job.request.request_id, self._job.epoch
        self._custody.render_progress(request_id, epoch, stage, self._done, self._total, advanced=advanced)


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


def _masking_in_words(mode: MaskMode, style: MaskStyle, masking: SiteMasking) -> str:
    """The same in every process: a set's own order is not."""
    fixed = sorted((camera, repr(regions)) for camera, regions in masking.fixed.items())
    return repr((mode.value, style.value, fixed, sorted(masking.objects), masking.margin))
