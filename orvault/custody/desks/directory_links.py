"""Links between accounts and identities of the hospital's directory, and that nobody gets a password beside one.

Signing in through the directory is in `directory`.
"""

from __future__ import annotations

from dataclasses import replace

from orvault.custody.account import Account, clean_name
from orvault.custody.desks.accounts import AccountDesk
from orvault.custody.desks.base import not_found
from orvault.custody.directory import (
    MAX_NAME_CHARACTERS,
    MAX_SUBJECT_CHARACTERS,
    DirectoryLink,
    DirectoryPolicy,
    no_directory,
)
from orvault.custody.history import Act
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError


class DirectoryLinkDesk(AccountDesk):
    """Which identity signs in as which account."""

    def directory_link(self, by: Account, account_id: str) -> DirectoryLink:
        """Who signs in as this account. Errors: NOT_FOUND (no account, no link), FORBIDDEN."""
        self._managing(by)
        with self._uow(read_only=True) as uow:
            link = uow.directory.link_of(account_id)
        if link is None:
            raise not_found("link to the directory of account", account_id)
        return link

    def link_directory(
        self, by: Account | None, account_id: str, subject: str = "", username: str = ""
    ) -> DirectoryLink:
        """Have one identity sign in as this account, and nobody by a password any more: by its subject, or the first
        that comes with this user name (until then the password is good).

        Errors: NOT_FOUND (no account, no directory), FORBIDDEN; BAD_REQUEST (neither or both, or what this site does
        not allow); CONFLICT for an identity that another account has, and for the last administrator with a password:
        the directory may be away.
        """
        actor = self._managing(by)
        subject, username = self._checked_identity(subject, username)
        with self._uow() as uow:
            now = self._clock.now_us()
            account = uow.accounts.get(account_id)
            if account is None:
                raise not_found("account", account_id)
            self._check_free(uow, account_id, subject, username)
            link = DirectoryLink(
                account_id, self._directory.issuer, subject or None, username or None, False, now, actor
            )
            uow.directory.put_link(link)
            detail: dict[str, object] = {"name": account.name, "issuer": link.issuer}
            if subject:
                detail |= {"subject": subject, "sessions_ended": self._end_password(uow, account, now)}
            else:
                detail["awaits"] = username
            uow.history.append(now, actor, Act.ACCOUNT_LINKED, account.actor, detail)
            uow.commit()
        return link

    def unlink_directory(self, by: Account | None, account_id: str) -> None:
        """Take the link away. Nobody can sign in as the account then, until it is given a password or a link.

        Errors: NOT_FOUND (no account, no link), FORBIDDEN.
        """
        actor = self._managing(by)
        with self._uow() as uow:
            now = self._clock.now_us()
            link, account = uow.directory.link_of(account_id), uow.accounts.get(account_id)
            if link is None or account is None:
                raise not_found("link to the directory of account", account_id)
            uow.directory.remove_link(account_id)
            detail = {"name": account.name, "sessions_ended": self._end_sessions(uow, account, now)}
            uow.history.append(now, actor, Act.ACCOUNT_UNLINKED, account.actor, detail)
            uow.commit()

    def reset_password(self, by: Account | None, account_id: str, password: str) -> Account:
        """As for every account; CONFLICT besides for one that signs in through the directory."""
        self._managing(by)
        with self._uow(read_only=True) as uow:
            link = uow.directory.link_of(account_id)
        if link is not None and link.subject is not None:
            message = "This account signs in through the directory, and has no password."
            raise OrvaultError(ErrorKind.CONFLICT, message, advice="Take its link away first.")
        return super().reset_password(by, account_id, password)

    @property
    def _directory(self) -> DirectoryPolicy:
        return self._access.directory

    def _checked_identity(self, subject: str, username: str) -> tuple[str, str]:
        policy = self._directory
        if not policy.issuer:
            raise no_directory()
        if bool(subject) == bool(username):
            message = "An account is linked by a subject or by a user name."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="subject", advice="Give one of the two.")
        if subject:
            return clean_text(subject, "subject", longest=MAX_SUBJECT_CHARACTERS), ""
        if not policy.match:
            message = "This site links accounts by subject only."
            advice = "Give the subject, or set directory.match."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="username", advice=advice)
        return "", clean_name(clean_text(username, "username", longest=MAX_NAME_CHARACTERS))

    def _check_free(self, uow: UnitOfWork, account_id: str, subject: str, username: str) -> None:
        issuer = self._directory.issuer
        rows = uow.directory
        link = rows.by_subject(issuer, subject) if subject else rows.awaiting(issuer, username)
        if link is not None and link.account_id != account_id:
            message = "Another account is linked to this identity."
            raise OrvaultError(ErrorKind.CONFLICT, message, advice="Take that link away first.")
        if list(uow.directory.administrators_by_password()) == [account_id]:
            raise OrvaultError(
                ErrorKind.CONFLICT,
                "This is the last system administrator with a password, for when the directory is away.",
                advice="Make another one first.",
            )

    def _end_password(self, uow: UnitOfWork, account: Account, now: int) -> int:
        uow.accounts.put(replace(account, password_phc="", reset_us=None))
        return self._end_sessions(uow, account, now)
