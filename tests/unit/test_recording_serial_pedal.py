"""A foot switch on a real pseudo-terminal, and on an injected modem line: pressed, unplugged, found again."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orvault.clock import US_PER_S, FakeClock, SystemClock
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.pedal import Movement, PedalEvent, PedalMode, PedalRules
from orvault.recording.pedal_messages import Patterns
from orvault.recording.serial_pedal import (
    POLL_S,
    LineContact,
    ModemLine,
    PedalReader,
    PedalStatus,
    PedalWiring,
    PortPlace,
    UsbIdentity,
)
from tests.unit.actors_support import eventually

PATTERNS = Patterns("down", "up")
MESSAGES = PedalRules(debounce_us=5000, tells_positions=False)


@dataclass
class Pty:
    """Both ends of a serial cable."""

    master: int = -1
    slave: int = -1

    def __post_init__(self) -> None:
        self.master, self.slave = os.openpty()

    @property
    def device(self) -> str:
        return os.ttyname(self.slave)

    def say(self, data: bytes) -> None:
        os.write(self.master, data)

    def unplug(self) -> None:
        for end in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def plug() -> Iterator[Callable[[], Pty]]:
    made: list[Pty] = []

    def new() -> Pty:
        made.append(Pty())
        return made[-1]

    yield new
    for pty in made:
        pty.unplug()


@dataclass
class Adapter:
    """A port as pyserial lists it."""

    device: str
    vid: int | None = 0x0403
    pid: int | None = 0x6001
    serial_number: str | None = "A1"


@dataclass
class Running:
    """A reader in a thread, and what it said."""

    wiring: PedalWiring
    events: list[bool] = field(default_factory=list)
    changes: list[PedalStatus] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        clock = SystemClock()
        self.reader = PedalReader(
            "OR 1", self.wiring.rules, lambda: self.wiring.open(clock), clock, self._note, self.changes.append
        )
        self.thread = threading.Thread(target=self.reader.run, args=(self.over.is_set,), daemon=True)
        self.thread.start()

    def _note(self, event: PedalEvent) -> None:
        self.events.append(event.on)

    def end(self) -> None:
        self.over.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def run() -> Iterator[Callable[[PedalWiring], Running]]:
    made: list[Running] = []

    def start(wiring: PedalWiring) -> Running:
        made.append(Running(wiring))
        return made[-1]

    yield start
    for running in made:
        running.end()


def ready(running: Running) -> None:
    eventually(lambda: running.reader.status.ready, "the pedal is there")


def test_lines_on_a_real_port_become_starts_and_stops(
    plug: Callable[[], Pty], run: Callable[..., Running]
) -> None:
    pty = plug()
    running = run(PedalWiring(PortPlace(pty.device), MESSAGES, messages=PATTERNS))
    ready(running)
    pty.say(b"\xff\x00 garbage\r\ndo")
    pty.say(b"wn\r\n")
    eventually(lambda: running.events == [True], "a start")
    pty.say(b"up\n")
    eventually(lambda: running.events == [True, False], "a stop")


def test_a_pedal_that_is_unplugged_keeps_its_state_and_is_found_by_its_identity(
    plug: Callable[[], Pty], run: Callable[..., Running]
) -> None:
    first = plug()
    listed = [Adapter("/dev/null", vid=1), Adapter(first.device)]
    place = PortPlace(usb=UsbIdentity(0x0403, 0x6001, "A1"), listed=lambda: list(listed))
    running = run(PedalWiring(place, MESSAGES, messages=PATTERNS))
    ready(running)
    first.say(b"down\n")
    eventually(lambda: running.events == [True], "a start")
    listed.clear()
    first.unplug()
    eventually(lambda: running.reader.status.detail == "It is not plugged in.", "the alarm")
    assert running.events == [True] and running.reader.pedal.pressed
    second = plug()
    listed.append(Adapter(second.device))
    ready(running)
    assert running.events == [True]
    second.say(b"down\nup\n")  # it is down already; then it comes up
    eventually(lambda: running.events == [True, False], "a stop")
    states = [status.ready for status in running.changes]
    assert states[0] is states[-1] is True and False in states


def test_what_was_sent_while_nobody_listened_is_of_the_past(
    plug: Callable[[], Pty], run: Callable[..., Running]
) -> None:
    pty = plug()
    pty.say(b"down\n")
    running = run(PedalWiring(PortPlace(pty.device), MESSAGES, messages=PATTERNS))
    ready(running)
    pty.say(b"up\ndown\n")
    eventually(lambda: running.events == [True], "one start")


def test_a_port_without_modem_lines_is_an_alarm_in_words(
    plug: Callable[[], Pty], run: Callable[..., Running]
) -> None:
    pty = plug()
    running = run(PedalWiring(PortPlace(pty.device), PedalRules(), line=ModemLine.CTS))
    eventually(lambda: "It cannot be used" in running.reader.status.detail, "the alarm")
    assert not running.reader.status.ready and running.events == []


def test_a_port_that_is_not_there_and_adapters_that_cannot_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(OrvaultError) as caught:
        PortPlace(str(tmp_path / "ttyUSB9")).open()
    assert caught.value.kind is ErrorKind.UNAVAILABLE and "No such file" in caught.value.message
    two = [Adapter("/dev/a", serial_number="A"), Adapter("/dev/b", serial_number="B")]
    with pytest.raises(OrvaultError) as caught:
        PortPlace(usb=UsbIdentity(0x0403, 0x6001), listed=lambda: two).find()
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and "/dev/a, /dev/b" in caught.value.message
    assert PortPlace(usb=UsbIdentity(0x0403, 0x6001, "B"), listed=lambda: two).find() == "/dev/b"


def test_a_port_is_for_one_reader_only(plug: Callable[[], Pty]) -> None:
    pty = plug()
    held = PortPlace(pty.device).open()
    with pytest.raises(OrvaultError) as caught:
        PortPlace(pty.device).open()
    held.close()
    assert caught.value.kind is ErrorKind.UNAVAILABLE


class Line:
    """A contact whose positions are given one by one; `None` is the cable pulled out. It ends the reader."""

    def __init__(self, positions: Sequence[bool | None]) -> None:
        self._positions = iter(positions)
        self.over = False

    def pressed(self) -> bool:
        position = next(self._positions, "over")
        if position == "over":
            self.over = True
            return False
        if position is None:
            raise OSError(5, "Input/output error")
        return bool(position)


def read(
    positions: Sequence[bool | None], mode: PedalMode = PedalMode.MAINTAINED
) -> tuple[list[PedalEvent], list[bool]]:
    """What a contact with these positions, one look each, says; and when it was away."""
    line, clock = Line(positions), FakeClock(us=0)
    events: list[PedalEvent] = []
    changes: list[bool] = []
    rules = PedalRules(mode)
    reader = PedalReader(
        "OR 1",
        rules,
        lambda: LineContact(line.pressed, clock),
        clock,
        events.append,
        lambda status: changes.append(status.ready),
    )
    reader.run(lambda: line.over)
    return events, changes


UP, DOWN, PULLED = [False] * 4, [True] * 4, None


def test_a_contact_is_heard_within_a_tenth_of_a_second() -> None:
    line, clock = Line([*UP, *DOWN, *UP]), FakeClock(us=0)
    late_us: list[int] = []
    reader = PedalReader(
        "OR 1",
        PedalRules(),
        lambda: LineContact(line.pressed, clock),
        clock,
        lambda event: late_us.append(clock.now_us() - event.at_us),
    )
    reader.run(lambda: line.over)
    assert (
        len(late_us) == 2 and max(late_us) + round(POLL_S * US_PER_S) < 100_000
    )  # the edge lies at most one look before `at_us`


def test_a_contact_through_unplugging() -> None:
    events, changes = read([*UP, *DOWN, PULLED, *DOWN, PULLED, *UP, *DOWN, *UP])
    assert [(event.on, event.found) for event in events] == [(True, False), (True, False), (False, False)]
    assert changes == [True, False, True, False, True]


def test_a_momentary_contact_toggles_and_is_not_pressed_by_the_start() -> None:
    events, _ = read([*DOWN, *UP, *DOWN, *UP, *DOWN, *UP], PedalMode.MOMENTARY)
    assert [event.on for event in events] == [True, False]


def test_a_contact_is_read_as_it_is_wired(monkeypatch: pytest.MonkeyPatch) -> None:
    class Port:
        cts, dsr, cd = True, False, True

        def close(self) -> None:
            return

    monkeypatch.setattr(PortPlace, "open", lambda _self: Port())
    clock = FakeClock()

    def position(**wiring: object) -> Movement:
        contact = PedalWiring(PortPlace("x"), PedalRules(), **wiring).open(clock)  # type: ignore[arg-type]
        (movement,) = contact.wait(0.0)
        return movement

    assert position(line=ModemLine.CTS) is position(line=ModemLine.DCD) is Movement.PRESSED
    assert position(line=ModemLine.DSR) is position(line=ModemLine.CTS, inverted=True) is Movement.RELEASED
