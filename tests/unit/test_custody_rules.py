"""The pure rules: states, legal bases, periods, texts, spans; no database."""

from __future__ import annotations

import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.clock import US_PER_S, FakeClock
from orvault.container.keys import Recipient
from orvault.custody import case as cases
from orvault.custody import request as requests
from orvault.custody.basis import BasisKind, Consent, LegalBasis, Subject, check_basis, missing_for
from orvault.custody.case import Case, CasePlan, CaseState
from orvault.custody.history import Act, canonical, entry_holds, make_entry
from orvault.custody.ids import new_id
from orvault.custody.recorded import Span, join_spans
from orvault.custody.request import ExportRequest, RequestState, Wish, check_recorded
from orvault.custody.terms import (
    DAY_US,
    DEFAULT_TERMS,
    Masking,
    Redaction,
    Style,
    Validity,
    check_terms,
    make_validity,
)
from orvault.custody.text import clean_text
from orvault.custody.watermark import Position
from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.mask import MaskMode, MaskStyle
from orvault.vision.watermark import Anchor
from tests.fakes import KEY, consented

NOW = FakeClock().us
STAFF = ("Lee Minsu", "Park Sora")
PATIENT = consented(Subject.PATIENT, "The patient")


def _staff(*names: str) -> tuple[Consent, ...]:
    return tuple(consented(Subject.STAFF, name) for name in names)


@pytest.mark.parametrize(
    ("basis", "participants", "missing"),
    [
        (LegalBasis(BasisKind.COURT, "2026-1"), (), []),
        (LegalBasis(BasisKind.COURT), STAFF, ["court's order"]),
        (LegalBasis(BasisKind.INVESTIGATOR, proceedings_number="9"), STAFF, ["investigator's request"]),
        (LegalBasis(BasisKind.MEDIATION, "", "M-1", (PATIENT,)), (), []),
        (
            LegalBasis(BasisKind.MEDIATION, "2026-1"),
            (),
            ["mediation agency's proceedings", "patient's consent"],
        ),
        (LegalBasis(BasisKind.MEDIATION, "", "M-1", _staff("Lee Minsu")), STAFF, ["patient's consent"]),
        (LegalBasis(BasisKind.CONSENT, "", "", (PATIENT, *_staff("lee minsu", "PARK SORA"))), STAFF, []),
        (LegalBasis(BasisKind.CONSENT, "", "", (PATIENT, *_staff("Lee Minsu"))), STAFF, ["Park Sora"]),
        (LegalBasis(BasisKind.CONSENT, "", "", _staff(*STAFF)), STAFF, ["patient's consent"]),
        (LegalBasis(BasisKind.CONSENT, "", "", (PATIENT,)), (), ["list of staff"]),
        (
            LegalBasis(BasisKind.CONSENT, "2026-1", "M-1"),
            STAFF,
            ["patient's consent", "Lee Minsu, Park Sora"],
        ),
    ],
)
def test_each_basis_names_what_it_lacks(
    basis: LegalBasis, participants: tuple[str, ...], missing: list[str]
) -> None:
    found = missing_for(basis, participants)
    assert len(found) == len(missing) and all(want in got for want, got in zip(missing, found, strict=True))
    if not missing:
        check_basis(basis, participants)
        return
    with pytest.raises(OrvaultError) as caught:
        check_basis(basis, participants)
    assert caught.value.kind is ErrorKind.BASIS_MISSING
    assert all(want in caught.value.message for want in missing)


def test_every_basis_needs_something() -> None:
    for kind in BasisKind:
        assert missing_for(LegalBasis(kind), STAFF)


def test_words_are_those_of_the_pictures() -> None:
    assert [m.value for m in Masking] == [m.value for m in MaskMode]
    assert [s.value for s in Style] == [s.value for s in MaskStyle]
    assert {p.value for p in Position} == {c.value for c in Anchor}


def _case(state: CaseState) -> Case:
    return Case("id", "N-1", "OR 1", 0, "Form 1", STAFF, state, 0, "a")


