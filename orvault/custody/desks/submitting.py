"""Export requests before anybody decides on them: drafts, and what is checked when one is submitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.basis import check_papers
from orvault.custody.case import Case
from orvault.custody.decided import content_of
from orvault.custody.desks.base import not_found
from orvault.custody.desks.consents import ConsentDesk, settle_basis
from orvault.custody.desks.downloads import subject_of
from orvault.custody.desks.retention import check_not_destroyed, withdraw_stopped
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.request import (
    ExportRequest,
    RequestState,
    Wish,
    WishChange,
    check_recorded,
    check_step,
)
from orvault.custody.rows import UnitOfWork
from orvault.custody.scan import check_choice
from orvault.custody.scope import EVERYTHING
from orvault.custody.terms import Validity, make_validity
from orvault.errors import ErrorKind, OrvaultError

MAX_DRAFTS = 100  # of one account


@dataclass(frozen=True, slots=True)
class ValidityWish:
    """From when until when the package shall open (UTC microseconds); None: from now, for 30 days."""

    from_us: int | None = None
    until_us: int | None = None

    def from_now(self, now_us: int) -> Validity:
        """The period; BAD_REQUEST when there is none."""
        return make_validity(self.from_us, self.until_us, now_us)


class SubmitDesk(ConsentDesk):
    """Export requests from the first draft to the submit."""

    def draft_export(self, by: Account, wish: Wish) -> ExportRequest:
        """Keep a wish that is not complete yet; after 30 days without a submit it expires.

        Errors: BAD_REQUEST (a field), NOT_FOUND (case, camera, image), FORBIDDEN, CONFLICT (too many drafts).
        """
        require(by, Right.EXPORT_SUBMIT)
        now = self._clock.now_us()
        wish = _taken(wish.checked_draft(), by, now)
        validity = ValidityWish().from_now(now)
        draft = ExportRequest(new_id(self._clock), wish, validity, RequestState.DRAFT, by.account_id, now)
        with self._uow() as uow:
            self._check_wish_in_reach(uow, by, wish)
            kept = uow.requests.page(EVERYTHING, RequestState.DRAFT, by.account_id, None, MAX_DRAFTS, "")
            if len(kept) >= MAX_DRAFTS:
                message = f"This account has {MAX_DRAFTS} drafts already."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice="Submit some of them first.")
            uow.requests.add(draft)
            uow.history.append(now, by.actor, Act.EXPORT_DRAFTED, subject_of(draft), wish_detail(wish))
            uow.commit()
        return draft

    def change_draft(self, by: Account, request_id: str, change: WishChange) -> ExportRequest:
        """Change one's own draft. Errors: as for drafting, CONFLICT when it was submitted meanwhile."""
        require(by, Right.EXPORT_SUBMIT)
        with self._uow() as uow:
            draft = own_draft(self._visible(uow, by, request_id), by)
            now = self._clock.now_us()
            wish = _taken(change.applied(draft.wish).checked_draft(), by, now)
            self._check_wish_in_reach(uow, by, wish)
            changed = replace(draft, wish=wish)
            uow.requests.put_wish(changed)
            uow.history.append(now, by.actor, Act.EXPORT_DRAFT_CHANGED, subject_of(draft), wish_detail(wish))
            uow.commit()
        return changed

    def submit_draft(
        self, by: Account, request_id: str, validity: ValidityWish | None = None
    ) -> ExportRequest:
        """Submit one's own draft. Errors: as for `submit_export`, CONFLICT when it is no draft any more."""
        require(by, Right.EXPORT_SUBMIT)
        with self._uow(read_only=True) as uow:
            drafted = own_draft(self._visible(uow, by, request_id), by)
        request = self._complete(by, drafted.request_id, drafted.wish, validity)
        with self._uow() as uow:
            draft = own_draft(self._visible(uow, by, request_id), by)
            check_step(draft, RequestState.SUBMITTED)
            if draft.wish != drafted.wish:
                message = "The draft was changed while it was submitted."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice="Look at it and submit it again.")
            check_against_records(uow, request.wish, request.requested_us)
            uow.requests.put_wish(request)
            uow.requests.put_state(request)
            request = _submitted(uow, by, request)
            withdraw_stopped(uow, request.wish.case_id, self._retention, request.requested_us)
            uow.commit()
        return request

    def submit_export(
        self, by: Account, wish: Wish, valid_from_us: int | None = None, valid_until_us: int | None = None
    ) -> ExportRequest:
        """File a request; everything that would make it fail later is checked now.

        Errors: BAD_REQUEST (a field), NOT_FOUND (case, camera), BASIS_MISSING, EMPTY_RANGE, FORBIDDEN.
        """
        require(by, Right.EXPORT_SUBMIT)
        validity = ValidityWish(valid_from_us, valid_until_us)
        request = self._complete(by, new_id(self._clock), wish, validity)
        with self._uow() as uow:
            check_against_records(uow, request.wish, request.requested_us)
            uow.requests.add(request)
            request = _submitted(uow, by, request)
            withdraw_stopped(uow, request.wish.case_id, self._retention, request.requested_us)
            uow.commit()
        return request

    def check_exportable(self, by: Account, case_id: str) -> None:
        """Before anything costly is done for a request over this case. Errors: FORBIDDEN, NOT_FOUND, DESTROYED."""
        require(by, Right.EXPORT_SUBMIT)
        with self._uow(read_only=True) as uow:
            self._case_for(uow, by, Right.EXPORT_SUBMIT, case_id, "case_id")
            check_not_destroyed(uow, case_id)

    def check_draft(self, by: Account, request_id: str) -> None:
        """Before anything costly is done for a draft. Errors: FORBIDDEN, NOT_FOUND, CONFLICT."""
        require(by, Right.EXPORT_SUBMIT)
        with self._uow(read_only=True) as uow:
            own_draft(self._visible(uow, by, request_id), by)

    def _complete(
        self, by: Account, request_id: str, wish: Wish, validity: ValidityWish | None
    ) -> ExportRequest:
        """The request as it would be submitted now; nothing is written."""
        now = self._clock.now_us()
        wish = _taken(wish.checked(), by, now)
        valid = (validity or ValidityWish()).from_now(now)
        self._exports.check_choice(by.role, wish, valid)
        wish = self._with_watermark(by, wish, request_id)
        due = self._exports.due_us(now)
        state = RequestState.SUBMITTED
        return ExportRequest(request_id, wish, valid, state, by.account_id, now, due_us=due)

    def _with_watermark(self, by: Account, wish: Wish, request_id: str) -> Wish:
        """With its watermark's fields filled in, once it is sure that all pictures of all copies can hold it."""
        with self._uow(read_only=True) as uow:
            case = self._check_wish_in_reach(uow, by, wish)
            redaction, image = self._drawable(uow, wish.redaction, case.number, request_id)
        copies = {redaction.for_copy([recipient.name]) for recipient in wish.recipients}
        for copy, (width, height) in product(copies, self._picture_sizes(wish)):
            self._check_watermark(copy, image, width, height)
        return replace(wish, redaction=redaction)

    def _check_wish_in_reach(self, uow: UnitOfWork, by: Account, wish: Wish) -> Case:
        """The case of a wish.

        Errors: NOT_FOUND (case or camera not there, or out of reach; the watermark's image), DESTROYED.
        """
        case = self._case_for(uow, by, Right.EXPORT_SUBMIT, wish.case_id, "case_id")
        check_not_destroyed(uow, case.case_id)
        _check_image(uow, wish)
        self._titles_of(uow, by, Right.EXPORT_SUBMIT, case, wish.camera_ids)
        return case

    def _picture_sizes(self, wish: Wish) -> set[tuple[int, int]]:
        """The sizes of the pictures that are asked for, by the last segment of each run in the period."""
        with self._uow(read_only=True) as uow:
            runs = [run for run in uow.runs.of_case(wish.case_id) if run.camera_id in wish.camera_ids]
            lasts = [uow.segments.last(run.run_id, before_us=wish.to_us) for run in runs]
        metas = [last.header.meta for last in lasts if last is not None]
        return {(meta.width, meta.height) for meta in metas if meta.end_us > wish.from_us}


