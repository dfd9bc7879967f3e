"""A line over a node, as a test puts fragments on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors.recording_line import RecordingLine
from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.orders import OrderStore
from orvault.video.gop import Fragment
from tests.unit.actors_support import (
    START_US,
    CalmClock,
    Node,
    eventually,
    fragments,
    make_node,
)

SHORT_US = 2 * US_PER_S
DISK_FULL = "The segment could not be stored: No space left on device."


def disk_full() -> OrvaultError:
    return OrvaultError(ErrorKind.STORAGE, DISK_FULL)


def pieces(count: int, first: int = 0) -> list[Fragment]:
    """So many fragments of two seconds, one after the other without a hole; small, because nobody looks into them."""
    base = fragments()[0]
    return [
        replace(
            base,
            data=bytearray(b"picture %d" % number),
            start_us=START_US + number * SHORT_US,
            end_us=START_US + (number + 1) * SHORT_US,
        )
        for number in range(first, first + count)
    ]


class Bench:
    """A line over a node; `cuts` is what it told its camera."""

    def __init__(self, node: Node, clock: CalmClock) -> None:
        self.node, self.clock = node, clock
        self.cuts: list[bool] = []
        self.line = self.restarted()

    def restarted(self) -> RecordingLine:
        """A new line over the same disk, as in a new process."""
        orders = OrderStore(self.node.orders)
        self.line = RecordingLine(
            "node-1", "or1-ceiling", self.node.keeper, orders, self.clock, self.cuts.append
        )
        return self.line

    def put(self, *several: Fragment) -> None:
        for fragment in several:
            self.clock.us = fragment.end_us
            self.line.put(fragment)

    def sealed(self, count: int) -> None:
        eventually(lambda: self.line.segments == count, f"{count} segments are sealed")

    @property
    def ordered(self) -> object:
        return OrderStore(self.node.orders).load("or1-ceiling")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = CalmClock()
    yield Bench(make_node(tmp_path), clock)
    clock.over = True


def kind_of(act: object, *args: object) -> ErrorKind:
    with pytest.raises(OrvaultError) as caught:
        act(*args)  # type: ignore[operator]
    return caught.value.kind
