"""The hospital's root at work: issues and revokes certificates, and keeps the register of what it issued.

Everything lies in one folder, made to be carried on a medium that is kept off line; nothing that runs needs it.

    folder/key.pem, certificate.pem     the root; its key under a passphrase unless the site sets itself up unattended
    folder/issued/FINGERPRINT.pem       every certificate it ever issued
    folder/revoked.pem                  the newest revocation list
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from orvault.clock import Clock
from orvault.container.certificates import (
    MAX_PEM_BYTES,
    CertificateRole,
    attribute,
    fingerprint,
    load_pem,
    to_der,
)
from orvault.container.files import read_bounded, write_private
from orvault.container.kek import MIN_PASSPHRASE_CHARS
from orvault.container.request import NodeRequest
from orvault.container.revocation import (
    Reason,
    RevocationList,
    RevocationLists,
    Revoked,
    issue_list,
    load_lists,
)
from orvault.container.trust import CERTIFICATE_FILE, KEY_FILE, Identity, certify, create_root, issue
from orvault.errors import ErrorKind, OrvaultError

ISSUED = "issued"
REVOKED_FILE = "revoked.pem"
MIN_PREFIX = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Issued:
    """What a person wants to know of a certificate. Times are UTC microseconds."""

    name: str
    role: str
    fingerprint: str
    serial: int
    from_us: int
    until_us: int
    revoked_us: int | None

    def state(self, now_us: int) -> str:
        """`valid`, `expired`, `not yet valid` or `revoked`."""
        if self.revoked_us is not None:
            return "revoked"
        if now_us < self.from_us:
            return "not yet valid"
        return "valid" if now_us <= self.until_us else "expired"


def facts_of(der: bytes, root_der: bytes, revocations: RevocationLists) -> Issued:
    """The facts of a certificate under this root's list."""
    certificate = x509.load_der_x509_certificate(der)
    return Issued(
        name=attribute(certificate, NameOID.COMMON_NAME),
        role=attribute(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME),
        fingerprint=fingerprint(der),
        serial=certificate.serial_number,
        from_us=_us(certificate.not_valid_before_utc),
        until_us=_us(certificate.not_valid_after_utc),
        revoked_us=revocations.revoked_us(root_der, certificate.serial_number),
    )


