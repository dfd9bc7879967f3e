"""Believing who somebody is: the password, the code beside it, and what a wrong one costs.

What may be tried when is `orvault.custody.throttle`'s rule; what opens a session is in `sessions`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

from orvault.custody.account import Account, clean_name
from orvault.custody.desks.base import Desk
from orvault.custody.history import Act
from orvault.custody.rows import UnitOfWork
from orvault.custody.second_factor import SecondFactor, clean_code, is_of_the_moment, recovery_digest, step_of
from orvault.custody.session import MAX_CLIENT_CHARACTERS, Method
from orvault.custody.throttle import HOME_US, MEMORY_US, Keys, Rule, check_wait
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a password: as whom, from where, when (UTC microseconds)."""

    account: Account | None
    keys: Keys
    client: str
    at_us: int


class ProvingDesk(Desk):
    """What an account shows of itself, and the failures on record."""

    def _count_attempt(self, name: str, client: str) -> Attempt:
        # The attempt counts as failed until it has succeeded: otherwise many tries sent at once would all be
        # looked at before the first failure is on record.
        cleaned = clean_name(name)
        keys = Keys.of(cleaned, client)
        with self._uow() as uow:
            now = self._clock.now_us()
            home = uow.sign_ins.at_home(keys.pair, now - HOME_US)
            check_wait([_free_us(uow, key, rule, now) for key, rule in keys.rules(at_home=home)], now)
            for key, _ in keys.rules():
                uow.sign_ins.add_failure(key, now)
            account = uow.accounts.by_name(cleaned)
            uow.commit()
        return Attempt(account, keys, client, now)

    def _proven(self, attempt: Attempt, password: str) -> Account:
        """The account, if the password is its own and it may sign in."""
        account = attempt.account
        usable = account is not None and not account.disabled
        matches = self._passwords.matches(password, account.password_phc if account and usable else None)
        if account is not None and matches:
            return account
        with self._uow() as uow:
            self._note_failure(uow, attempt, self._clock.now_us())
            uow.commit()
        raise OrvaultError(
            ErrorKind.UNAUTHENTICATED,
            "The account name or the password is not right.",
            advice="Check both; the keyboard's language and Caps Lock too.",
        )

    def _method_of(self, uow: UnitOfWork, attempt: Attempt, account: Account, code: str) -> Method:
        """How the account has proven itself with this code, or without one where it needs none.

        Errors: CODE_NEEDED where one is missing, which is no failure: nothing was guessed. UNAUTHENTICATED for a
        wrong one, which is. What follows from both is committed.
        """
        factor = uow.second_factors.get(account.account_id)
        if factor is None or not factor.confirmed:
            return Method.PASSWORD
        if not clean_code(code):
            self._take_back(uow, attempt)
            uow.commit()
            message = "This account signs in with a code beside its password."
            advice = "Send the code that its app shows now, or a recovery code."
            raise OrvaultError(ErrorKind.CODE_NEEDED, message, where="totp", advice=advice)
        self._use_code(uow, attempt, factor, code)
        return Method.PASSWORD_AND_CODE

    def _use_code(self, uow: UnitOfWork, attempt: Attempt, factor: SecondFactor, code: str) -> None:
        """Use up this code of the moment, or recovery code. UNAUTHENTICATED if it is wrong; that is committed."""
        now = self._clock.now_us()
        if is_of_the_moment(code):
            step = step_of(self._opened(uow, attempt, factor), code, now, factor.last_step)
            if step is not None:
                uow.second_factors.put(replace(factor, last_step=step))
                return
        elif uow.second_factors.use_recovery_code(
            factor.account_id, recovery_digest(factor.account_id, code)
        ):
            actor = f"account:{factor.account_id}"
            left = uow.second_factors.recovery_codes_left(factor.account_id)
            uow.history.append(now, actor, Act.RECOVERY_CODE_USED, actor, {"left": left})
            return
        self._refuse_code(uow, attempt)

    def _opened(self, uow: UnitOfWork, attempt: Attempt, factor: SecondFactor) -> str:
        """The factor's secret. Errors: BAD_SETTINGS, ALTERED: the site's fault, and no failure of who signs in."""
        try:
            return self._factors.open(factor)
        except OrvaultError:
            self._take_back(uow, attempt)
            uow.commit()
            raise

    def _refuse_code(self, uow: UnitOfWork, attempt: Attempt) -> NoReturn:
        self._note_failure(uow, attempt, self._clock.now_us(), code=True)
        uow.commit()
        raise OrvaultError(
            ErrorKind.UNAUTHENTICATED,
            "The code is not right, or was used before.",
            where="totp",
            advice="Wait for the next one. If none fits, the clock of the server or of the device is wrong.",
        )

    def _take_back(self, uow: UnitOfWork, attempt: Attempt) -> None:
        """Have this attempt not count; earlier ones do."""
        for key, _ in attempt.keys.rules():
            uow.sign_ins.drop_failure(key, attempt.at_us)

    def _forgive(self, uow: UnitOfWork, attempt: Attempt, now: int) -> None:
        # Of the name and of the address only this attempt: whoever has one account could else try others' passwords
        # for ever, and a name under attack would be free again with each sign-in of its owner.
        uow.sign_ins.clear_failures(attempt.keys.pair)
        self._take_back(uow, attempt)
        uow.sign_ins.note_home(attempt.keys.pair, now)
        uow.sign_ins.forget(now - MEMORY_US, now - HOME_US)

    def _note_failure(self, uow: UnitOfWork, attempt: Attempt, now: int, *, code: bool = False) -> None:
        # A name that belongs to nobody is not written down: it is often a password typed into the wrong
        # field.
        subject = attempt.account.actor if attempt.account is not None else "account:unknown"
        origin = origin_of(attempt.client)
        uow.history.append(
            now, "anonymous", Act.SIGN_IN_FAILED, subject, origin | ({"wrong": "code"} if code else {})
        )
        if any(_free_us(uow, key, rule, now) > now for key, rule in attempt.keys.rules()):
            uow.history.append(now, "anonymous", Act.SIGN_IN_THROTTLED, subject, origin)


def _free_us(uow: UnitOfWork, key: str, rule: Rule, now: int) -> int:
    return rule.free_us(uow.sign_ins.failures(key, now - rule.reach_us))


def still(uow: UnitOfWork, account: Account) -> None:
    """UNAUTHENTICATED if the account was disabled or its password changed while this one was looked at."""
    if uow.accounts.get(account.account_id) != account:
        message = "This account was changed at the same moment."
        raise OrvaultError(ErrorKind.UNAUTHENTICATED, message, advice="Sign in again.")


def origin_of(client: str) -> dict[str, object]:
    """Where somebody came from, for history."""
    return {"from": client[:MAX_CLIENT_CHARACTERS]} if client else {}
