"""Following counts time, not pictures: over gaps of a recording, and where a camera's rate changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from actors.following import Followed
from actors.scanning import camera_scan
from orvault.clock import US_PER_S
from orvault.custody.ports import CameraInfo
from orvault.custody.recorded import StoredGap, StoredSegment
from orvault.custody.stretches import Track
from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.detection import SKIPPED, Detection, FrameDetections
from orvault.vision.modes import MaskMode, MaskPolicy
from orvault.vision.numbering import LONGEST_GAP_S, Numbering, at_numbers
from orvault.vision.planning import FramePlan, plan_tracks
from tests.fake_parts import make_segment
from tests.unit.test_mask_tracks import SIZE, H, W, covers, head, square

HEAD = MaskPolicy(MaskMode.HEAD, margin=0)
CAMERA = CameraInfo("or1-wall", "Wall", "OR 1", "node-1")
ALWAYS = (0, 1 << 62)
HOUR_S = 3600.0
EVERY_S = 0.28  # between looks
At = Callable[[float], Sequence[Detection]]  # what is to be seen at a time, seconds from the first picture


def segment(number: int, begin_s: float, pictures: int) -> StoredSegment:
    """Two seconds."""
    made = make_segment("run-1", "case-1", "or1-wall", number, round(begin_s * US_PER_S))
    meta = replace(made.header.meta, frames=pictures, width=W, height=H)
    return replace(made, header=replace(made.header, meta=meta))


def looks(begin_s: float, pictures: int, at: At) -> list[FrameDetections]:
    """What a detector says of two seconds, at whose pictures it looks as rarely as `detect_frames`."""
    times = [begin_s + 2 * i / pictures for i in range(pictures)]
    found: list[FrameDetections] = []
    looked = begin_s - EVERY_S / 2
    for now, following in zip(times, [*times[1:], np.inf], strict=True):
        is_last = following == np.inf
        if now - looked > EVERY_S * 0.75 if is_last else following - looked > EVERY_S + 1e-6:
            looked = now
            found.append(list(at(now)))
        else:
            found.append(SKIPPED)
    return found


def followed(
    stretches: Sequence[tuple[float, int]], at: At, gaps: tuple[StoredGap, ...] = ()
) -> tuple[Track, Followed]:
    """Segments of two seconds: (when one begins, how many pictures it holds)."""
    segments = tuple(segment(i, begin, count) for i, (begin, count) in enumerate(stretches))
    track = Track(CAMERA, segments, gaps)
    found = [looks(begin, count, at) for begin, count in stretches]
    return track, Followed.through(track, found, HEAD)


def shown(stretches: Sequence[tuple[float, int]], at: At) -> list[tuple[float, FramePlan]]:
    """Every picture's time and plan."""
    _, made = followed(stretches, at)
    end = int(made.numbers[-1][-1]) + 1
    plans = list(plan_tracks(made.tracks, (0, end), HEAD, W, H, blind=made.blind))
    numbers = [number for each in made.numbers for number in each.tolist()]
    times = [begin + 2 * i / count for begin, count in stretches for i in range(count)]
    return list(zip(times, at_numbers(plans, numbers), strict=True))


def row(begin_s: float, segments: int, pictures: int) -> list[tuple[float, int]]:
    return [(begin_s + 2.0 * i, pictures) for i in range(segments)]


def test_a_choice_does_not_reach_over_a_gap_of_the_recording() -> None:
    """Who stands there an hour later may be somebody else, and nobody has chosen them."""
    stretches = [*row(0, 5, 30), *row(HOUR_S, 5, 30)]
    track, made = followed(stretches, lambda _s: [head(300)])
    before, after = made.parts()
    assert before.last <= made.numbers[4][-1] and after.first >= made.numbers[5][0]
    begin_us = track.segments[5].header.meta.start_us
    times = {each.name: (each.from_us, each.to_us) for each in camera_scan(track, made, ALWAYS).tracks}
    assert times[before.name][1] < begin_us <= times[after.name][0]
    assert set(made.clear([before.name], made.digest)) == {before.track_id}


def test_who_is_seen_outside_the_period_alone_is_not_listed() -> None:
    """The first and last segments reach beyond the period: of that nothing leaves, nor is there a thumbnail."""
    track, made = followed(row(0, 5, 30), lambda s: [head(300)] if s < 2 else [head(900)] if s > 4 else [])
    listed = camera_scan(track, made, ALWAYS).tracks
    first, last = listed[0], listed[-1]
    assert len(listed) > 1 and first.to_us < 4_000_000 < last.to_us
    inside = camera_scan(track, made, (5_000_000, 8_000_000)).tracks
    assert [each.name for each in inside] == [last.name]
    assert 5_000_000 <= inside[0].from_us <= inside[0].shown_us <= inside[0].to_us < 8_000_000


