"""Canonical JSON, and the strict reading of values that came from outside.

Knows no format: which fields there are, and what they mean, stands in the modules that call this.
Source: docs/format/segment-v1.md, section 1.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping

from orvault.errors import ErrorKind, OrvaultError

MAX_INTEGER = 2**53 - 1  # what every JSON implementation can hold exactly
MAX_DEPTH = 16
_HEX32 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def encode(value: object) -> bytes:
    """The canonical JSON of a value of objects, lists, strings, integers, booleans and null.

    Raises:
        OrvaultError: BAD_REQUEST for a fraction, a number out of range, a key that is not ASCII text, or
        nesting deeper than 16.
    """
    try:
        _check(value, MAX_DEPTH)
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    except ValueError as error:  # includes the UnicodeEncodeError of a lone surrogate
        raise OrvaultError(
            ErrorKind.BAD_REQUEST, f"This cannot be written as canonical JSON: {error}"
        ) from error


def decode(
    data: bytes, *, max_bytes: int, where: str, kind: ErrorKind = ErrorKind.ALTERED
) -> dict[str, object]:
    """The object in `data`, which must be the canonical form of itself and at most `max_bytes` long.

    Comparing with the canonical form refuses duplicate keys, white space and every second spelling at once.

    Raises:
        OrvaultError: `kind`, naming `where`.
    """
    if len(data) > max_bytes:
        raise OrvaultError(
            kind, f"It is {len(data)} bytes long; at most {max_bytes} are allowed.", where=where
        )
    try:
        value = json.loads(data.decode("utf-8"))
        canonical = encode(value)
    except (ValueError, RecursionError) as error:
        raise OrvaultError(kind, "It is not readable as JSON.", where=where) from error
    except OrvaultError as error:
        raise OrvaultError(kind, error.message, where=where) from error
    if canonical != data:
        raise OrvaultError(kind, "Its JSON is not in canonical form.", where=where)
    if not isinstance(value, dict):
        raise OrvaultError(kind, "A JSON object was expected.", where=where)
    return value


def _check(value: object, depth: int) -> None:
    if depth < 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > MAX_INTEGER:
                raise ValueError("an integer is beyond 2^53")
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str) or not key.isascii():
                    raise ValueError("a key is not ASCII text")
                _check(item, depth - 1)
        case list() | tuple():
            for item in value:
                _check(item, depth - 1)
        case _:
            raise ValueError(f"a value of type {type(value).__name__}")


class Fields:
    """Takes the fields of one JSON object one by one; `end` refuses those nobody asked for.

    Every method raises OrvaultError of the given kind, naming the place and the field.
    """

    def __init__(self, value: object, where: str, kind: ErrorKind = ErrorKind.ALTERED) -> None:
        self.where = where
        self.kind = kind
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise OrvaultError(kind, "An object with named fields was expected.", where=where)
        self._left: dict[str, object] = dict(value)

    def fail(self, name: str, problem: str) -> OrvaultError:
        """The error about one field; the caller raises it."""
        return OrvaultError(self.kind, f"The field {name!r} {problem}.", where=self.where)

    def take(self, name: str) -> object:
        """The field's value as it is; it must be there."""
        if name not in self._left:
            raise self.fail(name, "is missing")
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        """Whether the field is there, for those that may be left out."""
        return name in self._left

    def end(self) -> None:
        """Refuse fields that were not taken."""
        if self._left:
            raise self.fail(min(self._left)[:64], "is unknown")

    def constant(self, name: str, expected: str | int) -> None:
        """A field with one legal value."""
        value = self.take(name)
        if type(value) is not type(expected) or value != expected:
            raise self.fail(name, f"is not {expected!r}")

    def integer(self, name: str, low: int = 0, high: int = MAX_INTEGER) -> int:
        """An integer from low to high, both included."""
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.fail(name, f"is not an integer from {low} to {high}")
        return value

    def text(self, name: str, max_chars: int = 200, *, lines: bool = False, least: int = 0) -> str:
        """Text without control characters; `lines` allows line feeds and tabs."""
        value = self.take(name)
        if not isinstance(value, str) or not least <= len(value) <= max_chars:
            raise self.fail(name, f"is not text of {least} to {max_chars} characters")
        if (_CONTROL_BUT_LINES if lines else _CONTROL).search(value):
            raise self.fail(name, "holds control characters")
        return value

    def identifier(self, name: str) -> str:
        """An id as of segment-v1, 1.4."""
        value = self.take(name)
        if not isinstance(value, str) or not is_identifier(value):
            raise self.fail(name, "is not an id (letters, digits and ._:@-, at most 128, no '..')")
        return value

    def digest(self, name: str, *, empty: bool = False) -> str:
        """32 bytes as lower-case hexadecimal; `empty` allows "" too."""
        value = self.take(name)
        if not isinstance(value, str) or not (_HEX32.fullmatch(value) or (empty and not value)):
            raise self.fail(name, "is not 64 hexadecimal digits")
        return value

    def data(self, name: str, max_bytes: int) -> bytes:
        """Bytes written as base64."""
        value = self.take(name)
        if not isinstance(value, str):
            raise self.fail(name, "is not base64 text")
        return from_base64(value, max_bytes, self.fail(name, f"is not base64 of at most {max_bytes} bytes"))

    def items(self, name: str, least: int, most: int) -> list[object]:
        """A list of least to most elements."""
        value = self.take(name)
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            raise self.fail(name, f"is not a list of {least} to {most} elements")
        return list(value)

    def texts(self, name: str, least: int, most: int, max_chars: int = 200) -> tuple[str, ...]:
        """A list of texts without control characters."""
        values = self.items(name, least, most)
        for value in values:
            if not isinstance(value, str) or len(value) > max_chars or _CONTROL.search(value):
                raise self.fail(name, f"holds something other than text of at most {max_chars} characters")
        return tuple(str(value) for value in values)

    def child(self, name: str) -> Fields:
        """A nested object."""
        return Fields(self.take(name), f"{self.where}, {name}", self.kind)


def is_identifier(value: object) -> bool:
    """Whether this is an id as of segment-v1, 1.4."""
    return isinstance(value, str) and bool(_ID.fullmatch(value)) and ".." not in value


def is_digest(value: object) -> bool:
    """Whether this is 32 bytes as lower-case hexadecimal."""
    return isinstance(value, str) and bool(_HEX32.fullmatch(value))


def to_base64(data: bytes) -> str:
    """RFC 4648 section 4, with padding."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str, max_bytes: int, error: OrvaultError) -> bytes:
    """The bytes in `text`, one spelling only; raises `error` otherwise."""
    if len(text) > (max_bytes + 2) // 3 * 4:
        raise error
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise error from problem
    # Unused bits in the last character would give one value several spellings, outside any signature's view.
    if len(data) > max_bytes or to_base64(data) != text:
        raise error
    return data
