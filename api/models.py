"""Bodies of accounts, sessions, cameras, cases and recordings, in and out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from api.types import Model, TimeOut
from orvault.custody.account import Account, Role
from orvault.custody.recorded import RunSummary
from orvault.custody.service import CameraView

Words = Annotated[str, Field(max_length=1000)]


class Token(Model):
    """A bearer token; send it as `Authorization: Bearer TOKEN`."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - RFC 6749's word
    expires_in: int = Field(description="Seconds.")


class AccountOut(Model):
    """An account; its password is never shown."""

    id: str
    name: str
    display_name: str
    role: Role
    created_at: TimeOut
    disabled_at: TimeOut | None
    must_change_password: bool = Field(
        description="Somebody else set it; until then nothing else is allowed."
    )

    @classmethod
    def of(cls, account: Account) -> AccountOut:
        """From custody's account."""
        return cls(
            id=account.account_id,
            name=account.name,
            display_name=account.display_name,
            role=account.role,
            created_at=account.created_us,
            disabled_at=account.disabled_us,
            must_change_password=account.must_change,
        )


class AccountIn(Model):
    """A new account."""

    name: Annotated[str, Field(max_length=200, examples=["kim.jiwon"])]
    display_name: Annotated[str, Field(max_length=200, examples=["김지원 (Records)"])]
    role: Role
    password: SecretStr = Field(description="12 characters or more.", max_length=1000)


class PasswordIn(Model):
    """A password that an account has to change at its next sign-in."""

    password: SecretStr = Field(description="12 characters or more.", max_length=1000)


class OwnPasswordIn(Model):
    """One's own password, before and after."""

    old_password: SecretStr = Field(max_length=1000)
    new_password: SecretStr = Field(description="12 characters or more.", max_length=1000)


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
