"""The detector that masking relies on: four models, and the union of what each of them sees.

Each model misses what another finds (measured in models/README.md), so nothing here votes: one finding is
enough. It keeps no state between pictures; mask.py carries findings through time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision import face, person, pose, small_face, turned
from orvault.vision.detection import Detection, Detector, Kind, SteppedDetector, ThoroughDetector
from orvault.vision.device_proof import prove_alike
from orvault.vision.session import CPU, PROVIDERS, Session, open_session

__all__ = [
    "PROVIDERS",
    "Detection",
    "Detector",
    "DetectorProfile",
    "EnsembleDetector",
    "Kind",
    "Session",
    "SteppedDetector",
    "ThoroughDetector",
    "head_of_face",
    "head_of_person",
    "open_session",
]

SOURCE_PERSON_TOP = "nanodet-top"
_HEAD_OF = {face.SOURCE: "yunet-head", small_face.SOURCE: "centerface-head", turned.SOURCE: turned.SOURCE}
UPRIGHT_FACES = frozenset({_HEAD_OF[face.SOURCE], _HEAD_OF[small_face.SOURCE]})  # heads made of such faces
# A turned look brings large false faces out of cloth; true ones of this size are found upright and surer.
_LARGE_TURNED_SHARE = 0.2
_LARGE_TURNED_SCORE = 0.7
_LYING_SHAPE = 1.05  # width over height of a PERSON box
_LYING_SCORE = 0.6
_AT_THE_EDGE = 0.03  # of a box's height


@dataclass(frozen=True)
class DetectorProfile:
    """Input sizes (long side in model pixels), thresholds (0..1) and how often to look.

    The defaults cost half a second of one core for each second of video, whatever its size and rate
    (docs/perf/2026-11-masking.md). Why these sizes: pose at 384 finds 95 % of the staff's heads in the synthetic
    clips where 256 finds 75 %, and most of the lying patients'. The angles: on most tables a face lies across the
    picture, so a right angle has two of three turns.
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
    turned_angles_deg: tuple[int, ...] = (90, 270, 45, 90, 270, 315, 90, 270, 135, 90, 270, 225, 90, 270, 180)
    faint_share: float = 0.7  # of a score: down to there a finding belongs to a track, but makes none
    every_s: float = 0.28  # the longest time between looks
    persons_every: int = 2  # looks; poses are looked for in each
    faces_every: int = 4  # looks
    turned_every: int = 4  # looks; each time one of the angles
    objects: tuple[str, ...] = ()
    object_score: float = 0.35

    def __post_init__(self) -> None:
        sides = (self.person_side, self.pose_side, self.face_side, self.small_face_side, self.turned_side)
        scores = (self.person_score, self.pose_score, self.pose_point, self.face_score, self.small_face_score)
        if not all(64 <= side <= 4096 for side in sides) or not all(
            0 < s < 1 for s in (*scores, self.turned_score)
        ):
            raise _bad_profile("An input side is 64 to 4096 pixels, a score between 0 and 1.")
        if not 0 <= self.every_s <= 1 or min(self.persons_every, self.faces_every, self.turned_every) < 1:
            raise _bad_profile(
                "Looks come at most 1 s apart; what takes turns does so every 1 or more looks."
            )
        if not self.turned_angles_deg:
            raise _bad_profile("At least one turned look is needed: faces that lie are seen in no other way.")


def _bad_profile(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_SETTINGS, message, where="detector profile")


