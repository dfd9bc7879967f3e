"""A request's masking as a rendering needs it: what a person drew in pixels, and the rules in words.

Pure. The rules themselves are vision's; what may be chosen is decided in custody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orvault.custody.choice import WHOLE, DrawnRegion
from orvault.vision.mask import MaskMode, MaskStyle
from orvault.vision.site import SiteMasking
from orvault.vision.tracks import KeyedRegion, Region


def keyed(regions: Iterable[DrawnRegion], size: tuple[int, int]) -> tuple[KeyedRegion, ...]:
    """What a person drew, in pixels of pictures of this size."""
    scale = [limit / WHOLE for limit in (*size, *size)]

    def keys(region: DrawnRegion) -> Iterator[tuple[int, Region]]:
        for key in region.keys:
            x1, y1, x2, y2 = (side * by for side, by in zip(key.box_micro, scale, strict=True))
            yield key.at_us, (x1, y1, x2, y2)

    return tuple(KeyedRegion(region.name, tuple(keys(region))) for region in regions)


def masking_in_words(mode: MaskMode, style: MaskStyle, masking: SiteMasking) -> str:
    """The same in every process: a set's own order is not."""
    fixed = sorted((camera, repr(regions)) for camera, regions in masking.fixed.items())
    return repr((mode.value, style.value, fixed, sorted(masking.objects), masking.margin))
