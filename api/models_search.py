"""Bodies of searches, out."""

from __future__ import annotations

from pydantic import Field

from api.models import GapOut
from api.models_cases import CaseOut
from api.types import Model, TimeOut
from orvault.custody.case import Case
from orvault.custody.recorded import Stretch
from orvault.custody.search import EventKind, FoundEvent, FoundRecording, Page

Next = Field(
    description="Send it as `after` for the rest; null: that was all. A short page may have one, too."
)


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
