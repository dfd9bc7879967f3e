"""Plays a local video file as if it were a camera: packets come when they are due, once or over and over.

It serves demonstrations and tests, and rooms whose recorder writes files; nothing is decoded, sound is left
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
from av.container import InputContainer

from orvault.clock import US_PER_S, Clock
from orvault.errors import ErrorKind, OrvaultError
from orvault.video import demux
from orvault.video.packet import TICKS_PER_S, Packet, StreamInfo

# Named, because FFmpeg would otherwise take a text file for a playlist and open whatever it points to.
_FORMATS = {".mp4": "mov", ".m4v": "mov", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts"}
_MAX_PACKETS = 10_000_000  # of one round: three days at 30 fps; a file that claims more is made to exhaust us


class PacedFile:
    """An open MP4, MOV, MKV or TS file, a `PacketSource`.

    With `loop` it starts over at its end, with times that go on without a hole. `speed` 2 makes it a camera
    with twice the frame rate: times are scaled too, so that what is recorded still says when it was.

    Errors: NOT_FOUND, UNSUPPORTED_CODEC, BAD_MEDIA, BAD_SETTINGS (speed, ending).
    """

    def __init__(self, path: Path, clock: Clock, loop: bool, speed: float = 1.0) -> None:
        if not 0.01 <= speed <= 100:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS, f"A speed of {speed:g} is outside of 0.01 to 100.", where=str(path)
            )
        self.where = f"file {path}"
        self._clock, self._loop, self._speed = clock, loop, speed
        self._container = _open(path, self.where)
        try:
            self._stream = demux.video_stream(self._container, self.where)
            self._native = demux.stream_info(self._stream, self.where)
        except OrvaultError:
            self.close()
            raise
        self._info = replace(self._native, fps=self._native.fps * speed)

    def __repr__(self) -> str:
        return f"PacedFile({self.where})"

    @property
    def info(self) -> StreamInfo:
        """The file's video stream; `fps` includes the speed."""
        return self._info

    def __iter__(self) -> Iterator[Packet]:
        """Each packet when its decoding time has come; ends after the file's end if it is not looped."""
        started_us = self._clock.now_us()
        offset = 0
        begins: StreamInfo | None = self._info
        while True:
            span = _Span(round(TICKS_PER_S / self._native.fps))
            for packet in self._round():
                span.add(packet)
                due = offset + packet.dts_90k - span.first_dts
                self._wait(started_us + round(due * US_PER_S / TICKS_PER_S / self._speed))
                yield replace(
                    packet,
                    pts_90k=self._scaled(offset + packet.pts_90k - span.first_dts),
                    dts_90k=self._scaled(due),
                    begins=begins,
                )
                begins = None
            if not self._loop or span.packets == 0:
                return
            offset += span.length()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _round(self) -> Iterator[Packet]:
        """The file from its beginning to its end."""
        base = self._stream.time_base
        assert base is not None, "a file's stream always has a time base"
        try:
            self._container.seek(0)
            yield from demux.packets(self._container.demux(self._stream), base, self._native, self.where)
        except (av.FFmpegError, OSError) as error:
            raise _unreadable(self.where, error) from error

    def _scaled(self, ticks: int) -> int:
        return ticks if self._speed == 1.0 else round(ticks / self._speed)

    def _wait(self, due_us: int) -> None:
        ahead_us = due_us - self._clock.now_us()
        if ahead_us > 0:
            self._clock.sleep(ahead_us / US_PER_S)


class _Span:
    """How long one round of the file is, in 1/90000 s."""

    def __init__(self, frame: int) -> None:
        self.first_dts, self.packets = 0, 0
        self._frame, self._last_dts = frame, 0

    def add(self, packet: Packet) -> None:
        if self.packets == 0:
            self.first_dts = packet.dts_90k
        self.packets += 1
        self._last_dts = max(self._last_dts, packet.dts_90k) if self.packets > 1 else packet.dts_90k
        if self.packets > _MAX_PACKETS:
            raise OrvaultError(
                ErrorKind.BAD_MEDIA, f"It holds more than {_MAX_PACKETS} pictures.", where="file"
            )

    def length(self) -> int:
        # The last picture lasts as long as the mean of those before: files often do not say.
        between = self._last_dts - self.first_dts
        return between + (round(between / (self.packets - 1)) if self.packets > 1 else self._frame)


def _open(path: Path, where: str) -> InputContainer:
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        endings = ", ".join(_FORMATS)
        raise OrvaultError(ErrorKind.BAD_SETTINGS, f"Its name does not end in one of {endings}.", where=where)
    try:
        return av.open(
            str(path.absolute()),
            mode="r",
            format=form,
            options={"protocol_whitelist": "file", "enable_drefs": "0"},
        )
    except FileNotFoundError as error:
        raise OrvaultError(ErrorKind.NOT_FOUND, "There is no such file.", where=where) from error
    except (av.FFmpegError, OSError) as error:
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: av.FFmpegError | OSError) -> OrvaultError:
    reason = error.strerror or type(error).__name__
    return OrvaultError(ErrorKind.BAD_MEDIA, f"It cannot be read as video ({reason}).", where=where)
