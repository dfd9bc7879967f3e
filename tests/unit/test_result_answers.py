"""What those who were asked answer to a result, what is waived for them, and how they are told."""

from __future__ import annotations

import json
from dataclasses import replace

from orvault.custody.account import Account, Role
from orvault.custody.consents import Subject
from orvault.custody.history import Act, make_entry
from orvault.custody.steps import RequestState
from orvault.errors import ErrorKind
from orvault.papers.export_report import export_report, words_of
from orvault.papers.requests import request_register
from tests.fakes import NOTHING_LEFT, World, consented
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


def test_an_outstanding_answer_is_waived_under_four_eyes_with_a_reason(world: World) -> None:
    request = submitted_wish(world)
    world.custody.ask_participant(world.manager, request.request_id, "Lee")
    waive, request_id = world.custody.waive_answer, request.request_id
    with raises(ErrorKind.CONFLICT):
        waive(world.officer, request_id, "Lee", "On leave.")  # there is no result yet
    made_result(world, request)
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
    assert last_told(world, "answer-waived") == {"participant": "Lee", "reason": "On leave."}
    (asked,) = as_it_is_now(world, request).asked
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
    request, lee = asked_of(world, "Lee", "Park"), clinician(world, "Lee")
    say, waive = world.custody.answer_result, world.custody.waive_answer
    say(lee, request.request_id, "Lee", agrees=False)
    with raises(ErrorKind.CONFLICT):
        waive(world.officer, request.request_id, "Lee", "Never mind.")
    waive(world.officer, request.request_id, "Park", "On leave.")
    say(clinician(world, "Park"), request.request_id, "Park", agrees=False)
    say(lee, request.request_id, "Lee", agrees=True)
    assert as_it_is_now(world, request).state is RequestState.REVIEW


def test_who_is_not_asked_cannot_answer_and_learns_nothing(world: World) -> None:
    request, park = asked_of(world, "Lee"), clinician(world, "Park")
    said = []
    for request_id, name in ((request.request_id, "Park"), (request.request_id, "Lee"), ("unknown", "Park")):
        with raises(ErrorKind.NOT_FOUND) as caught:
            world.custody.answer_result(park, request_id, name, agrees=False)
        said.append(caught.value.message.replace(request_id, ""))
    assert len(set(said)) == 1 and "result-answered" not in world.acts()


def test_a_no_on_paper_of_somebody_who_was_not_asked_holds_the_result(world: World) -> None:
    request, lee = asked_of(world, "Lee"), clinician(world, "Lee")
    say = world.custody.answer_result
    say(world.officer, request.request_id, "Park", agrees=False, document_sha256=PAPER)
    say(lee, request.request_id, "Lee", agrees=True)
    assert as_it_is_now(world, request).state is RequestState.REVIEW
    with raises(ErrorKind.CONFLICT):
        world.custody.waive_answer(world.officer, request.request_id, "Park", "Nobody asked him.")
    say(world.officer, request.request_id, "park", agrees=True, document_sha256=PAPER)
    assert as_it_is_now(world, request).state is RequestState.READY


def test_an_answer_says_whether_its_participant_had_watched_this_result(world: World) -> None:
    request = asked_of(world, "Lee", "Park")
    lee, park = clinician(world, "Lee"), clinician(world, "Park")

    def look(by: Account) -> None:
        view = watch_result(world, by, request).view
        ids = [each.header.meta.segment_id for each in world.custody.view_segments(view.view_id)]
        world.custody.log_result_opening(view.view_id, ids)

    def answered(by: Account) -> tuple[object, str]:
        world.custody.answer_result(by, request.request_id, by.display_name, agrees=False)
        dossier = world.custody.export_dossier(world.officer, request.request_id)
        (entry,) = [each for each in dossier.entries if each.act == Act.RESULT_ANSWERED][-1:]
        assert export_report(dossier, {}).startswith(b"%PDF")
        return json.loads(entry.detail)["watched"], words_of(entry)[1]

    watch_result(world, lee, request)  # to ask for a view is not to watch
    assert answered(lee) == (False, "Participant's answer, without watching the result here")
    look(lee)
    assert answered(lee) == (True, "Participant's answer, after watching the result")
    assert answered(park)[0] is False, "another's look is not theirs"
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    anew = consented(Subject.PATIENT, "Han", paper_sha256=PAPER)
    world.custody.add_consents(world.manager, request.request_id, [anew])
    made_result(world, request)
    assert answered(lee)[0] is False, "it was another result"
    world.custody.set_mask(world.officer)
    view = watch_result(world, park, request).view
    world.clock.us += 1
    world.custody.set_mask(world.officer)
    ids = [each.header.meta.segment_id for each in world.custody.view_segments(view.view_id)]
    world.custody.log_result_opening(view.view_id, ids)
    assert answered(park)[0] is False, "a mosaic shows nothing"


def test_an_answer_from_before_that_was_noted_is_told_as_it_was() -> None:
    entry = make_entry(1, 1, "account:a", Act.RESULT_ANSWERED, "export:e", {"agrees": True})
    assert words_of(entry) == ("참여자 확인", "Participant's answer")


def test_what_was_waived_was_about_that_result(world: World) -> None:
    request = asked_of(world, "Lee", "Park")
    world.custody.waive_answer(world.officer, request.request_id, "Park", "On leave.")
    world.custody.withdraw_consent(world.manager, request.request_id, 0, "No more.")
    assert [each.waived_by for each in as_it_is_now(world, request).asked] == [None, None]


def test_those_asked_are_told_by_mail_where_they_read_it(world: World) -> None:
    begin = world.ledger.uow
    with begin(read_only=True) as uow:
        size = uow.history.size()
    request = asked_of(world, "Lee")
    told = {mail.subject.rpartition("/ ")[2]: mail for mail in world.custody.mails_from(size).mails}
    mail = told["A masked result waits for its participants to look at it and answer"]
    assert mail.to == ("Lee@hospital.test",) and request.request_id in mail.body
    assert "Due" in mail.body and "Han" not in mail.body
    assert all(not other.to for other in told.values() if other is not mail)


def test_a_leaked_look_is_traced_to_those_who_were_asked(world: World) -> None:
    request = asked_of(world, "Lee")
    copies = {copy.package_id: copy.recipients for copy in world.custody.registered_copies()}
    assert copies[request.request_id] == ("Lee",) and copies[request.package_id or ""] == ("Court",)


def test_marks_are_given_out_for_the_participants_copy_of_this_request(world: World) -> None:
    request = submitted_wish(world)
    world.custody.ask_participant(world.manager, request.request_id, "Lee")
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    ids = [copy.package_id for copy in job.request.copies]
    world.custody.check_marking(request.request_id, "or1-wall", [*ids, request.request_id])
    with raises(ErrorKind.GRANT_MISSING):
        world.custody.check_marking(request.request_id, "or1-wall", [replace(request).requested_by])
