"""Bodies of history, out."""

from __future__ import annotations

import json

from pydantic import Field

from api.types import Model, TimeOut
from orvault.custody.history import Entry
from orvault.custody.service import HistoryVerdict


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


class HistoryVerdictOut(Model):
    """Whether history stands as it was written."""

    intact: bool
    entries: int = Field(description="How many are on record.")
    from_: TimeOut | None = Field(serialization_alias="from", description="First entry that holds.")
    to: TimeOut | None = Field(description="Last entry that holds, before the first that does not.")
    broken_seq: int | None = Field(description="Number of the first entry that does not hold.")
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
            words=verdict.words,
        )
