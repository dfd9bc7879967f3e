"""Export requests: what is asked for, the states it goes through, and the checks at submit and at each step.

Rights are decided in `access`; the legal basis in `basis`; the work of rendering is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from orvault.clock import US_PER_S
from orvault.container.keys import Recipient
from orvault.custody.basis import LegalBasis
from orvault.custody.case import MAX_CAMERAS
from orvault.custody.recorded import Span
from orvault.custody.second_look import SecondLook
from orvault.custody.terms import Masking, Redaction, Style, Validity, check_recipients, check_terms
from orvault.custody.text import check_range, clean_text, show_time
from orvault.errors import ErrorKind, OrvaultError

LONGEST_RANGE_US = 48 * 3600 * US_PER_S
MAX_ATTEMPTS = 3


class RequestState(StrEnum):
    """Where a request stands. `failed` and `expired` are ends; a new request takes their place."""

    DRAFT = "draft"  # its owner still works on it; nobody decides on it and it keeps no footage
    SUBMITTED = "submitted"
    APPROVED = "approved"
    RENDERING = "rendering"
    REVIEW = "review"  # made, but a second look found something: a reviewer releases or refuses it
    READY = "ready"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"


_NEXT: dict[RequestState, frozenset[RequestState]] = {
    RequestState.DRAFT: frozenset({RequestState.SUBMITTED, RequestState.EXPIRED}),
    RequestState.SUBMITTED: frozenset({RequestState.APPROVED, RequestState.REFUSED, RequestState.EXPIRED}),
    RequestState.APPROVED: frozenset({RequestState.RENDERING, RequestState.EXPIRED}),
    # rendering again: the worker that had it is gone and another takes over; approved: what it needs is away
    RequestState.RENDERING: frozenset(
        {
            RequestState.RENDERING,
            RequestState.APPROVED,
            RequestState.REVIEW,
            RequestState.READY,
            RequestState.FAILED,
            RequestState.EXPIRED,
        }
    ),
    RequestState.REVIEW: frozenset({RequestState.READY, RequestState.REFUSED, RequestState.EXPIRED}),
    RequestState.READY: frozenset({RequestState.EXPIRED}),
    RequestState.REFUSED: frozenset(),
    RequestState.FAILED: frozenset(),
    RequestState.EXPIRED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: these cameras of a case, from-to (UTC microseconds), why, on which basis, for
    whom, how.
    """

    case_id: str
    camera_ids: tuple[str, ...]
    from_us: int
    to_us: int
    purpose: str
    basis: LegalBasis
    recipients: tuple[Recipient, ...]
    redaction: Redaction
    terms: str = ""

    def checked(self) -> Wish:
        """The wish with texts cleaned and sizes bounded; BAD_REQUEST says which field is wrong."""
        self._check_scope()
        return replace(
            self,
            purpose=clean_text(self.purpose, "purpose", longest=500),
            basis=self.basis.checked(),
            recipients=check_recipients(self.recipients),
            redaction=self.redaction.checked(),
            terms=check_terms(self.terms),
        )

    def checked_draft(self) -> Wish:
        """As `checked`, but purpose, recipients and the watermark may still be lacking, and terms stay as typed."""
        self._check_scope()
        marked = self.redaction.watermark.strip() or self.redaction.image is not None
        return replace(
            self,
            purpose=clean_text(self.purpose, "purpose", longest=500) if self.purpose.strip() else "",
            basis=self.basis.checked(),
            recipients=check_recipients(self.recipients) if self.recipients else (),
            redaction=self.redaction.checked() if marked else replace(self.redaction, watermark=""),
            terms=check_terms(self.terms) if self.terms.strip() else "",
        )

    def _check_scope(self) -> None:
        if not 1 <= len(self.camera_ids) <= MAX_CAMERAS or len(set(self.camera_ids)) != len(self.camera_ids):
            message = f"Name 1 to {MAX_CAMERAS} cameras, each once."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="camera_ids")
        check_range(self.from_us, self.to_us)
        if self.to_us - self.from_us > LONGEST_RANGE_US:
            message = "The period is longer than 48 hours."
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, message, where="from, to", advice="Ask for less at once."
            )


