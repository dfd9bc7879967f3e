"""Participants look at a masked result before it leaves: who is asked, who may watch, what is waived."""

from __future__ import annotations

import pytest

from orvault.custody.account import Role
from orvault.custody.consents import Subject
from orvault.custody.export_policy import ExportPolicy
from orvault.custody.mails import Audience
from orvault.custody.scope import SITE, Scope, ScopeKind
from orvault.custody.second_look import SecondLook, Trial
from orvault.custody.steps import RequestState
from orvault.custody.terms import DAY_US, Redaction
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind
from tests.fakes import PASSWORD, World, consented
from tests.refusals import raises
from tests.unit.result_support import (
    PAPER,
    as_it_is_now,
    asked_of,
    clinician,
    last_told,
    made_result,
    submitted_wish,
    watch_result,
)

FOUND = SecondLook(9, 2, (), Trial.SEEN)


def test_who_is_asked_for_one_request_alone_is_waited_for(world: World) -> None:
    request = asked_of(world, "lee")
    assert request.state is RequestState.REVIEW
    assert [(each.participant, each.asked_by) for each in request.asked] == [
        ("Lee", world.manager.account_id)
    ]
    assert request.answers_due_us == world.clock.us + 10 * DAY_US
    assert last_told(world, "participants-named") == {"participant": "Lee", "mail": True, "account": None}
    assert last_told(world, "answers-awaited") == {"participants": ["Lee"], "due_us": request.answers_due_us}
    world.custody.answer_result(clinician(world, "Lee"), request.request_id, "Lee", agrees=True)
    assert as_it_is_now(world, request).state is RequestState.READY


def test_who_has_not_answered_is_reminded_of_once_at_each_distance(world: World) -> None:
    request = asked_of(world, "Lee", "Park")
    world.custody.answer_result(clinician(world, "Lee"), request.request_id, "Lee", agrees=False)
    told = []
    for _ in range(12):
        told.append(world.custody.remind_answers())
        assert world.custody.remind_answers() == 0
        world.clock.us += DAY_US
    assert [day for day, noted in enumerate(told) if noted] == [7, 9, 10]
    due = {"participants": ["Park"], "due_us": request.answers_due_us, "overdue": True}
    assert last_told(world, "answers-due") == due
    mails = [mail for mail in world.custody.mails_from(0).mails if "due" in mail.subject]
    assert [mail.to for mail in mails] == [("Park@hospital.test",)] * 3
    assert all(mail.audiences == set(Audience) and "Park" not in mail.body for mail in mails)


def test_who_answered_or_was_waived_is_not_reminded(world: World) -> None:
    request = asked_of(world, "Lee", "Park")
    world.custody.answer_result(clinician(world, "Lee"), request.request_id, "Lee", agrees=True)
    world.clock.us += 8 * DAY_US
    assert world.custody.remind_answers() == 1
    world.custody.waive_answer(world.officer, request.request_id, "Park", "On leave.")
    world.clock.us += 8 * DAY_US
    assert world.custody.remind_answers() == 0


def test_where_nobody_is_asked_nothing_waits(world: World) -> None:
    made = asked_of(world)
    assert (made.state, made.answers_due_us, made.asked) == (RequestState.READY, None, ())


def test_who_the_site_asks_stands_in_the_request_too(world: World) -> None:
    world.custody._exports = ExportPolicy(participants_review=True)
    request = asked_of(world, "Park")
    assert [(each.participant, each.asked_by is None) for each in request.asked] == [
        ("Park", False),
        ("Lee", True),
    ]


def test_asking_is_for_participants_and_before_the_result_is_made(world: World) -> None:
    request = submitted_wish(world)
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
    assert [each.mail for each in as_it_is_now(world, request).asked] == ["other@hospital.test"]
    made_result(world, request)
    with raises(ErrorKind.CONFLICT):
        ask(world.officer, request.request_id, "Park")


def test_a_participant_watches_and_history_has_it(world: World) -> None:
    request, lee = asked_of(world, "Lee"), clinician(world, "Lee")
    (waiting,) = world.custody.awaited_answers(lee)
    assert (waiting.request.request_id, waiting.shown, waiting.answer) == (request.request_id, True, None)
    view = watch_result(world, lee, request).view
    opened = world.custody.open_view(view.view_id)
    assert (opened.decision.allowed, opened.decision.showing) == (True, Showing.PEOPLE)
    assert last_told(world, "view-started")["result_of"] == request.request_id
    assert "result-shown" not in world.acts(), "nothing of it is open yet, and may not be there"
    ids = [each.header.meta.segment_id for each in world.custody.view_segments(view.view_id)]
    for some in (ids[:2], ids[2:3]):
        assert world.custody.log_result_opening(view.view_id, some) == request.request_id
    assert world.acts().count("result-shown") == 1, "once for a view"
    assert last_told(world, "result-shown") == {
        "view": view.view_id,
        "participant": "Lee",
        "camera": "or1-wall",
        "showing": "people-masked",
    }
    assert last_told(world, "keys-opened")["purpose"] == "result"
    seen = world.custody.recording_access(world.officer, request.wish.case_id).seen
    assert [each.account_id for each in seen] == [lee.account_id]


