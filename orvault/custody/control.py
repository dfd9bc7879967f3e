"""What a signal does in an operating room: the state machine of its recording, as pure rules.

idle -> armed (case) -> recording -> stopped -> closed. Reading and writing the state, and telling recorders, is
`desks.control`'s; what counts as a gesture or a pressed pedal, the signals' sources decide.

A room is to record when a start was heard under its armed case and no stop given after the newest start took
effect. That depends on which signals were heard and on their times, not on the order in which they arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orvault.clock import US_PER_S
from orvault.custody.case import Case, CaseState, Run

MINUTE_US = 60 * US_PER_S


class SignalKind(StrEnum):
    """What a signal asks for."""

    START = "start"
    STOP = "stop"


class SignalSource(StrEnum):
    """By what means a signal was given."""

    GESTURE = "gesture"
    PEDAL = "pedal"
    PERSON = "person"


class Confirmation(StrEnum):
    """What a stop waits for before it takes effect."""

    NONE = "none"
    SECOND_SIGNAL = "second-signal"
    DWELL = "dwell"


class Phase(StrEnum):
    """Where a room stands; stopped: its armed case was recorded and nothing records now."""

    IDLE = "idle"
    ARMED = "armed"
    RECORDING = "recording"
    STOPPED = "stopped"
    CLOSED = "closed"


class Action(StrEnum):
    """What is to be done now."""

    NONE = "none"
    START = "start"
    STOP = "stop"
    AWAIT_CONFIRMATION = "await-confirmation"


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal. `signal_id` is made by its source once, and stays the same when it is sent again.

    `at_us` is when the hand or foot moved, `confidence` 0 to 1. `evidence` goes to history as canonical JSON:
    ASCII keys; text, integers, lists; no fractions and no pictures.
    """

    signal_id: str
    room: str
    kind: SignalKind
    source: SignalSource
    device: str
    at_us: int
    confidence: float = 1.0
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ControlPolicy:
    """A site's rules for signals. A person's stop needs no confirmation: it comes with its reason."""

    stop_by_gesture: Confirmation = Confirmation.SECOND_SIGNAL
    stop_by_pedal: Confirmation = Confirmation.DWELL
    apart_us: int = US_PER_S  # stops closer together are one act, seen by two devices
    within_us: int = 15 * US_PER_S  # the second signal comes at most so long after the first
    dwell_us: int = 3 * US_PER_S  # a stop that no start takes back for so long takes effect
    least_confidence: float = 0.5
    oldest_us: int = 30 * US_PER_S  # a signal that arrives later is refused
    late_start_us: int = 5 * MINUTE_US  # after the planned start, or the arming if that was later
    reminder_us: int = 15 * MINUTE_US  # between reminders of a reason that is due

    def confirmation(self, source: SignalSource) -> Confirmation:
        """What a stop from this source waits for."""
        return {
            SignalSource.GESTURE: self.stop_by_gesture,
            SignalSource.PEDAL: self.stop_by_pedal,
            SignalSource.PERSON: Confirmation.NONE,
        }[source]

    def patience_us(self, source: SignalSource) -> int:
        """How long a stop from this source waits, for its dwell or for a second signal."""
        return self.dwell_us if self.confirmation(source) is Confirmation.DWELL else self.within_us

    @property
    def memory_us(self) -> int:
        """How old a stop without effect can be and still matter to a signal that arrives now."""
        return self.oldest_us + max(self.within_us, self.dwell_us)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop that was heard; `effective`: it took effect, which later changes of the policy leave as it is."""

    signal_id: str
    at_us: int
    source: SignalSource
    effective: bool = False


@dataclass(frozen=True, slots=True)
class RoomState:
    """What decides in one room: its phase, the newest start heard, the stops given after it, and ids heard."""

    phase: Phase = Phase.IDLE
    armed_us: int = 0
    started_us: int | None = None
    stops: tuple[Stop, ...] = ()
    heard: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a room; `accepted`: the signal is taken into account, even where nothing has to be done."""

    state: RoomState
    action: Action
    accepted: bool
    why: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stop that awaits its confirmation until `until_us`; with a dwell it then takes effect, else it has lapsed."""

    stop: Stop
    needs: Confirmation
    until_us: int
    lapsed: bool


def decide(state: RoomState, signal: Signal, policy: ControlPolicy, now_us: int) -> Decision:
    """What this signal does. Pure; a signal heard before changes nothing."""
    refusal = _refusal(state, signal, policy, now_us)
    heard = replace(state, heard=state.heard | {signal.signal_id})
    if refusal:
        return Decision(heard, Action.NONE, False, refusal)
    # A device's clock may be ahead: its time is then now, or it would outdo every signal until that time comes.
    at_us = min(signal.at_us, now_us)
    if signal.kind is SignalKind.START:
        return _on_start(heard, at_us, policy, now_us)
    return _on_stop(heard, Stop(signal.signal_id, at_us, signal.source), policy, now_us)


def ripen(state: RoomState, policy: ControlPolicy, now_us: int) -> Decision:
    """What time alone brings about: a stop whose dwell is over, a start that no camera could follow yet."""
    state = _with_effects(state, policy, now_us)
    wanted = wants_recording(state)
    if state.phase is Phase.RECORDING and not wanted:
        return Decision(replace(state, phase=Phase.STOPPED), Action.STOP, True, "nobody took the stop back")
    if state.phase in {Phase.ARMED, Phase.STOPPED} and wanted:
        return Decision(
            replace(state, phase=Phase.RECORDING), Action.START, True, "the start was not followed"
        )
    return Decision(state, Action.NONE, True, "")


def wants_recording(state: RoomState) -> bool:
    """Whether the room is to record, by what was heard and took effect so far."""
    return state.started_us is not None and not any(stop.effective for stop in state.stops)


def unconfirmed(state: RoomState, policy: ControlPolicy, now_us: int) -> tuple[Waiting, ...]:
    """The stops that have not taken effect while the room records: those that still wait, and those that lapsed."""
    if state.phase is not Phase.RECORDING:
        return ()
    return tuple(
        Waiting(stop, policy.confirmation(stop.source), until_us, lapsed=now_us > until_us)
        for stop in state.stops
        for until_us in [stop.at_us + policy.patience_us(stop.source)]
        if not stop.effective
    )


def phase_of(case: Case | None, runs: Sequence[Run]) -> Phase:
    """The phase of a room whose current (or last) case is this one, with all its runs."""
    if case is None or case.state is CaseState.PLANNED:
        return Phase.IDLE
    if case.state is CaseState.CLOSED:
        return Phase.CLOSED
    if any(run.recording for run in runs):
        return Phase.RECORDING
    return Phase.STOPPED if runs else Phase.ARMED


def late_since(case: Case, state: RoomState, policy: ControlPolicy, now_us: int) -> int | None:
    """Since when the case should record and nothing was started; None when all is well."""
    stopped_by_somebody = state.started_us is not None and not wants_recording(state)
    if state.phase not in {Phase.ARMED, Phase.STOPPED} or stopped_by_somebody:
        return None
    due_us = max(case.planned_us, state.armed_us)
    return due_us if now_us >= due_us + policy.late_start_us else None


def _refusal(state: RoomState, signal: Signal, policy: ControlPolicy, now_us: int) -> str:
    age_us = now_us - signal.at_us
    rules = (
        (signal.signal_id in state.heard, "it was heard before"),
        (state.phase in {Phase.IDLE, Phase.CLOSED}, "no case is armed in this room"),
        (not signal.confidence >= policy.least_confidence, "it is too uncertain"),
        (
            age_us > policy.oldest_us,
            f"it arrived {age_us / US_PER_S:.0f} s late; is its device's clock right?",
        ),
        (signal.at_us < state.armed_us, "it was given before the case was armed"),
    )
    return next((why for applies, why in rules if applies), "")


def _on_start(state: RoomState, at_us: int, policy: ControlPolicy, now_us: int) -> Decision:
    started_us = at_us if state.started_us is None else max(at_us, state.started_us)
    later = tuple(stop for stop in state.stops if stop.at_us > started_us)
    after = _with_effects(replace(state, started_us=started_us, stops=later), policy, now_us)
    if not wants_recording(after):
        return Decision(after, Action.NONE, True, "a stop was given after it")
    if state.phase is Phase.RECORDING:
        took_back = len(later) < len(state.stops)
        why = "it records; the stop before is taken back" if took_back else "it records already"
        return Decision(after, Action.NONE, True, why)
    return Decision(replace(after, phase=Phase.RECORDING), Action.START, True, "a case is armed")


def _on_stop(state: RoomState, stop: Stop, policy: ControlPolicy, now_us: int) -> Decision:
    if state.started_us is not None and stop.at_us <= state.started_us:
        return Decision(state, Action.NONE, True, "a start was given after it")
    after = _with_effects(replace(state, stops=(*state.stops, stop)), policy, now_us)
    if state.phase is not Phase.RECORDING:
        return Decision(after, Action.NONE, True, "nothing records")
    if wants_recording(after):
        why = f"it awaits confirmation ({policy.confirmation(stop.source).value})"
        return Decision(after, Action.AWAIT_CONFIRMATION, True, why)
    return Decision(replace(after, phase=Phase.STOPPED), Action.STOP, True, "the stop is confirmed")


def _with_effects(state: RoomState, policy: ControlPolicy, now_us: int) -> RoomState:
    """The state with every stop marked that takes effect by now."""
    times = [stop.at_us for stop in state.stops]
    stops = tuple(
        replace(stop, effective=stop.effective or _takes_effect(stop, times, policy, now_us))
        for stop in state.stops
    )
    return replace(state, stops=stops)


def _takes_effect(stop: Stop, times: Sequence[int], policy: ControlPolicy, now_us: int) -> bool:
    rule = policy.confirmation(stop.source)
    if rule is Confirmation.NONE or (rule is Confirmation.DWELL and now_us >= stop.at_us + policy.dwell_us):
        return True
    # The first of the two takes effect, not the second: a start given between them, heard only later, then
    # outdoes the pair, just as it would have broken it in its own time.
    return any(policy.apart_us <= at_us - stop.at_us <= policy.within_us for at_us in times)
