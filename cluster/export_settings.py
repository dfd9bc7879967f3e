"""The settings of packages: their encoding, who approves, when requests are due, and what each role may choose."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orvault.container.activation import MAX_CA_BYTES, Activation, is_address
from orvault.container.certificates import MAX_PEM_BYTES, load_pem, to_der
from orvault.container.files import read_bounded
from orvault.custody.account import Role
from orvault.custody.activation import MOST_PLAYS, ActivationMode, ActivationPolicy
from orvault.custody.export_policy import ExportPolicy, RolePolicy
from orvault.custody.terms import MAX_RECIPIENTS, Masking, Style
from orvault.errors import ErrorKind, OrvaultError

Fields = Literal["hospital", "case", "recipient", "request", "time"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleExportSettings(_Part):
    """What accounts of one role may choose in a request."""

    role: Role = Field(description="Whose rules; a role without any may choose all that there is.")
    masking: tuple[Masking, ...] = Field(
        default=(), description="Kinds of masking that it may ask for; empty: all."
    )
    styles: tuple[Style, ...] = Field(
        default=(), description="Styles of masking that it may ask for; empty: all."
    )
    watermark_fields: tuple[Fields, ...] = Field(
        default=(), description="Fields that must stand in the watermark's text."
    )
    longest_days: int = Field(default=366, ge=1, le=366, description="Longest validity of a package.")
    most_recipients: int = Field(
        default=MAX_RECIPIENTS, ge=1, le=MAX_RECIPIENTS, description="Most recipients of a request."
    )
    unmasked: bool = Field(default=True, description="Whether somebody may be left unmasked by choice.")

    def policy(self) -> RolePolicy:
        """As custody takes it."""
        return RolePolicy(
            frozenset(self.masking or Masking),
            frozenset(self.styles or Style),
            frozenset(self.watermark_fields),
            self.longest_days,
            self.most_recipients,
            self.unmasked,
        )


class ActivationSettings(_Part):
    """On-line activation of packages."""

    mode: ActivationMode = Field(
        default=ActivationMode.NEVER, description="never, offered, or always: whether packages are activated."
    )
    address: str | None = Field(
        default=None,
        description="Where players reach the API from outside: https://HOST or https://HOST:PORT.",
    )
    ca_file: Path | None = Field(
        default=None, description="PEM of the authority that certifies it; empty: one that computers know."
    )
    hours: int = Field(default=12, ge=1, le=168, description="So long an activation lasts.")
    plays: int | None = Field(
        default=None,
        ge=1,
        le=MOST_PLAYS,
        description="Most plays that a request may allow; empty: any number.",
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.mode is not ActivationMode.NEVER and not is_address(self.address or ""):
            raise ValueError("address: needed as https://HOST or https://HOST:PORT, in lower case")
        return self

    def policy(self) -> ActivationPolicy:
        """The rules as custody takes them."""
        return ActivationPolicy(self.mode, self.plays, self.hours)

    def place(self) -> Activation | None:
        """What packages carry; None where none is activated. Errors: NOT_FOUND, BAD_SETTINGS (`ca_file`)."""
        if self.mode is ActivationMode.NEVER or self.address is None:
            return None
        return Activation(self.address, None if self.ca_file is None else _authority(self.ca_file))


def _authority(path: Path) -> bytes:
    certificates = load_pem(read_bounded(path, MAX_PEM_BYTES), path)
    ders = [to_der(certificate) for certificate in certificates]
    if len(ders) != 1 or len(ders[0]) > MAX_CA_BYTES:
        message = f"It holds something else than one certificate of at most {MAX_CA_BYTES} bytes."
        raise OrvaultError(ErrorKind.BAD_SETTINGS, message, where=f"export.activation.ca_file {path}")
    return ders[0]


class ExportSettings(_Part):
    """Packages."""

    encoder_preset: Literal["ultrafast", "superfast", "veryfast", "faster", "medium"] = Field(
        default="superfast", description="x264 speed."
    )
    encoder_crf: int = Field(
        default=21, ge=10, le=35, description="x264 quality; lower is better and larger."
    )
    approvers: Literal[1, 2] = Field(
        default=1, description="How many accounts approve; always 2 where somebody is left unmasked."
    )
    participants_review: bool = Field(
        default=False, description="Participants agree to the masked result before it leaves."
    )
    answer_days: int = Field(
        default=10, ge=1, le=90, description="A request is due so long after its submit."
    )
    reminder_days: tuple[int, ...] = Field(
        default=(3, 1), max_length=10, description="Reminders so long before that; and once when it is over."
    )
    overlay: bool = Field(
        default=True, description="Players draw who is watching, and the time, over every picture."
    )
    utc_offset_min: int = Field(
        default=540, ge=-840, le=840, description="How far clocks in the rooms are from UTC, in minutes."
    )
    roles: tuple[RoleExportSettings, ...] = ()
    activation: ActivationSettings = ActivationSettings()

    @model_validator(mode="after")
    def _each_role_once(self) -> Self:
        if len({rules.role for rules in self.roles}) != len(self.roles):
            raise ValueError("roles: each role has its rules once")
        return self

    def policy(self) -> ExportPolicy:
        """The rules as custody takes them."""
        return ExportPolicy(
            self.approvers,
            self.participants_review,
            self.answer_days,
            self.reminder_days,
            {rules.role: rules.policy() for rules in self.roles},
            self.activation.policy(),
        )
