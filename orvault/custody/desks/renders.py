"""The export workers' side: claiming approved requests, telling progress, and ending them, fenced by epoch.

A worker that was replaced may go on for a second; whatever it says carries an old epoch and is turned away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orvault.container.happened import Happened
from orvault.custody.anchors import anchors_of
from orvault.custody.case import Case
from orvault.custody.decided import not_as_approved
from orvault.custody.desks.base import SYSTEM, not_found
from orvault.custody.desks.exports import ExportDesk
from orvault.custody.desks.made_packages import check_copies, checked_path, told_of
from orvault.custody.desks.reviews import second_look_done
from orvault.custody.desks.watermarks import watermark_png
from orvault.custody.history import Act
from orvault.custody.leases import actor_of, check_epoch, claimed, is_left, put_off, told
from orvault.custody.participants import with_all
from orvault.custody.request import MAX_ATTEMPTS, ExportRequest, PackageFile, check_step
from orvault.custody.rows import UnitOfWork
from orvault.custody.scan import render_grant
from orvault.custody.second_look import SecondLook
from orvault.custody.steps import RequestState
from orvault.custody.stretches import Track, track_of
from orvault.custody.told_events import events_for
from orvault.errors import ErrorKind, OrvaultError

MAX_OPENINGS = 20_000


@dataclass(frozen=True, slots=True)
class RenderJob:
    """An approved request with everything its rendering needs; `epoch` goes into every call about it.

    `for_participants`: a further copy is made, for those who are asked to look at the result.
    """

    request: ExportRequest
    case: Case
    tracks: tuple[Track, ...]
    epoch: int
    watermark_image: bytes | None = field(default=None, repr=False)  # PNG
    events: tuple[Happened, ...] = ()  # what the packages tell of the room
    for_participants: bool = False


class RenderDesk(ExportDesk):
    """What export workers call."""

    def claim_render(self, worker: str = "export") -> RenderJob | None:
        """Take the oldest approved request, or one whose worker is gone; None when there is nothing to do.

        A worker asks between jobs, so one that asks again while a request is under its own name was
        restarted and gets that request back at once. Another worker's is taken over after 2 minutes without
        progress. After 3 workers ended over a request, it fails; one that was given back is no attempt.
        """
        self.expire_due()
        with self._uow() as uow:
            now = self._clock.now_us()
            for request in uow.requests.waiting(now):
                if request.state is not RequestState.APPROVED and not is_left(request, worker, now):
                    continue
                if request.attempts >= MAX_ATTEMPTS:
                    reason = f"{MAX_ATTEMPTS} workers ended while they made this package"
                    self._end_failed(uow, request, reason, now)
                    continue
                if problem := not_as_approved(uow, request):
                    self._end_failed(uow, request, problem, now)
                    continue
                job = self._claim(uow, request, worker, now)
                uow.commit()
                return job
            uow.commit()
        return None

    def render_progress(
        self, request_id: str, epoch: int, stage: str, done: int, total: int, *, advanced: bool = False
    ) -> None:
        """Say how far a job is; also the sign of life. CONFLICT when the job is somebody else's by now.

        `advanced`: a piece of it is finished for good; who dies after that has not died in vain (see `attempts`).
        """
        with self._uow() as uow:
            request = held(uow, request_id, epoch)
            seen = told(request, stage, done, total, self._clock.now_us())
            uow.requests.put_state(replace(seen, advanced_epoch=epoch) if advanced else seen)
            uow.commit()

    def finish_render(
        self,
        request_id: str,
        epoch: int,
        package_path: str,
        size: int,
        sha256: str,
        further: Sequence[PackageFile] = (),
        *,
        second_look: SecondLook,
    ) -> None:
        """The first recipient's package lies below the packages folder at `package_path`, the others' as `further`.

        They are ready, unless the second look says that somebody has to look first: then they wait for a reviewer.
        There is no package without one. Errors: CONFLICT when the job is somebody else's by now, BAD_REQUEST for a
        path or digest that is none, when it is not one package per recipient, or when one that is to be activated has
        no share here.
        """
        path = checked_path(package_path, size, sha256)
        for each in further:
            checked_path(each.path, each.bytes, each.sha256)
        with self._uow() as uow:
            request = held(uow, request_id, epoch)
            check_copies(uow, request, further)
            assert request.package_id is not None, "given at the approval"
            package = PackageFile(request.package_id, path.as_posix(), size, sha256)
            looked = replace(
                request,
                package=package,
                further=tuple(further),
                second_look=second_look,
                reviewed_by=None,
                reviewed_us=None,
            )
            self._put_made(uow, looked, epoch)
            uow.commit()

    def _put_made(self, uow: UnitOfWork, looked: ExportRequest, epoch: int) -> None:
        """Write a request whose packages are there: what it is from now on, and what history says of it."""
        now = self._clock.now_us()
        outstanding = self._unasked(uow, looked)
        waits = not second_look_done(looked) or bool(outstanding)
        to = RequestState.REVIEW if waits else RequestState.READY
        check_step(looked, to)
        made = replace(
            looked,
            state=to,
            progress=replace(looked.progress, stage=to.value, done=looked.progress.total),
            ended_us=None if waits else now,
            asked=with_all(looked.asked, self._to_answer(uow, looked), now),
            answers_due_us=self._exports.due_us(now) if outstanding else None,
        )
        uow.requests.put_state(made)
        uow.requests.put_copies(made)
        uow.requests.put_asked(made)
        act, subject = Act.RENDER_HELD if waits else Act.RENDER_FINISHED, f"export:{made.request_id}"
        uow.history.append(now, actor_of(looked), act, subject, told_of(made) | {"epoch": epoch})
        if outstanding:
            asked = {"participants": list(outstanding), "due_us": made.answers_due_us}
            uow.history.append(now, SYSTEM, Act.ANSWERS_AWAITED, subject, asked)

    def fail_render(self, request_id: str, epoch: int, reason: str) -> None:
        """End a job that cannot be done; `reason` is shown to the requester. CONFLICT as for progress."""
        with self._uow() as uow:
            self._end_failed(uow, held(uow, request_id, epoch), reason, self._clock.now_us())
            uow.commit()

    def give_back_render(self, request_id: str, epoch: int, reason: str) -> None:
        """Put a job off: what it needs (a node, the keys) is away. It is no attempt, and others go first meanwhile.

        The next try is a minute later, and each time twice as late, to 15 minutes. CONFLICT as for progress.
        """
        with self._uow() as uow:
            request = held(uow, request_id, epoch)
            now = self._clock.now_us()
            later = replace(put_off(request, now), state=RequestState.APPROVED)
            uow.requests.put_state(later)
            detail = {"reason": reason[:500], "epoch": epoch, "not_before_us": later.not_before_us}
            uow.history.append(now, actor_of(request), Act.RENDER_POSTPONED, f"export:{request_id}", detail)
            uow.commit()

    def spent_exports(self) -> Sequence[ExportRequest]:
        """Ended requests whose files are still to be removed."""
        with self._uow(read_only=True) as uow:
            return uow.requests.spent()

    def files_removed(self, request_id: str) -> None:
        """What was made for an ended request is gone from the disk; history is told of a finished package, once."""
        with self._uow() as uow:
            request = uow.requests.get(request_id)
            if request is None or request.removed_us is not None:
                return
            now = self._clock.now_us()
            uow.requests.put_state(replace(request, removed_us=now))
            if request.package is not None:
                detail: dict[str, object] = {
                    "package": request.package.package_id,
                    "sha256": request.package.sha256,
                }
                if request.further:
                    detail["further"] = {each.package_id: each.sha256 for each in request.further}
                uow.history.append(now, SYSTEM, Act.PACKAGE_REMOVED, f"export:{request_id}", detail)
            uow.commit()

    def check_marking(self, request_id: str, camera_id: str, copy_ids: Sequence[str]) -> None:
        """Raise GRANT_MISSING unless this request is being rendered, for these copies and this camera."""
        with self._uow(read_only=True) as uow:
            request = uow.requests.get(request_id)
        if request is not None and request.state is RequestState.RENDERING:
            # The copy that participants look at goes by the request's own id.
            known = {copy.package_id for copy in request.copies} | {request_id}
            if camera_id in request.wish.camera_ids and set(copy_ids) <= known:
                return
        message = "No copy of a request that is being rendered is known by these names; no mark is given out."
        raise OrvaultError(ErrorKind.GRANT_MISSING, message, where=request_id[:64])

    def log_key_opening(self, request_id: str, segment_ids: Sequence[str]) -> None:
        """Write into history, before any key is out, which segments are opened for a request.

        Errors: GRANT_MISSING unless the request is approved and being rendered, or a draft that is being scanned, and
        covers every one of these segments.
        """
        if not 1 <= len(segment_ids) <= MAX_OPENINGS:
            message = f"{len(segment_ids)} segments are named; 1 to {MAX_OPENINGS} are opened at once."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="segment_ids")
        with self._uow() as uow:
            request = uow.requests.get(request_id)
            grant = None if request is None else render_grant(uow.scans, request)
            if request is None or grant is None:
                message = (
                    "No request is being rendered or scanned under this identifier; no key is given out."
                )
                raise OrvaultError(ErrorKind.GRANT_MISSING, message, where=request_id[:64])
            if request.state is RequestState.RENDERING and (problem := not_as_approved(uow, request)):
                message = f"No key is given out for this request: {problem}."
                raise OrvaultError(ErrorKind.GRANT_MISSING, message, where=request_id)
            outside = set(segment_ids) - uow.segments.known_in(request, segment_ids)
            if outside:
                message = (
                    f"{len(outside)} of the segments are not covered by the request; no key is given out."
                )
                raise OrvaultError(ErrorKind.GRANT_MISSING, message, where=request_id)
            worker, what = grant
            now = self._clock.now_us()
            detail = {"segments": list(segment_ids)} | what
            uow.history.append(now, f"worker:{worker}", Act.KEYS_OPENED, f"export:{request_id}", detail)
            uow.commit()

    def _claim(self, uow: UnitOfWork, request: ExportRequest, worker: str, now: int) -> RenderJob:
        check_step(request, RequestState.RENDERING)
        mine = replace(claimed(request, worker, now), state=RequestState.RENDERING)
        uow.requests.put_state(mine)
        detail = {"epoch": mine.worker_epoch, "worker": worker}
        uow.history.append(now, actor_of(mine), Act.RENDER_STARTED, f"export:{request.request_id}", detail)
        case = uow.cases.get(request.wish.case_id)
        assert case is not None, "a foreign key holds the case"
        anchors = anchors_of(uow, request.wish.case_id)
        tracks = tuple(track_of(uow, request, camera_id, anchors) for camera_id in request.wish.camera_ids)
        image = watermark_png(uow, request.wish.redaction)
        events = events_for(uow, request.wish)
        shown = bool(self._to_answer(uow, request)) and not request.wish.clear
        return RenderJob(mine, case, tracks, mine.worker_epoch, image, events, shown)

    def _end_failed(self, uow: UnitOfWork, request: ExportRequest, reason: str, now: int) -> None:
        check_step(request, RequestState.FAILED)
        failed = replace(request, state=RequestState.FAILED, failure=reason[:500], ended_us=now)
        uow.requests.put_state(failed)
        detail = {"reason": reason[:500], "epoch": request.worker_epoch}
        uow.history.append(now, actor_of(request), Act.RENDER_FAILED, f"export:{request.request_id}", detail)


def held(uow: UnitOfWork, request_id: str, epoch: int) -> ExportRequest:
    """The request, if its job is still this worker's. Errors: NOT_FOUND, CONFLICT."""
    request = uow.requests.get(request_id)
    if request is None:
        raise not_found("export request", request_id)
    check_epoch(request, epoch, "request", at_work=request.state is RequestState.RENDERING)
    return request
