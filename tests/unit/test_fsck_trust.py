"""`orvault fsck` believes no node, gap, key or anchor that is not what the server knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.clock import US_PER_S, FakeClock
from orvault.container.enrolment import EnrolledNodes
from orvault.container.gap import signed_gap
from orvault.container.revocation import Reason, Revoked, issue_list
from orvault.container.segment import SegmentSigner, seal_content
from orvault.recording.fsck import FaultKind
from orvault.recording.gaps import GapStore
from orvault.recording.store import SegmentStore
from tests.unit.actors_support import Enrolled, case_key
from tests.unit.container_support import hospital
from tests.unit.fsck_support import COUNT, Recorded, make_recorded, named


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return make_recorded(tmp_path)


def test_segments_of_a_node_that_is_not_enrolled_are_named(recorded: Recorded) -> None:
    nobody = Enrolled(hospital()[0].certificate_der, ()).load()
    kinds = [kind for kind, _ in named(recorded.check(nodes=nobody))]
    assert kinds == [FaultKind.UNTRUSTED] * COUNT


@pytest.mark.parametrize(
    ("since_s", "gap_seen_s", "kinds"),
    [
        (10, 0, []),  # revoked when the server had seen all of it
        (10, 11, [FaultKind.GAP_RECORD]),  # a gap that came afterwards, whatever time it tells of
        (-3600, 0, [FaultKind.GAP_RECORD, *[FaultKind.UNTRUSTED] * COUNT]),
    ],
)
def test_what_a_revoked_node_sealed_is_named_unless_the_server_saw_it_before(
    recorded: Recorded, since_s: int, gap_seen_s: int, kinds: list[FaultKind]
) -> None:
    gap = recorded.gap()
    GapStore(recorded.site.node.root).write(gap)
    recorded.site.world.custody.record_gap(gap, "node-1")
    recorded.sql(f"UPDATE gaps SET recorded_us = {gap.to_us + gap_seen_s * US_PER_S}")
    faults = recorded.check(nodes=revoked(gap.to_us + since_s * US_PER_S)).faults
    assert sorted(fault.kind for fault in faults) == kinds, faults
    assert all("revoked" in fault.what for fault in faults)


def revoked(since_us: int) -> EnrolledNodes:
    """The node is enrolled, and its certificate revoked from this moment on."""
    root, _, node = hospital()
    entry = Revoked(node.certificate.serial_number, since_us, since_us, Reason.KEY_COMPROMISE)
    made = issue_list(root, [entry], 1, FakeClock(us=since_us))
    return Enrolled(root.certificate_der, (node.certificate_der,), (made,)).load()


def test_slots_that_name_keys_nobody_has_are_named(recorded: Recorded) -> None:
    kinds = [kind for kind, _ in named(recorded.check(keys={"0" * 64}))]
    assert kinds == [FaultKind.UNKNOWN_KEY] * COUNT
    assert named(recorded.check(keys=None)) == [], "where no key store is at hand nothing is said of keys"


def test_a_gap_that_no_enrolled_node_signed_is_named_and_not_told_to_the_ledger(recorded: Recorded) -> None:
    forged = signed_gap(recorded.gap(), hospital("Another")[2])
    GapStore(recorded.site.node.root).write(forged)
    for repair in (False, True):
        report = recorded.check(repair=repair)
        assert [fault.kind for fault in report.faults] == [FaultKind.GAP_RECORD], report.faults
    assert report.gaps_indexed == 0 and len(recorded.rows()) == COUNT


def test_a_changed_anchor_in_history_is_named(recorded: Recorded) -> None:
    with recorded.site.world.ledger.engine.begin() as connection:
        triggers = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'history'"
        )
        names = [row[0] for row in triggers]
        for name in names:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    recorded.sql("UPDATE history SET detail = REPLACE(detail, '\"sequence\":3', '\"sequence\":2')")
    assert [kind for kind, _ in named(recorded.check())] == [FaultKind.HISTORY]


def test_a_segment_that_was_made_anew_with_the_nodes_key_shows_against_the_anchor(recorded: Recorded) -> None:
    store, node = SegmentStore(recorded.site.node.root), recorded.site.node
    meta, previous = store.record(recorded._path(3)).header.meta, store.record(recorded._path(2)).digest
    last = recorded.file(3)
    for ending in (".slots", ".seg"):
        last.with_suffix(ending).unlink()
    content = seal_content(meta, b"another operation", case_key().public())
    store.write(SegmentSigner(node.identity).sign(content, previous))
    recorded.sql("DELETE FROM segments WHERE sequence = 3")
    kinds = [kind for kind, _ in named(recorded.check(keys=None))]
    assert kinds == [FaultKind.NOT_INDEXED, FaultKind.ANCHOR]
