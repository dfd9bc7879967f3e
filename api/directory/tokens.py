"""Checks an ID token (OpenID Connect Core 1.0, section 3.1.3.7) with authlib and joserfc.

Where its keys come from is `provider`'s; what its claims come to, custody's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from orvault.errors import ErrorKind, OrvaultError

LEEWAY_S = 60  # clocks differ
_MIN_RSA_BITS = 2048
_MOST_KEYS = 100
_MAX_HEADER_BYTES = 8192  # some put certificates there


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say; `begun_s` is when its sign-in began (seconds since 1970), `max_age_s` how long the
    person may have been signed in at the directory.
    """

    issuer: str
    client_id: str
    nonce: str
    begun_s: int
    algorithms: Collection[str]
    max_age_s: int | None = None
    access_token: str | None = None


def keys_of(document: Mapping[str, object]) -> KeySet:
    """The public keys of a JWK set that can sign; others, and unreadable ones, are left out (RFC 7517, section 5)."""
    listed = document.get("keys")
    found = [_key_of(each) for each in listed[:_MOST_KEYS]] if isinstance(listed, list) else []
    return KeySet([key for key in found if key is not None])


def read_id_token(
    token: str, keys: Callable[[bool], KeySet], expected: Expected, now_s: int
) -> Mapping[str, object]:
    """The claims of an ID token, once all of this holds:

    1. signed with an algorithm that the site allows, by a key of the directory: `keys(again)` has them, and is asked
       a second time (True) for one that they lack;
    2. issuer, audience (and azp), expiry and times of issue, nonce, at_hash: authlib's;
    3. issued after its sign-in began; where that is asked for, the person signed in at the directory lately.

    Errors: UNAUTHENTICATED naming what did not hold.
    """
    registry = JWSRegistry(algorithms=list(expected.algorithms), strict_check_header=False)
    registry.max_header_length = _MAX_HEADER_BYTES
    try:
        try:
            read = jwt.decode(token, keys(False), registry=registry)
        except InvalidKeyIdError:
            read = jwt.decode(token, keys(True), registry=registry)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise _refused(f"its signature: {type(error).__name__}") from None
    _check_claims(read.claims, read.header, expected, now_s)
    return read.claims


def _check_claims(claims: dict[str, Any], header: Mapping[str, Any], expected: Expected, now_s: int) -> None:
    for name in ("nonce", "azp", "at_hash", "acr"):
        if name in claims and not isinstance(claims[name], str):
            raise _refused(name)
    options = {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client_id},
        "sub": {"essential": True},
    }
    params = {
        "client_id": expected.client_id,
        "nonce": expected.nonce,
        "access_token": expected.access_token,
    }
    try:
        CodeIDToken(claims, header, options, params).validate(now_s, LEEWAY_S)
    except ClaimError as error:
        raise _refused(str(error.claim)) from None
    if claims["iat"] < expected.begun_s - LEEWAY_S:
        raise _refused("iat")
    if expected.max_age_s is not None:
        signed_in = claims.get("auth_time")
        if isinstance(signed_in, bool) or not isinstance(signed_in, int | float):
            raise _refused("auth_time")
        if not now_s - signed_in <= expected.max_age_s + LEEWAY_S:  # so that no NaN passes
            raise _refused("auth_time")


def _key_of(data: object) -> RSAKey | ECKey | OKPKey | None:
    if not isinstance(data, dict) or data.get("kty") not in {"RSA", "EC", "OKP"} or data.get("use") == "enc":
        return None
    public: dict[str, str | list[str]] = {
        name: value for name, value in data.items() if isinstance(value, str)
    }
    try:
        key = import_key(public)
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS:
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def _refused(what: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.UNAUTHENTICATED,
        f"What the directory said of you is not believed ({what}).",
        advice="Sign in again; if that does not help, tell the people who run the directory.",
    )
