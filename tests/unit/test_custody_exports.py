"""Export requests in custody: four eyes, workers that die, fences, grants for keys, and expiry."""

from __future__ import annotations

import pytest

from orvault.clock import US_PER_S
from orvault.custody.account import Account, Role
from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.request import RequestState
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import NOTHING_LEFT, World
from tests.refusals import raises


def _state(world: World, request_id: str) -> RequestState:
    return world.custody.export(world.manager, request_id).state


@pytest.mark.parametrize("role", [Role.SYSTEM_ADMINISTRATOR, Role.CLINICAL_STAFF, Role.AUDITOR])
def test_only_those_whose_role_says_so_submit_or_decide(world: World, role: Role) -> None:
    account: Account = world.accounts[role]
    wish = world.wish(world.recorded_case())
    with raises(ErrorKind.FORBIDDEN):
        world.custody.submit_export(account, wish)
    request = world.custody.submit_export(world.manager, wish)
    for decide in (
        lambda: world.custody.approve_export(account, request.request_id),
        lambda: world.custody.refuse_export(account, request.request_id, "no"),
    ):
        with raises(ErrorKind.FORBIDDEN):
            decide()
    assert _state(world, request.request_id) is RequestState.SATISFIED


def test_failed_submit_leaves_nothing(world: World) -> None:
    case = world.recorded_case()
    before = world.custody.check_ledger()
    with raises(ErrorKind.BASIS_MISSING):
        world.custody.submit_export(world.manager, world.wish(case, basis=LegalBasis(BasisKind.COURT)))
    with raises(ErrorKind.EMPTY_RANGE):
        world.custody.submit_export(world.manager, world.wish(case, from_us=1, to_us=2))
    with raises(ErrorKind.NOT_FOUND):
        world.custody.submit_export(world.manager, world.wish(case, case_id="unknown"))
    with raises(ErrorKind.EMPTY_RANGE):  # a camera of another room: it recorded nothing under this case
        world.custody.submit_export(world.manager, world.wish(case, camera_ids=("or1-wall", "or2-wall")))
    assert world.custody.exports(world.manager) == [] and world.custody.check_ledger() == before


def test_own_request_is_never_approved_by_its_requester(world: World) -> None:
    case = world.recorded_case()
    for account in (world.manager, world.officer):
        request = world.custody.submit_export(account, world.wish(case))
        with raises(ErrorKind.SELF_APPROVAL):
            world.custody.approve_export(account, request.request_id)


def test_nothing_is_claimed_before_it_is_approved(world: World) -> None:
    request = world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    assert world.custody.claim_render() is None
    world.custody.approve_export(world.officer, request.request_id)
    assert world.renderers.woken == 1
    assert world.claimed().request.request_id == request.request_id


def test_oldest_approval_comes_first(world: World) -> None:
    case = world.recorded_case()
    made = [world.custody.submit_export(world.manager, world.wish(case)) for _ in range(3)]
    for request in (made[1], made[2], made[0]):
        world.clock.us += US_PER_S
        world.custody.approve_export(world.officer, request.request_id)
    claimed = []
    for _ in made:
        job = world.claimed()
        claimed.append(job.request.request_id)
        world.custody.fail_render(job.request.request_id, job.epoch, "no")
    assert claimed == [made[1].request_id, made[2].request_id, made[0].request_id]


def test_restarted_worker_gets_its_job_back_and_the_old_one_is_fenced(world: World) -> None:
    request = world.approved(world.recorded_case())
    old, new = world.claimed(), world.claimed()
    assert (old.epoch, new.epoch) == (1, 2) and old.tracks == new.tracks
    request_id = request.request_id
    for call in (
        lambda: world.custody.render_progress(request_id, old.epoch, "masking", 1, 2),
        lambda: world.custody.finish_render(
            request_id, old.epoch, "old.orvpkg", 1, "0" * 64, second_look=NOTHING_LEFT
        ),
        lambda: world.custody.fail_render(request_id, old.epoch, "no"),
    ):
        with raises(ErrorKind.CONFLICT):
            call()
    world.custody.finish_render(request_id, new.epoch, "new.orvpkg", 1, "1" * 64, second_look=NOTHING_LEFT)
    package = world.custody.export(world.manager, request_id).package
    assert package is not None and package.path == "new.orvpkg"


def test_other_worker_takes_over_only_after_silence(world: World) -> None:
    request = world.approved(world.recorded_case())
    job = world.claimed("one")
    world.clock.us += 119 * US_PER_S
    assert world.custody.claim_render("two") is None
    world.custody.render_progress(request.request_id, job.epoch, "masking", 1, 2)
    world.clock.us += 119 * US_PER_S
    assert world.custody.claim_render("two") is None
    world.clock.us += US_PER_S
    assert world.claimed("two").epoch == 2


