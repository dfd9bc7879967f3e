"""Carries out one approved request: open, detect, mask, mark, seal.

Clear pictures exist here in memory only; what is written is sealed as it is written. The rules (what may be
opened, how it is masked) were decided before and stand in the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path

from actors.camera_rendering import CameraJob, CameraRendering, steps_of
from actors.following import findings_work
from actors.footage import Footage
from actors.render_masking import keyed, masking_in_words
from actors.render_tools import RenderTools
from actors.render_work import RenderWork, work_folder
from actors.result_pieces import ResultPieces
from actors.watermarks import marks_of_copies
from orvault import __version__
from orvault.container.activation import Activation, proof_key
from orvault.container.checkpoint import origin_of
from orvault.container.happened import EventKind, Happened
from orvault.container.history import HistoryProof
from orvault.container.package import MediaInfo, PackageBuilder, PackageSummary, PackageTerms
from orvault.container.trust import Identity
from orvault.custody.checkpoints import LogSigner
from orvault.custody.request import Copy
from orvault.custody.second_look import MAX_KEPT, Finding, SecondLook, Trial, worst
from orvault.custody.service import CustodyService, RenderJob
from orvault.errors import ErrorKind, OrvaultError
from orvault.rendition import empty_range
from orvault.vision.mask import MaskMode, MaskStyle
from orvault.vision.watermark import WatermarkPainter

PARTICIPANTS = "participants"  # whom their copy's watermark names, where it names whom it is for


class Rendering:
    """One request, from claim to package. UNAVAILABLE at once where a detection actor is away."""

    def __init__(self, job: RenderJob, custody: CustodyService, tools: RenderTools) -> None:
        redaction = job.request.wish.redaction
        self._job = job
        self._copies = job.request.copies
        self._custody = custody
        self._tools = tools
        self._mode, self._style = MaskMode(redaction.masking), MaskStyle(redaction.style)
        names = [[recipient.name for recipient in copy.recipients] for copy in self._copies]
        if job.for_participants:
            names.append([PARTICIPANTS])
        self._watermark, self._watermarks = marks_of_copies(redaction, job.watermark_image, names)
        self._looks: list[tuple[str, CameraRendering]] = []
        request_id = job.request.request_id
        models = tools.detection.models()
        self._work = RenderWork(work_folder(tools.packages, request_id), self._made_by(models))
        self._found_work = findings_work(tools.packages, request_id, tools.masking, self._mode, models)
        self._done = 0
        self._total = sum(steps_of(track, len(names)) for track in job.tracks)

    def carry_out(self) -> list[PackageSummary]:
        """Build the packages, one per copy, in the order of the request's copies.

        1. every camera's runs are unbroken chains in the period, and agree with the anchors in history; its pictures
           have one size, into which the watermark can be drawn; only then keys are asked for, one camera after
           another;
        2. verify each segment against its node's certificate, believed when it was first seen, and what is indexed;
        3. open it, find the people in it (several at a time);
        4. plan the regions over the whole clip;
        5. open again, mask, then for each copy mark and encode, piece beside piece; look again; keep it sealed;
        6. join the pieces, sealing as it is written; sign and close the packages.
        Memory holds seconds of a few pieces and the tracks, however long the footage is. What a piece of 3. or 5.
        gave is kept, so that a restarted worker does not do it again.
        Errors: ALTERED, DAMAGED, UNTRUSTED, BAD_MEDIA, BAD_REQUEST (the watermark), GRANT_MISSING, KEYS_LOCKED,
        UNAVAILABLE, STORAGE.
        """
        period_us = self._job.request.wish.from_us, self._job.request.wish.to_us
        # One of which nothing is left is checked, too.
        footage = [Footage(track, period_us, self._tools) for track in self._job.tracks]
        for each in footage:
            self._check_pictures(each)
        identity = Identity.load(self._tools.server_identity)
        signer = LogSigner(origin_of(identity.chain_ders[-1]), identity)
        with ExitStack() as stack:
            builders = [
                stack.enter_context(
                    PackageBuilder(
                        self._tools.packages, identity, self._terms(copy), activation=self._activation
                    )
                )
                for copy in self._copies
            ]
            media = [self._camera(builders, each) for each in footage if each.track.segments]
            for builder in builders:
                builder.tell(self._damaged())
            self._keep_result()
            self._report("sealing")
            for builder, copy in zip(builders, self._copies, strict=True):
                self._keep_share(builder, copy)
            return [
                builder.finish(self._out(copy), media, copy.recipients, partial(self._prove, signer, copy))
                for builder, copy in zip(builders, self._copies, strict=True)
            ]

    def _keep_result(self) -> None:
        """What participants look at can be found once the packages are there."""
        if self._job.for_participants:
            cameras = {camera_id: rendering.result_spans() for camera_id, rendering in self._looks}
            ResultPieces(self._work.made_by, cameras).write(self._work.folder)

    @property
    def _activation(self) -> Activation | None:
        """What the packages carry of it. BAD_SETTINGS where they are to ask and nobody could answer."""
        if not self._job.request.wish.activation.wanted:
            return None
        if self._tools.activation is None:
            message = "The request asks for on-line activation, which this site does not offer any more."
            raise OrvaultError(ErrorKind.BAD_SETTINGS, message, where="export.activation")
        self._custody.check_activation()
        return self._tools.activation

    def _keep_share(self, builder: PackageBuilder, copy: Copy) -> None:
        """The hospital's half of the key is in the ledger before the package is."""
        if builder.halves is None:
            return
        half, share = builder.halves
        request_id, epoch = self._job.request.request_id, self._job.epoch
        self._custody.keep_share(request_id, epoch, copy.package_id, share, proof_key(half, copy.package_id))

    def _prove(self, signer: LogSigner, copy: Copy, content: str) -> HistoryProof:
        """History has what a package holds before it is signed."""
        request_id, epoch = self._job.request.request_id, self._job.epoch
        return self._custody.seal_package(request_id, epoch, copy.package_id, content, signer)

    def _made_by(self, models: str) -> dict[str, object]:
        """Everything but the footage that decides what the finished pieces hold; `models` is those' digest."""
        request = self._job.request
        return {
            "copies": [copy.package_id for copy in self._copies],
            "for_participants": self._job.for_participants,
            "encoder": [self._tools.preset, self._tools.crf],
            "mask": masking_in_words(self._mode, self._style, self._tools.masking),
            "models": models,
            "period": [request.wish.from_us, request.wish.to_us],
            "request": request.request_id,
            "version": __version__,
            "watermark": repr(request.wish.redaction),
        }

    def _out(self, copy: Copy) -> Path:
        # Named by the epoch: a predecessor that is fenced, but still writing, cannot replace this file.
        return self._tools.packages / f"{copy.package_id}-{self._job.epoch}.orvault"

    def _check_pictures(self, footage: Footage) -> None:
        """Hours of detection must not end at a watermark that does not fit, or at another picture size."""
        for own, (width, height) in product(self._watermarks, footage.sizes()):
            WatermarkPainter([*self._watermark, *own], width, height)

    def _terms(self, copy: Copy) -> PackageTerms:
        request, wish = self._job.request, self._job.request.wish
        names = [recipient.name for recipient in copy.recipients]
        redaction = wish.redaction.for_copy(names)
        told_of = {None, *(track.camera.camera_id for track in self._job.tracks if track.segments)}
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
            masking_choice=None if redaction.choice is None else redaction.choice.told,
            overlay=self._tools.overlay,
            utc_offset_min=self._tools.utc_offset_min,
            events=tuple(event for event in self._job.events if event.camera_id in told_of),
        )

    def _camera(self, builders: Sequence[PackageBuilder], footage: Footage) -> MediaInfo:
        """Render one camera, and put its video into every copy."""
        footage.check_gaps()
        footage.open_keys(self._job.request.request_id)
        job = self._camera_job(footage)
        rendering = CameraRendering(
            job, footage.opened, self._tools, self._work, self._step, self._found_work
        )
        rendering.render()
        camera_id = footage.track.camera.camera_id
        self._looks.append((camera_id, rendering))
        if not any(piece.frames for piece in rendering.pieces):
            raise empty_range()
        for number, builder in enumerate(builders):
            with builder.media_sink(camera_id) as sink:
                rendering.write(number, sink)
        return self._media_info(footage, rendering)

    def _camera_job(self, footage: Footage) -> CameraJob:
        """What of this camera is rendered, and how; its keys are open."""
        request_id, wish = self._job.request.request_id, self._job.request.wish
        camera_id, choice = footage.track.camera.camera_id, wish.redaction.choice
        copy_ids = [copy.package_id for copy in self._copies]
        if self._job.for_participants:
            copy_ids.append(request_id)  # the mark by which a leak of it is traced to those who looked
        return CameraJob(
            track=footage.track,
            fps=footage.fps,
            range_us=(wish.from_us, wish.to_us),
            policy=self._tools.masking.policy(camera_id, self._mode, self._style),
            watermark=self._watermark,
            watermarks=self._watermarks,
            keys=footage.keys,
            mark_keys=self._tools.keys.mark_keys(request_id, camera_id, copy_ids),
            result_of=request_id if self._job.for_participants else "",
            clear=() if choice is None else choice.clear_of(camera_id),
            chosen_from="" if choice is None else choice.digest_of(camera_id),
            drawn=() if choice is None else keyed(choice.drawn_of(camera_id), footage.sizes()[0]),
        )

    def _media_info(self, footage: Footage, rendering: CameraRendering) -> MediaInfo:
        """What the manifest says of the camera's video: its holes are those of the recording and of the rendering."""
        track, wish, pieces = footage.track, self._job.request.wish, rendering.pieces
        holes = [(gap.from_us, gap.to_us) for gap in track.gaps]
        holes += [gap for piece in pieces for gap in piece.gaps]
        meta = track.segments[0].header.meta
        return MediaInfo(
            camera_id=track.camera.camera_id,
            title=track.camera.title,
            width=meta.width,
            height=meta.height,
            fps=round(footage.fps, 3),
            frames=sum(piece.frames for piece in pieces),
            start_us=pieces[-1].start_us,
            end_us=pieces[-1].end_us,
            gaps=merged_within(holes, wish.from_us, wish.to_us),
            sources=tuple(
                {"segment_id": segment.header.meta.segment_id, "digest": segment.digest}
                for segment in track.segments
            ),
        )

    def _damaged(self) -> list[Happened]:
        """Where pictures are black because they were not recorded whole."""
        return [
            Happened(begin_us, EventKind.PICTURES_DAMAGED, camera_id)
            for camera_id, rendering in self._looks
            for piece in rendering.pieces
            for begin_us, _ in piece.damaged
        ]

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
