"""Tokens and links: only our own, only with the right key and audience, only for their time."""

from __future__ import annotations

import traceback
from typing import Any

import jwt
import pytest

from api.security import LinkSigner, TokenSigner
from orvault.clock import US_PER_S, FakeClock
from orvault.custody.session import Session
from orvault.errors import ErrorKind, OrvaultError

SECRET, OTHER = b"s" * 32, b"o" * 32
SESSION = Session("session-1", "account-1", 0, 1_800_000_900 * US_PER_S)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {
        "iss": "orvault",
        "aud": "orvault-api",
        "sub": "account-1",
        "jti": "session-1",
        "iat": 1_800_000_000,
        "exp": 1_800_000_900,
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def test_token_says_what_was_signed(clock: FakeClock) -> None:
    signer = TokenSigner(SECRET, clock)
    claims = signer.read(signer.sign(SESSION))
    assert (claims.account_id, claims.session_id) == ("account-1", "session-1")
    assert (
        signer.read(jwt.encode(_claims(), SECRET, "HS256")) == claims
    )  # the forgeries below fail by one change


def test_token_ends_with_its_session(clock: FakeClock) -> None:
    signer = TokenSigner(SECRET, clock)
    token = signer.sign(SESSION)
    clock.us = SESSION.expires_us - 1
    signer.read(token)
    clock.us = SESSION.expires_us
    with pytest.raises(OrvaultError, match="over"):
        signer.read(token)


@pytest.mark.parametrize(
    "token",
    [
        jwt.encode(_claims(), OTHER, "HS256"),
        jwt.encode(_claims(), SECRET * 2, "HS512"),
        jwt.encode(_claims(), "", "none"),
        jwt.encode(_claims(aud="orvault-download"), SECRET, "HS256"),
        jwt.encode(_claims(iss="somebody"), SECRET, "HS256"),
        *(jwt.encode(_claims(**{name: None}), SECRET, "HS256") for name in _claims()),
        jwt.encode(_claims(exp=1.8e9 + 900.5), SECRET, "HS256"),
        jwt.encode(_claims(), SECRET, "HS256")[:-2],
        "",
        "a.b.c",
        "é",
        "x" * 5000,
    ],
)
def test_forged_tokens(clock: FakeClock, token: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        TokenSigner(SECRET, clock).read(token)
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED
    assert not token or token not in "".join(traceback.format_exception(caught.value))


def test_links_are_bound_to_their_package_key_and_time(clock: FakeClock) -> None:
    links = LinkSigner(SECRET, clock)
    url = links.sign("package-1", "link-1", clock.us + 300 * US_PER_S)
    token = url.split("token=")[1]
    assert url.startswith("/media/package-1?") and links.read("package-1", token) == "link-1"
    for signer, package in ((links, "package-2"), (LinkSigner(OTHER, clock), "package-1")):
        with pytest.raises(OrvaultError) as caught:
            signer.read(package, token)
        assert caught.value.kind is ErrorKind.UNAUTHENTICATED
    clock.us += 300 * US_PER_S
    with pytest.raises(OrvaultError) as caught:
        links.read("package-1", token)
    assert caught.value.kind is ErrorKind.LINK_EXPIRED


def test_bearer_token_is_no_link_even_under_one_key(clock: FakeClock) -> None:
    token = TokenSigner(SECRET, clock).sign(SESSION)
    with pytest.raises(OrvaultError):
        LinkSigner(SECRET, clock).read("account-1", token)


def test_short_secret_is_refused_and_never_shown(clock: FakeClock) -> None:
    with pytest.raises(OrvaultError) as caught:
        TokenSigner(b"short-secret", clock)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and "short-secret" not in str(caught.value)
    assert "ssss" not in repr(TokenSigner(SECRET, clock)._signer)
