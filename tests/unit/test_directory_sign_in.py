"""Signing in through the directory, over the API, with a real provider on loopback: what works, and every lie.

Each attack differs by one thing from the sign-in that works; what is refused stands in history.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orvault.clock import US_PER_S
from orvault.custody.directory import challenge_of, digest_of
from orvault.custody.throttle import ADDRESS
from orvault.ledger.directory import Directory as Rows
from tests.unit.api_support import Api, call, is_problem
from tests.unit.directory_rules import VERIFIER
from tests.unit.directory_support import (
    LOOPBACK,
    PORTAL,
    Browser,
    linked,
    me,
    query_of,
    redeem,
    shown_code,
    told,
)
from tests.unit.oidc_provider import ACCESS, CLIENT_SECRET, Provider
from tests.unit.sign_in_support import api, code_of, plain, provider, site_with

__all__ = ["api", "plain", "provider"]


def test_a_linked_account_signs_in_by_its_subject_and_history_has_it(api: Api, provider: Provider) -> None:
    account = linked(api, "s-1")
    answer = redeem(api.app, code_of(api, provider))
    assert answer.status_code == 200 and answer.json()["expires_in"] == 900
    assert me(api, answer.json()["access_token"])["id"] == account.account_id
    acts = told(api)
    assert [act for act, _ in acts[:3]] == ["signed-in", "directory-admitted", "account-linked"]
    assert json.loads(acts[1][1]) == {"from": "192.0.2.7", "issuer": provider.issuer, "subject": "s-1"}
    assert json.loads(acts[0][1])["how"] == "directory"


def test_the_directory_is_asked_with_pkce_nonce_and_state_and_no_secret(api: Api, provider: Provider) -> None:
    asked = Browser(api.app).begin(state="mine")
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid profile" and asked["redirect_uri"].endswith(
        "/session/directory/callback"
    )
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert "mine" not in asked.values() and CLIENT_SECRET not in str(asked)


def test_cookie_is_unreadable_bound_to_the_browser_and_gone_afterwards(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    browser = Browser(api.app)
    answer = browser.get("session/directory", code_challenge=challenge_of(VERIFIER))
    header = answer.headers["set-cookie"].lower()
    assert "httponly" in header and "samesite=lax" in header and "max-age=600" in header
    asked = query_of(answer.headers["location"])
    assert asked["nonce"] not in header and asked["state"] not in header
    browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    assert browser.cookies == {}


def test_cookie_is_bound_to_this_host_where_the_api_speaks_tls(
    plain: Api, provider: Provider, tmp_path: Path
) -> None:
    api = site_with(
        plain, provider, tmp_path, redirect_uri="https://vault.test/api/v1/session/directory/callback"
    )
    answer = Browser(api.app).get("session/directory", code_challenge=challenge_of(VERIFIER))
    header = answer.headers["set-cookie"]
    assert header.startswith("__Host-orvault-sign-in=") and "; Secure" in header and "Path=/;" in header


@pytest.mark.parametrize("return_to", [LOOPBACK, PORTAL, "http://[::1]:8123"])
def test_a_program_gets_its_code_where_it_waits(api: Api, provider: Provider, return_to: str) -> None:
    linked(api, "s-1")
    browser = Browser(api.app)
    asked = browser.begin(redirect_uri=return_to, state="its state & more")
    answer = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    location = answer.headers["location"]
    assert answer.status_code == 303 and location.startswith(return_to)
    got = query_of(location)
    assert got["state"] == "its state & more" and set(got) == {"code", "state"}
    assert redeem(api.app, got["code"]).status_code == 200


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.test/",
        "http://localhost:8123/",
        "http://127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:80@evil.test/",
        "http://127.0.0.1:80/\\@evil.test",
        "http://127.0.0.1.evil.test:80/",
        "http://127.0.0.1:80/?next=evil",
        PORTAL + "/more",
        "javascript:alert(1)",
    ],
)
def test_nobody_is_sent_elsewhere(api: Api, return_to: str) -> None:
    answer = Browser(api.app).get(
        "session/directory", code_challenge=challenge_of(VERIFIER), redirect_uri=return_to
    )
    assert answer.status_code == 400 and "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")


def test_a_refusal_is_told_to_the_program_that_waits(api: Api, provider: Provider) -> None:
    browser = Browser(api.app)
    asked = browser.begin(redirect_uri=LOOPBACK, state="s")
    answer = browser.come_back(state=asked["state"], error="access_denied", iss=provider.issuer)
    got = query_of(answer.headers["location"])
    assert (got["error"], got["state"]) == ("access_denied", "s") and "access_denied" in got[
        "error_description"
    ]
    assert told(api)[0][0] == "directory-refused"


# --- the way back to the program


def test_a_code_is_good_once(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code = code_of(api, provider)
    assert redeem(api.app, code).status_code == 200
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")
    assert "used before" in told(api)[0][1]


def test_a_code_is_nothing_to_another_program_and_spent_by_its_try(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code = code_of(api, provider)
    assert is_problem(redeem(api.app, code, "w" * 43), 401, "unauthenticated")
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")


def test_a_code_is_over_after_five_minutes(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code = code_of(api, provider)
    api.world.clock.us += 300 * US_PER_S
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")


def test_a_code_opens_nothing_once_its_account_is_closed(api: Api, provider: Provider) -> None:
    account = linked(api, "s-1")
    code = code_of(api, provider)
    api.world.custody.disable_account(None, account.account_id)
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")


def test_an_account_has_few_codes_open(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    for _ in range(10):
        code_of(api, provider)
    browser = Browser(api.app)
    asked = browser.begin()
    page = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    assert page.status_code == 429
    api.world.clock.us += 301 * US_PER_S
    assert code_of(api, provider)


def test_neither_codes_nor_states_lie_in_the_ledger(api: Api, provider: Provider, tmp_path: Path) -> None:
    linked(api, "s-1")
    browser = Browser(api.app)
    asked = browser.begin()
    page = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.sqlite*"))
    assert digest_of(shown_code(page)).encode() in stored
    for secret in (shown_code(page), asked["state"], asked["nonce"], VERIFIER, ACCESS, CLIENT_SECRET):
        assert secret.encode() not in stored


# --- the browser that comes back


def test_a_sign_in_comes_back_once(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    browser = Browser(api.app)
    asked = browser.begin()
    kept = dict(browser.cookies)
    browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    again = Browser(api.app, kept)
    page = again.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    assert page.status_code == 401 and "came back before" in told(api)[0][1]


def test_state_of_another_browser_is_not_believed(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    attacker, victim = Browser(api.app), Browser(api.app)
    asked = attacker.begin()
    own = victim.begin()
    for browser in (victim, Browser(api.app)):
        page = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
        assert page.status_code == 401 and "not begun in this browser" in page.text
    assert [act for act, _ in told(api)[:2]] == ["directory-refused"] * 2
    page = victim.come_back(state=own["state"], code=provider.issue(own), iss=provider.issuer)
    assert shown_code(page), "the victim's own sign-in goes on"


def test_a_sign_in_is_over_after_ten_minutes(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    browser = Browser(api.app)
    asked = browser.begin()
    api.world.clock.us += 601 * US_PER_S
    page = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    assert page.status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "gAAAAABx", "가나"])
def test_a_made_up_cookie_is_none(api: Api, provider: Provider, cookie: str) -> None:
    answer = call(
        api.app,
        "GET",
        "session/directory/callback",
        params={"state": "s", "code": "c"},
        headers={"cookie": f"orvault-sign-in={cookie}".encode()},
    )
    assert answer.status_code == 401


def test_another_code_of_the_directory_is_not_taken_with_this_sign_in(api: Api, provider: Provider) -> None:
    """Code injection (RFC 9700, section 4.5): PKCE binds a code to the browser that began."""
    linked(api, "s-1")
    attacker, victim = Browser(api.app), Browser(api.app)
    stolen = provider.issue(victim.begin())
    asked = attacker.begin()
    page = attacker.come_back(state=asked["state"], code=stolen, iss=provider.issuer)
    assert page.status_code == 401 and "does not know the code" in page.text


@pytest.mark.parametrize("iss", ["", "https://other.test"])
def test_the_answer_of_another_directory_is_not_taken(api: Api, provider: Provider, iss: str) -> None:
    """Mix-up (RFC 9207): the code must not even be shown to this one."""
    linked(api, "s-1")
    browser = Browser(api.app)
    asked = browser.begin()
    page = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=iss)
    assert page.status_code == 401 and "another directory" in page.text
    assert "/token" not in provider.asked


def test_a_directory_that_never_names_itself_need_not(api: Api, provider: Provider) -> None:
    provider.document["authorization_response_iss_parameter_supported"] = False
    linked(api, "s-1")
    browser = Browser(api.app)
    asked = browser.begin()
    assert shown_code(browser.come_back(state=asked["state"], code=provider.issue(asked)))


def test_who_keeps_coming_back_with_nothing_is_not_looked_at(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code = code_of(api, provider)
    for _ in range(ADDRESS.first):
        assert Browser(api.app).come_back(state="s", code="c").status_code == 401
    before = len(told(api, 200))
    assert Browser(api.app).come_back(state="s", code="c").status_code == 429
    assert redeem(api.app, code).status_code == 429
    assert len(told(api, 200)) == before, "and history does not grow"


def test_a_site_without_a_directory_says_so(plain: Api) -> None:
    browser = Browser(plain.app)
    for path in ("session/directory", "session/directory/callback"):
        assert browser.get(path, code_challenge=challenge_of(VERIFIER)).status_code == 404
    assert is_problem(redeem(plain.app, "c"), 404, "not-found")


def test_rows_of_sign_ins_that_are_over_go(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code = code_of(api, provider)
    api.world.clock.us += 601 * US_PER_S
    code_of(api, provider)
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")
    with api.world.ledger.uow(read_only=True) as uow:
        rows = uow.directory
        assert isinstance(rows, Rows) and rows.open_codes(linked_id(api), 0) == 1


def linked_id(api: Api) -> str:
    return api.world.custody.account_named("kim.jiwon").account_id
