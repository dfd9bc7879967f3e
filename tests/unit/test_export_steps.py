"""From a request to its delivery and beyond: consents, approvers, participants' answers, taking back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.custody.account import Account, Role
from orvault.custody.consents import Consent, Scope, Subject
from orvault.custody.desks.reviews import second_look_done
from orvault.custody.export_policy import ExportPolicy, RolePolicy
from orvault.custody.request import ExportRequest, PackageFile
from orvault.custody.scope import SITE
from orvault.custody.second_look import SecondLook, Trial
from orvault.custody.steps import ENDED, PENDING, STEPS, RequestState
from orvault.custody.terms import DAY_US, Masking, Redaction, Style
from orvault.errors import ErrorKind
from tests.fakes import NOTHING_LEFT, World, consented, consents_of
from tests.refusals import raises

PAPER = "cd" * 32


def _submitted(world: World, *staff: str) -> ExportRequest:
    """By consent of the patient and of these; the case's staff are Lee and Park."""
    wish = world.wish(world.recorded_case(), basis=consents_of(*staff))
    return world.custody.submit_export(world.manager, wish)


def _made(world: World, request: ExportRequest, look: SecondLook = NOTHING_LEFT) -> ExportRequest:
    """Rendered, whatever it waits for then."""
    job = world.claimed()
    path = f"{job.request.package_id}-{job.epoch}.orvault"
    world.custody.finish_render(request.request_id, job.epoch, path, 10, "f" * 64, second_look=look)
    return world.custody.export(world.officer, request.request_id)


def _rule(world: World, policy: ExportPolicy) -> None:
    world.custody._exports = policy


def _now(world: World, request: ExportRequest) -> ExportRequest:
    return world.custody.export(world.officer, request.request_id)


def test_every_state_has_its_steps_and_ends_are_ends() -> None:
    assert set(STEPS) == set(RequestState)
    assert {state.value for state in ENDED} == {"refused", "revoked", "failed", "expired"}
    assert not PENDING & ENDED
    reached = {RequestState.DRAFT}
    for _ in RequestState:
        reached |= {to for state in reached for to in STEPS[state]}
    assert reached == set(RequestState)


def test_a_withdrawn_consent_stops_a_rendering_and_a_later_one_goes_on_with_the_same_copies(
    world: World,
) -> None:
    request = _submitted(world, "Lee", "Park")
    approved = world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    world.custody.withdraw_consent(world.manager, request.request_id, 2, "He thought it over.")
    with raises(ErrorKind.CONFLICT):
        world.custody.finish_render(
            request.request_id, job.epoch, "p.orvault", 10, "f" * 64, second_look=NOTHING_LEFT
        )
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_key_opening(request.request_id, ["any"])
    assert world.custody.claim_render() is None
    anew = consented(Subject.STAFF, "park", paper_sha256=PAPER)
    world.custody.add_consents(world.manager, request.request_id, [anew])
    again = world.custody.approve_export(world.officer, request.request_id)
    assert again.package_id == approved.package_id and again.attempts == 0
    assert _made(world, request).state is RequestState.READY


@pytest.mark.parametrize(
    ("second", "number"),
    [
        (consented(Subject.STAFF, "PARK", Scope.CLEAR, PAPER), 2),  # who first said masked
        (consented(Subject.STAFF, "Park"), 3),  # sent twice
        (consented(Subject.PATIENT, "Han Y.", paper_sha256=PAPER), 0),
    ],
)
def test_a_withdrawal_ends_all_that_the_person_gave(world: World, second: Consent, number: int) -> None:
    request = _submitted(world, "Lee", "Park")
    world.custody.add_consents(world.manager, request.request_id, [second])
    after = world.custody.withdraw_consent(world.manager, request.request_id, number, "No more.")
    assert after.state is RequestState.SUBMITTED and _now(world, request).state is RequestState.SUBMITTED
    consents = _now(world, request).wish.basis.consents
    assert [consent.stands for consent in consents].count(False) == 2
    assert world.acts().count("consent-withdrawn") == 2


