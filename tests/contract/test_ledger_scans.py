"""Scans and choices in both databases: kept whole, read back as they were, and not without their request."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from orvault.custody.choice import DrawnKey, DrawnRegion
from orvault.custody.request import ExportRequest
from orvault.custody.scan import MAX_TRACKS, CameraScan, FoundTrack, ScanState
from tests.fakes import World


def _scanned(world: World, tracks: int) -> tuple[ExportRequest, CameraScan]:
    draft = world.custody.draft_export(world.manager, world.wish(world.recorded_case()))
    world.custody.order_scan(world.manager, draft.request_id)
    job = world.custody.claim_scan()
    assert job is not None
    found = tuple(
        FoundTrack(f"{n}.1", n, "cell phone", n, n + 1, n % 2 == 0, n, (0, 1, 999_999, 1_000_000))
        for n in range(tracks)
    )
    camera = CameraScan("or1-wall", "0123456789abcdef" * 4, found, 7)
    world.custody.finish_scan(job.scan.scan_id, job.epoch, [camera])
    return draft, camera


def test_the_longest_list_of_tracks_comes_back_as_it_was(world: World) -> None:
    draft, camera = _scanned(world, MAX_TRACKS)
    scan = world.custody.scan(world.officer, draft.request_id)
    assert scan.cameras == (camera,) and scan.state is ScanState.DONE
    with world.ledger.uow(read_only=True) as uow:
        assert uow.scans.get(scan.scan_id) == scan and uow.scans.count(draft.request_id) == 1
        assert uow.scans.waiting(world.clock.us) == [] and uow.scans.get("0" * 36) is None


def test_a_choice_comes_back_as_it_was_and_goes_with_a_change_of_the_draft(world: World) -> None:
    draft, camera = _scanned(world, 10)
    scan = world.custody.scan(world.manager, draft.request_id)
    keys = tuple(DrawnKey(draft.wish.from_us + n, (n, 0, 500_000 + n, 1_000_000)) for n in range(900))
    drawn = [DrawnRegion("or1-wall", "화면 1", keys)]
    chosen = world.custody.choose_masking(
        world.manager, draft.request_id, scan.scan_id, [("or1-wall", "4.1"), ("or1-wall", "2.1")], drawn
    )
    read = world.custody.export(world.manager, draft.request_id)
    choice = read.wish.redaction.choice
    assert choice is not None and choice == chosen.wish.redaction.choice
    assert choice.clear_of("or1-wall") == ("2.1", "4.1") and choice.drawn_of("or1-wall") == tuple(drawn)
    assert choice.digest_of("or1-wall") == camera.digest
    world.custody.submit_draft(world.manager, draft.request_id)
    assert world.custody.export(world.manager, draft.request_id).wish.redaction.choice == choice


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE scans SET state = 'begun'", "ck_scans_state"),
        ("UPDATE scans SET found = NULL", "ck_scans_done_has_found"),
        ("DELETE FROM requests", "(?i)foreign key"),
    ],
)
def test_constraints_stand_in_the_schema(world: World, statement: str, constraint: str) -> None:
    _scanned(world, 1)
    with pytest.raises(DBAPIError, match=constraint), world.ledger.engine.connect() as connection:
        connection.execute(text(statement))
        connection.commit()
