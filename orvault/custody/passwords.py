"""Account passwords: the rule they keep, and Argon2id hashing with the same work for known and unknown names.

Recipients' passwords of export packages are turned into keys by `orvault.container.keys`; the gate before that work
is here.
"""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from orvault.custody.gate import Gate
from orvault.errors import ErrorKind, OrvaultError

MIN_CHARACTERS = 12
MAX_CHARACTERS = 200
MIN_SCORE = 3  # of zxcvbn's 0 to 4
_LOOKED_AT = 72  # characters: its time grows with their square and more, and 72 strong ones are strong
_SHORTEST_WORD = 3
_SEPARATORS = re.compile(r"[\s._@()-]+")
_SALT_BYTES = 16
_HASH_BYTES = 32
_AT_ONCE, _WAITING = 2, 4
_BUSY = "Too many passwords are being worked on at this moment."


_estimating = threading.Lock()
# One at once for the whole process: each recipient's password takes 128 MiB and a third of a second.
RECIPIENTS = Gate(1, _WAITING, _BUSY)


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
        self.gate = Gate(_AT_ONCE, _WAITING, _BUSY)
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

    def check(self, password: str, known_words: Sequence[str] = ()) -> None:
        """Raise BAD_REQUEST unless it has 12 to 200 characters and zxcvbn thinks it hard to guess (3 of 4: some
        hundred million guesses).

        Words that everybody here knows (`known_words`: names of the account and of the hospital) help a guesser as
        much as a dictionary does. The message never repeats the password.
        """
        normal = unicodedata.normalize("NFKC", password[: MAX_CHARACTERS * 4])
        if not MIN_CHARACTERS <= len(normal) <= MAX_CHARACTERS:
            needed = f"{MIN_CHARACTERS} to {MAX_CHARACTERS} are needed"
            raise _weak(f"The password has {len(normal)} characters; {needed}.")
        parts = _parts(known_words)
        rest = _without(normal, parts)
        named = "Without the names that everybody here knows, the password is easy to guess."
        if not rest:
            raise _weak(named)
        with self.gate.turn():
            found = _estimate(rest, parts)
        if found.score >= MIN_SCORE:
            return
        if rest != normal or found.named:
            raise _weak(named)
        raise _weak(found.warning or "The password is easy to guess.", found.advice)

    def matches(self, password: str, phc: str | None) -> bool:
        """Whether the password belongs to this PHC string; none ("": it has no password; None: no such account) costs
        the same and is False.
        """
        with self.gate.turn():
            try:
                Argon2id.verify_phc_encoded(_normal(password), phc or self._nobody)
            except InvalidKey:
                return False
        return bool(phc)


def _weak(
    problem: str, advice: str = "A sentence of several uncommon words is easy to keep."
) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, problem, where="password", advice=advice)


def _parts(known_words: Sequence[str]) -> list[str]:
    """The words, and what they are made of, the longest first."""
    parts = {part.casefold() for words in known_words for part in (words, *_SEPARATORS.split(words))}
    return sorted(
        (part for part in parts if len(part) >= _SHORTEST_WORD), key=lambda part: (-len(part), part)
    )


def _without(password: str, parts: Sequence[str]) -> str:
    """The password with the known words taken out, for zxcvbn counts several of them as a sentence."""
    for part in parts:
        password = re.sub(re.escape(part), "", password, flags=re.IGNORECASE)
    return password


@dataclass(frozen=True, slots=True)
class _Estimate:
    """What zxcvbn makes of a password: 0 to 4, whether known words stand in it, and its own words about it."""

    score: int
    named: bool
    warning: str
    advice: str


def _estimate(password: str, known_words: Sequence[str]) -> _Estimate:
    """Where everybody knows these words, also spelt with digits or backwards."""
    from zxcvbn import zxcvbn  # its word lists take memory: only who sets passwords loads them

    with _estimating:  # it keeps the known words in a variable of its module
        found = zxcvbn(password[:_LOOKED_AT], user_inputs=list(known_words))
    named = any(match.get("dictionary_name") == "user_inputs" for match in found["sequence"])
    said = found["feedback"]
    return _Estimate(found["score"], named, said["warning"], " ".join(said["suggestions"]))


def _normal(password: str) -> bytes:
    # The same Hangul typed on two systems arrives composed or decomposed; NIST SP 800-63B asks for one form.
    return unicodedata.normalize("NFKC", password[: MAX_CHARACTERS * 4]).encode("utf-8", "surrogatepass")
