"""The settings of hands-free triggers: a room's foot switch, its gestures, and the lamp that answers."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from actors.feedback import PLACE, FeedbackPlan, HttpLamp, SerialLamp, Sign
from orvault.errors import OrvaultError
from orvault.recording.pedal import PedalMode, PedalRules
from orvault.recording.pedal_messages import Framing, Patterns
from orvault.recording.serial_pedal import ModemLine, PedalWiring, PortPlace, UsbIdentity
from orvault.vision.gesture import GestureRules

_USB = r"^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(:[!-~]{1,64})?$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _SerialPort(_Part):
    port: str = Field(default="", max_length=200, description="The serial device's name, e.g. /dev/ttyS0.")
    usb: str = Field(
        default="",
        description="Or its USB adapter, VENDOR:PRODUCT or VENDOR:PRODUCT:SERIAL; outlives replugging.",
    )
    baud: int = Field(default=9600, ge=300, le=921_600, description="Speed of the serial port.")

    @model_validator(mode="after")
    def _usb_can_be_read(self) -> Self:
        if self.usb and not re.fullmatch(_USB, self.usb):
            raise ValueError(
                "usb is VENDOR:PRODUCT:SERIAL, four hexadecimal digits each, e.g. 0403:6001:A50285BI"
            )
        return self

    def place(self) -> PortPlace:
        """The port as those who open it take it."""
        if not self.usb:
            return PortPlace(self.port, baud=self.baud)
        vendor, product, *serial = self.usb.split(":", 2)
        return PortPlace(usb=UsbIdentity(int(vendor, 16), int(product, 16), "".join(serial)), baud=self.baud)


class PedalSettings(_SerialPort):
    """A foot switch: a contact on a modem line (`line`), or messages (`pressed`, `released`)."""

    name: str = Field(
        default="pedal", min_length=1, max_length=64, description="Stands in history for this pedal."
    )
    line: Literal["cts", "dsr", "dcd"] | None = Field(
        default=None, description="The modem line that the contact closes, fed from RTS or DTR."
    )
    inverted: bool = Field(default=False, description="The contact opens when pressed.")
    pressed: str = Field(
        default="", description="What it sends when pressed; in lines * and ? stand for others."
    )
    released: str = Field(default="", description="What it sends when released; empty: nothing.")
    framing: Literal["lines", "bytes"] = Field(default="lines", description="How that stands in the stream.")
    mode: Literal["maintained", "momentary"] = Field(
        default="maintained", description="maintained: down is on. momentary: each press means the other."
    )
    debounce_ms: int = Field(default=20, ge=5, le=1000, description="So long a position must last to count.")

    @model_validator(mode="after")
    def _one_port_and_one_kind(self) -> Self:
        if bool(self.port) == bool(self.usb):
            raise ValueError("a pedal has either a port or a usb identity")
        if (self.line is None) == (not self.pressed):
            raise ValueError("a pedal has either a line (a contact) or what it sends when pressed")
        if self.pressed and not self.released and self.mode == "maintained":
            raise ValueError("a maintained pedal says when it is released; without that it is momentary")
        try:
            self.wiring()
        except OrvaultError as error:
            raise ValueError(error.message) from None
        return self

    def wiring(self) -> PedalWiring:
        """The pedal as its reader takes it."""
        rules = PedalRules(PedalMode(self.mode), self.debounce_ms * 1000, self.line is not None)
        if self.line is not None:
            line = {"cts": ModemLine.CTS, "dsr": ModemLine.DSR, "dcd": ModemLine.DCD}[self.line]
            return PedalWiring(self.place(), rules, line=line, inverted=self.inverted)
        patterns = Patterns(self.pressed, self.released, Framing(self.framing))
        return PedalWiring(self.place(), rules, messages=patterns)


class GestureSettings(_Part):
    """Raised hands: the right one starts, the left one stops."""

    camera: str = Field(description="The camera that sees them; its sub_source is looked at, if it has one.")
    enabled: bool = Field(default=True, description="false: hands mean nothing in this room.")
    dwell_s: float = Field(
        default=1.0, ge=0.2, le=10, description="A hand is up for so long before it counts."
    )
    cool_down_s: float = Field(default=3.0, ge=0, le=60, description="After a signal, none for so long.")
    pictures_per_s: float = Field(default=5.0, ge=2, le=15, description="How often it is looked.")

    def rules(self) -> GestureRules:
        """The rules as the watcher takes them."""
        return GestureRules(dwell_s=self.dwell_s, cool_down_s=self.cool_down_s)


class FeedbackSettings(_SerialPort):
    """A lamp or sound that answers signals; each sign's word is sent, an empty one is not."""

    url: str = Field(
        default="",
        pattern=r"^(https?://[!-~]+)?$",
        max_length=500,
        description="Or a relay with a web interface; {word} in it is the word.",
    )
    method: Literal["GET", "POST", "PUT"] = Field(default="POST", description="The request's method.")
    started: str = Field(default="", max_length=200, description="Word for: a start was accepted.")
    stopped: str = Field(default="", max_length=200, description="Word for: a stop was accepted.")
    waiting: str = Field(default="", max_length=200, description="Word for: a stop awaits confirmation.")
    refused: str = Field(default="", max_length=200, description="Word for: a signal was refused.")
    unheard: str = Field(
        default="", max_length=200, description="Word for: the server does not answer; it waits."
    )
    clear: str = Field(default="", max_length=200, description="Sent hold_s after each of them.")
    hold_s: float = Field(default=1.0, ge=0, le=60, description="How long a sign stands.")

    @model_validator(mode="after")
    def _one_lamp(self) -> Self:
        if sum(map(bool, (self.port, self.usb, self.url))) != 1:
            raise ValueError("feedback goes to one of port, usb, url")
        if self.url and PLACE not in self.url:
            raise ValueError(f"the url does not say where the word goes; write {PLACE} there")
        words = (*self._words().values(), self.clear)
        if not self.url and any(ord(char) > 255 for word in words for char in word):
            raise ValueError("the words of a serial lamp are characters of Latin-1, each a byte")
        return self

    def plan(self) -> FeedbackPlan:
        """The lamp as the trigger actor takes it."""
        lamp = HttpLamp(self.url, self.method) if self.url else SerialLamp(self.place())
        return FeedbackPlan(lamp, self._words(), self.clear, self.hold_s)

    def _words(self) -> dict[Sign, str]:
        return {sign: str(getattr(self, sign.value)) for sign in Sign}