class EnsembleDetector:
    """PERSON, FACE and HEAD findings of one picture, from person, pose, face and small-face models.

    `models_folder` holds the four ONNX files and SHA256SUMS; `threads` CPU threads serve one model run (1
    where several detectors share the machine). `.provider` is the execution provider that is really in use, `batch`
    how many looks it takes together (None: 1 on the CPU, DEVICE_BATCH on a card). On a card it is opened only if it
    finds there what it finds on the CPU: PROVIDER_MISSING otherwise.
    """

    def __init__(
        self,
        models_folder: Path,
        provider: str = "auto",
        *,
        profile: DetectorProfile | None = None,
        threads: int = 1,
        batch: int | None = None,
    ) -> None:
        self.profile = use = profile or DetectorProfile()
        sessions: list[Session] = []

        def load(file: str) -> Session:
            sessions.append(open_session(models_folder / file, provider, threads=threads, batch=batch))
            return sessions[-1]

        self._person = person.PersonDetector(
            load("nanodet_g_person.onnx"),
            use.person_side,
            use.person_score,
            faint_score=use.person_score * use.faint_share,
            objects=use.objects,
            least_object=use.object_score,
        )
        self._pose = pose.PoseDetector(
            load("movenet_multipose_lightning.onnx"),
            use.pose_side,
            use.pose_score,
            use.pose_point,
            faint_score=use.pose_score * use.faint_share,
        )
        yunet = load("yunet_2023mar_dyn.onnx")
        self._face = face.FaceDetector(
            yunet, use.face_side, use.face_score, faint_score=use.face_score * use.faint_share
        )
        self._turned_face = face.FaceDetector(yunet, 0, use.turned_score)
        self._small_face = small_face.SmallFaceDetector(
            load("centerface.onnx"),
            use.small_face_side,
            use.small_face_score,
            faint_score=use.small_face_score * use.faint_share,
        )
        # If one of the models fell back to the CPU, that is what the site must hear.
        used = {session.provider for session in sessions}
        self.provider = CPU if CPU in used else used.pop()
        self.batch = max(session.batch for session in sessions)
        if used != {CPU}:
            by_cpu = EnsembleDetector(models_folder, "cpu", profile=profile, threads=threads)
            prove_alike("detection", max(2, self.batch), self.proof, by_cpu.proof)

    def detect(self, bgr: Image) -> list[Detection]:
        """All findings of one picture (h, w, 3) uint8; UNAVAILABLE if a model fails."""
        return self._found(bgr, self._faces([bgr])[0])

    def look(self, bgr: Image, number: int) -> list[Detection]:
        """One look of a clip: poses always; persons, faces and one turned picture when it is their turn.

        Whoever walks is followed by pose and body between two looks for faces; whoever lies does not move. Faces are
        looked for together with persons: a face found in a person's box tells where its head is.
        """
        return self.look_each([(bgr, number)])[0]

    def look_each(self, looks: Sequence[tuple[Image, int]]) -> list[list[Detection]]:
        """`look` for each of these pictures and numbers; models that can take several pictures at a time."""
        use = self.profile
        faces = _of_those(looks, use.faces_every, self._faces)
        persons = _of_those(looks, use.persons_every, self._person.detect_each)
        for (bgr, number), found in zip(looks, faces, strict=True):
            if number % use.turned_every == 3 % use.turned_every:
                turn = number // use.turned_every % len(use.turned_angles_deg)
                found += self._confirmed(bgr, use.turned_angles_deg[turn])
        seen = zip(looks, persons, faces, strict=True)
        return [self._together(bgr, *found) for (bgr, _), *found in seen]

    def proof(self, pictures: Sequence[Image]) -> list[list[Detection]]:
        """What is compared before a card is used: a look at each of these, and slow looks at the first two."""
        slow = [self.detect_thoroughly(bgr) for bgr in pictures[:2]]
        return [*slow, *self.look_each([(bgr, 0) for bgr in pictures])]

    def detect_thoroughly(self, bgr: Image) -> list[Detection]:
        """`detect`, and the face model once more on the picture turned every way: about 1 s on one core.

        What a turn finds and a closer look at the same place does not is faint.
        """
        angles = tuple(dict.fromkeys(self.profile.turned_angles_deg))
        lying = [face for angle in angles for face in self._confirmed(bgr, angle)]
        return self._found(bgr, [*self._faces([bgr])[0], *lying])

    def _confirmed(self, bgr: Image, angle_deg: int) -> list[Detection]:
        long_side, short_side = self.profile.turned_side, min(bgr.shape[:2])
        found = turned.detect_turned(self._turned_face, bgr, (angle_deg,), long_side)
        found = [face for face in found if _believable(face, short_side)]
        return turned.confirmed(self._turned_face, bgr, angle_deg, long_side, found)

    def _faces(self, pictures: Sequence[Image]) -> list[list[Detection]]:
        large, small = self._face.detect_each(pictures), self._small_face.detect_each(pictures)
        return [[*one, *other] for one, other in zip(large, small, strict=True)]

    def _found(self, bgr: Image, faces: list[Detection]) -> list[Detection]:
        return self._together(bgr, self._person.detect(bgr), faces)

    def _together(self, bgr: Image, persons: list[Detection], faces: list[Detection]) -> list[Detection]:
        tops = (head_of_person(d, bgr.shape[0]) for d in persons if d.kind is Kind.PERSON)
        heads = [*(top for top in tops if top is not None), *map(head_of_face, faces)]
        return [*persons, *faces, *heads, *self._pose.detect(bgr)]


def _of_those(
    looks: Sequence[tuple[Image, int]],
    every: int,
    find_each: Callable[[Sequence[Image]], list[list[Detection]]],
) -> list[list[Detection]]:
    """What is found in those of the looks whose turn it is; nothing for the others."""
    due = [number % every == 0 for _, number in looks]
    found = iter(find_each([bgr for (bgr, _), is_due in zip(looks, due, strict=True) if is_due]))
    return [next(found) if is_due else [] for is_due in due]


def _believable(found: Detection, short_side: int) -> bool:
    return found.score >= _LARGE_TURNED_SCORE or found.x2 - found.x1 <= _LARGE_TURNED_SHARE * short_side


def head_of_person(found: Detection, bottom: float = math.inf) -> Detection | None:
    """The top of a PERSON box as a HEAD: its full width, because a bent head lies to one side.

    A quarter of the height holds the head of a person who stands free; of a person behind the table less of
    the body is seen, so the strip is at least three quarters of the width high, up to 45 % of the box. Of somebody
    whom the picture's lower edge (`bottom`, pixels) cuts off, the head may be all that is left. A body that lies
    has its head at either end: all of it counts. Models take a draped table for one, so there None unless it is
    sure.
    """
    height, width = found.y2 - found.y1, found.x2 - found.x1
    strip = max(0.28 * height, min(0.45 * height, 0.75 * width))
    if found.y2 >= bottom - _AT_THE_EDGE * height:
        strip = min(height, 1.1 * width)
    elif width > _LYING_SHAPE * height:
        if found.score < _LYING_SCORE:
            return None
        strip = height
    return replace(found, kind=Kind.HEAD, y2=found.y1 + strip, source=SOURCE_PERSON_TOP)


def head_of_face(found: Detection) -> Detection:
    """A FACE box enlarged to the HEAD: hair and cap above, ears at the sides, chin below.

    A face from a turned look may point anywhere: it grows by the largest share on every side.
    """
    width, height = found.x2 - found.x1, found.y2 - found.y1
    is_turned = found.source == turned.SOURCE
    side, top, bottom = (0.6, 0.6, 0.6) if is_turned else (0.35, 0.6, 0.25)
    return replace(
        found,
        kind=Kind.HEAD,
        x1=found.x1 - side * width,
        y1=found.y1 - top * height,
        x2=found.x2 + side * width,
        y2=found.y2 + bottom * height,
        source=_HEAD_OF.get(found.source, found.source),
    )
