"""Bodies of visible watermarks: what a request asks for, images, previews."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import Field

from api.models import Words
from api.types import Model, TimeOut
from orvault.container.canonical import from_base64
from orvault.custody.terms import MAX_RECIPIENTS, Masking, Redaction, Style
from orvault.custody.watermark import ImageMark, Layout, Position, WatermarkImage
from orvault.errors import ErrorKind, OrvaultError

MAX_PNG_BYTES = 512 * 1024
Percent = Annotated[float, Field(ge=0, le=100)]


class _Shown(TypedDict):
    opacity: float
    x: float | None
    y: float | None
    size: float | None
    tiled: bool


class LayoutIn(Model):
    """How a mark stands in the picture; all numbers in percent."""

    opacity: Percent = 75
    x: Percent | None = Field(
        default=None,
        description="With y, in place of the position: 0 at the left edge, 100 at the right one.",
    )
    y: Percent | None = Field(default=None, description="0 at the upper edge, 100 at the lower one.")
    size: Percent | None = Field(
        default=None,
        description="Letter height of the picture's (1.5 to 20), or image width of it (2 to 60).",
    )
    tiled: bool = Field(default=False, description="Over the whole picture.")

    def layout(self, where: str) -> Layout:
        """As custody takes it."""
        if (self.x is None) != (self.y is None):
            message = "x and y are given together."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where=f"{where}.x, {where}.y")
        at = None if self.x is None or self.y is None else (_permille(self.x), _permille(self.y))
        size = None if self.size is None else _permille(self.size)
        return Layout(_permille(self.opacity), size, at, self.tiled)


class ImageMarkIn(LayoutIn):
    """An image that was sent before, and where it stands."""

    id: Annotated[str, Field(max_length=64, description="From `POST /watermark-images`.")]
    position: Position = Position.TOP_LEFT

    def mark(self) -> ImageMark:
        """As custody takes it."""
        return ImageMark(self.id, self.position, self.layout("watermark.image"))

    @classmethod
    def of(cls, mark: ImageMark) -> ImageMarkIn:
        """From custody's."""
        return cls(id=mark.digest, position=mark.position, **_shown(mark.layout))


class WatermarkIn(LayoutIn):
    """The visible watermark: a text, an image, or both.

    Fields of the text: `{hospital}`, `{case}` (its number), `{recipient}` (each copy's own), `{request}` (its number)
    and `{time}`, which is each picture's own date and time.
    """

    text: Words = Field(default="", examples=["{hospital} {case} {recipient} {time}"])
    position: Position = Position.BOTTOM_RIGHT
    utc_offset_min: Annotated[int, Field(ge=-840, le=840)] | None = Field(
        default=None,
        examples=[540],
        description="Minutes from UTC at which `{time}` is drawn; the rooms' clocks when left out.",
    )
    image: ImageMarkIn | None = None

    def redaction(self, masking: Masking, style: Style, rooms_offset_min: int) -> Redaction:
        """As custody takes it; `rooms_offset_min`: how far the rooms' clocks are from UTC."""
        offset_min = rooms_offset_min if self.utc_offset_min is None else self.utc_offset_min
        image = self.image.mark() if self.image is not None else None
        layout = self.layout("watermark")
        return Redaction(masking, style, self.text, self.position, layout, offset_min, image)


class WatermarkOut(WatermarkIn):
    """The watermark with its text as it is drawn."""

    drawn: str = Field(
        description="The text with its fields filled in; `{recipient}` is each copy's own, `{time}` each picture's."
    )

    @classmethod
    def of(cls, redaction: Redaction) -> WatermarkOut:
        """From custody's redaction."""
        return cls(
            text=redaction.watermark,
            position=redaction.position,
            utc_offset_min=redaction.utc_offset_min,
            image=ImageMarkIn.of(redaction.image) if redaction.image is not None else None,
            drawn=redaction.text,
            **_shown(redaction.layout),
        )


def _permille(percent: float) -> int:
    return round(10 * percent)


def _shown(layout: Layout) -> _Shown:
    x, y = layout.at_permille or (None, None)
    return {
        "opacity": layout.opacity_permille / 10,
        "x": None if x is None else x / 10,
        "y": None if y is None else y / 10,
        "size": None if layout.size_permille is None else layout.size_permille / 10,
        "tiled": layout.tiled,
    }


class WatermarkImageIn(Model):
    """An image for watermarks."""

    name: Words = Field(examples=["Seal of the hospital"])
    png: Annotated[str, Field(max_length=MAX_PNG_BYTES // 3 * 4 + 8, description="The PNG file, base64.")]

    def data(self) -> bytes:
        """The file's bytes. BAD_REQUEST: not base64, or too long."""
        message = f"This is no base64 of at most {MAX_PNG_BYTES >> 10} KiB."
        return from_base64(self.png, MAX_PNG_BYTES, OrvaultError(ErrorKind.BAD_REQUEST, message, where="png"))


class WatermarkImageOut(Model):
    """An image that watermarks may name."""

    id: str
    name: str
    width: int
    height: int
    added_by: str
    added_at: TimeOut

    @classmethod
    def of(cls, image: WatermarkImage) -> WatermarkImageOut:
        """From custody's."""
        return cls(
            id=image.digest,
            name=image.name,
            width=image.width,
            height=image.height,
            added_by=image.added_by,
            added_at=image.added_us,
        )


class PreviewIn(Model):
    """A watermark to be looked at, before it is asked for."""

    watermark: WatermarkIn
    case_id: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Its number is drawn; `(case)` when left out."
    )
    recipients: list[Words] = Field(default=[], max_length=MAX_RECIPIENTS)
    width: Annotated[int, Field(ge=320, le=1920)] = 1280
    height: Annotated[int, Field(ge=180, le=1080)] = 720
