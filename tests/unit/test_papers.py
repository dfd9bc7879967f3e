"""Papers as PDF: Korean set with the repository's font, the same bytes each time, long tables over pages."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orvault.container.keys import Recipient
from orvault.custody.account import Role
from orvault.custody.basis import BasisKind
from orvault.custody.consents import Scope, Subject
from orvault.custody.history import Act
from orvault.custody.steps import RequestState
from orvault.custody.terms import Masking, Style
from orvault.papers.export_report import _ACTS
from orvault.papers.language import Language
from orvault.papers.paper import Paper
from orvault.papers.words import BASES, MASKINGS, SCOPES, STATES, STYLES, SUBJECTS
from tests.fakes import KEY, consented, consents_of
from tests.unit.api_support import make_api

NOW = 1_800_000_000_000_000


def make(language: Language = Language.KOREAN, rows: int = 3) -> Paper:
    paper = Paper("영상정보 열람·제공 대장", "서울병원", NOW, language)
    paper.heading("요청")
    paper.fields([("목적", "증거 제출 " * 40), ("비어 있음", ""), ("드문 글자", "龘 😀 김")])
    paper.table(["누구", "언제"], [["환자", paper.time(NOW)]] * rows, [1, 2])
    paper.signatures(["요청인"])
    return paper


@pytest.mark.parametrize("language", Language)
def test_same_paper_is_the_same_bytes(language: Language) -> None:
    pdf = make(language).pdf()
    assert pdf == make(language).pdf() and pdf.startswith(b"%PDF-")
    assert f"/Lang ({language.value})".encode() in pdf


def test_font_is_ours_and_only_what_is_used_of_it() -> None:
    pdf = make().pdf()
    assert b"NanumBarunGothic" in pdf and len(pdf) < 120_000


@pytest.mark.parametrize(("rows", "pages"), [(3, 1), (60, 2)])
def test_table_goes_on_over_pages(rows: int, pages: int) -> None:
    assert make(rows=rows).pdf().count(b"/Type /Page\n") == pages


@pytest.mark.parametrize("landscape", [False, True])
def test_row_that_is_higher_than_a_page_goes_on_in_further_rows(landscape: bool) -> None:
    paper = Paper("대장", "서울병원", NOW, landscape=landscape)
    longest = ["1", "가" * 500, "나 " * 250, "w" * 500, "\n" * 200, ", ".join(["다" * 200] * 64)]
    paper.table(["No."] * 6, [longest] * 2, (0.9, 2, 2, 2, 2, 2))
    rows = list(paper._sheet.pieces(longest, [25] * 6))
    for before, after in zip(longest, zip(*rows, strict=True), strict=True):
        assert "".join("".join(after).split()) == "".join(before.split())  # nothing lost, nothing twice
    assert paper.pdf().startswith(b"%PDF-")


@pytest.mark.parametrize("language", Language)
def test_papers_of_a_request_whose_every_field_is_as_long_as_may_be(
    tmp_path: Path, language: Language
) -> None:
    api = make_api(tmp_path)
    world = api.world
    longest = replace(
        consents_of("Lee"),
        document_number="가" * 120,
        proceedings_number="가" * 120,
        consents=tuple(
            replace(consented(Subject.PATIENT, "가" * 80), document="가" * 120) for _ in range(64)
        ),
    )
    recipients = tuple(
        Recipient(f"{number:02d}" + "가" * 78, KEY.public(), None, None) for number in range(20)
    )
    wish = world.wish(world.recorded_case(), purpose="가" * 500, basis=longest, recipients=recipients)
    request = world.custody.submit_export(world.manager, wish)
    world.custody.refuse_export(world.officer, request.request_id, "가" * 500)
    period = {"from": "2027-01-01T00:00:00Z", "to": "2027-02-01T00:00:00Z"}
    for path, asked in (
        (f"exports/{request.request_id}/form", {}),
        (f"exports/{request.request_id}/report", {}),
        ("request-register", period),
    ):
        answer = api.get(path, Role.PRIVACY_OFFICER, params=asked | {"language": language.value})
        assert answer.status_code == 200 and answer.content.startswith(b"%PDF-"), answer.text


def test_time_names_its_offset() -> None:
    assert make().time(NOW) == "2027-01-15 17:00 (+09:00)"
    assert Paper("t", "i", NOW, utc_offset_min=0).time(NOW) == "2027-01-15 08:00 (+00:00)"
    assert make().time(None) == "-"


def test_character_that_the_font_lacks_is_a_box() -> None:
    shown = make()._sheet.shown("龘 김 😀")
    assert shown == "□ 김 □"


@pytest.mark.parametrize("language", Language)
def test_form_and_register_are_papers_over_http(tmp_path: Path, language: Language) -> None:
    api = make_api(tmp_path)
    world = api.world
    case = world.recorded_case()
    request = world.custody.submit_export(world.manager, world.wish(case, basis=consents_of("Lee", "Park")))
    world.custody.refuse_export(world.officer, request.request_id, "동의서의 서명이 다릅니다.")
    world.ready(case)
    form = api.get(
        f"exports/{request.request_id}/form", Role.RECORDS_MANAGER, params={"language": language.value}
    )
    assert (form.status_code, form.headers["content-type"]) == (200, "application/pdf")
    period = {"from": "2027-01-01T00:00:00Z", "to": "2027-02-01T00:00:00Z", "language": language.value}
    register = api.get("request-register", Role.AUDITOR, params=period)
    assert register.status_code == 200, register.text
    assert form.content.startswith(b"%PDF-") and register.content.startswith(b"%PDF-")
    other = world.account(Role.RECORDS_MANAGER, "second-manager")
    assert world.custody.request_register(other, 0, world.clock.us + 1).requests == ()
    found = world.custody.request_register(world.officer, 0, world.clock.us + 1)
    assert len(found.requests) == 2 and set(found.case_numbers.values()) == {case.number}
    if folder := os.environ.get("ORVAULT_KEEP_PAPERS"):
        (Path(folder) / f"form-{language}.pdf").write_bytes(form.content)
        (Path(folder) / f"register-{language}.pdf").write_bytes(register.content)


def test_every_state_and_basis_has_its_words() -> None:
    assert set(STATES) == set(RequestState) and set(BASES) == set(BasisKind)
    assert set(SUBJECTS) == set(Subject) and set(SCOPES) == set(Scope)
    assert set(MASKINGS) == set(Masking) and set(STYLES) == set(Style)


def test_each_act_of_an_export_has_its_words() -> None:
    acts = {str(act) for act in Act}
    assert set(_ACTS) <= acts, "words for what is never written"
    its_own = (
        "export-",
        "scan-",
        "masking-",
        "consent-",
        "basis-",
        "answer",
        "result-",
        "render-",
        "package-",
    )
    assert {act for act in acts if act.startswith((*its_own, "activation-"))} <= set(_ACTS)


def test_footage_is_named_to_the_second() -> None:
    paper = Paper("A", "B", 0, Language.ENGLISH)
    assert paper.period(1_000_000, 13_000_000).count("1970-01-01 09:00:") == 2, "a period within one minute"
    assert "09:00:01" in paper.period(1_000_000, 13_000_000)