@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("to", CaseState)
def test_case_steps(state: CaseState, to: CaseState) -> None:
    allowed = {
        ("planned", "armed"), ("planned", "closed"), ("armed", "recording"), ("armed", "closed"),
        ("recording", "recording"), ("recording", "armed"), ("recording", "closed"),
    }  # fmt: skip
    if (state.value, to.value) in allowed:
        cases.check_step(_case(state), to)
        return
    with pytest.raises(OrvaultError) as caught:
        cases.check_step(_case(state), to)
    wanted = ErrorKind.NOT_ARMED if to is CaseState.RECORDING else ErrorKind.CONFLICT
    assert caught.value.kind is wanted and "N-1" in caught.value.message


def _wish() -> Wish:
    redaction = Redaction(Masking.HEAD, Style.SOLID, "mark", Position.CENTRE)
    basis = LegalBasis(BasisKind.COURT, "1")
    recipient = Recipient("Court", KEY.public(), None, None)
    return Wish("case", ("cam",), NOW, NOW + 60 * US_PER_S, "why", basis, (recipient,), redaction)


def _request(state: RequestState) -> ExportRequest:
    return ExportRequest("id", _wish(), Validity(NOW, NOW + DAY_US), state, "a", NOW)


CUT_OFF = "refused revoked expired"
STEPS = {
    "draft": "submitted revoked expired",
    "submitted": f"satisfied {CUT_OFF}",
    "satisfied": f"submitted approved {CUT_OFF}",
    "approved": f"submitted rendering failed {CUT_OFF}",  # failed: not what history says was approved
    "rendering": f"submitted rendering approved review ready failed {CUT_OFF}",
    "review": f"submitted ready {CUT_OFF}",
    "ready": "submitted delivered revoked expired",
    "delivered": "revoked expired",
}


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("to", RequestState)
def test_request_steps(state: RequestState, to: RequestState) -> None:
    if to.value in STEPS.get(state.value, "").split():
        requests.check_step(_request(state), to)
        return
    with pytest.raises(OrvaultError) as caught:
        requests.check_step(_request(state), to)
    unapproved = state.value in {"submitted", "satisfied"} and to is RequestState.RENDERING
    assert caught.value.kind is (ErrorKind.NOT_APPROVED if unapproved else ErrorKind.CONFLICT)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (RequestState.DRAFT, ErrorKind.NOT_APPROVED),
        (RequestState.SUBMITTED, ErrorKind.NOT_APPROVED),
        (RequestState.SATISFIED, ErrorKind.NOT_APPROVED),
        (RequestState.REVOKED, ErrorKind.NOT_APPROVED),
        (RequestState.REFUSED, ErrorKind.NOT_APPROVED),
        (RequestState.APPROVED, ErrorKind.CONFLICT),
        (RequestState.RENDERING, ErrorKind.CONFLICT),
        (RequestState.FAILED, ErrorKind.CONFLICT),
        (RequestState.REVIEW, ErrorKind.NOT_APPROVED),
        (RequestState.EXPIRED, ErrorKind.EXPIRED),
    ],
)
def test_nothing_is_handed_out_unless_ready(state: RequestState, kind: ErrorKind) -> None:
    with pytest.raises(OrvaultError) as caught:
        requests.check_ready(_request(state), NOW)
    assert caught.value.kind is kind


def test_ready_one_is_not_handed_out_after_its_validity() -> None:
    with pytest.raises(OrvaultError) as caught:
        requests.check_ready(_request(RequestState.READY), NOW + DAY_US)
    assert caught.value.kind is ErrorKind.EXPIRED


def test_validity_defaults_and_bounds() -> None:
    assert make_validity(None, None, NOW) == Validity(NOW, NOW + 30 * DAY_US)
    assert make_validity(NOW - DAY_US, NOW + 1, NOW) == Validity(NOW - DAY_US, NOW + 1)
    for start, end in (
        (None, NOW),
        (NOW, NOW),
        (NOW + 2, NOW + 1),
        (None, NOW + 366 * DAY_US + 1),
        (NOW + 367 * DAY_US, NOW + 368 * DAY_US),
        (-1, NOW + 1),
    ):
        with pytest.raises(OrvaultError, match="validity"):
            make_validity(start, end, NOW)


