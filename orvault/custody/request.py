"""Export requests: what is asked for, the states it goes through, and the checks at submit and at each step.

Rights are decided in `access`; the legal basis in `basis`; the work of rendering is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orvault.container.keys import Recipient
from orvault.custody import steps
from orvault.custody.participants import Answer, Asked
from orvault.custody.recorded import Span
from orvault.custody.second_look import SecondLook
from orvault.custody.steps import STEPS, RequestState
from orvault.custody.terms import Validity
from orvault.custody.text import show_time
from orvault.custody.wish import Wish, WishChange
from orvault.errors import ErrorKind, OrvaultError

MAX_ATTEMPTS = 3

__all__ = [
    "Answer",
    "Asked",
    "ExportRequest",
    "PackageFile",
    "Progress",
    "RequestState",
    "Wish",
    "WishChange",
]


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
class Approval:
    """One account's decision that a request is lawful."""

    account_id: str
    at_us: int


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One request with everything decided about it so far; times are UTC microseconds.

    `worker_epoch` counts its claims; `given_back` those among them that were given back before they could be tried;
    `advanced_epoch` is the last of them that finished a piece of the work (0: none).
    `package_id` and `package` are of the first recipient's copy, `further_ids` and `further` of the others';
    `delivered` says when copies (their ids) were first fetched. `due_us` is until when it is to be
    answered, `reminders` how many were given.
    `approvals` are those that count now, `answers` each participant's last one to the masked result, `asked` who
    is to answer and until when (`answers_due_us`: set when there is a result that somebody is asked about).
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
    due_us: int | None = None
    reminders: int = 0
    approvals: tuple[Approval, ...] = ()
    answers: tuple[Answer, ...] = ()
    asked: tuple[Asked, ...] = ()
    answers_due_us: int | None = None
    delivered: tuple[tuple[str, int], ...] = ()
    revoked_by: str | None = None

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
        return RequestState.EXPIRED in STEPS[self.state] and now_us >= self.validity.until_us


def check_step(request: ExportRequest, to: RequestState) -> None:
    """Raise, saying how the request stands, when it may not take this step: `steps.check_step`."""
    steps.check_step(request.state, to)


def check_ready(request: ExportRequest, now_us: int) -> PackageFile:
    """The package that may be handed out now; NOT_APPROVED, EXPIRED or CONFLICT says why there is none."""
    if request.state is RequestState.EXPIRED or request.due_to_expire(now_us):
        message = f"The validity of this export ended at {show_time(request.validity.until_us)}."
        raise OrvaultError(ErrorKind.EXPIRED, message, advice="Submit a new request.")
    words = {
        RequestState.DRAFT: "is a draft",
        RequestState.SUBMITTED: "lacks consents",
        RequestState.SATISFIED: "waits for approval",
        RequestState.REFUSED: "was refused",
        RequestState.REVOKED: "was revoked",
    }
    if word := words.get(request.state):
        raise OrvaultError(ErrorKind.NOT_APPROVED, f"This request {word}; there is nothing to download.")
    if request.state is RequestState.REVIEW:
        message = "Somebody has to look at this package before it may leave."
        raise OrvaultError(ErrorKind.NOT_APPROVED, message, advice="Ask a privacy officer what it waits for.")
    if request.package is None or request.state not in {RequestState.READY, RequestState.DELIVERED}:
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
    period_us: tuple[int, int],
    recorded: Mapping[str, Sequence[Span]],
    titles: Mapping[str, str],
    now_us: int,
) -> None:
    """Raise EMPTY_RANGE, saying what was recorded when, if a camera has nothing in the period (from, to).

    `recorded` holds, for each camera asked for, every span that was recorded under the case; `titles` their names.
    """
    from_us, to_us = period_us
    if from_us >= now_us:
        message = "The period lies in the future; nothing has been recorded in it."
        raise OrvaultError(ErrorKind.EMPTY_RANGE, message, where="from, to")
    empty = [
        camera
        for camera, spans in recorded.items()
        if not any(span.overlaps(from_us, to_us) for span in spans)
    ]
    if not empty:
        return
    names = ", ".join(titles.get(camera, camera) for camera in empty)
    period = f"{show_time(from_us)} and {show_time(to_us)}"
    lines = [f"{titles.get(camera, camera)} {_show_spans(spans)}" for camera, spans in recorded.items()]
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
