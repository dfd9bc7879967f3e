"""What is followed through a clip: one `MaskTrack` for each person (or object), from first to last picture.

Types only: `following.py` finds the tracks, `planning.py` turns them into covered regions. Tracks hold boxes and
never a picture, so that hours of them fit into memory, travel between processes and may be stored.

`find_tracks` -> tracks -> `plan_tracks`: in between, a request may leave parts of tracks clear (parts.py); regions
that a person drew (`KeyedRegion`) come on top, picture by picture.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.boxes import Floats

Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Region = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels; it may reach over the picture's edge
KEY_SLACK_US = 100_000  # more than lies between two pictures


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
    """A region that a person drew: boxes at key times, in straight lines between them.

    `keys`: (UTC microseconds, region in pixels), growing; the region is there from the first to the last of them. One
    key alone holds in every picture.
    """

    name: str
    keys: tuple[tuple[int, Region], ...]

    def __post_init__(self) -> None:
        times = [at_us for at_us, _ in self.keys]
        if not times or any(b <= a for a, b in itertools.pairwise(times)):
            raise _bad("A region needs at least one key, in the order of time.")

    def box_at(self, at_us: int) -> Region | None:
        """The region at this time; None where there is none.

        A picture beside the first or last key counts as inside: people read times off pictures, and rounded ones.
        """
        times = [key_us for key_us, _ in self.keys]
        if len(times) > 1 and not times[0] - KEY_SLACK_US <= at_us <= times[-1] + KEY_SLACK_US:
            return None
        at, since = at_us - times[0], [key_us - times[0] for key_us in times]  # floats hold these exactly
        x1, y1, x2, y2 = (float(np.interp(at, since, [box[i] for _, box in self.keys])) for i in range(4))
        return (x1, y1, x2, y2)


def digest_of(tracks: Iterable[MaskTrack]) -> str:
    """SHA-256 (hex) of all that tracks say: two lists with the same digest cover the same in every picture."""
    told = hashlib.sha256()
    for track in tracks:
        words = f"{track.track_id} {track.kind} {track.found_first} {track.found_last} {len(track.frames)}\n"
        told.update(words.encode())
        told.update(np.ascontiguousarray(track.frames, "<i4").tobytes())
        told.update(np.ascontiguousarray(track.boxes, "<f4").tobytes())
    return told.hexdigest()


def _bad(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, message, where="masking tracks")
