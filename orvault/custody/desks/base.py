"""What every desk works with: transactions, the clock, ports to recorders, keys and export workers, and places."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from orvault.clock import Clock
from orvault.custody.access import Right, may
from orvault.custody.account import Account
from orvault.custody.case import Case
from orvault.custody.gate import Gate
from orvault.custody.history import Entry
from orvault.custody.participants import find
from orvault.custody.passwords import Passwords
from orvault.custody.ports import CameraInfo, CaseKeys, NoViewers, Recorders, Renderers, Viewers
from orvault.custody.request import ExportRequest
from orvault.custody.result_view import speaks_for
from orvault.custody.rows import UnitOfWork, UnitsOfWork
from orvault.custody.scope import Place, Reach, reach_of
from orvault.custody.site import Rules, Secrets
from orvault.custody.terms import Redaction
from orvault.custody.viewing import ViewingGrant
from orvault.errors import ErrorKind, OrvaultError

CONSOLE = "console"  # a person with a shell on the server, e.g. who makes the first account
SYSTEM = "system"
NOBODY = "anonymous"  # whoever it is that did not prove who they are
LONGEST_PAGE = 200
_NO_RULES, _NO_SECRETS = Rules(), Secrets()
_HISTORY_PAGE = 1000


class WatermarkCheck(Protocol):
    """Whether a watermark (and its image, PNG) can be drawn into pictures of this size (pixels): BAD_REQUEST if not.
    Knows fonts and pictures, as custody does not.
    """

    def __call__(self, redaction: Redaction, image: bytes | None, width: int, height: int, /) -> None: ...


def _any_watermark(_redaction: Redaction, _image: bytes | None, _width: int, _height: int) -> None:
    """What is drawn nowhere needs no check."""


class Desk:
    """The shared state of the use cases; holds nothing that must survive a restart."""

    def __init__(
        self,
        uow: UnitsOfWork,
        clock: Clock,
        recorders: Recorders,
        case_keys: CaseKeys,
        renderers: Renderers,
        passwords: Passwords | None = None,
        *,
        viewers: Viewers | None = None,
        check_watermark: WatermarkCheck = _any_watermark,
        rules: Rules = _NO_RULES,
        secrets: Secrets = _NO_SECRETS,
        hospital: str = "",
    ) -> None:
        self._uow, self._clock = uow, clock
        self._recorders, self._case_keys, self._renderers = recorders, case_keys, renderers
        self._passwords = passwords or Passwords()
        self._viewers = viewers or NoViewers()
        self._check_watermark, self._hospital = check_watermark, hospital
        self._control, self._viewing, self._retention = rules.control, rules.viewing, rules.retention
        self._exports, self._evidence, self._access = rules.exports, rules.evidence, rules.access
        self._patients, self._factors = secrets.patients, secrets.factors
        self._activation = secrets.activation
        self._checks = Gate(1, 0, "History is being checked already, which takes as long as it is.")
        self._grants_seen: dict[ViewingGrant, tuple[int, bool]] = {}  # when, and whether history holds it
        self._key_uses: dict[
            tuple[str, str], int
        ] = {}  # (key, address): when this process last wrote it down

    def _place(self, room: str = "", camera_id: str = "") -> Place:
        """The place of an object, now: a camera, else a room, else the site as a whole."""
        return Place(self._clock.now_us(), room, camera_id, self._access.departments.get(room, ""))

    def _reach(self, by: Account) -> Reach:
        """What the account's scopes come to now; lists are narrowed to it by the ledger."""
        return reach_of(by.scopes, self._clock.now_us(), self._access.departments)

    def _reaches(self, by: Account, right: Right, room: str, camera_id: str = "") -> bool:
        """Whether the account has this right over a room, or a camera in it."""
        return may(by, right, place=self._place(room, camera_id)).allowed

    def _camera_for(self, uow: UnitOfWork, by: Account, right: Right, camera_id: str) -> CameraInfo | None:
        """The camera; None also for one over which the account does not have this right."""
        camera = uow.cameras.get(camera_id)
        reached = camera is not None and self._reaches(by, right, camera.room, camera_id)
        return camera if reached else None

    def _case_for(self, uow: UnitOfWork, by: Account, right: Right, case_id: str, where: str = "") -> Case:
        """The case; NOT_FOUND also for one in whose room the account does not have this right."""
        case = uow.cases.get(case_id)
        if case is None or not self._reaches(by, right, case.room):
            raise not_found("case", case_id, where)
        return case

    def _titles_of(
        self, uow: UnitOfWork, by: Account, right: Right, case: Case, camera_ids: Sequence[str]
    ) -> dict[str, str]:
        """What the cameras of a request over this case are called; NOT_FOUND also for one out of reach."""
        titles = {}
        for camera_id in camera_ids:
            camera = uow.cameras.get(camera_id)
            # one that was removed has no room any more: its recordings are where their case was
            room = case.room if camera is None or camera.removed else camera.room
            if camera is None or not self._reaches(by, right, room, camera_id):
                raise not_found("camera", camera_id, "camera_ids")
            titles[camera_id] = camera.title
        return titles

    def _request_seen(self, uow: UnitOfWork, by: Account, request_id: str) -> ExportRequest | None:
        """The request; None also for one that the account may not see, as its role or its scopes are."""
        request = uow.requests.get(request_id)
        case = None if request is None else uow.cases.get(request.wish.case_id)
        if request is None or case is None:
            return None
        owner, place = request.requested_by, self._place(case.room)
        return request if may(by, Right.EXPORT_VIEW, owner_id=owner, place=place).allowed else None

    def _participant_of(self, uow: UnitOfWork, by: Account, request: ExportRequest) -> str | None:
        """Which of the case's participants this account speaks for about a result; None: nobody.

        Where several accounts that reach the case bear the name, none of them does until one was named.
        """
        case = uow.cases.get(request.wish.case_id)
        assert case is not None, "a foreign key holds the case"
        name = speaks_for(by, case.participants, request.asked)
        asked = None if name is None else find(request.asked, name)
        if name is None or (asked is not None and asked.account_id is not None):
            return name
        place = self._place(case.room)
        bearers = [
            each
            for each in uow.accounts.of_staff(name)
            if may(each, Right.RESULT_ANSWER, place=place).allowed
        ]
        return name if len(bearers) <= 1 else None

    def _to_answer(self, uow: UnitOfWork, request: ExportRequest) -> tuple[str, ...]:
        """Participants who are to answer to its result: all where the site asks all, else those who were named."""
        case = uow.cases.get(request.wish.case_id)
        assert case is not None, "a foreign key holds the case"
        everybody = self._exports.participants_review
        return tuple(name for name in case.participants if everybody or find(request.asked, name) is not None)

    def _visible(self, uow: UnitOfWork, by: Account, request_id: str) -> ExportRequest:
        """The request; NOT_FOUND also for one that the account may not see."""
        request = self._request_seen(uow, by, request_id)
        if request is None:
            raise not_found("export request", request_id)
        return request


def not_found(what: str, object_id: str, where: str = "") -> OrvaultError:
    """The one answer for an object that is not there and for one that the asker may not know of."""
    shown = object_id if len(object_id) <= 64 and object_id.isprintable() else "(unreadable)"
    return OrvaultError(
        ErrorKind.NOT_FOUND, f"There is no {what} {shown!r}.", where=where, advice="Check the identifier."
    )


def unknown_name(what: str, name: str, known: Collection[str], where: str) -> OrvaultError:
    """BAD_REQUEST for a name that means nothing here, with those that do; `known` are those the asker may know of."""
    names = ", ".join(sorted(known)[:20]) or "none"
    return OrvaultError(
        ErrorKind.BAD_REQUEST,
        f"This site knows no {what} {name!r}.",
        where=where,
        advice=f"Known here: {names}.",
    )


def all_about(uow: UnitOfWork, subject: str) -> Iterator[Entry]:
    """Every entry of history about an object, the newest first."""
    before: int | None = None
    while page := uow.history.page(before, _HISTORY_PAGE, subject=subject, actor=None, act=None):
        yield from page
        before = page[-1].seq


def page_size(limit: int) -> int:
    """A page's length between 1 and 200 rows."""
    return max(1, min(limit, LONGEST_PAGE))
