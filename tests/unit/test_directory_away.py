"""A directory that is away, answers nonsense, leads elsewhere, or was not set up rightly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orvault.custody.account import Role
from orvault.custody.directory import challenge_of
from tests.fakes import PASSWORD
from tests.unit.api_support import Api, call
from tests.unit.directory_rules import VERIFIER
from tests.unit.directory_support import (
    LOOPBACK,
    Browser,
    linked,
    query_of,
    told,
)
from tests.unit.oidc_provider import BIG, Provider
from tests.unit.sign_in_support import api, code_of, plain, provider, site_with

__all__ = ["api", "plain", "provider"]


def _away(api: Api, provider: Provider) -> None:
    """It is told as such, is no refusal, and whoever has a password signs in as ever."""
    browser = Browser(api.app)
    answer = browser.get("session/directory", code_challenge=challenge_of(VERIFIER), redirect_uri=LOOPBACK)
    if answer.status_code == 303:
        asked = query_of(answer.headers["location"])
        answer = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
        assert query_of(answer.headers["location"])["error"] == "temporarily_unavailable"
    else:
        assert answer.status_code == 503 and "does not answer as it should" in answer.text
    assert "directory-refused" not in [act for act, _ in told(api)]
    form = {"username": Role.RECORDS_MANAGER.value, "password": PASSWORD}
    assert call(api.app, "POST", "session", data=form).status_code == 200


def test_a_directory_that_is_away(api: Api, provider: Provider) -> None:
    provider.stop()
    _away(api, provider)
    provider.start()
    linked(api, "s-1")
    assert code_of(api, provider), "and once it is back it is asked again"


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
@pytest.mark.parametrize(
    "content",
    [b"x" * BIG, b"", b"[]", b"nonsense", b"[" * 100_000, b'{"keys": 7, "error": ["x"]}', b"\xff\xfe"],
)
def test_answers_that_cannot_be_used(api: Api, provider: Provider, path: str, content: bytes) -> None:
    provider.raw[path] = content
    browser = Browser(api.app)
    answer = browser.get("session/directory", code_challenge=challenge_of(VERIFIER))
    if answer.status_code == 303:
        asked = query_of(answer.headers["location"])
        answer = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    assert answer.status_code in {401, 503} and "<code>" not in answer.text, answer.text


def test_a_directory_that_never_ends_its_answer(plain: Api, provider: Provider, tmp_path: Path) -> None:
    api = site_with(plain, provider, tmp_path, timeout_s=0.2)
    provider.stall_s["/.well-known/openid-configuration"] = 0.1
    _away(api, provider)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.test"},
        {"token_endpoint": "http://directory.test/token"},
        {"jwks_uri": "ftp://127.0.0.1/jwks"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "https://name@directory.test/"},
    ],
)
def test_a_description_that_leads_elsewhere(api: Api, provider: Provider, changes: dict[str, Any]) -> None:
    provider.document = changes
    _away(api, provider)


def test_a_redirect_is_not_followed(api: Api, provider: Provider) -> None:
    provider.document["token_endpoint"] = f"{provider.issuer}/moved"
    provider.moved["/moved"] = f"{provider.issuer}/token"
    _away(api, provider)
    assert "/moved" in provider.asked and "/token" not in provider.asked


def test_a_client_that_the_directory_does_not_take_is_a_fault_of_the_set_up(
    api: Api, provider: Provider, tmp_path: Path
) -> None:
    (tmp_path / "client-secret").write_text("another")
    _away(api, provider)


def test_a_secret_that_others_may_read_is_not_used_nor_its_place_told(
    api: Api, provider: Provider, tmp_path: Path
) -> None:
    (tmp_path / "client-secret").chmod(0o644)
    answer = Browser(api.app).get("session/directory", code_challenge=challenge_of(VERIFIER))
    assert (
        answer.status_code == 500 and "not set up rightly" in answer.text and str(tmp_path) not in answer.text
    )
