"""The clips of benchmarks.masking as a people-masked live view covers them: each picture decided when it comes.

Looks follow each other as in a live view (orvault/viewing/people.py): the first one thorough, then one every quarter
of a second; a picture is covered by what the look before it and the look after it say.
"""

from __future__ import annotations

from benchmarks.masking_footage import Clip, Variation, pictures
from orvault.viewing.dressing import PEOPLE
from orvault.viewing.people import EVERY_90K, Eye
from orvault.vision.detector import Detector
from orvault.vision.mask import WHOLE, FramePlan, MaskPolicy
from orvault.vision.planning import together

THOROUGH_90K = 135_000  # what the first look takes, so long nobody looks again


def live_plans(
    clip: Clip, variation: Variation, detector: Detector, policy: MaskPolicy = PEOPLE
) -> tuple[list[FramePlan], tuple[int, int]]:
    """One plan per picture, picture size."""
    eye = Eye(lambda: detector, policy)
    plans: list[FramePlan] = []
    before, due_90k, waiting, size = WHOLE, 0, 0, (0, 0)
    for frame in pictures(clip.path, variation):
        size = (frame.bgr.shape[1], frame.bgr.shape[0])
        waiting += 1
        if frame.pts_90k < due_90k:
            continue
        plan = eye.look(frame.bgr, frame.pts_90k)
        plans += [together(before, plan)] * waiting
        due_90k = frame.pts_90k + (EVERY_90K if due_90k else THOROUGH_90K)
        before, waiting = plan, 0
    return plans, size  # the last pictures wait for a look that does not come