def test_empty_range_names_cameras_and_what_there_is() -> None:
    period = (_wish().from_us, _wish().to_us)
    recorded = {"cam": (Span(NOW + 60 * US_PER_S, NOW + 90 * US_PER_S),)}
    with pytest.raises(OrvaultError) as caught:
        check_recorded(period, recorded, {"cam": "Wall"}, NOW + DAY_US)
    assert caught.value.kind is ErrorKind.EMPTY_RANGE
    assert "Wall 2027-01-15 08:01:00Z to 2027-01-15 08:01:30Z" in caught.value.message
    with pytest.raises(OrvaultError, match="Wall nothing"):
        check_recorded(period, {"cam": ()}, {"cam": "Wall"}, NOW + DAY_US)
    with pytest.raises(OrvaultError, match="future"):
        check_recorded(period, recorded, {}, NOW)
    check_recorded(
        period,
        {"cam": (Span(NOW + 60 * US_PER_S - 1, NOW + 90 * US_PER_S),)},
        {},
        NOW + DAY_US,
    )


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**7))))
def test_spans_cover_the_pieces_and_nothing_but_small_holes(pieces: list[tuple[int, int]]) -> None:
    ordered = sorted((start, start + length) for start, length in pieces)
    spans = join_spans(ordered)
    assert all(a.end_us + US_PER_S <= b.start_us for a, b in pairwise(spans))
    assert all(any(s.start_us <= a and b <= s.end_us for s in spans) for a, b in ordered)
    assert {s.start_us for s in spans} <= {a for a, _ in ordered}
    assert {s.end_us for s in spans} <= {b for _, b in ordered}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "x" * 11,
        "a\nb",
        "a\x00",
        "a\x7f",
        "a\u202eb",
        "a\u2028b",
        "\u2066a",
        "\ud800",
        "\u3164\u3164",
        "\u2800",
    ],
)
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        clean_text(text, "field", longest=10)
    assert caught.value.where == "field"


def test_texts_are_composed_and_trimmed() -> None:
    assert clean_text(" \u1100\u1161 ", "field", longest=10) == "가"
    assert check_terms("one\ntwo") == "one\ntwo" and check_terms(" ") == DEFAULT_TERMS


def test_plan_refuses_a_participant_named_twice() -> None:
    with pytest.raises(OrvaultError, match="twice"):
        CasePlan("N", "OR 1", 0, "Form", ("Lee", "lee ")).checked(0)


def test_ids_sort_by_time_and_are_uuids_of_version_7() -> None:
    clock, made = FakeClock(), []
    for _ in range(50):
        made.append(new_id(clock))
        clock.us += 1000
    assert made == sorted(made) and len(set(made)) == 50
    parsed = uuid.UUID(made[0])
    assert parsed.version == 7 and parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == FakeClock().us // 1000
    clock.us += 1
    later = new_id(clock)
    clock.us += 1
    assert later < new_id(clock)  # microseconds count too


def test_history_leaf_covers_every_field() -> None:
    entry = make_entry(3, NOW, "account:a", Act.CASE_ARMED, "case:1", {"z": 1, "a": "가"})
    assert entry.detail == '{"a":"가","z":1}' == canonical({"a": "가", "z": 1})
    assert entry_holds(entry, 3) and not entry_holds(entry, 4)
    for field, value in (
        ("at_us", 1),
        ("actor", "x"),
        ("act", "x"),
        ("subject", "x"),
        ("detail", "{}"),
        ("seq", 4),
    ):
        changed = {name: getattr(entry, name) for name in entry.__slots__} | {field: value}
        assert not entry_holds(type(entry)(**changed), changed["seq"])
