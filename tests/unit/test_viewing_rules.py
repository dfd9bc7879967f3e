"""Who sees what: the decision, the quick mask, what history is told, and what the key service asks."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from orvault.clock import US_PER_S
from orvault.custody.account import Account, Role
from orvault.custody.case import Case
from orvault.custody.desks.viewing import SeenSpan
from orvault.custody.scope import SITE, Place, Scope, ScopeKind
from orvault.custody.viewing import (
    EVERYWHERE,
    MINUTE_US,
    Circumstances,
    LiveRule,
    MaskAct,
    Showing,
    View,
    ViewingGrant,
    ViewKind,
    ViewPolicy,
    decide_view,
    lifted_until,
    shows_more,
)
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD, World

NOW = 1_800_000_000 * US_PER_S
CAMERA = "or1-wall"


def person(role: Role, **changes: object) -> Account:
    fields: dict[str, object] = {"disabled_us": None, "scopes": (SITE,)} | changes
    return Account("a-1", "kim", "Kim", role, "x", NOW, "console", **fields)  # type: ignore[arg-type]


def view(kind: ViewKind = ViewKind.LIVE, **changes: object) -> View:
    made = View("v-1", kind, "a-1", "s-1", CAMERA, Showing.CLEAR, "", NOW, NOW + 60 * MINUTE_US)
    if kind is ViewKind.STORED:
        made = replace(made, case_id="c-1", from_us=NOW - 2 * MINUTE_US, to_us=NOW - MINUTE_US)
    return replace(made, **changes)


def grant(kind: ViewKind = ViewKind.LIVE, **changes: object) -> ViewingGrant:
    made = ViewingGrant("g-1", "a-1", kind, "c-1", CAMERA, Showing.CLEAR, NOW, NOW + 20 * MINUTE_US)
    if kind is ViewKind.STORED:
        made = replace(made, footage_from_us=NOW - 2 * MINUTE_US, footage_to_us=NOW - MINUTE_US)
    return replace(made, **changes)


def lift(until_us: int = NOW + 5 * MINUTE_US, scope: str = EVERYWHERE, number: int = 1) -> MaskAct:
    return MaskAct(scope, number, until_us, NOW, "account:a-2", "look")


def mask(scope: str = EVERYWHERE, number: int = 2) -> MaskAct:
    return MaskAct(scope, number, None, NOW, "account:a-2", "")


def so(*grants: ViewingGrant, acts: tuple[MaskAct, ...] = (lift(),), **changes: object) -> Circumstances:
    place = Place(0, "OR 1", CAMERA, "Surgery")
    fields: dict[str, object] = {"in_operation": "c-1", "policy": ViewPolicy(), "place": place} | changes
    return Circumstances(acts, grants, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("role", "kind"), list(product(Role, ViewKind)))
def test_no_role_alone_sees_more_than_a_mosaic(role: Role, kind: ViewKind) -> None:
    found = decide_view(person(role), view(kind), so(), NOW)
    assert found.showing is Showing.MASKED
    assert found.allowed or kind is ViewKind.STORED


@pytest.mark.parametrize("kind", ViewKind)
def test_a_grant_opens_while_the_quick_mask_is_lifted(kind: ViewKind) -> None:
    found = decide_view(person(Role.PRIVACY_OFFICER), view(kind), so(grant(kind)), NOW)
    assert (found.showing, found.until_us) == (Showing.CLEAR, NOW + 5 * MINUTE_US)
    assert "g-1" in found.reason


@pytest.mark.parametrize("acts", [(), (mask(),), (lift(NOW),), (lift(), mask(CAMERA))])
def test_the_quick_mask_covers_what_a_grant_opens(acts: tuple[MaskAct, ...]) -> None:
    found = decide_view(person(Role.CLINICAL_STAFF), view(), so(grant(), acts=acts), NOW)
    assert found.allowed and found.showing is Showing.MASKED


def test_the_newest_act_that_covers_a_camera_counts_whatever_the_clock_says() -> None:
    earlier, later = lift(number=1), replace(mask(CAMERA, number=2), at_us=NOW - MINUTE_US)
    assert lifted_until([earlier, later], CAMERA, NOW) is None
    assert lifted_until([earlier, later], "other", NOW) == earlier.lifted_until_us
    assert lifted_until([lift(number=3), later], CAMERA, NOW) is not None
    assert lifted_until([], CAMERA, NOW) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"account_id": "a-9"},
        {"camera_id": "or1-lamp"},
        {"case_id": "c-2"},
        {"until_us": NOW},
        {"from_us": NOW + 1},
        {"footage_to_us": NOW - MINUTE_US - 1},
        {"footage_from_us": NOW - 2 * MINUTE_US + 1},
    ],
)
def test_a_grant_for_anything_else_opens_nothing(changes: dict[str, object]) -> None:
    one = grant(ViewKind.STORED, **changes)
    found = decide_view(person(Role.PRIVACY_OFFICER), view(ViewKind.STORED), so(one), NOW)
    assert found.showing is Showing.MASKED


@pytest.mark.parametrize("kind", list(ViewKind))
def test_a_machine_sees_nothing_but_masked_pictures_whatever_a_person_would(kind: ViewKind) -> None:
    everything = so(grant(kind), policy=ViewPolicy((LiveRule(Role.PRIVACY_OFFICER, SITE, Showing.CLEAR),)))
    officer = person(Role.PRIVACY_OFFICER)
    assert decide_view(officer, view(kind), everything, NOW).showing is not Showing.MASKED
    found = decide_view(replace(officer, machine=True), view(kind), everything, NOW)
    assert found.allowed and found.showing is Showing.MASKED


def test_a_grant_takes_nothing_from_what_the_site_shows_a_role() -> None:
    policy = ViewPolicy((LiveRule(Role.CLINICAL_STAFF, SITE, Showing.CLEAR),))
    staff, some = person(Role.CLINICAL_STAFF), grant(showing=Showing.PEOPLE)
    found = decide_view(staff, view(), so(some, policy=policy), NOW)
    assert (found.showing, found.grant_id) == (Showing.CLEAR, "")
    both = decide_view(staff, view(), so(some, grant(), policy=policy), NOW)
    assert (both.showing, both.grant_id) == (Showing.CLEAR, "g-1")


@pytest.mark.parametrize("in_operation", ["", "c-2"])
def test_a_live_grant_opens_its_own_case_alone(in_operation: str) -> None:
    """The next patient in the same room is nobody's to see by it."""
    found = decide_view(person(Role.CLINICAL_STAFF), view(), so(grant(), in_operation=in_operation), NOW)
    assert (found.allowed, found.showing, found.grant_id) == (True, Showing.MASKED, "")
    shown = decide_view(person(Role.CLINICAL_STAFF), view(), so(grant()), NOW)
    assert (shown.showing, shown.grant_id) == (Showing.CLEAR, "g-1")