def test_a_withdrawn_paper_is_not_taken_in_again(world: World) -> None:
    request = _submitted(world, "Lee", "Park")
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    with raises(ErrorKind.CONFLICT):
        world.custody.add_consents(world.manager, request.request_id, [consented(Subject.PATIENT, "H. Han")])
    assert _now(world, request).state is RequestState.SUBMITTED
    anew = consented(Subject.PATIENT, "Han", paper_sha256=PAPER)
    again = world.custody.add_consents(world.manager, request.request_id, [anew])
    assert again.state is RequestState.SATISFIED


def test_ready_package_is_not_handed_out_after_a_withdrawal(world: World) -> None:
    request = _submitted(world, "Lee", "Park")
    world.custody.approve_export(world.officer, request.request_id)
    ready = _made(world, request)
    link, package = world.custody.issue_link(world.manager, request.request_id)
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    with raises(ErrorKind.NOT_APPROVED):
        world.custody.open_download(package.package_id, link.link_id)
    with raises(ErrorKind.NOT_APPROVED):
        world.custody.issue_link(world.manager, request.request_id)
    world.custody.refuse_export(world.officer, request.request_id, "The patient withdrew.")
    (spent,) = world.custody.spent_exports()
    assert spent.package == ready.package  # so that its file can be found and removed


def _ready_for_two(world: World) -> ExportRequest:
    """By consent, with a copy for the court and one for the family."""
    case = world.recorded_case()
    wish = world.wish(case, basis=consents_of("Lee", "Park"))
    wish = replace(wish, recipients=(*wish.recipients, replace(wish.recipients[0], name="Family")))
    request = world.custody.submit_export(world.manager, wish)
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    further = [replace(_file(job.request), package_id=job.request.further_ids[0], path="q.orvault")]
    world.custody.finish_render(
        request.request_id, job.epoch, "p.orvault", 10, "f" * 64, further, second_look=NOTHING_LEFT
    )
    return request


def test_what_is_made_anew_was_delivered_to_nobody(world: World) -> None:
    request = _ready_for_two(world)
    link, package = world.custody.issue_link(world.manager, request.request_id, "Court")
    world.custody.open_download(package.package_id, link.link_id)
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    assert _now(world, request).delivered == ()


def test_a_link_ends_with_its_account(world: World) -> None:
    request = world.ready(world.recorded_case())
    link, package = world.custody.issue_link(world.manager, request.request_id)
    world.custody.disable_account(None, world.manager.account_id)
    with raises(ErrorKind.LINK_EXPIRED):
        world.custody.open_download(package.package_id, link.link_id)


def test_consents_are_withdrawable_until_every_copy_was_delivered(world: World) -> None:
    request = _ready_for_two(world)
    for recipient, state in (("Court", RequestState.READY), ("Family", RequestState.DELIVERED)):
        link, package = world.custody.issue_link(world.manager, request.request_id, recipient)
        world.custody.open_download(package.package_id, link.link_id)
        assert _now(world, request).state is state
    assert [at for _, at in _now(world, request).delivered] == [world.clock.us] * 2
    with raises(ErrorKind.CONFLICT) as caught:
        world.custody.withdraw_consent(world.manager, request.request_id, 0, "Too late?")
    assert "revoke" in caught.value.advice
    link, package = world.custody.issue_link(world.manager, request.request_id, "Court")  # once more
    assert world.custody.open_download(package.package_id, link.link_id) == package
    assert world.acts().count("export-delivered") == 1


def _file(request: ExportRequest) -> PackageFile:
    assert request.package_id is not None
    return PackageFile(request.package_id, "p.orvault", 10, "f" * 64)


def test_who_joins_later_takes_the_approval_back(world: World) -> None:
    request = _submitted(world, "Lee", "Park")
    world.custody.approve_export(world.officer, request.request_id)
    world.custody.amend_participants(world.manager, request.wish.case_id, ["Jung"], "Called in.")
    assert _now(world, request).state is RequestState.SUBMITTED
    world.custody.add_consents(world.manager, request.request_id, [consented(Subject.STAFF, "Jung")])
    assert _now(world, request).state is RequestState.SATISFIED


