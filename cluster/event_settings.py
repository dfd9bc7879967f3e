"""The settings of outside recorders that are told of recordings (docs/format/events-v1.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from actors.notice_targets import Target, TcpLine, UdpLine, Webhook
from orvault.clock import Clock
from orvault.custody.notices import LineTemplate, is_plain
from orvault.errors import OrvaultError

_ENDS = {"lf": "\n", "crlf": "\r\n", "none": ""}


class EventTargetSettings(BaseModel):
    """One outside recorder: a webhook, or a text line over TCP or UDP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="How far it has come is kept under this name."
    )
    kind: Literal["webhook", "tcp", "udp"] = Field(description="How it is told.")
    url: str = Field(default="", pattern=r"^(https?://[!-~]+)?$", description="Where a webhook posts to.")
    ca_file: Path | None = Field(
        default=None, description="Certificates that an https webhook is believed by."
    )
    secret_file: Path | None = Field(
        default=None, description="What events are signed with; a webhook needs it."
    )
    host: str = Field(default="", max_length=253, description="Host of a TCP or UDP target.")
    port: int = Field(default=0, ge=0, le=65535, description="Its port.")
    template: str = Field(
        default="",
        max_length=500,
        description="Its line with fields, e.g. 'OR Vault {state} {channel}'; events-v1 lists them.",
    )
    line_end: Literal["lf", "crlf", "none"] = Field(default="lf", description="What ends the line.")
    confirm: Literal["close", "sent"] = Field(
        default="close",
        description="TCP: taken is what it closed after. sent: for receivers that never close.",
    )
    channels: Mapping[str, str] = Field(
        default={},
        description="Camera -> what it calls it; others are not told of. Empty: all, by their ids.",
    )
    timeout_s: float = Field(default=5.0, gt=0, le=60, description="So long one attempt may take.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "webhook":
            if not self.url or self.secret_file is None:
                raise ValueError("a webhook needs url and secret_file")
            return self
        if not self.host or not self.port or not self.template:
            raise ValueError(f"a {self.kind} target needs host, port and template")
        odd = [channel for channel in self.channels.values() if not is_plain(channel)]
        if odd:
            raise ValueError(f"channels: {odd[0]!r} cannot stand in a line; see events-v1, section 4.1")
        try:
            LineTemplate(self.template)
        except OrvaultError as error:
            raise ValueError(error.message) from None
        return self

    def target(self, site: str, clock: Clock) -> Target:
        """The target as the notice actor takes it."""
        common = (self.name, site, self.timeout_s, self.secret_file, self.channels)
        if self.kind == "webhook":
            return Webhook(*common, self.url, self.ca_file, clock)
        template = LineTemplate(self.template, _ENDS[self.line_end])
        if self.kind == "udp":
            return UdpLine(*common, self.host, self.port, template)
        return TcpLine(*common, self.host, self.port, template, self.confirm == "close")
