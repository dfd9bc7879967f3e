"""Signed notes: a text of lines with the signatures of named keys under it, readable by people and by C2SP's tools.

What a text says is its reader's business (checkpoint.py). Source: docs/format/history-v1.md, 2.3 to 2.5 (C2SP
signed-note, tlog-cosignature).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from orvault.container.canonical import from_base64, to_base64
from orvault.errors import ErrorKind, OrvaultError

ED25519, COSIGNATURE = 1, 4  # signature types
MAX_NOTE_BYTES = 16 << 10
MAX_SIGNATURES = 16
_DASH = "\N{EM DASH} "
_KEY_ID_BYTES, _PUBLIC_BYTES, _TIME_BYTES, _SIGNATURE_BYTES = 4, 32, 8, 64


class Signs(Protocol):
    """Whoever holds an Ed25519 key."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        ...


@dataclass(frozen=True)
class NoteKey:
    """A public key under its name; `kind` is ED25519 (a log's) or COSIGNATURE (a witness's)."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """4 bytes that find its signature line; no proof of anything."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(named).digest()[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """As it stands in settings and on paper."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str, where: str = "key") -> NoteKey:
        """What `text` wrote. Errors: BAD_SETTINGS."""
        error = OrvaultError(ErrorKind.BAD_SETTINGS, "This is not a key as NAME+ID+BASE64.", where=where)
        name, _, rest = text.strip().partition("+")
        key_id, _, data = rest.partition("+")
        raw = from_base64(data, 1 + _PUBLIC_BYTES, error)
        if len(raw) != 1 + _PUBLIC_BYTES or raw[0] not in (ED25519, COSIGNATURE) or not is_key_name(name):
            raise error
        key = cls(name, raw[0], raw[1:])
        if key.key_id.hex() != key_id:
            raise error
        return key

    def message(self, text: str, at_s: int) -> bytes:
        """What its signature is over; `at_s` counts for a cosignature only."""
        header = f"cosignature/v1\ntime {at_s}\n" if self.kind == COSIGNATURE else ""
        return (header + text).encode()


@dataclass(frozen=True)
class SignatureLine:
    """One signature as it stands under a note; `data` is what follows the key id."""

    name: str
    key_id: bytes
    data: bytes

    @property
    def text(self) -> str:
        """The line, with its end."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.data)}\n"


@dataclass(frozen=True)
class Note:
    """A text (its last line ended) with its signatures; none of them verified yet."""

    text: str
    signatures: tuple[SignatureLine, ...]

    @property
    def whole(self) -> str:
        """The note as it is kept and sent."""
        return self.text + "\n" + "".join(line.text for line in self.signatures)

    def also(self, line: SignatureLine) -> Note:
        """With one more signature, in the place of an older one by the same key."""
        others = [each for each in self.signatures if (each.name, each.key_id) != (line.name, line.key_id)]
        return replace(self, signatures=(*others, line))

    def line_of(self, key: NoteKey) -> SignatureLine | None:
        """The first line under this key's name and id: the one that `signed_at` looks at."""
        return next(
            (each for each in self.signatures if (each.name, each.key_id) == (key.name, key.key_id)), None
        )

    def signed_at(self, key: NoteKey) -> int | None:
        """Whether this key signed: the time in seconds that its cosignature tells, 0 for other signatures; or None.

        Errors: ALTERED if a line under this key's name and id does not hold.
        """
        line = self.line_of(key)
        if line is None:
            return None
        head = _TIME_BYTES if key.kind == COSIGNATURE else 0
        at_s = int.from_bytes(line.data[:head], "big")
        try:
            if len(line.data) != head + _SIGNATURE_BYTES:
                raise InvalidSignature
            Ed25519PublicKey.from_public_bytes(key.public).verify(
                line.data[head:], key.message(self.text, at_s)
            )
        except (InvalidSignature, ValueError):
            message = f"The signature of {key.name} does not hold."
            raise OrvaultError(ErrorKind.ALTERED, message, where="signed note") from None
        return at_s


def is_key_name(name: str) -> bool:
    """Whether a key may have this name."""
    return 0 < len(name) <= 255 and "+" not in name and not any(char.isspace() for char in name)


def sign_line(text: str, key: NoteKey, signer: Signs, at_s: int = 0) -> SignatureLine:
    """The signature of `key`, whose private half `signer` holds."""
    head = at_s.to_bytes(_TIME_BYTES, "big") if key.kind == COSIGNATURE else b""
    return SignatureLine(key.name, key.key_id, head + signer.sign(key.message(text, at_s)))


def parse_note(text: str, where: str = "signed note", kind: ErrorKind = ErrorKind.ALTERED) -> Note:
    """Read a signed note; nothing is verified yet. Errors: `kind`."""
    error = OrvaultError(kind, "This is not a signed note.", where=where)
    body, _, tail = text.rpartition("\n\n")
    controls = any(ord(char) < 0x20 and char != "\n" for char in text)
    if (
        len(text.encode("utf-8", "replace")) > MAX_NOTE_BYTES
        or controls
        or not body
        or not tail.endswith("\n")
    ):
        raise error
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise error
    return Note(body + "\n", tuple(parse_line(line, error) for line in lines))


def parse_line(line: str, error: OrvaultError) -> SignatureLine:
    """Read one signature line, without its end; raises `error` otherwise."""
    name, _, data = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not is_key_name(name):
        raise error
    raw = from_base64(data, MAX_NOTE_BYTES, error)
    if len(raw) <= _KEY_ID_BYTES:
        raise error
    return SignatureLine(name, raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])
