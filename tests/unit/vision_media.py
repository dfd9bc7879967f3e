"""Pieces of the synthetic clips as fragments, and what is true of them: for the tests of vision and rendition."""

from __future__ import annotations

import functools
import io
import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from orvault.video.codec import Image, decode_fragment
from orvault.video.encoding import Mp4Encoder

ROOT = Path(__file__).resolve().parents[2]
MEDIA = ROOT / "tests" / "media"
MODELS = ROOT / "models"
FPS = 15
STEP_90K = 6_000
WIDTH, HEIGHT = 1280, 720


@functools.cache
def clip_bytes(name: str) -> bytes:
    return (MEDIA / f"{name}.mp4").read_bytes()


@functools.cache
def truth(name: str) -> list[dict[str, Any]]:
    """Per picture: its persons."""
    return [frame["persons"] for frame in json.loads((MEDIA / f"{name}.json").read_text())["frames"]]


@functools.cache
def pictures(name: str, first: int, count: int, step: int = 1) -> tuple[Image, ...]:
    """Some pictures of a clip; not to be written to."""
    last = first + (count - 1) * step
    found = []
    for index, frame in enumerate(decode_fragment(clip_bytes(name))):
        if index >= first and (index - first) % step == 0:
            frame.bgr.flags.writeable = False
            found.append(frame.bgr)
        if index == last:
            break
    return tuple(found)


def encoded(
    images: tuple[Image, ...] | list[Image],
    *,
    step_90k: int = STEP_90K,
    crf: int = 12,
    keyframe_s: float = 2.0,
) -> bytes:
    """The pictures as one fragment, nearly unchanged, with keyframes as a camera sends them."""
    sink = io.BytesIO()
    height, width = images[0].shape[:2]
    encoder = Mp4Encoder(
        sink, width, height, 90_000 / step_90k, crf=crf, preset="ultrafast", keyframe_s=keyframe_s
    )
    for index, image in enumerate(images):
        encoder.write(image, index * step_90k)
    encoder.close()
    return sink.getvalue()


def psnr(a: Image, b: Image) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))


def noise(width: int, height: int, seed: int = 1) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def heads(persons: list[dict[str, Any]], least_visible: float = 0.5) -> list[tuple[int, list[int]]]:
    """(person id, head box) of those whose head is more than half visible."""
    return [
        (p["id"], [round(v) for v in p["head_box"]])
        for p in persons
        if p["head_box"] and p["head_visible_frac"] > least_visible
    ]


def damaged(
    codec: str = "libx264",
    *,
    count: int = 30,
    gop: int = 10,
    at: int = 14,
    bframes: int = 0,
    how: str = "noise",
) -> bytes:
    """An MP4 of 160x96 with a keyframe every `gop` pictures, the one at this place in the order of coding spoilt:
    its second half is `noise`, or `all` of it.
    """
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        stream = out.add_stream(codec, rate=15)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 160, 96, "yuv420p", gop
        quiet = {"x265-params": f"log-level=none:bframes={bframes}:open-gop=0:scenecut=0"}
        stream.options = {"bf": str(bframes), "sc_threshold": "0"} | (quiet if codec == "libx265" else {})
        smooth = cv2.GaussianBlur(noise(160, 96), (0, 0), 3)
        for index in range(count):
            image = np.ascontiguousarray(np.roll(smooth, 2 * index, axis=1))
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 15)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    data = bytearray(sink.getvalue())
    with av.open(io.BytesIO(bytes(data))) as read:
        packet = [each for each in read.demux(video=0) if each.size][at]
    assert packet.pos is not None
    begin, end = packet.pos, packet.pos + packet.size
    rubbish = random.Random(1).randbytes(packet.size)
    if how == "noise":
        begin += packet.size // 2
    data[begin:end] = rubbish[: end - begin]
    return bytes(data)
