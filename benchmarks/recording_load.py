"""What the recording benchmark records and is measured against: numbered pictures, ffmpeg peers, readers of footage.

Every picture of the clip carries its number in an SEI message, so that a picture that is missing in what was stored
is missed by its number, whatever the times say.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import psutil

from orvault.container.keys import PrivateKey
from orvault.video import nal

FPS = 30
CLIP_S = 10
PICTURES = FPS * CLIP_S  # of the clip; the camera sends it over and over
WIDTH, HEIGHT = 1920, 1080
GOP = 60
MARK = b"orvault-number::"  # 16 bytes, as a user-data SEI wants
_NUMBER = re.compile(MARK + rb"(\d{6})")
ANNEX_B = 0  # start codes instead of lengths
_SEI, _USER_DATA = 6, 5
_SLICES = {1, 5}


def make_clip(template: Path, out: Path, mbit_s: float) -> Path:
    """An H.264 clip of 1080p30 with numbered pictures, from the pictures of another clip."""
    raw = out.with_suffix(".h264")
    with raw.open("wb") as file:
        for number, packet in enumerate(_encoded(template, round(mbit_s * 1e6))):
            file.write(_numbered(packet, number))
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-framerate", str(FPS), "-f", "h264"]
    subprocess.run([*command, "-i", str(raw), "-c", "copy", str(out)], check=True)
    raw.unlink()
    return out


def _encoded(template: Path, bit_rate: int) -> Iterator[bytes]:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    encoder.bit_rate, encoder.gop_size, encoder.max_b_frames = bit_rate, GOP, 0
    encoder.options = {
        "preset": "ultrafast",
        "nal-hrd": "cbr",
        "maxrate": str(bit_rate),
        "bufsize": str(bit_rate),
        "sc_threshold": "0",
    }
    with av.open(str(template)) as container:
        frames = [frame.reformat(WIDTH, HEIGHT, "yuv420p") for frame in container.decode(video=0)]
    for number in range(PICTURES):
        frame = frames[number % len(frames)]
        frame.pts, frame.time_base = number, encoder.time_base
        yield from (bytes(packet) for packet in encoder.encode(frame))
    yield from (bytes(packet) for packet in encoder.encode(None))


def _numbered(access_unit: bytes, number: int) -> bytes:
    """The picture with its number before its first slice."""
    payload = MARK + b"%06d" % number
    mark = bytes([_SEI, _USER_DATA, len(payload)]) + payload + b"\x80"
    units = nal.split(access_unit, ANNEX_B)
    first = next(at for at, unit in enumerate(units) if unit[0] & 0x1F in _SLICES)
    return nal.with_start_codes([*units[:first], mark, *units[first:]])


def numbers(fragment: bytes) -> list[int]:
    """The numbers of the pictures in a fragment, in their order."""
    return [int(found) for found in _NUMBER.findall(fragment)]


def missing(stored: Sequence[int]) -> int:
    """How many pictures are missing between the first and the last; at most one round of the clip in a row."""
    return sum((after - before - 1) % PICTURES for before, after in pairwise(stored))


@contextmanager
def ffmpeg_peers(urls: Sequence[str], folder: Path) -> Iterator[list[psutil.Process]]:
    """One `ffmpeg -c copy -f segment` per stream, ended with the block."""
    peers = []
    try:
        for number, url in enumerate(urls):
            target = folder / f"peer-{number}"
            target.mkdir()
            command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url]
            command += ["-c", "copy", "-f", "segment", "-segment_time", "2", "-reset_timestamps", "1"]
            peers.append(subprocess.Popen([*command, str(target / "%06d.mp4")]))
        yield [psutil.Process(peer.pid) for peer in peers]
    finally:
        for peer in peers:
            peer.terminate()
        for peer in peers:
            peer.wait(20)


class Readers:
    """Readers that open stored footage, each 30 pictures per second, in a process of their own."""

    def __init__(self, segments: Path, certificate: Path, key: PrivateKey, count: int) -> None:
        command = [sys.executable, "-m", "benchmarks.recording_readers", str(segments), str(certificate)]
        self._process = subprocess.Popen(
            [*command, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        self._process.stdin.write(base64.b64encode(key.raw).decode() + "\n")
        self._process.stdin.flush()

    def end(self) -> float:
        """End them; how many pictures a second they opened in all."""
        answer, _ = self._process.communicate(timeout=30)  # the end of its input ends it
        pictures, seconds = answer.split()
        return int(pictures) / float(seconds)


class CpuSpan:
    """Processor time that a set of processes used since the span began."""

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._began = {process: _seconds(process) for process in processes}
        self._at = time.monotonic()

    def cores(self) -> float:
        """Processor seconds per second so far; a process that has ended meanwhile counts up to its start only."""
        used = sum(max(0.0, _seconds(each) - began) for each, began in self._began.items())
        return used / (time.monotonic() - self._at)


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def pause(seconds: float) -> None:
    """Wait, interruptibly."""
    threading.Event().wait(seconds)
