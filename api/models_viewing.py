"""Bodies of views and of the quick mask, in and out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.types import Model, TimeIn, TimeOut
from orvault.custody.service import MaskState, OpenedView
from orvault.custody.viewing import Showing

CameraName = Annotated[str, Field(max_length=128, examples=["or3-wall"])]


class MaskOut(Model):
    """The quick mask of one camera; while `lifted_until` is null, everybody sees a mosaic."""

    camera_id: str
    room: str
    masked: bool
    lifted_until: TimeOut | None

    @classmethod
    def of(cls, state: MaskState) -> MaskOut:
        """From custody's state."""
        return cls(
            camera_id=state.camera.camera_id,
            room=state.camera.room,
            masked=state.lifted_until_us is None,
            lifted_until=state.lifted_until_us,
        )


class MaskIn(Model):
    """Which camera to mask, or all."""

    camera_id: CameraName | None = Field(default=None, description="All cameras when left out.")
    reason: Annotated[str, Field(max_length=1000)] = Field(default="", description="May be left out.")


class LiftIn(Model):
    """Which camera's quick mask to lift, or all, for how long, and why."""

    camera_id: CameraName | None = Field(default=None, description="All cameras when left out.")
    minutes: int = Field(ge=1, le=1440, description="Then it is on again by itself.")
    reason: Annotated[str, Field(max_length=1000, examples=["The anaesthetist watches from outside."])]


class LiveIn(Model):
    """What to watch live."""

    camera_id: CameraName
    wanted: Showing = Field(default=Showing.CLEAR, description="The most that you wish to see.")


class StoredIn(Model):
    """What to watch of a recording."""

    case_id: Annotated[str, Field(max_length=64)]
    camera_id: CameraName
    from_: TimeIn = Field(alias="from")
    to: TimeIn
    wanted: Showing = Field(default=Showing.CLEAR, description="The most that you wish to see.")


class ViewOut(Model):
    """A view, good from the address that asked for it. Open `url` in a browser.

    `socket` (live) and `playlist` (stored, HLS) are for players of your own.
    """

    id: str
    url: str
    socket: str = Field(description="WebSocket: docs/format/view-v1.md.")
    playlist: str | None = Field(description="HLS playlist of a stored view.")
    showing: Showing = Field(description="What it shows now; that may change at any moment.")
    reason: str
    expires_at: TimeOut

    @classmethod
    def of(cls, opened: OpenedView, page: str) -> ViewOut:
        """From custody's view; `page` is its page's address, with a slash at its end."""
        stored = opened.view.case_id is not None
        return cls(
            id=opened.view.view_id,
            url=page,
            socket=f"ws{page.removeprefix('http')}socket",
            playlist=f"{page}index.m3u8" if stored else None,
            showing=opened.decision.showing,
            reason=opened.decision.reason,
            expires_at=opened.view.expires_us,
        )
