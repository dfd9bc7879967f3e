"""Turns coded pictures into pictures. Neither finds them (film.py) nor knows their wall-clock time (reel.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from player.boxes import CLOCK_90K, MAX_PIXELS, Track, bad
from player.film import Coded

Pixels = npt.NDArray[np.uint8]  # (height, width, 3), blue green red, rows without space between them

# What PyAV raises on bad bytes: its own errors, and Python's where a field makes no sense to it.
_MEDIA_ERRORS = (av.error.FFmpegError, ValueError, IndexError, OverflowError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded picture; its colours are made when they are asked for, which costs more than decoding it."""

    pts_90k: int
    _frame: VideoFrame = field(repr=False)

    def pixels(self, width_px: int | None = None) -> Pixels:
        """Blue green red; scaled to a width where one is given."""
        frame = self._frame
        if width_px is not None and width_px < frame.width:
            height = max(1, round(frame.height * width_px / frame.width))
            frame = frame.reformat(width_px, height, "bgr24")
        return np.ascontiguousarray(frame.to_ndarray(format="bgr24"))


def decoded(track: Track, coded: Iterable[Coded]) -> Iterator[Shown]:
    """Every picture, in the order of showing.

    Raises:
        OrvaultError: BAD_MEDIA if it cannot be decoded, or has another size than was said; what `coded` raises.
    """
    context = _context(track)
    for each in coded:
        packet = av.Packet(each.data)
        packet.pts, packet.dts = each.sample.pts_90k, each.sample.decode_90k
        packet.time_base = Fraction(1, CLOCK_90K)
        yield from _decode(context, track, packet)
    yield from _decode(context, track, None)


def _context(track: Track) -> VideoCodecContext:
    context = cast(VideoCodecContext, VideoCodecContext.create(track.codec, "r"))
    context.extradata = track.config
    context.thread_type = "AUTO"
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return context


def _decode(context: VideoCodecContext, track: Track, packet: av.Packet[Any] | None) -> Iterator[Shown]:
    try:
        frames = context.decode(packet)
    except _MEDIA_ERRORS as error:
        bad(f"The video cannot be decoded: {error}.")
    for frame in frames:
        if (frame.width, frame.height) != (track.width, track.height) or frame.pts is None:
            bad("A picture is not of the kind that was described.")
        yield Shown(frame.pts, frame)