def test_two_different_approvers_where_the_site_says_so(world: World) -> None:
    _rule(world, ExportPolicy(approvers=2))
    request = _submitted(world, "Lee", "Park")
    first = world.custody.approve_export(world.officer, request.request_id)
    assert first.state is RequestState.SATISFIED and world.custody.claim_render() is None
    with raises(ErrorKind.CONFLICT):
        world.custody.approve_export(world.officer, request.request_id)
    second = world.account(Role.PRIVACY_OFFICER, "second-officer")
    approved = world.custody.approve_export(second, request.request_id)
    assert approved.state is RequestState.APPROVED
    assert [a.account_id for a in _now(world, request).approvals] == [
        world.officer.account_id,
        second.account_id,
    ]
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    assert _now(world, request).approvals == ()
    anew = consented(Subject.PATIENT, "Han", paper_sha256=PAPER)
    world.custody.add_consents(world.manager, request.request_id, [anew])
    assert world.custody.approve_export(world.officer, request.request_id).state is RequestState.SATISFIED


def test_output_that_shows_people_needs_two_approvers_and_consents_that_say_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redaction, "clear", property(lambda self: True))
    request = _submitted(world, "Lee", "Park")
    assert request.state is RequestState.SUBMITTED
    _, missing = world.custody.lacking(world.officer, request.request_id)
    assert all("not masked" in each for each in missing) and len(missing) == 2
    clear = [consented(Subject.PATIENT, "Han", Scope.CLEAR)]
    clear += [consented(Subject.STAFF, name, Scope.CLEAR) for name in ("Lee", "Park")]
    world.custody.add_consents(world.manager, request.request_id, clear)
    assert world.custody.approve_export(world.officer, request.request_id).state is RequestState.SATISFIED
    second = world.account(Role.PRIVACY_OFFICER, "second-officer")
    assert world.custody.approve_export(second, request.request_id).state is RequestState.APPROVED


@pytest.mark.parametrize("step", ["approved", "ready", "delivered"])
def test_revoked_package_is_not_handed_out_and_its_files_are_removed(world: World, step: str) -> None:
    case = world.recorded_case()
    request = world.approved(case) if step == "approved" else world.ready(case)
    if step == "delivered":
        link, package = world.custody.issue_link(world.manager, request.request_id)
        world.custody.open_download(package.package_id, link.link_id)
    with raises(ErrorKind.FORBIDDEN):
        world.custody.revoke_export(world.manager, request.request_id, "mine")
    with raises(ErrorKind.BAD_REQUEST):
        world.custody.revoke_export(world.officer, request.request_id, " ")
    revoked = world.custody.revoke_export(world.officer, request.request_id, "The order was lifted.")
    assert (revoked.state, revoked.revoked_by) == (RequestState.REVOKED, world.officer.account_id)
    with raises(ErrorKind.NOT_APPROVED):
        world.custody.issue_link(world.manager, request.request_id)
    (spent,) = world.custody.spent_exports()
    world.custody.files_removed(spent.request_id)
    assert world.custody.spent_exports() == [] and world.custody.claim_render() is None


def test_who_asked_withdraws_before_the_approval_and_nobody_else_does(world: World) -> None:
    request = _submitted(world, "Lee")
    with raises(ErrorKind.FORBIDDEN):
        world.custody.withdraw_export(world.officer, request.request_id, "not mine")
    with raises(ErrorKind.CONFLICT):
        world.custody.revoke_export(world.officer, request.request_id, "too early")
    withdrawn = world.custody.withdraw_export(world.manager, request.request_id, "A mistake.")
    assert withdrawn.state is RequestState.REVOKED
    other = world.approved(world.recorded_case(number="2026-2"))
    with raises(ErrorKind.CONFLICT):
        world.custody.withdraw_export(world.manager, other.request_id, "too late")


def _staff(world: World, name: str) -> Account:
    password = "Long-enough-pw-1"
    return world.custody.create_account(None, name.lower(), name, Role.CLINICAL_STAFF, password, (SITE,))


