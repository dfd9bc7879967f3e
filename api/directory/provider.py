"""The hospital's directory as an OpenID provider: where it is, its keys, where a browser is sent, and who comes back.

Authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 9700). What an identity may do here is
custody's; the sign-in's own secrets are `attempts`'.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.discovery import get_well_known_url
from joserfc.jwk import KeySet

from actors.keys import read_secret
from api.directory.attempts import Attempt
from api.directory.place import ProviderPlace, is_safe
from api.directory.tokens import Expected, keys_of, read_id_token
from api.directory.wire import Wire, away
from orvault.clock import US_PER_S, Clock
from orvault.custody.directory import Identity, identity_of
from orvault.custody.gate import Gate
from orvault.errors import ErrorKind, OrvaultError

_FRESH_S = 3600  # a document or a set of keys is asked for again after it
_AGAIN_S = 60  # and the keys no sooner than this, however many tokens name one that is unknown
_AT_ONCE = 6  # requests wait for the directory in threads that also start and stop recordings
_MAX_TOKEN_CHARACTERS = 128 << 10
_SET_UP_WRONGLY = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})


@dataclass(frozen=True, slots=True)
class _Document:
    """What the directory says of itself, as far as it is needed here."""

    authorization: str
    token: str
    keys: str
    posts_secret: bool
    names_itself: bool


class Provider:
    """The directory, asked over HTTP; safe to share between threads. What it said is kept for an hour."""

    def __init__(self, place: ProviderPlace, clock: Clock) -> None:
        self._place = place
        self._clock = clock
        self._wire = Wire(place.ca_file, place.timeout_s)
        self._lock = threading.Lock()
        self._gate = Gate(_AT_ONCE, 0, "Too many sign-ins wait for the hospital's directory at this moment.")
        self._document: tuple[int, _Document] | None = None
        self._keys: tuple[int, KeySet] | None = None

    def sign_in_address(self, attempt: Attempt) -> str:
        """Where the browser goes to sign in. Errors: UNAVAILABLE, BAD_SETTINGS, TOO_MANY_ATTEMPTS."""
        with self._gate.place():
            document = self._read_document()
        more: dict[str, Any] = {"nonce": attempt.nonce}
        if self._place.max_age_s is not None:
            more["max_age"] = str(self._place.max_age_s)
        if self._place.levels:
            more["acr_values"] = " ".join(self._place.levels)
        address, _ = self._client(document).create_authorization_url(
            document.authorization, state=attempt.state, code_verifier=attempt.verifier, **more
        )
        return str(address)

    def identity(self, code: str, issuer: str, attempt: Attempt) -> Identity:
        """Who came back with this code. `issuer` is what the answer called the directory (RFC 9207), or empty.

        Errors: UNAUTHENTICATED for what is not believed; UNAVAILABLE, BAD_SETTINGS, TOO_MANY_ATTEMPTS.
        """
        with self._gate.place():
            document = self._read_document()
            if issuer != self._place.issuer and (issuer or document.names_itself):
                raise _not_believed("it came back from another directory")
            answer = self._redeem(document, code, attempt)
            token = answer.get("id_token")
            if not isinstance(token, str) or len(token) > _MAX_TOKEN_CHARACTERS:
                raise _not_believed("the directory sent no ID token")
            access_token = answer.get("access_token")
            expected = Expected(
                self._place.issuer,
                self._place.client_id,
                attempt.nonce,
                attempt.begun_s,
                self._place.algorithms,
                self._place.max_age_s,
                access_token if isinstance(access_token, str) else None,
            )
            claims = read_id_token(token, self._read_keys, expected, self._now_s())
        found = identity_of(self._place.issuer, claims, self._place.claims)
        if found is None:
            raise _not_believed("the directory named nobody")
        return found

    def _redeem(self, document: _Document, code: str, attempt: Attempt) -> dict[str, Any]:
        try:
            answer = self._client(document).fetch_token(
                document.token, code=code, code_verifier=attempt.verifier
            )
        except AuthlibBaseError as error:
            if str(error.error) in _SET_UP_WRONGLY:
                raise away(f"does not take this site's client ({error.error})") from None
            raise _not_believed("the directory does not know the code") from None
        except (httpx.HTTPError, ValueError, TypeError, RecursionError) as error:
            raise away(f"gave no token ({type(error).__name__})") from None
        return dict(answer)

    def _client(self, document: _Document) -> Any:
        place = self._place
        secret = None if place.client_secret_file is None else read_secret(place.client_secret_file)
        method = "client_secret_post" if document.posts_secret else "client_secret_basic"
        return OAuth2Client(
            self._wire,
            client_id=place.client_id,
            client_secret=secret,
            token_endpoint_auth_method="none" if secret is None else method,
            scope=" ".join(place.scopes),
            redirect_uri=place.redirect_uri,
            code_challenge_method="S256",
        )

    def _read_document(self) -> _Document:
        with self._lock:
            now_s = self._now_s()
            if self._document is None or now_s >= self._document[0] + _FRESH_S:
                self._document = (now_s, self._fetch_document())
            return self._document[1]

    def _fetch_document(self) -> _Document:
        issuer = self._place.issuer
        found = self._wire.get(get_well_known_url(issuer, external=True))
        if found.get("issuer") != issuer:
            raise away("calls itself by another issuer than the settings do")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorization, token, keys = (str(found.get(name)) for name in names)
        if not all(is_safe(each, loopback=self._place.here) for each in (authorization, token, keys)):
            raise away("names an address that is not https")
        ways = found.get("token_endpoint_auth_methods_supported")
        posts = isinstance(ways, list) and "client_secret_post" in ways
        named = found.get("authorization_response_iss_parameter_supported") is True
        return _Document(authorization, token, keys, posts, named)

    def _read_keys(self, again: bool) -> KeySet:
        """The directory's keys; `again`: one is lacking, so they are fetched anew, once a minute at most."""
        document = self._read_document()
        with self._lock:
            now_s = self._now_s()
            age_s = None if self._keys is None else now_s - self._keys[0]
            if age_s is None or age_s >= (_AGAIN_S if again else _FRESH_S):
                self._keys = (now_s, keys_of(self._wire.get(document.keys)))
            assert self._keys is not None, "fetched, or raised"
            return self._keys[1]

    def _now_s(self) -> int:
        return self._clock.now_us() // US_PER_S


def _not_believed(why: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.UNAUTHENTICATED, f"This sign-in is not believed: {why}.", advice="Sign in again."
    )
