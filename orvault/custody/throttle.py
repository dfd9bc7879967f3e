"""How long the next attempt to sign in waits after failed ones. Pure: who failed when is in the ledger.

Failures are counted three ways, and each way has a wait of its own:

1. **of a name from one address** (`PAIR`): the wait begins with the fifth and doubles, from a minute to an hour. This
   is what a guesser meets, and somebody who forgot a password;
2. **of a name, from wherever** (`NAME`): who has many addresses gets a guess a minute, and no more;
3. **of an address, whatever the names** (`ADDRESS`): who has one address cannot go from name to name.

Nobody is shut out for good, and nobody can shut somebody else out for a day. An attempt during a wait is refused and
not counted, so that hammering lengthens nothing. But whoever comes first after a wait may begin the next one; so only
rule 1 holds at an address where the account is at home, which is where it signed in during the last 30 days: a
stranger elsewhere cannot touch a surgeon at the usual computer. Elsewhere he can keep a name waiting for as long as
he keeps at it, but by a minute at a time. What is left to him is 1,440 guesses a day, against passwords that are to
withstand ten thousand times as many (`passwords`).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError

_MINUTE_US = 60 * US_PER_S
_HOUR_US = 60 * _MINUTE_US
_DAY_US = 24 * _HOUR_US
HOME_US = 30 * _DAY_US  # for so long an address stays one at which an account is at home
_V6_SITE_BITS = 64  # whoever has one IPv6 address has all of its /64


@dataclass(frozen=True, slots=True)
class Rule:
    """With failure number `first` a wait of a minute begins; each further one doubles it, up to `longest_us`.

    What lies more than `memory_us` before the last failure is forgotten.
    """

    first: int
    longest_us: int
    memory_us: int

    @property
    def reach_us(self) -> int:
        """How old a failure can be and still count."""
        return self.memory_us + self.longest_us

    def free_us(self, failures_us: Iterable[int]) -> int:
        """When the next attempt is looked at (UTC microseconds), after failures at these times; 0: at any time."""
        failures = sorted(failures_us)
        if not failures:
            return 0
        last = failures[-1]
        over = sum(1 for at in failures if at > last - self.memory_us) - self.first
        if over < 0:
            return 0
        doublings = min(over, self.longest_us.bit_length())  # beyond that it is the longest anyway
        return last + min(_MINUTE_US << doublings, self.longest_us)


PAIR = Rule(first=5, longest_us=_HOUR_US, memory_us=_DAY_US)
NAME = Rule(first=20, longest_us=_MINUTE_US, memory_us=_DAY_US)
ADDRESS = Rule(first=30, longest_us=_HOUR_US, memory_us=_HOUR_US)  # a ward's computers may share one
MEMORY_US = max(rule.reach_us for rule in (PAIR, NAME, ADDRESS))


class ThrottledError(OrvaultError):
    """TOO_MANY_ATTEMPTS, with the time until the next attempt is looked at."""

    def __init__(
        self, kind: ErrorKind, message: str, *, where: str = "", advice: str = "", retry_after_s: int = 0
    ) -> None:
        super().__init__(kind, message, where=where, advice=advice)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), {"retry_after_s": self.retry_after_s})


@dataclass(frozen=True, slots=True)
class Keys:
    """What an attempt counts under: digests, because people type passwords into the name field.

    `address` is empty where no address is known.
    """

    pair: str
    name: str
    address: str

    @classmethod
    def of(cls, name: str, client: str, way: str = "sign-in") -> Keys:
        """Of an attempt with this cleaned name from this address; failures of another way in do not count for it."""
        by_name, address = _digest(way, "name", name), _digest(way, "client", _network(client))
        return cls(_digest(way, "pair", by_name + address), by_name, address if client else "")

    def rules(self, *, at_home: bool = False) -> tuple[tuple[str, Rule], ...]:
        """Each key with its rule; or only what holds where the account is at home."""
        wider = () if at_home else ((self.name, NAME), (self.address, ADDRESS))
        return tuple((key, rule) for key, rule in ((self.pair, PAIR), *wider) if key)


class SignInRows(Protocol):
    """Failed attempts under each of their keys, and the pairs at which accounts are at home."""

    def add_failure(self, key: str, at_us: int) -> None: ...
    def drop_failure(self, key: str, at_us: int) -> None:
        """Take one attempt back that turned out not to have failed."""
        ...

    def failures(self, key: str, since_us: int) -> Sequence[int]: ...
    def clear_failures(self, key: str) -> None: ...
    def note_home(self, pair: str, at_us: int) -> None: ...
    def at_home(self, pair: str, since_us: int) -> bool: ...
    def forget(self, failures_before_us: int, homes_before_us: int) -> None:
        """Drop everybody's that are older."""
        ...


def check_wait(
    waits_us: Sequence[int],
    now_us: int,
    message: str = "Too many failed sign-ins for this account name, or from this computer.",
) -> None:
    """Raise ThrottledError while one of these times (`Rule.free_us`) has not come."""
    free_us = max(waits_us, default=0)
    if now_us >= free_us:
        return
    wait_s = -(-(free_us - now_us) // US_PER_S)
    raise ThrottledError(
        ErrorKind.TOO_MANY_ATTEMPTS,
        message,
        advice=f"Try again in {wait_s} seconds.",
        retry_after_s=wait_s,
    )


def _network(client: str) -> str:
    """The address, or the network, that counts as one place; what is no address counts as it is."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed, _V6_SITE_BITS), strict=False))


def _digest(way: str, what: str, text: str) -> str:
    named = f"orvault {way} {what}\0{text}".encode("utf-8", "replace")
    return hashlib.sha256(named).hexdigest()
