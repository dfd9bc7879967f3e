"""From a clear picture to what a viewer may see of it: mosaic, people covered, or clear; a name where one belongs.

Covering and lettering are those of exports (vision.mask, vision.watermark). Nothing here decides who sees what.
"""

from __future__ import annotations

import cv2
import numpy as np

from orvault.custody.viewing import Showing
from orvault.video.codec import Image
from orvault.vision.mask import FramePlan, MaskMode, MaskPolicy, MaskStyle, apply_mask
from orvault.vision.site import SiteMasking
from orvault.vision.watermark import Anchor, TextWatermark, WatermarkPainter

COLUMNS = 16  # cells across a masked picture
CELL_PX = 8  # side of a cell in the tiny picture that is sent
_COLOUR_STEP = 16
PEOPLE = MaskPolicy(MaskMode.BODY, MaskStyle.SOLID)


def people_policy(site: SiteMasking, camera_id: str) -> MaskPolicy:
    """What people-masked pictures of a camera cover: people whole, and what the site always covers there."""
    return site.policy(camera_id, PEOPLE.mode, PEOPLE.style)


def cells(bgr: Image) -> Image:
    """A picture (h, w, 3) as 16 colours across, rows to match: all that is kept of it when it is masked.

    Why nobody gets the picture back: each cell is the mean of a sixteenth of the picture's width, rounded to 16
    levels a channel, and nothing else of the picture is coded: 432 numbers of 4 bits for a 16:9 picture. A head that
    fills a quarter of the picture's width is left as 4 x 4 colours, the bound that masks in exports keep
    (vision/mask.py); in a room seen as a whole it is less than one. The grid is fixed to the picture and the camera
    does not move, so what stands still is sampled at the same places for ever; what moves across the edges of cells
    tells a little more, dulled by the rounding: that somebody is there and moves, not who.
    """
    height, width = bgr.shape[:2]
    rows = max(1, round(COLUMNS * height / width))
    means = cv2.resize(bgr, (COLUMNS, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means // _COLOUR_STEP * _COLOUR_STEP + _COLOUR_STEP // 2, np.uint8)


def tiny(bgr: Image) -> Image:
    """The mosaic as the small picture that is sent live; the browser enlarges it."""
    few = cells(bgr)
    return np.ascontiguousarray(few.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1))


def mosaic(bgr: Image) -> Image:
    """The mosaic in the picture's own size: stored views keep one size, so that a switch needs no new stream."""
    height, width = bgr.shape[:2]
    large = cv2.resize(cells(bgr), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(large, np.uint8)


class Dressing:
    """Makes one variant of a camera's pictures; `name` is burnt into what is not a mosaic, at this `corner`."""

    def __init__(
        self, showing: Showing, name: str, width: int, height: int, corner: Anchor = Anchor.BOTTOM_RIGHT
    ) -> None:
        self.showing = showing
        self._painter: WatermarkPainter | None = None
        if name and showing is not Showing.MASKED:
            mark = TextWatermark(name, corner)
            self._painter = WatermarkPainter(mark, width, height)

    def dress(self, bgr: Image, plan: FramePlan | None) -> Image:
        """The picture as it may be seen; changed in place where it is not a mosaic.

        `plan` says where people are. Without one, people-masked pictures are covered whole.
        """
        if self.showing is Showing.MASKED:
            return tiny(bgr)
        if self.showing is Showing.PEOPLE:
            apply_mask(bgr, plan or FramePlan(whole=True), PEOPLE)
        if self._painter is not None:
            self._painter.paint(bgr)
        return bgr
