"""What an export request asks for: which pictures, why, on which basis, for whom, how; complete or as a draft.

What becomes of it is `request`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orvault.clock import US_PER_S
from orvault.container.keys import Recipient
from orvault.custody.activation import OFF_LINE, ActivationWish
from orvault.custody.basis import LegalBasis
from orvault.custody.case import MAX_CAMERAS
from orvault.custody.terms import Masking, Redaction, Style, check_recipients, check_terms
from orvault.custody.text import check_range, clean_text
from orvault.errors import ErrorKind, OrvaultError

LONGEST_RANGE_US = 48 * 3600 * US_PER_S


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: these cameras of a case, from-to (UTC microseconds), why, on which basis, for
    whom, how.
    """

    case_id: str
    camera_ids: tuple[str, ...]
    from_us: int
    to_us: int
    purpose: str
    basis: LegalBasis
    recipients: tuple[Recipient, ...]
    redaction: Redaction
    terms: str = ""
    activation: ActivationWish = OFF_LINE

    @property
    def clear(self) -> bool:
        """Whether people can be recognised in what is asked for."""
        return self.redaction.clear

    def checked(self) -> Wish:
        """The wish with texts cleaned and sizes bounded; BAD_REQUEST says which field is wrong."""
        self._check_scope()
        return replace(
            self,
            purpose=clean_text(self.purpose, "purpose", longest=500),
            basis=self.basis.checked(),
            recipients=check_recipients(self.recipients),
            redaction=self.redaction.checked(),
            terms=check_terms(self.terms),
            activation=self.activation.checked(),
        )

    def checked_draft(self) -> Wish:
        """As `checked`, but purpose, recipients and the watermark may still be lacking, and terms stay as typed."""
        self._check_scope()
        marked = self.redaction.watermark.strip() or self.redaction.image is not None
        return replace(
            self,
            purpose=clean_text(self.purpose, "purpose", longest=500) if self.purpose.strip() else "",
            basis=self.basis.checked(),
            recipients=check_recipients(self.recipients) if self.recipients else (),
            redaction=self.redaction.checked() if marked else replace(self.redaction, watermark=""),
            terms=check_terms(self.terms) if self.terms.strip() else "",
            activation=self.activation.checked(),
        )

    def _check_scope(self) -> None:
        if not 1 <= len(self.camera_ids) <= MAX_CAMERAS or len(set(self.camera_ids)) != len(self.camera_ids):
            message = f"Name 1 to {MAX_CAMERAS} cameras, each once."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="camera_ids")
        check_range(self.from_us, self.to_us)
        if self.to_us - self.from_us > LONGEST_RANGE_US:
            message = "The period is longer than 48 hours."
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, message, where="from, to", advice="Ask for less at once."
            )


_CHANGEABLE = ("camera_ids", "from_us", "to_us", "purpose", "basis", "recipients", "terms", "activation")


@dataclass(frozen=True, slots=True)
class WishChange:
    """What a draft's owner changes; None leaves a field as it is. The case stays: another one is another draft."""

    camera_ids: tuple[str, ...] | None = None
    from_us: int | None = None
    to_us: int | None = None
    purpose: str | None = None
    basis: LegalBasis | None = None
    recipients: tuple[Recipient, ...] | None = None
    masking: tuple[Masking, Style] | None = None
    watermark: Redaction | None = None  # its masking and style do not count
    terms: str | None = None
    activation: ActivationWish | None = None

    def applied(self, wish: Wish) -> Wish:
        """The wish as it is then, unchecked."""
        old = wish.redaction
        redaction = self.watermark or old
        masking, style = self.masking or (old.masking, old.style)
        changes = {name: getattr(self, name) for name in _CHANGEABLE}
        given = {name: value for name, value in changes.items() if value is not None}
        redaction = replace(redaction, masking=masking, style=style, choice=old.choice)
        return replace(wish, **given, redaction=redaction)
