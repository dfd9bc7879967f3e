"""The scenes that benchmarks.forensic marks: rooms, texture, a wholly covered picture, real footage where it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from orvault.video.codec import Image

WIDTH, HEIGHT, FPS = 1920, 1080, 30
_ROOT = Path(__file__).resolve().parents[1]
_FOOTAGE = _ROOT.parent / "shared" / "footage"
_NOISE = 2.0  # luma levels, a camera in good light
_HELD = 60  # decoded pictures of a clip, played forwards and backwards

Scene = Callable[[], Iterator[Image]]
"""Pictures for ever, (HEIGHT, WIDTH, 3) uint8 BGR, each to be changed freely."""


def scenes() -> dict[str, Scene]:
    """By name; footage only where the folder is there."""
    media = _ROOT / "tests" / "media"
    found: dict[str, Scene] = {
        "room": lambda: _with_masks(_clip(media / "still_patient.mp4")),
        "crossing": lambda: _with_masks(_clip(media / "crossing.mp4")),
        "texture": lambda: moving_texture(1),
        "covered": _covered,
    }
    for name in ("one-by-one-person-detection.mp4", "book.mkv"):
        if (_FOOTAGE / name).exists():
            found[name.partition(".")[0][:10]] = lambda name=name: _clip(_FOOTAGE / name)  # type: ignore[misc]
    return found


def _clip(path: Path) -> Iterator[Image]:
    """A clip brought to 1080p30 with fresh noise on every picture."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        each = max(1, round(FPS / float(stream.average_rate or FPS)))
        held = [
            frame.to_ndarray(format="bgr24") for frame in itertools.islice(container.decode(stream), _HELD)
        ]
    rng = np.random.default_rng(1)
    noise = cv2.merge([rng.normal(0, _NOISE, (HEIGHT + 64, WIDTH + 64)).astype(np.int8)] * 3)
    for picture in itertools.cycle([*held, *held[::-1]]):
        large = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        for _ in range(each):
            top, left = rng.integers(64, size=2)
            yield cv2.add(large, noise[top : top + HEIGHT, left : left + WIDTH], dtype=cv2.CV_8U).astype(
                np.uint8, copy=False
            )


def _with_masks(pictures: Iterator[Image]) -> Iterator[Image]:
    """As a recipient gets them: people covered (here boxes that move), a visible line of text."""
    for number, picture in enumerate(pictures):
        left = 300 + number % 600
        cv2.rectangle(picture, (left, 200), (left + 420, 980), (0, 0, 0), cv2.FILLED)
        cv2.rectangle(picture, (1200, 500), (1700, 800), (0, 0, 0), cv2.FILLED)
        cv2.putText(
            picture,
            "General Hospital / R. Recipient",
            (40, 1050),
            cv2.FONT_HERSHEY_SIMPLEX,
            1.2,
            (230,) * 3,
            2,
        )
        yield picture


def moving_texture(seed: int) -> Iterator[Image]:
    """A picture full of detail (noise of falling spectrum) that pans without rest: the hardest to code."""
    rng = np.random.default_rng(seed)
    large = sum(
        cv2.resize(
            rng.normal(0, 9.0, (HEIGHT // size + 80, WIDTH // size + 80)).astype(np.float32),
            (WIDTH + 320, HEIGHT + 320),
            interpolation=cv2.INTER_CUBIC,
        )
        for size in (1, 2, 4, 8, 16, 32)
    )
    gray = np.clip(np.asarray(large) + 120, 0, 255).astype(np.uint8)
    colour = cv2.merge([gray] * 3).astype(np.uint8)
    for number in itertools.count():
        top, left = abs(number % 600 - 300), abs((2 * number) % 600 - 300)
        yield np.ascontiguousarray(colour[top : top + HEIGHT, left : left + WIDTH])


def _covered() -> Iterator[Image]:
    """A whole picture under a mosaic: nothing of the scene is left to hide in."""
    rng = np.random.default_rng(3)
    blocks = rng.integers(60, 190, (9, 16, 3), dtype=np.uint8)
    picture = cv2.resize(blocks, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    while True:
        yield picture.copy()
