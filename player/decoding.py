"""Turns coded pictures into pictures, by the FFmpeg in OpenCV (docs/adr/0033).

Neither finds them (film.py) nor knows their wall-clock time (reel.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
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
    _capture: Any = field(repr=False)
    _track: Track = field(repr=False)

    def pixels(self, width_px: int | None = None) -> Pixels:
        """Blue green red, an array of its own; scaled down to a width where one is given."""
        try:
            there, picture = self._capture.retrieve()
            if not there or picture.shape != (self._track.height, self._track.width, 3):
                bad(_OTHER_KIND)
            if width_px is not None and 0 < width_px < self._track.width:
                height = max(1, round(self._track.height * width_px / self._track.width))
                picture = cv2.resize(picture, (width_px, height), interpolation=cv2.INTER_AREA)
            return np.ascontiguousarray(picture)
        except (cv2.error, MemoryError):
            bad("A picture cannot be given its colours.")


def decoded(track: Track, coded: Iterable[Coded], first_90k: int, threads: int = 0) -> Iterator[Shown]:
    """Every picture, in the order of showing; `first_90k` is when the first of them is shown.

    `threads`: how many decode; 0: one more than there are processors, as a picture gets its colours meanwhile.

    Raises:
        OrvaultError: BAD_MEDIA if it cannot be decoded, or has another size than was said; what `coded` raises, after
        every picture before it.
    """
    file = CodedFile(track, coded)
    try:
        # OpenCV's types ask for an interface of its own; what it takes is any io.BufferedIOBase.
        capture = cv2.VideoCapture(
            cast(Any, file), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads or (os.cpu_count() or 1) + 1]
        )
    except cv2.error as error:
        bad(f"The video cannot be decoded: {error.err or 'it is not understood'}.")
    count = 0
    try:
        first_ms: float | None = None
        if capture.isOpened() and _size(capture) != (track.width, track.height):
            if file.failure is not None:
                raise file.failure
            bad(_OTHER_KIND)
        while capture.isOpened() and capture.grab():
            at_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
            first_ms = at_ms if first_ms is None else first_ms
            if not 0 <= at_ms - first_ms <= LARGEST_90K / 90:
                bad("Its pictures go back in time.")
            count += 1
            yield Shown(first_90k + round((at_ms - first_ms) * 90), capture, track)
        if file.failure is not None:
            raise file.failure
        if count < file.given or not file.ended:
            bad("A picture cannot be decoded.")
    finally:
        capture.release()


def _size(capture: cv2.VideoCapture) -> tuple[int, int]:
    """Right only until another sequence parameter set comes: remuxing.py lets none through."""
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
