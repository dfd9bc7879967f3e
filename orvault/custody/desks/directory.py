"""Signing in through the hospital's directory: who is let in as whom, and the code that a program fetches its token
with.

That the directory really said so is checked before, by `api/directory`; nothing here knows OpenID Connect.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace

from orvault.custody.account import Account
from orvault.custody.desks.machines import MachineDesk
from orvault.custody.desks.sessions import SignIn
from orvault.custody.directory import (
    ATTEMPT_US,
    CODE_US,
    DIRECTORY,
    MAX_OPEN_CODES,
    DirectoryCode,
    DirectoryLink,
    Identity,
    Refusal,
    Standing,
    account_name,
    admission,
    challenge_of,
    digest_of,
)
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.rows import UnitOfWork
from orvault.custody.session import Method
from orvault.custody.text import clean_text
from orvault.custody.throttle import ADDRESS, HOME_US, MEMORY_US, Keys, check_wait
from orvault.errors import ErrorKind, OrvaultError

_CODE_BYTES = 32
_ADVICE = {
    Refusal.NO_ACCOUNT: "Ask the person in charge of accounts to link one; history has what they need.",
    Refusal.NO_GROUP: "Ask for a group of the directory that this site gives a role.",
    Refusal.CLOSED: "Ask the person in charge of accounts.",
    Refusal.NO_SECOND_FACTOR: "Sign in at the directory with the second factor that your role needs.",
}


class DirectoryDesk(MachineDesk):
    """Identities of the directory, and the sessions that they open."""

    def check_directory_client(self, client: str) -> None:
        """Raise TOO_MANY_ATTEMPTS for an address that too many refusals came from: its next one is not looked at."""
        key, now = Keys.of("", client).address, self._clock.now_us()
        if key:
            with self._uow(read_only=True) as uow:
                failures = uow.sign_ins.failures(key, now - ADDRESS.reach_us)
            check_wait([ADDRESS.free_us(failures)], now)

    def refuse_directory(self, why: str, client: str) -> None:
        """Note in history that somebody came back from the directory, or brought a code, and was not believed."""
        with self._uow() as uow:
            self._note_refusal(uow, why, client)
            uow.commit()

    def admit(self, identity: Identity, state: str, challenge: str, client: str) -> str:
        """Let a proven identity in: the code that its program gets a session with, once and within five minutes.

        `state` names the sign-in that came back, which it does once; `challenge` is the program's (RFC 7636, S256).
        Makes the account, or has it follow the groups, where the site wants that.
        Errors: FORBIDDEN with the reason (`Refusal`); UNAUTHENTICATED for a state that came back before;
        TOO_MANY_ATTEMPTS while the account has too many codes open.
        """
        assert identity.issuer == self._directory.issuer, "the API checked against the same settings"
        code = secrets.token_urlsafe(_CODE_BYTES)
        with self._uow() as uow:
            now = self._clock.now_us()
            uow.directory.drop_codes(now - ATTEMPT_US)
            uow.sign_ins.forget(now - MEMORY_US, now - HOME_US)
            if uow.directory.came_back(digest_of(state)):
                self._note_refusal(uow, "this sign-in came back before", client)
                uow.commit()
                raise _over()
            found = self._let_in(uow, identity, now)
            if isinstance(found, Refusal):
                self._note_refusal(uow, found.value, client, identity)
                uow.commit()
                words = f"You are not let in: {found.value}."
                raise OrvaultError(ErrorKind.FORBIDDEN, words, advice=_ADVICE[found])
            if uow.directory.open_codes(found.account_id, now - CODE_US) >= MAX_OPEN_CODES:
                message = "Too many sign-ins of this account wait for their program."
                raise OrvaultError(ErrorKind.TOO_MANY_ATTEMPTS, message, advice="Wait five minutes.")
            proven = DirectoryCode(digest_of(code), digest_of(state), found.account_id, challenge, now)
            uow.directory.add_code(proven)
            detail = _named(identity) | _origin(client)
            uow.history.append(now, found.actor, Act.DIRECTORY_ADMITTED, found.actor, detail)
            uow.commit()
        return code

    def directory_session(self, code: str, verifier: str, client: str = "") -> SignIn:
        """Open a session for the code that `admit` gave, for the program that has its challenge's verifier.

        Errors: UNAUTHENTICATED, the same for a code that is unknown, used, over or another program's, and for an
        account that was closed meanwhile; TOO_MANY_ATTEMPTS after many of them from one address.
        """
        # Before a writer's turn is taken: who starts a recording waits for it.
        self.check_directory_client(client)
        with self._uow() as uow:
            now = self._clock.now_us()
            account, why = self._redeem(uow, digest_of(code), verifier, now)
            if account is None:
                self._note_refusal(uow, why, client)
                uow.commit()
                raise _over()
            signed = self.open_session(uow, account, Method.DIRECTORY, client)
            uow.commit()
        return signed

    def _let_in(self, uow: UnitOfWork, identity: Identity, now: int) -> Account | Refusal:
        """The account of this identity as it now stands; made, linked or changed where that is called for."""
        link = uow.directory.by_subject(identity.issuer, identity.subject)
        if link is None and identity.username and self._directory.match:
            link = uow.directory.awaiting(identity.issuer, identity.username)
        account = None if link is None else uow.accounts.get(link.account_id)
        standing = admission(identity, self._directory, account, follows=link is not None and link.follows)
        if isinstance(standing, Refusal):
            return standing
        if link is None or account is None:
            return self._make(uow, identity, standing, now)
        if link.subject is None:
            return self._pin(uow, link, account, identity, now)
        return self._follow_groups(uow, account, standing, now)

    def _make(self, uow: UnitOfWork, identity: Identity, standing: Standing, now: int) -> Account:
        name = account_name(identity, taken=uow.accounts.by_name(identity.username) is not None)
        account = Account(
            account_id=new_id(self._clock),
            name=name,
            display_name=clean_text(identity.display_name or name, "name", longest=80),
            role=standing.role,
            password_phc="",
            created_us=now,
            created_by=DIRECTORY,
            scopes=standing.scopes,
        )
        uow.accounts.add(account)
        uow.directory.put_link(
            DirectoryLink(account.account_id, identity.issuer, identity.subject, None, True, now, DIRECTORY)
        )
        detail = {"name": name} | _stands(account) | _named(identity)
        uow.history.append(now, DIRECTORY, Act.ACCOUNT_CREATED, account.actor, detail)
        return account

    def _pin(
        self, uow: UnitOfWork, link: DirectoryLink, account: Account, identity: Identity, now: int
    ) -> Account:
        """From here on it is the subject that counts: a user name may be given to somebody else."""
        uow.directory.put_link(replace(link, subject=identity.subject, awaits=None))
        ended = self._end_password(uow, account, now)
        detail = {"name": account.name, "sessions_ended": ended} | _named(identity)
        uow.history.append(now, DIRECTORY, Act.ACCOUNT_LINKED, account.actor, detail)
        return replace(account, password_phc="", reset_us=None)

    def _follow_groups(self, uow: UnitOfWork, account: Account, standing: Standing, now: int) -> Account:
        followed = replace(account, role=standing.role, scopes=standing.scopes)
        if (followed.role, set(followed.scopes)) == (account.role, set(account.scopes)):
            return account
        uow.directory.put_role(account.account_id, followed.role)
        uow.accounts.put_scopes(followed)
        detail: dict[str, object] = {
            "name": account.name,
            "before": _stands(account),
            "now": _stands(followed),
        }
        if followed.role is not account.role:
            # Sessions that are open were let in for the role before: a new one may ask for a second factor.
            detail["sessions_ended"] = self._end_sessions(uow, account, now)
        uow.history.append(now, DIRECTORY, Act.ACCOUNT_FOLLOWED, account.actor, detail)
        return followed

    def _redeem(self, uow: UnitOfWork, digest: str, verifier: str, now: int) -> tuple[Account | None, str]:
        """The account of a code, which is used up by this whatever comes of it; or None, and why."""
        found = uow.directory.code(digest)
        if found is None or now >= found.made_us + CODE_US:
            return None, "the code is unknown or over"
        if found.used_us is not None:
            return None, "the code was used before, or ended with the account's sessions"
        uow.directory.use_code(digest, now)
        if not hmac.compare_digest(challenge_of(verifier), found.challenge):
            return None, "the code was made for another program"
        account = uow.accounts.get(found.account_id)
        return (None, Refusal.CLOSED.value) if account is None or account.disabled else (account, "")

    def _note_refusal(self, uow: UnitOfWork, why: str, client: str, identity: Identity | None = None) -> None:
        # Anybody may come back with anything: the address counts, so that history is not theirs to fill.
        now = self._clock.now_us()
        if key := Keys.of("", client).address:
            uow.sign_ins.add_failure(key, now)
        named = {} if identity is None else _named(identity)
        detail = {"why": why} | named | _origin(client)
        uow.history.append(now, "anonymous", Act.DIRECTORY_REFUSED, "account:unknown", detail)


def _named(identity: Identity) -> dict[str, object]:
    return {"issuer": identity.issuer, "subject": identity.subject}


def _stands(account: Account) -> dict[str, object]:
    return {"role": account.role.value, "scopes": [scope.words for scope in account.scopes]}


def _over() -> OrvaultError:
    message = "This sign-in is over, or is not this program's."
    return OrvaultError(ErrorKind.UNAUTHENTICATED, message, advice="Sign in again.")


def _origin(client: str) -> dict[str, object]:
    return {"from": client[:64]} if client else {}
