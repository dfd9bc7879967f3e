"""Reads a foot switch from a serial port, through unplugging: a contact on a modem line, or messages.

What its movements mean is pedal.py's. A pedal that is away is said aloud once, looked for at each interval, and found
again by its USB identity, whatever device name it then has.
"""

from __future__ import annotations

import logging
import os
import select
import termios
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import serial
from serial.tools.list_ports import comports

from orvault.clock import US_PER_S, Clock
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.pedal import Movement, Pedal, PedalEvent, PedalRules
from orvault.recording.pedal_messages import Messages, Patterns

POLL_S = 0.01  # between two looks at a modem line: a hundredth of a core
IDLE_S = 0.5  # a port that tells by itself is left alone for so long
RETRY_S = 0.5  # between attempts to find a pedal that is away
_READ_BYTES = 256
_PORT_ERRORS = (OSError, termios.error)  # pyserial's own error is an OSError

log = logging.getLogger(__name__)


class ModemLine(StrEnum):
    """The input that a contact closes. RTS and DTR are switched on, to feed it."""

    CTS = "cts"
    DSR = "dsr"
    DCD = "cd"


@dataclass(frozen=True)
class UsbIdentity:
    """Which USB adapter it is; without a serial number, the only one of its kind."""

    vendor_id: int
    product_id: int
    serial_number: str = ""

    def __str__(self) -> str:
        number = f":{self.serial_number}" if self.serial_number else ""
        return f"{self.vendor_id:04x}:{self.product_id:04x}{number}"


class UsbPort(Protocol):
    """What is known of a serial port of this machine; pyserial's `ListPortInfo`."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None


@dataclass(frozen=True)
class PortPlace:
    """A serial port: by device name, or by USB identity, which stays when the name changes."""

    device: str = ""
    usb: UsbIdentity | None = None
    baud: int = 9600
    listed: Callable[[], Iterable[UsbPort]] = field(default=comports, repr=False)

    def __str__(self) -> str:
        return str(self.usb) if self.usb is not None else self.device

    def find(self) -> str:
        """The device name it has now. Errors: UNAVAILABLE (not plugged in), BAD_SETTINGS (several fit)."""
        if self.usb is None:
            return self.device
        fitting = sorted(port.device for port in self.listed() if _fits(port, self.usb))
        if not fitting:
            raise OrvaultError(ErrorKind.UNAVAILABLE, "It is not plugged in.", where=f"serial port {self}")
        if len(fitting) > 1:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                f"{len(fitting)} adapters fit: {', '.join(fitting)}.",
                where=f"serial port {self}",
                advice="Name the serial number, too.",
            )
        return fitting[0]

    def open(self) -> serial.Serial:
        """The port, for nobody else. Errors: UNAVAILABLE, BAD_SETTINGS."""
        device = self.find()
        try:
            return serial.Serial(device, self.baud, timeout=0, write_timeout=1.0, exclusive=True)
        except (*_PORT_ERRORS, ValueError) as error:
            raise port_error(error, f"serial port {self}") from None


def _fits(port: UsbPort, usb: UsbIdentity) -> bool:
    same_kind = (port.vid, port.pid) == (usb.vendor_id, usb.product_id)
    return same_kind and usb.serial_number in ("", port.serial_number)


def port_error(error: BaseException, where: str) -> OrvaultError:
    """UNAVAILABLE in the system's own words."""
    number = getattr(error, "errno", None)
    words = os.strerror(number) if number else "the connection broke"
    advice = (
        "Give this account access to serial ports (group dialout)." if number == 13 else "Is it plugged in?"
    )
    return OrvaultError(ErrorKind.UNAVAILABLE, f"It cannot be used: {words}.", where=where, advice=advice)


@dataclass(frozen=True)
class PedalWiring:
    """A pedal and how it is connected: a contact on `line` (`inverted`: it opens when pressed), or `messages`."""

    port: PortPlace
    rules: PedalRules
    line: ModemLine | None = None
    inverted: bool = False
    messages: Patterns | None = None

    def open(self, clock: Clock) -> Contact:
        """Connect. Errors: UNAVAILABLE, BAD_SETTINGS."""
        port = self.port.open()
        if self.messages is not None:
            return MessageContact(port, self.messages)
        name = (self.line or ModemLine.CTS).value
        return LineContact(lambda: bool(getattr(port, name)) is not self.inverted, clock, port.close)


