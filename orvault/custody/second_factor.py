"""The second factor of an account with a password: codes of the moment (RFC 6238), and recovery codes for the day on
which the device is gone. Pure: what was used before is in the ledger.

The directory's people show their second factor there (`directory`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

import pyotp

from orvault.clock import US_PER_S
from orvault.custody.site_secret import SiteSecret, absent

STEP_S = 30
DRIFT_STEPS = 1  # a device's clock may be so far off, either side
DIGITS = 6
SECRET_CHARACTERS = 32  # of base32: 160 bits, as RFC 4226 recommends
RECOVERY_CODES = 10
MAX_CODE_CHARACTERS = 64  # as typed
_RECOVERY_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is read as another: 5 bits each
_RECOVERY_CHARACTERS = 16  # 80 bits: nobody tries them out, so a plain hash keeps them
_GROUP = 4


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What an account shows beside its password: its secret, sealed for it, and the last step of time it was used in.

    `confirmed_us` None: it was shown to the account, and counts once a first code has come back.
    """

    account_id: str
    sealed: str = field(repr=False)
    begun_us: int
    confirmed_us: int | None = None
    last_step: int | None = None

    @property
    def confirmed(self) -> bool:
        """Whether it counts."""
        return self.confirmed_us is not None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new secret, shown once: base32, and as the address that authenticator apps take from a picture."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class SecondFactorRows(Protocol):
    """Second factors, one for each account at most, and the recovery codes that are left."""

    def get(self, account_id: str) -> SecondFactor | None: ...
    def put(self, factor: SecondFactor) -> None:
        """Write it in place of what the account had."""
        ...

    def remove(self, account_id: str) -> bool:
        """Remove it with its recovery codes; whether there was one."""
        ...

    def put_recovery_codes(self, account_id: str, digests: Collection[str]) -> None:
        """Write these in place of those that the account had."""
        ...

    def use_recovery_code(self, account_id: str, digest: str) -> bool:
        """Take one away; whether it was there."""
        ...

    def recovery_codes_left(self, account_id: str) -> int: ...


class FactorKey:
    """Seals the secrets of second factors, each for its account; `load` reads the 32-byte secret at each use.

    Errors of all acts: BAD_SETTINGS when there is no usable secret.
    """

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._secret = SiteSecret(load, "orvault second factor/1", "second factor")

    def seal(self, secret: str, account_id: str) -> str:
        """The secret as the ledger keeps it."""
        return self._secret.seal(secret, account_id)

    def open(self, factor: SecondFactor) -> str:
        """The secret. ALTERED: sealed for another account, with another key, or changed."""
        return self._secret.open(factor.sealed, factor.account_id, f"account {factor.account_id}")


NO_FACTORS = FactorKey(absent("second factors"))


def new_enrolment(name: str, site: str) -> Enrolment:
    """A fresh secret for the account of this name; `site` is what the app lists it under."""
    secret = pyotp.random_base32(SECRET_CHARACTERS)
    issuer = site.replace(":", " ").strip() or "OR Vault"  # a colon would end the issuer
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer))


def step_of(secret: str, typed: str, now_us: int, last_step: int | None) -> int | None:
    """The step of time whose code was typed, if it is near and later than the last one used; None: the code is wrong.

    A code is good once: neither it nor one from before it is taken again (RFC 6238, section 5.2).
    """
    totp, now, code = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S), _step_at(now_us), clean_code(typed)
    near = range(max(now - DRIFT_STEPS, 0), now + DRIFT_STEPS + 1)
    # All are compared, whichever fits: how long it takes says nothing.
    fitting = [step for step in near if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())]
    step = max(fitting, default=None)
    return None if step is None or (last_step is not None and step <= last_step) else step


def clean_code(typed: str) -> str:
    """A code as it is compared: without the blanks and dashes that people put in, in capitals."""
    normal = unicodedata.normalize("NFKC", typed[:MAX_CODE_CHARACTERS])
    return "".join(sign for sign in normal if not sign.isspace() and sign != "-").upper()


def is_of_the_moment(typed: str) -> bool:
    """Whether this looks like a code of the moment, and not like a recovery code."""
    return len(clean_code(typed)) <= DIGITS


def new_recovery_codes() -> tuple[str, ...]:
    """Ten fresh ones as people read them, e.g. 7KQM-2XHD-..."""
    return tuple(_new_recovery_code() for _ in range(RECOVERY_CODES))


def recovery_digest(account_id: str, typed: str) -> str:
    """SHA-256 (hex) by which the ledger knows an account's recovery code, however it was typed."""
    named = f"orvault recovery/1\0{account_id}\0{clean_code(typed)}".encode("utf-8", "replace")
    return hashlib.sha256(named).hexdigest()


def _new_recovery_code() -> str:
    signs = "".join(secrets.choice(_RECOVERY_SIGNS) for _ in range(_RECOVERY_CHARACTERS))
    return "-".join(signs[start : start + _GROUP] for start in range(0, len(signs), _GROUP))


def _step_at(now_us: int) -> int:
    return now_us // US_PER_S // STEP_S
