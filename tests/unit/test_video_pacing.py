"""A reader naps between the pictures of a live camera, and never so that it falls behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from orvault.video.pacing import FRESH_BYTES, Nap, in_batches

TICK_S = 1 / 90_000
FRAME_S = 1 / 30


@dataclass
class Picture:
    """One, as the demuxer gives it."""

    size: int
    pts: int | None


class Camera:
    """Pictures that arrive 1/30 s apart; a read waits until the next is there, and takes `read_s` even then."""

    def __init__(self, count: int, size: int = 16_000, read_s: float = 0.0002) -> None:
        self.now_s = 0.0
        self.naps_s: list[float] = []
        self.most_waiting = 0
        self._count, self._size, self._read_s = count, size, read_s

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.naps_s.append(seconds)
        self.now_s += seconds

    def __iter__(self) -> Iterator[Picture]:
        for number in range(self._count):
            self.most_waiting = max(self.most_waiting, round(self.now_s / FRAME_S) - number)
            self.now_s = max(self.now_s, number * FRAME_S) + self._read_s
            yield Picture(self._size, round(number * FRAME_S / TICK_S))

    def read(self, nap: Nap = Nap()) -> list[Picture]:  # noqa: B008 - it cannot be changed
        return list(in_batches(self, TICK_S, nap, now_s=self.clock, sleep=self.sleep))


def test_every_picture_comes_in_order_and_most_reads_find_theirs_waiting() -> None:
    camera = Camera(300)
    assert [each.pts for each in camera.read()] == [3_000 * number for number in range(300)]
    assert 50 < len(camera.naps_s) <= 75  # for 300 pictures: four or more at a time
    assert max(camera.naps_s) == Nap.most_s
    assert camera.now_s == pytest.approx(10, abs=0.2)


def test_a_nap_lasts_no_longer_than_what_fits_into_a_fresh_connection() -> None:
    camera = Camera(300, size=160_000)  # 38 Mbit/s
    camera.read()
    assert camera.naps_s
    assert max(camera.naps_s) * 160_000 / FRAME_S <= FRESH_BYTES


def test_who_may_sleep_longer_does_where_more_can_wait() -> None:
    camera = Camera(300)
    assert len(camera.read(Nap(0.25, 8 * FRESH_BYTES))) == 300
    assert max(camera.naps_s) == 0.25 and len(camera.naps_s) <= 40
    narrow = Camera(300, size=40_000)  # 10 Mbit/s
    narrow.read(Nap(0.25))
    assert max(narrow.naps_s) * 40_000 / FRAME_S <= FRESH_BYTES


def test_a_reader_that_cannot_keep_up_takes_no_naps() -> None:
    slow = Camera(600, read_s=FRAME_S * 1.2)
    slow.read()
    assert len(slow.naps_s) < 5
    busy = Camera(
        1_500, read_s=FRAME_S * 0.7
    )  # it can, but every read takes long enough to look like waiting
    busy.read()
    assert busy.most_waiting < 1 / FRAME_S


def test_the_first_pictures_of_a_connection_are_not_held_back() -> None:
    camera = Camera(2)
    camera.read()
    assert camera.naps_s == [] or max(camera.naps_s) == 0


def test_a_camera_whose_clock_jumps_or_is_silent_about_it_is_read_on() -> None:
    camera = Camera(0)
    pictures = [
        Picture(10, None),
        Picture(10, 9_000_000),
        Picture(10, 5),
        Picture(10, None),
        Picture(10, 3_005),
    ]
    read = in_batches(pictures, TICK_S, now_s=camera.clock, sleep=camera.sleep)
    assert list(read) == pictures