def test_request_that_kills_its_workers_fails(world: World) -> None:
    request = world.approved(world.recorded_case())
    for _ in range(3):
        world.claimed()
    assert world.custody.claim_render() is None
    failed = world.custody.export(world.manager, request.request_id)
    assert failed.state is RequestState.FAILED and "3 workers" in (failed.failure or "")


@pytest.mark.parametrize("path", ["/etc/passwd", "../p", "a/../../p", "", "a\\p"])
def test_package_path_outside_the_folder_is_refused(world: World, path: str) -> None:
    request = world.approved(world.recorded_case())
    job = world.claimed()
    with raises(ErrorKind.BAD_REQUEST):
        world.custody.finish_render(
            request.request_id, job.epoch, path, 1, "0" * 64, second_look=NOTHING_LEFT
        )


def test_keys_are_opened_only_for_what_the_request_covers(world: World) -> None:
    first, second = world.recorded_case(number="N-1"), world.recorded_case(number="N-2")
    request = world.approved(first)
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_key_opening(request.request_id, ["any"])
    job = world.claimed()
    ids = [segment.header.meta.segment_id for segment in job.tracks[0].segments]
    other = world.approved(second)
    foreign = world.claimed("other-worker")
    assert foreign.request.request_id == other.request_id
    theirs = foreign.tracks[0].segments[0].header.meta.segment_id
    before = world.acts().count("keys-opened")
    for wrong in ([*ids, theirs], ["unknown"], [], ids * 9000):
        with pytest.raises(OrvaultError):
            world.custody.log_key_opening(request.request_id, wrong)
    assert world.acts().count("keys-opened") == before
    world.custody.log_key_opening(request.request_id, ids)
    (entry,) = world.custody.history(world.officer, act="keys-opened")
    assert all(segment_id in entry.detail for segment_id in ids)
    world.custody.fail_render(request.request_id, job.epoch, "no")
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_key_opening(request.request_id, ids)


def test_job_covers_only_the_period_asked_for(world: World) -> None:
    case = world.recorded_case(5)
    assert case.armed_us is not None
    wish = world.wish(case, from_us=case.armed_us + 3 * US_PER_S, to_us=case.armed_us + 6 * US_PER_S)
    request = world.custody.submit_export(world.manager, wish)
    world.custody.approve_export(world.officer, request.request_id)
    (track,) = world.claimed().tracks
    assert [segment.header.meta.sequence for segment in track.segments] == [1, 2]
    (run_id,) = {segment.header.meta.run_id for segment in track.segments}
    for sequence in (0, 3):  # the same run and case, outside the period: no key
        with raises(ErrorKind.GRANT_MISSING):
            world.custody.log_key_opening(request.request_id, [f"{run_id}-{sequence:06d}"])
    world.custody.log_key_opening(request.request_id, [f"{run_id}-{n:06d}" for n in (1, 2)])


def test_validity_ends_what_is_waiting_running_or_ready(world: World) -> None:
    case = world.recorded_case()
    ready = world.ready(case)
    running = world.approved(case)
    job = world.claimed()
    waiting = world.custody.submit_export(world.manager, world.wish(case))
    world.clock.us = ready.validity.until_us
    with raises(ErrorKind.EXPIRED):
        world.custody.issue_link(world.manager, ready.request_id)
    assert world.custody.claim_render() is None
    for request in (ready, running, waiting):
        assert _state(world, request.request_id) is RequestState.EXPIRED
    with raises(ErrorKind.CONFLICT):
        world.custody.finish_render(running.request_id, job.epoch, "p", 1, "0" * 64, second_look=NOTHING_LEFT)
    with raises(ErrorKind.CONFLICT):
        world.custody.approve_export(world.officer, waiting.request_id)
    assert world.acts().count("export-expired") == 3 and world.custody.expire_due() == 0


def test_link_belongs_to_its_package_and_is_counted_once(world: World) -> None:
    case = world.recorded_case()
    first, second = world.ready(case, "1"), world.ready(case, "2")
    link, package = world.custody.issue_link(world.manager, first.request_id)
    assert second.package_id is not None
    for package_id, link_id in ((second.package_id, link.link_id), (package.package_id, "unknown")):
        with raises(ErrorKind.LINK_EXPIRED):
            world.custody.open_download(package_id, link_id)
    for _ in range(3):
        assert world.custody.open_download(package.package_id, link.link_id, "192.0.2.1") == package
    (entry,) = world.custody.history(world.officer, act="downloaded")
    assert entry.actor == world.manager.actor and package.sha256 in entry.detail
    world.clock.us = link.expires_us
    with raises(ErrorKind.LINK_EXPIRED):
        world.custody.open_download(package.package_id, link.link_id)
