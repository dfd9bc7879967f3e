"""Images for visible watermarks, and a request's watermark made ready to be drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.desks.base import Desk, not_found
from orvault.custody.history import Act
from orvault.custody.rows import UnitOfWork
from orvault.custody.terms import Redaction
from orvault.custody.text import clean_text
from orvault.custody.watermark import MAX_IMAGES, WatermarkImage, fill_template
from orvault.errors import ErrorKind, OrvaultError

# what stands in a preview for what is not known yet
_CASE, _RECIPIENT, _REQUEST = "(case)", "(recipient)", "(request)"


class WatermarkDesk(Desk):
    """What people who file requests do with watermarks; the pictures themselves are made outside."""

    def add_watermark_image(
        self, by: Account, name: str, png: bytes, size: tuple[int, int]
    ) -> WatermarkImage:
        """Keep an image that `vision.watermark_image` wrote; one that is there already is returned as it is.

        Errors: FORBIDDEN, BAD_REQUEST (the name), CONFLICT when too many are kept.
        """
        require(by, Right.EXPORT_SUBMIT)
        name = clean_text(name, "name", longest=80)
        digest, now = hashlib.sha256(png).hexdigest(), self._clock.now_us()
        with self._uow() as uow:
            known = uow.watermark_images.get(digest)
            if known is not None:
                return known
            if uow.watermark_images.count() >= MAX_IMAGES:
                message = f"{MAX_IMAGES} images are kept already, as many as may be."
                advice = "Take one of those, or remove one that is not needed any more."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice=advice)
            image = WatermarkImage(digest, name, *size, by.account_id, now)
            uow.watermark_images.add(image, png)
            detail = {"name": name, "width": size[0], "height": size[1]}
            uow.history.append(now, by.actor, Act.WATERMARK_IMAGE_ADDED, _subject(digest), detail)
            uow.commit()
        return image

    def remove_watermark_image(self, by: Account, digest: str) -> None:
        """Keep this image no longer. What was made with it stays as it is.

        Errors: FORBIDDEN, NOT_FOUND, CONFLICT while a request that names it may still be rendered.
        """
        require(by, Right.WATERMARK_REMOVE, place=self._place())
        with self._uow() as uow:
            image = uow.watermark_images.get(digest)
            if image is None:
                raise not_found("watermark image", digest)
            if used_by := uow.watermark_images.used_by(digest):
                others = f" and {len(used_by) - 1} more" if len(used_by) > 1 else ""
                message = f"The image {image.name} is asked for by the open request {used_by[0]}{others}."
                advice = "Remove it once those are ready, refused or over."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice=advice)
            uow.watermark_images.remove(digest)
            act, detail = Act.WATERMARK_IMAGE_REMOVED, {"name": image.name}
            uow.history.append(self._clock.now_us(), by.actor, act, _subject(digest), detail)
            uow.commit()

    def watermark_images(self, by: Account) -> Sequence[WatermarkImage]:
        """Those that are kept, the newest first."""
        require(by, Right.EXPORT_SUBMIT)
        with self._uow(read_only=True) as uow:
            return [] if self._reach(by).nothing else uow.watermark_images.all()

    def preview_watermark(
        self, by: Account, redaction: Redaction, case_id: str | None, recipients: Sequence[str]
    ) -> tuple[list[Redaction], bytes | None, int]:
        """The watermark as each recipient's copy would have it, its image (PNG), and now; nothing is kept.

        What is not known yet stands in it by its field's name, as `(case)`. Errors: as at submit.
        """
        require(by, Right.EXPORT_SUBMIT)
        names = [clean_text(name, "recipients", longest=80) for name in recipients] or [_RECIPIENT]
        with self._uow(read_only=True) as uow:
            case = (
                None if case_id is None else self._case_for(uow, by, Right.EXPORT_SUBMIT, case_id, "case_id")
            )
            number = _CASE if case is None else case.number
            ready, image = self._drawable(uow, redaction.checked(), number, _REQUEST)
        return [ready.for_copy([name]) for name in names], image, self._clock.now_us()

    def _drawable(
        self, uow: UnitOfWork, redaction: Redaction, number: str, request_id: str
    ) -> tuple[Redaction, bytes | None]:
        """With what is the same in every copy filled in; and the image it names. Errors: BAD_REQUEST, NOT_FOUND."""
        values = {"hospital": self._hospital, "case": number, "request": request_id}
        drawn = fill_template(redaction.watermark, values)
        return replace(redaction, drawn=drawn), watermark_png(uow, redaction)


def watermark_png(uow: UnitOfWork, redaction: Redaction) -> bytes | None:
    """The image that a request names; None if it names none. NOT_FOUND, ALTERED: its bytes are not its name's."""
    if redaction.image is None:
        return None
    digest = redaction.image.digest
    png = uow.watermark_images.png(digest)
    if png is None:
        raise not_found("watermark image", digest, "watermark.image.id")
    if hashlib.sha256(png).hexdigest() != digest:
        message = "The watermark's image is not the one that the request names."
        raise OrvaultError(ErrorKind.ALTERED, message, where=f"watermark image {digest[:16]}")
    return png


def _subject(digest: str) -> str:
    return f"watermark-image:{digest}"
