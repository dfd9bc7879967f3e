"""The signed receipt of a destruction: which recordings, when and why, how far it had come, by whose signature.

What has to be done before one may be signed is custody's; whether its root is believed, the reader's user says.
Source: docs/format/receipt-v1.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orvault.container import canonical, dsse
from orvault.container.canonical import Fields
from orvault.container.certificates import CertificateRole, Issuer, Revocations, check_chain
from orvault.container.proof import leaf_hash, merkle_root
from orvault.container.trust import Identity
from orvault.errors import ErrorKind, OrvaultError

RECEIPT_TYPE = "application/vnd.orvault.receipt.v1+json"
MAX_RECEIPT_BYTES = 1 << 20
MAX_RECORDINGS = 2_000
MAX_PACKAGES = 5_000
MAX_NODES = 500


@dataclass(frozen=True, slots=True)
class DestroyedRun:
    """One camera's recording in one run; `digests_root` is the RFC 6962 root over its segments' digests."""

    run_id: str
    camera_id: str
    from_us: int
    to_us: int
    segments: int
    bytes: int
    digests_root: str


@dataclass(frozen=True, slots=True)
class RemovedFiles:
    """What one node removed; `removed_us` is 0 where it had not confirmed that when the receipt was signed."""

    node_id: str
    removed_us: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt's statements (receipt-v1, 1.2). Times are UTC microseconds."""

    case_id: str
    case_number: str
    room: str
    recordings: tuple[DestroyedRun, ...]
    ended_us: int
    due_us: int
    rule: str
    approved_by: str
    approved_us: int
    begun_us: int
    key_destroyed_us: int
    key_thumbprint: str
    packages: tuple[str, ...]
    packages_removed_us: int
    files: tuple[RemovedFiles, ...]
    issued_us: int

    @property
    def outstanding(self) -> tuple[str, ...]:
        """Nodes that had not confirmed that their files are gone."""
        return tuple(each.node_id for each in self.files if not each.removed_us)

    def seal(self, identity: Identity) -> bytes:
        """The receipt's file, signed by the export server."""
        payload = {
            "approved_by": self.approved_by,
            "approved_us": self.approved_us,
            "begun_us": self.begun_us,
            "case_id": self.case_id,
            "case_number": self.case_number,
            "certificates": [
                canonical.to_base64(der) for der in (identity.certificate_der, *identity.chain_ders)
            ],
            "due_us": self.due_us,
            "ended_us": self.ended_us,
            "files": [_files_json(each) for each in self.files],
            "format": "orvault-receipt",
            "issued_us": self.issued_us,
            "key_destroyed_us": self.key_destroyed_us,
            "key_thumbprint": self.key_thumbprint,
            "packages": list(self.packages),
            "packages_removed_us": self.packages_removed_us,
            "recordings": [_run_json(each) for each in self.recordings],
            "room": self.room,
            "rule": self.rule,
            "version": 1,
        }
        return dsse.seal_envelope(canonical.encode(payload), RECEIPT_TYPE, identity)


def digests_root(digests: Iterable[str]) -> str:
    """The RFC 6962 root over segments' digests (64 hexadecimal digits each), in the order of their numbers."""
    return merkle_root([leaf_hash(bytes.fromhex(digest)) for digest in digests]).hex()


def verify_receipt(
    data: bytes,
    roots: Sequence[bytes],
    revocations: Revocations | None = None,
    where: str = "receipt",
) -> tuple[Receipt, Issuer]:
    """What a receipt says, and who signed it: the steps of receipt-v1, section 3.

    `roots`: pinned ones, DER; `Issuer.pinned` says whether its root is among them. Errors: ALTERED, UNTRUSTED.
    """
    envelope = dsse.read_envelope(data, RECEIPT_TYPE, where, MAX_RECEIPT_BYTES)
    fields = Fields(canonical.decode(envelope.payload, max_bytes=MAX_RECEIPT_BYTES, where=where), where)
    wrong = fields.fail("certificates", "holds something else than base64")
    leaf, root = (
        canonical.from_base64(text, 16 << 10, wrong) for text in fields.texts("certificates", 2, 2, 32 << 10)
    )
    envelope.verify(leaf)  # 1
    receipt = _read(fields)  # 2
    issuer = check_chain(
        leaf, [root], roots, CertificateRole.EXPORT_SERVER, receipt.issued_us, revocations
    )  # 3
    _check_order(receipt, where)  # 4
    return receipt, issuer


def _read(fields: Fields) -> Receipt:
    fields.constant("format", "orvault-receipt")
    fields.constant("version", 1)
    where = fields.where
    receipt = Receipt(
        case_id=fields.identifier("case_id"),
        case_number=fields.text("case_number", 64),
        room=fields.text("room", 128),
        recordings=tuple(_run(item, where) for item in fields.items("recordings", 0, MAX_RECORDINGS)),
        ended_us=fields.integer("ended_us"),
        due_us=fields.integer("due_us"),
        rule=fields.text("rule", 500),
        approved_by=fields.text("approved_by", 64),
        approved_us=fields.integer("approved_us"),
        begun_us=fields.integer("begun_us"),
        key_destroyed_us=fields.integer("key_destroyed_us"),
        key_thumbprint=fields.digest("key_thumbprint", empty=True),
        packages=fields.texts("packages", 0, MAX_PACKAGES, 64),
        packages_removed_us=fields.integer("packages_removed_us"),
        files=tuple(_files(item, where) for item in fields.items("files", 0, MAX_NODES)),
        issued_us=fields.integer("issued_us"),
    )
    fields.end()
    return receipt


def _check_order(receipt: Receipt, where: str) -> None:
    times = [receipt.due_us, receipt.begun_us, receipt.key_destroyed_us]
    times += [receipt.packages_removed_us, receipt.issued_us]
    if times != sorted(times):
        raise OrvaultError(ErrorKind.ALTERED, "Its times are not in the order of the steps.", where=where)


def _run_json(run: DestroyedRun) -> dict[str, object]:
    return {
        "bytes": run.bytes,
        "camera_id": run.camera_id,
        "digests_root": run.digests_root,
        "from_us": run.from_us,
        "run_id": run.run_id,
        "segments": run.segments,
        "to_us": run.to_us,
    }


def _run(item: object, where: str) -> DestroyedRun:
    fields = Fields(item, where)
    run = DestroyedRun(
        run_id=fields.identifier("run_id"),
        camera_id=fields.identifier("camera_id"),
        from_us=fields.integer("from_us"),
        to_us=fields.integer("to_us"),
        segments=fields.integer("segments"),
        bytes=fields.integer("bytes"),
        digests_root=fields.digest("digests_root"),
    )
    fields.end()
    return run


def _files_json(files: RemovedFiles) -> dict[str, object]:
    return {
        "bytes": files.bytes,
        "files": files.files,
        "node_id": files.node_id,
        "removed_us": files.removed_us,
    }


def _files(item: object, where: str) -> RemovedFiles:
    fields = Fields(item, where)
    files = RemovedFiles(
        node_id=fields.text("node_id", 64, least=1),
        removed_us=fields.integer("removed_us"),
        files=fields.integer("files"),
        bytes=fields.integer("bytes"),
    )
    fields.end()
    return files
