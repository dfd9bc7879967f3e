"""An export over runs that lost their end, were swapped, or were forged with a stolen node's key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors.index import IndexActor
from orvault.clock import US_PER_S, FakeClock
from orvault.container.certificates import CertificateRole
from orvault.container.gap import Gap, signed_gap
from orvault.container.revocation import Reason, RevocationList, Revoked, issue_list
from orvault.container.segment import SegmentMeta
from orvault.container.trust import Identity, issue
from orvault.custody.case import Case
from orvault.custody.recorded import StoredSegment
from orvault.custody.request import ExportRequest, RequestState
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.records import SegmentRecord
from orvault.recording.store import SegmentStore
from tests.unit.actors_support import START_US, Enrolled, Site, fragments, make_site
from tests.unit.container_support import hospital, seal_segment

ROOT, _, NODE = hospital()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


def sql(site: Site, statement: str) -> None:
    with site.world.ledger.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def rows(site: Site, case: Case) -> list[Any]:
    with site.world.ledger.uow(read_only=True) as uow:
        return list(uow.segments.of(case.case_id, "or1-wall", 0, 1 << 60))


def ended(site: Site, request: ExportRequest) -> ExportRequest:
    site.worker().work_off()
    return site.request(request.request_id)


def failed(site: Site, request: ExportRequest, words: str, *, keys_opened: bool = False) -> None:
    now = ended(site, request)
    assert now.state is RequestState.FAILED and words in (now.failure or ""), now.failure
    assert list(site.packages.iterdir()) == []
    assert ("keys-opened" in site.world.acts()) == keys_opened


def remove(site: Site, case: Case, number: int) -> None:
    """From the disk and from the ledger."""
    site.segment(case, number).unlink()
    sql(site, f"DELETE FROM segments WHERE case_id = '{case.case_id}' AND sequence = {number}")


def forge(site: Site, case: Case, meta: SegmentMeta, previous: str) -> SegmentRecord:
    """What a thief of the node's key and disk puts there: another film, signed like the others."""
    assert case.case_key is not None
    sealed = seal_segment(NODE, meta, fragments()[1].data, case.case_key, previous)
    run = site.node.root / case.case_id / meta.camera_id / meta.run_id
    for there in run.glob(f"{meta.sequence:06d}.s*"):
        there.unlink()
    return SegmentStore(site.node.root).write(sealed)


def put_row(site: Site, record: SegmentRecord) -> None:
    """Written over by someone who can write to the database."""
    sql(site, f"DELETE FROM segments WHERE id = '{record.header.meta.segment_id}'")
    with site.world.ledger.uow() as uow:
        uow.segments.add(record, START_US)
        uow.commit()


def revoked(since_us: int) -> RevocationList:
    entry = Revoked(NODE.certificate.serial_number, since_us, since_us, Reason.KEY_COMPROMISE)
    return issue_list(ROOT, [entry], 1, FakeClock(us=since_us))


def with_list(site: Site, since_us: int) -> None:
    nodes = Enrolled(ROOT.certificate_der, (NODE.certificate_der,), (revoked(since_us),))
    site.tools = replace(site.tools, nodes=nodes)


def test_a_run_whose_end_was_removed_from_disk_and_ledger_is_cut_off(site: Site) -> None:
    case = site.record(count=3)
    request = site.approved(case)
    remove(site, case, 2)
    failed(site, request, "The run was cut off: segment 2 is missing after 2027-01-15 08:00:0")


def test_the_part_before_it_can_still_be_had(site: Site) -> None:
    case = site.record(count=3)
    to_us = rows(site, case)[1].header.meta.end_us
    request = site.approved(case, to_us=to_us)
    remove(site, case, 2)
    assert ended(site, request).state is RequestState.READY


def test_a_camera_of_which_nothing_is_left_ends_the_request(site: Site) -> None:
    case = site.record(cameras=(("or1-wall", "or1-ceiling"), ("or1-lamp", "or1-wall")), count=2)
    request = site.approved(case, camera_ids=("or1-lamp", "or1-wall"))
    sql(site, "DELETE FROM segments WHERE camera_id = 'or1-wall'")
    failed(site, request, "segments 0 to 1 are missing")


