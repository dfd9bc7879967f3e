"""Which cameras are decoded and shown at once: as many as a small computer has memory for, and a window room. Pure.

What is not shown is not decoded. Each decoder holds some ten pictures, of up to 18 bytes a pixel all together.
"""

from __future__ import annotations

from collections.abc import Sequence

from orvault.container.package import MediaInfo
from player.boxes import MAX_PIXELS

MOST_CAMERAS = 9  # at once: three by three
MOST_PIXELS = 4 * MAX_PIXELS  # at once; some 700 MB with all that decoders hold

View = tuple[int, ...]  # cameras by their number


def views(media: Sequence[MediaInfo]) -> list[View]:
    """What can be looked at, one after another: all cameras, in groups where they are too many, then each alone.

    A camera that is larger than everything allowed is a group of its own: one is always shown.
    """
    groups: list[View] = []
    spent = 0
    for number, info in enumerate(media):
        pixels = info.width * info.height
        if not groups or len(groups[-1]) == MOST_CAMERAS or spent + pixels > MOST_PIXELS:
            groups.append(())
            spent = 0
        groups[-1] += (number,)
        spent += pixels
    return list(dict.fromkeys([*groups, *((number,) for number in range(len(media)))]))
