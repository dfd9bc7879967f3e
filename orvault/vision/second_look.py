"""The second look: what is still to be seen of people in the pictures that will leave, judged by other eyes.

It looks at the encoded output, decoded again, and differs from the first pass in all that can be chosen: the
pictures are mirrored, the models run at other sizes and with thresholds of their own, faces before bodies, and
nothing is carried from picture to picture. The networks are the same: what none of them can see at any size, it
misses too. So it also looks, without a network, whether each mask that was planned is there (mask_seen.py). It
changes nothing; what follows from its findings is custody's decision.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Frame, Image, decode_fragment
from orvault.video.encoding import Mp4Encoder
from orvault.vision import face, pose, small_face
from orvault.vision.boxes import overlap
from orvault.vision.covered import covered_pixels, pixels_of
from orvault.vision.detection import Detection, Kind
from orvault.vision.detector import head_of_face
from orvault.vision.device_proof import prove_alike
from orvault.vision.mask import Box, FramePlan, MaskPolicy
from orvault.vision.mask_planes import apply_mask_planes
from orvault.vision.session import CPU, Session, open_session

_DOUBLE_SIZES = 0.35  # of a head: so near lie the centres of two models' findings of it ...
_DOUBLE_OVERLAP = 0.3  # ... or so much do their boxes share
_BORDER = 0.2  # of a box's side
_WHOLE_SHARE = (
    0.4  # of a picture masked whole that must have the mask's colour: a tiled watermark covers the rest
)


@dataclass(frozen=True)
class SecondLookRules:
    """How it looks: seconds between looks, long sides in model pixels, scores 0..1, and when a finding counts.

    First pass, for comparison: a look every 0.28 s, faces at 1280 and 640 from 0.5 and 0.3 on, poses at 384 from 0.15
    on (`DetectorProfile`). A finding counts when less than `covered` of its middle is masked.
    """

    every_s: float = 1.0
    face_side: int = 960
    face_score: float = 0.6
    small_face_side: int = 800
    small_face_score: float = 0.45
    pose_side: int = 320
    pose_score: float = 0.35
    pose_point: float = 0.3
    covered: float = 0.5


@dataclass(frozen=True, slots=True)
class Left:
    """One finding that is not masked: when it is shown, where (pixels), how sure, and whose eyes."""

    pts_90k: int
    box: tuple[int, int, int, int]
    score: float
    source: str


class Trial(StrEnum):
    """What became of the mask that was left out on purpose."""

    SEEN = "seen"
    MISSED = "missed"
    NOBODY = "nobody"  # there was no mask to leave out


class SecondLook:
    """The models of the second look; `models_folder`, `provider`, `threads` and errors as for EnsembleDetector."""

    def __init__(
        self,
        models_folder: Path,
        provider: str = "auto",
        *,
        rules: SecondLookRules | None = None,
        threads: int = 1,
    ) -> None:
        self.rules = use = rules or SecondLookRules()
        used: set[str] = set()

        def session(file: str) -> Session:
            opened = open_session(models_folder / file, provider, threads=threads)
            used.add(opened.provider)
            return opened

        self._small_face = small_face.SmallFaceDetector(
            session("centerface.onnx"), use.small_face_side, use.small_face_score
        )
        self._face = face.FaceDetector(session("yunet_2023mar_dyn.onnx"), use.face_side, use.face_score)
        self._pose = pose.PoseDetector(
            session("movenet_multipose_lightning.onnx"), use.pose_side, use.pose_score, use.pose_point
        )
        if used != {CPU}:
            by_cpu = SecondLook(models_folder, "cpu", rules=rules, threads=threads)
            prove_alike("second look", 2, self.proof, by_cpu.proof)

    def proof(self, pictures: Sequence[Image]) -> list[list[Detection]]:
        """What is compared before a card is used."""
        return [self.find(bgr) for bgr in pictures]

    def find(self, bgr: Image) -> list[Detection]:
        """Faces, enlarged to heads, and heads in one picture (h, w, 3); UNAVAILABLE if a model fails."""
        mirrored = np.asarray(cv2.flip(bgr, 1), np.uint8)
        faces = [*self._small_face.detect(mirrored), *self._face.detect(mirrored)]
        found = [*map(head_of_face, faces), *(d for d in self._pose.detect(mirrored) if d.kind is Kind.HEAD)]
        return [_turned_back(d, bgr.shape[1]) for d in found if d.plausible and not d.faint]

    def left(
        self, bgr: Image, plan: FramePlan, policy: MaskPolicy, marked: Sequence[Box] = ()
    ) -> list[Detection]:
        """Those findings of one picture of the output that are neither masked in it nor left clear on purpose, and
        the masks that were planned and are not there.

        `marked`: the places of a visible watermark, where a mask is not judged.
        """
        covered, missing = covered_pixels(bgr, plan, policy, marked)
        if plan.whole:
            good = covered.mean() >= _WHOLE_SHARE
            height, width = bgr.shape[:2]
            return [] if good else [Detection(Kind.HEAD, 0, 0, width, height, 1.0, "clear-picture")]
        bare = [d for d in self.find(bgr) if not self._is_covered(d, covered)]
        return _without_chosen(bare, plan.clear) + [_not_there(box) for box in missing]

    def _is_covered(self, found: Detection, covered: npt.NDArray[np.bool_]) -> bool:
        # Whoever found it: what the pose model guesses beside the mask of a body's hidden head looks like a bare head
        # beside another person's mask, and a reviewer tells them apart.
        return _share(_grown(found, -_BORDER), covered) >= self.rules.covered

    def review(
        self,
        output: bytes,
        plans: Mapping[int, FramePlan],
        policy: MaskPolicy,
        marked: Sequence[Box] = (),
    ) -> tuple[int, list[Left]]:
        """Look through a piece of the output (MP4): pictures looked at, and what is left in them.

        `plans`: those of its pictures, by their times. BAD_MEDIA if it cannot be decoded; INTERNAL for a picture
        without a plan.
        """
        looked, found = 0, []
        for frame in decode_fragment(output, every_s=self.rules.every_s):
            plan = plans.get(frame.pts_90k)
            if plan is None:
                message = "The output holds a picture that nobody planned."
                raise OrvaultError(ErrorKind.INTERNAL, message, where="second look")
            looked += 1
            found += [_left(d, frame.pts_90k) for d in self.left(frame.bgr, plan, policy, marked)]
        return looked, found

    def try_without(
        self, pictures: Iterable[tuple[Frame, FramePlan, int]], policy: MaskPolicy, crf: int, preset: str
    ) -> Trial:
        """The self-test: masks all but one region, encodes, and looks. SEEN as soon as a head was seen where no mask
        is, and a mask was missed where the plan has one.

        `pictures`: clear ones, each with its plan and the number of the box to leave out. Nothing of them is kept.
        """
        head_seen = mask_missed = tried = False
        for frame, plan, number in pictures:
            tried = True
            rest = replace(plan, boxes=plan.boxes[:number] + plan.boxes[number + 1 :])
            shown = _as_put_out(frame, rest, policy, crf, preset)
            region = pixels_of([plan.boxes[number]], shown.shape[:2])
            head_seen |= any(_share(d, region) > 0 for d in self.left(shown, rest, policy))
            mask_missed |= plan.boxes[number] in covered_pixels(shown, plan, policy)[1]
            if head_seen and mask_missed:
                return Trial.SEEN
        return Trial.MISSED if tried else Trial.NOBODY


def _without_chosen(bare: Sequence[Detection], clear: Sequence[Box]) -> list[Detection]:
    """Without the heads left clear on purpose: one for each place, with its doubles, and nobody else's there."""
    rest = list(bare)
    for x1, y1, x2, y2 in clear:
        inside = [d for d in rest if x1 <= _middle(d)[0] <= x2 and y1 <= _middle(d)[1] <= y2]
        if inside:
            own = min(inside, key=lambda d: math.dist(_middle(d), ((x1 + x2) / 2, y1)))
            rest = [d for d in rest if d is not own and not _is_double(d, own)]
    return rest


