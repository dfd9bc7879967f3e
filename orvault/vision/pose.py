"""Body key points by MoveNet MultiPose Lightning, and the heads that follow from them.

Model: Google, Apache-2.0; up to six people, 17 COCO key points each. What a raised hand means is the
gesture's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from orvault.video.codec import Image
from orvault.vision.boxes import Floats, letterbox
from orvault.vision.detection import Detection, Kind
from orvault.vision.session import Session

SOURCE = "movenet"
HEAD_POINTS = slice(0, 5)  # nose, eyes, ears
SHOULDERS = (5, 6)
_MAX_PEOPLE = 6
_KEYPOINTS = 17


@dataclass(frozen=True, slots=True)
class Pose:
    """One person: `keypoints` (17, 3): x, y in pixels, confidence 0..1, in COCO order; `score` 0..1."""

    keypoints: Floats = field(repr=False)
    score: float


class PoseDetector:
    """Poses at a fixed input size (`long_side`, model pixels), least scores of a person and a point.

    Heads of poses below `least_score`, down to `faint_score`, are faint.
    """

    def __init__(
        self,
        session: Session,
        long_side: int = 256,
        least_score: float = 0.15,
        least_point: float = 0.2,
        *,
        faint_score: float | None = None,
    ) -> None:
        self._session = session
        self._long_side = long_side
        self._sure = least_score
        self._least = least_score if faint_score is None else faint_score
        self._least_point = least_point

    def poses(self, bgr: Image) -> list[Pose]:
        """The people in one picture."""
        boxed = letterbox(bgr, self._long_side)
        rgb = cv2.cvtColor(boxed.image, cv2.COLOR_BGR2RGB)
        (out,) = self._session.run(None, rgb[None].astype(np.uint8, copy=False))
        people = out.reshape(_MAX_PEOPLE, 3 * _KEYPOINTS + 5)
        points = people[:, : 3 * _KEYPOINTS].reshape(_MAX_PEOPLE, _KEYPOINTS, 3)[:, :, [1, 0, 2]]
        rows, columns = boxed.image.shape[:2]
        points = points * np.array([columns / boxed.scale, rows / boxed.scale, 1], np.float32)
        scores = people[:, -1]
        return [Pose(points[i], float(scores[i])) for i in np.flatnonzero(scores > self._least)]

    def detect(self, bgr: Image) -> list[Detection]:
        """The heads in one picture, boxes in its pixels."""
        heads = (head_of(pose, self._least_point) for pose in self.poses(bgr))
        return [replace(head, faint=head.score < self._sure) for head in heads if head is not None]


def head_of(pose: Pose, least_point: float) -> Detection | None:
    """The HEAD that a pose's face points and shoulders tell of; None where no face point is certain enough.

    The points mark the face; hair, cap and chin lie outside them, so the box is sized by the shoulders where
    both are seen, and by the spread of the points in any case, whichever is larger.
    """
    points = pose.keypoints[HEAD_POINTS]
    points = points[points[:, 2] >= least_point]
    if not len(points):
        return None
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    sizes = [2.2 * float((high - low).max())]
    left, right = (pose.keypoints[i] for i in SHOULDERS)
    if min(left[2], right[2]) >= least_point:
        sizes.append(1.0 * float(np.hypot(*(left - right)[:2])))
    seen = pose.keypoints[pose.keypoints[:, 2] >= least_point]
    sizes.append(0.24 * float(np.ptp(seen[:, :2], axis=0).max()))
    half = max(sizes) / 2
    x, y = (low + high) / 2
    # The face points lie below the middle of the head, and seen from the side or behind at its edge: the crown,
    # often under a cap, is farther up, the back of the head farther out. These shares covered both where they were
    # measured.
    return Detection(
        Kind.HEAD,
        float(x - 1.12 * half),
        float(y - 1.35 * half),
        float(x + 1.12 * half),
        float(y + 0.9 * half),
        pose.score,
        SOURCE,
    )