def test_nobody_else_learns_that_there_is_a_result(world: World) -> None:
    request = asked_of(world, "Lee")
    elsewhere = Scope(ScopeKind.ROOM, "OR 2")
    for stranger in (
        clinician(world, "Park"),
        clinician(world, "Kim"),
        clinician(world, "Lee", elsewhere),
    ):
        assert world.custody.awaited_answers(stranger) == []
        with raises(ErrorKind.NOT_FOUND):
            watch_result(world, stranger, request)
    for role, account in world.accounts.items():
        expected = ErrorKind.NOT_FOUND if role is Role.CLINICAL_STAFF else ErrorKind.FORBIDDEN
        with raises(expected):
            watch_result(world, account, request)
    lee = clinician(world, "Lee")
    with raises(ErrorKind.NOT_FOUND):
        watch_result(world, lee, request, "or1-ceiling")
    watch_result(world, lee, request)


def test_of_several_who_bear_the_name_none_is_asked_until_one_is_named(world: World) -> None:
    request = submitted_wish(world)
    ask, request_id = world.custody.ask_participant, request.request_id
    ask(world.manager, request_id, "Lee")
    lee, namesake = clinician(world, "Lee"), clinician(world, "LEE", SITE)
    kim = clinician(world, "Kim")
    for account in ("auditor", "nobody.there", kim.name):
        with raises(ErrorKind.NOT_FOUND):
            ask(world.manager, request_id, "Lee", account=account)
    made_result(world, request)
    for either in (lee, namesake):
        with raises(ErrorKind.NOT_FOUND):
            watch_result(world, either, request)
        with raises(ErrorKind.NOT_FOUND):
            world.custody.answer_result(either, request_id, "Lee", agrees=True)
    world.custody.withdraw_consent(world.manager, request_id, 0, "No more.")
    ask(world.manager, request_id, "Lee", account=namesake.name)
    world.custody.add_consents(
        world.manager, request_id, [consented(Subject.PATIENT, "Han", paper_sha256=PAPER)]
    )
    made_result(world, request)
    with raises(ErrorKind.NOT_FOUND):
        watch_result(world, lee, request)
    watch_result(world, namesake, request)
    world.custody.answer_result(namesake, request_id, "Lee", agrees=True)
    assert as_it_is_now(world, request).state is RequestState.READY


def test_a_view_of_a_result_opens_no_segment_and_one_of_a_recording_no_result(world: World) -> None:
    request, lee = asked_of(world, "Lee"), clinician(world, "Lee")
    view_id = watch_result(world, lee, request).view.view_id
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
    request, lee = asked_of(world, "Lee", look=FOUND), clinician(world, "Lee")
    with raises(ErrorKind.CONFLICT):
        watch_result(world, lee, request)
    assert not world.custody.awaited_answers(lee)[0].shown
    world.custody.release_export(world.officer, request.request_id, "A poster.")
    assert as_it_is_now(world, request).state is RequestState.REVIEW
    watch_result(world, lee, request)


def test_what_shows_people_is_watched_by_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    request, lee = asked_of(world, "Lee"), clinician(world, "Lee")
    view_id = watch_result(world, lee, request).view.view_id
    monkeypatch.setattr(Redaction, "clear", property(lambda self: True))
    assert not world.custody.views_now([view_id])[view_id].allowed
    with raises(ErrorKind.CONFLICT):
        watch_result(world, lee, request)


@pytest.mark.parametrize("step", ["withdrawn", "refused", "revoked", "expired", "answered", "signed out"])
def test_what_ends_a_view_of_a_result(world: World, step: str) -> None:
    request, lee = asked_of(world, "Lee"), clinician(world, "Lee")
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
    request, lee = asked_of(world, "Lee"), clinician(world, "Lee")
    view_id = watch_result(world, lee, request).view.view_id
    world.clock.us += 1
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    anew = consented(Subject.PATIENT, "Han", paper_sha256=PAPER)
    world.custody.add_consents(world.manager, request.request_id, [anew])
    assert made_result(world, request).state is RequestState.REVIEW, "who was asked is asked again"
    assert not world.custody.views_now([view_id])[view_id].allowed
    watch_result(world, lee, request)


def test_the_quick_mask_makes_a_mosaic_of_a_result_until_a_new_view(world: World) -> None:
    request, lee = asked_of(world, "Lee"), clinician(world, "Lee")
    world.custody.set_mask(world.officer)
    world.clock.us += 1
    view_id = watch_result(world, lee, request).view.view_id
    assert world.custody.views_now([view_id])[view_id].showing is Showing.PEOPLE
    world.custody.set_mask(world.officer)
    assert world.custody.views_now([view_id])[view_id].showing is Showing.MASKED
    world.clock.us += 1
    again = watch_result(world, lee, request).view.view_id
    assert world.custody.views_now([again])[again].showing is Showing.PEOPLE