def test_nothing_of_a_segment_in_which_the_camera_was_away_is_left_clear() -> None:
    gap = StoredGap("or1-wall", "case-1", "run-1", 4_500_000, 6_000_000, "cable")
    _, whole = followed(row(0, 5, 30), lambda _s: [head(300)])
    assert [(part.first, part.last) for part in whole.parts()] == [(2, 146)]
    _, made = followed(row(0, 5, 30), lambda _s: [head(300)], (gap,))
    assert [(part.first, part.last) for part in made.parts()] == [(2, 59), (90, 146)]
    with pytest.raises(OrvaultError) as caught:
        made.clear(["1.1"], whole.digest)
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_a_region_does_not_slide_from_one_person_to_another_over_a_gap() -> None:
    """One walks off as the recording ends; another comes the other way as it goes on, not far from there."""
    speed = 2 * SIZE  # a second

    def walker_at(time_s: float) -> float:
        return 250 + speed * (time_s - 6) if time_s < 6 else 250 + 2 * SIZE - speed * (time_s - 60)

    def at(time_s: float) -> list[Detection]:
        return [head(walker_at(time_s), 300)] if 3 < time_s < 63 else []

    stretches = [*row(0, 3, 60), *row(60, 3, 60)]
    for time_s, plan in shown(stretches, at):
        if 3.5 < time_s < 62.5:
            assert covers(plan, square(walker_at(time_s), 300)), time_s


def test_who_comes_while_the_camera_is_fast_is_covered_from_the_first_picture() -> None:
    """In the dark the same camera gives five pictures a second: seconds are as long there as here."""
    stretches = [*row(0, 10, 60), *row(20, 60, 10)]
    for begin_s in np.arange(10, 11, 1 / 30):

        def walker_at(time_s: float, begin_s: float = begin_s) -> float:
            return 60 + 3 * SIZE * (time_s - begin_s)

        def at(time_s: float, begin_s: float = begin_s) -> list[Detection]:
            return [head(walker_at(time_s), 300)] if begin_s <= time_s < begin_s + 4 else []

        for time_s, plan in shown(stretches, at):
            if begin_s <= time_s < begin_s + 4:
                assert covers(plan, square(walker_at(time_s), 300)), (begin_s, time_s)


def test_regular_pictures_are_numbered_one_after_the_other() -> None:
    recorded = [(i * 1_999_999, (i + 1) * 1_999_999, 30, 0) for i in range(500)]
    numbering = Numbering(recorded)
    numbers = np.concatenate([numbering.take(30) for _ in recorded])
    assert numbers.tolist() == list(range(15_000)) and numbering.fps == pytest.approx(15)


def test_numbers_grow_whatever_a_recording_says_of_its_times() -> None:
    # A clock set back, a stretch without time, one that holds other pictures than were coded, and none.
    recorded = [
        (0, 2_000_000, 60, 0),
        (1_000_000, 3_000_000, 20, 0),
        (3_000_000, 3_000_000, 9, 9),
        (0, 10**12, 2, 0),
    ]
    numbering = Numbering(recorded)
    numbers = [numbering.take(count).tolist() for count in (61, 0, 9, 2)]
    joined = [number for each in numbers for number in each]
    assert joined == sorted(set(joined)) and joined[:61] == list(range(61))


def test_a_gap_is_as_long_as_it_was_up_to_a_bound() -> None:
    for gap_s, counted_s in ((1.0, 1.0), (60.0, 60.0), (HOUR_S, LONGEST_GAP_S)):
        numbering = Numbering([(0, 2_000_000, 30, 0), (2_000_000 + round(gap_s * US_PER_S), 10**10, 30, 0)])
        first, second = numbering.take(30), numbering.take(30)
        assert second[0] - first[-1] == 1 + counted_s * numbering.fps


def test_while_the_camera_was_away_inside_a_segment_the_pictures_beside_it_are_judged_all_the_same() -> None:
    track, whole = followed(row(0, 4, 30), lambda _s: [head(300)])
    late = [segment(i, begin, 30) for i, begin in enumerate((0, 2, 14, 16))]
    meta = replace(late[1].header.meta, end_us=14 * US_PER_S)  # two seconds of pictures, and ten without
    late[1] = replace(late[1], header=replace(late[1].header, meta=meta))
    gap = StoredGap("or1-wall", "case-1", "run-1", 3 * US_PER_S, 13 * US_PER_S, "cable")
    found = [looks(2.0 * i, 30, lambda _s: [head(300)]) for i in range(4)]
    made = Followed.through(replace(track, segments=tuple(late), gaps=(gap,)), found, HEAD)
    # Those after the last look before the time without pictures, and those before the first look after it.
    assert (
        not whole.blind and made.blind <= set(np.concatenate(made.numbers).tolist()) and len(made.blind) <= 6
    )
