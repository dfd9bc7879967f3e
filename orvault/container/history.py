"""Acts of history as a package carries them: the entries, and what proves them under a checkpoint.

Which acts there are, and writing them, is custody's; this reads entries of any kind and trusts none.
Source: docs/format/history-v1.md, sections 1 and 5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orvault.container import canonical
from orvault.container.canonical import Fields, to_base64
from orvault.container.checkpoint import Checkpoint, log_key, origin_of
from orvault.container.note import MAX_NOTE_BYTES
from orvault.container.proof import HASH_BYTES, leaf_hash, verify_inclusion
from orvault.errors import ErrorKind, OrvaultError

APPROVED, SEALED = "export-approved", "package-sealed"  # the acts that a package's proof is about
MAX_ENTRY_BYTES = 64 << 10
MAX_ENTRIES = 8
MAX_PATH = 63
_WHERE = "history of the package"


def entry_bytes(seq: int, at_us: int, actor: str, act: str, subject: str, detail: str) -> bytes:
    """The canonical entry over which the leaf hash (RFC 6962, section 2.1) is taken."""
    fields = {"seq": seq, "at_us": at_us, "actor": actor, "act": act, "subject": subject, "detail": detail}
    return canonical.encode(fields)


@dataclass(frozen=True)
class ProvenEntry:
    """An entry as it was hashed, and the siblings on its way to the root, lowest first."""

    entry: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class HistoryProof:
    """A checkpoint (signed note), and entries that lie under it."""

    checkpoint: str
    entries: tuple[ProvenEntry, ...] = field(repr=False)

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        entries = [
            {"entry": each.entry.decode(), "path": [to_base64(step) for step in each.path]}
            for each in self.entries
        ]
        return {"checkpoint": self.checkpoint, "entries": entries}

    @classmethod
    def read(cls, fields: Fields) -> HistoryProof:
        """Check every field's form; raises with the kind of `fields`."""
        checkpoint = fields.text("checkpoint", MAX_NOTE_BYTES, lines=True)
        entries = tuple(
            _read_entry(Fields(item, f"{fields.where}, entries", fields.kind))
            for item in fields.items("entries", 2, MAX_ENTRIES)
        )
        fields.end()
        return cls(checkpoint, entries)


@dataclass(frozen=True)
class Proven:
    """What a package's proof shows: its approval and its sealing stand in history. Times are UTC microseconds."""

    size: int
    approved_seq: int
    approved_us: int
    sealed_seq: int
    sealed_us: int


@dataclass(frozen=True)
class _Act:
    seq: int
    at_us: int
    act: str
    subject: str
    detail: Mapping[str, object]


def content_digest(
    terms: Mapping[str, object], media: Sequence[Mapping[str, object]], roots: Sequence[str]
) -> str:
    """What a `package-sealed` entry fixes: terms, media, and the Merkle roots of the sealed video, as hex."""
    content = {"media": list(media), "roots": list(roots), "terms": terms}
    return hashlib.sha256(canonical.encode(content)).hexdigest()


def check_history(
    proof: HistoryProof, certificates: Sequence[bytes], request_id: str, package_id: str, content: str
) -> Proven:
    """Check a package's proof (section 5.2); `certificates`: its signer's and the root above (DER).

    1. the checkpoint is of the history under the package's own root; 2. signed by the package's own signer; 3. every
    entry lies under it; 4. an approval of this request names the package; 5. a later sealing names it and its
    content.
    Raises:
        OrvaultError: ALTERED, saying which does not hold.
    """
    checkpoint = Checkpoint.parse(proof.checkpoint, _WHERE)
    leaf, *_, root = certificates
    if checkpoint.origin != origin_of(root):
        raise _altered("Its checkpoint is of another history.")
    if checkpoint.note.signed_at(log_key(checkpoint.origin, leaf)) is None:
        raise _altered("Its checkpoint is not signed by who signed the package.")
    acts = [_proven(each, checkpoint) for each in proof.entries]
    about = [act for act in acts if act.subject == f"export:{request_id}"]
    approved = [act for act in about if act.act == APPROVED and _names(act, package_id)]
    sealed = [act for act in about if act.act == SEALED and act.detail.get("package") == package_id]
    if not approved:
        raise _altered("No approval of this package stands in it.")
    if not sealed or any(act.detail.get("content") != content for act in sealed):
        raise _altered("What was sealed by it is not what this package holds.")
    first, last = approved[0], sealed[-1]
    if first.seq > last.seq:
        raise _altered("The package was sealed before it was approved.")
    return Proven(checkpoint.size, first.seq, first.at_us, last.seq, last.at_us)


def _names(approval: _Act, package_id: str) -> bool:
    further = approval.detail.get("further_packages")
    return approval.detail.get("package") == package_id or (
        isinstance(further, list) and package_id in further
    )


def _proven(each: ProvenEntry, checkpoint: Checkpoint) -> _Act:
    fields = Fields(canonical.decode(each.entry, max_bytes=MAX_ENTRY_BYTES, where=_WHERE), _WHERE)
    seq, at_us = fields.integer("seq"), fields.integer("at_us")
    act, subject = fields.text("act", 64), fields.text("subject", 200)
    fields.text("actor", 200)
    detail = fields.text("detail", MAX_ENTRY_BYTES)
    fields.end()
    if not verify_inclusion(leaf_hash(each.entry), seq, checkpoint.size, each.path, checkpoint.root):
        raise _altered(f"Entry {seq} does not lie under its checkpoint.")
    said = canonical.decode(detail.encode(), max_bytes=MAX_ENTRY_BYTES, where=_WHERE)
    return _Act(seq, at_us, act, subject, said)


def _read_entry(fields: Fields) -> ProvenEntry:
    entry = fields.text("entry", MAX_ENTRY_BYTES)
    error = fields.fail("path", "is not a list of hashes")
    steps = [canonical.from_base64(step, HASH_BYTES, error) for step in fields.texts("path", 0, MAX_PATH, 44)]
    fields.end()
    if any(len(step) != HASH_BYTES for step in steps):
        raise error
    return ProvenEntry(entry.encode(), tuple(steps))


def _altered(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.ALTERED, message, where=_WHERE)
