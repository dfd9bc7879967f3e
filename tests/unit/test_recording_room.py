"""The room on a node's disk: alarms before it is full, by what is free and by how fast it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.clock import US_PER_S, FakeClock
from orvault.recording.room import GB, RESERVE_BYTES, RoomLimits, RoomWatch, free_bytes

MINUTE_US = 60 * US_PER_S
LIMITS = RoomLimits(free_bytes=10 * GB, seconds=24 * 3600)


class Watched:
    """A disk whose free bytes the test sets."""

    def __init__(self, free: int | None) -> None:
        self.free, self.clock = free, FakeClock()
        self.watch = RoomWatch(Path("store"), LIMITS, self.clock, lambda _folder: self.free)

    def after(self, minutes: int, gb_per_minute: float = 0.0) -> str:
        alarm = ""
        for _ in range(minutes):
            self.clock.us += MINUTE_US
            assert self.free is not None
            self.free -= round(gb_per_minute * GB)
            alarm = self.watch.alarm()
        return alarm


def test_enough_room_is_no_alarm_however_it_is_used() -> None:
    disk = Watched(2_000 * GB)
    assert disk.watch.alarm() == "" and disk.after(90, 0.1) == ""


def test_little_room_is_an_alarm_at_once() -> None:
    assert Watched(9 * GB).watch.alarm() == "the recordings' disk is filling up: 8.9 GB are left"


@pytest.mark.parametrize(("minutes", "alarm"), [(4, False), (5, True), (120, True)])
def test_room_that_goes_fast_is_an_alarm_once_that_was_seen_for_a_while(minutes: int, alarm: bool) -> None:
    disk = Watched(1_000 * GB)
    disk.watch.alarm()
    said = disk.after(minutes, 1.0)
    assert ("hours at the present rate" in said) is alarm


def test_the_rate_is_that_of_the_last_hour() -> None:
    disk = Watched(1_000 * GB)
    disk.watch.alarm()
    assert disk.after(30, 2.0)
    assert disk.after(70, 0.0) == "", "nothing has been written for an hour"


def test_a_full_disk_is_said_to_be_full_and_an_alarm_ends_by_itself() -> None:
    disk = Watched(RESERVE_BYTES)
    assert "is full" in disk.watch.alarm()
    disk.free = 100 * GB
    assert disk.watch.alarm() == ""


def test_an_alarm_ends_only_with_a_tenth_more_than_its_limit() -> None:
    disk = Watched(RESERVE_BYTES + 10 * GB)
    assert disk.watch.alarm() == ""
    for free, alarm in ((9.99, True), (10.5, True), (11.01, False), (10.5, False)):
        disk.free = RESERVE_BYTES + round(free * GB)
        assert bool(disk.watch.alarm()) is alarm, free


def test_an_alarm_of_the_rate_ends_only_with_a_tenth_more_too() -> None:
    disk = Watched(RESERVE_BYTES + 1_500 * GB)
    disk.watch.alarm()
    disk.clock.us += 60 * MINUTE_US
    for lasts_h, alarm in ((24.5, False), (23.5, True), (25.0, True), (26.5, False)):
        filled = 1_500 * GB / (lasts_h + 1)  # in the hour
        disk.free = RESERVE_BYTES + round(1_500 * GB - filled)
        assert bool(disk.watch.alarm()) is alarm, lasts_h


def test_a_disk_that_does_not_answer_is_an_alarm() -> None:
    assert "does not answer" in Watched(None).watch.alarm()


def test_a_folder_that_is_not_there_yet_counts_as_where_it_will_be(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") is not None
