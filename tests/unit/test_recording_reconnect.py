"""A camera that goes away and comes back, with sources in memory and a clock that does not wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from orvault.clock import FakeClock
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.reconnect import ReconnectPolicy, reconnecting
from orvault.video.packet import Packet, PacketSource, StreamInfo

INFO = StreamInfo("h264", 320, 240, 15.0, b"")
S = 1_000_000


def error(kind: ErrorKind, message: str = "gone") -> OrvaultError:
    return OrvaultError(kind, message)


class Scripted:
    """A source that sends some packets, one per second, and ends as it is told."""

    info = INFO

    def __init__(self, clock: FakeClock, packets: int, ending: OrvaultError | None) -> None:
        self._clock, self._packets, self._ending = clock, packets, ending
        self.closed = 0

    def __iter__(self) -> Iterator[Packet]:
        for number in range(self._packets):
            self._clock.sleep(1)
            yield Packet(b"", number, number, True, INFO if number == 0 else None)
        if self._ending is not None:
            raise self._ending

    def close(self) -> None:
        self.closed += 1


class Camera:
    """Opens what its script says, then tells to stop."""

    def __init__(self, *script: tuple[int, OrvaultError | None] | OrvaultError) -> None:
        self.clock = FakeClock()
        self.begun_us = self.clock.us
        self._script = list(script)
        self.opened_s: list[float] = []
        self.sources: list[Scripted] = []
        self.gaps: list[tuple[float, float, str]] = []
        self.failures: list[str] = []
        self.stop = False

    def since_s(self, us: int) -> float:
        return (us - self.begun_us) / S

    def open(self) -> PacketSource:
        self.opened_s.append(self.since_s(self.clock.us))
        step = self._script.pop(0)
        self.stop = not self._script
        if isinstance(step, OrvaultError):
            raise step
        self.sources.append(Scripted(self.clock, *step))
        return self.sources[-1]

    def run(self, until_stopped: bool = False, **policy: float) -> list[Packet]:
        heard: Callable[[OrvaultError], None] = lambda failed: self.failures.append(failed.message)  # noqa: E731
        stopping = (lambda: self.stop) if until_stopped else (lambda: False)
        settings = ReconnectPolicy(stopping=stopping, on_failure=heard, **policy)  # type: ignore[arg-type]

        def gap(begin: int, end: int, reason: str) -> None:
            self.gaps.append((self.since_s(begin), self.since_s(end), reason))

        return list(reconnecting(self.open, self.clock, gap, settings))


AWAY = error(ErrorKind.CAMERA_UNREACHABLE, "away")


def test_a_file_that_is_over_ends_it_without_a_gap() -> None:
    camera = Camera((5, None))
    assert len(camera.run()) == 5
    assert camera.gaps == [] and camera.sources[0].closed == 1


def test_a_loss_is_one_gap_from_the_last_picture_to_the_next_with_the_first_reason() -> None:
    camera = Camera((5, error(ErrorKind.CAMERA_STALLED, "frozen")), AWAY, AWAY, (3, None))
    packets = camera.run()
    assert [packet.begins is not None for packet in packets] == [True, *[False] * 4, True, False, False]
    ((begin, end, reason),) = camera.gaps
    # The jitter is random, and a float plus one second need not be the float of the sum.
    assert begin == 5.0 and end == pytest.approx(camera.opened_s[-1] + 1) and reason == "frozen"
    assert camera.failures == ["frozen", "away", "away"]
    assert all(source.closed == 1 for source in camera.sources)


def test_a_camera_that_is_away_at_the_start_is_a_gap_from_the_start() -> None:
    camera = Camera(AWAY, AWAY, (1, None))
    camera.run()
    assert camera.gaps[0][0] == 0.0 and camera.gaps[0][2] == "away"


def test_waits_grow_are_bounded_and_differ() -> None:
    camera = Camera(*[AWAY] * 60, (1, None))
    camera.run(first_s=0.5, most_s=4.0)
    waits = [after - before for before, after in pairwise(camera.opened_s)]
    assert waits[0] <= 1.0 and max(waits) <= 4.0 and max(waits[10:]) > 1.0
    assert len(set(waits)) > 50, "cameras of one switch must not come back in step"


def test_a_camera_that_hangs_up_at_once_is_not_called_without_a_pause() -> None:
    camera = Camera(*[(1, AWAY)] * 30, (1, None))
    camera.run(first_s=1.0, most_s=30.0)
    pauses = [after - before - 1 for before, after in pairwise(camera.opened_s)]
    assert sum(pauses) > 60


def test_a_long_connection_is_taken_up_again_at_once() -> None:
    camera = Camera((40, AWAY), (1, None))
    camera.run(most_s=15.0)
    assert camera.opened_s == [0.0, 40.0]


def test_a_refused_password_is_tried_seldom() -> None:
    camera = Camera(*[error(ErrorKind.CAMERA_REFUSED)] * 3, (1, None))
    camera.run(refused_s=60.0)
    assert [round(after - before) for before, after in pairwise(camera.opened_s)] == [60, 60, 60]


@pytest.mark.parametrize("kind", [ErrorKind.UNSUPPORTED_CODEC, ErrorKind.BAD_SETTINGS, ErrorKind.NOT_FOUND])
def test_what_does_not_pass_by_itself_is_raised(kind: ErrorKind) -> None:
    for camera in (Camera(error(kind)), Camera((2, error(kind)))):
        with pytest.raises(OrvaultError) as caught:
            camera.run()
        assert caught.value.kind is kind
        assert all(source.closed == 1 for source in camera.sources)


def test_stopping_ends_the_waiting_and_tells_the_open_gap() -> None:
    camera = Camera((2, AWAY), AWAY, AWAY)
    assert len(camera.run(until_stopped=True)) == 2
    ((begin, end, reason),) = camera.gaps
    assert begin == 2.0 and end >= 2.0 and reason == "away"


def test_stopping_ends_a_running_camera() -> None:
    camera = Camera((1000, None))
    assert len(camera.run(until_stopped=True)) == 1
    assert camera.sources[0].closed == 1 and camera.gaps == []


def test_leaving_the_loop_closes_the_camera() -> None:
    camera = Camera((1000, None), AWAY)
    stream = reconnecting(camera.open, camera.clock, lambda *_: None)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert camera.sources[0].closed == 1
