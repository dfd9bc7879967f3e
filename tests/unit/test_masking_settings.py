"""From a site's settings to what is always masked."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cluster.masking_settings import MaskingSettings
from orvault.vision.modes import FixedRegion, MaskMode, MaskStyle

BOARD = {"camera": "or1", "name": "whiteboard", "corners": [[50, 0], [100, 0], [100, 40]]}


def test_regions_reach_the_policy_of_their_camera_and_objects_that_of_all() -> None:
    site = MaskingSettings.model_validate({"regions": [BOARD], "objects": ["tv"], "margin": 0.3}).site()
    policy = site.policy("or1", MaskMode.FACE, MaskStyle.FROST)
    assert policy.fixed == (FixedRegion("whiteboard", ((50, 0), (100, 0), (100, 40))),)
    assert (policy.mode, policy.style, policy.margin) == (MaskMode.FACE, MaskStyle.FROST, 0.3)
    other = site.policy("or2", MaskMode.HEAD, MaskStyle.SOLID)
    assert other.fixed == ()
    assert other.objects == policy.objects == frozenset({"tv"})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"objects": ["spaceship"]}, "spaceship"),
        ({"objects": ["person"]}, "person"),
        ({"regions": [{**BOARD, "corners": [[0, 0], [120, 10]]}]}, "100 percent"),
        ({"regions": [{**BOARD, "corners": [[0, 0]]}]}, "corners"),
        ({"margin": -1}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_masked_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        MaskingSettings.model_validate(wrong)


def test_a_region_of_a_camera_that_is_not_there_is_refused() -> None:
    settings = MaskingSettings.model_validate({"regions": [BOARD]})
    settings.check_cameras(["or1", "or2"])
    with pytest.raises(ValueError, match="or1"):
        settings.check_cameras(["or2"])