@pytest.mark.parametrize(
    "scope",
    [
        SITE,
        Scope(ScopeKind.DEPARTMENT, "Surgery"),
        Scope(ScopeKind.ROOM, "OR 1"),
        Scope(ScopeKind.CAMERA, CAMERA),
    ],
)
def test_a_role_sees_the_room_of_an_armed_case_where_the_site_says_so(scope: Scope) -> None:
    policy = ViewPolicy((LiveRule(Role.CLINICAL_STAFF, scope, Showing.PEOPLE),))
    staff = person(Role.CLINICAL_STAFF)
    assert decide_view(staff, view(), so(policy=policy), NOW).showing is Showing.PEOPLE
    elsewhere = Place(0, "OR 2", "or2-wall", "Dentistry")
    assert decide_view(staff, view(), so(policy=policy, place=elsewhere), NOW).showing is (
        Showing.PEOPLE if scope is SITE else Showing.MASKED
    )
    stored = decide_view(person(Role.PRIVACY_OFFICER), view(ViewKind.STORED), so(policy=policy), NOW)
    assert stored.showing is Showing.MASKED
    idle = so(policy=policy, in_operation="")
    assert decide_view(staff, view(), idle, NOW).showing is Showing.MASKED
    other = person(Role.RECORDS_MANAGER)
    assert decide_view(other, view(), so(policy=policy), NOW).showing is Showing.MASKED


def test_a_grant_shows_nothing_beyond_the_accounts_scopes() -> None:
    for scopes in [(), (Scope(ScopeKind.ROOM, "OR 2"),), (Scope(ScopeKind.SITE, "", NOW + 1),)]:
        found = decide_view(person(Role.PRIVACY_OFFICER, scopes=scopes), view(), so(grant()), NOW)
        assert not found.allowed and found.showing is Showing.MASKED and "scope" in found.reason
    ending = person(Role.PRIVACY_OFFICER, scopes=(Scope(ScopeKind.CAMERA, CAMERA, None, NOW + 1),))
    assert decide_view(ending, view(), so(grant()), NOW).showing is Showing.CLEAR
    assert not decide_view(ending, view(), so(grant()), NOW + 1).allowed


