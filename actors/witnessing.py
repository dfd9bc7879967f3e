"""Has history's checkpoints made, and brought to the places outside; one thread each, so that none waits for another.

Checkpoints wait in the ledger until a place has taken them: whatever dies, the next look goes on from there. A place
that knows another history, that takes nothing for too long, or that is given nothing while history grows, is told to
history and to the log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.checkpoint_places import Place
from actors.repeating import repeat
from orvault.clock import US_PER_S, Clock
from orvault.container.checkpoint import origin_of
from orvault.container.enrolment import read_certificate
from orvault.container.trust import Identity
from orvault.custody.checkpoints import LogSigner
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError

LOOK_S = 5.0  # between two looks for what a place has not taken: a row or two are read

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SignerFiles:
    """Where the export server's identity and the root's certificate lie."""

    identity: Path
    root_certificate: Path

    def load(self) -> LogSigner:
        """Read anew each time, so that a renewed certificate counts at once. Errors: KEY_MISSING, BAD_SETTINGS."""
        return LogSigner(origin_of(read_certificate(self.root_certificate)), Identity.load(self.identity))


class WitnessingActor:
    """One per cluster, on the export server."""

    def __init__(
        self,
        open_custody: Callable[[], CustodyService],
        signer: SignerFiles,
        places: Sequence[Place],
        every_s: float,
        alarm_s: float,
        clock: Clock,
    ) -> None:
        self._custody, self._signer = open_custody(), signer
        self._refused = ""  # why nothing is signed, as history was told
        self.couriers = [Courier(self._custody, place, alarm_s, clock, every_s) for place in places]
        repeat("checkpoints", self.sign, every_s)
        for courier in self.couriers:
            repeat(f"checkpoints:{courier.name}", courier.look, LOOK_S)

    def sign(self) -> None:
        """Make a checkpoint, if history grew. Errors: ALTERED, which history is told of once."""
        try:
            self._custody.make_checkpoint(self._signer.load())
        except OrvaultError as error:
            if error.kind is ErrorKind.ALTERED and not self._refused:
                self._custody.note_place("signing", error.outside_words, lost=True)
                self._refused = error.message
            raise
        if self._refused:
            self._custody.note_place("signing", "", lost=False)
            self._refused = ""

    def troubles(self) -> dict[str, str]:
        """Places that do not take what they are given, and why."""
        waiting = {courier.name: courier.trouble for courier in self.couriers if courier.trouble}
        return waiting | ({"signing": self._refused} if self._refused else {})


class Courier:
    """One place, and how long it has been failing."""

    def __init__(
        self, custody: CustodyService, place: Place, alarm_s: float, clock: Clock, signed_every_s: float = 0.0
    ) -> None:
        self._custody, self._place, self._clock = custody, place, clock
        self._alarm_us = round(alarm_s * US_PER_S)
        self._patience_us = self._alarm_us + round((signed_every_s + place.every_s) * US_PER_S)
        self._held, self._held_since_us = 0, clock.now_us()
        self._since_us: int | None = None
        self._told: ErrorKind | None = None  # of what history was told
        self._turn = threading.Lock()
        self.name = place.name
        self.trouble = ""

    def look(self) -> None:
        """Bring what there is; note what keeps it from being taken. Errors: UNAVAILABLE (the ledger)."""
        with self._turn:
            try:
                held = self._place.bring(self._custody)
            except OrvaultError as error:
                self._failed(error)
            else:
                self._went(held)

    def _failed(self, error: OrvaultError, *, late: bool = False) -> None:
        if error.message != self.trouble:
            log.error("checkpoints for %s wait: %s", self.name, error)
        self.trouble = error.message
        now = self._clock.now_us()
        self._since_us = now if self._since_us is None else self._since_us
        late = late or now - self._since_us >= self._alarm_us
        altered = error.kind is ErrorKind.ALTERED and self._told is not ErrorKind.ALTERED
        if altered or (late and self._told is None):
            self._custody.note_place(self.name, error.outside_words, lost=True)
            self._told = error.kind

    def _went(self, held: int) -> None:
        """It took what there was; that there was something is not to be believed of the ledger."""
        now = self._clock.now_us()
        if held != self._held or held >= self._custody.check_ledger():
            self._held, self._held_since_us = held, now
        elif now - self._held_since_us >= self._patience_us:
            message = f"History grew beyond the {held} entries that it knows, and there is nothing to bring."
            advice = "Run orvault history verify."
            self._failed(OrvaultError(ErrorKind.CONFLICT, message, where=self.name, advice=advice), late=True)
            return
        if self._told is not None:
            self._custody.note_place(self.name, "", lost=False)
        self._since_us, self._told, self.trouble = None, None, ""