def test_a_segment_that_is_indexed_and_gone_from_the_disk_is_told_with_its_place(site: Site) -> None:
    case = site.record(count=2)
    request = site.approved(case)
    site.segment(case, 1).unlink()
    failed(site, request, "not on this node's disk", keys_opened=True)
    failure = site.request(request.request_id).failure or ""
    assert "Segment 1 of run" in failure  # the place itself is for the log, not for who asked


def test_a_segment_in_the_middle_that_was_swapped_is_found(site: Site) -> None:
    case = site.record(count=3)
    request = site.approved(case)
    first, second, _ = rows(site, case)
    put_row(site, forge(site, case, second.header.meta, first.digest))
    failed(site, request, "does not follow")


def test_a_thief_who_forges_everything_after_it_too_meets_the_anchor(site: Site) -> None:
    case = site.record(count=3)
    request = site.approved(case)
    first, second, third = rows(site, case)
    forged = forge(site, case, second.header.meta, first.digest)
    put_row(site, forged)
    put_row(site, forge(site, case, third.header.meta, forged.digest))
    failed(site, request, "not the one that was anchored")


def backdated(site: Site, case: Case) -> SegmentRecord:
    """One more segment of the run, sealed by the thief, with a time of long before the theft."""
    last = rows(site, case)[-1]
    return forge(site, case, next_meta(last), last.digest)


def next_meta(last: StoredSegment) -> SegmentMeta:
    """What the segment after this one says of itself."""
    meta = last.header.meta
    return replace(
        meta,
        segment_id=meta.segment_id[:-1] + "9",
        sequence=meta.sequence + 1,
        start_us=meta.end_us,
        end_us=meta.end_us + 2 * US_PER_S,
    )


def test_a_revoked_nodes_backdated_segment_is_not_indexed_and_stays_on_the_disk(site: Site) -> None:
    case = site.record(count=2)
    with_list(site, START_US + 30 * US_PER_S)
    record = backdated(site, case)
    index = IndexActor(
        lambda: site.world.custody, site.world.custody.known_cameras(), site.tools.nodes, 3600.0
    )
    for _ in range(2):  # a node offers it again at every start
        index.index([record])
    assert len(rows(site, case)) == 2
    assert (site.node.root / record.path).exists()
    assert site.world.acts().count("segments-refused") == 1
    assert ended(site, site.approved(case)).state is RequestState.READY


def test_one_nodes_key_puts_nothing_into_a_run_of_another_nodes_camera(site: Site, stolen: Identity) -> None:
    case = site.record(count=2)
    last = rows(site, case)[-1]
    meta = replace(next_meta(last), node_id="node-2")
    assert case.case_key is not None
    sealed = seal_segment(stolen, meta, fragments()[1].data, case.case_key, last.digest)
    record = SegmentStore(site.folder / "node-2").write(sealed)
    index = IndexActor(
        lambda: site.world.custody, site.world.custody.known_cameras(), site.tools.nodes, 3600.0
    )
    assert index.index([record]).refused == {meta.segment_id}
    assert len(rows(site, case)) == 2
    assert site.world.acts().count("segments-refused") == 1


@pytest.fixture
def stolen(site: Site) -> Identity:
    """The key of node-2, which is enrolled, and none of the cameras here are of it."""
    identity = issue(ROOT, "node-2", CertificateRole.NODE, FakeClock(us=START_US - US_PER_S), 30)
    certificates = (NODE.certificate_der, identity.certificate_der)
    site.tools = replace(site.tools, nodes=Enrolled(ROOT.certificate_der, certificates))
    return identity


def moved(site: Site) -> IndexActor:
    """The index after the camera was given to node-2."""
    cameras = [
        replace(camera, node_id="node-2") if camera.camera_id == "or1-wall" else camera
        for camera in site.world.custody.known_cameras()
    ]
    return IndexActor(lambda: site.world.custody, cameras, site.tools.nodes, 3600.0)


