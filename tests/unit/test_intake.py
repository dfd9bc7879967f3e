"""Cases from their intake: who asked, refusals by the law's list, patient references that the ledger never holds."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from orvault.clock import utc_iso
from orvault.custody.account import Role
from orvault.custody.case import CasePlan, CaseState
from orvault.custody.history import Act
from orvault.custody.intake import AskedBy, Intake, RefusalReason
from orvault.custody.patients import NO_PATIENTS, PatientKey
from orvault.errors import ErrorKind
from tests.fakes import World
from tests.refusals import raises
from tests.unit.api_support import is_problem, make_api

REFERENCE = "PT-0012345"
YEAR_US = 365 * 24 * 3600 * 1_000_000


def _plan(world: World, number: str = "N-1", reference: str = REFERENCE) -> CasePlan:
    now = world.clock.now_us()
    intake = Intake(AskedBy.GUARDIAN, now - 1, "ab" * 32)
    return CasePlan(number, "OR 1", now, "Form 1", ("Lee",), intake, reference)


def test_who_asked_is_kept(world: World) -> None:
    case = world.custody.plan_case(world.manager, _plan(world))
    read = world.custody.case(world.officer, case.case_id).case
    assert read == case and read.intake == Intake(AskedBy.GUARDIAN, world.clock.us - 1, "ab" * 32)
    for wrong in (Intake(AskedBy.PATIENT, world.clock.us + 1, "ab" * 32), Intake(AskedBy.PATIENT, 1, "ab")):
        with raises(ErrorKind.BAD_REQUEST):
            plan = CasePlan("N-2", "OR 1", 1, "Form 1", (), wrong)
            world.custody.plan_case(world.manager, plan)


def test_patient_is_found_however_it_is_typed_and_every_look_is_told(world: World) -> None:
    first = world.custody.plan_case(world.manager, _plan(world))
    world.custody.plan_case(world.manager, _plan(world, "N-2", "PT-9"))
    world.clock.us += 1000
    second = world.custody.plan_case(world.manager, _plan(world, "N-3"))
    found = world.custody.cases_of_patient(world.manager, " pt-００12345 ")
    assert [case.case_id for case in found] == [second.case_id, first.case_id]
    assert world.custody.patient_of(world.manager, first.case_id) == REFERENCE.casefold()
    assert world.acts()[-2:] == ["patient-searched", "patient-shown"]
    with raises(ErrorKind.FORBIDDEN):
        world.custody.patient_of(world.accounts[Role.SYSTEM_ADMINISTRATOR], first.case_id)


def test_reference_is_in_no_file_and_no_log(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    case = world.custody.plan_case(world.manager, _plan(world))
    world.custody.cases_of_patient(world.manager, REFERENCE)
    assert "0012345" not in repr(case) + repr(_plan(world)) + caplog.text
    files = list(tmp_path.iterdir())
    assert files and not [file for file in files if b"0012345" in file.read_bytes()]


def test_sealed_reference_belongs_to_its_case_and_key(world: World) -> None:
    key, other = PatientKey(lambda: b"k" * 32), PatientKey(lambda: b"o" * 32)
    sealed = key.seal(REFERENCE, "case-1")
    assert key.open(sealed.sealed, "case-1") == REFERENCE.casefold()
    assert key.seal(REFERENCE, "case-1").sealed != sealed.sealed
    assert other.digest(REFERENCE) != sealed.digest == key.digest(REFERENCE)
    for opener, case_id in ((key, "case-2"), (other, "case-1")):
        with raises(ErrorKind.ALTERED):
            opener.open(sealed.sealed, case_id)
    with raises(ErrorKind.BAD_SETTINGS):
        NO_PATIENTS.digest(REFERENCE)


@pytest.mark.parametrize("reason", RefusalReason)
def test_refused_recording_is_closed_for_good_with_its_reason(world: World, reason: RefusalReason) -> None:
    case = world.custody.plan_case(world.manager, _plan(world))
    with raises(ErrorKind.BAD_REQUEST):
        world.custody.refuse_recording(world.manager, case.case_id, reason, " ")
    world.custody.refuse_recording(world.manager, case.case_id, reason, "Operated on at once.")
    read = world.custody.case(world.officer, case.case_id).case
    assert read.state is CaseState.CLOSED and read.refusal is not None and read.refusal.reason is reason
    assert read.refusal.kept_until_us >= world.clock.us + 3 * YEAR_US
    with raises(ErrorKind.CONFLICT):
        world.custody.arm_case(world.manager, case.case_id)


def test_what_was_recorded_is_not_refused(world: World) -> None:
    case = world.recorded_case()
    with raises(ErrorKind.CONFLICT):
        world.custody.refuse_recording(world.manager, case.case_id, RefusalReason.TOO_LATE, "Late.")


def test_an_armed_case_that_was_never_recorded_is_closed_with_its_reason(world: World) -> None:
    case = world.armed_case()
    refused = world.custody.refuse_recording(
        world.manager, case.case_id, RefusalReason.EMERGENCY, "Bled at once."
    )
    assert refused.state is CaseState.CLOSED and refused.closed_us == world.clock.us
    with raises(ErrorKind.CONFLICT):
        world.custody.refuse_recording(world.manager, case.case_id, RefusalReason.EMERGENCY, "Twice.")


def test_a_request_that_was_not_followed_is_told_and_its_reason_can_still_be_given(world: World) -> None:
    case = world.custody.plan_case(world.manager, _plan(world))
    world.custody.arm_case(world.manager, case.case_id)
    world.custody.close_case(world.manager, case.case_id)
    closed_us = world.clock.us
    assert world.acts().count(Act.CASE_UNRECORDED) == 1
    (mail,) = world.custody.mails_from(0).mails
    assert case.case_id in mail.body and "unrecorded" in mail.subject
    world.clock.us += 60_000_000
    read = world.custody.refuse_recording(world.manager, case.case_id, RefusalReason.TRAINING, "A resident.")
    assert (read.closed_us, read.refusal is not None) == (closed_us, True)
    other = world.armed_case(number="2026-9")  # nobody asked for this one
    world.custody.close_case(world.manager, other.case_id)
    assert world.acts().count(Act.CASE_UNRECORDED) == 1


def test_over_http(tmp_path: Path) -> None:
    api, manager = make_api(tmp_path), Role.RECORDS_MANAGER
    now = utc_iso(api.world.clock.now_us())
    body = {
        "number": "N-1",
        "room": "OR 1",
        "planned_at": now,
        "recording_request": "Form 1",
        "asked": {"by": "patient", "at": now, "document_sha256": "ab" * 32},
        "patient_reference": REFERENCE,
    }
    made = api.post("cases", manager, json=body)
    assert made.status_code == 201 and "0012345" not in made.text and made.json()["has_patient"]
    case_id = made.json()["id"]
    (found,) = api.post("cases/find", manager, json={"patient_reference": REFERENCE}).json()
    assert found["id"] == case_id and found["asked"]["by"] == "patient"
    assert api.get(f"cases/{case_id}/patient", manager).json() == {"patient_reference": "pt-0012345"}
    refused = {"reason": "because", "note": "No."}
    assert is_problem(
        api.post(f"cases/{case_id}/refuse-recording", manager, json=refused), 400, "bad-request"
    )
    refused["reason"] = "too-late"
    answer = api.post(f"cases/{case_id}/refuse-recording", manager, json=refused).json()
    assert (answer["state"], answer["refused"]["reason"]) == ("closed", "too-late")
