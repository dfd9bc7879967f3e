"""Bodies of requests to see more than a mosaic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from api.models import Words
from api.models_basis import BasisOut
from api.models_exports import ApprovalOut
from api.models_wishes import BasisIn, Ids
from api.types import Model, TimeIn, TimeOut
from orvault.custody.steps import RequestState
from orvault.custody.viewing import Showing, ViewKind
from orvault.custody.viewing_request import ViewingRequest, ViewingWish


class ViewingAskIn(Model):
    """Who is to see what of a case, on which ground, until when."""

    viewer: Annotated[str, Field(max_length=200, description="The name of their account.", examples=["kim"])]
    kind: ViewKind = Field(description="`live`: while the case is armed; `stored`: what was recorded of it.")
    case_id: Ids
    camera_ids: list[Ids] = Field(max_length=32)
    from_: TimeIn | None = Field(default=None, alias="from", description="Of the recording; live has none.")
    to: TimeIn | None = Field(default=None, description="Of the recording, exclusive; live has none.")
    showing: Showing = Field(description="`people-masked` (live only) or `clear`.")
    purpose: Words
    basis: BasisIn
    until: TimeIn = Field(description="The grant ends then, at the site's longest.")

    def wish(self) -> ViewingWish:
        """As custody takes it, without the viewer: custody finds the account by its name."""
        return ViewingWish(
            viewer_id="",
            kind=self.kind,
            case_id=self.case_id,
            camera_ids=tuple(self.camera_ids),
            showing=self.showing,
            purpose=self.purpose,
            basis=self.basis.basis(),
            until_us=self.until,
            from_us=self.from_,
            to_us=self.to,
        )


class ViewingRequestOut(Model):
    """A request to view and what became of it; while it is `approved`, it is a viewing grant."""

    id: str
    state: RequestState
    viewer_id: str
    viewer_name: str | None = Field(description="As it is displayed.")
    kind: ViewKind
    case_id: str
    camera_ids: list[str]
    from_: TimeOut | None = Field(serialization_alias="from")
    to: TimeOut | None
    showing: Showing
    purpose: str
    basis: BasisOut
    until: TimeOut
    requested_by: str
    requested_at: TimeOut
    approvals: list[ApprovalOut]
    decided_by: str | None
    decided_at: TimeOut | None
    reason: str | None = Field(description="Why it was refused or withdrawn.")
    ended_by: str | None
    ended_at: TimeOut | None

    @classmethod
    def of(cls, request: ViewingRequest, names: Mapping[str, str]) -> ViewingRequestOut:
        """From custody's request; `names` are display names by account id."""
        wish = request.wish
        return cls(
            id=request.request_id,
            state=request.state,
            viewer_id=wish.viewer_id,
            viewer_name=names.get(wish.viewer_id),
            kind=wish.kind,
            case_id=wish.case_id,
            camera_ids=list(wish.camera_ids),
            from_=wish.from_us,
            to=wish.to_us,
            showing=wish.showing,
            purpose=wish.purpose,
            basis=BasisOut.of(wish.basis),
            until=wish.until_us,
            requested_by=request.requested_by,
            requested_at=request.requested_us,
            approvals=[ApprovalOut.of(each) for each in request.approvals],
            decided_by=request.decided_by,
            decided_at=request.decided_us,
            reason=request.reason,
            ended_by=request.ended_by,
            ended_at=request.ended_us,
        )