def excuse(case: Case, run_id: str) -> Gap:
    return Gap("or1-wall", case.case_id, run_id, START_US + US_PER_S, START_US + 2 * US_PER_S, "away")


def gaps(site: Site, case: Case) -> int:
    with site.world.ledger.uow(read_only=True) as uow:
        return len(uow.gaps.of(case.case_id, "or1-wall", 0, 1 << 60))


def test_a_row_of_another_nodes_segment_that_came_past_the_index_ends_the_export(
    site: Site, stolen: Identity
) -> None:
    case = site.record(count=2)
    last = rows(site, case)[-1]
    for end in "89":
        name = last.header.meta.segment_id[:-1] + end
        meta = replace(next_meta(last), node_id="node-2", segment_id=name)
        assert case.case_key is not None
        sealed = seal_segment(stolen, meta, fragments()[1].data, case.case_key, last.digest)
        put_row(site, SegmentStore(site.folder / "node-2").write(sealed))
        last = rows(site, case)[-1]
    site.world.custody.anchor_moved_runs()
    failed(site, site.approved(case), "Segment 2 says that node 'node-2' recorded it")
    only = site.approved(case, from_us=last.header.meta.start_us, to_us=last.header.meta.end_us)
    failed(site, only, "Segment 3 says that node 'node-2' recorded it")


def test_one_nodes_key_excuses_nothing_in_a_run_of_another_nodes_camera(site: Site, stolen: Identity) -> None:
    case = site.record(count=2)
    run_id = rows(site, case)[0].header.meta.run_id
    index = IndexActor(
        lambda: site.world.custody, site.world.custody.known_cameras(), site.tools.nodes, 3600.0
    )
    forged = signed_gap(excuse(case, run_id), stolen)
    with pytest.raises(OrvaultError, match="node 'node-2' says that it recorded it") as refused:
        index.gap(forged)
    assert refused.value.kind is ErrorKind.UNTRUSTED
    assert gaps(site, case) == 0 and site.world.acts().count("gaps-refused") == 1
    with site.world.ledger.uow() as uow:  # past the index
        uow.gaps.add(forged, START_US)
        uow.commit()
    failed(site, site.approved(case), "gap of camera or1-wall")


def test_a_gap_of_a_camera_that_moved_is_its_earlier_nodes_word(site: Site) -> None:
    case = site.record(count=2)
    run_id = rows(site, case)[0].header.meta.run_id
    moved(site).gap(signed_gap(excuse(case, run_id), NODE))
    assert gaps(site, case) == 1
    assert ended(site, site.approved(case)).state is RequestState.READY


def test_what_a_node_delivers_late_of_a_camera_that_moved_is_its_own(site: Site) -> None:
    case = site.record(count=2)
    record = forge(site, case, next_meta(rows(site, case)[-1]), rows(site, case)[-1].digest)
    assert not moved(site).index([record]).refused
    assert len(rows(site, case)) == 3


def test_a_backdated_segment_that_came_before_the_list_is_refused_at_export(site: Site) -> None:
    case = site.record(count=2)
    IndexActor(
        lambda: site.world.custody, site.world.custody.known_cameras(), site.tools.nodes, 3600.0
    ).index([backdated(site, case)])
    assert len(rows(site, case)) == 3
    with_list(site, START_US + 30 * US_PER_S)
    request = site.approved(case)
    now = ended(site, request)
    assert now.state is RequestState.FAILED
    assert "the server first saw it on 2027-01-15T08:01:00" in (now.failure or "")
    assert "an administrator" in (now.failure or "")
    # what was seen before the theft stays good
    earlier = site.approved(case, to_us=rows(site, case)[1].header.meta.end_us)
    assert ended(site, earlier).state is RequestState.READY


def test_rows_made_anew_after_a_revocation_stand_on_what_was_anchored_before(site: Site) -> None:
    case = site.record(count=2)
    site.world.clock.us += 60 * US_PER_S
    sql(site, f"UPDATE segments SET indexed_us = {site.world.clock.us}")
    with_list(site, START_US + 90 * US_PER_S)
    assert ended(site, site.approved(case)).state is RequestState.READY
