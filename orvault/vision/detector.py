"""The detector that masking relies on: four models, and the union of what each of them sees.

Each model misses what another finds (measured in models/README.md), so nothing here votes: one finding is
enough. It keeps no state between pictures; mask.py carries findings through time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision import face, person, pose, small_face, turned
from orvault.vision.detection import Detection, Detector, Kind, ThoroughDetector
from orvault.vision.session import CPU, PROVIDERS, Session, open_session

__all__ = [
    "PROVIDERS",
    "Detection",
    "Detector",
    "DetectorProfile",
    "EnsembleDetector",
    "Kind",
    "Session",
    "ThoroughDetector",
    "head_of_face",
    "head_of_person",
    "open_session",
]

SOURCE_PERSON_TOP = "nanodet-top"
_HEAD_OF = {face.SOURCE: "yunet-head", small_face.SOURCE: "centerface-head", turned.SOURCE: turned.SOURCE}
# A turned look brings large false faces out of cloth; true ones of this size are found upright and surer.
_LARGE_TURNED_SHARE = 0.2
_LARGE_TURNED_SCORE = 0.7


@dataclass(frozen=True)
class DetectorProfile:
    """Input sizes (long side in model pixels), thresholds (0..1) and how often to look.

    The defaults cost about 190 ms a look, and 1.1 s a thorough one, on one quiet core; with a look every 0.14 s and a
    thorough one every 2 s that is under 130 ms for each picture of a 15-a-second stream. Why these sizes: pose at 384
    finds 95 % of the staff's heads in the synthetic clips where 256 finds 75 %, and most of the lying patients'.
    """

    person_side: int = 640
    person_score: float = 0.35
    pose_side: int = 384
    pose_score: float = 0.15
    pose_point: float = 0.2
    face_side: int = 1280
    face_score: float = 0.5
    small_face_side: int = 640
    small_face_score: float = 0.3
    turned_side: int = 1920
    turned_score: float = 0.5
    turned_angles_deg: tuple[int, ...] = (45, 90, 135, 180, 225, 270, 315)
    every_s: float = 0.14  # the longest time between looks; in between, both neighbours' findings hold
    thorough_every_s: float = 2.0

    def __post_init__(self) -> None:
        sides = (self.person_side, self.pose_side, self.face_side, self.small_face_side, self.turned_side)
        scores = (self.person_score, self.pose_score, self.pose_point, self.face_score, self.small_face_score)
        if not all(64 <= side <= 4096 for side in sides) or not all(
            0 < s < 1 for s in (*scores, self.turned_score)
        ):
            raise _bad_profile("An input side is 64 to 4096 pixels, a score between 0 and 1.")
        if not 0 <= self.every_s <= 1 or self.thorough_every_s <= 0:
            raise _bad_profile("Looks come at most 1 s apart, thorough ones at a positive distance.")


def _bad_profile(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_SETTINGS, message, where="detector profile")


class EnsembleDetector:
    """PERSON, FACE and HEAD findings of one picture, from person, pose, face and small-face models.

    `models_folder` holds the four ONNX files and SHA256SUMS; `threads` CPU threads serve one model run (1
    where several detectors share the machine). `.provider` is the execution provider that is really in use.
    """

    def __init__(
        self,
        models_folder: Path,
        provider: str = "auto",
        *,
        profile: DetectorProfile | None = None,
        threads: int = 1,
    ) -> None:
        self.profile = use = profile or DetectorProfile()
        sessions: list[Session] = []

        def load(file: str) -> Session:
            sessions.append(open_session(models_folder / file, provider, threads=threads))
            return sessions[-1]

        self._person = person.PersonDetector(load("nanodet_g_person.onnx"), use.person_side, use.person_score)
        self._pose = pose.PoseDetector(
            load("movenet_multipose_lightning.onnx"), use.pose_side, use.pose_score, use.pose_point
        )
        yunet = load("yunet_2023mar_dyn.onnx")
        self._face = face.FaceDetector(yunet, use.face_side, use.face_score)
        self._turned_face = face.FaceDetector(yunet, 0, use.turned_score)
        self._small_face = small_face.SmallFaceDetector(
            load("centerface.onnx"), use.small_face_side, use.small_face_score
        )
        # If one of the models fell back to the CPU, that is what the site must hear.
        used = {session.provider for session in sessions}
        self.provider = CPU if CPU in used else used.pop()

    def detect(self, bgr: Image) -> list[Detection]:
        """All findings of one picture (h, w, 3) uint8; UNAVAILABLE if a model fails."""
        persons = self._person.detect(bgr)
        faces = [*self._face.detect(bgr), *self._small_face.detect(bgr)]
        heads = [
            *map(head_of_person, persons),
            *map(head_of_face, faces),
            *self._pose.detect(bgr),
        ]
        return [*persons, *faces, *heads]

    def detect_thoroughly(self, bgr: Image) -> list[Detection]:
        """`detect`, and the face model once more on the picture turned every way: about 1 s on one core."""
        looks = turned.detect_turned(
            self._turned_face, bgr, self.profile.turned_angles_deg, self.profile.turned_side
        )
        short = min(bgr.shape[:2])
        faces = [f for f in looks if _believable(f, short)]
        return [*self.detect(bgr), *faces, *map(head_of_face, faces)]


def _believable(found: Detection, short_side: int) -> bool:
    return found.score >= _LARGE_TURNED_SCORE or found.x2 - found.x1 <= _LARGE_TURNED_SHARE * short_side


def head_of_person(found: Detection) -> Detection:
    """The top of a PERSON box as a HEAD: its full width, because a bent head lies to one side.

    A quarter of the height holds the head of a person who stands free; of a person behind the table less of
    the body is seen, so the strip is at least three quarters of the width high, up to 45 % of the box.
    """
    height, width = found.y2 - found.y1, found.x2 - found.x1
    strip = max(0.28 * height, min(0.45 * height, 0.75 * width))
    return Detection(
        Kind.HEAD, found.x1, found.y1, found.x2, found.y1 + strip, found.score, SOURCE_PERSON_TOP
    )


def head_of_face(found: Detection) -> Detection:
    """A FACE box enlarged to the HEAD: hair and cap above, ears at the sides, chin below.

    A face from a turned look may point anywhere: it grows by the largest share on every side.
    """
    width, height = found.x2 - found.x1, found.y2 - found.y1
    is_turned = found.source == turned.SOURCE
    side, top, bottom = (0.6, 0.6, 0.6) if is_turned else (0.35, 0.6, 0.25)
    return Detection(
        Kind.HEAD,
        found.x1 - side * width,
        found.y1 - top * height,
        found.x2 + side * width,
        found.y2 + bottom * height,
        found.score,
        _HEAD_OF.get(found.source, found.source),
    )
