"""Second factors of accounts with a password: enrolling one, confirming it, removing it, and resetting another's.

Signing in with a code is in `sessions`, what a wrong one costs in `proving`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orvault.custody.account import Account
from orvault.custody.desks.accounts import AccountDesk
from orvault.custody.desks.base import not_found
from orvault.custody.desks.proving import Attempt, still
from orvault.custody.history import Act
from orvault.custody.rows import UnitOfWork
from orvault.custody.second_factor import (
    Enrolment,
    SecondFactor,
    new_enrolment,
    new_recovery_codes,
    recovery_digest,
    step_of,
)
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class FactorState:
    """How an account stands: whether its role needs a code, since when it has one, and how many recovery codes."""

    needed: bool
    confirmed_us: int | None
    recovery_codes_left: int


class SecondFactorDesk(AccountDesk):
    """One second factor for each account at most."""

    def second_factor(self, by: Account) -> FactorState:
        """How one's own account stands."""
        with self._uow(read_only=True) as uow:
            factor = uow.second_factors.get(by.account_id)
            left = uow.second_factors.recovery_codes_left(by.account_id)
        since = None if factor is None else factor.confirmed_us
        return FactorState(by.role in self._access.second_factor, since, left)

    def begin_second_factor(self, by: Account, password: str, client: str = "") -> Enrolment:
        """A new secret, shown this once; it counts when `confirm_second_factor` has seen a code of it.

        Beginning again drops the one that was not confirmed. Errors: UNAUTHENTICATED and TOO_MANY_ATTEMPTS as for
        signing in; CONFLICT for an account that has a second factor, or has no password to go beside it.
        """
        if not by.password_phc:
            message = "This account has no password that a code could stand beside."
            raise OrvaultError(ErrorKind.CONFLICT, message)
        made = new_enrolment(by.name, self._hospital)
        sealed = self._factors.seal(
            made.secret, by.account_id
        )  # first: what the site lacks is nobody's failure
        with self._passwords.gate.place():
            attempt = self._count_attempt(by.name, client)
            account = self._proven(attempt, password)
        with self._uow() as uow:
            still(uow, account)
            self._take_back(uow, attempt)  # not more: the failures of codes go on counting
            factor = uow.second_factors.get(account.account_id)
            if factor is not None and factor.confirmed:
                uow.commit()
                message = "This account has a second factor."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice="Remove it first, with a code of it.")
            uow.second_factors.put(SecondFactor(account.account_id, sealed, self._clock.now_us()))
            uow.commit()
        return made

    def confirm_second_factor(self, by: Account, code: str, client: str = "") -> tuple[str, ...]:
        """Have the second factor count from now on, with its first code; every session of the account ends.

        Returns ten recovery codes, shown this once; each signs in once in place of a code.
        Errors: UNAUTHENTICATED (the code) and TOO_MANY_ATTEMPTS as for signing in; CONFLICT where none was begun, or
        it is confirmed already.
        """
        attempt = self._count_attempt(by.name, client)
        with self._uow() as uow:
            factor, now = uow.second_factors.get(by.account_id), self._clock.now_us()
            if factor is None or factor.confirmed:
                self._take_back(uow, attempt)
                uow.commit()
                message = "No second factor of this account waits for its first code."
                advice = "Begin with POST /session/second-factor."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice=advice)
            step = step_of(self._opened(uow, attempt, factor), code, now, factor.last_step)
            if step is None:
                self._refuse_code(uow, attempt)
            self._take_back(uow, attempt)
            uow.second_factors.put(replace(factor, confirmed_us=now, last_step=step))
            codes = new_recovery_codes()
            digests = [recovery_digest(by.account_id, one) for one in codes]
            uow.second_factors.put_recovery_codes(by.account_id, digests)
            self._note_change(uow, by, by.actor, Act.SECOND_FACTOR_ENROLLED)
            uow.commit()
        return codes

    def remove_second_factor(self, by: Account, password: str, code: str, client: str = "") -> None:
        """Remove one's own, with the password and a code of it; every session of the account ends.

        Errors: UNAUTHENTICATED (password, code) and TOO_MANY_ATTEMPTS as for signing in; CODE_NEEDED without one;
        CONFLICT for an account that has none.
        """
        with self._passwords.gate.place():
            attempt = self._count_attempt(by.name, client)
            account = self._proven(attempt, password)
        with self._uow() as uow:
            still(uow, account)
            self._check_enrolled(uow, attempt, account)
            self._method_of(uow, attempt, account, code)
            self._forgive(uow, attempt, self._clock.now_us())
            uow.second_factors.remove(account.account_id)
            self._note_change(uow, account, account.actor, Act.SECOND_FACTOR_REMOVED)
            uow.commit()

    def reset_second_factor(self, by: Account | None, account_id: str) -> Account:
        """Remove somebody's, whose device and recovery codes are gone; every session of the account ends.

        For an account that has none nothing happens. Errors: NOT_FOUND, FORBIDDEN; CONFLICT for one's own account:
        that takes a code.
        """
        actor = self._managing(by)
        if by is not None and by.account_id == account_id:
            message = "One's own second factor is not reset but removed, with a code of it."
            advice = "Use POST /session/second-factor/remove."
            raise OrvaultError(ErrorKind.CONFLICT, message, advice=advice)
        with self._uow() as uow:
            account = uow.accounts.get(account_id)
            if account is None:
                raise not_found("account", account_id)
            if uow.second_factors.remove(account_id):
                self._note_change(uow, account, actor, Act.SECOND_FACTOR_RESET)
                uow.commit()
        return account

    def _check_enrolled(self, uow: UnitOfWork, attempt: Attempt, account: Account) -> None:
        factor = uow.second_factors.get(account.account_id)
        if factor is None or not factor.confirmed:
            self._take_back(uow, attempt)
            uow.commit()
            raise OrvaultError(ErrorKind.CONFLICT, "This account has no second factor.")

    def _note_change(self, uow: UnitOfWork, account: Account, actor: str, act: Act) -> None:
        now = self._clock.now_us()
        detail = {"name": account.name, "sessions_ended": self._end_sessions(uow, account, now)}
        uow.history.append(now, actor, act, account.actor, detail)
