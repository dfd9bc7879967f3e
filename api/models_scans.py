"""Bodies of scans and of the choice of what is masked, in and out."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from api.types import Model, TimeIn, TimeOut
from orvault.custody.choice import (
    MAX_CLEAR,
    MAX_KEYS,
    MAX_REGIONS,
    WHOLE,
    BoxMicro,
    DrawnKey,
    DrawnRegion,
    MaskingChoice,
)
from orvault.custody.scan import CameraScan, FoundTrack, Scan, ScanState
from orvault.custody.service import OpenedView
from orvault.custody.viewing import Showing

Name = Annotated[str, Field(max_length=128)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Box = Annotated[
    tuple[Share, Share, Share, Share],
    Field(
        description="x1, y1, x2, y2 as shares of the picture's width and height.",
        examples=[[0.1, 0.2, 0.3, 0.5]],
    ),
]


class TrackOut(Model):
    """One person or object while it is followed without doubt; `person` is the same in all parts of one track."""

    id: str = Field(description="Unique in its camera.", examples=["3.1"])
    person: int
    kind: str = Field(description="`person`, `lying` or the object's class.")
    from_: TimeOut = Field(serialization_alias="from")
    to: TimeOut
    may_be_left_clear: bool = Field(
        description="Whoever lies, or is followed with doubt, is masked in any case."
    )
    shown_at: TimeOut = Field(description="When it is seen best; the thumbnail is of this moment.")
    box: Box

    @classmethod
    def of(cls, track: FoundTrack) -> TrackOut:
        """From custody's."""
        return cls(
            id=track.name,
            person=track.person,
            kind=track.kind,
            from_=track.from_us,
            to=track.to_us,
            may_be_left_clear=track.clearable,
            shown_at=track.shown_us,
            box=_shares(track.box_micro),
        )


class CameraScanOut(Model):
    """What was found in one camera's footage."""

    camera_id: str
    tracks: list[TrackOut]
    unlisted: int = Field(description="Tracks beyond the list; they stay masked.")

    @classmethod
    def of(cls, camera: CameraScan) -> CameraScanOut:
        """From custody's."""
        tracks = [TrackOut.of(track) for track in camera.tracks]
        return cls(camera_id=camera.camera_id, tracks=tracks, unlisted=camera.unlisted)


class ScanOut(Model):
    """A scan of a draft's footage; `cameras` is filled once it is done."""

    id: str
    state: ScanState
    stage: str
    done: int
    total: int = Field(description="0 while not known.")
    ordered_at: TimeOut
    ended_at: TimeOut | None
    failure: str | None
    cameras: list[CameraScanOut]

    @classmethod
    def of(cls, scan: Scan) -> ScanOut:
        """From custody's."""
        return cls(
            id=scan.scan_id,
            state=scan.state,
            stage=scan.progress.stage,
            done=scan.progress.done,
            total=scan.progress.total,
            ordered_at=scan.ordered_us,
            ended_at=scan.ended_us,
            failure=scan.failure,
            cameras=[CameraScanOut.of(camera) for camera in scan.cameras],
        )


class ThumbnailOut(Model):
    """A picture (JPEG) of the moment in which a track is seen best, with the track's box drawn in."""

    track: str
    url: str


class CameraThumbnailsOut(Model):
    """Thumbnails of one camera's tracks: mosaics, unless the account holds a viewing grant. `showing` may change."""

    camera_id: str
    showing: Showing
    reason: str
    expires_at: TimeOut
    thumbnails: list[ThumbnailOut]

    @classmethod
    def of(cls, camera: CameraScan, opened: OpenedView, base: str) -> CameraThumbnailsOut:
        """`base` is the address of the view, with a slash at its end."""
        thumbnails = [
            ThumbnailOut(
                track=track.name,
                url=f"{base}still.jpg?at={track.shown_us}&box={','.join(map(str, track.box_micro))}",
            )
            for track in camera.tracks
        ]
        return cls(
            camera_id=camera.camera_id,
            showing=opened.decision.showing,
            reason=opened.decision.reason,
            expires_at=opened.view.expires_us,
            thumbnails=thumbnails,
        )


class ClearIn(Model):
    """A track of the newest scan that is left clear."""

    camera_id: Name
    track: Annotated[str, Field(max_length=32, examples=["3.1"])]


class RegionKeyIn(Model):
    """Where a drawn region is at one time."""

    at: TimeIn
    box: Box

    def key(self) -> DrawnKey:
        """As custody takes it, rounded outwards."""
        x1, y1, x2, y2 = (side * WHOLE for side in self.box)
        return DrawnKey(self.at, (math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)))


class RegionIn(Model):
    """A region that is covered besides. Between two keys it moves in a straight line; before the first and after the
    last there is none. With one key it is covered in every picture.
    """

    camera_id: Name
    name: Annotated[str, Field(max_length=200, examples=["monitor by the door"])]
    keys: list[RegionKeyIn] = Field(min_length=1, max_length=MAX_KEYS)

    def region(self) -> DrawnRegion:
        """As custody takes it."""
        return DrawnRegion(self.camera_id, self.name, tuple(key.key() for key in self.keys))


class ChoiceIn(Model):
    """Who is left clear, and what is covered besides; it takes the place of the last choice. Empty: mask all."""

    scan_id: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="The scan that `clear` was chosen from: the newest, if one is named."
    )
    clear: list[ClearIn] = Field(default=[], max_length=MAX_CLEAR)
    regions: list[RegionIn] = Field(default=[], max_length=MAX_REGIONS)


class ClearOut(Model):
    """A track that is left clear."""

    camera_id: str
    track: str
    kind: str
    from_: TimeOut = Field(serialization_alias="from")
    to: TimeOut


class RegionKeyOut(Model):
    """Where a drawn region is at one time."""

    at: TimeOut
    box: Box


class RegionOut(Model):
    """A region that is covered besides."""

    camera_id: str
    name: str
    keys: list[RegionKeyOut]


class ChoiceOut(Model):
    """What was chosen, by whom and when."""

    scan_id: str | None
    clear: list[ClearOut]
    regions: list[RegionOut]
    chosen_by: str
    chosen_at: TimeOut

    @classmethod
    def of(cls, choice: MaskingChoice) -> ChoiceOut:
        """From custody's; `chosen_by` is how people call the account."""
        told = choice.told
        return cls(
            scan_id=choice.scan_id,
            clear=[
                ClearOut(camera_id=p.camera_id, track=p.track, kind=p.kind, from_=p.from_us, to=p.to_us)
                for p in told.clear
            ],
            regions=[
                RegionOut(
                    camera_id=region.camera_id,
                    name=region.name,
                    keys=[RegionKeyOut(at=key.at_us, box=_shares(key.box_micro)) for key in region.keys],
                )
                for region in told.drawn
            ],
            chosen_by=told.by,
            chosen_at=told.chosen_us,
        )


def _shares(box: BoxMicro) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (side / WHOLE for side in box)
    return (x1, y1, x2, y2)
