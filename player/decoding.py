"""Turns coded pictures into pictures, by the FFmpeg in OpenCV (docs/adr/0033).

Neither finds them (film.py) nor knows their wall-clock time (reel.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from player.boxes import LARGEST_90K, Track
from player.film import Coded
from player.mp4 import bad
from player.remuxing import CodedFile

Pixels = npt.NDArray[np.uint8]  # (height, width, 3), blue green red, rows without space between them

_OTHER_KIND = "A picture is not of the kind that was described."

# FFmpeg learns these from the environment alone. One format, no file and no network beside what it is given
# (protocol_whitelist); no search through the file for what comes later (ignidx), no looking ahead for what is known.
_OPTIONS = {
    "fflags": "+ignidx",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2",
    "protocol_whitelist": "none",
    "enable_drefs": "0",
    "use_absolute_path": "0",
    "analyzeduration": "0",
    "fpsprobesize": "0",
}
_ENVIRONMENT = {
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "|".join(f"{name};{value}" for name, value in _OPTIONS.items()),
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # what is wrong with a video is said by this program, in its own words
    "OPENCV_LOG_LEVEL": "SILENT",
}


def _set_environment() -> None:
    os.environ.update(_ENVIRONMENT)
    if sys.platform == "win32":
        import ctypes

        for name, value in _ENVIRONMENT.items():
            # OpenCV's FFmpeg is linked to another C library than Python, which keeps an environment of its own.
            ctypes.cdll.msvcrt._putenv(f"{name}={value}".encode("ascii"))


_set_environment()

import cv2  # noqa: E402 - reads the environment when it is loaded


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded picture; its colours are made when they are asked for, before the next one is decoded."""

    pts_90k: int
    _colours: Callable[[int | None], Pixels] = field(repr=False)

    def pixels(self, width_px: int | None = None) -> Pixels:
        """Blue green red, an array of its own; scaled down to a width where one is given."""
        return self._colours(width_px)


class Decoder:
    """Decodes one track, from one place after the other; not for several threads at once.

    It stays open between them: a new one costs as much as decoding ten pictures. `threads`: how many decode; 0: one
    more than there are processors, as a picture gets its colours meanwhile.

    Raises (all methods):
        OrvaultError: BAD_MEDIA if it cannot be decoded, or has another size than was said; what the coded pictures'
        iterator raises, after every picture before it.
    """

    def __init__(self, track: Track, threads: int = 0) -> None:
        self._track = track
        self._threads = threads or (os.cpu_count() or 1) + 1
        self._file = CodedFile(track)
        self._capture: cv2.VideoCapture | None = None
        self._stands = False  # behind a picture that it gave: from there it can be turned to another place
        self._count = 0
        self._first_90k, self._first_ms = 0, 0.0

    def close(self) -> None:
        """Drop the pictures under way."""
        self._stands = False
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def turn_to(self, coded: Iterable[Coded], first_90k: int) -> None:
        """Decode these pictures from now on; `first_90k` is when the first of them is shown."""
        self._count, self._first_90k = 0, first_90k
        if self._capture is not None and self._stands and self._file.turns:
            self._stands = False
            self._file.turn_to(coded)
            # In a file that says it has one picture there is nowhere to go: what is left of this is that the decoder
            # forgets what it was given, and takes what comes next for a beginning.
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            return
        self.close()
        self._file = CodedFile(self._track)
        self._file.turn_to(coded)
        self._capture = self._opened()

    def next(self) -> Shown | None:
        """The next picture in the order of showing; None at the end."""
        capture, self._stands = self._capture, False
        if capture is None or not capture.isOpened() or not capture.grab():
            self._end()
            return None
        at_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        if self._count == 0:
            self._first_ms = at_ms
        if not 0 <= at_ms - self._first_ms <= LARGEST_90K / 90:
            bad("Its pictures go back in time.")
        self._count += 1
        self._stands = True
        return Shown(self._first_90k + round((at_ms - self._first_ms) * 90), self._pixels)

    def _end(self) -> None:
        self.close()
        if self._file.failure is not None:
            raise self._file.failure
        if self._count < self._file.given or not self._file.ended:
            bad("A picture cannot be decoded.")

    def _opened(self) -> cv2.VideoCapture:
        try:
            # OpenCV's types ask for an interface of its own; what it takes is any io.BufferedIOBase.
            capture = cv2.VideoCapture(
                cast(Any, self._file), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, self._threads]
            )
        except cv2.error as error:
            bad(f"The video cannot be decoded: {error.err or 'it is not understood'}.")
        if capture.isOpened() and _size(capture) != (self._track.width, self._track.height):
            if self._file.failure is not None:
                raise self._file.failure
            bad(_OTHER_KIND)
        return capture

    def _pixels(self, width_px: int | None) -> Pixels:
        """The colours of the picture that was decoded last."""
        assert self._capture is not None, "there was one when the picture was decoded"
        try:
            there, picture = self._capture.retrieve()  # into memory of our own it is no faster
            if not there or picture.shape != (self._track.height, self._track.width, 3):
                bad(_OTHER_KIND)
            if width_px is not None and 0 < width_px < self._track.width:
                height = max(1, round(self._track.height * width_px / self._track.width))
                picture = cv2.resize(picture, (width_px, height), interpolation=cv2.INTER_AREA)
            return np.ascontiguousarray(picture)
        except (cv2.error, MemoryError):
            bad("A picture cannot be given its colours.")


def _size(capture: cv2.VideoCapture) -> tuple[int, int]:
    """Right only until another sequence parameter set comes: remuxing.py lets none through."""
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
