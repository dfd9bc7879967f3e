"""Watermarks in the ledger: the images, and what a request says of its own beyond text and position."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection, delete, func, insert, select

from orvault.custody.terms import Redaction
from orvault.custody.watermark import MAX_IMAGES, ImageMark, Layout, Position, WatermarkImage
from orvault.ledger.rows import Row, from_text, to_text, unreadable
from orvault.ledger.tables_exports import requests, watermark_images

T = TypeVar("T")
_IMAGES = select(*(column for column in watermark_images.c if column.name != "png"))
_MADE_OR_OVER = ("review", "ready", "delivered", "refused", "revoked", "failed", "expired")


class WatermarkImages:
    """`WatermarkImageRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, image: WatermarkImage, png: bytes) -> None:
        """Insert one."""
        self._db.execute(
            insert(watermark_images).values(
                digest=image.digest,
                name=image.name,
                width=image.width,
                height=image.height,
                png=png,
                added_by=image.added_by,
                added_us=image.added_us,
            )
        )

    def get(self, digest: str) -> WatermarkImage | None:
        """The one with this digest."""
        row = self._db.execute(_IMAGES.where(watermark_images.c.digest == digest)).mappings().first()
        return None if row is None else _image(row)

    def png(self, digest: str) -> bytes | None:
        """Its bytes."""
        c = watermark_images.c
        found = self._db.execute(select(c.png).where(c.digest == digest)).scalar_one_or_none()
        return None if found is None else bytes(found)

    def remove(self, digest: str) -> None:
        """Delete it."""
        self._db.execute(delete(watermark_images).where(watermark_images.c.digest == digest))

    def used_by(self, digest: str) -> list[str]:
        """Requests before their rendering is done that name it; a quote in a text is escaped, and matches nothing."""
        r = requests.c
        named = r.watermark_more.contains(f'"digest":"{digest}"', autoescape=True)
        query = select(r.id).where(r.state.not_in(_MADE_OR_OVER), named).order_by(r.id)
        return list(self._db.execute(query).scalars())

    def count(self) -> int:
        """How many there are."""
        return int(self._db.execute(select(func.count()).select_from(watermark_images)).scalar_one())

    def all(self) -> list[WatermarkImage]:
        """The newest first."""
        c = watermark_images.c
        query = _IMAGES.order_by(c.added_us.desc(), c.digest).limit(MAX_IMAGES)
        return [_image(row) for row in self._db.execute(query).mappings()]


def _image(row: Row) -> WatermarkImage:
    return WatermarkImage(
        row["digest"],
        row["name"],
        row["width"],
        row["height"],
        row["added_by"],
        row["added_us"],
    )


def more_to_text(redaction: Redaction) -> str:
    """What `with_more` reads back."""
    image = redaction.image
    return to_text(
        {
            "drawn": redaction.drawn,
            "image": None
            if image is None
            else {
                "digest": image.digest,
                "layout": image.layout.to_json(),
                "position": image.position.value,
            },
            "layout": redaction.layout.to_json(),
            "utc_offset_min": redaction.utc_offset_min,
        }
    )


def with_more(redaction: Redaction, text: str | None, where: str) -> Redaction:
    """The redaction with what the row says beyond text and position; a row older than that says nothing."""
    if text is None:
        return redaction
    more = from_text(text, where)
    try:
        image = more["image"]
        return replace(
            redaction,
            drawn=_of(str, more["drawn"]),
            layout=_layout(more["layout"]),
            utc_offset_min=_of(int, more["utc_offset_min"]),
            image=None if image is None else _image_mark(image),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(where) from error


def _image_mark(value: object) -> ImageMark:
    fields = _of(dict, value)
    return ImageMark(
        _of(str, fields["digest"]), Position(_of(str, fields["position"])), _layout(fields["layout"])
    )


def _layout(value: object) -> Layout:
    fields = _of(dict, value)
    at, size = fields["at_permille"], fields["size_permille"]
    return Layout(
        opacity_permille=_of(int, fields["opacity_permille"]),
        size_permille=None if size is None else _of(int, size),
        at_permille=None if at is None else (_of(int, at[0]), _of(int, at[1])),
        tiled=_of(bool, fields["tiled"]),
    )


def _of(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"not {kind.__name__}")
    return value
