"""Clips with their truth, and the same scenes as other cameras would show them: for benchmarks.masking."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from orvault.video.codec import CLOCK_90K, Frame, Image
from orvault.vision.mask import FixedRegion

SUFFIXES = {".mp4", ".mkv", ".gif"}
Pixels = tuple[int, int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Person:
    """One person's truth in one picture: what of it is visible, and its head."""

    id: int
    is_patient: bool
    box: Pixels | None
    head: Pixels | None
    head_visible: float


@dataclass(frozen=True)
class Clip:
    """One file; `truth` is the JSON of the same name, None without one; `seconds` is its length."""

    path: Path
    truth: dict[str, Any] | None
    fps: float
    seconds: float


@dataclass(frozen=True)
class Variation:
    """The same scene as another camera might show it: how pictures change, and where a pixel goes to.

    `place` maps shares of the old picture's width and height to shares of the new one's.
    """

    name: str
    change: Callable[[Image], Image] = lambda bgr: bgr
    place: Callable[[Point], Point] = lambda point: point
    repeat: int = 1  # each picture is shown so often, at so many times the rate

    def region(self, region: FixedRegion) -> FixedRegion:
        """A site's region where it lies now."""
        points = [self.place((x / 100, y / 100)) for x, y in region.points]
        return FixedRegion(
            region.name,
            tuple((100 * min(max(x, 0.0), 1.0), 100 * min(max(y, 0.0), 1.0)) for x, y in points),
        )

    def truth(self, clip: Clip, size: tuple[int, int]) -> Iterator[list[Person]]:
        """The truth of each picture shown, in pixels of pictures of `size` (width, height)."""
        assert clip.truth is not None
        patients = {p["id"] for p in clip.truth["persons"] if p["lying"]}
        old = (clip.truth["width"], clip.truth["height"])
        for frame in clip.truth["frames"]:
            persons = [self._person(p, patients, old, size) for p in frame["persons"]]
            for _ in range(self.repeat):
                yield persons

    def _person(
        self, person: dict[str, Any], patients: set[int], old: tuple[int, int], size: tuple[int, int]
    ) -> Person:
        head = person.get("head_box_visible") or person.get("head_box")
        before = _area(head)
        moved = self._moved(head, old, size)
        visible = float(person.get("head_visible_frac") or 0.0)
        # What a cut camera does not show of a head is not visible either.
        scale = (size[0] * size[1]) / (old[0] * old[1]) / self._zoom()
        visible *= min(1.0, _area(moved) / (before * scale)) if moved and before else 0.0
        return Person(
            person["id"], person["id"] in patients, self._moved(person["box"], old, size), moved, visible
        )

    def _zoom(self) -> float:
        (x1, y1), (x2, y2) = self.place((0.0, 0.0)), self.place((1.0, 1.0))
        return (size := abs((x2 - x1) * (y2 - y1))) and 1 / size

    def _moved(self, box: Any, old: tuple[int, int], size: tuple[int, int]) -> Pixels | None:
        if not box:
            return None
        (ax, ay), (bx, by) = (self.place((box[i] / old[0], box[i + 1] / old[1])) for i in (0, 2))
        x1, x2 = sorted(round(min(max(v, 0.0), 1.0) * size[0]) for v in (ax, bx))
        y1, y2 = sorted(round(min(max(v, 0.0), 1.0) * size[1]) for v in (ay, by))
        return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _area(box: Any) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1])) if box else 0.0


def _darker(bgr: Image) -> Image:
    table = (255 * 0.6 * (np.arange(256) / 255) ** 1.6).astype(np.uint8)
    return table[bgr]


def _half(bgr: Image) -> Image:
    return np.asarray(cv2.resize(bgr, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _noisy(bgr: Image) -> Image:
    grain = np.random.default_rng(int(bgr[::97, ::89].sum())).normal(0, 14, bgr.shape)
    return np.clip(bgr + grain, 0, 255).astype(np.uint8)


_CUT = (0.08, 0.03, 0.9, 1.0)  # left, top, right, bottom in shares: even numbers of pixels are not needed


def _cut(bgr: Image) -> Image:
    height, width = bgr.shape[:2]
    x1, y1, x2, y2 = _CUT
    return np.ascontiguousarray(
        bgr[round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)]
    )


def _cut_place(point: Point) -> Point:
    x1, y1, x2, y2 = _CUT
    return (point[0] - x1) / (x2 - x1), (point[1] - y1) / (y2 - y1)


PLAIN = Variation("plain")
VARIATIONS = (
    Variation("mirrored", lambda bgr: np.ascontiguousarray(bgr[:, ::-1]), lambda p: (1 - p[0], p[1])),
    Variation("half size", _half),
    Variation("darker", _darker),
    Variation("noisy", _noisy),
    Variation("cut", _cut, _cut_place),
    Variation("30 a second", repeat=2),
)


def find_clips(folder: Path) -> list[Clip]:
    """The clips of a folder, by name; those without a truth too."""
    return [_clip(path) for path in sorted(folder.glob("*")) if path.suffix in SUFFIXES]


def _clip(path: Path) -> Clip:
    described = path.with_suffix(".json")
    truth = json.loads(described.read_text(encoding="utf-8")) if described.exists() else None
    with av.open(str(path)) as container:
        fps = float(container.streams.video[0].average_rate or 15)
        shown = sum(1 for packet in container.demux(video=0) if packet.size)
    return Clip(path, truth, fps, shown / fps)


def pictures(path: Path, variation: Variation) -> Iterator[Frame]:
    """The pictures of a clip, changed, with times of an even rate."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        step = CLOCK_90K / float(stream.average_rate or 15) / variation.repeat
        shown = 0
        for frame in container.decode(stream):
            bgr = variation.change(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
            for _ in range(variation.repeat):
                yield Frame(bgr, round(shown * step))
                shown += 1
