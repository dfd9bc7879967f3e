"""DSSE envelopes with one Ed25519 signature: signed bytes together with what kind of bytes they are.

Does not decide whether the signer is to be believed (certificates.py).
Source: DSSE protocol v1.0.2 (PAE); docs/format/package-v1.md, 2.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.certificates import fingerprint, verify_signature
from orvault.container.trust import Identity

SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Envelope:
    """What an envelope holds; not verified by being parsed."""

    payload: bytes = field(repr=False)
    payload_type: str
    keyid: str
    signature: bytes = field(repr=False)
    where: str

    def verify(self, certificate_der: bytes) -> None:
        """ALTERED unless the certificate's key signed this payload under this type."""
        if self.keyid != fingerprint(certificate_der):
            raise Fields({}, self.where).fail("keyid", "does not name the certificate that comes with it")
        verify_signature(certificate_der, self.signature, pae(self.payload_type, self.payload), self.where)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: what is signed; the lengths keep type and payload apart."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal_envelope(payload: bytes, payload_type: str, identity: Identity) -> bytes:
    """The envelope as canonical JSON."""
    signature = {
        "keyid": identity.fingerprint,
        "sig": canonical.to_base64(identity.sign(pae(payload_type, payload))),
    }
    return canonical.encode(
        {"payload": canonical.to_base64(payload), "payloadType": payload_type, "signatures": [signature]}
    )


def read_envelope(data: bytes, payload_type: str, where: str, max_bytes: int) -> Envelope:
    """Parse; ALTERED if this is no canonical envelope of that type."""
    fields = Fields(canonical.decode(data, max_bytes=max_bytes, where=where), where)
    fields.constant("payloadType", payload_type)
    payload = fields.data("payload", max_bytes)
    signature = Fields(fields.items("signatures", 1, 1)[0], where)
    fields.end()
    envelope = Envelope(
        payload, payload_type, signature.digest("keyid"), signature.data("sig", SIGNATURE_BYTES), where
    )
    signature.end()
    return envelope
