"""The ID token of a sign-in through the directory: who signed it, and what it says; every lie is refused."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from orvault.clock import US_PER_S
from tests.unit.api_support import Api
from tests.unit.directory_support import (
    Browser,
    linked,
)
from tests.unit.oidc_provider import ACCESS, CLIENT_SECRET, Provider
from tests.unit.sign_in_support import api, code_of, plain, provider, refused_because, site_with

__all__ = ["api", "plain", "provider"]

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})


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
    refused_because(api, provider, "its signature")


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
    refused_because(api, provider, f"({named})", **claims)


@pytest.mark.parametrize("sub", ["s" * 256, "s\u202e1"])
def test_a_subject_that_is_none(api: Api, provider: Provider, sub: str) -> None:
    refused_because(api, provider, "named nobody", sub=sub)


def test_clocks_may_differ_by_a_minute(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    assert code_of(api, provider, exp=1_799_999_950, iat=1_799_999_950)


def test_at_hash_of_the_right_token_and_several_audiences_with_azp(api: Api, provider: Provider) -> None:
    from authlib.oidc.core.util import create_half_hash

    linked(api, "s-1")
    right = create_half_hash(ACCESS, "ES256").decode()
    assert code_of(api, provider, at_hash=right, aud=["orvault", "account"], azp="orvault")


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (OKPKey.generate_key("Ed25519", {"kid": "ed"}), "EdDSA")]
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_other_signatures_that_are_believed(api: Api, provider: Provider, key: Any, alg: str) -> None:
    linked(api, "s-1")
    provider.key, provider.published, provider.header = key, [key], {"alg": alg}
    assert code_of(api, provider)


def test_a_site_believes_fewer_signatures(plain: Api, provider: Provider, tmp_path: Path) -> None:
    api = site_with(plain, provider, tmp_path, algorithms=("RS256",))
    refused_because(api, provider, "its signature")


def test_a_key_too_short_to_be_safe_is_none(api: Api, provider: Provider) -> None:
    with pytest.warns(UserWarning, match="2048"):
        short = RSAKey.generate_key(1024, {"kid": "short"})
    provider.key, provider.published, provider.header = short, [short], {"alg": "RS256"}
    refused_because(api, provider, "its signature")


def test_a_new_key_is_fetched_once_and_unknown_ones_not_over_and_over(api: Api, provider: Provider) -> None:
    linked(api, "s-1")
    code_of(api, provider)
    code_of(api, provider)
    assert provider.asked.count("/jwks") == 1
    provider.key = ECKey.generate_key("P-256", {"kid": "second"})
    provider.published = [provider.key]
    refused_because(api, provider, "its signature")
    assert provider.asked.count("/jwks") == 1, "not before a minute is over"
    api.world.clock.us += 61 * US_PER_S
    assert code_of(api, provider)
    provider.header = {"kid": "made-up"}
    for _ in range(3):
        refused_because(api, provider, "its signature")
    assert provider.asked.count("/jwks") == 2


def test_who_signed_in_there_long_ago_does_so_again(plain: Api, provider: Provider, tmp_path: Path) -> None:
    api = site_with(plain, provider, tmp_path, max_age_s=600)
    linked(api, "s-1")
    assert Browser(api.app).begin()["max_age"] == "600"
    now = api.world.clock.now_us() // US_PER_S
    assert code_of(api, provider, auth_time=now - 600)
    for auth_time in (now - 661, None, "now", True):
        refused_because(api, provider, "(auth_time)", auth_time=auth_time)
