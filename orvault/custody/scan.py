"""A scan of a draft's footage: whom and what is followed in it, so that a person can choose what is masked; values.

Scanning shows nobody a picture. What it finds are times and boxes; the pictures beside them are views (`viewing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orvault.container.canonical import Fields, is_digest
from orvault.custody.choice import BoxMicro
from orvault.custody.request import ExportRequest, Progress
from orvault.custody.steps import RequestState
from orvault.custody.terms import Masking
from orvault.custody.wish import Wish
from orvault.errors import ErrorKind, OrvaultError

MAX_SCANS = 50  # of one draft
MAX_TRACKS = 5_000  # listed of one camera; what is beyond stays masked


class ScanState(StrEnum):
    """Where a scan stands."""

    WAITING = "waiting"
    SCANNING = "scanning"
    DONE = "done"
    FAILED = "failed"


NOTHING_DONE = Progress()
OPEN_STATES = frozenset({ScanState.WAITING, ScanState.SCANNING})


@dataclass(frozen=True, slots=True)
class FoundTrack:
    """One person or object while it is followed without doubt; `name` is unique in its camera.

    Those with the same `person` are parts of one track. `kind` is person, lying, or the object's class. Who is not
    `clearable` is masked whatever anybody chooses. `shown_us` and `box_micro` are where it is seen best.
    """

    name: str
    person: int
    kind: str
    from_us: int
    to_us: int
    clearable: bool
    shown_us: int
    box_micro: BoxMicro

    def to_json(self) -> dict[str, object]:
        """As the ledger keeps it."""
        return {
            "box_micro": list(self.box_micro),
            "clearable": self.clearable,
            "from_us": self.from_us,
            "kind": self.kind,
            "name": self.name,
            "person": self.person,
            "shown_us": self.shown_us,
            "to_us": self.to_us,
        }

    @classmethod
    def read(cls, fields: Fields) -> FoundTrack:
        """What `to_json` wrote; raises with the kind of `fields`."""
        box, clearable = fields.items("box_micro", 4, 4), fields.take("clearable")
        x1, y1, x2, y2 = (side if isinstance(side, int) else 0 for side in box)
        track = cls(
            name=fields.text("name", 32),
            person=fields.integer("person"),
            kind=fields.text("kind", 32),
            from_us=fields.integer("from_us"),
            to_us=fields.integer("to_us"),
            clearable=clearable is True,
            shown_us=fields.integer("shown_us"),
            box_micro=(x1, y1, x2, y2),
        )
        fields.end()
        return track


@dataclass(frozen=True, slots=True)
class CameraScan:
    """What was found in one camera's footage. `digest` (SHA-256, hex) stands for the footage and all tracks in it;
    `unlisted` tracks are masked and cannot be chosen.
    """

    camera_id: str
    digest: str
    tracks: tuple[FoundTrack, ...]
    unlisted: int = 0

    def to_json(self) -> dict[str, object]:
        """As the ledger keeps it."""
        tracks = [track.to_json() for track in self.tracks]
        return {
            "camera_id": self.camera_id,
            "digest": self.digest,
            "tracks": tracks,
            "unlisted": self.unlisted,
        }

    @classmethod
    def read(cls, fields: Fields) -> CameraScan:
        """What `to_json` wrote; raises with the kind of `fields`."""
        items = fields.items("tracks", 0, MAX_TRACKS)
        tracks = tuple(
            FoundTrack.read(Fields(item, f"{fields.where}, tracks", fields.kind)) for item in items
        )
        scan = cls(fields.text("camera_id"), fields.digest("digest"), tracks, fields.integer("unlisted"))
        fields.end()
        return scan

    def checked(self) -> CameraScan:
        """Itself; BAD_REQUEST for what no scan finds: workers are not believed blindly."""
        names = {track.name for track in self.tracks}
        good = is_digest(self.digest) and len(names) == len(self.tracks) <= MAX_TRACKS
        if not good:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is no scan's result.", where=self.camera_id[:64])
        return self


@dataclass(frozen=True, slots=True)
class ScanScope:
    """Which footage is scanned, and for which masking: another mode follows other things."""

    camera_ids: tuple[str, ...]
    from_us: int
    to_us: int
    masking: Masking

    @classmethod
    def of(cls, wish: Wish) -> ScanScope:
        """What a draft asks for now."""
        return cls(wish.camera_ids, wish.from_us, wish.to_us, wish.redaction.masking)


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan with everything known about it so far; times are UTC microseconds.

    `worker_epoch` counts its claims, `given_back` those among them that were given back before they could be tried.
    """

    scan_id: str
    request_id: str
    scope: ScanScope
    state: ScanState
    ordered_by: str
    ordered_us: int
    progress: Progress = NOTHING_DONE
    worker: str | None = None
    worker_epoch: int = 0
    worker_seen_us: int | None = None
    given_back: int = 0
    not_before_us: int | None = None
    failure: str | None = None
    ended_us: int | None = None
    cameras: tuple[CameraScan, ...] = ()

    @property
    def attempts(self) -> int:
        """How many workers were at it and neither ended nor gave it back."""
        return self.worker_epoch - self.given_back

    def fits(self, wish: Wish) -> bool:
        """Whether the request still asks for what was scanned."""
        return self.scope == ScanScope.of(wish)

    def camera(self, camera_id: str) -> CameraScan | None:
        """What was found in this camera's footage."""
        return next((each for each in self.cameras if each.camera_id == camera_id), None)


class ScanRows(Protocol):
    """Scans of drafts."""

    def add(self, scan: Scan) -> None: ...
    def get(self, scan_id: str) -> Scan | None: ...
    def put_state(self, scan: Scan) -> None:
        """Write what was done; the scope never changes."""
        ...

    def latest(self, request_id: str) -> Scan | None: ...
    def count(self, request_id: str) -> int: ...

    def waiting(self, now_us: int) -> Sequence[Scan]:
        """Those whose time to be tried has come, and those under way, the oldest first."""
        ...


def render_grant(scans: ScanRows, request: ExportRequest) -> tuple[str, dict[str, object]] | None:
    """Which worker may have keys opened for a request now, and what history says it is for; None: nobody.

    It shows nobody a picture: the request is approved and being rendered, or a draft that is being scanned.
    """
    if request.state is RequestState.RENDERING:
        return request.worker or "none", {"purpose": "render", "epoch": request.worker_epoch}
    scan = scans.latest(request.request_id) if request.state is RequestState.DRAFT else None
    if scan is None or scan.state is not ScanState.SCANNING or not scan.fits(request.wish):
        return None
    return scan.worker or "none", {"purpose": "scan", "epoch": scan.worker_epoch, "scan": scan.scan_id}


def check_choice(scans: ScanRows, wish: Wish) -> None:
    """Raise CONFLICT or BAD_REQUEST unless a wish still asks for what its masking was chosen from."""
    choice = wish.redaction.choice
    if choice is None:
        return
    choice.check_scope(wish.camera_ids, wish.from_us, wish.to_us)
    scan = None if choice.scan_id is None else scans.get(choice.scan_id)
    if choice.told.clear and (scan is None or not scan.fits(wish)):
        message = "The draft was changed after tracks were chosen: they are those of other footage."
        advice = "Have it scanned again and choose again, or take the choice back."
        raise OrvaultError(ErrorKind.CONFLICT, message, where="masking", advice=advice)
