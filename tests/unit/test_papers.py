"""Papers as PDF: Korean set with the repository's font, the same bytes each time, long tables over pages."""

from __future__ import annotations

import pytest

from orvault.papers.paper import Language, Paper

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


def test_time_names_its_offset() -> None:
    assert make().time(NOW) == "2027-01-15 17:00 (+09:00)"
    assert Paper("t", "i", NOW, utc_offset_min=0).time(NOW) == "2027-01-15 08:00 (+00:00)"
    assert make().time(None) == "-"


def test_character_that_the_font_lacks_is_a_box() -> None:
    shown = make()._sheet.shown("龘 김 😀")
    assert shown == "□ 김 □"
