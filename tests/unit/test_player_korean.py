"""What was found wrong is told in Korean too: each message of the vectors, and those of who reads papers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orvault.container.package import PackageReader
from orvault.errors import ErrorKind, OrvaultError
from player.activation import ACTIVATION
from player.window import korean, verdicts
from player.window.times import date_time
from player.window.words import Language

from . import test_vectors

ROOT = Path(__file__).resolve().parents[2]
READERS = {
    "orvault/container/certificates.py": "_untrusted",
    "orvault/container/frame_reader.py": "_altered",
    "orvault/container/history.py": "_altered",
    "orvault/container/opening.py": "_error",
    "player/reel.py": "bad",
}

PARTS = {"The signer's certificate is not that of 1.", "The certificate of the 1 was not valid on 1."}


def _is_korean(text: str) -> bool:
    return any("가" <= character <= "힣" for character in text)


def _vectors() -> list[dict[str, Any]]:
    told = {str(kind) for kind, korean_text in verdicts._KOREAN.items() if "{told}" in korean_text}
    return [
        e for e in test_vectors.ENTRIES if e["check"] in ("package", "activation") and e["expected"] in told
    ]


def test_what_is_wrong_with_each_vector_is_told_in_korean() -> None:
    checks = {"package": test_vectors._package, "activation": test_vectors._activated}
    entries = _vectors()
    assert len(entries) > 60
    for entry in entries:
        with pytest.raises(OrvaultError) as caught:
            checks[entry["check"]](test_vectors.FOLDER, entry)
        assert _is_korean(korean.message(caught.value.message)), caught.value.message
        assert not caught.value.where or _is_korean(korean.place(caught.value.where)), caught.value.where
        shown = verdicts.failed(caught.value, None, Language.KOREAN)
        assert caught.value.message not in shown.sentence


def _raised(path: str, function: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Call) and function in (
            getattr(node.func, "id", ""),
            getattr(node.func, "attr", ""),
        ):
            for argument in node.args:
                if isinstance(argument, ast.JoinedStr):
                    parts = [
                        part.value if isinstance(part, ast.Constant) else "1" for part in argument.values
                    ]
                    yield "".join(map(str, parts))
                elif isinstance(argument, ast.Constant) and str(argument.value).endswith("."):
                    yield str(argument.value)


@pytest.mark.parametrize(("path", "function"), READERS.items())
def test_each_message_of_the_readers_has_its_korean(path: str, function: str) -> None:
    raised = set(_raised(path, function))
    assert raised
    for message in raised - PARTS:
        assert _is_korean(korean.message(message)), message


def test_numbers_names_and_places_stay_what_they_are() -> None:
    error = OrvaultError(ErrorKind.ALTERED, "Chunk 3 of 9 is not what was signed.", where="media/or1.mp4.enc")
    told = verdicts.failed(error, None, Language.KOREAN).sentence
    assert "카메라 or1의 영상 (media/or1.mp4.enc)" in told and "전체 9조각 중 3번째" in told
    assert verdicts.failed(error, None, Language.ENGLISH).sentence.endswith("is not what was signed.")
    strange = OrvaultError(ErrorKind.ALTERED, "Something {new} %s.", where="{0}")
    assert "Something {new} %s." in verdicts.failed(strange, None, Language.KOREAN).sentence
    field = korean.message("The field 'events' is not in order of time.")
    assert field == "항목 'events'이(가) 형식과 다름"


def test_a_video_that_is_none_is_told_without_its_boxes() -> None:
    error = OrvaultError(ErrorKind.BAD_MEDIA, "It has 3 boxes moov where one is wanted.", where="camera or1")
    told = verdicts.failed(error, None, Language.KOREAN).sentence
    assert "영상의 구조가 형식과 다름" in told and "카메라 or1" in told


def test_an_expired_package_says_until_when_as_a_person_reads_it() -> None:
    (entry,) = (e for e in test_vectors.ENTRIES if e["name"] == "package/expired")
    reader = PackageReader.open(test_vectors.FOLDER / entry["file"])
    error = OrvaultError(ErrorKind.EXPIRED, "It could be opened until 2026-01-01T00:00:00.000001Z.")
    shown = {each: verdicts.failed(error, reader.label, each).sentence for each in Language}
    assert all(
        date_time(reader.label.not_after_us) in told and "000001Z" not in told for told in shown.values()
    )
    over = OrvaultError(ErrorKind.EXPIRED, "The activation is over.", where=ACTIVATION)
    assert "activation is over" in verdicts.failed(over, reader.label, Language.ENGLISH).sentence


def test_what_is_no_package_is_told_in_korean_with_its_file_and_what_to_do(tmp_path: Path) -> None:
    for name, content in (("a.orvault", b"%PDF-1.7 "), ("b.orvault", b"PK\x03\x04" + bytes(99))):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d.orvault").mkdir()
    told = set()
    for name in ("a.orvault", "b.orvault", "d.orvault", "none.orvault", "\0.orvault"):
        with pytest.raises(OrvaultError) as caught:
            PackageReader.open(tmp_path / name)
        sentence = verdicts.failed(caught.value, None, Language.KOREAN).sentence
        assert name.lstrip("\0") in sentence and _is_korean(sentence)
        told.add(sentence.rsplit(name.lstrip("\0"), 1)[1])
    assert len(told) == 5


def test_what_the_hospital_refuses_is_told_in_korean() -> None:
    for detail in (
        "The hospital has taken this package back.",
        "This package was opened as often as its hospital allowed (3).",
        "There is no such package here, or the question was not asked by who can open it.",
    ):
        error = OrvaultError(ErrorKind.NOT_ACTIVATED, f"The hospital refuses: {detail}", where=ACTIVATION)
        assert detail not in verdicts.failed(error, None, Language.KOREAN).sentence
    other = OrvaultError(ErrorKind.NOT_ACTIVATED, "The hospital refuses: Whatever.")
    assert "병원이 거절했습니다 (Whatever.)" in verdicts.failed(other, None, Language.KOREAN).sentence
