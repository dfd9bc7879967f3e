"""What custody needs of the ledger for export requests, their copies and download links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from orvault.custody.participants import Answer
from orvault.custody.request import Approval, ExportRequest
from orvault.custody.scope import Reach
from orvault.custody.steps import RequestState


@dataclass(frozen=True, slots=True)
class Link:
    """One download link that was handed out; the signed URL carries its id."""

    link_id: str
    request_id: str
    issued_to: str
    issued_us: int
    expires_us: int
    first_used_us: int | None = None


@dataclass(frozen=True, slots=True)
class RegisteredCopy:
    """Which request and recipients a package, and the mark in its pictures, belong to."""

    package_id: str
    request_id: str
    recipients: tuple[str, ...]
    camera_ids: tuple[str, ...]


class RequestRows(Protocol):
    """Export requests with cameras, recipients, consents and download links."""

    def add(self, request: ExportRequest) -> None: ...
    def get(self, request_id: str) -> ExportRequest | None: ...
    def put_state(self, request: ExportRequest) -> None:
        """Write what was decided or done; the wish itself changes in a draft alone (`put_wish`)."""
        ...

    def put_wish(self, request: ExportRequest) -> None:
        """Write what a draft asks for now, and from when until when it is valid."""
        ...

    def put_copies(self, request: ExportRequest) -> None:
        """Write the ids and packages of the further recipients' copies."""
        ...

    def put_consents(self, request: ExportRequest) -> None: ...
    def add_approval(self, request_id: str, approval: Approval) -> None: ...
    def void_approvals(self, request_id: str, at_us: int) -> None:
        """Let those that counted count no more."""
        ...

    def put_asked(self, request: ExportRequest) -> None:
        """Write who is to answer to its result, and what was waived, as it is now."""
        ...

    def add_answer(self, request_id: str, answer: Answer) -> None: ...
    def drop_answers(self, request_id: str) -> None:
        """Forget what was said of a result that is made anew; history keeps it."""
        ...

    def drop_deliveries(self, request_id: str) -> None: ...
    def mark_delivered(self, request: ExportRequest, package_id: str, at_us: int) -> None:
        """Write when this copy was first fetched."""
        ...

    def in_states(self, states: Collection[RequestState], case_id: str) -> Sequence[ExportRequest]:
        """Those of a case that stand so."""
        ...

    def copies(self) -> Sequence[RegisteredCopy]:
        """Every copy that was ever approved, for tracing."""
        ...

    def page(
        self,
        reach: Reach,
        state: RequestState | None,
        owner: str | None,
        case_id: str | None,
        limit: int,
        before: str,
    ) -> Sequence[ExportRequest]: ...
    def waiting(self, now_us: int) -> Sequence[ExportRequest]:
        """Approved ones whose time to be tried has come, and rendering ones, the oldest decision first."""
        ...

    def spent(self) -> Sequence[ExportRequest]:
        """Ended ones whose files were not removed yet."""
        ...

    def submitted(
        self, reach: Reach, from_us: int, to_us: int, owner: str | None, limit: int
    ) -> Sequence[ExportRequest]:
        """Those submitted in this period, the oldest first."""
        ...

    def due(self, by_us: int) -> Sequence[ExportRequest]:
        """Undecided ones that are to be answered by then."""
        ...

    def outlived(self, now_us: int) -> Sequence[ExportRequest]: ...
    def add_link(self, link: Link) -> None: ...
    def link(self, link_id: str) -> Link | None: ...
    def mark_link_used(self, link_id: str, at_us: int) -> None: ...
