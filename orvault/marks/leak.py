"""Reads a leaked file, whatever it became: a video in a usual container, or a single picture.

The file comes from outside: nothing is opened but its own bytes, and every size is bounded. No key is needed here, so
none is in memory while it is read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType, VideoFrame

from orvault.errors import ErrorKind, OrvaultError
from orvault.marks.residue import Residue
from orvault.video.codec import MAX_PIXELS, Luma

READ_S = 120  # of the video; the mark stands still, so more would add little
LOOKS_PER_S = 2
MAX_FRAMES = READ_S * 60
MAX_IMAGE_BYTES = 64 << 20
FEWEST_SIDE = 128
CODECS = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"}
)
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_HEAD_BYTES = 377
_MEDIA_ERRORS = (av.FFmpegError, ValueError, IndexError, OverflowError, ArithmeticError)


@dataclass(frozen=True)
class _Look:
    luma: Luma = field(repr=False)
    regular: bool = True
    keyframe: bool = False


def residue_of(path: Path, from_s: float = 0.0) -> Residue:
    """Two pictures a second of the first two minutes after `from_s`, and the keyframes between them, added up.

    A picture counts as a video of one.

    Errors: NOT_FOUND, STORAGE, BAD_MEDIA (no readable video), UNSUPPORTED_CODEC.
    """
    residue = Residue()
    try:
        with path.open("rb") as file:
            for look in _looks(file, from_s, str(path)):
                residue.add(look.luma, regular=look.regular, keyframe=look.keyframe)
    except OrvaultError:
        if residue.count == 0:  # else a leak that was cut off or damaged: what could be read of it is good
            raise
    except FileNotFoundError as error:
        raise OrvaultError(ErrorKind.NOT_FOUND, "There is no such file.", where=str(path)) from error
    except (OSError, cv2.error) as error:
        raise _unreadable(str(path), type(error).__name__) from error
    if residue.count == 0:
        raise _unreadable(str(path), "no picture of it can be decoded")
    return residue


def _looks(file: BinaryIO, from_s: float, where: str) -> Iterator[_Look]:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if head.startswith(_PICTURES):
        yield _Look(_still(file, where))
        return
    try:
        with av.open(file, mode="r", format=_format(head, where)) as container:
            yield from _video(container, from_s, where)
    except _MEDIA_ERRORS as error:
        raise _unreadable(where, type(error).__name__) from error


def _format(head: bytes, where: str) -> str:
    """FFmpeg's name of the container. Never guessed by FFmpeg: it would take playlists and open what they name."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide"):
        return "mp4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    if head.startswith(b"FLV"):
        return "flv"
    if head[:1] == b"G" and head[188:189] in (b"G", b""):
        return "mpegts"
    if head.startswith(b"PK\x03\x04"):
        advice = "A package names its request itself: `orvault inspect FILE`."
        raise OrvaultError(
            ErrorKind.BAD_MEDIA, "This is an archive, not a video.", where=where, advice=advice
        )
    raise _unreadable(where, "it is none of MP4, Matroska, AVI, FLV, MPEG-TS, PNG, JPEG")


def _video(container: InputContainer, from_s: float, where: str) -> Iterator[_Look]:
    if not container.streams.video:
        raise _unreadable(where, "it holds no video")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context.name not in CODECS:
        raise OrvaultError(
            ErrorKind.UNSUPPORTED_CODEC, f"Video coded as {context.name!r} is not read.", where=where
        )
    _check_size(context.width, context.height, where)
    context.options = {"max_pixels": str(2 * MAX_PIXELS)}
    fps = float(stream.average_rate or 25)
    step = max(1, round(fps / LOOKS_PER_S))
    if from_s > 0:
        container.seek(int(from_s * av.time_base))
    frames = itertools.islice(container.decode(stream), min(MAX_FRAMES, int(READ_S * max(1.0, fps))))
    next_keyframe = 0  # no more of them than of the others, should every picture be one
    for number, frame in enumerate(frames):
        regular = number % step == 0
        keyframe = frame.pict_type == PictureType.I and number >= next_keyframe
        if keyframe:
            next_keyframe = number + step
        if regular or keyframe:
            _check_size(frame.width, frame.height, where)
            yield _Look(_luma(frame), regular, keyframe)


def _luma(frame: VideoFrame) -> Luma:
    return frame.to_ndarray(format="gray").astype(np.uint8, copy=False)


def _still(file: BinaryIO, where: str) -> Luma:
    data = file.read(MAX_IMAGE_BYTES + 1)
    if len(data) > MAX_IMAGE_BYTES:
        raise _unreadable(where, "the picture is too large")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise _unreadable(where, "the picture cannot be decoded")
    _check_size(picture.shape[1], picture.shape[0], where)
    return picture.astype(np.uint8, copy=False)


def _check_size(width: int, height: int, where: str) -> None:
    if width < FEWEST_SIDE or height < FEWEST_SIDE or width * height > MAX_PIXELS:
        raise _unreadable(where, f"pictures of {width}x{height} are not read")


def _unreadable(where: str, why: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_MEDIA, f"This is no video that can be traced: {why}.", where=where)
