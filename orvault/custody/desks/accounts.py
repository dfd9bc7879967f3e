"""Signing in and out, and making accounts.

Bearer tokens are made in the API; here a session is opened, checked and ended.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from orvault.custody.access import Right, require
from orvault.custody.account import (
    SESSION_US,
    THROTTLE_FAILURES,
    THROTTLE_WINDOW_US,
    Account,
    Role,
    Session,
    check_name,
    check_throttle,
    clean_name,
    name_key,
)
from orvault.custody.desks.base import CONSOLE, Desk, page_size
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.passwords import check_password
from orvault.custody.ports import UnitOfWork
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class SignIn:
    """A successful sign-in: whose, and the session that the token will name."""

    account: Account
    session: Session


class AccountDesk(Desk):
    """Accounts and sessions."""

    def create_account(
        self, by: Account | None, name: str, display_name: str, role: Role, password: str
    ) -> Account:
        """Make an account; `by` None is a person at the server's own command line (the first administrator).

        Errors: BAD_REQUEST (name, password), CONFLICT (name taken), FORBIDDEN.
        """
        if by is not None:
            require(by, Right.ACCOUNT_MANAGE)
        name = check_name(name)
        check_password(password, name)
        now = self._clock.now_us()
        actor = by.actor if by is not None else CONSOLE
        account = Account(
            account_id=new_id(self._clock),
            name=name,
            display_name=clean_text(display_name, "display_name", longest=80),
            role=role,
            password_phc=self._passwords.hash(password),
            created_us=now,
            created_by=actor,
        )
        with self._uow() as uow:
            if uow.accounts.by_name(name) is not None:
                raise OrvaultError(
                    ErrorKind.CONFLICT,
                    "This account name is taken.",
                    where="name",
                    advice="Choose another one.",
                )
            uow.accounts.add(account)
            detail = {"name": name, "role": role.value}
            uow.history.append(now, actor, Act.ACCOUNT_CREATED, account.actor, detail)
            uow.commit()
        return account

    def accounts(self, by: Account, limit: int = 100, after: str = "") -> Sequence[Account]:
        """Accounts in order of their id, from behind `after`."""
        require(by, Right.ACCOUNT_MANAGE)
        with self._uow(read_only=True) as uow:
            return uow.accounts.page(page_size(limit), after)

    def account_names(self, account_ids: Collection[str]) -> dict[str, str]:
        """Display names for those of these account ids that exist."""
        if not account_ids:
            return {}
        with self._uow(read_only=True) as uow:
            return uow.accounts.names(account_ids)

    def sign_in(self, name: str, password: str, client: str = "") -> SignIn:
        """Open a session of 15 minutes for this account name and password.

        Errors: UNAUTHENTICATED, the same for an unknown name, a wrong password and a disabled account,
        after the same work; TOO_MANY_ATTEMPTS (`ThrottledError`) after 5 failures in 15 minutes.
        """
        key = name_key(name)
        account = self._count_attempt(key, name)
        usable = account is not None and not account.disabled
        matches = self._passwords.matches(password, account.password_phc if account and usable else None)
        now = self._clock.now_us()
        with self._uow() as uow:
            if account is None or not matches:
                self._note_failure(uow, account, key, now, client)
                uow.commit()
                raise OrvaultError(
                    ErrorKind.UNAUTHENTICATED,
                    "The account name or the password is not right.",
                    advice="Check both; the keyboard's language and Caps Lock too.",
                )
            session = Session(new_id(self._clock), account.account_id, now, now + SESSION_US)
            uow.accounts.clear_failures(key, now - THROTTLE_WINDOW_US)
            uow.accounts.drop_sessions(now - SESSION_US)
            uow.accounts.add_session(session)
            uow.history.append(now, account.actor, Act.SIGNED_IN, account.actor, _origin(client))
            uow.commit()
        return SignIn(account, session)

    def authenticate(self, session_id: str, account_id: str) -> Account:
        """The account behind a session that is still open; UNAUTHENTICATED otherwise."""
        with self._uow(read_only=True) as uow:
            session = uow.accounts.session(session_id)
            account = uow.accounts.get(account_id)
        ended = session is None or session.ended_us is not None or self._clock.now_us() >= session.expires_us
        if (
            ended
            or account is None
            or account.disabled
            or session is None
            or session.account_id != account_id
        ):
            message = "This session is over."
            raise OrvaultError(ErrorKind.UNAUTHENTICATED, message, advice="Sign in again.")
        return account

    def sign_out(self, by: Account, session_id: str) -> None:
        """End this session of the account; its token opens nothing any more."""
        with self._uow() as uow:
            session = uow.accounts.session(session_id)
            if session is None or session.account_id != by.account_id or session.ended_us is not None:
                return
            now = self._clock.now_us()
            uow.accounts.end_session(session_id, now)
            uow.history.append(now, by.actor, Act.SIGNED_OUT, by.actor, {})
            uow.commit()

    def _count_attempt(self, key: str, name: str) -> Account | None:
        # The attempt counts as failed until it has succeeded: otherwise many tries sent at once would all be
        # looked at before the first failure is on record.
        now = self._clock.now_us()
        with self._uow() as uow:
            check_throttle(uow.accounts.failures(key, now - THROTTLE_WINDOW_US), now)
            uow.accounts.add_failure(key, now)
            account = uow.accounts.by_name(clean_name(name))
            uow.commit()
        return account

    def _note_failure(
        self, uow: UnitOfWork, account: Account | None, key: str, now: int, client: str
    ) -> None:
        # A name that belongs to nobody is not written down: it is often a password typed into the wrong
        # field.
        subject = account.actor if account is not None else "account:unknown"
        uow.history.append(now, "anonymous", Act.SIGN_IN_FAILED, subject, _origin(client))
        if len(uow.accounts.failures(key, now - THROTTLE_WINDOW_US)) >= THROTTLE_FAILURES:
            uow.history.append(now, "anonymous", Act.SIGN_IN_THROTTLED, subject, _origin(client))


def _origin(client: str) -> dict[str, object]:
    return {"from": client[:64]} if client else {}
