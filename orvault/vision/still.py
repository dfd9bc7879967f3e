"""Heads that do not move: found where heads turn up again and again at one place, and then held for long.

Whoever lies on the table or stands at it is found only now and then, but always at the same place. This is no
tracker: it follows nobody who walks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from orvault.vision.boxes import Floats
from orvault.vision.detection import Detection

_NEAR = 0.3  # of the size: centres this close belong to the same place
_SIZE_RATIO = 1.6
_MOST_PLACES = 512  # at a time, against a detector gone wild; the one not seen for longest is given up


@dataclass(slots=True)
class StillRegion:
    """A place (the union of its findings: x1, y1, x2, y2), seen `count` times from picture `first` to `last`."""

    box: tuple[float, float, float, float]
    first: int
    last: int
    count: int


def still_regions(
    frames: Sequence[Iterable[Detection]], *, least_span: int, least_count: int, forget_after: int
) -> Iterator[StillRegion]:
    """The places at which the findings stayed for `least_span` pictures and were seen `least_count` times.

    A place not seen for `forget_after` pictures has ended; a finding there later begins a new one.
    """
    live: list[StillRegion] = []
    anchors: Floats = np.empty(
        (0, 3), np.float32
    )  # x, y of the centre and size, as first seen: it must not drift
    ended: list[StillRegion] = []
    for index, found in enumerate(frames):
        keep = [k for k, place in enumerate(live) if index - place.last <= forget_after]
        if len(keep) > _MOST_PLACES:
            keep = sorted(keep, key=lambda k: live[k].last)[-_MOST_PLACES:]
        if len(keep) < len(live):
            kept = set(keep)
            ended += [place for k, place in enumerate(live) if k not in kept]
            live, anchors = [live[k] for k in keep], anchors[keep]
        for detection in found:
            anchors = _note(live, anchors, detection, index)
    for place in (*ended, *live):
        if place.last - place.first >= least_span and place.count >= least_count:
            yield place


def _note(live: list[StillRegion], anchors: Floats, found: Detection, index: int) -> Floats:
    """Add the finding to the nearest place, or begin one."""
    x1, y1, x2, y2 = found.box
    size = max(x2 - x1, y2 - y1, 1.0)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    distance = np.hypot(anchors[:, 0] - x, anchors[:, 1] - y) / np.maximum(np.minimum(anchors[:, 2], size), 1)
    ratio = anchors[:, 2] / size
    distance[(ratio > _SIZE_RATIO) | (ratio < 1 / _SIZE_RATIO)] = np.inf
    if distance.size and distance.min() <= _NEAR:
        place = live[int(distance.argmin())]
        old = place.box
        place.box = (min(old[0], x1), min(old[1], y1), max(old[2], x2), max(old[3], y2))
        place.last, place.count = index, place.count + 1
        return anchors
    live.append(StillRegion(found.box, index, index, 1))
    return np.vstack([anchors, np.array([[x, y, size]], np.float32)])
