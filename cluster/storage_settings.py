"""The settings of a recorder's disk: when to raise an alarm, and for how long recordings have to be kept."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

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
    """How long recordings have to be kept, and what `orvault check` foretells from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    floor_days: int = Field(
        default=30, ge=1, le=3650, description="`orvault check` warns below; the Medical Service Act says 30."
    )
    assumed_mbit: float = Field(
        default=6.0, gt=0, le=200, description="A camera's bit rate before anything of it was recorded."
    )
    hours_per_day: float = Field(
        default=8.0, gt=0, le=24, description="How long a camera records a day, before that was seen."
    )
