"""The settings of viewing: who of the staff sees what live, how long a quick mask stays lifted, what it may cost."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from cluster.access_settings import LiveSettings
from orvault.custody.terms import DAY_US
from orvault.custody.viewing import MINUTE_US, ViewPolicy


class ViewingSettings(BaseModel):
    """Live and stored views."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    live: tuple[LiveSettings, ...] = ()
    longest_lift_minutes: int = Field(
        default=30, ge=1, le=240, description="A lifted quick mask is on again after so long at the most."
    )
    view_minutes: int = Field(
        default=60, ge=1, le=720, description="A view ends after so long; then a new one is asked for."
    )
    longest_grant_days: int = Field(
        default=7,
        ge=1,
        le=366,
        description="A viewing grant ends after so long; then a new one is asked for.",
    )
    most_named: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Live pictures with a viewer's name in them, made at once; further viewers see a mosaic.",
    )

    def policy(self) -> ViewPolicy:
        """The rules as custody takes them."""
        return ViewPolicy(
            live=tuple(one.rule() for one in self.live),
            longest_lift_us=self.longest_lift_minutes * MINUTE_US,
            view_us=self.view_minutes * MINUTE_US,
            longest_grant_us=self.longest_grant_days * DAY_US,
        )
