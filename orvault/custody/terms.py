"""What a recipient gets and on which conditions: masking, watermark, validity and terms of use, each with
its bounds.

The pictures are made by `orvault.rendition`; here only the choice is checked. The words for modes, styles
and positions are those of `orvault.vision` (a test holds the two together), written out because custody
needs no images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from orvault.clock import US_PER_S
from orvault.container.keys import Recipient
from orvault.container.label import MAX_PASSWORD_SLOTS
from orvault.custody.choice import MaskingChoice
from orvault.custody.text import MAX_TIME_US, clean_text, show_time
from orvault.custody.watermark import (
    RECIPIENT_FIELD,
    TEXT_SIZE_PERMILLE,
    USUAL,
    ImageMark,
    Layout,
    Position,
    check_drawn,
    check_template,
    fill_template,
)
from orvault.errors import ErrorKind, OrvaultError

DAY_US = 24 * 3600 * US_PER_S
DEFAULT_VALIDITY_US = 30 * DAY_US
LONGEST_VALIDITY_US = 366 * DAY_US
MAX_RECIPIENTS = 20

DEFAULT_TERMS = (
    "이 영상은 요청서에 적힌 목적으로만 볼 수 있으며, 복제하거나 다른 사람에게 제공할 수 없고, "
    "목적을 달성하면 지체 없이 파기해야 합니다(개인정보 보호법 제18조 제5항).\n"
    "This video may be viewed for the stated purpose only. It may not be copied or passed on, and must be "
    "destroyed without delay once the purpose is met (Personal Information Protection Act, art. 18 (5))."
)


class Masking(StrEnum):
    """How much of each person is hidden; clear output is not offered."""

    FACE = "face"
    HEAD = "head"
    BODY = "body"
    PICTURE = "picture"


class Style(StrEnum):
    """With what it is hidden."""

    SOLID = "solid"
    MOSAIC = "mosaic"
    FROST = "frost"


@dataclass(frozen=True, slots=True)
class Redaction:
    """The masking and the visible watermark of every picture in the packages.

    `watermark` is the text as typed, its fields in braces ("": an image alone); `drawn` the same with its fields
    filled in at submit, but the time and the recipient ("" before that, and in requests older than the fields).
    Without a `choice` everybody is masked.
    """

    masking: Masking
    style: Style
    watermark: str
    position: Position
    layout: Layout = USUAL
    utc_offset_min: int = 0
    image: ImageMark | None = None
    drawn: str = ""
    choice: MaskingChoice | None = None

    def checked(self) -> Redaction:
        """With the text cleaned; BAD_REQUEST when there is neither text nor image, or something is out of range."""
        text = (
            self.watermark
            if self.image is not None and not self.watermark
            else check_template(self.watermark)
        )
        if abs(self.utc_offset_min) > 14 * 60:
            message = "The offset from UTC is -840 to 840 minutes."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="watermark.utc_offset_min")
        self.layout.checked(TEXT_SIZE_PERMILLE, "watermark")
        if self.image is not None:
            self.image.checked()
        return replace(self, watermark=text)

    @property
    def text(self) -> str:
        """What is drawn; `{time}` in it is each picture's own, `{recipient}` each copy's. "": an image alone is."""
        return self.drawn or self.watermark

    @property
    def names_recipient(self) -> bool:
        """Whether each copy has a text of its own."""
        return f"{{{RECIPIENT_FIELD}}}" in self.drawn

    def for_copy(self, names: Sequence[str]) -> Redaction:
        """As the copy for these recipients has it, with nobody else's name. BAD_REQUEST: theirs cannot be drawn."""
        if not self.drawn:
            return self
        filled = fill_template(self.drawn, {RECIPIENT_FIELD: ", ".join(names)})
        return replace(self, drawn=check_drawn(filled))

    @property
    def clear(self) -> bool:
        """Whether somebody is left unmasked by choice: then two accounts approve, and consents must say so."""
        return self.choice is not None and bool(self.choice.told.clear)

    def masking_summary(self) -> str:
        """The masking in words, as history tells of it."""
        mode = self.masking.value
        return mode if self.choice is None else f"{mode}; {self.choice.summary()}"

    def watermark_summary(self) -> str:
        """The watermark in words, as history and the package's manifest tell of it."""
        parts = [self.text] if self.text else []
        if self.image is not None:
            parts.append(f"image {self.image.digest}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Validity:
    """When a package may be opened: from and until, UTC microseconds."""

    from_us: int
    until_us: int


def make_validity(from_us: int | None, until_us: int | None, now_us: int) -> Validity:
    """The period asked for, or 30 days from now; BAD_REQUEST when it is over, reversed, or longer than 366
    days.
    """
    start = now_us if from_us is None else from_us
    end = start + DEFAULT_VALIDITY_US if until_us is None else until_us
    problem = ""
    if not 0 <= start < end <= MAX_TIME_US:
        problem = "The validity ends before it begins."
    elif end <= now_us:
        problem = f"The validity ended at {show_time(end)}, before now."
    elif end - start > LONGEST_VALIDITY_US or start > now_us + LONGEST_VALIDITY_US:
        problem = "The validity is longer, or begins later, than 366 days."
    if problem:
        advice = "Choose a period that ends in the future and lasts at most 366 days."
        raise OrvaultError(ErrorKind.BAD_REQUEST, problem, where="valid_from, valid_until", advice=advice)
    return Validity(start, end)


def check_recipients(recipients: Sequence[Recipient]) -> tuple[Recipient, ...]:
    """The recipients, names cleaned; BAD_REQUEST unless there are 1 to 20, at most 16 of them by password (the
    package format's bound), each with a name of its own.
    """
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        message = f"{len(recipients)} recipients are named; a package is for 1 to {MAX_RECIPIENTS}."
        raise OrvaultError(
            ErrorKind.BAD_REQUEST, message, where="recipients", advice="Name who will open it."
        )
    passwords = sum(recipient.password_salt is not None for recipient in recipients)
    if passwords > MAX_PASSWORD_SLOTS:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"{passwords} recipients have a password; a package is for at most {MAX_PASSWORD_SLOTS} of those.",
            where="recipients",
            advice="Take the public keys of some, or file a second request.",
        )
    cleaned = tuple(
        replace(recipient, name=clean_text(recipient.name, f"recipients[{i}].name", longest=80))
        for i, recipient in enumerate(recipients)
    )
    if len({recipient.name.casefold() for recipient in cleaned}) != len(cleaned):
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "A recipient is named twice.",
            where="recipients",
            advice="Give each recipient a name of their own; a leak is traced by it.",
        )
    return cleaned


def check_terms(text: str) -> str:
    """The terms of use that travel in the package; the hospital's standing ones where none were given."""
    return clean_text(text, "terms", longest=4000, lines=True) if text.strip() else DEFAULT_TERMS
