"""The settings of recording control become the rules that custody follows."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cluster.control_settings import ControlSettings
from orvault.clock import US_PER_S
from orvault.custody.control import Confirmation, ControlPolicy


def test_what_is_set_by_default_is_what_custody_does_by_default() -> None:
    assert ControlSettings().policy() == ControlPolicy()


def test_seconds_and_minutes_become_microseconds() -> None:
    policy = ControlSettings(dwell_s=0.5, reminder_minutes=2, stop_by_gesture="dwell").policy()
    assert (policy.dwell_us, policy.reminder_us) == (US_PER_S // 2, 120 * US_PER_S)
    assert policy.stop_by_gesture is Confirmation.DWELL


@pytest.mark.parametrize(
    "values",
    [
        {"stop_by_gesture": "none"},  # a stop without hands is never taken without a confirmation
        {"stop_by_pedal": "none"},
        {"apart_s": 5, "second_signal_s": 5},
        {"least_confidence": 1.1},
        {"dwell_s": 0},
        {"dwell": 3},
    ],
)
def test_rules_that_cannot_be_meant_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ControlSettings(**values)  # type: ignore[arg-type]
