"""The settings of a recorder's disk: when to raise an alarm, and for how long recordings have to be kept."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orvault.custody.retention import DAY_US, FLOOR_DAYS, RetentionPolicy
from orvault.recording.room import GB, RoomLimits


class StorageSettings(BaseModel):
    """When a node's disk is too full."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alarm_free_gb: float = Field(
        default=20.0, ge=0, description="A recorder with less room on its disk raises an alarm."
    )
    alarm_hours: float = Field(
        default=24.0, ge=0, le=8760, description="So does one whose room lasts shorter at the present rate."
    )

    def limits(self) -> RoomLimits:
        """For the actors."""
        return RoomLimits(round(self.alarm_free_gb * GB), self.alarm_hours * 3600.0)


class RetentionSettings(BaseModel):
    """How long recordings are kept and what destroys them, and what `orvault check` foretells from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    floor_days: int = Field(
        default=FLOOR_DAYS,
        le=3650,
        description="So long after its end a recording is kept, then it is due for destruction; 30 or more, by law.",
    )
    ceiling_days: int = Field(
        default=90, le=36500, description="No extension on request reaches further; a legal hold does."
    )
    approve: bool = Field(
        default=True,
        description="A person approves each destruction; false: what is due goes by itself after notice_days.",
    )
    notice_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Between the notice that it is due and its destruction by itself.",
    )
    assumed_mbit: float = Field(
        default=6.0, gt=0, le=200, description="A camera's bit rate before anything of it was recorded."
    )
    hours_per_day: float = Field(
        default=8.0, gt=0, le=24, description="How long a camera records a day, before that was seen."
    )

    @model_validator(mode="after")
    def _lawful(self) -> Self:
        if self.floor_days < FLOOR_DAYS:
            raise ValueError(
                f"floor_days is {self.floor_days}: recordings are kept for {FLOOR_DAYS} days at least, by the"
                " Medical Service Act; that may be raised, never lowered"
            )
        if self.ceiling_days < self.floor_days:
            raise ValueError(f"ceiling_days ({self.ceiling_days}) lies below floor_days ({self.floor_days})")
        return self

    def words(self) -> str:
        """The rule in words."""
        after = (
            "a person approves their destruction"
            if self.approve
            else f"they are destroyed by themselves, {self.notice_days} days after the notice"
        )
        kept = f"Recordings are kept for {self.floor_days} days, on request up to {self.ceiling_days}"
        return f"{kept}; then {after}."

    def policy(self) -> RetentionPolicy:
        """The rules as custody takes them."""
        return RetentionPolicy(
            keep_us=self.floor_days * DAY_US,
            ceiling_us=self.ceiling_days * DAY_US,
            approve=self.approve,
            notice_us=self.notice_days * DAY_US,
        )
