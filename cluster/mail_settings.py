"""The settings of e-mail: which server takes it, and who is told of requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from actors.mail import Post
from orvault.custody.mails import Audience

Address = Annotated[str, Field(pattern=r"^[^\s@<>,;]{1,64}@[^\s@<>,;]{1,190}$")]


class MailSettings(BaseModel):
    """Notices by SMTP; without a host nobody is written to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="", max_length=253, description="The mail server; empty: no mails.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="none: neither secret nor checked; for a server on this machine."
    )
    username: str = Field(default="", max_length=128, description="The account that sends.")
    password_file: Path | None = Field(
        default=None, description="A file that holds nothing but its password."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM that the server is believed by; empty: the system's."
    )
    sender: Address | Literal[""] = Field(default="", description="Stands in From.")
    officers: tuple[Address, ...] = Field(
        default=(), max_length=50, description="Told of what waits for a decision, and of due dates."
    )
    managers: tuple[Address, ...] = Field(
        default=(), max_length=50, description="Told of what became of requests, and of due dates."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host and not (self.sender and (self.officers or self.managers)):
            raise ValueError("a mail server needs sender, and officers or managers")
        if self.password_file is not None and (self.security == "none" or not self.username):
            raise ValueError("a password needs a username, and starttls or tls")
        return self

    def post(self) -> Post | None:
        """The server as the notice actor takes it; None: no mails."""
        if not self.host:
            return None
        addresses = {Audience.OFFICERS: self.officers, Audience.MANAGERS: self.managers}
        return Post(
            self.host,
            self.port,
            self.sender,
            addresses,
            self.security,
            self.username,
            self.password_file,
            self.ca_file,
        )