class Authority:
    """An opened root folder."""

    def __init__(self, folder: Path, root: Identity, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self.root = root

    @classmethod
    def create(cls, folder: Path, name: str, passphrase: str | None, clock: Clock) -> Authority:
        """A new root with an empty revocation list. Errors: CONFLICT if there is one, BAD_REQUEST, STORAGE."""
        if passphrase is not None and len(passphrase) < MIN_PASSPHRASE_CHARS:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                f"The root's passphrase has fewer than {MIN_PASSPHRASE_CHARS} characters.",
                where=str(folder),
            )
        if cls.exists(folder):
            raise OrvaultError(ErrorKind.CONFLICT, "There is a root already; it is kept.", where=str(folder))
        root = create_root(name, clock)
        issue_list(root, (), 1, clock).save(folder / REVOKED_FILE)
        root.save(folder, passphrase)  # its key is written last: where that is, everything is
        return cls(folder, root, clock)

    @classmethod
    def open(cls, folder: Path, passphrase: str | None, clock: Clock) -> Authority:
        """Errors: KEY_MISSING if there is no root here, WRONG_PASSPHRASE, BAD_SETTINGS."""
        return cls(folder, Identity.load(folder, passphrase), clock)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether a root lies in this folder."""
        return (folder / KEY_FILE).is_file() and (folder / CERTIFICATE_FILE).is_file()

    @staticmethod
    def is_protected(folder: Path) -> bool:
        """Whether its key is under a passphrase. Errors: KEY_MISSING."""
        return b"ENCRYPTED" in read_bounded(folder / KEY_FILE, MAX_PEM_BYTES, ErrorKind.KEY_MISSING)

    def issue(self, name: str, role: CertificateRole | str, days: int) -> Identity:
        """A key and certificate; it stands in the register before it is given out."""
        made = issue(self.root, name, role, self._clock, days)
        self._register(made.certificate)
        return made

    def grant(self, request: NodeRequest, days: int) -> x509.Certificate:
        """A certificate for the key that a node made itself; in the register before it is given out."""
        made = certify(self.root, request.name, CertificateRole.NODE, request.public_key, self._clock, days)
        self._register(made)
        return made

    def _register(self, made: x509.Certificate) -> None:
        pem = made.public_bytes(serialization.Encoding.PEM)
        write_private(self._folder / ISSUED / f"{fingerprint(to_der(made))}.pem", pem)

    def issued(self) -> list[Issued]:
        """The register, the oldest first."""
        paths = (self._folder / ISSUED).glob("*.pem")
        ders = [to_der(load_pem(read_bounded(path, MAX_PEM_BYTES), path)[0]) for path in paths]
        lists = RevocationLists([self.revocations()])
        facts = [facts_of(der, self.root.certificate_der, lists) for der in ders]
        return sorted(facts, key=lambda each: (each.from_us, each.name, each.fingerprint))

    def revocations(self) -> RevocationList:
        """The newest list. Errors: UNTRUSTED, BAD_SETTINGS; NOT_FOUND if it is gone."""
        path = self._folder / REVOKED_FILE
        found = load_lists(path, [self.root.certificate_der]).of(self.root.certificate_der)
        if found is None:
            raise OrvaultError(
                ErrorKind.NOT_FOUND,
                "The root's revocation list is gone; a new one would forget what was revoked.",
                where=str(path),
                advice="Copy the newest from the server or from what recipients were given.",
            )
        return found

    def find(self, which: str) -> Issued:
        """The one certificate that a name, or a fingerprint's first 8 or more digits, names.

        Among several of one name, those that are revoked or have expired are left out.
        Errors: NOT_FOUND; CONFLICT if it names several, with their fingerprints.
        """
        wanted = which.replace(" ", "").lower()
        known = self.issued()
        found = [each for each in known if len(wanted) >= MIN_PREFIX and each.fingerprint.startswith(wanted)]
        if not found:
            named = [each for each in known if each.name == which]
            current = [each for each in named if each.state(self._clock.now_us()) == "valid"]
            found = current or named
        if not found:
            raise OrvaultError(
                ErrorKind.NOT_FOUND,
                "This root issued no certificate of that name or fingerprint.",
                where=which[:80],
                advice="`orvault keys list` shows all of them.",
            )
        if len(found) > 1:
            several = ", ".join(each.fingerprint[:16] for each in found)
            raise OrvaultError(
                ErrorKind.CONFLICT,
                f"It names {len(found)} certificates: {several}.",
                where=which[:80],
                advice="Give the fingerprint's first digits.",
            )
        return found[0]

    def revoke(self, which: Issued, reason: Reason, since_us: int | None = None) -> RevocationList:
        """A new list with this certificate on it, kept in the folder. Revoking again may only move `since` back.

        Errors: BAD_REQUEST for a time to come; STORAGE.
        """
        now = self._clock.now_us()
        since = now if since_us is None else since_us
        if since > now:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, "A revocation cannot begin in the future.", where="since"
            )
        newest = self.revocations()
        before = [each for each in newest.entries if each.serial == which.serial]
        others = [each for each in newest.entries if each.serial != which.serial]
        since = min([since, *(each.since_us for each in before)])
        made = self._list([*others, Revoked(which.serial, now, since, reason)], newest.number + 1)
        made.save(self._folder / REVOKED_FILE)
        return made

    def renew_list(self) -> RevocationList:
        """The same list with a new date; at every use of the root, so that recipients see that it is looked after."""
        newest = self.revocations()
        made = self._list(newest.entries, newest.number + 1)
        made.save(self._folder / REVOKED_FILE)
        return made

    def _list(self, entries: Sequence[Revoked], number: int) -> RevocationList:
        return issue_list(self.root, entries, number, self._clock)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
