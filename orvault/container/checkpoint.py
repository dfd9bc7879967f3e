"""Checkpoints of history: "so many entries, with this root", signed by the export server.

Which certificates are believed is certificates.py's; what is done about one that does not fit, the callers'.
Source: docs/format/history-v1.md, section 2 (C2SP tlog-checkpoint).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orvault.container.canonical import MAX_INTEGER, from_base64, to_base64
from orvault.container.certificates import (
    CertificateRole,
    check_chain,
    fingerprint,
    public_key,
)
from orvault.container.note import ED25519, Note, NoteKey, Signs, parse_note, sign_line
from orvault.container.proof import HASH_BYTES
from orvault.errors import ErrorKind, OrvaultError

_PREFIX = "orvault-history/"


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint's text says; `note` is the whole, with its signatures, none of them verified yet."""

    origin: str
    size: int
    root: bytes
    note: Note

    @classmethod
    def parse(cls, text: str, where: str = "checkpoint", kind: ErrorKind = ErrorKind.ALTERED) -> Checkpoint:
        """Read one. Errors: `kind`."""
        error = OrvaultError(kind, "This is not a checkpoint.", where=where)
        note = parse_note(text, where, kind)
        origin, size, root, *_ = [*note.text.split("\n"), "", ""]
        if not origin or not size.isascii() or not size.isdigit() or len(size) > 16 or str(int(size)) != size:
            raise error
        raw = from_base64(root, HASH_BYTES, error)
        if len(raw) != HASH_BYTES or int(size) > MAX_INTEGER:
            raise error
        return cls(origin, int(size), raw, note)

    @property
    def whole(self) -> str:
        """As it is kept and sent."""
        return self.note.whole


def origin_of(root_der: bytes) -> str:
    """The name of the one history under this root certificate."""
    return _PREFIX + fingerprint(root_der)


def log_key(origin: str, certificate_der: bytes) -> NoteKey:
    """The key of an export server's certificate, as the log's. Errors: UNTRUSTED."""
    raw = public_key(certificate_der).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return NoteKey(origin, ED25519, raw)


def sign_checkpoint(origin: str, size: int, root: bytes, key: NoteKey, signer: Signs) -> Checkpoint:
    """The checkpoint of a tree of `size` leaves."""
    text = f"{origin}\n{size}\n{to_base64(root)}\n"
    return Checkpoint(origin, size, root, Note(text, (sign_line(text, key, signer),)))


@dataclass(frozen=True)
class HistoryTrust:
    """Whose checkpoints are believed: those of export servers that one of these roots (DER) certified.

    The first root is the site's own, and names its history.
    """

    roots: tuple[bytes, ...]

    @property
    def origin(self) -> str:
        """The site's history."""
        return origin_of(self.roots[0])


class CheckpointCheck:
    """Whether checkpoints are the site's; `chains`: known certificates of export servers (DER), with those above.

    A certificate that the root did not issue for an export server counts for nothing, whoever put it there.
    """

    def __init__(self, trust: HistoryTrust, chains: Iterable[Sequence[bytes]]) -> None:
        self._trust = trust
        self._known: list[tuple[NoteKey, bytes, tuple[bytes, ...]]] = []
        for leaf, *above in chains:
            with contextlib.suppress(
                OrvaultError
            ):  # not readable: what it signed is told as signed by nobody known
                self._known.append((log_key(trust.origin, leaf), leaf, tuple(above)))
        self._good: dict[
            bytes, tuple[int, int]
        ] = {}  # by certificate: valid from-to, as far as it was asked for

    def check(self, checkpoint: Checkpoint, at_us: int) -> None:
        """Raise unless it is of the site's history and signed by a server whose certificate was valid at `at_us`.

        Errors: ALTERED (of another history, or a signature that does not hold), UNTRUSTED (the signer).
        """
        where = f"checkpoint of {checkpoint.size} entries"
        if checkpoint.origin != self._trust.origin:
            raise OrvaultError(ErrorKind.ALTERED, "It is of another history.", where=where)
        for key, leaf, above in self._known:
            if checkpoint.note.signed_at(key) is not None:
                self._check_valid(leaf, above, at_us)
                return
        message = "It is not signed with a key that the hospital's root certified."
        raise OrvaultError(ErrorKind.UNTRUSTED, message, where=where)

    def _check_valid(self, leaf: bytes, above: Sequence[bytes], at_us: int) -> None:
        """Certificates are good for an interval: what lies between two good times needs no new look."""
        first, last = self._good.get(leaf, (at_us + 1, at_us - 1))
        if not first <= at_us <= last:
            issuer = check_chain(leaf, above, self._trust.roots, CertificateRole.EXPORT_SERVER, at_us)
            if not issuer.pinned:
                message = "It is signed by a server that another root certified."
                raise OrvaultError(ErrorKind.UNTRUSTED, message, where=issuer.root_name)
            self._good[leaf] = (min(first, at_us), max(last, at_us))