@pytest.mark.parametrize(
    ("look", "waits"),
    [
        (NOTHING_LEFT, False),
        (SecondLook(9, 0, (), Trial.NOBODY), False),
        (SecondLook(9, 0, (), Trial.MISSED), True),
        (SecondLook(0, 0, (), Trial.NOBODY), True),  # nobody looked
    ],
)
def test_only_what_was_looked_at_leaves_without_a_reviewer(
    world: World, look: SecondLook, waits: bool
) -> None:
    request = _submitted(world, "Lee", "Park")
    world.custody.approve_export(world.officer, request.request_id)
    made = _made(world, request, look)
    assert (made.state is RequestState.REVIEW) is waits is not second_look_done(made)
    assert made.second_look == look and not second_look_done(replace(made, second_look=None))
    if waits:
        assert world.custody.release_export(world.officer, request.request_id, "Nobody is on it.").reviewed_by
        assert _now(world, request).state is RequestState.READY


def test_participants_look_at_the_result_before_it_leaves(world: World) -> None:
    _rule(world, ExportPolicy(participants_review=True))
    request = _submitted(world, "Lee", "Park")
    world.custody.approve_export(world.officer, request.request_id)
    assert _made(world, request, SecondLook(9, 2, (), Trial.SEEN)).state is RequestState.REVIEW
    lee, answer = _staff(world, "Lee"), world.custody.answer_result
    stranger = _staff(world, "Kim")
    with raises(ErrorKind.NOT_FOUND):
        answer(stranger, request.request_id, "Kim", agrees=True)
    with raises(ErrorKind.FORBIDDEN):
        answer(lee, request.request_id, "Park", agrees=True)
    with raises(ErrorKind.BAD_REQUEST):
        answer(world.manager, request.request_id, "Park", agrees=True)  # no paper
    answer(lee, request.request_id, "lee", agrees=False, remark="My badge can be read.")
    answer(world.manager, request.request_id, "Park", agrees=True, document_sha256=PAPER)
    world.custody.release_export(world.officer, request.request_id, "A poster.")
    waits = _now(world, request)
    assert waits.state is RequestState.REVIEW and [a.agrees for a in waits.answers] == [False, True]
    with raises(ErrorKind.CONFLICT):
        world.custody.release_export(world.officer, request.request_id, "Again.")
    assert answer(lee, request.request_id, "Lee", agrees=True).taken_by == lee.account_id
    assert _now(world, request).state is RequestState.READY
    assert world.acts().count("result-answered") == 3


@pytest.mark.parametrize(
    ("rule", "policy"),
    [
        ("masking", RolePolicy(masking=frozenset({Masking.BODY}))),
        ("styles", RolePolicy(styles=frozenset({Style.SOLID}))),
        ("watermark_fields", RolePolicy(watermark_fields=frozenset({"recipient"}))),
        ("longest_days", RolePolicy(longest_days=7)),
        ("most_recipients", RolePolicy(most_recipients=1)),
    ],
)
def test_what_a_role_may_not_choose_is_refused_at_submit_by_the_rules_name(
    world: World, rule: str, policy: RolePolicy
) -> None:
    case = world.recorded_case()
    wish = world.wish(case)
    two = (*wish.recipients, replace(wish.recipients[0], name="Family"))
    wish = replace(wish, recipients=two, redaction=replace(wish.redaction, style=Style.FROST))
    _rule(world, ExportPolicy(roles={Role.RECORDS_MANAGER: policy}))
    with raises(ErrorKind.FORBIDDEN) as caught:
        world.custody.submit_export(world.manager, wish)
    assert caught.value.where == f"export.roles.records-manager.{rule}" and rule in caught.value.message
    assert world.custody.submit_export(world.officer, wish).state is RequestState.SATISFIED


def test_requests_are_due_after_ten_days(world: World) -> None:
    request = _submitted(world)
    assert request.due_us == request.requested_us + 10 * DAY_US


def test_what_lacks_is_said_before_anybody_decides(world: World) -> None:
    case = world.recorded_case()
    request = world.custody.submit_export(world.manager, world.wish(case, basis=consents_of("Lee")))
    assert world.custody.lacking(world.manager, request.request_id)[1] == ("the consent of Park",)
