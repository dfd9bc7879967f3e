"""People-masked live pictures of a room with a lying patient, and what is remembered of people in them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from benchmarks.masking_footage import PLAIN, Clip, find_clips
from benchmarks.masking_live import live_plans
from benchmarks.masking_score import Score
from cluster.viewing_settings import ViewingSettings
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.viewing.dressing import PEOPLE, people_policy
from orvault.viewing.people import Eye, PeopleCover
from orvault.vision.detection import Detection, Kind
from orvault.vision.detector import SOURCE_PERSON_TOP, Detector, EnsembleDetector
from orvault.vision.mask import WHOLE, Box, FramePlan
from orvault.vision.modes import FixedRegion
from orvault.vision.ongoing import Ongoing
from orvault.vision.site import SiteMasking
from tests.unit.actors_support import CalmClock, eventually

ROOT = Path(__file__).parents[2]
PICTURE = np.full((360, 640, 3), 200, np.uint8)
SECOND = 90_000


def clip_of(name: str) -> Clip:
    return next(clip for clip in find_clips(ROOT / "tests" / "media") if clip.path.stem == name)


@pytest.mark.parametrize("name", ["still_patient", pytest.param("crossing", marks=pytest.mark.long)])
def test_every_visible_head_is_covered_live_the_lying_patients_too(name: str) -> None:
    clip = clip_of(name)
    plans, size = live_plans(clip, PLAIN, EnsembleDetector(ROOT / "models", "cpu"))
    assert len(plans) >= 0.95 * 10 * clip.fps
    score = Score()
    for persons, plan in zip(PLAIN.truth(clip, size), plans, strict=False):
        score.judge(persons, plan, size)
    assert score.patient_heads > 50
    assert (score.covered, score.patient_covered) == (score.heads, score.patient_heads)
    assert score.whole <= 1, "the picture of the first look alone"


def head(x: float, y: float = 100, size: float = 40, source: str = "movenet") -> Detection:
    return Detection(Kind.HEAD, x, y, x + size, y + size, 0.9, source)


def covered(plan: FramePlan, box: tuple[float, float, float, float]) -> bool:
    x1, y1, x2, y2 = box
    return plan.whole or any(a <= x1 and b <= y1 and c >= x2 and d >= y2 for a, b, c, d in plan.boxes)


def share_covered(plan: FramePlan, box: tuple[float, float, float, float]) -> float:
    """Of the box, by all regions together."""
    hidden = np.zeros((360, 640), bool)
    for x1, y1, x2, y2 in plan.boxes:
        hidden[y1:y2, x1:x2] = True
    x1, y1, x2, y2 = map(round, box)
    return 1.0 if plan.whole else float(hidden[y1:y2, x1:x2].mean())


@dataclass
class Looks:
    """Looks at a room, some a second."""

    every_90k: int = SECOND // 4
    ongoing: Ongoing = field(default_factory=lambda: Ongoing(PEOPLE, 640, 360))
    at_90k: int = 0

    def take(self, found: list[Detection], seconds: float = 0.0) -> FramePlan:
        """One look, or looks for so long."""
        for _ in range(max(1, round(seconds * SECOND / self.every_90k))):
            plan = self.ongoing.look(self.at_90k, found)
            self.at_90k += self.every_90k
        return plan


def test_a_face_that_lay_there_stays_covered_for_an_hour_without_a_finding() -> None:
    looks = Looks(every_90k=2 * SECOND)
    for _ in range(2):
        looks.take([head(300, source="yunet-turned")])
        looks.take([], seconds=20)
    assert covered(looks.take([], seconds=3600), (300, 100, 340, 140))
    memory = looks.ongoing._people
    assert len(memory._looks) < 2000 and len(memory._past) == 1, "findings do not add up"


def test_who_stood_still_and_is_found_no_more_stays_covered_and_who_walked_out_does_not() -> None:
    looks = Looks()
    for step in range(12):
        looks.take([head(300), head(480 + 40 * step, 200)])
    plan = looks.take([], seconds=120)
    assert covered(plan, (300, 100, 340, 140))
    assert len(plan.boxes) == 1


def test_a_mask_goes_with_whoever_leaves_alone_and_stays_where_somebody_else_was_near() -> None:
    looks = Looks()
    looks.take([head(300)], seconds=10)
    for step in range(16):
        plan = looks.take([head(300 - 25 * step)])
    assert not covered(looks.take([], seconds=10), (300, 100, 340, 140)), "seen to leave, with nobody near"

    looks = Looks()
    looks.take([head(300), head(335, 130)], seconds=10)
    for step in range(16):
        plan = looks.take([head(300 - 25 * step)])
    plan = looks.take([], seconds=30)
    assert covered(plan, (300, 100, 340, 140)), "who of the two left is not known"
    assert not covered(looks.take([], seconds=60), (300, 100, 340, 140)), "a minute later it is given up"


@pytest.mark.parametrize("every_s", [19, 40, 300])
def test_a_head_found_at_one_place_now_and_then_stays_covered(every_s: int) -> None:
    looks = Looks()
    for _ in range(2):
        looks.take([head(300)])
        looks.take([], seconds=every_s)
    for _ in range(2):
        looks.take([head(302, 101)])
        for _ in range(every_s):
            assert covered(looks.take([], seconds=1), (300, 100, 340, 140))


def test_who_stood_long_with_the_head_unseen_stays_covered_when_hidden() -> None:
    looks = Looks()
    looks.take([head(300)], seconds=5)
    looks.take([head(300, source=SOURCE_PERSON_TOP)], seconds=15)
    for _ in range(60):
        assert covered(looks.take([], seconds=1), (310, 100, 330, 120))


def test_what_is_found_once_is_forgotten_after_a_while() -> None:
    looks = Looks()
    looks.take([head(300)])
    assert not covered(looks.take([], seconds=60), (300, 100, 340, 140))
    looks.take([], seconds=541)
    assert looks.ongoing._people._past == [] == looks.ongoing._people._looks[1:]


def test_memory_of_a_busy_room_does_not_grow() -> None:
    looks = Looks()
    rng = np.random.default_rng(3)

    def held() -> int:
        memory = looks.ongoing._people
        pieces = [*memory._past, *memory._following.pieces.values()]
        return sum(len(piece.frames) for piece in pieces) + len(memory._places)

    sizes = []
    for _ in range(2):
        for _ in range(100):
            passing = [head(float(rng.integers(0, 600)), 250)] if rng.random() < 0.3 else []
            looks.take([*passing, head(100 + rng.normal(0, 2))])
        sizes.append(held())
    assert sizes[1] < 1.5 * sizes[0], sizes


def test_a_flood_of_faces_that_lie_covers_more_and_more_and_is_remembered_in_few_places() -> None:
    """Chance findings, each of them twice: any may be a patient, who is covered for good."""
    chance = np.random.default_rng(7)
    looks = Looks()
    told = []
    for x, y in chance.uniform((0, 0), (600, 320), (90, 2)).tolist():
        told.append((x, y, x + 40, y + 40))
        looks.take([head(x, y, source="yunet-turned")])
        looks.take([head(x, y, source="yunet-turned")])
    plan = looks.take([], seconds=120)
    # A corner apart: what overlaps and comes one after the other is taken for one that moves.
    assert min(share_covered(plan, box) for box in told) > 0.95
    memory = looks.ongoing._people
    assert len(memory._places) <= 32 and len(memory._past) + len(memory._following.pieces) <= 32 + 24


def test_objects_and_regions_of_the_site_are_covered_in_every_live_picture() -> None:
    board = FixedRegion("whiteboard", ((0, 0), (25, 50)))
    policy = people_policy(SiteMasking({"or1-wall": (board,)}, frozenset({"tv"})), "or1-wall")
    assert (policy.mode, policy.fixed) == (PEOPLE.mode, (board,))
    assert people_policy(SiteMasking({"or1-wall": (board,)}), "or2").fixed == ()
    screen = Detection(Kind.OBJECT, 400, 100, 500, 160, 0.9, "tv")
    looks = Looks(ongoing=Ongoing(policy, 640, 360))
    plan = looks.take([screen], seconds=3)
    assert plan.polygons == (((0, 0), (160, 0), (160, 180), (0, 180)),)
    assert covered(plan, screen.box)
    assert covered(looks.take([], seconds=3), screen.box)


@pytest.mark.parametrize("showing", ["people-masked", "clear"])
def test_a_site_may_offer_each_of_them_to_clinical_staff(showing: str) -> None:
    settings = ViewingSettings.model_validate({"live": [{"role": "clinical-staff", "showing": showing}]})
    assert [rule.showing for rule in settings.policy().live] == [Showing(showing)]
    assert ViewingSettings().policy().live == ()


# --- who looks, and how


@dataclass
class Watcher:
    """A detector with every kind of look; it notes which one was asked for."""

    asked: list[str | int] = field(default_factory=list)
    fault: Exception | None = None
    box: Box = (300, 100, 340, 140)

    def detect(self, _bgr: Image) -> list[Detection]:
        return self._found("plain")

    def look(self, _bgr: Image, number: int) -> list[Detection]:
        return self._found(number)

    def detect_thoroughly(self, _bgr: Image) -> list[Detection]:
        return self._found("thorough")

    def _found(self, how: str | int) -> list[Detection]:
        self.asked.append(how)
        if self.fault is not None:
            raise self.fault
        return [Detection(Kind.HEAD, *self.box, 0.9, "movenet")]


def eye(watcher: Watcher) -> Eye:
    def opened() -> Detector:
        return watcher

    return Eye(opened)


def test_the_first_look_is_thorough_and_those_after_a_failure_a_pause_and_another_picture_size() -> None:
    watcher = Watcher()
    looking = eye(watcher)
    for at in range(3):
        looking.look(PICTURE, at * SECOND)
    watcher.fault = OrvaultError(ErrorKind.UNAVAILABLE, "The model failed on a picture.")
    assert looking.look(PICTURE, 3 * SECOND) == WHOLE
    watcher.fault = None
    assert not looking.look(PICTURE, 4 * SECOND).whole
    looking.look(PICTURE, 5 * SECOND)
    looking.look(PICTURE, 60 * SECOND)
    looking.look(PICTURE[:180], 61 * SECOND)
    assert watcher.asked == ["thorough", 0, 1, 2, "thorough", 3, "thorough", "thorough"]


def test_boxes_that_are_no_numbers_cover_everything() -> None:
    watcher = Watcher(box=(300, 100, 200, 140))
    assert eye(watcher).look(PICTURE, 0) == WHOLE


def test_a_looking_thread_that_dies_of_a_fault_of_its_own_blacks_out_the_next_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _fault: None)  # the fault is meant
    clock, watcher = CalmClock(), Watcher()

    def opened() -> Detector:
        return watcher

    cover = PeopleCover(opened, clock)
    cover.take(PICTURE.copy(), 0)
    eventually(lambda: cover._under_way is None, "the first look is done")
    watcher.fault = TypeError("a fault of the program")
    cover.take(PICTURE.copy(), SECOND)
    eventually(lambda: cover._ended, "it died")
    held = [each.plan for each in cover.take(PICTURE.copy(), SECOND + 6000)]
    assert held and all(plan == WHOLE for plan in held) and not cover._waiting
    cover.close()


@pytest.mark.parametrize(("apart_s", "shown"), [(0.3, 4), (0.9, 1)])
def test_of_looks_that_lie_far_apart_the_picture_looked_at_is_shown_alone(apart_s: float, shown: int) -> None:
    """Who walks is at the place of neither look in between: a walker's head moves five times its width a second."""
    watcher, there = Watcher(), threading.Event()

    def opened() -> Detector:
        return watcher

    found = watcher._found

    def late(how: str | int) -> list[Detection]:
        there.wait()
        return found(how)

    watcher._found = late  # type: ignore[method-assign]
    cover, step = PeopleCover(opened, CalmClock()), round(apart_s * SECOND)
    cover.take(PICTURE.copy(), 0)
    for part in range(1, 4):  # the look at the first picture is under way
        cover.take(PICTURE.copy(), part * step // 4)
    there.set()
    eventually(lambda: cover._under_way is None, "it is done")
    assert [each.plan for each in cover.take(PICTURE.copy(), step)] == [WHOLE]
    eventually(lambda: cover._under_way is None, "the second look is done")
    came = cover.take(PICTURE.copy(), step + 1)
    assert len(came) == shown and came[-1].pts_90k == step
    assert all(covered(each.plan, watcher.box) for each in came)
    cover.close()
