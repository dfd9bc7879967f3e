"""A sign-in at the directory while it is under way: its secrets, in a sealed cookie of the browser that began it.

Nothing is kept on the server until somebody has proven who they are: what anybody may begin can fill nothing
(docs/adr/0029). That it comes back only once is custody's.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass, field

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.clock import US_PER_S, Clock
from orvault.custody.directory import ATTEMPT_US
from orvault.errors import ErrorKind, OrvaultError

ATTEMPT_S = ATTEMPT_US // US_PER_S
_SECRET_BYTES = 32
_PURPOSE = b"orvault directory sign-in v1"
# RFC 8252, section 7.3: the address itself and any port; no names, which something else may answer to.
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):([0-9]{1,5})(?:/[A-Za-z0-9._~/-]{0,200})?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in: `state`, `nonce` and `verifier` towards the directory, the rest towards the program that asked.

    `return_to` is where the program waits; empty: the code is shown. Times in seconds since 1970.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    begun_s: int
    challenge: str
    return_to: str = ""
    program_state: str = field(default="", repr=False)


class Attempts:
    """Begins sign-ins, and knows its own when they come back; the secret is shared by all API processes."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(secret)
        # AES-CBC and HMAC with a time in it: a browser can neither read what it carries nor make one.
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
        self._clock = clock

    def begin(self, challenge: str, return_to: str, program_state: str) -> Attempt:
        """A fresh attempt."""
        state, nonce, verifier = (secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3))
        return Attempt(state, nonce, verifier, self._now_s(), challenge, return_to, program_state)

    def seal(self, attempt: Attempt) -> str:
        """The attempt as the browser carries it."""
        text = json.dumps(asdict(attempt), ensure_ascii=False, separators=(",", ":"))
        return self._fernet.encrypt_at_time(text.encode(), self._now_s()).decode()

    def open(self, sealed: str, state: str) -> Attempt:
        """The attempt that this browser began, if it is the one with this state and began within ten minutes.

        Without both anybody could send a browser here with a sign-in of theirs (RFC 9700, section 4.7).
        Errors: UNAUTHENTICATED.
        """
        try:
            opened = self._fernet.decrypt_at_time(sealed.encode(), ATTEMPT_S, self._now_s())
        except InvalidToken:
            raise _not_begun() from None
        attempt = Attempt(**json.loads(opened))
        if not hmac.compare_digest(attempt.state.encode(), state.encode()):
            raise _not_begun()
        return attempt

    def _now_s(self) -> int:
        return self._clock.now_us() // US_PER_S


def check_return(address: str, listed: Collection[str]) -> str:
    """Where a program waits for its code: on the person's own computer, or at an address of the settings.

    Errors: BAD_REQUEST.
    """
    if not address or address in listed:
        return address
    here = _LOOPBACK.fullmatch(address)
    if here is None or not 0 < int(here[1]) <= _HIGHEST_PORT:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "Nobody is sent to this address.",
            where="redirect_uri",
            advice="Use http://127.0.0.1:PORT/ of the program itself, or one of directory.return_addresses.",
        )
    return address


def _not_begun() -> OrvaultError:
    return OrvaultError(
        ErrorKind.UNAUTHENTICATED,
        "This sign-in was not begun in this browser, or more than ten minutes ago.",
        advice="Begin again in the program that you want to use, and let this browser keep cookies.",
    )
