"""Which packets have to be decoded by somebody who looks at a picture now and then. It decodes nothing itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from av.packet import Packet
from av.video.stream import VideoStream

from orvault.video.packet import TICKS_PER_S


def needed(
    packets: Iterable[Packet[VideoStream]], every_s: float, wanted: set[int]
) -> Iterator[Packet[VideoStream]]:
    """From each keyframe to the last picture before the next one that is wanted; the packet that ends them all too.

    Wanted are the first picture, and each that is shown at least `every_s` later than the one before it; their times,
    in the stream's own units, go to `wanted` before the packets are handed out.
    """
    group: list[Packet[VideoStream]] = []
    due = -math.inf
    for packet in packets:
        if group and (packet.is_keyframe or packet.pts is None):  # without a time: the end
            for at, pts in sorted(map(_time_of, group)):
                if at >= due:
                    due = at + every_s * TICKS_PER_S
                    wanted.add(pts)
            last = max((n for n, each in enumerate(group) if each.pts in wanted), default=-1)
            yield from group[: last + 1]
            group = []
        if packet.pts is None:
            yield packet
        else:
            group.append(packet)


def _time_of(packet: Packet[VideoStream]) -> tuple[int, int]:
    """In 1/90000 s, and in the stream's own units."""
    assert packet.pts is not None and packet.time_base is not None, "only the end has no time"
    return round(packet.pts * packet.time_base * TICKS_PER_S), packet.pts
