"""The recording nodes that a hospital's root enrolled: whose certificate stands behind a segment, and is it believed?

Certificates are renewed and revoked while old footage stays, so they are looked up by the fingerprint that a
segment's signed header names, not by the node's name. Signatures themselves are `segment.verify_segment`'s.
Source: docs/format/segment-v1.md, 4.2 and section 7 step 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orvault.clock import utc_iso
from orvault.container.certificates import (
    MAX_PEM_BYTES,
    CertificateRole,
    Issuer,
    check_chain,
    fingerprint,
    load_pem,
    to_der,
)
from orvault.container.files import read_bounded
from orvault.container.revocation import RevocationLists, begins_us, load_lists, serial_of
from orvault.container.segment_header import SegmentHeader
from orvault.errors import ErrorKind, OrvaultError

CERTIFICATE_FILE = "certificate.pem"
EARLIER = "earlier"  # a node's folder of certificates that were renewed: NAME/earlier/FINGERPRINT.pem


@dataclass(frozen=True)
class Claim:
    """Which node says to have made something, with which certificate (fingerprint), and up to when it reaches."""

    node_id: str
    certificate: str
    ended_us: int
    where: str


class EnrolledNodes:
    """Node certificates of one root, with its revocation list."""

    def __init__(
        self, root_der: bytes, certificates: Iterable[bytes], revocations: RevocationLists | None = None
    ) -> None:
        self._root = root_der
        self._certificates = {fingerprint(der): der for der in certificates}
        self._revocations = revocations or RevocationLists()
        self._issuers: dict[bytes, Issuer] = {}

    def certificate_of(self, header: SegmentHeader, seen_us: int) -> bytes:
        """The certificate (DER) that sealed this segment, which the server saw first at `seen_us`.

        1. It is enrolled, and was issued by the root for that very node. 2. It was valid when the segment began and
        ended. 3. It was not revoked when the segment was first seen, nor when it ended: the header's own time is the
        word of whoever held the key, so it can make things worse, never better.

        Raises:
            OrvaultError: UNTRUSTED.
        """
        claim = _claim(header)
        der = self._maker(claim)
        try:
            for at_us in (header.meta.start_us, header.meta.end_us):
                check_chain(der, [], [self._root], CertificateRole.NODE, at_us)
        except OrvaultError as error:
            raise OrvaultError(error.kind, error.message, where=header.where) from error
        self._check_revoked(der, claim, seen_us)
        return der

    def maker(self, claim: Claim, seen_us: int) -> bytes:
        """The certificate (DER) behind a claim that the server saw first at `seen_us`; steps 1 and 3 of
        `certificate_of`. The signature is for the caller to check.

        Raises:
            OrvaultError: UNTRUSTED.
        """
        der = self._maker(claim)
        self._check_revoked(der, claim, seen_us)
        return der

    def check_first_seen(self, header: SegmentHeader, seen_us: int) -> None:
        """Steps 1 and 3 of `certificate_of`: what an index can tell before it has the file.

        A certificate that ended keeps nothing out of an index. The header's signature is not checked: it lies in
        the file, and `segment.verify_segment` looks at it.

        Raises:
            OrvaultError: UNTRUSTED.
        """
        self.maker(_claim(header), seen_us)

    def _maker(self, claim: Claim) -> bytes:
        der = self._certificates.get(claim.certificate)
        if der is None:
            raise OrvaultError(
                ErrorKind.UNTRUSTED,
                f"node {claim.node_id!r} sealed it with a certificate that is not enrolled here.",
                where=claim.where,
                advice="`orvault keys list` shows those that are.",
            )
        try:
            issuer = self._issuer(der)
        except OrvaultError as error:
            raise OrvaultError(error.kind, error.message, where=claim.where) from error
        if issuer.name != claim.node_id:
            raise OrvaultError(
                ErrorKind.UNTRUSTED,
                f"it says that node {claim.node_id!r} recorded it, but {issuer.name!r} sealed it.",
                where=claim.where,
            )
        return der

    def _issuer(self, der: bytes) -> Issuer:
        """Whose certificate it is; the same for every segment, so asked once."""
        known = self._issuers.get(der)
        if known is None:
            known = check_chain(der, [], [self._root], CertificateRole.NODE, begins_us(der))
            self._issuers[der] = known
        return known

    def _check_revoked(self, der: bytes, claim: Claim, seen_us: int) -> None:
        since_us = self._revocations.revoked_us(self._root, serial_of(der))
        if since_us is None or max(seen_us, claim.ended_us) < since_us:
            return
        node = claim.node_id
        message = f"node {node!r} sealed it with a certificate that is revoked from {utc_iso(since_us)} on"
        if claim.ended_us >= since_us:
            raise OrvaultError(
                ErrorKind.UNTRUSTED, f"{message}, before this was recorded.", where=claim.where
            )
        raise OrvaultError(
            ErrorKind.UNTRUSTED,
            f"{message}, and the server first saw it on {utc_iso(seen_us)}; that it was recorded before is only its"
            " own word.",
            where=claim.where,
            advice="Whether it was sealed in time and delivered late, an administrator has to find out on the"
            " recorder's disk, where it stays.",
        )


def _claim(header: SegmentHeader) -> Claim:
    return Claim(header.meta.node_id, header.node_certificate, header.meta.end_us, header.where)


class NodeTrust(Protocol):
    """Which nodes are believed, as it stands when it is asked."""

    def load(self) -> EnrolledNodes:
        """Certificates and revocations. Errors: BAD_SETTINGS, UNTRUSTED."""
        ...


@dataclass(frozen=True)
class EnrolmentFiles:
    """Where the public parts lie on the server; read anew for each use, so that a revocation counts at once."""

    root_certificate: Path
    nodes: Path
    revocation_list: Path

    def load(self) -> EnrolledNodes:
        """Everything enrolled. Errors: BAD_SETTINGS, UNTRUSTED (a list that this root did not sign)."""
        root = read_certificate(self.root_certificate)
        certificates = [read_certificate(path) for path in self._certificates()]
        return EnrolledNodes(root, certificates, load_lists(self.revocation_list, [root]))

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Changes when one of the files is written, replaced, added or removed."""
        paths = [self.root_certificate, self.revocation_list, *self._certificates()]
        found = [(str(path), path.stat()) for path in paths if path.exists()]
        return tuple((name, stat.st_mtime_ns, stat.st_ino) for name, stat in found)

    def _certificates(self) -> list[Path]:
        return sorted([*self.nodes.glob(f"*/{CERTIFICATE_FILE}"), *self.nodes.glob(f"*/{EARLIER}/*.pem")])


class WatchedEnrolment:
    """`EnrolmentFiles` for who asks many times a second: read anew when a file changed, at once."""

    def __init__(self, files: EnrolmentFiles) -> None:
        self._files = files
        self._last: tuple[object, EnrolledNodes] | None = None

    def load(self) -> EnrolledNodes:
        """Everything enrolled. Errors: those of `EnrolmentFiles.load`, which leave nothing behind."""
        stamp, last = (
            self._files.stamp(),
            self._last,
        )  # the stamp first: what is written in between is read twice
        if last is None or last[0] != stamp:
            last = self._last = (stamp, self._files.load())
        return last[1]


def read_certificate(path: Path) -> bytes:
    """The first certificate of a PEM file, as DER. Errors: BAD_SETTINGS."""
    return to_der(load_pem(read_bounded(path, MAX_PEM_BYTES, ErrorKind.BAD_SETTINGS), path)[0])
