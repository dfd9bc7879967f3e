"""How outside targets follow the recordings: events out of history, each target at its own pace.

An event that was taken is noted; what was not noted comes again. Sending is actors/notices.py's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orvault.custody.desks.base import Desk
from orvault.custody.desks.ordering import case_in
from orvault.custody.history import Act, Entry
from orvault.custody.mails import MAILED, Mail, mail_of
from orvault.custody.notices import ACTS, Notice, notice_of, run_case
from orvault.custody.participants import find
from orvault.custody.rows import UnitOfWork


@dataclass(frozen=True, slots=True)
class NoticePage:
    """Events in order, and the number in history from which on to ask next."""

    notices: tuple[Notice, ...]
    next_number: int


@dataclass(frozen=True, slots=True)
class MailPage:
    """Mails in order, and the number in history from which on to ask next."""

    mails: tuple[Mail, ...]
    next_number: int


class NoticeDesk(Desk):
    """Events for outside recorders."""

    def follow_notices(self, targets: Collection[str]) -> Sequence[str]:
        """Have exactly these targets follow; a new one from now on. The names of those that do no more."""
        with self._uow() as uow:
            for target in targets:
                if uow.notices.next_number(target) is None:
                    uow.notices.put(target, uow.history.size(), self._clock.now_us())
            gone = uow.notices.keep(targets)
            uow.commit()
        return gone

    def notices_begin(self, target: str) -> int:
        """The number from which on this target has taken nothing; of one that does not follow, the next to come."""
        with self._uow(read_only=True) as uow:
            number = uow.notices.next_number(target)
            return uow.history.size() if number is None else number

    def notices_from(self, number: int, limit: int = 32) -> NoticePage:
        """Up to `limit` events from this number in history on."""
        with self._uow(read_only=True) as uow:
            size = uow.history.size()
            if number >= size:
                return NoticePage((), number)
            entries = uow.history.run_through(number, limit, acts=ACTS)
            notices = tuple(notice_of(entry, case_in(uow, run_case(entry)).room) for entry in entries)
            return NoticePage(notices, notices[-1].number + 1 if len(notices) == limit else size)

    def mails_from(self, number: int, limit: int = 32) -> MailPage:
        """Up to `limit` mails from this number in history on; asked for and noted as events are."""
        with self._uow(read_only=True) as uow:
            size = uow.history.size()
            if number >= size:
                return MailPage((), number)
            entries = uow.history.run_through(number, limit, acts=MAILED)
            mails = tuple(mail_of(entry, self._hospital, _participants(uow, entry)) for entry in entries)
            return MailPage(mails, mails[-1].number + 1 if len(mails) == limit else size)

    def notice_taken(self, target: str, number: int) -> None:
        """The target took the event of this number; it never goes back, and a target that was dropped stays so."""
        with self._uow() as uow:
            known = uow.notices.next_number(target)
            if known is not None and number >= known:
                uow.notices.put(target, number + 1, self._clock.now_us())
                uow.commit()


def _participants(uow: UnitOfWork, entry: Entry) -> tuple[str, ...]:
    """Where those read mail whose answer is awaited: history names the people, the request their addresses."""
    request = uow.requests.get(entry.subject.removeprefix("export:"))
    if entry.act not in {Act.ANSWERS_AWAITED, Act.ANSWERS_DUE} or request is None:
        return ()
    asked = (find(request.asked, name) for name in json.loads(entry.detail)["participants"])
    return tuple(each.mail for each in asked if each is not None and each.mail)
