"""Machines: accounts without a password, and the keys that they come by.

Keys are listed and ended as sessions too (`sessions`); what a machine may at most is in `orvault.custody.access`.
"""

from __future__ import annotations

from collections.abc import Sequence

from orvault.custody.account import Account, Role, check_name
from orvault.custody.api_key import (
    USE_NOTED_US,
    USE_TOLD_US,
    ApiKey,
    check_expiry,
    digest_of,
    new_key,
)
from orvault.custody.desks.base import not_found
from orvault.custody.desks.directory_links import DirectoryLinkDesk
from orvault.custody.desks.proving import origin_of
from orvault.custody.directory import DirectoryLink
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.rows import UnitOfWork
from orvault.custody.scope import Scope, check_scopes
from orvault.custody.session import MAX_CLIENT_CHARACTERS, Method, Session
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

_MOST_PLACES = 10_000  # remembered of keys and addresses by a process


class MachineDesk(DirectoryLinkDesk):
    """Machines and their keys; `by` None is a person at the server's own command line."""

    def create_machine(
        self, by: Account | None, name: str, display_name: str, role: Role, scopes: Sequence[Scope] = ()
    ) -> Account:
        """Make an account that comes by keys. Its role says what it may, less what takes a person.

        Errors: BAD_REQUEST (name, scopes; the role of system administrators, of which nothing would be left),
        CONFLICT (name taken), FORBIDDEN.
        """
        actor, now = self._managing(by), self._clock.now_us()
        if role is Role.SYSTEM_ADMINISTRATOR:
            message = "A machine manages no accounts."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="role", advice="Give it another role.")
        account = Account(
            account_id=new_id(self._clock),
            name=check_name(name),
            display_name=clean_text(display_name, "display_name", longest=80),
            role=role,
            password_phc="",
            created_us=now,
            created_by=actor,
            scopes=check_scopes(scopes),
            machine=True,
        )
        with self._uow() as uow:
            self._add_account(uow, account, actor)
            uow.commit()
        return account

    def issue_key(
        self, by: Account | None, account_id: str, name: str, expires_us: int
    ) -> tuple[str, ApiKey]:
        """A new key of a machine, shown this once, with what is kept of it. Earlier ones work on until they end.

        Errors: NOT_FOUND, FORBIDDEN; BAD_REQUEST (the name, the end); CONFLICT for a person, or one closed.
        """
        actor, now, secret = self._managing(by), self._clock.now_us(), new_key()
        named, until = clean_text(name, "name", longest=80), check_expiry(expires_us, now)
        with self._uow() as uow:
            account = uow.accounts.get(account_id)
            if account is None:
                raise not_found("account", account_id)
            if not account.machine or account.disabled:
                message = "Keys are for machines in use; people sign in."
                advice = "Make an account for the machine: POST /machines."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice=advice)
            session = Session(new_id(self._clock), account_id, now, until, method=Method.KEY)
            key = ApiKey(session, digest_of(secret), named)
            uow.sessions.add(session)
            uow.api_keys.add(key)
            detail = {"key": session.session_id, "name": named, "until_us": until}
            uow.history.append(now, actor, Act.KEY_ISSUED, account.actor, detail)
            uow.commit()
        return secret, key

    def keys(self, by: Account | None, account_id: str) -> Sequence[ApiKey]:
        """A machine's keys that work, the oldest first. Errors: NOT_FOUND, FORBIDDEN."""
        self._managing(by)
        with self._uow(read_only=True) as uow:
            if uow.accounts.get(account_id) is None:
                raise not_found("account", account_id)
            return uow.api_keys.open_of(account_id, self._clock.now_us())

    def authenticate_key(self, secret: str, client: str = "") -> tuple[Account, str]:
        """The machine that comes by this key, and the id of the key's session; UNAUTHENTICATED for any other text."""
        with self._uow(read_only=True) as uow:
            key = uow.api_keys.by_digest(digest_of(secret))
        if key is None:
            message = "The key is not one of this system, or is over."
            raise OrvaultError(ErrorKind.UNAUTHENTICATED, message, advice="Use a key that works.")
        session = key.session
        account = self.authenticate(session.session_id, session.account_id, client)
        shown = client[:MAX_CLIENT_CHARACTERS]
        now, here = self._clock.now_us(), self._key_uses.get((session.session_id, shown))
        lately = here is not None and now < here + USE_NOTED_US
        if not lately and not key.use_noted(now, shown):
            self._note_use(account, session.session_id, shown, here)
        return account, session.session_id

    def reset_password(self, by: Account | None, account_id: str, password: str) -> Account:
        """As for every account; CONFLICT besides for a machine."""
        self._check_person(by, account_id)
        return super().reset_password(by, account_id, password)

    def link_directory(
        self, by: Account | None, account_id: str, subject: str = "", username: str = ""
    ) -> DirectoryLink:
        """As for every account; CONFLICT besides for a machine."""
        self._check_person(by, account_id)
        return super().link_directory(by, account_id, subject, username)

    def _check_person(self, by: Account | None, account_id: str) -> None:
        self._managing(by)
        with self._uow(read_only=True) as uow:
            account = uow.accounts.get(account_id)
        if account is not None and account.machine:
            message = "This account is a machine's: it comes by keys alone."
            raise OrvaultError(ErrorKind.CONFLICT, message, where=account.name)

    def _note_use(self, account: Account, session_id: str, client: str, here: int | None) -> None:
        """Write a use down. `here`: when this process did so last for this address.

        The ledger knows the last address alone: two that use a key in turn would else write at each request.
        """
        with self._uow() as uow:
            now = self._clock.now_us()
            key = self._key_of(uow, account, session_id, now)
            if key is None or key.use_noted(now, client):
                return  # ended, or noted by another process, meanwhile
            uow.api_keys.note_use(session_id, now, client)
            today = here is not None and here // USE_TOLD_US == now // USE_TOLD_US
            if not today and not key.use_told(now, client):
                detail = {"key": session_id} | origin_of(client)
                uow.history.append(now, account.actor, Act.KEY_USED, account.actor, detail)
            uow.commit()
        if len(self._key_uses) >= _MOST_PLACES:
            self._key_uses.clear()
        self._key_uses[session_id, client] = now

    def _key_of(self, uow: UnitOfWork, account: Account, session_id: str, now: int) -> ApiKey | None:
        keys = uow.api_keys.open_of(account.account_id, now)
        return next((key for key in keys if key.session.session_id == session_id), None)
