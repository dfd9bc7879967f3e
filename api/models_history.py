"""Bodies of history, out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import Field

from api.types import Model, TimeOut
from orvault.custody.checkpoints import Receipt, StoredCheckpoint
from orvault.custody.history import Entry
from orvault.custody.service import HistoryVerdict, RecordingAccess, Seen
from orvault.custody.viewing import Showing, ViewKind


class EntryOut(Model):
    """One act in history; `leaf_hash` is its RFC 6962 leaf."""

    seq: int
    at: TimeOut
    actor: str
    actor_name: str | None
    act: str
    subject: str
    detail: dict[str, object]
    leaf_hash: str

    @classmethod
    def of(cls, entry: Entry, names: dict[str, str]) -> EntryOut:
        """From custody's entry; `names` are display names by account id."""
        return cls(
            seq=entry.seq,
            at=entry.at_us,
            actor=entry.actor,
            actor_name=names.get(entry.actor.removeprefix("account:")),
            act=entry.act,
            subject=entry.subject,
            detail=json.loads(entry.detail),
            leaf_hash=entry.leaf_hash,
        )


class CheckpointOut(Model):
    """The newest checkpoint of history, as a signed note (docs/format/history-v1.md)."""

    size: int
    at: TimeOut
    root: str
    note: str
    taken_by: list[str] = Field(description="Places outside that have taken this very one.")

    @classmethod
    def of(cls, newest: StoredCheckpoint, receipts: Sequence[Receipt]) -> CheckpointOut:
        """From custody's."""
        places = [receipt.place for receipt in receipts]
        return cls(size=newest.size, at=newest.at_us, root=newest.root, note=newest.note, taken_by=places)


class SpanOut(Model):
    """Seconds that were shown, and how: `masked` (mosaic), `people-masked` or `clear`."""

    from_: TimeOut = Field(serialization_alias="from")
    to: TimeOut
    showing: Showing
    grant_id: str | None = Field(description="The request to view by which it showed more than a mosaic.")


class SeenOut(Model):
    """One look at a camera; without spans it was opened, and nothing is known to have been shown yet."""

    account_id: str
    account_name: str | None
    view_id: str
    kind: ViewKind
    camera_id: str
    at: TimeOut
    spans: list[SpanOut]
    entry: int = Field(description="Its number in history.")


class HandedOutOut(Model):
    """A link to a copy that was issued, a copy that was fetched, or a player that asked the hospital to open it."""

    request_id: str
    recipients: list[str]
    package_id: str
    act: str
    account_id: str
    account_name: str | None
    at: TimeOut
    entry: int = Field(description="Its number in history.")
    came_from: str | None = Field(description="The address that it came from, where history has it.")


class AccessOut(Model):
    """Who has seen a case's recording, or its room live while it was armed, and what became of its copies."""

    case_id: str
    seen: list[SeenOut]
    copies: list[HandedOutOut]

    @classmethod
    def of(cls, access: RecordingAccess, names: Mapping[str, str]) -> AccessOut:
        """From custody's answer; `names` are display names by account id."""
        return cls(
            case_id=access.case.case_id,
            seen=[_seen(each, names) for each in access.seen],
            copies=[
                HandedOutOut(
                    request_id=each.request_id,
                    recipients=list(each.recipients),
                    package_id=each.package_id,
                    act=each.act.value,
                    account_id=each.account_id,
                    account_name=names.get(each.account_id),
                    at=each.at_us,
                    entry=each.entry,
                    came_from=each.came_from or None,
                )
                for each in access.copies
            ],
        )


def _seen(each: Seen, names: Mapping[str, str]) -> SeenOut:
    return SeenOut(
        account_id=each.account_id,
        account_name=names.get(each.account_id),
        view_id=each.view_id,
        kind=each.kind,
        camera_id=each.camera_id,
        at=each.at_us,
        spans=[
            SpanOut(from_=span.from_us, to=span.to_us, showing=span.showing, grant_id=span.grant_id or None)
            for span in each.spans
        ],
        entry=each.entry,
    )


class HistoryVerdictOut(Model):
    """Whether history stands as it was written."""

    intact: bool
    entries: int = Field(description="How many are on record.")
    from_: TimeOut | None = Field(serialization_alias="from", description="First entry that holds.")
    to: TimeOut | None = Field(description="Last entry that holds, before the first that does not.")
    broken_seq: int | None = Field(description="Number of the first entry that does not hold.")
    findings: list[str] = Field(description="What is wrong, in words.")
    checkpoints: int = Field(description="Signed checkpoints in the ledger that agree.")
    words: str

    @classmethod
    def of(cls, verdict: HistoryVerdict) -> HistoryVerdictOut:
        """From custody's verdict."""
        return cls(
            intact=verdict.intact,
            entries=verdict.size,
            from_=verdict.first_us,
            to=verdict.last_us,
            broken_seq=verdict.broken_seq,
            findings=list(verdict.findings),
            checkpoints=verdict.kept,
            words=verdict.words,
        )
