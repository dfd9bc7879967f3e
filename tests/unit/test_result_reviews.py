"""Participants look at a masked result before it leaves: who is asked, who may watch, what is waived."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orvault.custody.account import Account, Role
from orvault.custody.consents import Subject
from orvault.custody.export_policy import ExportPolicy
from orvault.custody.history import Act, make_entry
from orvault.custody.mails import Audience
from orvault.custody.request import ExportRequest
from orvault.custody.scope import SITE, Scope, ScopeKind
from orvault.custody.second_look import SecondLook, Trial
from orvault.custody.service import OpenedView
from orvault.custody.steps import RequestState
from orvault.custody.terms import DAY_US, Redaction
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind
from orvault.papers.export_report import export_report, words_of
from orvault.papers.requests import request_register
from tests.fakes import NOTHING_LEFT, PASSWORD, World, consented, consents_of
from tests.refusals import raises

PAPER = "cd" * 32
FOUND = SecondLook(9, 2, (), Trial.SEEN)


def _submitted(world: World) -> ExportRequest:
    wish = world.wish(world.recorded_case(), basis=consents_of("Lee", "Park"))
    return world.custody.submit_export(world.manager, wish)


def _made(world: World, request: ExportRequest, look: SecondLook = NOTHING_LEFT) -> ExportRequest:
    """Approved and rendered."""
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    path = f"{job.request.package_id}-{job.epoch}.orvault"
    world.custody.finish_render(request.request_id, job.epoch, path, 10, "f" * 64, second_look=look)
    return world.custody.export(world.officer, request.request_id)


def _asked(world: World, *names: str, look: SecondLook = NOTHING_LEFT) -> ExportRequest:
    """A request in review, about whose result these were asked."""
    request = _submitted(world)
    for name in names:
        world.custody.ask_participant(world.manager, request.request_id, name, f"{name}@hospital.test")
    return _made(world, request, look)


def _staff(world: World, name: str, *scopes: Scope) -> Account:
    login = f"{name.lower()}.{len(scopes)}"
    return world.custody.create_account(None, login, name, Role.CLINICAL_STAFF, PASSWORD, scopes or (SITE,))


def _watch(world: World, by: Account, request: ExportRequest, camera: str = "or1-wall") -> OpenedView:
    return world.custody.ask_result(by, "s-1", request.request_id, camera)


def _now(world: World, request: ExportRequest) -> ExportRequest:
    return world.custody.export(world.officer, request.request_id)


def _last(world: World, act: str) -> dict[str, object]:
    entries = world.custody.history(world.accounts[Role.AUDITOR], limit=200, act=act)
    return dict(json.loads(entries[0].detail))


def test_who_is_asked_for_one_request_alone_is_waited_for(world: World) -> None:
    request = _asked(world, "lee")
    assert request.state is RequestState.REVIEW
    assert [(each.participant, each.asked_by) for each in request.asked] == [
        ("Lee", world.manager.account_id)
    ]
    assert request.answers_due_us == world.clock.us + 10 * DAY_US
    assert _last(world, "participants-named") == {"participant": "Lee", "mail": True, "account": None}
    assert _last(world, "answers-awaited") == {"participants": ["Lee"], "due_us": request.answers_due_us}
    world.custody.answer_result(_staff(world, "Lee"), request.request_id, "Lee", agrees=True)
    assert _now(world, request).state is RequestState.READY


def test_who_has_not_answered_is_reminded_of_once_at_each_distance(world: World) -> None:
    request = _asked(world, "Lee", "Park")
    world.custody.answer_result(_staff(world, "Lee"), request.request_id, "Lee", agrees=False)
    told = []
    for _ in range(12):
        told.append(world.custody.remind_answers())
        assert world.custody.remind_answers() == 0
        world.clock.us += DAY_US
    assert [day for day, noted in enumerate(told) if noted] == [7, 9, 10]
    due = {"participants": ["Park"], "due_us": request.answers_due_us, "overdue": True}
    assert _last(world, "answers-due") == due
    mails = [mail for mail in world.custody.mails_from(0).mails if "due" in mail.subject]
    assert [mail.to for mail in mails] == [("Park@hospital.test",)] * 3
    assert all(mail.audiences == set(Audience) and "Park" not in mail.body for mail in mails)


def test_who_answered_or_was_waived_is_not_reminded(world: World) -> None:
    request = _asked(world, "Lee", "Park")
    world.custody.answer_result(_staff(world, "Lee"), request.request_id, "Lee", agrees=True)
    world.clock.us += 8 * DAY_US
    assert world.custody.remind_answers() == 1
    world.custody.waive_answer(world.officer, request.request_id, "Park", "On leave.")
    world.clock.us += 8 * DAY_US
    assert world.custody.remind_answers() == 0


def test_where_nobody_is_asked_nothing_waits(world: World) -> None:
    made = _asked(world)
    assert (made.state, made.answers_due_us, made.asked) == (RequestState.READY, None, ())


def test_who_the_site_asks_stands_in_the_request_too(world: World) -> None:
    world.custody._exports = ExportPolicy(participants_review=True)
    request = _asked(world, "Park")
    assert [(each.participant, each.asked_by is None) for each in request.asked] == [
        ("Park", False),
        ("Lee", True),
    ]


def test_asking_is_for_participants_and_before_the_result_is_made(world: World) -> None:
    request = _submitted(world)
    ask = world.custody.ask_participant
    with raises(ErrorKind.NOT_FOUND):
        ask(world.manager, request.request_id, "Kim")
    with raises(ErrorKind.BAD_REQUEST):
        ask(world.manager, request.request_id, "Lee", "no address")
    with raises(ErrorKind.NOT_FOUND):
        ask(world.account(Role.RECORDS_MANAGER, "second-manager"), request.request_id, "Lee")
    with raises(ErrorKind.FORBIDDEN):
        ask(world.accounts[Role.AUDITOR], request.request_id, "Lee")
    ask(world.officer, request.request_id, "Lee", "lee@hospital.test")
    ask(world.officer, request.request_id, "LEE", "other@hospital.test")
    assert [each.mail for each in _now(world, request).asked] == ["other@hospital.test"]
    _made(world, request)
    with raises(ErrorKind.CONFLICT):
        ask(world.officer, request.request_id, "Park")


def test_a_participant_watches_and_history_has_it(world: World) -> None:
    request, lee = _asked(world, "Lee"), _staff(world, "Lee")
    (waiting,) = world.custody.awaited_answers(lee)
    assert (waiting.request.request_id, waiting.shown, waiting.answer) == (request.request_id, True, None)
    view = _watch(world, lee, request).view
    opened = world.custody.open_view(view.view_id)
    assert (opened.decision.allowed, opened.decision.showing) == (True, Showing.PEOPLE)
    assert _last(world, "view-started")["result_of"] == request.request_id
    assert "result-shown" not in world.acts(), "nothing of it is open yet, and may not be there"
    ids = [each.header.meta.segment_id for each in world.custody.view_segments(view.view_id)]
    for some in (ids[:2], ids[2:3]):
        assert world.custody.log_result_opening(view.view_id, some) == request.request_id
    assert world.acts().count("result-shown") == 1, "once for a view"
    assert _last(world, "result-shown") == {
        "view": view.view_id,
        "participant": "Lee",
        "camera": "or1-wall",
        "showing": "people-masked",
    }
    assert _last(world, "keys-opened")["purpose"] == "result"
    seen = world.custody.recording_access(world.officer, request.wish.case_id).seen
    assert [each.account_id for each in seen] == [lee.account_id]


def test_nobody_else_learns_that_there_is_a_result(world: World) -> None:
    request = _asked(world, "Lee")
    elsewhere = Scope(ScopeKind.ROOM, "OR 2")
    for stranger in (_staff(world, "Park"), _staff(world, "Kim"), _staff(world, "Lee", elsewhere)):
        assert world.custody.awaited_answers(stranger) == []
        with raises(ErrorKind.NOT_FOUND):
            _watch(world, stranger, request)
    for role, account in world.accounts.items():
        expected = ErrorKind.NOT_FOUND if role is Role.CLINICAL_STAFF else ErrorKind.FORBIDDEN
        with raises(expected):
            _watch(world, account, request)
    lee = _staff(world, "Lee")
    with raises(ErrorKind.NOT_FOUND):
        _watch(world, lee, request, "or1-ceiling")
    _watch(world, lee, request)


def test_of_several_who_bear_the_name_none_is_asked_until_one_is_named(world: World) -> None:
    request = _submitted(world)
    ask, request_id = world.custody.ask_participant, request.request_id
    ask(world.manager, request_id, "Lee")
    lee, namesake = _staff(world, "Lee"), _staff(world, "LEE", SITE)
    kim = _staff(world, "Kim")
    for account in ("auditor", "nobody.there", kim.name):
        with raises(ErrorKind.NOT_FOUND):
            ask(world.manager, request_id, "Lee", account=account)
    _made(world, request)
    for either in (lee, namesake):
        with raises(ErrorKind.NOT_FOUND):
            _watch(world, either, request)
        with raises(ErrorKind.NOT_FOUND):
            world.custody.answer_result(either, request_id, "Lee", agrees=True)
    world.custody.withdraw_consent(world.manager, request_id, 0, "No more.")
    ask(world.manager, request_id, "Lee", account=namesake.name)
    world.custody.add_consents(
        world.manager, request_id, [consented(Subject.PATIENT, "Han", paper_sha256=PAPER)]
    )
    _made(world, request)
    with raises(ErrorKind.NOT_FOUND):
        _watch(world, lee, request)
    _watch(world, namesake, request)
    world.custody.answer_result(namesake, request_id, "Lee", agrees=True)
    assert _now(world, request).state is RequestState.READY


def test_a_view_of_a_result_opens_no_segment_and_one_of_a_recording_no_result(world: World) -> None:
    request, lee = _asked(world, "Lee"), _staff(world, "Lee")
    view_id = _watch(world, lee, request).view.view_id
    ids = [each.header.meta.segment_id for each in world.custody.view_segments(view_id)]
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_view_opening(view_id, ids)
    for wrong in ([], ["unknown"]):
        with raises(ErrorKind.GRANT_MISSING):
            world.custody.log_result_opening(view_id, wrong)
    wish = request.wish
    stored = world.custody.ask_stored(
        world.officer, "s-1", wish.case_id, "or1-wall", wish.from_us, wish.to_us
    )
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_result_opening(stored.view.view_id, ids)


def test_not_before_a_second_look_was_decided_on(world: World) -> None:
    request, lee = _asked(world, "Lee", look=FOUND), _staff(world, "Lee")
    with raises(ErrorKind.CONFLICT):
        _watch(world, lee, request)
    assert not world.custody.awaited_answers(lee)[0].shown
    world.custody.release_export(world.officer, request.request_id, "A poster.")
    assert _now(world, request).state is RequestState.REVIEW
    _watch(world, lee, request)


def test_what_shows_people_is_watched_by_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    request, lee = _asked(world, "Lee"), _staff(world, "Lee")
    view_id = _watch(world, lee, request).view.view_id
    monkeypatch.setattr(Redaction, "clear", property(lambda self: True))
    assert not world.custody.views_now([view_id])[view_id].allowed
    with raises(ErrorKind.CONFLICT):
        _watch(world, lee, request)


@pytest.mark.parametrize("step", ["withdrawn", "refused", "revoked", "expired", "answered", "signed out"])
def test_what_ends_a_view_of_a_result(world: World, step: str) -> None:
    request, lee = _asked(world, "Lee"), _staff(world, "Lee")
    session = world.custody.sign_in(lee.name, PASSWORD).session.session_id
    view_id = world.custody.ask_result(lee, session, request.request_id, "or1-wall").view.view_id
    assert world.custody.views_now([view_id])[view_id].allowed
    if step == "withdrawn":
        world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    elif step == "refused":
        world.custody.refuse_export(world.officer, request.request_id, "No.")
    elif step == "revoked":
        world.custody.revoke_export(world.officer, request.request_id, "No.")
    elif step == "expired":
        world.clock.us = request.validity.until_us
        world.custody.expire_due()
    elif step == "answered":
        world.custody.answer_result(lee, request.request_id, "Lee", agrees=True)
    else:
        world.custody.sign_out(lee, session)
    assert not world.custody.views_now([view_id])[view_id].allowed
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.log_result_opening(view_id, ["any"])
    if step != "signed out":
        assert world.custody.results_over([request.request_id]) == [request.request_id]


def test_a_consent_that_comes_back_opens_no_old_view(world: World) -> None:
    request, lee = _asked(world, "Lee"), _staff(world, "Lee")
    view_id = _watch(world, lee, request).view.view_id
    world.clock.us += 1
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    anew = consented(Subject.PATIENT, "Han", paper_sha256=PAPER)
    world.custody.add_consents(world.manager, request.request_id, [anew])
    assert _made(world, request).state is RequestState.REVIEW, "who was asked is asked again"
    assert not world.custody.views_now([view_id])[view_id].allowed
    _watch(world, lee, request)


def test_the_quick_mask_makes_a_mosaic_of_a_result_until_a_new_view(world: World) -> None:
    request, lee = _asked(world, "Lee"), _staff(world, "Lee")
    world.custody.set_mask(world.officer)
    world.clock.us += 1
    view_id = _watch(world, lee, request).view.view_id
    assert world.custody.views_now([view_id])[view_id].showing is Showing.PEOPLE
    world.custody.set_mask(world.officer)
    assert world.custody.views_now([view_id])[view_id].showing is Showing.MASKED
    world.clock.us += 1
    again = _watch(world, lee, request).view.view_id
    assert world.custody.views_now([again])[again].showing is Showing.PEOPLE


def test_an_outstanding_answer_is_waived_under_four_eyes_with_a_reason(world: World) -> None:
    request = _submitted(world)
    world.custody.ask_participant(world.manager, request.request_id, "Lee")
    waive, request_id = world.custody.waive_answer, request.request_id
    with raises(ErrorKind.CONFLICT):
        waive(world.officer, request_id, "Lee", "On leave.")  # there is no result yet
    _made(world, request)
    with raises(ErrorKind.SELF_APPROVAL):
        waive(world.manager, request_id, "Lee", "On leave.")
    with raises(ErrorKind.FORBIDDEN):
        waive(world.accounts[Role.AUDITOR], request_id, "Lee", "On leave.")
    with raises(ErrorKind.BAD_REQUEST):
        waive(world.officer, request_id, "Lee", " ")
    with raises(ErrorKind.NOT_FOUND):
        waive(world.officer, request_id, "Kim", "On leave.")
    with raises(ErrorKind.CONFLICT):
        waive(world.officer, request_id, "Park", "Nobody asked him.")
    waived = waive(world.officer, request_id, "lee", "On leave.")
    assert waived.state is RequestState.READY
    assert _last(world, "answer-waived") == {"participant": "Lee", "reason": "On leave."}
    (asked,) = _now(world, request).asked
    assert (asked.waived_by, asked.waiver_reason) == (world.officer.account_id, "On leave.")
    register = world.custody.request_register(world.officer, None, None)
    assert request_register(register, {}).startswith(b"%PDF")
    with raises(ErrorKind.CONFLICT):
        waive(world.officer, request_id, "Lee", "Again.")


def test_an_officer_waives_nothing_of_their_own_request(world: World) -> None:
    wish = world.wish(world.recorded_case())
    request = world.custody.submit_export(world.officer, wish)
    world.custody.ask_participant(world.officer, request.request_id, "Lee")
    second = world.account(Role.PRIVACY_OFFICER, "second-officer")
    world.custody.approve_export(second, request.request_id)
    job = world.claimed()
    assert job.for_participants
    world.custody.finish_render(
        request.request_id, job.epoch, "p.orvault", 10, "f" * 64, second_look=NOTHING_LEFT
    )
    with raises(ErrorKind.SELF_APPROVAL):
        world.custody.waive_answer(world.officer, request.request_id, "Lee", "On leave.")
    assert world.custody.waive_answer(second, request.request_id, "Lee", "On leave.").state is (
        RequestState.READY
    )


def test_a_no_is_not_waived_and_outweighs_a_waiver(world: World) -> None:
    request, lee = _asked(world, "Lee", "Park"), _staff(world, "Lee")
    say, waive = world.custody.answer_result, world.custody.waive_answer
    say(lee, request.request_id, "Lee", agrees=False)
    with raises(ErrorKind.CONFLICT):
        waive(world.officer, request.request_id, "Lee", "Never mind.")
    waive(world.officer, request.request_id, "Park", "On leave.")
    say(_staff(world, "Park"), request.request_id, "Park", agrees=False)
    say(lee, request.request_id, "Lee", agrees=True)
    assert _now(world, request).state is RequestState.REVIEW


def test_who_is_not_asked_cannot_answer_and_learns_nothing(world: World) -> None:
    request, park = _asked(world, "Lee"), _staff(world, "Park")
    said = []
    for request_id, name in ((request.request_id, "Park"), (request.request_id, "Lee"), ("unknown", "Park")):
        with raises(ErrorKind.NOT_FOUND) as caught:
            world.custody.answer_result(park, request_id, name, agrees=False)
        said.append(caught.value.message.replace(request_id, ""))
    assert len(set(said)) == 1 and "result-answered" not in world.acts()


def test_a_no_on_paper_of_somebody_who_was_not_asked_holds_the_result(world: World) -> None:
    request, lee = _asked(world, "Lee"), _staff(world, "Lee")
    say = world.custody.answer_result
    say(world.officer, request.request_id, "Park", agrees=False, document_sha256=PAPER)
    say(lee, request.request_id, "Lee", agrees=True)
    assert _now(world, request).state is RequestState.REVIEW
    with raises(ErrorKind.CONFLICT):
        world.custody.waive_answer(world.officer, request.request_id, "Park", "Nobody asked him.")
    say(world.officer, request.request_id, "park", agrees=True, document_sha256=PAPER)
    assert _now(world, request).state is RequestState.READY


def test_an_answer_says_whether_its_participant_had_watched_this_result(world: World) -> None:
    request = _asked(world, "Lee", "Park")
    lee, park = _staff(world, "Lee"), _staff(world, "Park")

    def look(by: Account) -> None:
        view = _watch(world, by, request).view
        ids = [each.header.meta.segment_id for each in world.custody.view_segments(view.view_id)]
        world.custody.log_result_opening(view.view_id, ids)

    def answered(by: Account) -> tuple[object, str]:
        world.custody.answer_result(by, request.request_id, by.display_name, agrees=False)
        dossier = world.custody.export_dossier(world.officer, request.request_id)
        (entry,) = [each for each in dossier.entries if each.act == Act.RESULT_ANSWERED][-1:]
        assert export_report(dossier, {}).startswith(b"%PDF")
        return json.loads(entry.detail)["watched"], words_of(entry)[1]

    _watch(world, lee, request)  # to ask for a view is not to watch
    assert answered(lee) == (False, "Participant's answer, without watching the result here")
    look(lee)
    assert answered(lee) == (True, "Participant's answer, after watching the result")
    assert answered(park)[0] is False, "another's look is not theirs"
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    anew = consented(Subject.PATIENT, "Han", paper_sha256=PAPER)
    world.custody.add_consents(world.manager, request.request_id, [anew])
    _made(world, request)
    assert answered(lee)[0] is False, "it was another result"
    world.custody.set_mask(world.officer)
    view = _watch(world, park, request).view
    world.clock.us += 1
    world.custody.set_mask(world.officer)
    ids = [each.header.meta.segment_id for each in world.custody.view_segments(view.view_id)]
    world.custody.log_result_opening(view.view_id, ids)
    assert answered(park)[0] is False, "a mosaic shows nothing"


def test_an_answer_from_before_that_was_noted_is_told_as_it_was() -> None:
    entry = make_entry(1, 1, "account:a", Act.RESULT_ANSWERED, "export:e", {"agrees": True})
    assert words_of(entry) == ("참여자 확인", "Participant's answer")


def test_what_was_waived_was_about_that_result(world: World) -> None:
    request = _asked(world, "Lee", "Park")
    world.custody.waive_answer(world.officer, request.request_id, "Park", "On leave.")
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    assert [each.waived_by for each in _now(world, request).asked] == [None, None]


def test_those_asked_are_told_by_mail_where_they_read_it(world: World) -> None:
    begin = world.ledger.uow
    with begin(read_only=True) as uow:
        size = uow.history.size()
    request = _asked(world, "Lee")
    told = {mail.subject.rpartition("/ ")[2]: mail for mail in world.custody.mails_from(size).mails}
    mail = told["A masked result waits for its participants to look at it and answer"]
    assert mail.to == ("Lee@hospital.test",) and request.request_id in mail.body
    assert "Due" in mail.body and "Han" not in mail.body
    assert all(not other.to for other in told.values() if other is not mail)


def test_a_leaked_look_is_traced_to_those_who_were_asked(world: World) -> None:
    request = _asked(world, "Lee")
    copies = {copy.package_id: copy.recipients for copy in world.custody.registered_copies()}
    assert copies[request.request_id] == ("Lee",) and copies[request.package_id or ""] == ("Court",)


def test_marks_are_given_out_for_the_participants_copy_of_this_request(world: World) -> None:
    request = _submitted(world)
    world.custody.ask_participant(world.manager, request.request_id, "Lee")
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    ids = [copy.package_id for copy in job.request.copies]
    world.custody.check_marking(request.request_id, "or1-wall", [*ids, request.request_id])
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.check_marking(request.request_id, "or1-wall", [replace(request).requested_by])
