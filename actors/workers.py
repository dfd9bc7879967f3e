"""Typed faces of the actors that work on pictures or send them: export, detection, media, viewing.

As `facades`: plain, picklable objects that find their actor by name at each call.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from actors.facades import EXPORT, MEDIA, VIEWING, detection_name
from actors.handles import START_S, call, submit, wait
from orvault.errors import ErrorKind, OrvaultError

if TYPE_CHECKING:
    # Every actor's process loads this module: it must not load the vision libraries with it.
    from actors.render_tools import Answer, Looking
    from actors.second_looking import LookAnswer, LookOrder
    from orvault.vision.mask import FrameDetections

SWITCHED_S = 2.0  # the viewing actor looks by itself four times a second
DETECT_S = 600.0  # one fragment on the slowest supported CPU


class ExportHandle:
    """`actors.export.ExportActor`."""

    def wake(self) -> None:
        """Look for approved work; an export actor that is away looks by itself when it is back."""
        try:
            submit(EXPORT, "wake")
        except OrvaultError as error:
            if error.kind is not ErrorKind.UNAVAILABLE:
                raise


@dataclass(frozen=True)
class _DetectionAnswer:
    name: str
    reference: Any

    def result(self) -> list[FrameDetections]:
        return cast("list[FrameDetections]", wait(self.name, self.reference, DETECT_S))


@dataclass(frozen=True)
class _LookingAnswer:
    name: str
    reference: Any

    def result(self) -> LookAnswer:
        return cast("LookAnswer", wait(self.name, self.reference, DETECT_S))


class DetectionHandle:
    """The detection actors, in turn."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._turns = itertools.count()  # pieces side by side ask from threads of their own

    def width(self) -> int:
        """How many fragments they work on at once."""
        return self._count

    def models(self) -> str:
        """A digest of the models that they started with; of each, where they differ. UNAVAILABLE: one is away."""
        names = [detection_name(index) for index in range(self._count)]
        return ",".join(sorted({str(call(name, "models", timeout_s=DETECT_S)) for name in names}))

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> Answer:
        """Begin detecting in one clear fragment, on the next actor."""
        name = detection_name(next(self._turns) % self._count)
        return _DetectionAnswer(name, submit(name, "detect", fragment, thorough_s))

    def look_again(self, order: LookOrder) -> Looking:
        """Begin the second look at a piece of the output, on the next actor."""
        name = detection_name(next(self._turns) % self._count)
        return _LookingAnswer(name, submit(name, "look_again", order))

    def providers(self) -> list[str]:
        """What each of them runs on."""
        names = [detection_name(index) for index in range(self._count)]
        return [cast("str", call(name, "provider", timeout_s=START_S)) for name in names]


class MediaHandle:
    """`actors.media.MediaActor`."""

    def port(self) -> int:
        """The port that the byte server listens on."""
        return int(call(MEDIA, "address").rpartition(":")[2])


class ViewingHandle:
    """`actors.viewing.ViewingActor`."""

    def port(self) -> int:
        """The port that views are served from."""
        return int(call(VIEWING, "address").rpartition(":")[2])

    def switched(self) -> None:
        """Have the quick mask read again, before this returns; an actor that is away reads it when it is back."""
        try:
            call(VIEWING, "switched", timeout_s=SWITCHED_S)
        except OrvaultError as error:
            if error.kind is not ErrorKind.UNAVAILABLE:
                raise
