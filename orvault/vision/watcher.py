"""Watches one operating room for raised hands: pictures in, signals out.

A wide look over the whole picture finds the people; a tracker tells who is who; close looks at the few who matter
most give the key points that the rules of gesture.py judge. No picture is kept.
What a signal does is decided elsewhere.

About five pictures a second are enough. The cost is bounded whatever happens in the room: one wide look and at most
`close_looks` close ones for each picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision.boxes import Floats, overlap, suppress
from orvault.vision.close_pose import ClosePoseDetector, Crop
from orvault.vision.gesture import GestureRules, Gestures, Raise, torso_length
from orvault.vision.pose import Pose, PoseDetector
from orvault.vision.session import open_session
from orvault.vision.tracker import Track, Tracker, TrackRules

_TRUNK = [0, 1, 2, 3, 4, 5, 6, 11, 12]  # face, shoulders, hips: what stays put while arms move
_SHOULDERS, _HIPS = [5, 6], [11, 12]
_SAME_PERSON = 0.5  # overlap of two trunks from which on they are one person's
_NEWEST_SHARE = 0.3  # of the newest torso length in the smoothed one


@dataclass(frozen=True)
class WatchProfile:
    """What the watcher may spend, and what it trusts. Certainties are 0..1."""

    wide_side: int = 256  # long side of the wide look, model pixels
    least_person: float = 0.12  # of the wide look
    least_presence: float = 0.3  # of a close look
    close_looks: int = 3  # people looked at closely in one picture
    reach: float = (
        2.7  # half side of the close crop, torso lengths: a raised hand lies about two above the middle
    )
    stale_s: float = 1.0  # after that long a person's own key points no longer say where to look

    def __post_init__(self) -> None:
        if not 96 <= self.wide_side <= 1024 or self.close_looks < 1 or self.reach <= 0 or self.stale_s <= 0:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                "The wide look is 96 to 1024 pixels; looks, reach and times are above 0.",
                where="watch profile",
            )


@dataclass(slots=True)
class _Person:
    """Where to look for somebody, and when that was done last."""

    wide: Floats
    close: Floats | None = None
    close_us: int = 0  # of `close`
    turn: int = 0  # of the last close look; counted, because a clock may be set
    mirrored: bool = False  # whether the last close look was
    torso: float = 0.0  # its smoothed length, pixels: one bad look must not throw the next crop off


class GestureWatcher:
    """Raised hands in the pictures of one camera.

    `models_folder` holds the ONNX files and SHA256SUMS; `threads` serve one model run. Up to six people are seen at
    once, which is what the wide look's model tells of.
    """

    def __init__(
        self,
        models_folder: Path,
        *,
        rules: GestureRules | None = None,
        profile: WatchProfile | None = None,
        threads: int = 1,
    ) -> None:
        self._profile = profile or WatchProfile()
        # On the processor everywhere: five pictures a second are little, and a card would have to be proven first.
        wide = open_session(models_folder / "movenet_multipose_lightning.onnx", "cpu", threads=threads)
        close = open_session(models_folder / "blazepose_lite.onnx", "cpu", threads=threads)
        self._wide = PoseDetector(wide, self._profile.wide_side, self._profile.least_person)
        self._close = ClosePoseDetector(close)
        self._tracker = Tracker(TrackRules(sure_score=2 * self._profile.least_person))
        self._gestures = Gestures(rules)
        self._people: dict[int, _Person] = {}
        self._turn = 0

    def look(self, frame_bgr: Image, at_us: int) -> Sequence[Raise]:
        """Take one picture (h, w, 3) of the time `at_us`; the signals that it completes, usually none."""
        poses = self._wide.poses(frame_bgr)
        boxes, scores = _trunks([pose.keypoints for pose in poses]), _scores(poses)
        kept = suppress(boxes, scores, _SAME_PERSON)
        tracks = self._tracker.update(boxes[kept], scores[kept], at_us)
        self._note(tracks, [poses[i] for i in kept])
        self._drop_doubles(tracks, at_us)
        events = (self._look_closely(frame_bgr, track, at_us) for track in self._chosen(tracks))
        return [event for event in events if event is not None]

    def _drop_doubles(self, tracks: list[Track], at_us: int) -> None:
        """End the younger of two tracks whose close looks show the same trunk.

        A wide look misplaces somebody whose arm covers the head: a second track begins, and its close look finds the
        first one's person.
        """
        fresh = [(t.id, c) for t in tracks if (c := self._fresh(self._people[t.id], at_us)) is not None]
        boxes = _trunks([keypoints for _, keypoints in fresh])
        for younger in range(1, len(fresh)):
            if overlap(boxes[younger], boxes[:younger]).max() > _SAME_PERSON:
                track = fresh[younger][0]
                self._tracker.drop(track)
                del self._people[track]

    def _note(self, tracks: list[Track], poses: list[Pose]) -> None:
        known = {track.id for track in tracks}
        self._people = {track: person for track, person in self._people.items() if track in known}
        self._gestures.keep(known)
        for track in tracks:
            if track.found is None:
                continue
            keypoints = poses[track.found].keypoints
            if track.id in self._people:
                self._people[track.id].wide = keypoints
            else:
                self._people[track.id] = _Person(keypoints)

    def _chosen(self, tracks: list[Track]) -> list[int]:
        """Whose hand is up first, then whom nobody looked at for the longest."""
        present = [track.id for track in tracks if track.id in self._people]

        def urgency(track: int) -> tuple[bool, int]:
            return (not self._gestures.is_raising(track), self._people[track].turn)

        return sorted(present, key=urgency)[: self._profile.close_looks]

    def _look_closely(self, bgr: Image, track: int, at_us: int) -> Raise | None:
        person = self._people[track]
        crop = self._crop(person, at_us)
        # What stands beside a head may look like an arm to the model, but rarely in a mirror too.
        person.mirrored = not person.mirrored
        keypoints, presence = self._close.keypoints(bgr, crop, mirrored=person.mirrored)
        self._turn += 1
        person.turn = self._turn
        if not presence >= self._profile.least_presence:
            return None
        person.close, person.close_us = keypoints, at_us
        event = self._gestures.see(track, keypoints, at_us)
        if self._gestures.is_up(track):
            # The wide look may lose whoever raises a hand; while it is up, the close one holds the track.
            self._tracker.confirm(track, _trunks([keypoints])[0], at_us)
        return event

    def _fresh(self, person: _Person, at_us: int) -> Floats | None:
        """The key points of the last good close look, if it is not too long ago."""
        return person.close if 0 <= at_us - person.close_us <= self._profile.stale_s * US_PER_S else None

    def _crop(self, person: _Person, at_us: int) -> Crop:
        fresh = self._fresh(person, at_us)
        keypoints = person.wide if fresh is None else fresh
        newest = torso_length(keypoints)
        person.torso += (newest - person.torso) * (_NEWEST_SHARE if person.torso else 1.0)
        shoulders, hips = keypoints[_SHOULDERS, :2].mean(axis=0), keypoints[_HIPS, :2].mean(axis=0)
        x, y = shoulders + 0.3 * (hips - shoulders)
        return Crop(float(x), float(y), max(self._profile.reach * person.torso, 8.0))


def _trunks(people: Sequence[Floats]) -> Floats:
    """Boxes (n, 4) round face, shoulders and hips of key points (17, 3)."""
    if not people:
        return np.zeros((0, 4), np.float32)
    trunk = np.stack([keypoints[_TRUNK, :2] for keypoints in people])
    return np.concatenate([trunk.min(axis=1), trunk.max(axis=1)], axis=1).astype(np.float32)


def _scores(poses: Sequence[Pose]) -> Floats:
    return np.array([pose.score for pose in poses], np.float32)
