"""Anchors: the heads of runs as history holds them, so that a run that lost its end, or was swapped, shows.

A head fixes everything before it in its run (docs/format/segment-v1.md, 3.2 and section 8). What an export makes of
anchors is `stretches`; whether history itself stands, `HistoryDesk.verify_history`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.chain import Head
from orvault.custody.desks.base import SYSTEM
from orvault.custody.history import Act, Entry, entry_holds
from orvault.custody.recorded import StoredSegment
from orvault.custody.rows import UnitOfWork
from orvault.errors import ErrorKind, OrvaultError

HEADS_PER_ENTRY = 100  # about 25 KB of history
_MAX_BYTES = 1 << 20
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head of a run, written into history at `at_us`: everything up to it had been seen by then.

    `end_us` is when the head segment's last frame ended, by its own header.
    """

    run_id: str
    camera_id: str
    sequence: int
    digest: str
    end_us: int
    at_us: int

    @property
    def head(self) -> Head:
        """What the chain is compared with."""
        return Head(self.sequence, self.digest)


@dataclass(frozen=True, slots=True)
class Anchors:
    """The anchors of a case, by number. `broken_seq`: an entry of history that is not what was written."""

    known: tuple[Anchor, ...]
    broken_seq: int | None = None

    def of(self, run_id: str) -> tuple[Anchor, ...]:
        """Those of one run."""
        return tuple(anchor for anchor in self.known if anchor.run_id == run_id)


def anchor_heads(uow: UnitOfWork, at_us: int, run_ids: Sequence[str]) -> int:
    """Write where these runs stand into history, in the transaction of the caller; how many had segments.

    One entry a case, so that a case's anchors are found without reading those of others.
    """
    heads: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for run_id in run_ids:
        last = uow.segments.last(run_id)
        if last is not None:
            heads[last.header.meta.case_id].append(_told(last))
    for case_id, found in heads.items():
        for first in range(0, len(found), HEADS_PER_ENTRY):
            detail = {"heads": found[first : first + HEADS_PER_ENTRY]}
            uow.history.append(at_us, SYSTEM, Act.HEADS_ANCHORED, f"case:{case_id}", detail)
    uow.moved_runs.clear(run_ids)
    return sum(map(len, heads.values()))


def anchors_of(uow: UnitOfWork, case_id: str) -> Anchors:
    """Every anchor of a case; as much as it was long, however old the ledger is."""
    found: list[Anchor] = []
    before: int | None = None
    while page := uow.history.page(
        before, _PAGE, subject=f"case:{case_id}", actor=None, act=Act.HEADS_ANCHORED.value
    ):
        for entry in page:
            try:
                found += _read(entry)
            except (
                OrvaultError
            ):  # told by who asks for the footage, so that it ends that request and no other
                return Anchors((), entry.seq)
        before = page[-1].seq
    return Anchors(tuple(sorted(found, key=lambda anchor: (anchor.sequence, anchor.at_us))))


def _told(last: StoredSegment) -> dict[str, object]:
    meta = last.header.meta
    return {
        "run": meta.run_id,
        "camera": meta.camera_id,
        "sequence": meta.sequence,
        "digest": last.digest,
        "end_us": meta.end_us,
    }


def _read(entry: Entry) -> list[Anchor]:
    where = f"history {entry.seq}"
    if not entry_holds(entry, entry.seq):
        raise OrvaultError(ErrorKind.ALTERED, "This entry is not what was written.", where=where)
    detail = Fields(canonical.decode(entry.detail.encode(), max_bytes=_MAX_BYTES, where=where), where)
    return [_anchor(Fields(item, where), entry.at_us) for item in detail.items("heads", 1, HEADS_PER_ENTRY)]


def _anchor(head: Fields, at_us: int) -> Anchor:
    return Anchor(
        run_id=head.identifier("run"),
        camera_id=head.identifier("camera"),
        sequence=head.integer("sequence"),
        digest=head.digest("digest"),
        end_us=head.integer("end_us"),
        at_us=at_us,
    )
