"""A foot switch's movements in time: bounces, both kinds of pedal, what counts after nobody looked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.pedal import Movement, Pedal, PedalEvent, PedalMode, PedalRules
from orvault.recording.pedal_messages import MOST_LINE_BYTES, Framing, Messages, Patterns

DOWN, UP, PRESS = Movement.PRESSED, Movement.RELEASED, Movement.PRESS
MS = 1000
DEBOUNCE_US = 30 * MS


def played(pedal: Pedal, *movements: tuple[int, Movement | None]) -> list[PedalEvent]:
    """What comes of movements at these milliseconds; None: only time has passed."""
    events = [
        pedal.tick(at * MS) if movement is None else pedal.take(movement, at * MS)
        for at, movement in movements
    ]
    return [event for event in events if event is not None]


def at_rest(mode: PedalMode = PedalMode.MAINTAINED) -> Pedal:
    """A pedal that was seen to be up."""
    pedal = Pedal(PedalRules(mode, DEBOUNCE_US))
    assert played(pedal, (0, UP), (50, UP)) == []
    return pedal


def test_a_maintained_pedal_is_on_while_it_is_down() -> None:
    events = played(at_rest(), (100, DOWN), (120, DOWN), (130, DOWN), (500, UP), (520, None), (530, None))
    assert events == [PedalEvent(True, 100 * MS), PedalEvent(False, 500 * MS)]


def test_each_press_of_a_momentary_pedal_means_the_other() -> None:
    pedal = at_rest(PedalMode.MOMENTARY)
    presses = [
        (at + step, what)
        for at in (100, 300, 500)
        for step, what in ((0, DOWN), (40, None), (60, UP), (99, None))
    ]
    assert played(pedal, *presses) == [
        PedalEvent(on, at * MS) for on, at in ((True, 100), (False, 300), (True, 500))
    ]


def test_a_momentary_pedal_follows_the_room() -> None:
    pedal = at_rest(PedalMode.MOMENTARY)
    pedal.follow(True)  # somebody raised a hand
    assert played(pedal, (100, DOWN), (140, None)) == [PedalEvent(False, 100 * MS)]


def test_what_bounces_is_one_movement_and_a_short_pulse_is_none() -> None:
    bounces = [(100 + step, DOWN if step % 2 == 0 else UP) for step in range(9)]
    assert played(at_rest(), *bounces, (137, None), (138, None)) == [PedalEvent(True, 108 * MS)]
    assert played(at_rest(), (100, DOWN), (129, UP), (300, None)) == []


def test_a_pedal_found_down_at_the_start_is_on_only_if_it_is_maintained() -> None:
    found = [(0, DOWN), (30, DOWN)]
    assert played(Pedal(PedalRules(debounce_us=DEBOUNCE_US)), *found) == [PedalEvent(True, 0, found=True)]
    momentary = Pedal(PedalRules(PedalMode.MOMENTARY, DEBOUNCE_US))
    assert played(momentary, *found, (60, UP), (90, None)) == []
    assert played(momentary, (200, DOWN), (230, None)) == [PedalEvent(True, 200 * MS)]


@pytest.mark.parametrize("mode", PedalMode)
def test_a_pedal_that_comes_back_as_it_was_says_nothing(mode: PedalMode) -> None:
    for position in (DOWN, UP):
        pedal = at_rest(mode)
        played(pedal, (100, position), (130, None))
        pedal.lost()
        assert played(pedal, (900, position), (990, position)) == []


def test_a_maintained_pedal_that_comes_back_up_stops_nothing_and_down_starts() -> None:
    pedal = at_rest()
    assert len(played(pedal, (100, DOWN), (130, None))) == 1
    pedal.lost()
    assert played(pedal, (900, UP), (990, UP)) == []
    pedal.lost()
    assert played(pedal, (2000, DOWN), (2030, DOWN)) == [PedalEvent(True, 2000 * MS, found=True)]
    assert played(pedal, (3000, UP), (3030, UP)) == [PedalEvent(False, 3000 * MS)]


def test_a_movement_that_unplugging_cut_short_is_none() -> None:
    pedal = at_rest()
    played(pedal, (100, DOWN))
    pedal.lost()
    assert pedal.due_us is None and played(pedal, (900, UP), (990, UP)) == []


def test_messages_are_movements_even_the_first_one_after_a_loss() -> None:
    pedal = Pedal(PedalRules(debounce_us=DEBOUNCE_US, tells_positions=False))
    assert played(pedal, (0, UP), (50, None)) == []
    assert played(pedal, (100, DOWN), (130, None)) == [PedalEvent(True, 100 * MS)]
    pedal.lost()
    assert played(pedal, (900, UP), (930, None)) == [PedalEvent(False, 900 * MS)]


def test_presses_without_a_release_toggle_and_repeat_at_most_at_the_debounce() -> None:
    pedal = Pedal(PedalRules(PedalMode.MOMENTARY, DEBOUNCE_US, tells_positions=False))
    events = played(pedal, (100, PRESS), (120, PRESS), (149, PRESS), (200, PRESS))
    assert events == [PedalEvent(True, 100 * MS), PedalEvent(False, 200 * MS)]


def test_a_clock_that_is_set_back_delays_nothing_for_long() -> None:
    pedal = at_rest()
    assert played(pedal, (5000, DOWN), (1000, DOWN), (1029, DOWN), (1030, DOWN)) == [
        PedalEvent(True, 1000 * MS)
    ]


@given(st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=60))
def test_a_maintained_pedal_never_says_the_same_twice(steps: list[tuple[int, bool]]) -> None:
    pedal, now, said = at_rest(), 100, []
    for wait, pressed in steps:
        now += wait
        said += [event.on for event in played(pedal, (now, DOWN if pressed else UP))]
    said += [event.on for event in played(pedal, (now + 100, None))]
    assert said == [place % 2 == 0 for place in range(len(said))]
    assert pedal.pressed == (said[-1] if said else False)


def test_debounce_is_bounded() -> None:
    with pytest.raises(OrvaultError) as caught:
        PedalRules(debounce_us=2_000_000)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS


LINES = Patterns("PEDAL ? down", "PEDAL ? up")


@pytest.mark.parametrize("cuts", [1, 2, 3, 7, 100])
def test_lines_are_found_however_they_arrive(cuts: int) -> None:
    data = b"noise\r\nPEDAL 1 down\r\n\nPEDAL 1 up\rPEDAL 22 down\nPEDAL 3 down\nPEDAL 1 u"
    messages = Messages(LINES)
    found = [one for at in range(0, len(data), cuts) for one in messages.feed(data[at : at + cuts])]
    assert found == [DOWN, UP, DOWN]


@pytest.mark.parametrize("cuts", [1, 2, 3, 100])
def test_bytes_are_found_wherever_they_stand(cuts: int) -> None:
    messages = Messages(Patterns("\x02\xff\x01", "\x02\xff\x00", Framing.BYTES))
    data = b"\x02\x02\xff\x01..\x02\xff\x00\x02\xff\x02\xff\x01"
    found = [one for at in range(0, len(data), cuts) for one in messages.feed(data[at : at + cuts])]
    assert found == [DOWN, UP, DOWN]


def test_a_pedal_that_only_tells_presses() -> None:
    assert Messages(Patterns("P")).feed(b"P\nx\nP\n") == [PRESS, PRESS]


def test_a_flood_without_an_end_of_line_holds_no_memory_and_does_not_hide_what_follows() -> None:
    messages = Messages(LINES)
    for _ in range(1000):
        assert messages.feed(b"x" * 300) == []
    assert len(messages._rest) <= MOST_LINE_BYTES
    assert messages.feed(b"PEDAL 1 down\nPEDAL 1 up\n") == [
        UP
    ]  # the first belongs to the line that was too long
    bytes_ = Messages(Patterns("ab", "cd", Framing.BYTES))
    for _ in range(1000):
        assert bytes_.feed(b"xacx" * 100) == []
    assert len(bytes_._rest) < 4


@given(st.binary(max_size=600))
def test_garbage_never_raises(data: bytes) -> None:
    for patterns in (LINES, Patterns("\x01", "\x02", Framing.BYTES)):
        Messages(patterns).feed(data)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Patterns(""),
        lambda: Patterns("1", "1"),
        lambda: Patterns("x" * 65),
        lambda: Patterns("발판"),
        lambda: Patterns("ab", "b", Framing.BYTES),
    ],
)
def test_patterns_that_cannot_work_are_refused(make: object) -> None:
    with pytest.raises(OrvaultError) as caught:
        make()  # type: ignore[operator]
    assert caught.value.kind is ErrorKind.BAD_SETTINGS
