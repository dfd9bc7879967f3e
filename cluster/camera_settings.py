"""Settings below `cameras`: where each camera is, who records it, and how it is opened. Passwords stand in files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_SOURCE = re.compile(r"(rtsp|rtsps|file):.")
_SECRET_IN_QUERY = re.compile(r"[?&;][^=&;]*(?:pass|pwd|secret|token|credential)[^=&;]*=", re.IGNORECASE)


def holds_secret(url: str) -> bool:
    """Whether an address may hold credentials. Any @ counts: a password with a slash in it hides where they end."""
    return "@" in url or _SECRET_IN_QUERY.search(url) is not None


class Frozen(BaseModel):
    """A group of settings; an unknown key in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraSettings(Frozen):
    """One camera feed."""

    id: Name = Field(description="Stands in file names, the ledger and packages; never reuse one.")
    title: str = Field(min_length=1, max_length=80, description="What people call it.")
    room: str = Field(min_length=1, max_length=40, description="The operating room it looks at.")
    node: Name = Field(description="The client node that records it.")
    source: str = Field(description="rtsp://HOST/PATH, or file:PATH for a clip.")
    sub_source: str = Field(
        default="",
        description="Its smaller stream, for gestures; empty: the same.",
    )
    username: str = Field(default="", description="The camera account's name.")
    password_file: Path | None = Field(
        default=None, description="A file that holds nothing but its password."
    )
    ca_file: Path | None = Field(
        default=None, description="rtsps: PEM of its certificate or its authority; empty: the system's."
    )
    timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="No packet for so long: the camera is lost."
    )

    @field_validator("source", "sub_source")
    @classmethod
    def _known_form(cls, url: str, field: ValidationInfo) -> str:
        if not _SOURCE.match(url) and (url or field.field_name == "source"):
            raise ValueError("rtsp://HOST/PATH, rtsps://HOST/PATH, or file:PATH for a clip")
        return url

    @model_validator(mode="after")
    def _no_password_in_url(self) -> Self:
        if any(holds_secret(url) for url in (self.source, self.sub_source) if not url.startswith("file:")):
            raise ValueError(
                "the address holds credentials; put them into username and password_file"
                " (an @ that belongs to the path is written %40)"
            )
        return self
