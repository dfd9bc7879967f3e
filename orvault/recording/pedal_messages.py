"""Messages of a pedal out of the bytes that its port sends: whole lines, or sequences wherever they stand.

What comes over the cable is not trusted: memory is bounded, and what fits no pattern is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.pedal import Movement

MOST_LINE_BYTES = 256
MOST_PATTERN_BYTES = 64
_LINE_END = re.compile(rb"[\r\n]")


class Framing(StrEnum):
    """How messages stand in the stream: as lines (ended by CR, LF or both), or as bytes anywhere."""

    LINES = "lines"
    BYTES = "bytes"


@dataclass(frozen=True)
class Patterns:
    """What a pedal sends. Bytes stand for themselves; in lines `*` and `?` stand for others, as in file names.

    Characters are bytes (Latin-1). Without `released`, each `pressed` is one press.
    """

    pressed: str
    released: str = ""
    framing: Framing = Framing.LINES

    def __post_init__(self) -> None:
        if not self.pressed or self.pressed == self.released:
            raise _bad("pressed and released must be there and differ; only released may be empty.")
        for pattern in (self.pressed, self.released):
            if len(pattern) > MOST_PATTERN_BYTES or any(ord(char) > 255 for char in pattern):
                raise _bad(f"a pattern has at most {MOST_PATTERN_BYTES} characters of Latin-1.")
        if self.framing is Framing.BYTES and self.released and _overlap(self.pressed, self.released):
            raise _bad("pressed and released must not contain each other.")


def _overlap(one: str, other: str) -> bool:
    return one in other or other in one


def _bad(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_SETTINGS, message, where="pedal patterns")


class Messages:
    """Takes the stream piece by piece; what it holds back is at most one line or pattern."""

    def __init__(self, patterns: Patterns) -> None:
        self._patterns = patterns
        self._press = Movement.PRESSED if patterns.released else Movement.PRESS
        self._rest = b""
        self._skipping = False  # inside a line that is too long
        wanted = [pattern.encode("latin-1") for pattern in (patterns.pressed, patterns.released) if pattern]
        self._sequences = re.compile(b"|".join(map(re.escape, wanted)))
        self._longest = max(map(len, wanted))

    def feed(self, data: bytes) -> list[Movement]:
        """The movements that `data` completes, in order."""
        framed = self._lines(data) if self._patterns.framing is Framing.LINES else self._found(data)
        return [movement for text in framed for movement in self._movement(text)]

    def reset(self) -> None:
        """The connection is another one: what was begun will not be continued."""
        self._rest, self._skipping = b"", False

    def _lines(self, data: bytes) -> Iterator[str]:
        *ended, rest = _LINE_END.split(self._rest + data)
        for line in ended:
            if not self._skipping and len(line) <= MOST_LINE_BYTES:
                yield line.strip().decode("latin-1")
            self._skipping = False
        self._skipping = self._skipping or len(rest) > MOST_LINE_BYTES
        self._rest = b"" if self._skipping else rest

    def _found(self, data: bytes) -> Iterator[str]:
        held, end = self._rest + data, 0
        for match in self._sequences.finditer(held):
            end = match.end()
            yield match.group().decode("latin-1")
        self._rest = held[max(end, len(held) - self._longest + 1) :]

    def _movement(self, text: str) -> list[Movement]:
        lines, patterns = self._patterns.framing is Framing.LINES, self._patterns
        if patterns.released and (
            fnmatchcase(text, patterns.released) if lines else text == patterns.released
        ):
            return [Movement.RELEASED]
        if fnmatchcase(text, patterns.pressed) if lines else text == patterns.pressed:
            return [self._press]
        return []
