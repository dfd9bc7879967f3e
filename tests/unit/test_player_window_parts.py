"""What the window knows without Qt: its clock, its words, its marks, how cameras keep in step, clocks turned back."""

from __future__ import annotations

import itertools
import string
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from orvault.clock import US_PER_S, FakeClock
from orvault.container.chosen import ClearPart, DrawnKey, DrawnRegion, ToldChoice
from orvault.container.package import Manifest
from orvault.container.trust import Issuer
from orvault.errors import ErrorKind, OrvaultError
from player.__main__ import _with_command
from player.activation import ACTIVATION
from player.reel import Picture
from player.seen import TOLERANCE_US, SeenClock
from player.window import capture, keys, overlay, times, verdicts, words
from player.window.clockwork import PlayClock
from player.window.follower import LATE_US, MOST_LEFT_OUT, Cursor, Follower
from player.window.marks import Columns, Gaps, Mark, MarkKind, marks_of, next_mark, previous_mark, runs
from player.window.thumbnails import ThumbnailMaker
from player.window.verdicts import Level
from player.window.words import Language, Text

from .container_support import CLIP, NOW_US, media_info, terms

STEP_US = 100_000


# --- the clock ---


@dataclass
class Hand:
    """Time that a test moves."""

    s: float = 0.0

    def __call__(self) -> float:
        return self.s


def test_the_clock_runs_stands_jumps_and_ends() -> None:
    hand = Hand()
    clock = PlayClock(1_000_000, 11_000_000, hand)
    hand.s = 5
    assert clock.position_us == 1_000_000 and not clock.running
    clock.play()
    hand.s = 7
    assert clock.position_us == 3_000_000 and clock.running
    clock.set_speed(4.0)
    hand.s = 8
    assert clock.position_us == 7_000_000
    clock.pause()
    hand.s = 20
    assert clock.position_us == 7_000_000
    assert clock.seek(99_000_000) == 11_000_000 and clock.seek(0) == 1_000_000
    clock.set_speed(0.25)
    clock.play()
    hand.s = 24
    assert clock.position_us == 2_000_000
    hand.s = 1000
    assert clock.position_us == 11_000_000 and not clock.running
    clock.play()
    assert clock.position_us == 1_000_000, "from the end it begins anew"


def test_speeds_go_from_a_quarter_to_four() -> None:
    clock = PlayClock(0, 10)
    seen = []
    for _ in range(4):
        clock.slower()
        seen.append(clock.speed)
    assert seen == [0.5, 0.25, 0.25, 0.25]
    for _ in range(6):
        clock.faster()
    assert clock.speed == 4.0


# --- cameras in step ---


