"""Signing in through the hospital's directory, from a program's question to its code: the steps between the routes
and the directory, custody and the browser.

1. `begin`: a program sends a browser here; it leaves for the directory with a sealed cookie (`attempts`).
2. `come_back`: it returns; the directory is asked who that was (`provider`), custody who that is here.
3. The program brings the code and what it kept to itself, and gets a session: custody's (`directory_session`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from api.directory.attempts import Attempt, Attempts, check_return
from api.directory.place import ProviderPlace
from api.directory.provider import Provider
from orvault.clock import Clock
from orvault.custody.directory import Identity
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError

_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
# What a program is told (RFC 6749, section 4.1.2.1); the person reads the rest.
_TOLD = {ErrorKind.UNAVAILABLE: "temporarily_unavailable", ErrorKind.BAD_SETTINGS: "server_error"}


@dataclass(frozen=True, slots=True)
class Return:
    """What a browser brought back from the directory, unchecked."""

    state: str
    code: str = ""
    issuer: str = ""
    error: str = ""


@dataclass(frozen=True)
class Directory:
    """The site's directory, and the sign-ins that are under way."""

    place: ProviderPlace
    provider: Provider
    attempts: Attempts

    @classmethod
    def at(cls, place: ProviderPlace, secret: bytes, clock: Clock) -> Directory:
        """Of the settings' place; the secret is shared by all API processes."""
        return cls(place, Provider(place, clock), Attempts(secret, clock))

    def begin(self, challenge: str, return_to: str, program_state: str) -> tuple[str, str]:
        """Where the browser goes, and the cookie that it carries.

        Errors: BAD_REQUEST (`return_to`), UNAVAILABLE, BAD_SETTINGS, TOO_MANY_ATTEMPTS.
        """
        return_to = check_return(return_to, self.place.return_addresses)
        attempt = self.attempts.begin(challenge, return_to, program_state)
        return self.provider.sign_in_address(attempt), self.attempts.seal(attempt)

    def opened(self, custody: CustodyService, came: Return, cookie: str, client: str) -> Attempt:
        """The attempt that this browser began. Errors: UNAUTHENTICATED, in history; TOO_MANY_ATTEMPTS."""
        custody.check_directory_client(client)
        try:
            return self.attempts.open(cookie, came.state)
        except OrvaultError as error:
            custody.refuse_directory(error.message, client)
            raise

    def code(self, custody: CustodyService, attempt: Attempt, came: Return, client: str) -> str:
        """The code for the program. Errors: UNAUTHENTICATED and FORBIDDEN, in history; UNAVAILABLE, BAD_SETTINGS,
        TOO_MANY_ATTEMPTS.
        """
        try:
            identity = self._identity(attempt, came)
        except OrvaultError as error:
            if error.kind is ErrorKind.UNAUTHENTICATED:
                custody.refuse_directory(error.message, client)
            raise
        return custody.admit(identity, attempt.state, attempt.challenge, client)

    def _identity(self, attempt: Attempt, came: Return) -> Identity:
        if came.error or not came.code:
            named = came.error if _ERROR_CODE.fullmatch(came.error) else "no code"
            message = f"The directory did not sign you in ({named})."
            raise OrvaultError(ErrorKind.UNAUTHENTICATED, message, advice="Sign in again.")
        return self.provider.identity(came.code, came.issuer, attempt)


def with_code(attempt: Attempt, code: str) -> str:
    """Where the program waits, with the code."""
    return _with(attempt, {"code": code})


def with_error(attempt: Attempt, error: OrvaultError) -> str:
    """Where the program waits, with what was wrong."""
    told = _TOLD.get(error.kind, "access_denied")
    return _with(attempt, {"error": told, "error_description": error.message})


def _with(attempt: Attempt, answer: dict[str, str]) -> str:
    state = {"state": attempt.program_state} if attempt.program_state else {}
    mark = "&" if "?" in attempt.return_to else "?"
    return f"{attempt.return_to}{mark}{urlencode(answer | state)}"
