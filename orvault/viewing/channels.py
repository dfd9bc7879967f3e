"""One variant of a camera's live pictures, encoded once for all who watch it; and how many with a name there may be.

Who gets which variant is live.py's part; what is done to a picture, dressing.py's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orvault.custody.viewing import Showing
from orvault.video.codec import Image
from orvault.video.live import StreamEncoder
from orvault.viewing.dressing import Dressing, tiny
from orvault.viewing.outlet import Begin, Outlet, Shown
from orvault.viewing.people import Covered


@dataclass(frozen=True, slots=True)
class Variant:
    """What pictures of a camera may be made into: how much they show, and whose name is in them ("" in none)."""

    showing: Showing
    name: str


MASKED = Variant(Showing.MASKED, "")


class Places:
    """How many variants with a name may be made at once, over all cameras."""

    def __init__(self, most: int) -> None:
        self._left = threading.Semaphore(most)

    def take(self) -> bool:
        """Whether there was one left."""
        return self._left.acquire(blocking=False)

    def give_back(self) -> None:
        """One that was taken."""
        self._left.release()


class Channel:
    """One variant, from the picture `since_90k` on. Errors: BAD_REQUEST for a name that cannot be drawn, INTERNAL."""

    def __init__(self, variant: Variant, bgr: Image, fps: float, since_90k: int) -> None:
        self.variant, self._since_90k = variant, since_90k
        height, width = bgr.shape[:2]
        self.size = (height, width)
        self._dressing = Dressing(variant.showing, variant.name, width, height)
        if variant.showing is Showing.MASKED:
            height, width = tiny(bgr).shape[:2]
        self._encoder = StreamEncoder(width, height, fps)

    def show(self, pictures: Iterable[Covered], viewers: Mapping[Outlet, str]) -> None:
        """Send these to the viewers, each with the reason for what it sees; the new among them begin with a keyframe.

        What was taken before the variant was watched is left out: nobody was to see it then.
        """
        for each in pictures:
            if each.pts_90k >= self._since_90k and each.bgr.shape[:2] == self.size:
                self._show(each, viewers)

    def _show(self, covered: Covered, viewers: Mapping[Outlet, str]) -> None:
        new = [viewer for viewer in viewers if viewer.source is not self]
        # What is painted into one variant must not show in the next.
        own = covered.bgr if self.variant.showing is Showing.MASKED else covered.bgr.copy()
        piece = self._encoder.encode(self._dressing.dress(own, covered.plan), covered.pts_90k, bool(new))
        for viewer in new:
            viewer.begin(
                self, Begin(self.variant.showing, viewers[viewer], self._encoder.codec, self._encoder.init)
            )
        for viewer in viewers:
            viewer.put(Shown(self.variant.showing, piece.data))
