"""From the watermark that custody keeps to the marks that vision paints; the only place that knows both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.terms import Redaction
from orvault.custody.watermark import Layout
from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.watermark import Anchor, ImageWatermark, Mark, TextWatermark, WatermarkPainter
from orvault.vision.watermark_image import read_png


def marks_of(redaction: Redaction, image: bytes | None) -> list[Mark]:
    """The image below, the text above it; at least one. `image`: the PNG that the redaction names."""
    marks: list[Mark] = []
    if redaction.image is not None:
        if image is None:
            raise OrvaultError(ErrorKind.INTERNAL, "A watermark's image was not loaded.", where="watermark")
        position, layout = Anchor(redaction.image.position), redaction.image.layout
        opacity, size, at, tiled = _shares(layout)
        marks.append(ImageWatermark(read_png(image), position, opacity, size, at, tiled))
    if redaction.text:
        position, offset = Anchor(redaction.position), redaction.utc_offset_min
        opacity, size, at, tiled = _shares(redaction.layout)
        marks.append(TextWatermark(redaction.text, position, opacity, size, at, tiled, offset))
    return marks


def marks_of_copies(
    redaction: Redaction, image: bytes | None, copies: Sequence[Sequence[str]]
) -> tuple[list[Mark], list[list[Mark]]]:
    """The marks that all copies have, and those that each has of its own; `copies`: the names each is made for.

    Only a text that names its recipient is painted for each copy anew.
    """
    if not redaction.names_recipient:
        return marks_of(redaction, image), [[] for _ in copies]
    texts = [replace(redaction.for_copy(names), image=None) for names in copies]
    common = replace(redaction, watermark="", drawn="")
    return marks_of(common, image), [marks_of(text, None) for text in texts]


def check_watermark(redaction: Redaction, image: bytes | None, width: int, height: int) -> None:
    """BAD_REQUEST, with the reason, unless this watermark can be drawn into pictures of this size (pixels)."""
    WatermarkPainter(marks_of(redaction, image), width, height)


def _shares(layout: Layout) -> tuple[float, float | None, tuple[float, float] | None, bool]:
    size = None if layout.size_permille is None else layout.size_permille / 1000
    at = None if layout.at_permille is None else (layout.at_permille[0] / 1000, layout.at_permille[1] / 1000)
    return layout.opacity_permille / 1000, size, at, layout.tiled
