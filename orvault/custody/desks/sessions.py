"""Signing in and out, opening a session for who has proven who they are, and changing one's own password.

Bearer tokens are made in the API; here a session is opened, checked and ended.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, may
from orvault.custody.account import MAX_TYPED_CHARACTERS, Account
from orvault.custody.desks.base import CONSOLE, LONGEST_PAGE, NOBODY, not_found
from orvault.custody.desks.proving import ProvingDesk, origin_of, still
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.rows import UnitOfWork
from orvault.custody.session import ENDED_TOLD_US, MAX_CLIENT_CHARACTERS, SESSION_US, Method, Session
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class SignIn:
    """A successful sign-in: whose, and the session that the token will name."""

    account: Account
    session: Session


class SessionDesk(ProvingDesk):
    """Sessions, and the password that opens them."""

    def sign_in(self, name: str, password: str, client: str = "", code: str = "") -> SignIn:
        """Open a session for this account name, its password, and the code beside it where it has one.

        Anonymous work is bounded before it begins: few wait for their password to be looked at, and failures make
        the next attempt wait (`orvault.custody.throttle`).
        Errors: UNAUTHENTICATED, the same for an unknown name, a wrong password and a disabled account,
        after the same work; CODE_NEEDED, once the password was right, where no code was given and one is needed;
        TOO_MANY_ATTEMPTS (`ThrottledError`) during such a wait, and while too many sign in at
        once; BAD_REQUEST for a name that is longer than any.
        """
        if len(name) > MAX_TYPED_CHARACTERS:
            message = f"An account name has at most {MAX_TYPED_CHARACTERS} characters."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="username")
        with self._passwords.gate.place():
            attempt = self._count_attempt(name, client)
            account = self._proven(attempt, password)
        with self._uow() as uow:
            still(uow, account)
            method = self._method_of(uow, attempt, account, code)
            self._forgive(uow, attempt, self._clock.now_us())
            signed = self.open_session(uow, account, method, client)
            uow.commit()
        return signed

    def open_session(self, uow: UnitOfWork, account: Account, method: Method, client: str) -> SignIn:
        """Open a session for an account that has proven itself, by `method`, from this address; the caller commits.

        Whether it did prove itself, and may sign in, is the caller's to know: every way in ends here, none begins.
        """
        now = self._clock.now_us()
        session = Session(
            session_id=new_id(self._clock),
            account_id=account.account_id,
            issued_us=now,
            expires_us=now + self._access.session_us,
            method=method,
            client=client[:MAX_CLIENT_CHARACTERS],
        )
        uow.sessions.drop(now - SESSION_US)
        uow.sessions.add(session)
        detail = origin_of(client) | {"how": method.value}
        uow.history.append(now, account.actor, Act.SIGNED_IN, account.actor, detail)
        return SignIn(account, session)

    def authenticate(self, session_id: str, account_id: str, client: str = "") -> Account:
        """The account behind a session that is still open, with what the session lacks for its role.

        Errors: UNAUTHENTICATED for one that is over. Who comes by one that somebody ended, or by a key whose time is
        over, stands in history (`_note_ended_use`).
        """
        with self._uow(read_only=True) as uow:
            session = uow.sessions.get(session_id)
            account = uow.accounts.get(account_id)
        if (
            session is None
            or not session.open_at(self._clock.now_us())
            or account is None
            or account.disabled
            or session.account_id != account_id
        ):
            if session is not None and session.account_id == account_id:
                self._note_ended_use(session, client)
            message = "This session is over."
            raise OrvaultError(ErrorKind.UNAUTHENTICATED, message, advice="Sign in again.")
        if session.method is Method.KEY:
            return replace(account, key_id=session_id)
        lacks_code = session.method is Method.PASSWORD and account.role in self._access.second_factor
        return replace(account, must_enrol=True) if lacks_code else account

    def _note_ended_use(self, session: Session, client: str) -> None:
        """Have history say that somebody came by what was ended: once an hour for each, so that nobody floods it.

        A person's session whose time ran out is no news: browsers ask on.
        """
        if session.ended_us is None and session.method is not Method.KEY:
            return
        with self._uow(read_only=True) as uow:  # who floods waits for no lock
            if self._told_of_use(uow, session):
                return
        with self._uow() as uow:
            if self._told_of_use(uow, session):
                return
            detail = {"session": session.session_id, "how": session.method.value} | origin_of(client)
            subject = f"account:{session.account_id}"
            uow.history.append(self._clock.now_us(), NOBODY, Act.ENDED_SESSION_USED, subject, detail)
            uow.commit()

    def _told_of_use(self, uow: UnitOfWork, session: Session) -> bool:
        since = self._clock.now_us() - ENDED_TOLD_US
        about, act = f"account:{session.account_id}", Act.ENDED_SESSION_USED
        newest = uow.history.page(None, LONGEST_PAGE, subject=about, actor=None, act=act)
        told = (json.loads(entry.detail)["session"] for entry in newest if entry.at_us > since)
        return session.session_id in told

    def sign_out(self, by: Account, session_id: str) -> None:
        """End this session of the account; its token opens nothing any more."""
        with self._uow() as uow:
            session = uow.sessions.get(session_id)
            if session is None or session.account_id != by.account_id or session.ended_us is not None:
                return
            now = self._clock.now_us()
            uow.sessions.end(session_id, now)
            uow.views.end(by.account_id, session_id, now)
            uow.history.append(now, by.actor, Act.SIGNED_OUT, by.actor, {})
            uow.commit()

    def sessions(self, by: Account | None, account_id: str) -> Sequence[Session]:
        """An account's open sessions, the oldest first; everybody sees their own, who manages accounts everybody's.

        `by` None is a person at the server's own command line. Errors: NOT_FOUND, also for an account that is not
        the asker's to look at.
        """
        with self._uow(read_only=True) as uow:
            if uow.accounts.get(account_id) is None or not self._oversees(by, account_id):
                raise not_found("account", account_id)
            return uow.sessions.open_of(account_id, self._clock.now_us())

    def revoke_session(self, by: Account | None, session_id: str) -> None:
        """End a session, one's own or, for who manages accounts, anybody's; its views end with it.

        Errors: NOT_FOUND for one that is over or never was, and for one that is not the asker's to end: a machine
        ends the session of the key that it came by (`sign_out`), and no other.
        """
        with self._uow() as uow:
            session, now = uow.sessions.get(session_id), self._clock.now_us()
            machine = by is not None and by.machine  # who stole one of its keys must not end the others
            theirs = session is not None and not machine and self._oversees(by, session.account_id)
            if session is None or not session.open_at(now) or not theirs:
                raise not_found("session", session_id)
            uow.sessions.end(session_id, now)
            uow.views.end(session.account_id, session_id, now)
            actor, subject = CONSOLE if by is None else by.actor, f"account:{session.account_id}"
            detail = {"session": session_id, "how": session.method.value} | origin_of(session.client)
            uow.history.append(now, actor, Act.SESSION_REVOKED, subject, detail)
            uow.commit()

    def _oversees(self, by: Account | None, account_id: str) -> bool:
        """Whether sessions of the account are this one's to see and end."""
        if by is None or by.account_id == account_id:
            return True
        return may(by, Right.ACCOUNT_MANAGE, place=self._place()).allowed

    def change_password(self, by: Account, old: str, new: str, client: str = "") -> None:
        """Give the account a password of its own choice; every session of it ends, this one too.

        Errors: UNAUTHENTICATED and TOO_MANY_ATTEMPTS as for signing in (a session alone is no proof of who sits
        there); BAD_REQUEST for a new password that is none, or still the one that somebody else set.
        """
        with self._passwords.gate.place():
            self._passwords.check(new, self._known_words(by.name, by.display_name))
            attempt = self._count_attempt(by.name, client)
            account = self._proven(attempt, old)
            if account.must_change and self._passwords.matches(new, account.password_phc):
                message = "This is the password that somebody else set."
                raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="new_password")
            phc = self._passwords.hash(new)
        with self._uow() as uow:
            now = self._clock.now_us()
            still(uow, account)
            self._forgive(uow, attempt, now)
            uow.accounts.put(replace(account, password_phc=phc, reset_us=None))
            detail = {"sessions_ended": self._end_sessions(uow, account, now)}
            uow.history.append(now, account.actor, Act.PASSWORD_CHANGED, account.actor, detail)
            uow.commit()

    def _end_sessions(self, uow: UnitOfWork, account: Account, now: int) -> int:
        """End every session of the account, and the views opened in them; how many sessions those were.

        A sign-in through the directory that its program has not fetched yet would else open one afterwards.
        """
        uow.views.end(account.account_id, None, now)
        uow.directory.end_codes(account.account_id, now)
        return uow.sessions.end_all(account.account_id, now)

    def _known_words(self, *names: str) -> tuple[str, ...]:
        """What everybody here knows, and a password is therefore not made of."""
        return (*names, self._hospital)
