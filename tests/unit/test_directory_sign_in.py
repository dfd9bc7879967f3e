"""Signing in through the directory, over the API, with a real provider on loopback: what works, and every lie.

Each attack differs by one thing from the sign-in that works; what is refused stands in history.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.directory import DirectoryPolicy, challenge_of, digest_of
from orvault.custody.throttle import ADDRESS
from orvault.ledger.directory import Directory as Rows
from tests.fakes import PASSWORD
from tests.unit.api_support import Api, call, is_problem, make_api
from tests.unit.directory_rules import GROUPS, VERIFIER
from tests.unit.directory_support import (
    LOOPBACK,
    PORTAL,
    Browser,
    linked,
    me,
    place,
    query_of,
    redeem,
    shown_code,
    told,
    with_directory,
)
from tests.unit.oidc_provider import ACCESS, BIG, CLIENT_SECRET, Provider, running

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})


@pytest.fixture
def plain(tmp_path: Path) -> Api:
    return make_api(tmp_path)


@pytest.fixture
def provider(plain: Api) -> Iterator[Provider]:
    with running(plain.world.clock) as found:
        yield found


@pytest.fixture
def api(plain: Api, provider: Provider, tmp_path: Path) -> Api:
    return _site(plain, provider, tmp_path)


def _site(plain: Api, provider: Provider, folder: Path, **changes: Any) -> Api:
    secret = folder / "client-secret"
    secret.write_text(CLIENT_SECRET)
    secret.chmod(0o600)
    policy = DirectoryPolicy(provider.issuer, match=True, provision=True, groups=GROUPS)
    return with_directory(plain, place(provider.issuer, client_secret_file=secret, **changes), policy)


def _code(api: Api, provider: Provider, **claims: Any) -> str:
    """The code of a sign-in that works, but for what these claims, or the provider, change."""
    browser = Browser(api.app)
    asked = browser.begin()
    code = provider.issue(asked, **claims)
    return shown_code(browser.come_back(state=asked["state"], code=code, iss=provider.issuer))


def _refused(api: Api, provider: Provider, why: str, **claims: Any) -> None:
    browser = Browser(api.app)
    asked = browser.begin()
    code = provider.issue(asked, **claims)
    page = browser.come_back(state=asked["state"], code=code, iss=provider.issuer)
    assert page.status_code == 401 and why in page.text and "<code>" not in page.text, page.text
    act, detail = told(api)[0]
    assert act == "directory-refused" and why in detail


def test_a_linked_account_signs_in_by_its_subject_and_history_has_it(api: Api, provider: Provider) -> None:
    account = linked(api, "s-1")
    answer = redeem(api.app, _code(api, provider))
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
    api = _site(
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
    code = _code(api, provider)
    assert redeem(api.app, code).status_code == 200
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")
    assert "used before" in told(api)[0][1]


def test_a_code_is_nothing_to_another_program_and_spent_by_its_try(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code = _code(api, provider)
    assert is_problem(redeem(api.app, code, "w" * 43), 401, "unauthenticated")
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")


def test_a_code_is_over_after_five_minutes(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code = _code(api, provider)
    api.world.clock.us += 300 * US_PER_S
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")


def test_a_code_opens_nothing_once_its_account_is_closed(api: Api, provider: Provider) -> None:
    account = linked(api, "s-1")
    code = _code(api, provider)
    api.world.custody.disable_account(None, account.account_id)
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")


def test_an_account_has_few_codes_open(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    for _ in range(10):
        _code(api, provider)
    browser = Browser(api.app)
    asked = browser.begin()
    page = browser.come_back(state=asked["state"], code=provider.issue(asked), iss=provider.issuer)
    assert page.status_code == 429
    api.world.clock.us += 301 * US_PER_S
    assert _code(api, provider)


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
    code = _code(api, provider)
    for _ in range(ADDRESS.first):
        assert Browser(api.app).come_back(state="s", code="c").status_code == 401
    before = len(told(api, 200))
    assert Browser(api.app).come_back(state="s", code="c").status_code == 429
    assert redeem(api.app, code).status_code == 429
    assert len(told(api, 200)) == before, "and history does not grow"


# --- the ID token


def _part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _hmac(secret: bytes) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = f"{_part(header | {'alg': 'HS256'})}.{_part(claims)}"
        return f"{signed}.{_part(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return sign


def _hmac_with_the_public_key(provider: Provider) -> None:
    provider.key, provider.published = RSA, [RSA]
    provider.sign = _hmac(RSA.as_pem(private=False))


def _hmac_with_the_client_secret(provider: Provider) -> None:
    provider.sign = _hmac(CLIENT_SECRET.encode())


def _unsigned(provider: Provider) -> None:
    provider.sign = lambda header, claims: f"{_part(header | {'alg': 'none'})}.{_part(claims)}."


def _signed_by_another_key(provider: Provider) -> None:
    other = ECKey.generate_key("P-256", {"kid": provider.key.kid})
    provider.sign = lambda header, claims: jwt.encode(header, claims, other, algorithms=["ES256"])


def _key_inside(provider: Provider) -> None:
    other = ECKey.generate_key("P-256", {"kid": "first"})
    provider.sign = lambda header, claims: jwt.encode(
        header | {"jwk": other.as_dict(private=False)}, claims, other, algorithms=["ES256"]
    )


def _key_not_published(provider: Provider) -> None:
    provider.published = [ECKey.generate_key("P-256", {"kid": "second"})]


def _cut(provider: Provider) -> None:
    sign = provider.id_token
    provider.token_answer = {"access_token": "a", "id_token": sign({"nonce": "n"})[:-9]}


def _unreadable_header(provider: Provider) -> None:
    provider.sign = lambda header, claims: jwt.encode(
        header, claims, provider.key, algorithms=["ES256"]
    ).replace("eyJ", "eyK", 1)


def _critical_header(provider: Provider) -> None:
    """Critical and not understood: refused (RFC 7515, section 4.1.11), though the signature is good."""

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = f"{_part(header | {'crit': ['sure'], 'sure': True})}.{_part(claims)}"
        algorithm = JWSRegistry(algorithms=["ES256"]).get_alg("ES256")
        return f"{signed}.{_part(algorithm.sign(signed.encode(), provider.key))}"

    provider.sign = sign


@pytest.mark.parametrize(
    "lie",
    [
        _hmac_with_the_public_key,
        _hmac_with_the_client_secret,
        _unsigned,
        _signed_by_another_key,
        _key_inside,
        _key_not_published,
        _cut,
        _unreadable_header,
        _critical_header,
    ],
)
def test_a_token_that_the_directory_did_not_sign(
    api: Api, provider: Provider, lie: Callable[[Provider], None]
) -> None:
    linked(api, "s-1")
    lie(provider)
    _refused(api, provider, "its signature")


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": 7}, "nonce"),
        ({"iss": "https://other.test"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "another"}, "aud"),
        ({"aud": ["another"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["orvault", "another"]}, "azp"),
        ({"azp": "another"}, "azp"),
        ({"sub": None}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": ""}, "sub"),
        ({"exp": 1_799_999_939}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"iat": 1_800_000_061}, "iat"),
        ({"iat": 1_799_999_900}, "iat"),
        ({"iat": None}, "iat"),
        ({"nbf": 1_800_000_100}, "nbf"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
        ({"at_hash": 7}, "at_hash"),
        ({"amr": "pwd"}, "amr"),
    ],
)
def test_a_token_that_says_the_wrong_thing(
    api: Api, provider: Provider, claims: dict[str, Any], named: str
) -> None:
    linked(api, "s-1")
    _refused(api, provider, f"({named})", **claims)


@pytest.mark.parametrize("sub", ["s" * 256, "s\u202e1"])
def test_a_subject_that_is_none(api: Api, provider: Provider, sub: str) -> None:
    _refused(api, provider, "named nobody", sub=sub)


def test_clocks_may_differ_by_a_minute(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    assert _code(api, provider, exp=1_799_999_950, iat=1_799_999_950)


def test_at_hash_of_the_right_token_and_several_audiences_with_azp(api: Api, provider: Provider) -> None:
    from authlib.oidc.core.util import create_half_hash

    linked(api, "s-1")
    right = create_half_hash(ACCESS, "ES256").decode()
    assert _code(api, provider, at_hash=right, aud=["orvault", "account"], azp="orvault")


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (OKPKey.generate_key("Ed25519", {"kid": "ed"}), "EdDSA")]
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_other_signatures_that_are_believed(api: Api, provider: Provider, key: Any, alg: str) -> None:
    linked(api, "s-1")
    provider.key, provider.published, provider.header = key, [key], {"alg": alg}
    assert _code(api, provider)


def test_a_site_believes_fewer_signatures(plain: Api, provider: Provider, tmp_path: Path) -> None:
    api = _site(plain, provider, tmp_path, algorithms=("RS256",))
    _refused(api, provider, "its signature")


def test_a_key_too_short_to_be_safe_is_none(api: Api, provider: Provider) -> None:
    with pytest.warns(UserWarning, match="2048"):
        short = RSAKey.generate_key(1024, {"kid": "short"})
    provider.key, provider.published, provider.header = short, [short], {"alg": "RS256"}
    _refused(api, provider, "its signature")


def test_a_new_key_is_fetched_once_and_unknown_ones_not_over_and_over(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    _code(api, provider)
    _code(api, provider)
    assert provider.asked.count("/jwks") == 1
    provider.key = ECKey.generate_key("P-256", {"kid": "second"})
    provider.published = [provider.key]
    _refused(api, provider, "its signature")
    assert provider.asked.count("/jwks") == 1, "not before a minute is over"
    api.world.clock.us += 61 * US_PER_S
    assert _code(api, provider)
    provider.header = {"kid": "made-up"}
    for _ in range(3):
        _refused(api, provider, "its signature")
    assert provider.asked.count("/jwks") == 2


def test_who_signed_in_there_long_ago_does_so_again(plain: Api, provider: Provider, tmp_path: Path) -> None:
    api = _site(plain, provider, tmp_path, max_age_s=600)
    linked(api, "s-1")
    assert Browser(api.app).begin()["max_age"] == "600"
    now = api.world.clock.now_us() // US_PER_S
    assert _code(api, provider, auth_time=now - 600)
    for auth_time in (now - 661, None, "now", True):
        _refused(api, provider, "(auth_time)", auth_time=auth_time)


# --- a directory that is away, or does what it likes


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
    assert _code(api, provider), "and once it is back it is asked again"


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
    api = _site(plain, provider, tmp_path, timeout_s=0.2)
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


def test_a_site_without_a_directory_says_so(plain: Api) -> None:
    browser = Browser(plain.app)
    for path in ("session/directory", "session/directory/callback"):
        assert browser.get(path, code_challenge=challenge_of(VERIFIER)).status_code == 404
    assert is_problem(redeem(plain.app, "c"), 404, "not-found")


def test_rows_of_sign_ins_that_are_over_go(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code = _code(api, provider)
    api.world.clock.us += 601 * US_PER_S
    _code(api, provider)
    assert is_problem(redeem(api.app, code), 401, "unauthenticated")
    with api.world.ledger.uow(read_only=True) as uow:
        rows = uow.directory
        assert isinstance(rows, Rows) and rows.open_codes(linked_id(api), 0) == 1


def linked_id(api: Api) -> str:
    return api.world.custody.account_named("kim.jiwon").account_id
