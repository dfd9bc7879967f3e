"""The recording nodes that a hospital's root enrolled: whose certificate stands behind a segment, and is it believed?

Certificates are renewed and revoked while old footage stays, so they are looked up by the fingerprint that a
segment's signed header names, not by the node's name. Signatures themselves are `segment.verify_segment`'s.
Source: docs/format/segment-v1.md, 4.2 and section 7 step 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orvault.container.certificates import (
    MAX_PEM_BYTES,
    CertificateRole,
    check_chain,
    fingerprint,
    load_pem,
    to_der,
)
from orvault.container.files import read_bounded
from orvault.container.revocation import RevocationLists, load_lists
from orvault.container.segment_header import SegmentHeader
from orvault.errors import ErrorKind, OrvaultError

CERTIFICATE_FILE = "certificate.pem"
EARLIER = "earlier"  # a node's folder of certificates that were renewed: NAME/earlier/FINGERPRINT.pem


class EnrolledNodes:
    """Node certificates of one root, with its revocation list."""

    def __init__(
        self, root_der: bytes, certificates: Iterable[bytes], revocations: RevocationLists | None = None
    ) -> None:
        self._root = root_der
        self._certificates = {fingerprint(der): der for der in certificates}
        self._revocations = revocations or RevocationLists()

    def certificate_of(self, header: SegmentHeader) -> bytes:
        """The certificate (DER) that sealed this segment.

        It was issued by the root for that very node, valid when the segment began, and not revoked by its end.

        Raises:
            OrvaultError: UNTRUSTED.
        """
        meta = header.meta
        der = self._certificates.get(header.node_certificate)
        if der is None:
            raise OrvaultError(
                ErrorKind.UNTRUSTED,
                f"node {meta.node_id!r} sealed it with a certificate that is not enrolled here.",
                where=header.where,
                advice="`orvault keys list` shows those that are.",
            )
        try:
            for at_us in (meta.start_us, meta.end_us):
                issuer = check_chain(der, [], [self._root], CertificateRole.NODE, at_us, self._revocations)
        except OrvaultError as error:
            raise OrvaultError(error.kind, error.message, where=header.where) from error
        if issuer.name != meta.node_id:
            raise OrvaultError(
                ErrorKind.UNTRUSTED,
                f"it says that node {meta.node_id!r} recorded it, but {issuer.name!r} sealed it.",
                where=header.where,
            )
        return der


@dataclass(frozen=True)
class EnrolmentFiles:
    """Where the public parts lie on the server; read anew for each use, so that a revocation counts at once."""

    root_certificate: Path
    nodes: Path
    revocation_list: Path

    def load(self) -> EnrolledNodes:
        """Everything enrolled. Errors: BAD_SETTINGS, UNTRUSTED (a list that this root did not sign)."""
        root = read_certificate(self.root_certificate)
        paths = [
            *self.nodes.glob(f"*/{CERTIFICATE_FILE}"),
            *self.nodes.glob(f"*/{EARLIER}/*.pem"),
        ]
        return EnrolledNodes(
            root, [read_certificate(path) for path in sorted(paths)], load_lists(self.revocation_list, [root])
        )


def read_certificate(path: Path) -> bytes:
    """The first certificate of a PEM file, as DER. Errors: BAD_SETTINGS."""
    return to_der(load_pem(read_bounded(path, MAX_PEM_BYTES, ErrorKind.BAD_SETTINGS), path)[0])
