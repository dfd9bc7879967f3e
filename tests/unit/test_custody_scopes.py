"""Scopes: what each covers, what lists are narrowed to, and that an account without any sees nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.clock import US_PER_S
from orvault.custody.access import AccessPolicy, Right, may
from orvault.custody.account import Account, Role
from orvault.custody.case import CasePlan
from orvault.custody.scope import EVERYTHING, SITE, Place, Reach, Scope, ScopeKind, check_scopes, reach_of
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD, World, make_world, sqlite_url

NOW = 1_800_000_000 * US_PER_S
DEPARTMENTS = {"OR 1": "Surgery", "OR 2": "Surgery", "OR 3": "Dentistry"}
ROOM1, CAMERA1 = Scope(ScopeKind.ROOM, "OR 1"), Scope(ScopeKind.CAMERA, "or1-wall")

names = st.sampled_from(["OR 1", "OR 2", "OR 3", "OR 9", "Surgery", "Dentistry", "or1-wall", "or2-wall", ""])
times = st.one_of(st.none(), st.integers(NOW - 2, NOW + 2))
scopes = st.builds(Scope, st.sampled_from(ScopeKind), names, times, times)


@given(
    st.lists(scopes, max_size=4),
    st.sampled_from(["OR 1", "OR 2", "OR 3", "OR 9"]),
    st.sampled_from(["", "or1-wall"]),
)
def test_lists_reach_exactly_what_single_objects_do(held: list[Scope], room: str, camera: str) -> None:
    place = Place(NOW, room, camera, DEPARTMENTS.get(room, ""))
    reach = reach_of(held, NOW, DEPARTMENTS)
    listed = reach.site or room in reach.rooms or camera in reach.cameras
    assert listed == any(scope.covers(place) for scope in held)


def test_a_scope_covers_what_lies_within_it() -> None:
    room, camera = Place(NOW, "OR 1", "", "Surgery"), Place(NOW, "OR 1", "or1-wall", "Surgery")
    assert SITE.covers(Place(NOW)) and SITE.covers(room) and SITE.covers(camera)
    assert ROOM1.covers(room) and ROOM1.covers(camera) and not ROOM1.covers(Place(NOW))
    assert CAMERA1.covers(camera) and not CAMERA1.covers(room)
    surgery = Scope(ScopeKind.DEPARTMENT, "Surgery")
    assert surgery.covers(camera) and not surgery.covers(Place(NOW, "OR 1"))
    nameless = Scope(ScopeKind.DEPARTMENT, "")
    assert not nameless.covers(Place(NOW, "OR 9"))


@pytest.mark.parametrize(
    ("at_us", "holds"), [(NOW - 1, False), (NOW, True), (NOW + 9, True), (NOW + 10, False)]
)
def test_a_scope_counts_in_its_time_alone(at_us: int, holds: bool) -> None:
    scope = Scope(ScopeKind.ROOM, "OR 1", NOW, NOW + 10)
    assert scope.covers(Place(at_us, "OR 1")) is holds
    assert reach_of([scope], at_us, {}).nothing is not holds


@pytest.mark.parametrize("role", Role)
def test_without_scopes_no_role_has_any_right_anywhere(role: Role) -> None:
    account = Account("a", "name", "Name", role, "phc", 0, "console")
    assert not any(may(account, right, place=Place(NOW, "OR 1", "or1-wall")).allowed for right in Right)
    assert not any(may(account, right, place=Place(NOW)).allowed for right in Right)
    has_site = replace(account, scopes=(SITE,))
    assert any(may(has_site, right, place=Place(NOW, "OR 1")).allowed for right in Right)


@pytest.mark.parametrize(
    "wrong",
    [
        [Scope(ScopeKind.SITE, "all")],
        [Scope(ScopeKind.ROOM, " ")],
        [Scope(ScopeKind.ROOM, "OR 1", 5, 5)],
        [ROOM1] * 51,
    ],
)
def test_scopes_that_mean_nothing_are_refused(wrong: Sequence[Scope]) -> None:
    with pytest.raises(OrvaultError) as caught:
        check_scopes(wrong)
    assert caught.value.kind is ErrorKind.BAD_REQUEST


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(sqlite_url(tmp_path))
    made.custody._access = AccessPolicy(departments=DEPARTMENTS)
    return made


def reached(world: World, name: str, *held: Scope, role: Role = Role.RECORDS_MANAGER) -> Account:
    return world.account(role, name, held)


def test_scopes_are_kept_changed_and_told_to_history(world: World) -> None:
    admin = world.accounts[Role.SYSTEM_ADMINISTRATOR]
    made = world.custody.create_account(
        admin, "new.one", "New", Role.AUDITOR, PASSWORD, [CAMERA1, replace(ROOM1, until_us=NOW), ROOM1]
    )
    assert world.custody.account_named("new.one") == made
    changed = world.custody.set_scopes(admin, made.account_id, [Scope(ScopeKind.DEPARTMENT, "Surgery")])
    assert world.custody.account_named("new.one").scopes == changed.scopes
    entry = world.custody.history(world.accounts[Role.AUDITOR], act="account-scoped")[0]
    assert "department Surgery" in entry.detail and "room OR 1" in entry.detail
    size = world.custody.check_ledger()
    world.custody.set_scopes(admin, made.account_id, changed.scopes)
    assert world.custody.check_ledger() == size


@pytest.mark.parametrize(
    "unknown", [Scope(ScopeKind.ROOM, "OR 7"), Scope(ScopeKind.CAMERA, "x"), Scope(ScopeKind.DEPARTMENT, "X")]
)
def test_a_misspelt_scope_is_refused_with_what_there_is(world: World, unknown: Scope) -> None:
    with pytest.raises(OrvaultError) as caught:
        reached(world, "kim.jiwon", unknown)
    assert caught.value.kind is ErrorKind.BAD_REQUEST and "Known here" in caught.value.advice


def test_lists_hold_what_is_in_reach_and_a_page_is_full_of_it(world: World) -> None:
    here = world.recorded_case(2, "in OR 1").case_id
    plan = CasePlan("elsewhere", "OR 2", world.clock.now_us(), "Form 1", ())
    for number in range(3):  # newer than the one in reach: a page of one that was cut first would hold none
        world.custody.plan_case(world.manager, replace(plan, number=f"elsewhere-{number}"))
    one, none = reached(world, "one", ROOM1), reached(world, "none")
    custody = world.custody
    assert [case.case_id for case in custody.cases(one, limit=1)] == [here]
    assert len(custody.cases(world.manager)) == 4
    assert {run.camera_id for run in custody.recordings(one)} == {"or1-wall", "or1-lamp"}
    camera = reached(world, "camera", CAMERA1)
    assert {run.camera_id for run in custody.recordings(camera)} == {"or1-wall"}
    assert {view.info.camera_id for view in custody.cameras(camera)} == {"or1-wall"}
    assert [view.room for view in custody.room_states(one)] == ["OR 1"]
    assert (custody.cases(camera), custody.room_states(camera)) == ([], ())
    for listed in (custody.cases, custody.recordings, custody.cameras, custody.masks, custody.exports):
        assert list(listed(none)) == []  # type: ignore[operator]
    assert (custody.room_states(none), custody.pending_reasons(none)) == ((), [])


def test_exports_are_listed_and_shown_within_reach(world: World) -> None:
    case = world.recorded_case(2)
    request = world.custody.submit_export(world.manager, world.wish(case))
    officer = Role.PRIVACY_OFFICER
    here = reached(world, "here", Scope(ScopeKind.DEPARTMENT, "Surgery"), role=officer)
    there = reached(world, "there", Scope(ScopeKind.DEPARTMENT, "Dentistry"), role=officer)
    assert [one.request_id for one in world.custody.exports(here)] == [request.request_id]
    assert world.custody.exports(there) == []
    for act in (world.custody.export, world.custody.approve_export):
        with pytest.raises(OrvaultError) as caught:
            act(there, request.request_id)
        assert caught.value.kind is ErrorKind.NOT_FOUND
    assert world.custody.approve_export(here, request.request_id).decided_by == here.account_id


def test_the_quick_mask_is_switched_within_reach(world: World) -> None:
    staff = reached(world, "staff", ROOM1, role=Role.CLINICAL_STAFF)
    lifted = world.custody.lift_mask(staff, None, 5, "look")
    assert {state.camera.camera_id for state in lifted} == {"or1-wall", "or1-lamp"}
    states = {s.camera.camera_id: s.lifted_until_us is not None for s in world.custody.masks(world.officer)}
    assert states == {"or1-wall": True, "or1-lamp": True, "or2-wall": False}
    with pytest.raises(OrvaultError) as caught:
        world.custody.lift_mask(staff, "or2-wall", 5, "look")
    assert caught.value.kind is ErrorKind.NOT_FOUND
    world.custody.lift_mask(world.officer, None, 5, "all")
    world.custody.set_mask(staff)
    states = {s.camera.camera_id: s.lifted_until_us is not None for s in world.custody.masks(world.officer)}
    assert states == {"or1-wall": False, "or1-lamp": False, "or2-wall": True}


def test_a_view_ends_with_the_scope_that_it_needs(world: World) -> None:
    staff = reached(world, "staff", ROOM1, role=Role.CLINICAL_STAFF)
    view = world.custody.ask_live(staff, "s-1", "or1-wall").view
    assert world.custody.views_now([view.view_id])[view.view_id].allowed
    world.custody.set_scopes(None, staff.account_id, [Scope(ScopeKind.ROOM, "OR 2")])
    assert not world.custody.views_now([view.view_id])[view.view_id].allowed


def test_history_and_accounts_take_the_whole_site(world: World) -> None:
    auditor = reached(world, "auditor.one", ROOM1, role=Role.AUDITOR)
    admin = reached(world, "admin.one", ROOM1, role=Role.SYSTEM_ADMINISTRATOR)
    for act in (lambda: world.custody.history(auditor), lambda: world.custody.accounts(admin)):
        with pytest.raises(OrvaultError) as caught:
            act()
        assert caught.value.kind is ErrorKind.FORBIDDEN and "whole site" in caught.value.message


def test_reach_of_everything_is_not_narrowed() -> None:
    assert reach_of([ROOM1, SITE], NOW, {}) is EVERYTHING
    assert Reach().nothing and not EVERYTHING.nothing


def test_a_stored_view_tells_nothing_of_cases_and_cameras_out_of_reach(world: World) -> None:
    here, now = world.recorded_case(2, "in OR 1"), world.clock.now_us()
    plan = CasePlan("elsewhere", "OR 2", now, "Form 1", ())
    there = world.custody.plan_case(world.manager, plan)
    camera, room = reached(world, "camera", CAMERA1), reached(world, "room", ROOM1)

    def said(by: Account, case_id: str, camera_id: str) -> tuple[ErrorKind, str]:
        with pytest.raises(OrvaultError) as caught:
            world.custody.ask_stored(by, "s-1", case_id, camera_id, now - 1, now + 10**9)
        return caught.value.kind, str(caught.value).replace(case_id, "ID")

    absent = said(camera, "no-such-case", "or1-wall")
    assert absent[0] is ErrorKind.NOT_FOUND
    assert said(camera, there.case_id, "or1-wall") == absent
    assert said(camera, here.case_id, "or1-lamp") == absent
    assert said(room, here.case_id, "or2-wall") == said(room, here.case_id, "no-such-camera") == absent
    after = now + 10**8  # in reach, and nothing was recorded then
    with pytest.raises(OrvaultError) as caught:
        world.custody.ask_stored(room, "s-1", here.case_id, "or1-wall", after, after + 1)
    assert caught.value.kind is ErrorKind.EMPTY_RANGE
