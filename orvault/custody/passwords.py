"""Account passwords: the rule they keep, and Argon2id hashing with the same work for known and unknown names.

Recipients' passwords of export packages are turned into keys by `orvault.container.keys`; the gate before that work
is here.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from orvault.custody.account import ThrottledError
from orvault.errors import ErrorKind, OrvaultError

MIN_CHARACTERS = 12
MAX_CHARACTERS = 200
_SALT_BYTES = 16
_HASH_BYTES = 32
_AT_ONCE, _WAITING = 2, 4
_RETRY_S = 5


class Gate:
    """Before work that takes memory and time: so many at once, so many waiting, and nobody else.

    Whoever waits holds a thread of the API, and the same threads start and stop recordings: so few may wait.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._working = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place at the gate, or TOO_MANY_ATTEMPTS at once."""
        if not self._places.acquire(blocking=False):
            raise ThrottledError(
                ErrorKind.TOO_MANY_ATTEMPTS,
                "Too many passwords are being worked on at this moment.",
                advice="Try again in a few seconds.",
                retry_after_s=_RETRY_S,
            )
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The work itself, for whoever has a place; waits for those before."""
        with self._working:
            yield


# One at once for the whole process: each recipient's password takes 128 MiB and a third of a second.
RECIPIENTS = Gate(1, _WAITING)


class Passwords:
    """Hashes and checks passwords with Argon2id (RFC 9106, second recommended option: 64 MiB, 3 passes, 4
    lanes).

    At most two computations run at once: otherwise a burst of sign-ins would take the server's memory. `gate` is
    what the anonymous take a place at first.
    """

    def __init__(self, memory_kib: int = 64 * 1024, iterations: int = 3, lanes: int = 4) -> None:
        self._memory_kib = memory_kib
        self._iterations = iterations
        self._lanes = lanes
        self.gate = Gate(_AT_ONCE, _WAITING)
        # Checked in place of a hash that does not exist, so that an unknown name costs what a known one does.
        self._nobody = self.hash(os.urandom(_SALT_BYTES).hex())

    def hash(self, password: str) -> str:
        """The PHC string of this password with a fresh salt."""
        kdf = Argon2id(
            salt=os.urandom(_SALT_BYTES),
            length=_HASH_BYTES,
            iterations=self._iterations,
            lanes=self._lanes,
            memory_cost=self._memory_kib,
        )
        with self.gate.turn():
            return kdf.derive_phc_encoded(_normal(password))

    def matches(self, password: str, phc: str | None) -> bool:
        """Whether the password belongs to this PHC string; None (no such account) costs the same and is
        False.
        """
        with self.gate.turn():
            try:
                Argon2id.verify_phc_encoded(_normal(password), phc or self._nobody)
            except InvalidKey:
                return False
        return phc is not None


def check_password(password: str, account_name: str) -> None:
    """Raise BAD_REQUEST unless it has 12 to 200 characters and does not contain the account name."""
    length = len(unicodedata.normalize("NFKC", password))
    problem = ""
    if not MIN_CHARACTERS <= length <= MAX_CHARACTERS:
        problem = f"The password has {length} characters; {MIN_CHARACTERS} to {MAX_CHARACTERS} are needed."
    elif account_name in password.casefold():
        problem = "The password contains the account name."
    elif len(set(password)) < 4:
        problem = "The password repeats fewer than 4 different characters."
    if problem:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            problem,
            where="password",
            advice="A sentence of several words is easy to keep.",
        )


def _normal(password: str) -> bytes:
    # The same Hangul typed on two systems arrives composed or decomposed; NIST SP 800-63B asks for one form.
    return unicodedata.normalize("NFKC", password[: MAX_CHARACTERS * 4]).encode("utf-8", "surrogatepass")
