"""How long recordings are kept: the floor, the ceiling, what stops a destruction, holds under four eyes, the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orvault.custody.account import Role
from orvault.custody.case import Case
from orvault.custody.destruction import Step
from orvault.custody.retention import (
    DAY_US,
    FLOOR_DAYS,
    CaseFacts,
    Extension,
    Hold,
    Recorded,
    RetentionPolicy,
    Stop,
    judge,
)
from orvault.custody.steps import RequestState
from orvault.errors import ErrorKind
from tests.fakes import World, make_world, sqlite_url
from tests.refusals import refusal

ENDED = 1_800_000_000 * 1_000_000
RECORDED = Recorded("case-1", "2026-1", "OR 1", ENDED, 2, 0, ENDED, ENDED - DAY_US, ENDED, 10, 4096)
POLICY = RetentionPolicy()
HOLD = Hold("hold-1", "case-1", "proceedings", "2026-77", "account-1", ENDED)
EXTENSION = Extension("e-1", "case-1", ENDED + 60 * DAY_US, "asked", "form 3", "account-1", ENDED)


def stops(facts: CaseFacts, days: float, policy: RetentionPolicy = POLICY) -> list[Stop]:
    return [each.stop for each in judge(facts, policy, ENDED + round(days * DAY_US)).obstacles]


def test_the_floor_stands_to_the_microsecond() -> None:
    facts = CaseFacts(RECORDED)
    due_us = ENDED + FLOOR_DAYS * DAY_US
    assert not judge(facts, POLICY, due_us - 1).due and judge(facts, POLICY, due_us).due
    assert judge(facts, POLICY, due_us).due_us == due_us


def test_the_floor_may_be_raised_and_never_lowered() -> None:
    longer = RetentionPolicy(keep_us=45 * DAY_US)
    assert (
        stops(CaseFacts(RECORDED), 40, longer) == [Stop.FLOOR]
        and stops(CaseFacts(RECORDED), 45, longer) == []
    )
    error = refusal(lambda: RetentionPolicy(keep_us=30 * DAY_US - 1))
    assert error.kind is ErrorKind.BAD_SETTINGS and "never lowered" in error.message
    assert refusal(lambda: RetentionPolicy(ceiling_us=29 * DAY_US)).kind is ErrorKind.BAD_SETTINGS


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ({"recorded": replace(RECORDED, closed_us=None)}, Stop.NOT_CLOSED),
        ({"recorded": replace(RECORDED, open_runs=1)}, Stop.RECORDING),
        ({"extension": EXTENSION}, Stop.EXTENDED),
        ({"holds": (HOLD,)}, Stop.HOLD),
        ({"requests": ("request-1",)}, Stop.REQUEST),
        ({"grants": ("grant-1",)}, Stop.VIEWING),
    ],
)
def test_each_of_them_alone_stops_it(changes: dict[str, object], stop: Stop) -> None:
    facts = replace(CaseFacts(RECORDED), **changes)  # type: ignore[arg-type]
    assert stops(facts, 31) == [stop]
    assert judge(facts, POLICY, ENDED + 31 * DAY_US).words


def test_every_reason_is_told_not_only_the_first() -> None:
    facts = CaseFacts(RECORDED, (HOLD,), EXTENSION, ("request-1", "request-2"), ("grant-1",))
    told = [Stop.FLOOR, Stop.EXTENDED, Stop.HOLD, Stop.REQUEST, Stop.REQUEST, Stop.VIEWING]
    assert stops(facts, 1) == told


def test_what_is_over_stops_nothing() -> None:
    lifted = replace(HOLD, lifted_by="account-2", lifted_us=ENDED + 1, lift_reason="settled")
    facts = CaseFacts(RECORDED, (lifted,), EXTENSION)
    assert stops(facts, 59) == [Stop.EXTENDED] and stops(facts, 60) == []
    assert "form 3" in judge(facts, POLICY, ENDED + 60 * DAY_US).rule


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite_url(tmp_path))
    yield made
    made.ledger.close()


@pytest.fixture
def case(world: World) -> Case:
    """A case that is due."""
    made = world.recorded_case(3)
    world.clock.us += 31 * DAY_US
    return made


def due(world: World) -> list[str]:
    return [item.recorded.case_id for item in world.custody.retention_plan(world.officer).due]


def why(world: World) -> dict[str, list[Stop]]:
    plan = world.custody.retention_plan(world.officer)
    return {item.recorded.case_id: [each.stop for each in item.verdict.obstacles] for item in plan.stopped}


def test_the_plan_shows_dates_and_sizes_and_what_stops_the_others(world: World, case: Case) -> None:
    young = world.recorded_case(2, "2026-2")
    plan = world.custody.retention_plan(world.officer)
    (item,) = plan.due
    assert item.recorded.case_id == case.case_id and item.recorded.number == "2026-1"
    assert (item.recorded.segments, item.recorded.bytes) == (6, 6 * 2048)
    assert item.verdict.due_us == item.recorded.ended_us + 30 * DAY_US
    assert why(world) == {young.case_id: [Stop.FLOOR]}
    assert world.acts()[-1] == "heads-anchored"  # the stop: a dry run changes nothing


def test_an_armed_case_is_never_due(world: World) -> None:
    armed = world.armed_case()
    world.custody.start_recording(world.manager, armed.case_id)
    world.clock.us += 400 * DAY_US
    assert due(world) == [] and why(world) == {armed.case_id: [Stop.NOT_CLOSED]}


def test_a_case_under_which_nothing_was_recorded_is_in_no_plan(world: World) -> None:
    world.custody.close_case(world.manager, world.armed_case().case_id)
    world.clock.us += 31 * DAY_US
    assert due(world) == [] and why(world) == {}


def test_a_request_stops_it_until_it_has_ended(world: World, case: Case) -> None:
    wish = world.wish(case, to_us=case.closed_us)
    request = world.custody.submit_export(world.manager, wish)
    assert why(world) == {case.case_id: [Stop.REQUEST]}
    world.custody.refuse_export(world.officer, request.request_id, "no basis")
    assert due(world) == [case.case_id]


def test_a_viewing_grant_stops_it_until_it_is_over(world: World, case: Case) -> None:
    until_us = world.clock.now_us() + DAY_US
    wish = world.viewing_wish(case, to_us=case.closed_us, until_us=until_us)
    request = world.grant(world.manager, wish)
    assert why(world) == {case.case_id: [Stop.VIEWING]}
    world.clock.us += DAY_US
    assert due(world) == [case.case_id]
    assert (world.custody.expire_viewings(), world.custody.expire_viewings()) == (1, 0)
    assert world.custody.viewing_request(world.officer, request.request_id).state is RequestState.EXPIRED


def test_a_hold_stops_it_and_is_lifted_by_somebody_else(world: World, case: Case) -> None:
    custody = world.custody
    hold = custody.put_hold(world.manager, case.case_id, "proceedings", "2026-77")
    assert why(world) == {case.case_id: [Stop.HOLD]}
    mine = refusal(lambda: custody.lift_hold(world.manager, case.case_id, hold.hold_id, "settled"))
    assert mine.kind is ErrorKind.SELF_APPROVAL
    other = world.account(Role.RECORDS_MANAGER, "second.manager")
    lifted = custody.lift_hold(other, case.case_id, hold.hold_id, "settled")
    assert lifted.lifted_by == other.account_id and due(world) == [case.case_id]
    assert world.acts()[-3:] == ["hold-put", "account-created", "hold-lifted"]
    again = refusal(lambda: custody.lift_hold(world.officer, case.case_id, hold.hold_id, "settled"))
    assert again.kind is ErrorKind.CONFLICT


def test_a_privacy_officer_may_lift_a_hold_of_their_own(world: World, case: Case) -> None:
    hold = world.custody.put_hold(world.officer, case.case_id, "proceedings", "2026-77")
    assert not world.custody.lift_hold(world.officer, case.case_id, hold.hold_id, "settled").stands


def test_a_hold_of_another_case_is_like_none(world: World, case: Case) -> None:
    hold = world.custody.put_hold(world.officer, case.case_id, "proceedings", "2026-77")
    error = refusal(lambda: world.custody.lift_hold(world.officer, "other", hold.hold_id, "settled"))
    assert error.kind is ErrorKind.NOT_FOUND


def test_a_hold_needs_reason_and_document(world: World, case: Case) -> None:
    for reason, document in (("", "2026-77"), ("proceedings", " ")):
        error = refusal(lambda: world.custody.put_hold(world.officer, case.case_id, reason, document))  # noqa: B023
        assert error.kind is ErrorKind.BAD_REQUEST


def test_an_extension_reaches_up_to_the_ceiling_and_never_shortens(world: World, case: Case) -> None:
    custody, (item,) = world.custody, world.custody.retention_plan(world.officer).due
    ended, now = item.recorded.ended_us, world.clock.now_us()

    def extend(until_us: int) -> Extension:
        return custody.extend_retention(world.manager, case.case_id, until_us, "asked", "form 3")

    beyond = refusal(lambda: extend(ended + 90 * DAY_US + 1))
    assert beyond.kind is ErrorKind.BAD_REQUEST and "legal hold" in beyond.advice
    assert refusal(lambda: extend(now)).kind is ErrorKind.BAD_REQUEST
    extend(ended + 60 * DAY_US)
    assert why(world) == {case.case_id: [Stop.EXTENDED]}
    assert refusal(lambda: extend(ended + 59 * DAY_US)).kind is ErrorKind.BAD_REQUEST
    extend(ended + 90 * DAY_US)
    world.clock.us = ended + 90 * DAY_US
    (item,) = custody.retention_plan(world.officer).due
    assert item.beyond_ceiling


def test_who_approves_says_yes_to_what_was_shown(world: World, case: Case) -> None:
    digest = world.custody.retention_plan(world.officer).digest
    assert (
        refusal(lambda: world.custody.approve_destruction(world.manager, digest)).kind is ErrorKind.FORBIDDEN
    )
    world.recorded_case(1, "2026-2")
    (approved,) = world.custody.approve_destruction(world.officer, digest)  # what is not due changes no plan
    assert (approved.case_id, approved.step) == (case.case_id, Step.APPROVED)
    assert approved.approved_by == world.officer.account_id and world.acts()[-1] == "destruction-approved"
    world.clock.us += 31 * DAY_US
    error = refusal(lambda: world.custody.approve_destruction(world.officer, digest))
    assert error.kind is ErrorKind.CONFLICT


def test_how_it_stands_with_a_case_is_told(world: World, case: Case) -> None:
    world.custody.put_hold(world.manager, case.case_id, "proceedings", "2026-77")
    found = world.custody.case_retention(world.accounts[Role.AUDITOR], case.case_id)
    assert found.verdict is not None and not found.verdict.due and len(found.holds) == 1
    assert refusal(lambda: world.custody.case_retention(world.officer, "none")).kind is ErrorKind.NOT_FOUND
    assert refusal(lambda: world.custody.receipt(world.officer, case.case_id)).kind is ErrorKind.NOT_FOUND
