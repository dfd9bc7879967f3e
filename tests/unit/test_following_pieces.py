"""What is found in long footage is kept piece by piece, while the detection actors go on into the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from actors.following import WINDOW_PER_ACTOR, Finder
from actors.render_tools import Looking
from actors.render_work import RenderWork
from actors.second_looking import LookOrder
from orvault.clock import US_PER_S
from orvault.custody.ports import CameraInfo
from orvault.custody.recorded import SegmentLike
from orvault.custody.stretches import Track
from orvault.vision.detection import Detection, FrameDetections, Kind
from orvault.vision.modes import MaskMode
from tests.fake_parts import make_segment

PIECES, SEGMENTS = 3, 90  # of two seconds: a minute is a piece
TRACK = Track(
    CameraInfo("or1-wall", "Wall", "OR 1", "node-1"),
    tuple(make_segment("run-1", "case-1", "or1-wall", n, 2 * n * US_PER_S) for n in range(SEGMENTS)),
    (),
)


def seen(number: int) -> list[FrameDetections]:
    """Somebody stands elsewhere in each segment."""
    return [[Detection(Kind.HEAD, float(number), 0.0, number + 8.0, 8.0, 0.9, "fake")], None]


@dataclass
class TwoActors:
    """Answers when it is asked for an answer, and knows how many fragments it was left with then."""

    begun: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    left_with: list[int] = field(default_factory=list)

    def width(self) -> int:
        return 2

    def models(self) -> str:
        return "m"

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> _Answer:
        self.begun.append(int(fragment))
        return _Answer(self, int(fragment))

    def look_again(self, order: LookOrder) -> Looking:
        raise AssertionError


@dataclass
class _Answer:
    actors: TwoActors
    number: int

    def result(self) -> list[FrameDetections]:
        self.actors.left_with.append(len(self.actors.begun) - len(self.actors.answered))
        self.actors.answered.append(self.number)
        return seen(self.number)


def finder(folder: Path, actors: TwoActors, steps: list[str]) -> Finder:
    def opened(first: int, end: int) -> Iterator[tuple[SegmentLike, bytes]]:
        for number in range(first, end):
            yield TRACK.segments[number], b"%d" % number

    def step(stage: str, *, advanced: bool = False) -> None:
        steps.append(stage)

    keys = [b"%032d" % number for number in range(SEGMENTS)]
    return Finder(TRACK, keys, opened, actors, RenderWork(folder, {"a": 1}), step, MaskMode.HEAD)


def test_the_actors_are_left_with_nothing_to_do_at_the_end_alone(tmp_path: Path) -> None:
    actors, steps = TwoActors(), []
    found = list(finder(tmp_path, actors, steps).found())
    assert found == [seen(number) for number in range(SEGMENTS)]
    window = WINDOW_PER_ACTOR * actors.width()
    assert actors.left_with == [window] * (SEGMENTS - window + 1) + list(range(window - 1, 0, -1))
    assert len(list(tmp_path.iterdir())) == PIECES and len(steps) == SEGMENTS


@pytest.mark.parametrize("lost", range(PIECES))
def test_what_an_earlier_worker_kept_is_not_looked_at_again(tmp_path: Path, lost: int) -> None:
    first = TwoActors()
    list(finder(tmp_path, first, []).found())
    sorted(tmp_path.iterdir())[lost].unlink()
    second, steps = TwoActors(), []
    assert list(finder(tmp_path, second, steps).found()) == [seen(number) for number in range(SEGMENTS)]
    assert second.answered == [*range(lost * 30, lost * 30 + 30)]
    assert len(list(tmp_path.iterdir())) == PIECES and len(steps) == SEGMENTS


def test_a_piece_is_kept_as_soon_as_it_is_whole(tmp_path: Path) -> None:
    actors = TwoActors()
    found = finder(tmp_path, actors, []).found()
    for _ in range(30):
        next(found)
    assert actors.answered == list(range(30))  # no fragment of the next piece is waited for
    assert [path.name for path in tmp_path.iterdir()] == ["or1-wall-00000-found"]