class TriggerSettings(_Part):
    """What starts and stops the recording of one room without hands."""

    room: str = Field(min_length=1, max_length=40, description="The room, as its cameras name it.")
    node: str = Field(
        default="",
        description="The client node that pedal and lamp are plugged into; empty: the cameras' own.",
    )
    pedal: PedalSettings | None = Field(default=None)
    gesture: GestureSettings | None = Field(default=None)
    feedback: FeedbackSettings | None = Field(default=None)

    def home(self, cameras: dict[str, tuple[str, str]]) -> str:
        """The node of this room's triggers, by (room, node) of each camera. Errors: ValueError."""
        here = {camera: node for camera, (room, node) in cameras.items() if room == self.room}
        if not here:
            raise ValueError(f"triggers: there is no camera in room {self.room!r}")
        if self.gesture is not None and self.gesture.camera not in here:
            raise ValueError(
                f"triggers: room {self.room} has no camera {self.gesture.camera!r}; there are: {', '.join(here)}"
            )
        nodes = sorted(set(here.values()))
        node = self.node or (here[self.gesture.camera] if self.gesture is not None else nodes[0])
        if node not in nodes or (not self.node and self.gesture is None and len(nodes) > 1):
            raise ValueError(f"triggers: room {self.room}: name one of its nodes: {', '.join(nodes)}")
        return node