@dataclass
class FakeReel:
    """Pictures every 0.1 s from 0 to 10 s."""

    at: int = -1
    seeks: list[int] = field(default_factory=list)
    closed: bool = False
    failing: bool = False

    def _picture(self, at: int) -> Picture:
        if self.failing:
            raise OrvaultError(
                ErrorKind.ALTERED, "Chunk 3 of 9 is not what was signed.", where="media/or1.mp4.enc"
            )
        self.at = at
        return Picture(np.zeros((2, 2, 3), np.uint8), at * STEP_US, at)

    def seek(self, at_us: int) -> Picture:
        self.seeks.append(at_us)
        return self._picture(min(max(at_us // STEP_US, 0), 100))

    def next(self) -> Picture | None:
        return self._picture(self.at + 1) if self.at < 100 else None

    def previous(self) -> Picture | None:
        return self._picture(self.at - 1) if self.at > 0 else None

    def thumbnail(self, at_us: int, width_px: int) -> Picture:
        return self._picture(at_us // STEP_US)

    def close(self) -> None:
        self.closed = True


def test_the_newest_due_picture_is_shown_and_overtaken_ones_are_dropped() -> None:
    cursor = Cursor(FakeReel())
    cursor.seek(0)
    shown = cursor.due(450_000)
    assert shown is not None and shown.at_us == 400_000
    assert cursor.due(480_000) is None, "nothing new is due"
    again = cursor.due(500_000)
    assert again is not None and again.at_us == 500_000


def test_a_camera_that_is_far_behind_jumps_and_one_that_is_a_little_behind_shows_something() -> None:
    reel = FakeReel()
    cursor = Cursor(reel)
    cursor.seek(0)
    far = cursor.due(LATE_US + 3 * US_PER_S)
    assert far is not None and far.at_us == LATE_US + 3 * US_PER_S and reel.seeks == [0, far.at_us]
    cursor.seek(0)
    late = cursor.due((MOST_LEFT_OUT + 4) * STEP_US)
    assert late is not None and late.at_us == MOST_LEFT_OUT * STEP_US


def test_stepping_starts_from_the_picture_that_is_shown() -> None:
    cursor = Cursor(FakeReel())
    cursor.seek(0)
    cursor.due(250_000)  # it has looked one ahead
    back = cursor.step(forward=False)
    assert back is not None and back.at_us == 100_000
    on = cursor.step(forward=True)
    assert on is not None and on.at_us == 200_000
    cursor.seek(0)
    assert cursor.step(forward=False) is None


def test_a_follower_shows_what_the_clock_asks_for_and_ends_when_told() -> None:
    hand, reel, shown, arrived = Hand(), FakeReel(), [], threading.Semaphore(0)
    clock = PlayClock(0, 10 * US_PER_S, hand)

    def show(picture: Picture, stepped: bool) -> None:
        shown.append((picture.at_us, stepped))
        arrived.release()

    follower = Follower("or1", lambda: reel, clock, show, lambda error: pytest.fail(str(error)))
    try:
        assert arrived.acquire(timeout=20)
        follower.step(forward=True)
        assert arrived.acquire(timeout=20)
        clock.seek(3 * US_PER_S)
        follower.seek(3 * US_PER_S)
        assert arrived.acquire(timeout=20)
        clock.play()
        hand.s = 1
        follower.nudge()
        assert arrived.acquire(timeout=20)
    finally:
        follower.leave()
        follower.wait()
    assert shown[:3] == [(0, False), (STEP_US, True), (3 * US_PER_S, False)]
    assert shown[3][0] > 3 * US_PER_S and reel.closed


def test_what_stops_a_camera_is_told_once() -> None:
    told: list[OrvaultError] = []
    said = threading.Event()

    def failed(error: OrvaultError) -> None:
        told.append(error)
        said.set()

    reel = FakeReel(failing=True)
    follower = Follower("or1", lambda: reel, PlayClock(0, 9), lambda *_: pytest.fail("a picture"), failed)
    assert said.wait(20)
    follower.leave()
    follower.wait()
    assert [error.kind for error in told] == [ErrorKind.ALTERED] and reel.closed


def test_of_several_small_pictures_the_last_wish_counts() -> None:
    ready, arrived, reel = [], threading.Event(), FakeReel()

    def take(asked_us: int, picture: Picture) -> None:
        ready.append(asked_us)
        if asked_us == 900_000:
            arrived.set()

    maker = ThumbnailMaker(lambda: reel, 100, take, lambda error: pytest.fail(str(error)))
    for at in range(10):
        maker.ask(at * STEP_US)
    assert arrived.wait(20)
    maker.leave()
    maker.wait()
    assert ready[-1] == 900_000 and reel.closed


def test_what_stops_small_pictures_is_told_once() -> None:
    told: list[OrvaultError] = []
    said, reel = threading.Event(), FakeReel(failing=True)

    def failed(error: OrvaultError) -> None:
        told.append(error)
        said.set()

    maker = ThumbnailMaker(lambda: reel, 100, lambda *_: pytest.fail("a picture"), failed)
    maker.ask(0)
    assert said.wait(20)
    maker.ask(STEP_US)
    maker.leave()
    maker.wait()
    assert [error.kind for error in told] == [ErrorKind.ALTERED] and reel.closed


# --- marks ---


def test_gaps_and_choices_of_masking_are_marks() -> None:
    gaps = ((NOW_US + 100_000, NOW_US + 200_000), (NOW_US + 900_000, NOW_US + 950_000))
    info = media_info("or1", CLIP, gaps=gaps)
    chosen = ToldChoice(
        "Officer",
        NOW_US,
        (ClearPart("or1", "3", "person", NOW_US + 400_000, NOW_US + 500_000),),
        (
            _region("always", 1),
            _region("door", 2),
        ),
    )
    marks = marks_of(Manifest(terms(masking_choice=chosen), (info,)))
    assert [mark.kind for mark in marks] == [MarkKind.COVERED, MarkKind.GAP, MarkKind.CLEAR, MarkKind.GAP]
    recorded = Gaps(info.gaps)
    assert recorded.at(gaps[0][0]) == gaps[0] and recorded.at(gaps[0][1]) is None
    assert recorded.at(gaps[0][0] - 1) is None and Gaps(()).at(NOW_US) is None
    after = next_mark(marks, NOW_US + 200_000)
    assert after is not None and after.from_us == gaps[1][0]
    before = previous_mark(marks, NOW_US + 2_000_000)
    assert before is not None and before.from_us == gaps[1][0]
    assert next_mark(marks, NOW_US + US_PER_S) is None and previous_mark(marks, NOW_US) is None


def test_gaps_are_found_in_whatever_order_a_file_names_them() -> None:
    named = ((70, 80), (10, 60), (20, 30), (75, 90), (90, 90))
    recorded = Gaps(named)
    for at in range(100):
        held = recorded.at(at)
        assert (held is not None) == any(start <= at < end for start, end in named)
        assert held is None or (held in named and held[0] <= at < held[1])


def test_marks_take_columns_however_many_they_are() -> None:
    gaps = [Mark(at, at + 1, MarkKind.GAP, "or1") for at in range(0, 400_000, 2)]
    clear = [Mark(0, 10, MarkKind.CLEAR, "or1"), Mark(999_999, 2_000_000, MarkKind.CLEAR, "or1")]
    held = Columns(gaps + clear, 0, 1_000_000).held(1000, 3)
    assert runs(held[MarkKind.GAP]) == [(0, 402)]
    assert runs(held[MarkKind.CLEAR]) == [(0, 3), (997, 1000)]
    assert Columns((), 0, 1).held(1000, 3) == {}


def _region(name: str, keys_: int) -> DrawnRegion:
    box = (0, 0, 9, 9)
    return DrawnRegion("or1", name, tuple(DrawnKey(NOW_US + at * STEP_US, box) for at in range(keys_)))


# --- words ---


def _texts() -> Iterator[tuple[str, Text]]:
    for module in (words, verdicts):
        yield from ((name, value) for name, value in vars(module).items() if isinstance(value, Text))
    yield from ((str(act), key.says) for act, key in keys.KEYS.items())
    yield from ((str(kind), word) for kind, (_, word) in verdicts._WORDS.items())


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _is_korean(text: str) -> bool:
    return any("가" <= character <= "힣" for character in text)


@pytest.mark.parametrize(("name", "text"), list(_texts()))
def test_each_text_exists_in_both_languages(name: str, text: Text) -> None:
    assert text.ko.strip() and text.en.strip()
    assert _fields(text.ko) == _fields(text.en)
    switches = name in ("SWITCH", "Act.LANGUAGE")  # names the other language, in that language
    assert _is_korean(text.ko) is not switches or text.ko == text.en
    assert _is_korean(text.en) is switches


def test_every_act_has_a_key_of_its_own() -> None:
    assert set(keys.KEYS) == set(keys.Act)
    used = [sequence for key in keys.KEYS.values() for sequence in key.sequences]
    assert len(used) == len(set(used))


# --- verdicts ---

PINNED = Issuer("Seoul Hospital export", "ab" * 32, pinned=True, root_name="Seoul Hospital root")
UNKNOWN = Issuer("Seoul Hospital export", "ab" * 32, pinned=False)


@pytest.mark.parametrize("language", list(Language))
def test_no_verdict_says_genuine_before_everything_was_verified(language: Language) -> None:
    for issuer in (PINNED, UNKNOWN):
        for shown in (verdicts.locked(issuer, language), verdicts.checking(issuer, 0.999, language)):
            assert shown.level is Level.CHECKING
            assert "Genuine" not in shown.word + shown.sentence and "진본" not in shown.word + shown.sentence
    assert "99 %" in verdicts.checking(PINNED, 0.999, language).sentence
    assert verdicts.verified(PINNED, None, language).level is Level.GENUINE
    unknown = verdicts.verified(UNKNOWN, None, language)
    assert unknown.level is Level.UNKNOWN and PINNED.name in unknown.sentence


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_error_is_a_verdict_in_one_line(kind: ErrorKind, language: Language) -> None:
    error = OrvaultError(kind, "What was wrong\nGenuine: no.", where="media/or1.mp4.enc")
    shown = verdicts.failed(error, None, language)
    assert shown.level not in (Level.GENUINE, Level.CHECKING, Level.UNKNOWN)
    assert shown.word and len(shown.sentence.splitlines()) == 1
    if kind in (ErrorKind.ALTERED, ErrorKind.DAMAGED):
        assert "media/or1.mp4.enc" in shown.sentence


@pytest.mark.parametrize("us", [10**18, -(10**18), 10**30, 253_402_300_799 * US_PER_S])
def test_a_time_outside_the_calendar_is_told_as_such(us: int) -> None:
    for told in (times.date_time(us), times.date(us), times.clock_time(us)):
        assert str(us) in told and "outside the calendar" in told
    assert times.clock_time(NOW_US // US_PER_S * US_PER_S + 250_000).endswith(".2")


def test_the_end_of_a_lease_is_not_told_as_the_packages() -> None:
    over = OrvaultError(ErrorKind.EXPIRED, "What the hospital allowed ended.", where=ACTIVATION)
    assert "다시 열면 병원에 다시 확인합니다" in verdicts.failed(over, None, Language.KOREAN).sentence
    assert (
        "까지만 열 수 있었습니다"
        in verdicts.failed(OrvaultError(ErrorKind.EXPIRED, "It is over."), None, Language.KOREAN).sentence
    )


# --- overlay ---


def test_the_overlay_names_the_viewer_and_never_stands_still() -> None:
    told = overlay.who(("Kim 김", "Court"), "ab" * 32)
    assert told == f"key ABABABAB · {overlay.computer_user()} · Kim 김, Court", (
        "what is cut is what all share"
    )
    places = [overlay.place_at(n * overlay.MOVES_EVERY_S * US_PER_S) for n in range(len(overlay.PLACES) + 1)]
    assert all(here != there for here, there in itertools.pairwise(places))
    assert len(set(places)) == len(overlay.PLACES)
    assert "20" in overlay.lines(told, NOW_US)[1]


@pytest.mark.parametrize(
    ("takes", "expected"), [({0x11, 0x01}, [0x11]), ({0x01}, [0x11, 0x01]), (set(), [0x11, 0x01])]
)
def test_a_system_that_cannot_leave_a_window_out_is_asked_to_show_it_black(
    takes: set[int], expected: list[int]
) -> None:
    asked: list[int] = []

    def wish(window_id: int, affinity: int) -> int:
        assert window_id == 7
        asked.append(affinity)
        return int(affinity in takes)

    assert capture.taken(wish, 7) is bool(takes) and asked == expected


# --- a clock that is turned back ---


def test_a_clock_turned_back_does_not_make_an_expired_package_valid(tmp_path: Path) -> None:
    machine, path = FakeClock(), tmp_path / "home/latest-time"
    clock = SeenClock(machine, path)
    clock.note()
    later_us = machine.us = machine.us + 86_400 * US_PER_S
    clock.note()
    machine.us -= 86_400 * US_PER_S
    again = SeenClock(machine, path)
    assert again.now_us() == later_us and again.turned_back_from_us == later_us
    machine.us = later_us - TOLERANCE_US
    assert SeenClock(machine, path).turned_back_from_us is None, "clocks are put right by minutes"


def test_what_a_believed_issuer_dates_counts_as_seen(tmp_path: Path) -> None:
    machine = FakeClock()
    clock = SeenClock(machine, tmp_path / "latest-time")
    clock.note(issued_us=machine.us + 3600 * US_PER_S)
    assert clock.now_us() == machine.us + 3600 * US_PER_S


def test_a_file_that_holds_no_time_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "latest-time"
    for content in (b"", b"later", b"-5", b"9" * 30, b"9" * 500):
        path.write_bytes(content)
        assert SeenClock(FakeClock(), path).now_us() == FakeClock().us


# --- the command line ---


def test_a_double_click_means_the_window() -> None:
    assert _with_command(["case.orvault"]) == ["open", "case.orvault"]
    assert _with_command(["verify", "case.orvault"]) == ["verify", "case.orvault"]
    assert _with_command([]) == []
