"""Scans of drafts and the choice made from them: rights, bounds, workers that take turns, and what history says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.choice import MAX_CLEAR, MAX_KEYS, MAX_REGIONS, WHOLE, BoxMicro, DrawnKey, DrawnRegion
from orvault.custody.leases import LEASE_US
from orvault.custody.request import ExportRequest, RequestState, WishChange
from orvault.custody.scan import CameraScan, FoundTrack, Scan, ScanState
from orvault.custody.service import ScanJob
from orvault.custody.terms import Masking, Style
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import World
from tests.refusals import raises

BOX: BoxMicro = (100_000, 200_000, 300_000, 400_000)


def draft(world: World, **changes: object) -> ExportRequest:
    wish = world.wish(world.recorded_case(), **changes)
    return world.custody.draft_export(world.manager, wish)


def track(name: str, *, clearable: bool = True, kind: str = "person") -> FoundTrack:
    return FoundTrack(name, int(name.split(".")[0]), kind, 1, 2, clearable, 1, BOX)


FOUND = CameraScan(
    "or1-wall", "a" * 64, (track("1.1"), track("2", clearable=False, kind="lying"), track("3.1"))
)


def claimed(world: World) -> ScanJob:
    job = world.custody.claim_scan()
    assert job is not None
    return job


def scanned(world: World, request: ExportRequest) -> Scan:
    world.clock.us += 1
    world.custody.order_scan(world.manager, request.request_id)
    job = claimed(world)
    world.custody.finish_scan(job.scan.scan_id, job.epoch, [FOUND])
    return world.custody.scan(world.manager, request.request_id)


def region(world: World, *keys: int, box: BoxMicro = BOX, name: str = "screen") -> DrawnRegion:
    """Keys in seconds from the beginning of the footage."""
    start = world.clock.us // US_PER_S * US_PER_S - 10 * US_PER_S
    return DrawnRegion("or1-wall", name, tuple(DrawnKey(start + s * US_PER_S, box) for s in keys))


def last_detail(world: World, act: str) -> dict[str, object]:
    entries = world.custody.history(world.accounts[Role.AUDITOR], limit=200)
    detail = json.loads(next(each.detail for each in entries if each.act == act))
    assert isinstance(detail, dict)
    return detail


# --- ordering and working ---


def test_a_scan_is_ordered_carried_out_and_shown(world: World) -> None:
    request = draft(world)
    ordered = world.custody.order_scan(world.manager, request.request_id)
    assert ordered.state is ScanState.WAITING and world.renderers.woken == 1
    job = claimed(world)
    assert [t.camera.camera_id for t in job.tracks] == ["or1-wall"] and len(job.tracks[0].segments) == 5
    world.custody.scan_progress(job.scan.scan_id, job.epoch, "finding people", 2, 5)
    shown = world.custody.scan(world.officer, request.request_id)
    assert (shown.state, shown.progress.done) == (ScanState.SCANNING, 2)
    world.custody.finish_scan(job.scan.scan_id, job.epoch, [FOUND])
    done = world.custody.scan(world.manager, request.request_id)
    assert done.state is ScanState.DONE and done.cameras == (FOUND,)
    assert world.acts()[-3:] == ["scan-ordered", "scan-started", "scan-finished"]


def test_only_its_owner_has_a_draft_scanned_and_only_while_it_is_one(world: World) -> None:
    request = draft(world)
    for who in (world.officer, world.account(Role.RECORDS_MANAGER, "other")):
        with pytest.raises(OrvaultError):
            world.custody.order_scan(who, request.request_id)
    with raises(ErrorKind.NOT_FOUND):
        world.custody.scan(world.manager, request.request_id)
    world.custody.order_scan(world.manager, request.request_id)
    with raises(ErrorKind.CONFLICT, "under way"):
        world.custody.order_scan(world.manager, request.request_id)
    world.custody.submit_draft(world.manager, request.request_id)
    with raises(ErrorKind.CONFLICT):
        world.custody.order_scan(world.manager, request.request_id)
    assert world.custody.claim_scan() is None
    assert world.custody.scan(world.manager, request.request_id).failure == "The request is satisfied."


def test_where_there_is_nothing_to_choose_nothing_is_scanned(world: World) -> None:
    request = draft(world)
    world.custody.change_draft(
        world.manager, request.request_id, WishChange(masking=(Masking.PICTURE, Style.SOLID))
    )
    with raises(ErrorKind.BAD_REQUEST, "whole picture"):
        world.custody.order_scan(world.manager, request.request_id)
    world.custody.change_draft(
        world.manager,
        request.request_id,
        WishChange(masking=(Masking.HEAD, Style.SOLID), from_us=1, to_us=1_000_000),
    )
    with raises(ErrorKind.EMPTY_RANGE):
        world.custody.order_scan(world.manager, request.request_id)


def test_keys_are_opened_for_a_scan_that_is_under_way_and_history_says_what_for(world: World) -> None:
    request = draft(world)
    world.custody.order_scan(world.manager, request.request_id)
    with world.ledger.uow(read_only=True) as uow:
        segments = uow.segments.of(request.wish.case_id, "or1-wall", 0, 1 << 60)
    ids = [segment.header.meta.segment_id for segment in segments]
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_key_opening(request.request_id, ids)
    job = claimed(world)
    world.custody.log_key_opening(request.request_id, ids)
    detail = last_detail(world, "keys-opened")
    assert (detail["purpose"], detail["scan"]) == ("scan", job.scan.scan_id)
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_key_opening(request.request_id, ["somebody-elses-000001"])
    change = WishChange(from_us=request.wish.from_us + 1)
    world.custody.change_draft(world.manager, request.request_id, change)
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_key_opening(request.request_id, ids)
    world.custody.finish_scan(job.scan.scan_id, job.epoch, [FOUND])
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_key_opening(request.request_id, ids)


def test_a_replaced_worker_is_fenced_and_after_three_a_scan_fails(world: World) -> None:
    request = draft(world)
    world.custody.order_scan(world.manager, request.request_id)
    first = claimed(world)
    assert world.custody.claim_scan("another") is None
    world.clock.us += LEASE_US
    second = world.custody.claim_scan("another")
    assert second is not None and second.epoch == first.epoch + 1
    for late in (
        lambda: world.custody.scan_progress(first.scan.scan_id, first.epoch, "x", 1, 1),
        lambda: world.custody.finish_scan(first.scan.scan_id, first.epoch, [FOUND]),
        lambda: world.custody.fail_scan(first.scan.scan_id, first.epoch, "x"),
    ):
        with raises(ErrorKind.CONFLICT):
            late()
    assert world.custody.claim_scan("another") is not None
    assert world.custody.claim_scan("another") is None
    assert "3 workers ended" in (world.custody.scan(world.manager, request.request_id).failure or "")


def test_what_is_given_back_is_no_try_and_comes_later(world: World) -> None:
    request = draft(world)
    world.custody.order_scan(world.manager, request.request_id)
    for _ in range(5):
        job = claimed(world)
        world.custody.give_back_scan(job.scan.scan_id, job.epoch)
        assert world.custody.claim_scan() is None
        world.clock.us += 16 * 60 * US_PER_S
    assert claimed(world).scan.attempts == 1


def test_results_that_no_scan_finds_are_refused(world: World) -> None:
    request = draft(world)
    world.custody.order_scan(world.manager, request.request_id)
    job = claimed(world)
    for bad in (
        replace(FOUND, digest="x"),
        replace(FOUND, tracks=(track("1.1"), track("1.1"))),
        replace(FOUND, camera_id="or1-lamp"),
    ):
        with raises(ErrorKind.BAD_REQUEST):
            world.custody.finish_scan(job.scan.scan_id, job.epoch, [bad])


# --- choosing ---


def test_a_choice_is_kept_with_who_made_it_and_when_and_goes_with_the_submit(world: World) -> None:
    request = draft(world)
    scan = scanned(world, request)
    drawn = region(world, 1, 4)
    world.custody.choose_masking(
        world.manager, request.request_id, scan.scan_id, [("or1-wall", "1.1")], [drawn]
    )
    submitted = world.custody.submit_draft(world.manager, request.request_id)
    read = world.custody.export(world.officer, request.request_id)
    choice = read.wish.redaction.choice
    assert choice == submitted.wish.redaction.choice and choice is not None
    assert choice.clear_of("or1-wall") == ("1.1",) and choice.drawn_of("or1-wall") == (drawn,)
    assert (choice.chosen_by, choice.told.chosen_us) == (world.manager.account_id, world.clock.us)
    assert choice.digest_of("or1-wall") == FOUND.digest and read.wish.clear
    told = last_detail(world, "masking-chosen")
    assert told["by"] == world.manager.display_name and told["scan"] == scan.scan_id
    assert "1 tracks left clear, 1 regions drawn" in str(last_detail(world, "export-submitted")["masking"])
    # somebody can be recognised: it takes two who approve
    assert world.custody.approve_export(world.officer, request.request_id).state is RequestState.SATISFIED
    second = world.account(Role.PRIVACY_OFFICER, "second")
    assert world.custody.approve_export(second, request.request_id).state is RequestState.APPROVED


def test_without_a_choice_everybody_is_masked_and_a_choice_can_be_taken_back(world: World) -> None:
    request = draft(world)
    scan = scanned(world, request)
    assert request.wish.redaction.choice is None
    world.custody.choose_masking(world.manager, request.request_id, scan.scan_id, [("or1-wall", "3.1")])
    back = world.custody.choose_masking(world.manager, request.request_id)
    assert back.wish.redaction.choice is None and not back.wish.clear
    assert last_detail(world, "masking-chosen") == {"clear": [], "drawn": []}


@pytest.mark.parametrize(
    ("camera", "name", "words"),
    [
        ("or1-wall", "9.1", "no such track: 'or1-wall', '9.1'"),
        ("or1-lamp", "1.1", "no such track"),
        ("or1-wall", "2", "stays masked"),
        ("x" * 900, "y" * 900, "no such track"),
    ],
)
def test_tracks_that_are_unknown_or_stay_masked_are_refused_by_name(
    world: World, camera: str, name: str, words: str
) -> None:
    request = draft(world)
    scan = scanned(world, request)
    with raises(ErrorKind.BAD_REQUEST, words) as caught:
        world.custody.choose_masking(world.manager, request.request_id, scan.scan_id, [(camera, name)])
    assert len(str(caught.value)) < 300
    assert "masking-chosen" not in world.acts()


def test_a_choice_from_another_scan_or_for_other_footage_is_refused(world: World) -> None:
    request = draft(world)
    old = scanned(world, request)
    clear = [("or1-wall", "1.1")]
    with raises(ErrorKind.CONFLICT):
        world.custody.choose_masking(world.manager, request.request_id, None, clear)
    scan = scanned(world, request)
    with raises(ErrorKind.CONFLICT):
        world.custody.choose_masking(world.manager, request.request_id, old.scan_id, clear)
    for unknown in (old.scan_id, "no-such-scan", ""):
        with raises(ErrorKind.CONFLICT):
            world.custody.choose_masking(
                world.manager, request.request_id, unknown, (), [region(world, 1, 2)]
            )
    world.custody.choose_masking(world.manager, request.request_id, scan.scan_id, clear)
    mode = WishChange(masking=(Masking.BODY, Style.SOLID))
    changed = world.custody.change_draft(world.manager, request.request_id, mode)
    assert changed.wish.clear, "the choice stays, and is not taken as it is"
    with raises(ErrorKind.CONFLICT, "other footage"):
        world.custody.submit_draft(world.manager, request.request_id)
    with raises(ErrorKind.CONFLICT):
        world.custody.choose_masking(world.manager, request.request_id, scan.scan_id, clear)
    world.custody.choose_masking(world.manager, request.request_id)
    world.custody.submit_draft(world.manager, request.request_id)


def test_a_changed_watermark_leaves_the_choice(world: World) -> None:
    request = draft(world)
    world.custody.choose_masking(world.manager, request.request_id, drawn=[region(world, 1, 2)])
    other = replace(request.wish.redaction, watermark="other")
    changed = world.custody.change_draft(world.manager, request.request_id, WishChange(watermark=other))
    assert changed.wish.redaction.choice is not None and changed.wish.redaction.watermark == "other"


def test_drawn_regions_are_bounded(world: World) -> None:
    request = draft(world)
    many = tuple(range(10))
    for bad in (
        [region(world)],
        [region(world, 3, 3)],
        [region(world, 4, 2)],
        [region(world, -5, 2)],
        [region(world, 2, 500)],
        [region(world, 1, name=" ")],
        [region(world, 1, name="a\u202eb")],
        [region(world, 1, box=(0, 0, 0, 5))],
        [region(world, 1, box=(0, 5, WHOLE + 1, 9))],
        [region(world, 1, box=(-1, 5, 10, 9))],
        [region(world, 1)] * (MAX_REGIONS + 1),
        [region(world, *range(MAX_KEYS + 1))],
        [replace(region(world, *many), camera_id="or2-wall")],
    ):
        with raises(ErrorKind.BAD_REQUEST):
            world.custody.choose_masking(world.manager, request.request_id, drawn=bad)
    scan = scanned(world, request)
    names = [("or1-wall", f"{n}.1") for n in range(MAX_CLEAR + 1)]
    with raises(ErrorKind.BAD_REQUEST, f"At most {MAX_CLEAR}"):
        world.custody.choose_masking(world.manager, request.request_id, scan.scan_id, names)
    assert "masking-chosen" not in world.acts()


def test_nobody_else_chooses_and_nobody_after_the_submit(world: World) -> None:
    request = draft(world)
    with pytest.raises(OrvaultError):
        world.custody.choose_masking(world.officer, request.request_id, drawn=[region(world, 1)])
    world.custody.submit_draft(world.manager, request.request_id)
    with raises(ErrorKind.CONFLICT):
        world.custody.choose_masking(world.manager, request.request_id, drawn=[region(world, 1)])
