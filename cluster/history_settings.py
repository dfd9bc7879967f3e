"""The settings of history's checkpoints and of the places outside that keep them (docs/format/history-v1.md)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from actors.checkpoint_places import FolderPlace, Place, TimeStampPlace, WitnessPlace
from orvault.clock import SystemClock
from orvault.container.note import COSIGNATURE, NoteKey
from orvault.errors import OrvaultError


class WitnessSettings(BaseModel):
    """One witness on another machine (`orvault witness`, or any that speaks C2SP's tlog-witness)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,47}$", description="What it has taken is kept under this name."
    )
    url: str = Field(pattern=r"^https://[!-~]+$", description="Where it listens: https://HOST:PORT.")
    key: str = Field(description="Its key as it shows it at its start: NAME+ID+BASE64.")
    token_file: Path = Field(description="Holds the token that it asks for.")
    ca_file: Path | None = Field(default=None, description="Its certificate (PEM): no other is believed.")
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="So long one attempt may take.")

    @field_validator("key")
    @classmethod
    def _is_key(cls, text: str) -> str:
        try:
            key = NoteKey.parse(text)
        except OrvaultError as error:
            raise ValueError(error.message) from None
        if key.kind != COSIGNATURE:
            raise ValueError("this is the key of a log, not of a witness")
        return text

    def place(self) -> WitnessPlace:
        """As the witnessing actor takes it."""
        return WitnessPlace(
            self.name, self.url, NoteKey.parse(self.key), self.token_file, self.ca_file, self.timeout_s
        )


class TimeStampSettings(BaseModel):
    """An RFC 3161 time stamp authority."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://[!-~]+$", description="Where it answers.")
    ca_file: Path = Field(description="The roots that its certificate is believed under (PEM).")
    every_hours: float = Field(
        default=24.0, gt=0, le=8760, description="How often history is stamped, if it grew."
    )


class HistorySettings(BaseModel):
    """How history is made checkable elsewhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint_minutes: float = Field(
        default=1.0, gt=0, le=60, description="How often history is signed, if it grew."
    )
    folder: Path = Field(
        default=Path("checkpoints"),
        description="Where every checkpoint is appended to; best on another machine's disk.",
    )
    alarm_minutes: float = Field(
        default=60.0, gt=0, le=10_080, description="A place that has taken nothing for so long is an alarm."
    )
    witnesses: tuple[WitnessSettings, ...] = Field(default=(), max_length=8)

    time_stamp: TimeStampSettings | None = None

    def places(self) -> list[Place]:
        """Every place outside."""
        places: list[Place] = [FolderPlace(self.folder), *(witness.place() for witness in self.witnesses)]
        if self.time_stamp is not None:
            stamp = self.time_stamp
            every_s = 3600.0 * stamp.every_hours
            places.append(TimeStampPlace(stamp.url, stamp.ca_file, self.folder, every_s, SystemClock()))
        return places