_CHANGEABLE = ("camera_ids", "from_us", "to_us", "purpose", "basis", "recipients", "terms")


@dataclass(frozen=True, slots=True)
class WishChange:
    """What a draft's owner changes; None leaves a field as it is. The case stays: another one is another draft."""

    camera_ids: tuple[str, ...] | None = None
    from_us: int | None = None
    to_us: int | None = None
    purpose: str | None = None
    basis: LegalBasis | None = None
    recipients: tuple[Recipient, ...] | None = None
    masking: tuple[Masking, Style] | None = None
    watermark: Redaction | None = None  # its masking and style do not count
    terms: str | None = None

    def applied(self, wish: Wish) -> Wish:
        """The wish as it is then, unchecked."""
        old = wish.redaction
        redaction = self.watermark or old
        masking, style = self.masking or (old.masking, old.style)
        changes = {name: getattr(self, name) for name in _CHANGEABLE}
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(wish, **given, redaction=replace(redaction, masking=masking, style=style))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the rendering is: `done` of `total` units of a stage named in words."""

    stage: str = ""
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class PackageFile:
    """The finished package: its file's path below the packages folder, size and SHA-256 (hex)."""

    package_id: str
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Copy:
    """What one recipient gets: a package of its own, with its own invisible mark; `package` once it is ready.

    Of a request that was approved before copies were told apart there is one copy, for all recipients.
    """

    package_id: str
    recipients: tuple[Recipient, ...]
    package: PackageFile | None


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One request with everything decided about it so far; times are UTC microseconds.

    `worker_epoch` counts its claims; `given_back` those among them that were given back before they could be tried;
    `advanced_epoch` is the last of them that finished a piece of the work (0: none).
    `package_id` and `package` are of the first recipient's copy, `further_ids` and `further` of the others'.
    """

    request_id: str
    wish: Wish
    validity: Validity
    state: RequestState
    requested_by: str
    requested_us: int
    decided_by: str | None = None
    decided_us: int | None = None
    refusal_reason: str | None = None
    package_id: str | None = None
    progress: Progress = Progress()
    worker: str | None = None
    worker_epoch: int = 0
    worker_seen_us: int | None = None
    given_back: int = 0
    not_before_us: int | None = None
    package: PackageFile | None = None
    failure: str | None = None
    ended_us: int | None = None
    removed_us: int | None = None
    further_ids: tuple[str, ...] = ()
    further: tuple[PackageFile, ...] = ()
    advanced_epoch: int = 0
    second_look: SecondLook | None = None
    reviewed_by: str | None = None
    reviewed_us: int | None = None

    @property
    def copies(self) -> tuple[Copy, ...]:
        """One per recipient, in the recipients' order; none before the approval."""
        if self.package_id is None:
            return ()
        recipients = self.wish.recipients
        if not self.further_ids:
            return (Copy(self.package_id, recipients, self.package),)
        packages: tuple[PackageFile | None, ...] = (
            self.package,
            *(self.further or (None,) * len(self.further_ids)),
        )
        ids = (self.package_id, *self.further_ids)
        return tuple(
            Copy(package_id, (recipient,), package)
            for package_id, recipient, package in zip(ids, recipients, packages, strict=True)
        )

    @property
    def attempts(self) -> int:
        """How many workers were at it and neither ended nor gave it back, from the last one on that got further."""
        attempts = self.worker_epoch - self.given_back
        return min(attempts, self.worker_epoch - self.advanced_epoch + 1) if self.advanced_epoch else attempts

    def due_to_expire(self, now_us: int) -> bool:
        """Whether its validity is over while something could still be made or fetched under it."""
        return RequestState.EXPIRED in _NEXT[self.state] and now_us >= self.validity.until_us


