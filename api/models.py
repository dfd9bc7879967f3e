"""Bodies of cameras, cases and recordings, in and out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.types import Model, TimeOut
from orvault.custody.recorded import RunSummary
from orvault.custody.service import CameraView

Words = Annotated[str, Field(max_length=1000)]


class CameraOut(Model):
    """A camera and what it does now."""

    id: str
    title: str
    room: str
    node: str
    codec: str | None
    state: str = Field(examples=["recording"], description="`removed`: the settings name it no more.")
    detail: str
    run_id: str | None
    segments: int
    last_segment_at: TimeOut | None

    @classmethod
    def of(cls, view: CameraView) -> CameraOut:
        """From custody's camera with its status."""
        return cls(
            id=view.info.camera_id,
            title=view.info.title,
            room=view.info.room,
            node=view.info.node_id,
            codec=view.info.codec,
            state=view.status.state,
            detail=view.status.detail,
            run_id=view.status.run_id,
            segments=view.status.segments,
            last_segment_at=view.status.last_segment_us,
        )


class GapOut(Model):
    """A time in which the camera should have recorded and did not."""

    from_: TimeOut = Field(serialization_alias="from")
    to: TimeOut
    reason: str


class RecordingOut(Model):
    """What one camera recorded in one run, within the period asked for."""

    run_id: str
    case_id: str
    camera_id: str
    from_: TimeOut = Field(serialization_alias="from")
    to: TimeOut
    segments: int
    frames: int
    bytes: int
    missing_segments: int = Field(description="Holes in the numbering: segments that were lost.")
    recording: bool
    gaps: list[GapOut]
    destroyed_at: TimeOut | None = Field(description="Since when nothing of it opens any more.")

    @classmethod
    def of(cls, run: RunSummary) -> RecordingOut:
        """From custody's summary of a run."""
        return cls(
            run_id=run.run_id,
            case_id=run.case_id,
            camera_id=run.camera_id,
            from_=run.start_us,
            to=run.end_us,
            segments=run.segments,
            frames=run.frames,
            bytes=run.bytes,
            missing_segments=run.missing_segments,
            recording=run.recording,
            gaps=[GapOut(from_=gap.from_us, to=gap.to_us, reason=gap.reason) for gap in run.gaps],
            destroyed_at=run.destroyed_us,
        )
