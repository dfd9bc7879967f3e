"""The state machine of a room: every state with every signal, races, and what holds whatever arrives when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.clock import US_PER_S
from orvault.custody.control import (
    Action,
    Confirmation,
    ControlPolicy,
    Decision,
    Phase,
    RoomState,
    Signal,
    SignalKind,
    SignalSource,
    Stop,
    decide,
    ripen,
    unconfirmed,
    wants_recording,
)

NOW = 1_000 * US_PER_S
POLICY = ControlPolicy()
START, STOP = SignalKind.START, SignalKind.STOP
GESTURE, PEDAL, PERSON = SignalSource.GESTURE, SignalSource.PEDAL, SignalSource.PERSON


def signal(
    kind: SignalKind, source: SignalSource = PERSON, at_s: float = 0, name: str = "", **more: object
) -> Signal:
    """A signal so many seconds from NOW."""
    at_us = NOW + round(at_s * US_PER_S)
    made = Signal(name or f"{kind}-{source}-{at_s}", "OR 1", kind, source, "device-1", at_us)
    return replace(made, **more)  # type: ignore[arg-type]


def in_phase(phase: Phase) -> RoomState:
    """A room that came into this phase some seconds before NOW."""
    started = NOW - 20 * US_PER_S if phase in {Phase.RECORDING, Phase.STOPPED} else None
    stops = (Stop("before", NOW - 10 * US_PER_S, PERSON, True),) if phase is Phase.STOPPED else ()
    return RoomState(phase, NOW - 25 * US_PER_S, started, stops)


def hear(
    signals: Iterable[Signal],
    state: RoomState | None = None,
    policy: ControlPolicy = POLICY,
    now_us: int = NOW,
) -> list[Decision]:
    """What each of them does, one after the other."""
    state = state or in_phase(Phase.ARMED)
    decisions = []
    for one in signals:
        decisions.append(decide(state, one, policy, now_us))
        state = decisions[-1].state
    return decisions


ACTIONS = {  # phase -> what a start does, what a person's stop does, what a gesture's or pedal's stop does
    Phase.IDLE: (Action.NONE, Action.NONE, Action.NONE),
    Phase.ARMED: (Action.START, Action.NONE, Action.NONE),
    Phase.RECORDING: (Action.NONE, Action.STOP, Action.AWAIT_CONFIRMATION),
    Phase.STOPPED: (Action.START, Action.NONE, Action.NONE),
    Phase.CLOSED: (Action.NONE, Action.NONE, Action.NONE),
}
AFTER = {Action.START: Phase.RECORDING, Action.STOP: Phase.STOPPED}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("kind", SignalKind)
@pytest.mark.parametrize("source", SignalSource)
def test_every_phase_with_every_signal(phase: Phase, kind: SignalKind, source: SignalSource) -> None:
    (decision,) = hear([signal(kind, source)], in_phase(phase))
    start, by_person, by_device = ACTIONS[phase]
    wanted = start if kind is START else by_person if source is PERSON else by_device
    assert decision.action is wanted
    assert decision.state.phase is AFTER.get(wanted, phase)
    assert decision.accepted is (phase not in {Phase.IDLE, Phase.CLOSED})
    assert decision.why


@pytest.mark.parametrize("kind", SignalKind)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"confidence": 0.49}, "uncertain"),
        ({"confidence": float("nan")}, "uncertain"),
        ({"at_us": NOW - 31 * US_PER_S}, "31 s late"),
        ({"at_us": NOW - 26 * US_PER_S}, "before the case was armed"),
    ],
)
def test_what_is_refused_has_no_effect(kind: SignalKind, changes: dict[str, object], why: str) -> None:
    for phase in (Phase.ARMED, Phase.RECORDING, Phase.STOPPED):
        before = in_phase(phase)
        (decision,) = hear([signal(kind, **changes)], before)  # type: ignore[arg-type]
        assert (decision.action, decision.accepted) == (Action.NONE, False) and why in decision.why
        assert replace(decision.state, heard=before.heard) == before


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("one", [signal(kind, source) for kind in SignalKind for source in SignalSource])
def test_the_same_signal_twice_does_nothing_the_second_time(phase: Phase, one: Signal) -> None:
    first, again = hear([one, one], in_phase(phase))
    assert again == Decision(first.state, Action.NONE, False, "it was heard before")


def test_a_stop_older_than_the_start_does_not_stop_it() -> None:
    start, stop = hear([signal(START, at_s=-1), signal(STOP, at_s=-2)])
    assert start.action is Action.START
    assert (stop.action, stop.state.phase) == (Action.NONE, Phase.RECORDING)


def test_a_start_older_than_a_stop_heard_before_starts_nothing() -> None:
    _, start = hear([signal(STOP, at_s=-1), signal(START, at_s=-2)])
    assert start.action is Action.NONE and start.why == "a stop was given after it"
    assert hear([signal(STOP, at_s=-1), signal(START, at_s=-0.5)])[1].action is Action.START


def test_a_start_heard_late_does_not_make_the_newest_one_older() -> None:
    starts = [signal(START, at_s=-1), signal(START, at_s=-3)]
    *_, stop = hear([*starts, signal(STOP, at_s=-2)])
    assert (stop.action, stop.state.phase) == (Action.NONE, Phase.RECORDING)


def test_two_devices_that_see_one_raised_hand_do_not_confirm_each_other() -> None:
    stops = [signal(STOP, GESTURE, at) for at in (-2.0, -1.6)]
    assert [d.action for d in hear(stops, in_phase(Phase.RECORDING))] == [Action.AWAIT_CONFIRMATION] * 2
    both = hear([*stops, signal(STOP, GESTURE, -0.9)], in_phase(Phase.RECORDING))
    assert both[-1].action is Action.STOP


def test_two_devices_that_start_at_once_start_once() -> None:
    decisions = hear([signal(START, GESTURE, name="a"), signal(START, PEDAL, name="b")])
    assert [d.action for d in decisions] == [Action.START, Action.NONE]
    assert all(d.accepted for d in decisions)


def test_a_second_stop_that_comes_too_late_is_a_first_one_again() -> None:
    stops = [signal(STOP, GESTURE, at) for at in (-19, -3)]
    assert [d.action for d in hear(stops, in_phase(Phase.RECORDING))] == [Action.AWAIT_CONFIRMATION] * 2
    third = signal(STOP, GESTURE, -1)
    assert hear([*stops, third], in_phase(Phase.RECORDING))[-1].action is Action.STOP


def test_a_start_between_two_stops_takes_the_first_back_in_whatever_order_they_arrive() -> None:
    signals = [signal(STOP, GESTURE, -4), signal(START, GESTURE, -3), signal(STOP, GESTURE, -2)]
    for order in permutations(signals):
        assert hear(order, in_phase(Phase.RECORDING))[-1].state.phase is Phase.RECORDING


def test_a_dwelling_stop_takes_effect_by_itself_unless_a_start_comes() -> None:
    (stop,) = hear([signal(STOP, PEDAL)], in_phase(Phase.RECORDING))
    assert stop.action is Action.AWAIT_CONFIRMATION
    assert ripen(stop.state, POLICY, NOW + POLICY.dwell_us - 1).action is Action.NONE
    over = ripen(stop.state, POLICY, NOW + POLICY.dwell_us)
    assert (over.action, over.state.phase) == (Action.STOP, Phase.STOPPED)
    assert ripen(over.state, POLICY, NOW + 2 * POLICY.dwell_us).action is Action.NONE
    later = NOW + US_PER_S
    back = decide(stop.state, signal(START, PEDAL, 1), POLICY, later)
    assert back.action is Action.NONE and "taken back" in back.why
    assert ripen(back.state, POLICY, NOW + 60 * US_PER_S).action is Action.NONE


def test_a_stop_that_took_effect_stays_so_under_another_policy() -> None:
    stopped = hear([signal(STOP, PEDAL, -4)], in_phase(Phase.RECORDING))[0].state
    assert stopped.phase is Phase.STOPPED
    strict = replace(POLICY, stop_by_pedal=Confirmation.SECOND_SIGNAL)
    assert ripen(stopped, strict, NOW).action is Action.NONE


def test_a_start_that_no_camera_followed_is_tried_again() -> None:
    (start,) = hear([signal(START)])
    still = replace(start.state, phase=Phase.STOPPED)
    assert ripen(still, POLICY, NOW).action is Action.START
    assert ripen(start.state, POLICY, NOW).action is Action.NONE


def test_a_clock_ahead_does_not_outdo_what_comes_after() -> None:
    start, stop = hear([signal(START, PEDAL, 3600), signal(STOP, PERSON, 0.0)], now_us=NOW)
    assert start.action is Action.START and stop.action is Action.NONE  # at the same time, the start counts
    later = decide(start.state, signal(STOP, PERSON, 1), POLICY, NOW + US_PER_S)
    assert later.action is Action.STOP


def test_what_waits_is_shown_until_it_lapses() -> None:
    (by_hand,) = hear([signal(STOP, GESTURE)], in_phase(Phase.RECORDING))
    (shown,) = unconfirmed(by_hand.state, POLICY, NOW)
    assert (shown.needs, shown.lapsed) == (Confirmation.SECOND_SIGNAL, False)
    assert shown.until_us == NOW + POLICY.within_us
    assert not unconfirmed(by_hand.state, POLICY, shown.until_us)[0].lapsed
    assert unconfirmed(by_hand.state, POLICY, shown.until_us + 1)[0].lapsed
    (by_foot,) = hear([signal(STOP, PEDAL)], in_phase(Phase.RECORDING))
    assert unconfirmed(by_foot.state, POLICY, NOW)[0].until_us == NOW + POLICY.dwell_us
    assert unconfirmed(in_phase(Phase.STOPPED), POLICY, NOW) == ()


# Times are whole, distinct numbers of half seconds, so that confirmation's bounds are met exactly now and then.
TIMES = st.lists(st.integers(-50, 0), unique=True, max_size=8)
POLICIES = st.builds(
    ControlPolicy,
    stop_by_gesture=st.sampled_from(Confirmation),
    stop_by_pedal=st.sampled_from(Confirmation),
    apart_us=st.sampled_from([0, US_PER_S, 3 * US_PER_S]),
    within_us=st.sampled_from([5 * US_PER_S, 15 * US_PER_S]),
    dwell_us=st.sampled_from([US_PER_S, 10 * US_PER_S]),
)


@st.composite
def distinct_signals(draw: st.DrawFn) -> list[Signal]:
    return [
        signal(
            draw(st.sampled_from(SignalKind)),
            draw(st.sampled_from(SignalSource)),
            half / 2,
            f"s{half}",
            confidence=draw(st.sampled_from([0.2, 0.9])),
        )
        for half in draw(TIMES)
    ]


def _end(order: Sequence[Signal], policy: ControlPolicy, now_us: int = NOW) -> RoomState:
    state = in_phase(Phase.ARMED)
    for one in order:
        state = decide(state, one, policy, now_us).state
    return ripen(state, policy, now_us).state


@given(distinct_signals(), POLICIES, st.data())
def test_the_order_of_arrival_does_not_decide_whether_it_records(
    signals: list[Signal], policy: ControlPolicy, data: st.DataObject
) -> None:
    in_time = sorted(signals, key=lambda one: one.at_us)
    order = data.draw(st.permutations(signals))
    assert wants_recording(_end(order, policy)) == wants_recording(_end(in_time, policy))


@given(distinct_signals(), POLICIES)
def test_live_arrival_ends_where_arrival_at_the_end_does(
    signals: list[Signal], policy: ControlPolicy
) -> None:
    """Heard each in its own moment, dwells running out in between, as in an operating room."""
    state = in_phase(Phase.ARMED)
    in_time = sorted(signals, key=lambda one: one.at_us)
    for one in in_time:
        state = ripen(state, policy, one.at_us).state
        state = decide(state, one, policy, one.at_us).state
    state = ripen(state, policy, NOW).state
    assert wants_recording(state) == wants_recording(_end(in_time, policy))
    assert (state.phase is Phase.RECORDING) == wants_recording(state)


@given(distinct_signals(), POLICIES, st.sampled_from(Phase))
def test_nothing_records_without_an_armed_case_and_actions_follow_the_phase(
    signals: list[Signal], policy: ControlPolicy, phase: Phase
) -> None:
    state = in_phase(phase)
    for decision in hear(signals, state, policy):
        if decision.action is Action.START:
            assert state.phase in {Phase.ARMED, Phase.STOPPED}
        if decision.action in {Action.STOP, Action.AWAIT_CONFIRMATION}:
            assert state.phase is Phase.RECORDING
        if state.phase in {Phase.IDLE, Phase.CLOSED}:
            assert decision.state.phase is state.phase
        state = decision.state


@given(distinct_signals(), POLICIES, st.data())
def test_repeats_change_nothing(signals: list[Signal], policy: ControlPolicy, data: st.DataObject) -> None:
    repeated = data.draw(st.permutations(signals * 2))
    firsts = list(dict.fromkeys(one.signal_id for one in repeated))
    by_id = {one.signal_id: one for one in signals}
    assert _end(repeated, policy) == _end([by_id[name] for name in firsts], policy)
