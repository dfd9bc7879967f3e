"""The settings of recording control, in seconds and minutes as people write them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orvault.clock import US_PER_S
from orvault.custody.control import MINUTE_US, Confirmation, ControlPolicy

HandsFree = Literal["second-signal", "dwell"]  # a stop without hands always needs a confirmation


class ControlSettings(BaseModel):
    """Rules for start and stop signals, for every room."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stop_by_gesture: HandsFree = Field(
        default="second-signal",
        description="What confirms a gesture's stop: a second stop, or that it lasts.",
    )
    stop_by_pedal: HandsFree = Field(default="dwell", description="What confirms a pedal's stop.")
    second_signal_s: float = Field(
        default=15.0, gt=0, le=300, description="A second stop confirms the first within so long."
    )
    apart_s: float = Field(
        default=1.0, ge=0, le=30, description="Stops closer together are one, seen by two devices."
    )
    dwell_s: float = Field(
        default=3.0, gt=0, le=300, description="A dwelling stop takes effect unless a start comes so soon."
    )
    least_confidence: float = Field(default=0.5, ge=0, le=1, description="Signals below it are refused.")
    oldest_signal_s: float = Field(
        default=30.0, gt=0, le=600, description="Signals that arrive later are refused."
    )
    late_start_warning_minutes: float = Field(
        default=5.0, gt=0, le=1440, description="Alarm so long after the planned start, if nothing records."
    )
    reminder_minutes: float = Field(
        default=15.0, gt=0, le=1440, description="Between reminders of a stop's reason that is due."
    )
    pre_event_s: float = Field(
        default=10.0, ge=0, le=30, description="So long before its start a recording begins; 0: never."
    )

    @model_validator(mode="after")
    def _a_second_signal_can_come(self) -> Self:
        if self.apart_s >= self.second_signal_s:
            raise ValueError(
                "apart_s is not below second_signal_s: no second signal could ever confirm a stop"
            )
        return self

    def policy(self) -> ControlPolicy:
        """The rules as custody takes them."""
        return ControlPolicy(
            stop_by_gesture=Confirmation(self.stop_by_gesture),
            stop_by_pedal=Confirmation(self.stop_by_pedal),
            apart_us=round(self.apart_s * US_PER_S),
            within_us=round(self.second_signal_s * US_PER_S),
            dwell_us=round(self.dwell_s * US_PER_S),
            least_confidence=self.least_confidence,
            oldest_us=round(self.oldest_signal_s * US_PER_S),
            late_start_us=round(self.late_start_warning_minutes * MINUTE_US),
            reminder_us=round(self.reminder_minutes * MINUTE_US),
        )
