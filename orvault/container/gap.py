"""A gap of a recording, and the record by which its node vouches for it.

What counts as a gap is `recording.recorder`'s to say, where records are kept `recording.gaps`'.
Source: docs/format/gap-v1.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orvault.clock import utc_iso
from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.dsse import Envelope, read_envelope, seal_envelope
from orvault.container.enrolment import Claim, EnrolledNodes
from orvault.container.trust import Identity
from orvault.errors import ErrorKind, OrvaultError

MAX_REASON = 300  # characters; reasons quote errors, and a gap record stays small
MAX_GAP_BYTES = 8 * 1024
MAX_NODE_NAME = 64  # characters, as in a certificate
PAYLOAD_TYPE = "application/vnd.orvault.gap+json"


@dataclass(frozen=True)
class Gap:
    """A time in which a camera should have recorded and did not; UTC microseconds, `to_us` exclusive.

    `envelope` is the signed record (`signed_gap`), empty until the node has signed it.
    """

    camera_id: str
    case_id: str
    run_id: str
    from_us: int
    to_us: int
    reason: str
    envelope: bytes = field(default=b"", repr=False, compare=False)


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


def check_gap(gap: Gap, nodes: EnrolledNodes, seen_us: int) -> str:
    """The node that signed it; raise unless an enrolled one signed exactly this gap.

    `seen_us`: when the server saw it first. Whether the camera is that node's, the caller has to see.

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
    return node_id


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
    if gap.to_us <= gap.from_us:
        raise fields.fail("to_us", "is not after from_us")
    return node_id, gap


def read_gap(record: bytes, where: str) -> Gap:
    """The gap that a record tells of; DAMAGED if it is none. Its signature is `check_gap`'s to verify."""
    try:
        _, gap = _read_payload(read_envelope(record, PAYLOAD_TYPE, where, MAX_GAP_BYTES), where)
    except OrvaultError as error:  # nothing was verified, so nothing can be called altered
        raise OrvaultError(ErrorKind.DAMAGED, error.message, where=where, advice=error.advice) from error
    return replace(gap, envelope=record)
