"""Packages with pictures that say which they are: black and white bars survive any coder."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from orvault.clock import US_PER_S
from orvault.container.package import MediaInfo, PackageBuilder
from orvault.video.encoding import FRAGMENTED, Mp4Encoder
from player.reel import Picture
from player.session import Session

from .container_support import CLOCK, NOW_US, PASSWORD, hospital, password_person, terms

WIDTH, HEIGHT, FPS = 64, 48, 25
FRAME_90K = 90_000 // FPS
TURN = 256  # what eight bits tell apart


def picture_of(number: int) -> npt.NDArray[np.uint8]:
    """A picture that carries its number, as eight bars black or white."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bit in range(8):
        if number >> bit & 1:
            picture[8:, 8 * bit : 8 * bit + 8] = 255
    return picture


def number_seen(picture: Picture) -> int:
    """Which picture (modulo TURN) it is, by its bars."""
    bars = picture.pixels[12:44].reshape(32, 8, 8, 3)[:, :, 2:6].mean(axis=(0, 2, 3))
    assert all(bar < 40 or bar > 215 for bar in bars), bars
    return sum(1 << bit for bit, bar in enumerate(bars) if bar > 128)


@dataclass(frozen=True)
class Footage:
    """What a test package holds; picture `i` was taken at `at_us[i]`."""

    path: Path
    info: MediaInfo
    at_us: Sequence[int]

    def opened(self, *, partial: bool = False) -> Session:
        """Unlocked, its issuer believed."""
        root, _, _ = hospital()
        session = Session.open(self.path, [root.certificate_der], CLOCK, partial=partial)
        session.unlock(PASSWORD)
        return session


def footage(
    folder: Path,
    pts_90k: Sequence[int],
    *,
    chunk_bytes: int = 4096,
    noise: bool = False,
    recoded: str = "",
    changed: Callable[[bytes], bytes] = lambda video: video,
) -> Footage:
    """A package of one camera, a picture at each of these times, made by the product's own encoder and builder.

    `recoded` names another encoder, which reorders pictures; `changed` is what a hostile signer does to the video.
    """
    _, server, _ = hospital()
    at_us = [NOW_US + round((pts - pts_90k[0]) * 100 / 9) for pts in pts_90k]
    gaps = tuple((a, b) for a, b in itertools.pairwise(at_us) if b - a > US_PER_S // 2)
    info = MediaInfo(
        "or1", "Ceiling", WIDTH, HEIGHT, float(FPS), len(at_us), at_us[0], at_us[-1] + US_PER_S // FPS, gaps,
        ({"segment_id": "seg-0", "digest": "ab" * 32},),
    )  # fmt: skip
    path = folder / f"reel-{len(pts_90k)}.orvault"
    with PackageBuilder(folder, server, terms(), chunk_bytes) as builder:
        with builder.media_sink("or1") as sink:
            video = _encoded(pts_90k, noise=noise)
            sink.write(changed(_reordered(video, recoded) if recoded else video))
        builder.finish(path, [info], [password_person()])
    return Footage(path, info, at_us)


def _encoded(pts_90k: Sequence[int], *, noise: bool) -> bytes:
    out, rng = io.BytesIO(), np.random.default_rng(5)
    encoder = Mp4Encoder(out, WIDTH, HEIGHT, FPS, crf=10, preset="ultrafast")
    for number, pts in enumerate(pts_90k):
        picture = picture_of(number)
        if noise:  # in the rim, so that the video is large
            picture[:8] = rng.integers(0, 255, (8, WIDTH, 3), np.uint8)
        encoder.write(picture, pts)
    encoder.close()
    return out.getvalue()


def _reordered(video: bytes, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(io.BytesIO(video)) as source, av.open(out, "w", format="mp4", options=FRAGMENTED) as target:
        stream = target.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.max_b_frames, stream.codec_context.gop_size = 3, 50
        stream.codec_context.options = {"crf": "10", "x265-params": "log-level=none:bframes=3:open-gop=0"}
        for frame in source.decode(video=0):
            frame.pict_type = 0
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()
