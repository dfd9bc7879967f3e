"""The table of problems is complete, the description is sound, headers are there, the docs page needs no internet."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from api.errors import PROBLEMS, from_error
from orvault.container.files import storage_error
from orvault.custody.account import Role
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.api_support import Api, export_body, make_api

START, END = "2026-11-22T18:30:00Z", "2026-11-22T18:31:00Z"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    return make_api(tmp_path_factory.mktemp("errors"))


def test_every_kind_of_error_has_a_problem() -> None:
    assert set(PROBLEMS) == set(ErrorKind)


@pytest.mark.parametrize("kind", ErrorKind)
def test_problem_documents_hold_the_words_of_the_error(kind: ErrorKind) -> None:
    answer = from_error(OrvaultError(kind, "What was wrong.", where="field", advice="What to do."))
    body = json.loads(bytes(answer.body))
    assert answer.media_type == "application/problem+json" and 400 <= answer.status_code < 600
    assert (body["type"], body["detail"]) == (f"urn:orvault:problem:{kind.value}", "What was wrong.")
    assert (body["where"], body["advice"], body["status"]) == ("field", "What to do.", answer.status_code)


@pytest.mark.parametrize("kind", [ErrorKind.STORAGE, ErrorKind.CONFLICT])
def test_places_in_the_servers_file_system_are_for_the_log_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: ErrorKind
) -> None:
    api = make_api(tmp_path)
    place = Path("/srv/orvault/segments/1.seg")
    error = OrvaultError(kind, "The file exists.", where=str(place))
    if kind is ErrorKind.STORAGE:
        error = storage_error(place, OSError(28, "No space left on device"))

    def fail(*_args: object) -> None:
        raise error

    api.world.custody.check_exportable = fail  # type: ignore[method-assign]
    answer = api.post("exports", Role.RECORDS_MANAGER, json=export_body("c", START, END))
    body = answer.json()
    assert "/srv" not in answer.text and "MiB" not in answer.text and "where" not in body
    assert body["correlation_id"] in caplog.text and "/srv/orvault" in caplog.text


def test_a_failure_shown_to_the_requester_names_no_place(tmp_path: Path) -> None:
    words = storage_error(tmp_path / "x", OSError(28, "No space left on device")).outside_words
    assert words == "It could not be written: No space left on device."
    assert OrvaultError(ErrorKind.BAD_REQUEST, "Too long.", where="watermark").outside_words == (
        "watermark: Too long."
    )


def test_description_promises_problems_and_no_others(api: Api) -> None:
    document = api.get("openapi.json", None).json()
    assert "HTTPValidationError" not in json.dumps(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"] and operation["tags"], f"{method} {path}"
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    schema = answer["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}, f"{method} {path} {status}"


def test_operation_names_are_unique(api: Api) -> None:
    names = [op["operationId"] for ops in api.app.openapi()["paths"].values() for op in ops.values()]
    assert len(set(names)) == len(names)


def test_every_answer_has_the_security_headers(api: Api) -> None:
    for path in ("/healthz", "/api/v1/cases", "/nothing", "/docs"):
        headers = api.get(path, None).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers
    secure = api.get("https://api.test/healthz".replace("https://api.test", ""), None)
    assert secure.status_code == 200


def test_docs_page_is_whole_without_internet_and_scripts(api: Api) -> None:
    page = api.get("/docs", None)
    text = page.text
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in text and "http://" not in text and "https://" not in text
    for path in api.app.openapi()["paths"]:
        assert path in text
    assert re.search(r"style-src 'sha256-[^']+'", page.headers["content-security-policy"])


def test_docs_page_escapes_what_it_shows(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    api.app.title = "<b>bold</b>"
    assert "<b>bold" not in api.get("/docs", None).text