def _taken(wish: Wish, by: Account, now: int) -> Wish:
    return replace(wish, basis=wish.basis.taken(by.account_id, now))


def own_draft(request: ExportRequest, by: Account) -> ExportRequest:
    """This account's draft. Errors: FORBIDDEN (somebody else's), CONFLICT (submitted meanwhile)."""
    if request.requested_by != by.account_id:
        message = "A draft is changed and submitted by whoever made it."
        raise OrvaultError(ErrorKind.FORBIDDEN, message, advice="Ask its owner, or make one of your own.")
    if request.state is not RequestState.DRAFT:
        message = f"This request is {request.state.value}, no draft any more."
        raise OrvaultError(ErrorKind.CONFLICT, message, advice="Make a new draft.")
    return request


def check_against_records(uow: UnitOfWork, wish: Wish, now_us: int) -> None:
    """Whether case, cameras, basis and recordings bear this wish. Errors: as for submitting."""
    titles = _check_named(uow, wish)
    check_choice(uow.scans, wish)
    check_papers(wish.basis)
    recorded = {camera_id: uow.segments.spans(wish.case_id, camera_id) for camera_id in wish.camera_ids}
    check_recorded((wish.from_us, wish.to_us), recorded, titles, now_us)


def _check_named(uow: UnitOfWork, wish: Wish) -> dict[str, str]:
    """The cameras' titles; NOT_FOUND for what there is not, DESTROYED for what was."""
    check_not_destroyed(uow, wish.case_id)
    titles = {}
    for camera_id in wish.camera_ids:
        camera = uow.cameras.get(camera_id)
        if camera is None:
            raise not_found("camera", camera_id, "camera_ids")
        titles[camera_id] = camera.title
    _check_image(uow, wish)
    return titles


def _check_image(uow: UnitOfWork, wish: Wish) -> None:
    image = wish.redaction.image
    if image is not None and uow.watermark_images.get(image.digest) is None:
        raise not_found("watermark image", image.digest, "watermark.image.id")


def _submitted(uow: UnitOfWork, by: Account, request: ExportRequest) -> ExportRequest:
    """Told to history; with its basis satisfied already, if nothing is missing."""
    now, subject = request.requested_us, subject_of(request)
    detail = wish_detail(request.wish) | {"content": content_of(request)}
    uow.history.append(now, by.actor, Act.EXPORT_SUBMITTED, subject, detail)
    return settle_basis(uow, request, by.actor, now)


def wish_detail(wish: Wish) -> dict[str, object]:
    """What history keeps of a wish."""
    return {
        "case": wish.case_id,
        "cameras": list(wish.camera_ids),
        "from_us": wish.from_us,
        "to_us": wish.to_us,
        "purpose": wish.purpose,
        "basis": wish.basis.summary(),
        "consents": [consent.detail() for consent in wish.basis.consents],
        "recipients": [recipient.name for recipient in wish.recipients],
        "masking": wish.redaction.masking_summary(),
        "watermark": wish.redaction.watermark_summary(),
    } | ({"activation": wish.activation.summary()} if wish.activation.wanted else {})