def test_nobody_is_shown_more_than_was_asked_for() -> None:
    asked = view(wanted=Showing.PEOPLE)
    assert decide_view(person(Role.AUDITOR), asked, so(grant()), NOW).showing is Showing.PEOPLE
    assert shows_more(Showing.CLEAR, Showing.PEOPLE) and not shows_more(Showing.MASKED, Showing.MASKED)


@pytest.mark.parametrize(
    ("account", "asked"),
    [
        (person(Role.AUDITOR, disabled_us=NOW), view()),
        (person(Role.AUDITOR, reset_us=NOW), view()),
        (person(Role.AUDITOR), view(expires_us=NOW)),
        (person(Role.CLINICAL_STAFF), view(ViewKind.STORED)),
        (person(Role.SYSTEM_ADMINISTRATOR), view(ViewKind.STORED)),
    ],
)
def test_denied(account: Account, asked: View) -> None:
    found = decide_view(account, asked, so(grant(asked.kind)), NOW)
    assert not found.allowed and found.showing is Showing.MASKED and found.reason


# --- over a real ledger


def staff(world: World) -> Account:
    return world.accounts[Role.CLINICAL_STAFF]


def ask(world: World, account: Account) -> str:
    return world.custody.ask_live(account, "s-1", CAMERA, client="192.0.2.7").view.view_id


def entries(world: World, act: str) -> list[tuple[str, str]]:
    found = world.custody.history(world.accounts[Role.AUDITOR], limit=200, act=act)
    return [(entry.subject, entry.detail) for entry in reversed(found)]


def test_lifting_and_masking_stand_in_history_and_end_by_themselves(world: World) -> None:
    world.grant(staff(world), world.viewing_wish(world.armed_case(), kind=ViewKind.LIVE))
    one = ask(world, staff(world))
    assert world.custody.views_now([one])[one].showing is Showing.MASKED
    world.custody.lift_mask(staff(world), CAMERA, 5, "The anaesthetist asked.")
    assert world.custody.views_now([one])[one].showing is Showing.CLEAR
    assert [state.lifted_until_us is None for state in world.custody.masks(staff(world))].count(False) == 1
    world.clock.us += 5 * MINUTE_US
    assert world.custody.views_now([one])[one].showing is Showing.MASKED
    world.custody.lift_mask(staff(world), None, 5, "again")
    world.custody.set_mask(world.accounts[Role.AUDITOR], CAMERA)
    assert world.custody.views_now([one])[one].showing is Showing.MASKED
    (first, detail), (second, _) = entries(world, "mask-lifted")
    assert (first, second) == (f"camera:{CAMERA}", "site") and "until_us" in detail
    assert entries(world, "mask-set") == [(f"camera:{CAMERA}", '{"reason":""}')]


@pytest.mark.parametrize("minutes", [0, -1, 31])
def test_a_lift_is_short(world: World, minutes: int) -> None:
    with pytest.raises(OrvaultError) as caught:
        world.custody.lift_mask(staff(world), CAMERA, minutes, "why")
    assert caught.value.kind is ErrorKind.BAD_REQUEST and "mask-lifted" not in world.acts()


def test_a_lift_lasts_no_longer_because_the_clock_was_set_back(world: World) -> None:
    found = decide_view(person(Role.PRIVACY_OFFICER), view(), so(grant(from_us=0)), NOW - 1)
    assert found.showing is Showing.MASKED and "quick mask" in found.reason
    world.custody.lift_mask(staff(world), CAMERA, 5, "The anaesthetist asked.")
    world.clock.us -= 60 * MINUTE_US
    assert all(state.lifted_until_us is None for state in world.custody.masks(staff(world)))


@pytest.mark.parametrize("role", [Role.SYSTEM_ADMINISTRATOR, Role.RECORDS_MANAGER, Role.AUDITOR])
def test_who_may_mask_may_not_lift(world: World, role: Role) -> None:
    world.custody.set_mask(world.accounts[role])
    with pytest.raises(OrvaultError) as caught:
        world.custody.lift_mask(world.accounts[role], None, 5, "why")
    assert caught.value.kind is ErrorKind.FORBIDDEN


def test_a_view_opens_for_its_address_and_history_says_so_before_a_picture(world: World) -> None:
    one = ask(world, staff(world))
    with pytest.raises(OrvaultError) as caught:
        world.custody.open_view(one, "198.51.100.1")
    assert caught.value.kind is ErrorKind.LINK_EXPIRED
    assert "view-started" not in world.acts()
    opened = world.custody.open_view(one, "192.0.2.7")
    assert opened.viewer == staff(world).name
    assert entries(world, "view-started")[0][0] == f"camera:{CAMERA}"
    world.custody.note_viewed(one, [SeenSpan(1, 2, Showing.MASKED), SeenSpan(2, 3, Showing.CLEAR)])
    ((_, told),) = entries(world, "viewed")
    assert '{"from_us":2,"showing":"clear","to_us":3}' in told


