"""Shows in the room what became of a signal: a lamp or a sound, over a serial relay or HTTP.

It fails loudly in the log and nowhere else: nobody waits for it, and nothing depends on it.
"""

from __future__ import annotations

import logging
import queue
import termios
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import quote

import httpx

from actors.http_answer import ask, why_not
from actors.tls import client_context
from orvault.clock import Clock
from orvault.custody.control import Action, Signal, SignalKind
from orvault.custody.desks.control import SignalOutcome
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.serial_pedal import PortPlace, port_error

WAITING = 4  # signs behind the one being shown; more would speak of the past
HTTP_S = 2.0
PLACE = "{word}"  # where a URL takes the word

log = logging.getLogger(__name__)


class Sign(StrEnum):
    """What is shown."""

    STARTED = "started"
    STOPPED = "stopped"
    WAITING = "waiting"
    REFUSED = "refused"
    UNHEARD = "unheard"


def sign_of(signal: Signal, outcome: SignalOutcome) -> Sign:
    """What an outcome looks like; unheard is shown before there is one."""
    if not outcome.accepted:
        return Sign.REFUSED
    if outcome.action is Action.AWAIT_CONFIRMATION:
        return Sign.WAITING
    return Sign.STARTED if signal.kind is SignalKind.START else Sign.STOPPED


class Lamp(Protocol):
    """What a word is sent to."""

    def send(self, word: str) -> None:
        """Errors: OrvaultError."""
        ...


@dataclass(frozen=True)
class SerialLamp:
    """A relay on a serial port; the characters of a word are its bytes (Latin-1)."""

    port: PortPlace

    def send(self, word: str) -> None:
        """Open, write, close: the relay may be unplugged between two words. Errors: UNAVAILABLE, BAD_SETTINGS."""
        with self.port.open() as port:
            try:
                port.write(word.encode("latin-1"))
                port.flush()
            except (
                termios.error
            ) as error:  # unplugged while its bytes went out; no OSError, and the thread's end
                raise port_error(OSError(*error.args), f"serial port {self.port}") from None
            except OSError as error:
                raise port_error(error, f"serial port {self.port}") from None


@dataclass(frozen=True)
class HttpLamp:
    """A relay with a web interface; `{word}` in the URL is the word."""

    url: str
    method: str = "POST"

    def send(self, word: str) -> None:
        """One request. Errors: UNAVAILABLE."""
        try:
            url, trust = self.url.replace(PLACE, quote(word, safe="=&")), client_context(None)
            answer = ask(self.method, url, trust=trust, timeout_s=HTTP_S, max_bytes=None, headers={})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _lamp_error(why_not(error)) from None
        status = answer.status_code
        if not 200 <= status <= 299:
            raise _lamp_error(f"answered {status}")


def _lamp_error(what: str) -> OrvaultError:
    return OrvaultError(ErrorKind.UNAVAILABLE, f"It {what}.", where="feedback.url")


@dataclass(frozen=True)
class FeedbackPlan:
    """What to send for each sign; one without a word is not shown. `clear` follows after `hold_s`, if given."""

    lamp: Lamp
    words: Mapping[Sign, str]
    clear: str = ""
    hold_s: float = 1.0


class Feedback:
    """Shows signs one after the other, in a thread of its own."""

    def __init__(self, room: str, plan: FeedbackPlan, clock: Clock) -> None:
        self._room, self._plan, self._clock = room, plan, clock
        self._signs: queue.Queue[Sign] = queue.Queue(WAITING)
        threading.Thread(target=self._show_for_ever, name="feedback", daemon=True).start()

    def show(self, sign: Sign) -> None:
        """Have it shown; returns at once."""
        if not self._plan.words.get(sign):
            return
        try:
            self._signs.put_nowait(sign)
        except queue.Full:
            log.error("%s: feedback %r is not shown: earlier ones still wait", self._room, sign.value)

    def _show_for_ever(self) -> None:
        while True:
            sign = self._signs.get()
            self._send(self._plan.words[sign], sign.value)
            if self._plan.clear:
                self._clock.sleep(self._plan.hold_s)
                self._send(self._plan.clear, "clear")

    def _send(self, word: str, what: str) -> None:
        try:
            self._plan.lamp.send(word)
        except OrvaultError as error:
            log.error("%s: feedback %r is not shown: %s", self._room, what, error)
