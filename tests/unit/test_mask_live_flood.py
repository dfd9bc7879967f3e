"""A flood of chance finds costs a live look no more as it goes on: what there is to do is counted, not timed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from orvault.vision import following, ongoing
from orvault.vision.completing import Scene
from orvault.vision.detection import Detection, Kind
from orvault.vision.modes import MaskMode, MaskPolicy
from orvault.vision.pieces import Piece
from orvault.vision.staying import StayRules, left_places
from orvault.vision.tracks import MaskTrack

WIDTH, HEIGHT, EVERY_90K = 640, 360, 22_500


def flood() -> Iterator[list[Detection]]:
    """One chance find a look on the average, anywhere; half of them faces that lie."""
    dice = np.random.default_rng(1)
    while True:
        found = []
        for _ in range(int(dice.poisson(1.0))):
            x, y, size = dice.uniform(0, WIDTH), dice.uniform(0, HEIGHT), dice.uniform(15, 60)
            source = "yunet-turned" if dice.random() < 0.5 else "movenet"
            found.append(Detection(Kind.HEAD, x, y, x + size, y + 1.1 * size, 0.8, source))
        yield found


def test_a_look_has_no_more_to_do_the_longer_a_flood_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = taken_in = 0

    def counted_left(
        chains: Sequence[Piece], tracks: Sequence[MaskTrack], scene: Scene, rules: StayRules, since: int
    ) -> Iterator[MaskTrack]:
        nonlocal told
        for place in left_places(chains, tracks, scene, rules, since):
            told += 1
            yield place

    join = ongoing._with

    def counted_join(places: Sequence[MaskTrack], new: MaskTrack) -> list[MaskTrack]:
        nonlocal taken_in
        taken_in += 1
        return join(places, new)

    monkeypatch.setattr(following, "left_places", counted_left)
    monkeypatch.setattr(ongoing, "_with", counted_join)
    view = ongoing.Ongoing(MaskPolicy(MaskMode.HEAD), WIDTH, HEIGHT)
    looks = enumerate(flood())

    def work(many: int) -> tuple[float, float]:
        """Places told, and places taken into memory, per look."""
        nonlocal told, taken_in
        told = taken_in = 0
        for at, found in itertools.islice(looks, many):
            view.look(at * EVERY_90K, found)
        return told / many, taken_in / many

    work(100)  # 25 s: all of the last seconds that is kept is there
    early, _ = work(60)
    work(100)
    late, taken = work(60)
    assert early > 10, "the flood leaves places behind"
    assert late < 1.5 * early
    assert taken < 4, "those that are remembered are not taken in again"