def test_more_spans_than_an_entry_holds_make_further_entries(world: World) -> None:
    one = ask(world, staff(world))
    world.custody.note_viewed(one, [SeenSpan(n, n + 1, Showing.CLEAR) for n in range(1001)])
    told = entries(world, "viewed")
    assert sorted(detail.count('"from_us"') for _, detail in told) == [1, 500, 500]
    assert [sum(f'"from_us":{n},' in detail for _, detail in told) for n in (0, 499, 500, 1000)] == [1] * 4


def test_a_revoked_session_ends_its_views_and_no_others(world: World) -> None:
    session = world.custody.sign_in(staff(world).name, PASSWORD).session
    one = world.custody.ask_live(staff(world), session.session_id, CAMERA).view.view_id
    two = ask(world, staff(world))
    world.custody.revoke_session(None, session.session_id)
    now = world.custody.views_now([one, two])
    assert (now[one].allowed, now[two].allowed) == (False, True)


def test_signing_out_and_closing_the_account_end_a_view(world: World) -> None:
    session = world.custody.sign_in(staff(world).name, PASSWORD).session
    one = world.custody.ask_live(staff(world), session.session_id, CAMERA).view.view_id
    two = ask(world, staff(world))
    world.custody.sign_out(staff(world), session.session_id)
    now = world.custody.views_now([one, two, "unknown"])
    assert (now[one].allowed, now[two].allowed, "unknown" in now) == (False, True, False)
    world.clock.us += 20 * MINUTE_US  # a session's row is gone by then; the view that hung on it stays over
    world.custody.sign_in(staff(world).name, PASSWORD)
    now = world.custody.views_now([one, two])
    assert (now[one].allowed, now[two].allowed) == (False, True)
    world.custody.disable_account(world.accounts[Role.SYSTEM_ADMINISTRATOR], staff(world).account_id)
    assert not world.custody.views_now([two])[two].allowed


def test_a_new_password_ends_every_view_of_the_account_also_of_sessions_that_lapsed(world: World) -> None:
    session = world.custody.sign_in(staff(world).name, PASSWORD).session
    one = world.custody.ask_live(staff(world), session.session_id, CAMERA).view.view_id
    world.clock.us += 20 * MINUTE_US
    assert world.custody.views_now([one])[one].allowed
    world.custody.change_password(staff(world), PASSWORD, f"{PASSWORD} and more")
    assert not world.custody.views_now([one])[one].allowed


def stored(world: World, account: Account, case: Case | None = None) -> tuple[str, list[str]]:
    case = case or world.recorded_case(3)
    assert case.armed_us is not None
    opened = world.custody.ask_stored(
        account, "s-1", case.case_id, CAMERA, case.armed_us, world.clock.now_us()
    )
    segments = world.custody.view_segments(opened.view.view_id)
    return opened.view.view_id, [segment.header.meta.segment_id for segment in segments]


def test_keys_open_for_a_mosaic_and_history_tells_it_from_a_clear_view(world: World) -> None:
    officer, case = world.officer, world.recorded_case(3)
    one, segments = stored(world, officer, case)
    assert len(segments) == 3
    assert world.custody.log_view_opening(one, segments[:1]) is Showing.MASKED
    world.grant(officer, world.viewing_wish(case))
    assert world.custody.log_view_opening(one, segments[:1]) is Showing.MASKED
    world.custody.lift_mask(officer, None, 1, "look")
    assert world.custody.log_view_opening(one, segments[1:]) is Showing.CLEAR
    purposes = [detail.split('"purpose":"')[1].split('"')[0] for _, detail in entries(world, "keys-opened")]
    assert purposes == ["mosaic", "mosaic", "view"]


def test_no_key_without_a_view_that_covers_the_segments(world: World) -> None:
    one, segments = stored(world, world.officer)
    live = ask(world, world.officer)
    world.custody.note_viewed(live, [])
    for view_id, ids in ((live, segments), ("unknown", segments), (one, ["other-000001"])):
        with pytest.raises(OrvaultError) as caught:
            world.custody.log_view_opening(view_id, ids)
        assert caught.value.kind is ErrorKind.GRANT_MISSING
    world.clock.us += 61 * MINUTE_US
    with pytest.raises(OrvaultError) as caught:
        world.custody.log_view_opening(one, segments)
    assert caught.value.kind is ErrorKind.GRANT_MISSING
    assert "keys-opened" not in world.acts()
