"""What is followed through a clip: one `MaskTrack` for each person (or object), from first to last picture.

Types only: `following.py` finds the tracks, `planning.py` turns them into covered regions. Tracks hold boxes and
never a picture, so that hours of them fit into memory, travel between processes and may be stored.

`find_tracks` -> tracks -> `plan_tracks`: in between, a request may leave tracks clear (by `track_id`) and add
regions that a person drew (`KeyedRegion`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.boxes import Floats

Ints = npt.NDArray[np.int32]
Region = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels; it may reach over the picture's edge


class TrackKind(StrEnum):
    """What a track follows."""

    PERSON = "person"
    FACE = "face"  # in mode `face`: a person of whom only faces were found
    LYING = (
        "lying"  # found mainly by looks at the turned picture, or only now and then at one place: a patient
    )
    OBJECT = "object"


@dataclass(frozen=True, slots=True, eq=False)
class MaskTrack:
    """One person or object, and where its mask lies in each picture of the clip.

    `frames` (k,) are picture numbers, strictly growing, `boxes` (k, 4) the regions there; between two of them the
    region moves in a straight line. There is no region before the first and after the last. Times before something
    was found first and after it was found last (held, or foreseen) are inside: what the track says is what is
    covered.
    """

    track_id: (
        int  # from 1, in the order of the first picture; the same footage and settings give the same numbers
    )
    kind: TrackKind
    frames: Ints = field(repr=False)
    boxes: Floats = field(repr=False)
    found_first: int  # the first and last picture in which a detector found it
    found_last: int
    looks: int  # in how many pictures a detector found it
    sources: frozenset[str]  # the detectors, or the names of the objects

    def __post_init__(self) -> None:
        good = self.frames.ndim == 1 and self.frames.size and self.boxes.shape == (self.frames.size, 4)
        if not good or (np.diff(self.frames) <= 0).any():
            raise _bad("A track needs growing picture numbers and one box for each of them.")

    @property
    def first(self) -> int:
        """The first picture with a region."""
        return int(self.frames[0])

    @property
    def last(self) -> int:
        """The last picture with a region."""
        return int(self.frames[-1])

    def box_at(self, frame: int) -> Region | None:
        """The region in one picture; None outside first..last."""
        if not self.first <= frame <= self.last:
            return None
        x1, y1, x2, y2 = boxes_at(self.frames, self.boxes, np.array([frame]))[0].tolist()
        return (x1, y1, x2, y2)


def boxes_at(frames: Ints, boxes: Floats, at: npt.NDArray[np.integer]) -> Floats:
    """The boxes (n, 4) at picture numbers `at` (n,) in straight lines between the keys, constant outside them."""
    return np.stack([np.interp(at, frames, boxes[:, i]) for i in range(4)], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class KeyedRegion:
    """A region that a person drew, or that a site has fixed: boxes at key pictures, in straight lines between them.

    `keys`: (picture number, region in pixels), growing; the region exists from the first to the last of them. One
    key with `whole_clip` holds through every picture.
    """

    name: str
    keys: tuple[tuple[int, Region], ...]
    whole_clip: bool = False

    def __post_init__(self) -> None:
        frames = [frame for frame, _ in self.keys]
        if not frames or any(b <= a for a, b in itertools.pairwise(frames)):
            raise _bad("A region needs at least one key, in the order of time.")

    def box_at(self, frame: int) -> Region | None:
        """The region in one picture; None where there is none."""
        frames = np.array([key for key, _ in self.keys], np.int32)
        if not self.whole_clip and not frames[0] <= frame <= frames[-1]:
            return None
        boxes = np.array([box for _, box in self.keys], np.float32)
        x1, y1, x2, y2 = boxes_at(frames, boxes, np.array([frame]))[0].tolist()
        return (x1, y1, x2, y2)


def without(tracks: Sequence[MaskTrack], left_clear: frozenset[int]) -> list[MaskTrack]:
    """The tracks that stay masked. BAD_REQUEST for a number that no track has: a choice made for other footage."""
    if unknown := sorted(left_clear - {track.track_id for track in tracks}):
        raise _bad(f"There is no track {unknown[0]} in this footage.")
    return [track for track in tracks if track.track_id not in left_clear]


def _bad(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, message, where="masking tracks")
