"""Making accounts, closing and opening them, setting their passwords (which ends their sessions) and scopes.

Signing in, and changing one's own password, is in `sessions`. Accounts are never removed: history names them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account, Role, check_name, clean_name
from orvault.custody.desks.base import CONSOLE, LONGEST_PAGE, not_found, page_size, unknown_name
from orvault.custody.desks.sessions import SessionDesk
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.rows import UnitOfWork
from orvault.custody.scope import Scope, ScopeKind, check_scopes
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError


class AccountDesk(SessionDesk):
    """Accounts; `by` None is a person at the server's own command line."""

    def create_account(
        self,
        by: Account | None,
        name: str,
        display_name: str,
        role: Role,
        password: str,
        scopes: Sequence[Scope] = (),
    ) -> Account:
        """Make an account; the first administrator is made at the command line. Without scopes it sees nothing.

        Errors: BAD_REQUEST (name, password, scopes), CONFLICT (name taken), FORBIDDEN.
        """
        actor = self._managing(by)
        name = check_name(name)
        self._passwords.check(password, self._known_words(name, display_name))
        now = self._clock.now_us()
        account = Account(
            account_id=new_id(self._clock),
            name=name,
            display_name=clean_text(display_name, "display_name", longest=80),
            role=role,
            password_phc=self._passwords.hash(password),
            created_us=now,
            created_by=actor,
            scopes=check_scopes(scopes),
        )
        with self._uow() as uow:
            self._add_account(uow, account, actor)
            uow.commit()
        return account

    def _add_account(self, uow: UnitOfWork, account: Account, actor: str) -> None:
        self._check_known(uow, account.scopes)
        if uow.accounts.by_name(account.name) is not None:
            raise OrvaultError(
                ErrorKind.CONFLICT,
                "This account name is taken.",
                where="name",
                advice="Choose another one.",
            )
        uow.accounts.add(account)
        scopes = [one.words for one in account.scopes]
        detail: dict[str, object] = {"name": account.name, "role": account.role.value, "scopes": scopes}
        if account.machine:
            detail["machine"] = True
        uow.history.append(account.created_us, actor, Act.ACCOUNT_CREATED, account.actor, detail)

    def accounts(self, by: Account, limit: int = 100, after: str = "") -> Sequence[Account]:
        """Accounts in order of their id, from behind `after`."""
        self._managing(by)
        with self._uow(read_only=True) as uow:
            return uow.accounts.page(page_size(limit), after)

    def all_accounts(self) -> Sequence[Account]:
        """Every account, in order of their id; for the command line."""
        found: list[Account] = []
        with self._uow(read_only=True) as uow:
            while page := uow.accounts.page(LONGEST_PAGE, found[-1].account_id if found else ""):
                found += page
        return found

    def account_named(self, name: str) -> Account:
        """The account with this sign-in name, for the command line. Errors: NOT_FOUND."""
        with self._uow(read_only=True) as uow:
            account = uow.accounts.by_name(clean_name(name))
        if account is None:
            raise not_found("account", name)
        return account

    def account_names(self, account_ids: Collection[str]) -> dict[str, str]:
        """Display names for those of these account ids that exist."""
        if not account_ids:
            return {}
        with self._uow(read_only=True) as uow:
            return uow.accounts.names(account_ids)

    def disable_account(self, by: Account | None, account_id: str) -> Account:
        """Close an account: it cannot sign in, has no rights, and its sessions are over. Doing it again is no error.

        Errors: NOT_FOUND, FORBIDDEN; CONFLICT for the last system administrator that is left.
        """
        actor = self._managing(by)
        with self._uow() as uow:
            account = _found(uow, account_id)
            if account.disabled:
                return account
            administrator = account.role is Role.SYSTEM_ADMINISTRATOR
            if administrator and uow.accounts.count_enabled(Role.SYSTEM_ADMINISTRATOR) <= 1:
                raise OrvaultError(
                    ErrorKind.CONFLICT,
                    "This is the last system administrator: nobody could manage accounts any more.",
                    where=account.name,
                    advice="Make another one first.",
                )
            now = self._clock.now_us()
            closed = replace(account, disabled_us=now)
            self._put(uow, closed, actor, Act.ACCOUNT_DISABLED, now)
            uow.commit()
        return closed

    def enable_account(self, by: Account | None, account_id: str) -> Account:
        """Open a closed account again, with the password it had. Errors: NOT_FOUND, FORBIDDEN."""
        actor = self._managing(by)
        with self._uow() as uow:
            account = _found(uow, account_id)
            if not account.disabled:
                return account
            opened = replace(account, disabled_us=None)
            self._put(uow, opened, actor, Act.ACCOUNT_ENABLED, self._clock.now_us())
            uow.commit()
        return opened

    def reset_password(self, by: Account | None, account_id: str, password: str) -> Account:
        """Give an account a password that it has to change before anything else.

        Errors: NOT_FOUND, BAD_REQUEST (the password), FORBIDDEN; CONFLICT for one's own account: that takes the old
        password.
        """
        actor = self._managing(by)
        if by is not None and by.account_id == account_id:
            raise OrvaultError(
                ErrorKind.CONFLICT,
                "One's own password is not reset but changed, with the old one.",
                advice="Use POST /session/password.",
            )
        with self._uow(read_only=True) as uow:
            account = _found(uow, account_id)
        self._passwords.check(password, self._known_words(account.name, account.display_name))
        phc = self._passwords.hash(password)  # not while other writers wait
        with self._uow() as uow:
            now = self._clock.now_us()
            given = replace(_found(uow, account_id), password_phc=phc, reset_us=now)
            self._put(uow, given, actor, Act.PASSWORD_RESET, now)
            uow.commit()
        return given

    def set_scopes(self, by: Account | None, account_id: str, scopes: Sequence[Scope]) -> Account:
        """Say how far an account reaches, from now on, in place of what was said before; open views follow at once.

        Errors: NOT_FOUND, BAD_REQUEST (the scopes), FORBIDDEN.
        """
        actor = self._managing(by)
        checked = check_scopes(scopes)
        with self._uow() as uow:
            account = _found(uow, account_id)
            self._check_known(uow, checked)
            if checked == account.scopes:
                return account
            scoped = replace(account, scopes=checked)
            uow.accounts.put_scopes(scoped)
            detail = {
                "name": account.name,
                "before": [scope.words for scope in account.scopes],
                "scopes": [scope.words for scope in checked],
            }
            uow.history.append(self._clock.now_us(), actor, Act.ACCOUNT_SCOPED, account.actor, detail)
            uow.commit()
        return scoped

    def _managing(self, by: Account | None) -> str:
        """How history names whoever manages accounts, which takes the whole site. Errors: FORBIDDEN."""
        if by is None:
            return CONSOLE
        require(by, Right.ACCOUNT_MANAGE, place=self._place())
        return by.actor

    def _check_known(self, uow: UnitOfWork, scopes: Sequence[Scope]) -> None:
        """BAD_REQUEST for a scope that names nothing: misspelt, it would reach nothing."""
        cameras, departments = uow.cameras.all(), self._access.departments
        known = {
            ScopeKind.SITE: {""},
            ScopeKind.DEPARTMENT: set(departments.values()),
            ScopeKind.ROOM: {camera.room for camera in cameras} | set(departments),
            ScopeKind.CAMERA: {camera.camera_id for camera in cameras},
        }
        for scope in scopes:
            if scope.name not in known[scope.kind]:
                raise unknown_name(scope.kind.value, scope.name, known[scope.kind], "scopes")

    def _put(self, uow: UnitOfWork, account: Account, actor: str, act: Act, now: int) -> None:
        uow.accounts.put(account)
        detail = {"name": account.name, "sessions_ended": self._end_sessions(uow, account, now)}
        uow.history.append(now, actor, act, account.actor, detail)


def _found(uow: UnitOfWork, account_id: str) -> Account:
    account = uow.accounts.get(account_id)
    if account is None:
        raise not_found("account", account_id)
    return account
