"""What a foot switch means: its contact's movements with their times in, start and stop out.

Pure. Ports, and telling "unplugged" from "released", are serial_pedal.py's; what a signal does is custody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orvault.errors import ErrorKind, OrvaultError

MOST_DEBOUNCE_US = 1_000_000


class PedalMode(StrEnum):
    """A maintained pedal stays where it was put: down is on. Each press of a momentary one means the other."""

    MAINTAINED = "maintained"
    MOMENTARY = "momentary"


class Movement(StrEnum):
    """What a port tells of a pedal. A press is a message that no release follows."""

    PRESSED = "pressed"
    RELEASED = "released"
    PRESS = "press"


@dataclass(frozen=True, slots=True)
class PedalRules:
    """How a pedal is read.

    A position counts when it has lasted for `debounce_us`: contacts bounce, and electrosurgery leaves short pulses on
    cables, so that the first edge alone must not start anything. `tells_positions`: the port can be asked where the
    pedal stands (a contact); otherwise it tells movements only (messages).
    """

    mode: PedalMode = PedalMode.MAINTAINED
    debounce_us: int = 20_000
    tells_positions: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.debounce_us <= MOST_DEBOUNCE_US:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS, f"A pedal is debounced for 0 to {MOST_DEBOUNCE_US} us.", where="pedal"
            )


@dataclass(frozen=True, slots=True)
class PedalEvent:
    """Start (`on`) or stop, and when the foot moved. `found`: nobody saw it move, it was found pressed."""

    on: bool
    at_us: int
    found: bool = False


class Pedal:
    """The state of one pedal.

    Found at the start of the program, or when it was plugged in again, in another position than the known one:

    - pressed, maintained: **on**. Its position is what somebody wants, and a start that is missed is footage lost;
      one too many is refused without an armed case, and changes nothing where the room records already.
    - released, maintained: **nothing**. A contact without its cable reads as released too; recording fails on.
    - momentary: nothing. Only a press that was seen means anything.

    A pedal that tells movements only is taken to be up at the start of the program: its first "released" may be a
    status that it repeats, and stops nothing either.
    """

    def __init__(self, rules: PedalRules) -> None:
        self._rules = rules
        self._pressed: bool | None = None if rules.tells_positions else False
        self._unseen = rules.tells_positions
        self._moving: tuple[bool, int] | None = None
        self._last_press_us: int | None = None
        self._on = False

    @property
    def pressed(self) -> bool | None:
        """Where it stands; None: not known yet."""
        return self._pressed

    @property
    def due_us(self) -> int | None:
        """When `tick` is to be called next; None: only a movement can change something."""
        return None if self._moving is None else self._moving[1] + self._rules.debounce_us

    def take(self, movement: Movement, at_us: int) -> PedalEvent | None:
        """A movement, or the position as it is now; what that completes."""
        if movement is Movement.PRESS:
            return self._press(at_us)
        pressed = movement is Movement.PRESSED
        if pressed == self._pressed:
            self._moving, self._unseen = None, False
            return None
        if self._moving is None or self._moving[0] != pressed or at_us < self._moving[1]:
            self._moving = (pressed, at_us)  # also where the clock was set back
        return self.tick(at_us)

    def tick(self, at_us: int) -> PedalEvent | None:
        """Time has passed; the position that has lasted for long enough by now."""
        if self._moving is None or at_us < self._moving[1] + self._rules.debounce_us:
            return None
        (self._pressed, since_us), self._moving = self._moving, None
        unseen, self._unseen = self._unseen, False
        return self._settled(self._pressed, since_us, unseen)

    def lost(self) -> None:
        """It cannot be read any more. It keeps the state that it had."""
        self._moving = None
        self._unseen = self._rules.tells_positions

    def follow(self, on: bool) -> None:
        """The room is on or off by now, by whatever means: a momentary pedal's next press means the other."""
        self._on = on

    def _settled(self, pressed: bool, since_us: int, unseen: bool) -> PedalEvent | None:
        if self._rules.mode is PedalMode.MOMENTARY:
            return self._toggled(since_us) if pressed and not unseen else None
        if unseen and not pressed:
            return None
        self._on = pressed
        return PedalEvent(pressed, since_us, unseen)

    def _press(self, at_us: int) -> PedalEvent | None:
        last_us, self._last_press_us = self._last_press_us, at_us
        if last_us is not None and 0 <= at_us - last_us < self._rules.debounce_us:
            return None
        return self._toggled(at_us)

    def _toggled(self, at_us: int) -> PedalEvent:
        self._on = not self._on
        return PedalEvent(self._on, at_us)