def _is_double(one: Detection, other: Detection) -> bool:
    """Whether two models mean one head; each suppresses its own doubles."""
    size = max(other.x2 - other.x1, other.y2 - other.y1)
    near = math.dist(_middle(one), _middle(other)) <= _DOUBLE_SIZES * size
    boxes = np.array([one.box, other.box], np.float32)
    return one.source != other.source and (near or overlap(boxes[0], boxes[1:])[0] >= _DOUBLE_OVERLAP)


def _not_there(mask: Box) -> Detection:
    x1, y1, x2, y2 = mask
    return Detection(Kind.HEAD, x1, y1, x2, y2, 1.0, "clear-mask")


def _middle(found: Detection) -> tuple[float, float]:
    return ((found.x1 + found.x2) / 2, (found.y1 + found.y2) / 2)


def _turned_back(found: Detection, width: int) -> Detection:
    return replace(found, x1=width - found.x2, x2=width - found.x1)


def _grown(found: Detection, share: float) -> Detection:
    """Its box, larger on each side by a share of it; smaller by a negative one: boxes of heads are generous."""
    wide, high = share * (found.x2 - found.x1), share * (found.y2 - found.y1)
    return replace(found, x1=found.x1 - wide, x2=found.x2 + wide, y1=found.y1 - high, y2=found.y2 + high)


def _left(found: Detection, pts_90k: int) -> Left:
    box = (round(found.x1), round(found.y1), round(found.x2), round(found.y2))
    return Left(pts_90k, box, round(float(found.score), 3), found.source)


def _share(found: Detection, mask: npt.NDArray[np.bool_]) -> float:
    """How much of a finding's box, as far as it lies in the picture, the mask covers; 1 for a box outside."""
    x1, y1 = max(0, round(found.x1)), max(0, round(found.y1))
    area = mask[y1 : max(y1, round(found.y2)), x1 : max(x1, round(found.x2))]
    return float(area.mean()) if area.size else 1.0


def _as_put_out(frame: Frame, plan: FramePlan, policy: MaskPolicy, crf: int, preset: str) -> Image:
    """One picture as the output has it: masked, encoded and decoded again."""
    planes, sink = frame.planes(), io.BytesIO()
    apply_mask_planes(planes, plan, policy, bt709=frame.bt709)
    width, height = frame.size
    encoder = Mp4Encoder(sink, width, height, 25, crf=crf, preset=preset, threads=1, bt709=frame.bt709)
    encoder.write_planes(planes, 0)
    encoder.close()
    return next(decode_fragment(sink.getvalue())).bgr
