"""Certificate revocation lists (X.509 v2 CRLs, RFC 5280 section 5), signed by a hospital's root.

Makes and reads them, and says from when on a certificate is not to be believed. Who brings which list, and what
follows from a revocation, is the callers' part (certificates.check_chain, player, export).
Source: docs/format/revocation-v1.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from orvault.clock import US_PER_S, Clock
from orvault.container.certificates import MALFORMED, check_root, fingerprint
from orvault.container.files import read_bounded, write_private
from orvault.container.trust import Identity
from orvault.errors import ErrorKind, OrvaultError

MAX_LIST_BYTES = 1 << 20
MAX_ENTRIES = 10_000
DUE_DAYS = 400  # a root is fetched from its safe about once a year; a list past its date still counts
PEM_MARK = b"-----BEGIN X509 CRL-----"
# Extensions that a reader of ours understands; any other critical one may change what the list says.
_KNOWN = (x509.CRLNumber, x509.AuthorityKeyIdentifier)


class Reason(StrEnum):
    """Why a certificate is revoked; the names are those of RFC 5280, 5.3.1."""

    KEY_COMPROMISE = "keyCompromise"
    SUPERSEDED = "superseded"
    CESSATION = "cessationOfOperation"
    UNSPECIFIED = "unspecified"


_REASONS = {reason.value: reason for reason in Reason}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Revoked:
    """One revoked certificate.

    `since_us`: what it signed from then on is not believed (the invalidity date; with none, the day of revocation).
    `revoked_us`: when the root said so. Both are whole seconds.
    """

    serial: int
    revoked_us: int
    since_us: int
    reason: Reason


@dataclass(frozen=True)
class RevocationList:
    """A list whose signature was verified by its root. Times are UTC microseconds."""

    root: str
    number: int
    issued_us: int
    due_us: int
    entries: tuple[Revoked, ...]
    der: bytes = field(repr=False)

    @property
    def pem(self) -> bytes:
        """The list as a file."""
        return x509.load_der_x509_crl(self.der).public_bytes(serialization.Encoding.PEM)

    def save(self, path: Path) -> None:
        """Write it durably, in place of an older one."""
        write_private(path, self.pem)


class RevocationLists:
    """Lists of any roots, at most the newest of each: what `certificates.check_chain` asks."""

    def __init__(self, lists: Iterable[RevocationList] = ()) -> None:
        self._newest: dict[str, RevocationList] = {}
        for each in lists:
            known = self._newest.get(each.root)
            if known is None or known.number < each.number:
                self._newest[each.root] = each

    def revoked_us(self, root_der: bytes, serial: int) -> int | None:
        """From when on the certificate that this root issued under this number is not believed, or None."""
        newest = self._newest.get(fingerprint(root_der))
        found = [entry.since_us for entry in newest.entries if entry.serial == serial] if newest else []
        return min(found, default=None)

    def of(self, root_der: bytes) -> RevocationList | None:
        """The newest list of this root."""
        return self._newest.get(fingerprint(root_der))


def issue_list(root: Identity, entries: Sequence[Revoked], number: int, clock: Clock) -> RevocationList:
    """A new list, signed by the root. `number` MUST be greater than that of every list before."""
    now = datetime.fromtimestamp(clock.now_us() // US_PER_S, UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(days=DUE_DAYS))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.private_key.public_key()), critical=False
        )
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(_entry(entry))
    made = builder.sign(root.private_key, None)
    return read_list(made.public_bytes(serialization.Encoding.DER), [root.certificate_der], "revocation list")


def _entry(entry: Revoked) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(entry.serial)
        .revocation_date(_moment(entry.revoked_us))
        .add_extension(x509.InvalidityDate(_moment(entry.since_us).replace(tzinfo=None)), critical=False)
    )
    if entry.reason is not Reason.UNSPECIFIED:  # RFC 5280: the code 0 should not be written
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags(entry.reason)), critical=False)
    return builder.build()


def read_list(data: bytes, roots: Sequence[bytes], where: str) -> RevocationList:
    """A list (PEM or DER) that one of these roots (DER) signed.

    Raises:
        OrvaultError: BAD_SETTINGS if it is no revocation list of the kind that is used here, UNTRUSTED if none of
        the roots signed it.
    """
    if len(data) > MAX_LIST_BYTES:
        raise _bad("It is larger than a revocation list may be", where)
    try:
        crl = (
            x509.load_pem_x509_crl(data)
            if data.lstrip().startswith(PEM_MARK)
            else x509.load_der_x509_crl(data)
        )
        signer = _signer(crl, roots)
        if signer is None:
            raise OrvaultError(
                ErrorKind.UNTRUSTED, "None of the roots that are believed signed this list.", where=where
            )
        return _parsed(crl, signer, where)
    except MALFORMED as error:
        raise _bad("This is not a revocation list", where) from error


def _signer(crl: x509.CertificateRevocationList, roots: Sequence[bytes]) -> bytes | None:
    for der in roots:
        root = x509.load_der_x509_certificate(der)
        check_root(root)
        key = root.public_key()
        usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
        if root.subject == crl.issuer and usage.crl_sign and isinstance(key, Ed25519PublicKey):
            try:
                if crl.is_signature_valid(key):
                    return der
            except InvalidSignature:
                continue
    return None


def _parsed(crl: x509.CertificateRevocationList, root_der: bytes, where: str) -> RevocationList:
    if any(each.critical and not isinstance(each.value, _KNOWN) for each in crl.extensions):
        raise _bad("It carries a critical extension that is not understood", where)
    due = crl.next_update_utc
    if due is None or len(crl) > MAX_ENTRIES:
        raise _bad("It names no date for the next one, or too many certificates", where)
    return RevocationList(
        root=fingerprint(root_der),
        number=crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number,
        issued_us=_us(crl.last_update_utc),
        due_us=_us(due),
        entries=tuple(_revoked(each, where) for each in crl),
        der=crl.public_bytes(serialization.Encoding.DER),
    )


def _revoked(entry: x509.RevokedCertificate, where: str) -> Revoked:
    since, reason = _us(entry.revocation_date_utc), Reason.UNSPECIFIED
    for extension in entry.extensions:
        match extension.value:
            case x509.InvalidityDate():
                since = min(since, _us(extension.value.invalidity_date_utc))
            case x509.CRLReason():
                reason = _REASONS.get(extension.value.reason.value, Reason.UNSPECIFIED)
            case _ if extension.critical:
                raise _bad("An entry carries a critical extension that is not understood", where)
    return Revoked(entry.serial_number, _us(entry.revocation_date_utc), since, reason)


def load_lists(path: Path, roots: Sequence[bytes]) -> RevocationLists:
    """The list in a file; none if there is no file. Errors: BAD_SETTINGS, UNTRUSTED."""
    if not path.exists():
        return RevocationLists()
    return RevocationLists([read_list(read_bounded(path, MAX_LIST_BYTES), roots, str(path))])


def serial_of(der: bytes) -> int:
    """A certificate's number."""
    return x509.load_der_x509_certificate(der).serial_number


def begins_us(der: bytes) -> int:
    """The first moment at which a certificate is valid."""
    return _us(x509.load_der_x509_certificate(der).not_valid_before_utc)


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us // US_PER_S, UTC)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _bad(message: str, where: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_SETTINGS, f"{message}.", where=where)