def check_step(request: ExportRequest, to: RequestState) -> None:
    """Raise, saying how the request stands, when it may not take this step (CONFLICT, NOT_APPROVED for
    rendering).
    """
    if to in _NEXT[request.state]:
        return
    if to is RequestState.RENDERING and request.state is RequestState.SUBMITTED:
        raise OrvaultError(ErrorKind.NOT_APPROVED, "This request has not been approved.")
    message = f"This request is {request.state.value} and cannot become {to.value}."
    raise OrvaultError(ErrorKind.CONFLICT, message, advice="Look at the request before the next step.")


def check_ready(request: ExportRequest, now_us: int) -> PackageFile:
    """The package that may be handed out now; NOT_APPROVED, EXPIRED or CONFLICT says why there is none."""
    if request.state is RequestState.EXPIRED or request.due_to_expire(now_us):
        message = f"The validity of this export ended at {show_time(request.validity.until_us)}."
        raise OrvaultError(ErrorKind.EXPIRED, message, advice="Submit a new request.")
    words = {
        RequestState.DRAFT: "is a draft",
        RequestState.SUBMITTED: "waits for approval",
        RequestState.REFUSED: "was refused",
    }
    if word := words.get(request.state):
        raise OrvaultError(ErrorKind.NOT_APPROVED, f"This request {word}; there is nothing to download.")
    if request.state is RequestState.REVIEW:
        message = "A second look found something in this package; a reviewer has to decide first."
        raise OrvaultError(ErrorKind.NOT_APPROVED, message, advice="Ask a privacy officer to look at it.")
    if request.package is None or request.state is not RequestState.READY:
        message = f"This request is {request.state.value}; the package is not ready."
        raise OrvaultError(ErrorKind.CONFLICT, message, advice="Wait until its state is ready.")
    return request.package


def package_for(request: ExportRequest, recipient: str | None) -> PackageFile:
    """The package made for this recipient of a ready request; it may be left unnamed where there is one copy only.

    Errors: BAD_REQUEST (several copies, and none or nobody is named).
    """
    copies = request.copies
    found = [
        copy for copy in copies if recipient is None or recipient in {each.name for each in copy.recipients}
    ]
    if len(found) == 1 and found[0].package is not None:
        return found[0].package
    names = ", ".join(each.name for each in request.wish.recipients)
    message = (
        "Each recipient has a copy of their own." if recipient is None else "No copy was made for this name."
    )
    raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="recipient", advice=f"Name one of: {names}.")


def check_recorded(
    wish: Wish, recorded: Mapping[str, Sequence[Span]], titles: Mapping[str, str], now_us: int
) -> None:
    """Raise EMPTY_RANGE, saying what was recorded when, if a camera has nothing in the period.

    `recorded` holds per camera every span that was recorded under the case, `titles` how cameras are called.
    """
    if wish.from_us >= now_us:
        message = "The period lies in the future; nothing has been recorded in it."
        raise OrvaultError(ErrorKind.EMPTY_RANGE, message, where="from, to")
    empty = [
        camera
        for camera in wish.camera_ids
        if not any(span.overlaps(wish.from_us, wish.to_us) for span in recorded.get(camera, ()))
    ]
    if not empty:
        return
    names = ", ".join(titles.get(camera, camera) for camera in empty)
    period = f"{show_time(wish.from_us)} and {show_time(wish.to_us)}"
    lines = [f"{titles.get(c, c)} {_show_spans(recorded.get(c, ()))}" for c in wish.camera_ids]
    raise OrvaultError(
        ErrorKind.EMPTY_RANGE,
        f"Nothing was recorded by {names} between {period}. Recorded under this case: {'; '.join(lines)}.",
        where="from, to",
        advice="Choose a period in which each of these cameras recorded, or leave the camera out.",
    )


def _show_spans(spans: Sequence[Span]) -> str:
    if not spans:
        return "nothing"
    shown = ", ".join(f"{show_time(s.start_us)} to {show_time(s.end_us)}" for s in spans[:5])
    return shown + (f" and {len(spans) - 5} more spans" if len(spans) > 5 else "")
