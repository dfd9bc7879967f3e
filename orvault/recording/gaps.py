"""Keeps gap records beside the segments they interrupt, so that a hole in a recording is never silent.

It decides nothing about gaps (`recorder`). Here they are signed, checked, and made durable.
Source: docs/format/gap-v1.md.

Layout: CASE/CAMERA/RUN/gaps/FROM-TO.json, both in UTC microseconds: the same gap told twice is one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Protocol

from orvault.clock import utc_iso
from orvault.container import canonical
from orvault.container.canonical import Fields, is_identifier
from orvault.container.dsse import Envelope, read_envelope, seal_envelope
from orvault.container.enrolment import Claim, EnrolledNodes
from orvault.container.trust import Identity
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import Disk, RealDisk, make_folders, part_of, storage_error
from orvault.recording.folders import OnFault, entries, listed, run_folders
from orvault.recording.recorder import MAX_REASON, Gap

MAX_GAP_BYTES = 8 * 1024
MAX_NODE_NAME = 64  # characters, as in a certificate
PAYLOAD_TYPE = "application/vnd.orvault.gap+json"


class ToldGap(Protocol):
    """A gap with its signed record: a `Gap`, or what the ledger keeps of one."""

    @property
    def camera_id(self) -> str: ...  # noqa: D102 - see the class
    @property
    def case_id(self) -> str: ...  # noqa: D102
    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def from_us(self) -> int: ...  # noqa: D102
    @property
    def to_us(self) -> int: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def envelope(self) -> bytes: ...  # noqa: D102


def signed_gap(gap: Gap, identity: Identity) -> Gap:
    """The gap with its record, signed by the node that should have recorded."""
    payload = canonical.encode(
        {
            "camera_id": gap.camera_id,
            "case_id": gap.case_id,
            "format": "orvault-gap",
            "from_us": gap.from_us,
            "node_id": identity.name,
            "reason": gap.reason,
            "run_id": gap.run_id,
            "to_us": gap.to_us,
            "version": 1,
        }
    )
    return replace(gap, envelope=seal_envelope(payload, PAYLOAD_TYPE, identity))


def check_gap(gap: ToldGap, nodes: EnrolledNodes, seen_us: int) -> None:
    """Raise unless an enrolled node signed exactly this gap; `seen_us`: when the server saw it first.

    Errors: UNTRUSTED (nobody signed it, a node that is not enrolled or was revoked), ALTERED.
    """
    where = f"gap of camera {gap.camera_id} from {utc_iso(gap.from_us)} to {utc_iso(gap.to_us)}"
    if not gap.envelope:
        raise OrvaultError(ErrorKind.UNTRUSTED, "No node has signed it.", where=where)
    envelope = read_envelope(gap.envelope, PAYLOAD_TYPE, where, MAX_GAP_BYTES)
    node_id, signed = _read_payload(envelope, where)
    claim = Claim(node_id, envelope.keyid, signed.to_us, where)
    envelope.verify(nodes.maker(claim, seen_us))
    if signed != Gap(gap.camera_id, gap.case_id, gap.run_id, gap.from_us, gap.to_us, gap.reason):
        raise OrvaultError(ErrorKind.ALTERED, "It is not the gap that its node signed.", where=where)


def _read_payload(envelope: Envelope, where: str) -> tuple[str, Gap]:
    fields = Fields(canonical.decode(envelope.payload, max_bytes=MAX_GAP_BYTES, where=where), where)
    fields.constant("format", "orvault-gap")
    fields.constant("version", 1)
    node_id = fields.text("node_id", MAX_NODE_NAME)
    gap = Gap(
        camera_id=fields.identifier("camera_id"),
        case_id=fields.identifier("case_id"),
        run_id=fields.identifier("run_id"),
        from_us=fields.integer("from_us"),
        to_us=fields.integer("to_us"),
        reason=fields.text("reason", MAX_REASON * 4),
    )
    fields.end()
    return node_id, gap


class GapStore:
    """The gap records under a segment store's root.

    `write`: 1. folders, each synced into its parent; 2. FROM-TO.json.part written and synced; 3. renamed;
    4. folder synced.
    """

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self._root = root
        self._disk = disk or RealDisk()

    def write(self, gap: Gap) -> str:
        """Make a signed gap durable; its path below the root. Errors: BAD_REQUEST (ids, not signed), STORAGE."""
        names = (gap.case_id, gap.camera_id, gap.run_id)
        if not all(map(is_identifier, names)) or not 0 <= gap.from_us < gap.to_us or not gap.envelope:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is no gap of a recording.", where="gap record")
        relative = PurePosixPath(*names, "gaps", f"{gap.from_us:016d}-{gap.to_us:016d}.json")
        path = self._root / relative
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = make_folders(self._disk, self._root, (*names, "gaps"))  # 1
            if not path.exists():
                self._disk.write(part_of(path), gap.envelope)  # 2
                self._disk.replace(part_of(path), path)  # 3
                self._disk.sync(folder)  # 4
        except OSError as error:
            raise storage_error("The gap record could not be stored", path, error) from error
        return str(relative)

    def scan(self, on_fault: OnFault | None = None) -> Iterator[Gap]:
        """Every gap, by case, camera, run and time.

        What cannot be listed or read (STORAGE) or is no gap record (DAMAGED) is given to `on_fault` with its path;
        without it the error is raised. Signatures are not checked: `check_gap` does, where the certificates are.
        """
        folders = run_folders(self._root, on_fault)
        found = (listed(entries, folder / "gaps", self._root, on_fault) for folder in folders)
        for path in chain.from_iterable(found):
            if path.suffix != ".json":
                continue
            try:
                gap = _read(path)
            except OrvaultError as error:
                if on_fault is None:
                    raise
                on_fault(path.relative_to(self._root).as_posix(), error)
                continue
            yield gap


def _read(path: Path) -> Gap:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_GAP_BYTES + 1)
    except OSError as error:
        raise storage_error("The gap record could not be read", path, error) from error
    where = str(path)
    try:
        _, gap = _read_payload(read_envelope(data, PAYLOAD_TYPE, where, MAX_GAP_BYTES), where)
    except OrvaultError as error:  # nothing was verified, so nothing can be called altered
        raise OrvaultError(ErrorKind.DAMAGED, error.message, where=where, advice=error.advice) from error
    return replace(gap, envelope=data)
