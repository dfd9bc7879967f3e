"""A package of any length, and the same video clear beside it, from ten seconds of stated synthetic footage."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from orvault.clock import US_PER_S, SystemClock
from orvault.container.keyfiles import write_key_pair
from orvault.container.keys import Recipient
from orvault.container.package import MediaInfo, PackageBuilder, PackageTerms
from orvault.container.stream import SealingWriter
from orvault.container.trust import create_root, issue
from orvault.video.codec import CLOCK_90K
from orvault.video.encoding import Mp4Encoder
from orvault.video.joining import Joiner

CAMERA = "or1"
WIDTH, HEIGHT, FPS, CLIP_S = 1920, 1080, 30, 10
_MARGIN = 400  # of the texture over which the camera moves


@dataclass(frozen=True)
class Footage:
    """The package and its root's certificate (DER), the recipient's key file, the clear video."""

    package: Path
    root: Path
    key: Path
    clear: Path
    seconds: int

    @property
    def files(self) -> tuple[str, str, str]:
        """What a player is given: package, root, key."""
        return str(self.package), str(self.root), str(self.key)


def clip() -> bytes:
    """1080p at 30 pictures a second: a camera that moves over blurred noise; H.264 at CRF 23, about 6 Mbit/s."""
    noise = np.random.default_rng(1).integers(0, 255, (HEIGHT + _MARGIN, WIDTH + _MARGIN, 3), dtype=np.uint8)
    texture = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), dtype=np.uint8)
    out = io.BytesIO()
    encoder = Mp4Encoder(out, WIDTH, HEIGHT, FPS, preset="ultrafast")
    for number in range(CLIP_S * FPS):
        down, right = number % (_MARGIN // 2), 2 * number % _MARGIN
        picture = texture[down : down + HEIGHT, right : right + WIDTH].copy()
        cv2.putText(picture, str(number), (100, 200), cv2.FONT_HERSHEY_SIMPLEX, 5, (255, 255, 255), 10)
        encoder.write(picture, number * CLOCK_90K // FPS)
    encoder.close()
    return out.getvalue()


class _Both:
    """Writes the clear video and the sealed one in one go."""

    def __init__(self, clear: BinaryIO, sealed: SealingWriter) -> None:
        self._clear, self._sealed = clear, sealed

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""
        self._clear.write(data)
        self._sealed.write(data)
        return len(data)


def make(folder: Path, seconds: int, gigabytes: float) -> Footage:
    """The clip again and again, until it is this long and this large."""
    piece = clip()
    loops = max(math.ceil(seconds / CLIP_S), math.ceil(gigabytes * 1e9 / len(piece)), 1)
    clock = SystemClock()
    root = create_root("benchmark root", clock)
    server = issue(root, "benchmark export", "export-server", clock, 30)
    now_us = clock.now_us() + US_PER_S
    terms = PackageTerms(
        "playback", "playback", "playback", "benchmark", "none", ("benchmark",), "none", "none", "none",
        now_us - US_PER_S, now_us + 86_400 * US_PER_S, now_us,
    )  # fmt: skip
    made = Footage(
        folder / "long.orvault", folder / "root.der", folder / "key", folder / "clear.mp4", loops * CLIP_S
    )
    made.root.write_bytes(root.certificate_der)
    public = write_key_pair(made.key)
    end_us = now_us + made.seconds * US_PER_S
    info = MediaInfo(CAMERA, "Long", WIDTH, HEIGHT, FPS, made.seconds * FPS, now_us, end_us)
    with PackageBuilder(folder, server, terms) as builder:
        with made.clear.open("wb") as clear, builder.media_sink(CAMERA) as sink:
            joiner = Joiner(_Both(clear, sink))
            for number in range(loops):
                joiner.add(piece, number * CLIP_S * CLOCK_90K)
            joiner.close()
        builder.finish(made.package, [info], [Recipient("benchmark", public)])
    return made
