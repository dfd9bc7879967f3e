"""Findings of a room that is made up: people who walk, stand and lie, faint and chance finds, things, lost pictures.

They follow from the seed alone, and are rounded to quarters of a pixel, so that they are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from orvault.vision.detection import SKIPPED, Detection, FrameDetections, Kind
from orvault.vision.detector import SOURCE_PERSON_TOP

WIDTH, HEIGHT = 1280, 720
SOURCES = ("movenet", "yunet", "centerface", "yunet-turned", SOURCE_PERSON_TOP)
THINGS = ("tv", "laptop")


@dataclass
class _Somebody:
    x: float
    y: float
    size: float
    still: bool
    lies: bool
    dx: float = 0.0
    dy: float = 0.0

    def step(self, dice: np.random.Generator) -> None:
        if self.still:
            return
        self.dx, self.dy = (np.clip(v + dice.normal(0, 2), -9, 9) for v in (self.dx, self.dy))
        self.x, self.y = self.x + self.dx, self.y + self.dy
        if not -60 < self.x < WIDTH + 60:
            self.dx = -self.dx
        if not -60 < self.y < HEIGHT / 2:
            self.dy = -self.dy


def room(
    seed: int, pictures: int, *, people: int = 6, chance: float = 0.5, every: int = 4
) -> Iterator[FrameDetections]:
    """One entry per picture; `chance` findings of nobody a look, on the average, a look at each `every`th picture."""
    dice = np.random.default_rng(seed)
    crowd = [
        _Somebody(
            float(dice.uniform(0, WIDTH)),
            float(dice.uniform(0, HEIGHT / 2)),
            float(dice.uniform(20, 70)),
            still=n % 2 == 0,
            lies=n == 0,
        )
        for n in range(people)
    ]
    for picture in range(pictures):
        for each in crowd:
            each.step(dice)
        if picture % every and picture != pictures - 1:
            yield SKIPPED
        elif dice.random() < 0.005:
            yield None
        else:
            yield [d for each in crowd for d in _seen(each, dice)] + _nobody(dice, chance)


def _seen(each: _Somebody, dice: np.random.Generator) -> list[Detection]:
    seen: list[Detection] = []
    for source in SOURCES:
        often = {"yunet-turned": 0.05, SOURCE_PERSON_TOP: 0.4}.get(source, 0.1 if each.lies else 0.6)
        if dice.random() < often:
            seen += _found(each.x, each.y, each.size, source, dice)
    return seen


def _found(x: float, y: float, size: float, source: str, dice: np.random.Generator) -> list[Detection]:
    x, y = x + dice.normal(0, 0.05 * size), y + dice.normal(0, 0.05 * size)
    wide, high = size * dice.uniform(0.8, 1.2), size * dice.uniform(0.9, 1.4)
    faint = bool(dice.random() < 0.2)
    score = float(dice.uniform(0.3, 0.9))
    if source != SOURCE_PERSON_TOP:
        return [
            _detection(
                Kind.HEAD if source == "movenet" else Kind.FACE, x, y, wide, high, score, source, faint
            )
        ]
    body = _detection(Kind.PERSON, x - wide, y, 3 * wide, 6 * high, score, "person", faint)
    top = Detection(Kind.HEAD, body.x1, body.y1, body.x2, body.y1 + 1.5 * size // 1, score, source, faint)
    return [body, top] if dice.random() < 0.9 else [body]


def _detection(
    kind: Kind, x: float, y: float, wide: float, high: float, score: float, source: str, faint: bool = False
) -> Detection:
    x1, y1, x2, y2 = (round(4 * v) / 4 for v in (x, y, x + wide, y + high))
    return Detection(kind, x1, y1, x2, y2, score, source, faint)


def _nobody(dice: np.random.Generator, chance: float) -> list[Detection]:
    found: list[Detection] = []
    for _ in range(int(dice.poisson(chance))):
        x, y, size = dice.uniform(0, WIDTH), dice.uniform(0, HEIGHT), dice.uniform(15, 120)
        found += _found(x, y, size, SOURCES[int(dice.integers(len(SOURCES)))], dice)
    if dice.random() < 0.3:
        name = THINGS[int(dice.integers(len(THINGS)))]
        x, y = dice.uniform(0, 300), dice.uniform(0, 300)
        found.append(_detection(Kind.OBJECT, x, y, 50.0, 40.0, 0.8, name))
    return found
