"""Requests to view: four eyes, who learns of them, what ends a grant, and that open views end with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.custody.account import Account, Role
from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.case import Case
from orvault.custody.consents import Scope, Subject
from orvault.custody.desks.viewing import SeenSpan
from orvault.custody.export_policy import ExportPolicy, RolePolicy
from orvault.custody.mails import Audience
from orvault.custody.scope import SITE, ScopeKind
from orvault.custody.scope import Scope as AccountScope
from orvault.custody.steps import RequestState
from orvault.custody.terms import DAY_US
from orvault.custody.viewing import Showing, ViewDecision, ViewKind
from orvault.custody.viewing_request import ViewingRequest
from orvault.errors import ErrorKind
from tests.fakes import World, consented
from tests.refusals import refusal

CAMERA = "or1-wall"
STAFF = (consented(Subject.STAFF, "Lee", Scope.CLEAR), consented(Subject.STAFF, "Park", Scope.CLEAR))
BY_CONSENT = LegalBasis(BasisKind.CONSENT, consents=(consented(Subject.PATIENT, "Han", Scope.CLEAR), *STAFF))


@pytest.fixture
def case(world: World) -> Case:
    return world.recorded_case()


def asked(world: World, case: Case, **changes: object) -> ViewingRequest:
    """By the records manager, for the privacy officer to see."""
    wish = world.viewing_wish(case, **changes)
    return world.custody.ask_viewing(world.manager, world.officer.name, wish)


def watching(world: World, case: Case, by: Account) -> str:
    """A view of the whole recording, opened while the quick mask is lifted."""
    world.custody.lift_mask(world.officer, None, 5, "look")
    assert case.armed_us is not None
    opened = world.custody.ask_stored(by, "s-1", case.case_id, CAMERA, case.armed_us, world.clock.now_us())
    world.custody.open_view(opened.view.view_id)
    world.clock.us += 1  # a view never ends in the moment that it began
    return opened.view.view_id


def now(world: World, view_id: str) -> ViewDecision:
    return world.custody.views_now([view_id])[view_id]


def test_clear_pictures_take_two_who_neither_asked_nor_are_to_see(world: World, case: Case) -> None:
    custody, request = world.custody, asked(world, case)
    assert request.state is RequestState.SATISFIED
    for own in (world.manager, world.officer):
        approving = refusal(lambda: custody.approve_viewing(own, request.request_id))  # noqa: B023
        refusing = refusal(lambda: custody.refuse_viewing(own, request.request_id, "no"))  # noqa: B023
        assert approving.kind is refusing.kind is ErrorKind.SELF_APPROVAL
    first, second = (world.account(Role.PRIVACY_OFFICER, name) for name in ("first", "second"))
    assert custody.approve_viewing(first, request.request_id).state is RequestState.SATISFIED
    assert refusal(lambda: custody.approve_viewing(first, request.request_id)).kind is ErrorKind.CONFLICT
    granted = custody.approve_viewing(second, request.request_id)
    assert granted.state is RequestState.APPROVED and granted.decided_by == second.account_id
    assert world.acts()[-2:] == ["approval-given", "viewing-granted"]


def test_four_eyes_stand_in_the_database(world: World, case: Case) -> None:
    request = asked(world, case)

    def forge(own: str) -> None:
        with world.ledger.uow() as uow:
            uow.viewing_requests.put_state(
                replace(request, state=RequestState.APPROVED, decided_by=own, decided_us=1)
            )
            uow.commit()

    assert [refusal(lambda: forge(own)).kind for own in request.account_ids] == [ErrorKind.CONFLICT] * 2  # noqa: B023


def test_what_was_seen_names_the_grant(world: World, case: Case) -> None:
    request = world.grant(world.manager, world.viewing_wish(case))
    view_id = watching(world, case, world.manager)
    assert (now(world, view_id).showing, now(world, view_id).grant_id) == (Showing.CLEAR, request.request_id)
    assert case.armed_us is not None
    span = SeenSpan(case.armed_us, case.armed_us + 1, Showing.CLEAR, request.request_id)
    world.custody.note_viewed(view_id, [span])
    found = world.custody.recording_access(world.accounts[Role.AUDITOR], case.case_id)
    assert [each.spans for each in found.seen] == [(), (span,)]


def test_a_live_grant_needs_its_case_in_the_room(world: World, case: Case) -> None:
    over = refusal(lambda: world.custody.ask_viewing(
        world.manager, "clinical-staff", world.viewing_wish(case, kind=ViewKind.LIVE)
    ))  # fmt: skip
    assert (over.kind, over.where) == (ErrorKind.BAD_REQUEST, "case_id")
    armed = world.armed_case("2026-2")
    staff = world.accounts[Role.CLINICAL_STAFF]
    elsewhere = world.viewing_wish(armed, kind=ViewKind.LIVE, camera_ids=("or2-wall",))
    wrong = refusal(lambda: world.custody.ask_viewing(world.manager, staff.name, elsewhere))
    assert (wrong.kind, wrong.where) == (ErrorKind.BAD_REQUEST, "camera_ids")
    world.grant(staff, world.viewing_wish(armed, kind=ViewKind.LIVE))
    world.custody.lift_mask(world.officer, None, 5, "look")
    view_id = world.custody.ask_live(staff, "s-1", CAMERA).view.view_id
    assert now(world, view_id).showing is Showing.CLEAR
    world.custody.close_case(world.manager, armed.case_id)
    assert now(world, view_id).showing is Showing.MASKED


def test_taking_a_grant_back_ends_its_open_views_at_once(world: World, case: Case) -> None:
    request = world.grant(world.manager, world.viewing_wish(case))
    view_id, other = watching(world, case, world.manager), watching(world, case, world.officer)
    foreign = world.account(Role.RECORDS_MANAGER, "foreign")
    unknown = refusal(lambda: world.custody.withdraw_viewing(foreign, request.request_id, "because"))
    assert unknown.kind is ErrorKind.NOT_FOUND
    ended = world.custody.withdraw_viewing(world.officer, request.request_id, "The court took it back.")
    assert (ended.state, ended.ended_by) == (RequestState.REVOKED, world.officer.account_id)
    assert (now(world, view_id).allowed, now(world, other).allowed) == (False, True)
    assert now(world, watching(world, case, world.manager)).showing is Showing.MASKED
    again = refusal(lambda: world.custody.withdraw_viewing(world.officer, request.request_id, "again"))
    assert again.kind is ErrorKind.CONFLICT


def test_a_withdrawn_consent_ends_the_grant_and_its_approvals(world: World, case: Case) -> None:
    request = world.grant(world.manager, world.viewing_wish(case, basis=BY_CONSENT))
    view_id = watching(world, case, world.manager)
    broken = world.custody.withdraw_viewing_consent(
        world.officer, request.request_id, 1, "She wants it no more."
    )
    assert (broken.state, broken.approvals) == (RequestState.SUBMITTED, ())
    assert not now(world, view_id).allowed
    paper = consented(Subject.STAFF, "Lee", Scope.CLEAR, "cd" * 32)
    mended = world.custody.add_viewing_consents(world.officer, request.request_id, [paper])
    assert mended.state is RequestState.SATISFIED
    assert now(world, watching(world, case, world.manager)).showing is Showing.MASKED


def test_who_joins_the_case_has_to_consent_too(world: World, case: Case) -> None:
    request = world.grant(world.manager, world.viewing_wish(case, basis=BY_CONSENT))
    view_id = watching(world, case, world.manager)
    world.custody.amend_participants(world.manager, case.case_id, ["Jung"], "was there")
    assert world.custody.viewing_request(world.officer, request.request_id).state is RequestState.SUBMITTED
    assert not now(world, view_id).allowed
    officer = world.account(Role.PRIVACY_OFFICER, "third.eyes")
    lacking = refusal(lambda: world.custody.approve_viewing(officer, request.request_id))
    assert lacking.kind is ErrorKind.BASIS_MISSING and "Jung" in lacking.message


def test_its_time_ends_a_grant_at_once_and_its_open_views_once_somebody_says_so(
    world: World, case: Case
) -> None:
    until_us = world.clock.now_us() + 2 * 60_000_000
    request = world.grant(world.manager, world.viewing_wish(case, until_us=until_us))
    waiting = asked(world, case, until_us=until_us)
    view_id = watching(world, case, world.manager)
    world.clock.us = until_us
    assert now(world, view_id).showing is Showing.MASKED
    late = refusal(lambda: world.custody.approve_viewing(
        world.account(Role.PRIVACY_OFFICER, "late"), waiting.request_id
    ))  # fmt: skip
    assert late.kind is ErrorKind.EXPIRED
    assert (world.custody.expire_viewings(), world.custody.expire_viewings()) == (2, 0)
    assert not now(world, view_id).allowed
    found = world.custody.viewing_request(world.officer, request.request_id)
    assert (found.state, found.ended_by) == (RequestState.EXPIRED, None)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"showing": Showing.MASKED}, "showing"),
        ({"showing": Showing.PEOPLE}, "showing"),
        ({"camera_ids": ()}, "camera_ids"),
        ({"camera_ids": (CAMERA, CAMERA)}, "camera_ids"),
        ({"from_us": None}, "from, to"),
        ({"until_us": 1}, "until"),
        ({"until_us": 1_800_000_000_000_000 + 8 * DAY_US}, "until"),
        ({"purpose": " "}, "purpose"),
    ],
)
def test_a_wish_that_no_grant_can_be(
    world: World, case: Case, changes: dict[str, object], where: str
) -> None:
    wrong = refusal(lambda: asked(world, case, **changes))
    assert (wrong.kind, wrong.where) == (ErrorKind.BAD_REQUEST, where)
    assert "viewing-asked" not in world.acts()


def test_recordings_with_people_masked_are_exports(world: World, case: Case) -> None:
    assert "export" in refusal(lambda: asked(world, case, showing=Showing.PEOPLE)).advice


def test_a_viewer_who_is_not_there_answers_like_one_who_could_not_see(world: World, case: Case) -> None:
    narrow = (AccountScope(ScopeKind.ROOM, "OR 2"),)
    world.custody.create_machine(
        world.accounts[Role.SYSTEM_ADMINISTRATOR], "screen", "Screen", Role.AUDITOR, (SITE,)
    )
    viewers = [
        "nobody",
        "system-administrator",
        "screen",
        world.account(Role.RECORDS_MANAGER, "narrow", narrow).name,
    ]
    wish = world.viewing_wish(case)
    found = [refusal(lambda: world.custody.ask_viewing(world.manager, each, wish)) for each in viewers]  # noqa: B023
    assert {(each.kind, each.where, each.message) for each in found} == {
        (ErrorKind.NOT_FOUND, "viewer", found[0].message)
    }


def test_the_sites_rules_say_who_may_ask_for_clear_pictures(world: World, case: Case) -> None:
    world.custody._exports = ExportPolicy(roles={Role.RECORDS_MANAGER: RolePolicy(unmasked=False)})
    refused = refusal(lambda: asked(world, case))
    assert (refused.kind, refused.where) == (ErrorKind.FORBIDDEN, "export.roles.records-manager.unmasked")


def test_who_is_to_see_learns_of_it_and_of_nobodys_consent(world: World, case: Case) -> None:
    """Whatever else their role may see: they are an interested party."""
    for viewer in (
        world.account(Role.RECORDS_MANAGER, "viewer"),
        world.account(Role.PRIVACY_OFFICER, "eyes"),
    ):
        wish = world.viewing_wish(case, basis=BY_CONSENT)
        request = world.custody.ask_viewing(world.manager, viewer.name, wish)
        told = world.custody.viewing_request(viewer, request.request_id)
        assert told in world.custody.viewing_requests(viewer)
        assert told.wish.basis == LegalBasis(BasisKind.CONSENT)
        hidden = refusal(lambda: world.custody.viewing_lacking(viewer, request.request_id))  # noqa: B023
        assert hidden.kind is ErrorKind.FORBIDDEN
        whole = world.custody.viewing_request(world.manager, request.request_id)
        assert [each.name for each in whole.wish.basis.consents] == ["Han", "Lee", "Park"]
    assert world.custody.viewing_requests(world.account(Role.RECORDS_MANAGER, "foreign")) == []


def test_who_takes_back_their_own_grant_is_told_of_nobodys_consent(world: World, case: Case) -> None:
    viewer = world.account(Role.PRIVACY_OFFICER, "eyes")
    wish = world.viewing_wish(case, basis=BY_CONSENT)
    request = world.custody.ask_viewing(world.manager, viewer.name, wish)
    for officer in (world.officer, world.account(Role.PRIVACY_OFFICER, "second.eyes")):
        world.custody.approve_viewing(officer, request.request_id)
    ended = world.custody.withdraw_viewing(viewer, request.request_id, "I need it no more.")
    assert ended.state is RequestState.REVOKED and ended.wish.basis.consents == ()


def test_who_is_to_see_takes_in_no_consent_to_it(world: World, case: Case) -> None:
    custody = world.custody
    by_consent = world.viewing_wish(case, basis=BY_CONSENT)
    with_consents = refusal(lambda: custody.ask_viewing(world.manager, world.manager.name, by_consent))
    bare = world.viewing_wish(case, basis=LegalBasis(BasisKind.CONSENT))
    request = custody.ask_viewing(world.manager, world.manager.name, bare)
    adding = refusal(
        lambda: custody.add_viewing_consents(world.manager, request.request_id, BY_CONSENT.consents)
    )
    assert with_consents.kind is adding.kind is ErrorKind.SELF_APPROVAL
    assert world.acts().count("consent-given") == 0
    other = world.account(Role.RECORDS_MANAGER, "other")
    hidden = refusal(lambda: custody.add_viewing_consents(other, request.request_id, BY_CONSENT.consents))
    assert hidden.kind is ErrorKind.NOT_FOUND
    added = custody.add_viewing_consents(world.officer, request.request_id, BY_CONSENT.consents)
    assert added.state is RequestState.SATISFIED
    taken_back = custody.withdraw_viewing_consent(world.manager, request.request_id, 0, "She told me so.")
    assert taken_back.state is RequestState.SUBMITTED


def test_what_a_basis_lacks_is_told_in_words(world: World, case: Case) -> None:
    lacking = replace(BY_CONSENT, consents=STAFF)
    request = asked(world, case, basis=lacking)
    basis, missing = world.custody.viewing_lacking(world.manager, request.request_id)
    assert [each.name for each in basis.consents] == ["Lee", "Park"]
    assert len(missing) == 1 and "patient" in missing[0]
    paper = consented(Subject.PATIENT, "Han", Scope.CLEAR, "cd" * 32)
    world.custody.add_viewing_consents(world.manager, request.request_id, [paper])
    assert world.custody.viewing_lacking(world.manager, request.request_id)[1] == ()


def test_lists_hold_what_waits_for_the_one_who_asks(world: World, case: Case) -> None:
    request = asked(world, case)
    other = world.account(Role.PRIVACY_OFFICER, "other")
    assert world.custody.viewing_requests(other, to_decide=True) == [request]
    for by in (world.officer, world.manager, world.accounts[Role.AUDITOR]):
        assert world.custody.viewing_requests(by, to_decide=True) == []
    assert world.custody.viewing_requests(other, RequestState.APPROVED) == []
    assert world.custody.viewing_requests(other, case_id="another") == []
    third = world.account(Role.PRIVACY_OFFICER, "third")
    world.custody.approve_viewing(other, request.request_id)
    assert world.custody.viewing_requests(other, to_decide=True) == []
    assert [each.request_id for each in world.custody.viewing_requests(third, to_decide=True)] == [
        request.request_id
    ]
    refused = world.custody.refuse_viewing(third, request.request_id, "No order is attached.")
    assert world.custody.viewing_requests(third, to_decide=True) == []
    assert world.custody.viewing_requests(other, RequestState.REFUSED) == [refused]


def test_mails_name_the_request_and_nothing_of_it(world: World, case: Case) -> None:
    request = asked(world, case)
    mails = {mail.subject.split(" / ")[1]: mail for mail in world.custody.mails_from(0, 200).mails}
    made = mails["A request to view was made"]
    assert made.audiences == {Audience.OFFICERS}
    assert f"요청 번호 / Request: {request.request_id}\n" in made.body
    assert "2026-77" not in made.body and case.number not in made.body
