"""What searches are asked, as query parameters, and their bodies, out."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.models import GapOut
from api.models_cases import CaseOut
from api.types import Model, TimeIn, TimeOut
from orvault.custody.case import Case
from orvault.custody.recorded import Stretch
from orvault.custody.search import MOST_NAMES, EventKind, FoundEvent, FoundRecording, Page, Wanted
from orvault.custody.text import MAX_TIME_US

Next = Field(
    description="Send it as `after` for the rest; null: that was all. A short page may have one, too."
)


_Names = list[Annotated[str, Field(max_length=128)]]


class CaseQuery(BaseModel):
    """How a search is narrowed; what is left out narrows nothing. Unlike in a body, unknown names are passed over."""

    model_config = ConfigDict(hide_input_in_errors=True)

    number: str = Field(default="", max_length=64, description="A case's number, or its beginning.")
    rooms: _Names = Field(
        default=[], alias="room", max_length=MOST_NAMES, description="Once for each room; without one, all."
    )
    departments: _Names = Field(
        default=[],
        alias="department",
        max_length=MOST_NAMES,
        description="Once for each department; its rooms now.",
    )
    from_: TimeIn | None = Field(default=None, alias="from", description="Inclusive.")
    to: TimeIn | None = Field(default=None, description="Exclusive.")
    limit: int = Field(default=100, ge=1, le=200, description="At most so many rows.")
    after: str = Field(
        default="", max_length=400, description="`next` of the page before, all else as it was."
    )

    def wanted(self) -> Wanted:
        """As custody takes it."""
        return Wanted(
            number=self.number,
            rooms=tuple(self.rooms),
            departments=tuple(self.departments),
            from_us=0 if self.from_ is None else self.from_,
            to_us=MAX_TIME_US if self.to is None else self.to,
            limit=self.limit,
            after=self.after,
        )


class RecordingQuery(CaseQuery):
    """The same, and by camera."""

    camera_ids: _Names = Field(
        default=[],
        alias="camera_id",
        max_length=MOST_NAMES,
        description="Once for each camera; without one, all.",
    )

    def wanted(self) -> Wanted:
        """As custody takes it."""
        return replace(super().wanted(), camera_ids=tuple(self.camera_ids))


class EventQuery(RecordingQuery):
    """The same, and by kind of event."""

    kinds: list[EventKind] = Field(
        default=[], alias="kind", max_length=8, description="Once for each kind; without one, all."
    )

    def wanted(self) -> Wanted:
        """As custody takes it."""
        return replace(super().wanted(), kinds=tuple(self.kinds))


class CasePageOut(Model):
    """Cases that were found."""

    items: list[CaseOut]
    next: str | None = Next

    @classmethod
    def of(cls, page: Page[Case]) -> CasePageOut:
        """From custody's page."""
        return cls(items=[CaseOut.of(case) for case in page.items], next=page.next or None)


class StretchOut(Model):
    """Recorded without a break; a stretch is a day long at most."""

    from_: TimeOut = Field(serialization_alias="from")
    to: TimeOut
    segments: int
    frames: int
    bytes: int

    @classmethod
    def of(cls, stretch: Stretch) -> StretchOut:
        """From custody's stretch."""
        return cls(
            from_=stretch.start_us,
            to=stretch.end_us,
            segments=stretch.segments,
            frames=stretch.frames,
            bytes=stretch.bytes,
        )


class FoundRecordingOut(Model):
    """What a page has of one camera's run. A run that is on two pages goes on where it ended on the first."""

    run_id: str
    case_id: str
    case_number: str
    room: str
    camera_id: str
    recording: bool
    stretches: list[StretchOut] = Field(description="The newest first.")
    gaps: list[GapOut] = Field(description="Among and around these stretches.")

    @classmethod
    def of(cls, found: FoundRecording) -> FoundRecordingOut:
        """From custody's answer."""
        return cls(
            run_id=found.run_id,
            case_id=found.case_id,
            case_number=found.case_number,
            room=found.room,
            camera_id=found.camera_id,
            recording=found.recording,
            stretches=[StretchOut.of(stretch) for stretch in found.stretches],
            gaps=[GapOut(from_=gap.from_us, to=gap.to_us, reason=gap.reason) for gap in found.gaps],
        )


class RecordingPageOut(Model):
    """Recordings that were found, the newest first."""

    items: list[FoundRecordingOut]
    next: str | None = Next

    @classmethod
    def of(cls, page: Page[FoundRecording]) -> RecordingPageOut:
        """From custody's page."""
        return cls(items=[FoundRecordingOut.of(found) for found in page.items], next=page.next or None)


class EventOut(Model):
    """Something that happened; a gap lasts `until`."""

    kind: EventKind
    act: str = Field(description="As in history; of a gap the word gap.", examples=["camera-lost"])
    at: TimeOut
    until: TimeOut | None
    room: str | None = Field(description="Null: in none, or for the whole site.")
    camera_id: str | None
    case_id: str | None
    case_number: str | None
    words: str = Field(description="Why, or what was wrong; may be empty.")
    seq: int | None = Field(description="Its entry in history; null for a gap.")

    @classmethod
    def of(cls, event: FoundEvent) -> EventOut:
        """From custody's event."""
        return cls(
            kind=event.kind,
            act=event.act,
            at=event.at_us,
            until=event.until_us,
            room=event.room or None,
            camera_id=event.camera_id,
            case_id=event.case_id,
            case_number=event.case_number,
            words=event.words,
            seq=event.seq,
        )


class EventPageOut(Model):
    """Events that were found, the newest first."""

    items: list[EventOut]
    next: str | None = Next

    @classmethod
    def of(cls, page: Page[FoundEvent]) -> EventPageOut:
        """From custody's page."""
        return cls(items=[EventOut.of(event) for event in page.items], next=page.next or None)
