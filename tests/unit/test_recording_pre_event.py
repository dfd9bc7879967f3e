"""The seconds before a start: what is kept, for how long, for whom, and that the rest is overwritten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.clock import US_PER_S
from orvault.recording.pre_event import LEASE_US, PreEventBuffer
from orvault.video.gop import Fragment
from tests.unit.actors_support import START_US, fragments

SHORT_US = 2 * US_PER_S


def pieces(count: int) -> list[Fragment]:
    """So many fragments of two seconds, one after the other."""
    return [
        replace(
            fragments()[0],
            data=bytearray(b"picture %d" % number),
            start_us=START_US + number * SHORT_US,
            end_us=START_US + (number + 1) * SHORT_US,
        )
        for number in range(count)
    ]


def filled(several: list[Fragment], keep_s: int = 10, max_bytes: int = 1 << 20) -> PreEventBuffer:
    buffer = PreEventBuffer(keep_s * US_PER_S, max_bytes)
    buffer.arm("case-1", START_US)
    for piece in several:
        buffer.put(piece, piece.end_us)
    return buffer


def overwritten(piece: Fragment) -> bool:
    return not any(piece.data)


def test_whole_fragments_that_cover_the_time_are_kept_and_older_ones_overwritten() -> None:
    several = pieces(8)
    taken = filled(several).take("case-1", several[-1].end_us + 500_000)
    assert taken == tuple(several[3:]) and taken[0].start_us == several[-1].end_us - 10 * US_PER_S
    assert [overwritten(piece) for piece in several] == [True] * 3 + [False] * 5


def test_what_was_taken_is_not_given_again() -> None:
    several = pieces(2)
    buffer = filled(several)
    assert len(buffer.take("case-1", several[-1].end_us)) == 2
    buffer.disarm()
    assert len(buffer) == 0 and not any(map(overwritten, several))


def test_nothing_is_kept_without_an_armed_case() -> None:
    several = pieces(2)
    buffer = PreEventBuffer(10 * US_PER_S)
    for piece in several:
        buffer.put(piece, piece.end_us)
    assert len(buffer) == 0 and all(map(overwritten, several))


def test_nothing_is_kept_where_the_setting_is_zero() -> None:
    several = pieces(2)
    assert len(filled(several, keep_s=0)) == 0 and all(map(overwritten, several))


def test_disarming_overwrites() -> None:
    several = pieces(3)
    buffer = filled(several)
    buffer.disarm()
    assert len(buffer) == 0 and all(map(overwritten, several))


@pytest.mark.parametrize("other_first", [True, False], ids=["another is armed", "another starts"])
def test_pictures_of_one_case_never_reach_another(other_first: bool) -> None:
    several = pieces(3)
    buffer = filled(several)
    if other_first:
        assert buffer.arm("case-2", several[-1].end_us)
    assert buffer.take("case-2", several[-1].end_us) == () and all(map(overwritten, several))


def test_an_arming_that_is_not_repeated_lapses_and_one_that_is_does_not() -> None:
    several = pieces(3)
    buffer = filled(several, keep_s=1000)
    assert not buffer.arm("case-1", START_US + LEASE_US)
    assert buffer.forget(START_US + 2 * LEASE_US) and len(buffer) == 3
    assert not buffer.forget(START_US + 2 * LEASE_US + 1)
    assert buffer.case_id is None and all(map(overwritten, several))


def test_a_clock_that_was_set_back_ends_the_arming() -> None:
    several = pieces(3)
    assert not filled(several).forget(START_US - LEASE_US - 1) and all(map(overwritten, several))


def test_pictures_of_a_camera_that_is_away_grow_old() -> None:
    several = pieces(3)
    buffer = filled(several)
    assert buffer.forget(several[-1].end_us + 10 * US_PER_S)
    assert len(buffer) == 0 and all(map(overwritten, several))


def test_memory_is_bounded() -> None:
    several = pieces(4)
    buffer = filled(several, max_bytes=20)
    assert len(buffer) == 2 and [overwritten(piece) for piece in several] == [True, True, False, False]
