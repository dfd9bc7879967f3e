"""Signals and the reasons that stops owe, as the ledger keeps them, and what custody asks of the ledger for them.

What a signal does is decided in `control`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from orvault.custody.control import Action, Signal, SignalKind, SignalSource
from orvault.custody.history import canonical
from orvault.custody.text import MAX_TIME_US, clean_text
from orvault.errors import ErrorKind, OrvaultError

MAX_EVIDENCE = 4096  # characters of canonical JSON


class Standing(StrEnum):
    """What became of a signal. A lapsed stop may still be confirmed by one that was given in time."""

    REFUSED = "refused"
    HEARD = "heard"
    WAITING = "waiting"
    LAPSED = "lapsed"
    TAKEN_BACK = "taken-back"
    EFFECTIVE = "effective"
    FAILED = "failed"


UNCOUNTED = frozenset({Standing.REFUSED, Standing.FAILED})  # these decide nothing about what comes later


@dataclass(frozen=True, slots=True)
class KeptSignal:
    """A signal with what was decided on it; `at_us` is at most `heard_us`. Its evidence stands in history."""

    signal_id: str
    room: str
    case_id: str | None
    kind: SignalKind
    source: SignalSource
    device: str
    at_us: int
    heard_us: int
    confidence_permille: int
    action: Action
    standing: Standing
    why: str

    def repeats(self, signal: Signal) -> bool:
        """Whether `signal` is this one, sent again."""
        mine = (self.room, self.kind, self.source, self.device)
        return mine == (signal.room, signal.kind, signal.source, signal.device)


@dataclass(frozen=True, slots=True)
class StopReason:
    """Why a recording was stopped before its case's end; `reason` is None while it is due."""

    reason_id: str
    case_id: str
    signal_id: str
    since_us: int
    run_ids: tuple[str, ...]
    reason: str | None = None
    given_us: int | None = None
    given_by: str | None = None
    reminders: int = 0
    reminded_us: int | None = None


def checked(signal: Signal) -> Signal:
    """The signal with its texts cleaned; BAD_REQUEST for what no source of ours would send."""
    if not 0 <= signal.confidence <= 1:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "A confidence lies between 0 and 1.", where="confidence")
    if not 0 <= signal.at_us <= MAX_TIME_US:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "This is not a time of our days.", where="at_us")
    if len(canonical(signal.evidence)) > MAX_EVIDENCE:
        message = f"The evidence is longer than {MAX_EVIDENCE} characters."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="evidence", advice="Send key points only.")
    return replace(
        signal,
        signal_id=clean_text(signal.signal_id, "signal_id", longest=64),
        room=clean_text(signal.room, "room", longest=128),
        device=clean_text(signal.device, "device", longest=57),  # history's actor is device:DEVICE
    )


class SignalRows(Protocol):
    """Signals, kept for ever: a repeated one must be known however late it comes."""

    def add(self, signal: KeptSignal) -> None: ...
    def get(self, signal_id: str) -> KeptSignal | None: ...
    def newest_starts(self, case_ids: Collection[str]) -> Mapping[str, int]:
        """When the newest start that counts was given under each of these cases, where there is one."""
        ...

    def stops(self, after_us: Mapping[str, int], since_us: int) -> Sequence[KeptSignal]:
        """Stops that count under these cases, each given after its case's time: from `since_us` on, and older ones
        that wait or took effect.
        """
        ...

    def waiting(self) -> Sequence[KeptSignal]:
        """Every stop that awaits its confirmation."""
        ...

    def settle(self, signal_ids: Collection[str], standing: Standing) -> None: ...


class ReasonRows(Protocol):
    """Reasons that stops owe or owed."""

    def add(self, reason: StopReason) -> None: ...
    def get(self, reason_id: str) -> StopReason | None: ...
    def put(self, reason: StopReason) -> None: ...
    def due(self) -> Sequence[StopReason]:
        """Those not given yet, the oldest first."""
        ...