class Contact(Protocol):
    """An open pedal. What it raises when it is gone is an OSError or a termios.error."""

    def wait(self, seconds: float) -> Sequence[Movement]:
        """What moved, or where it stands, within so long at most."""
        ...

    def close(self) -> None:
        """Let go of it; twice is harmless."""
        ...


class LineContact:
    """A contact that has to be asked; `pressed` does that."""

    def __init__(
        self, pressed: Callable[[], bool], clock: Clock, close: Callable[[], None] = lambda: None
    ) -> None:
        self._pressed, self._clock, self.close = pressed, clock, close

    def wait(self, seconds: float) -> Sequence[Movement]:
        """Where it stands after a short while."""
        self._clock.sleep(min(seconds, POLL_S))
        return [Movement.PRESSED if self._pressed() else Movement.RELEASED]


class MessageContact:
    """A port that sends by itself."""

    def __init__(self, port: serial.Serial, patterns: Patterns) -> None:
        self._port = port
        self._messages = Messages(patterns)
        port.reset_input_buffer()  # what was sent while nobody looked is of the past

    def wait(self, seconds: float) -> Sequence[Movement]:
        """What came."""
        ready, _, _ = select.select([self._port.fileno()], [], [], seconds)
        return self._messages.feed(self._port.read(_READ_BYTES)) if ready else []

    def close(self) -> None:
        """Let go of the port."""
        self._port.close()


@dataclass(frozen=True)
class PedalStatus:
    """Whether the pedal can be read, since when that is so, and why not."""

    ready: bool
    since_us: int
    detail: str = ""


def _never() -> bool:
    return False


class PedalReader:
    """One pedal for ever: `on_event` hears starts and stops, `on_change` hears when it is away and back."""

    def __init__(
        self,
        name: str,
        rules: PedalRules,
        open_contact: Callable[[], Contact],
        clock: Clock,
        on_event: Callable[[PedalEvent], None],
        on_change: Callable[[PedalStatus], None] = lambda _status: None,
    ) -> None:
        self._name, self._open, self._clock = name, open_contact, clock
        self._on_event, self._on_change = on_event, on_change
        self.pedal = Pedal(rules)
        self.status = PedalStatus(False, clock.now_us(), "It was not looked for yet.")

    def run(self, stopping: Callable[[], bool] = _never) -> None:
        """Read until told to stop; blocks."""
        while not stopping():
            try:
                with closing(self._open()) as contact:
                    self._listen(contact, stopping)
            except OrvaultError as error:
                self._away(error)
            except _PORT_ERRORS as error:
                self._away(port_error(error, f"pedal {self._name}"))
            if not stopping():
                self._clock.sleep(RETRY_S)

    def _listen(self, contact: Contact, stopping: Callable[[], bool]) -> None:
        movements = contact.wait(0.0)  # it answers: only now it is there
        self._back(movements)
        while not stopping():
            now_us = self._clock.now_us()
            for event in (*(self.pedal.take(one, now_us) for one in movements), self.pedal.tick(now_us)):
                if event is not None:
                    self._on_event(event)
            due_us = self.pedal.due_us
            soon_s = IDLE_S if due_us is None else max(0.0, (due_us - now_us) / US_PER_S)
            movements = contact.wait(min(soon_s, IDLE_S))

    def _away(self, error: OrvaultError) -> None:
        self.pedal.lost()
        if self.status.ready or self.status.detail != error.message:
            log.error("pedal %s is away: %s", self._name, error)
            since_us = self._clock.now_us() if self.status.ready else self.status.since_us
            self._change(PedalStatus(False, since_us, error.message))

    def _back(self, movements: Sequence[Movement]) -> None:
        if self.pedal.pressed and Movement.RELEASED in movements:
            log.error("pedal %s was down and is found up; that alone stops nothing", self._name)
        log.info("pedal %s is there", self._name)
        self._change(PedalStatus(True, self._clock.now_us()))

    def _change(self, status: PedalStatus) -> None:
        self.status = status
        self._on_change(status)
