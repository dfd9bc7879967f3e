"""Whose operation a case is: the hospital's patient reference, sealed, and found again by a keyed hash.

The ledger holds the sealed text and the hash, never the reference; the key lies in a file of the export server.
Without that file neither says anything: a hash without a key could be tried out over all numbers that a hospital has.
"""

from __future__ import annotations

import base64
import hmac
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class SealedPatient:
    """What the ledger keeps: nonce and AES-256-GCM ciphertext in base64, bound to the case; HMAC-SHA-256 (hex)."""

    sealed: str = field(repr=False)
    digest: str


class PatientKey:
    """Seals references and finds them; `load` reads the 32-byte secret at the first use.

    Errors of all acts: BAD_SETTINGS when there is no usable secret.
    """

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._load = load

    def seal(self, reference: str, case_id: str) -> SealedPatient:
        """The reference of this case's patient. BAD_REQUEST for text that is none."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = normal(reference).encode()
        sealed = nonce + AESGCM(self._derived(b"seal")).encrypt(nonce, plain, case_id.encode())
        return SealedPatient(base64.b64encode(sealed).decode(), self.digest(reference))

    def open(self, sealed: str, case_id: str) -> str:
        """The reference. ALTERED: sealed for another case, with another key, or changed."""
        data = base64.b64decode(sealed)
        nonce, ciphertext = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
        try:
            return AESGCM(self._derived(b"seal")).decrypt(nonce, ciphertext, case_id.encode()).decode()
        except InvalidTag as error:
            message = "The patient reference does not open: it was changed, or the site's secret was."
            raise OrvaultError(ErrorKind.ALTERED, message, where=f"case {case_id}") from error

    def digest(self, reference: str) -> str:
        """By what a reference is found. BAD_REQUEST for text that is none."""
        return hmac.new(self._derived(b"find"), normal(reference).encode(), "sha256").hexdigest()

    def _derived(self, purpose: bytes) -> bytes:
        secret = self._load()
        if len(secret) != KEY_BYTES:
            message = f"The secret of patient references has {len(secret)} bytes, not {KEY_BYTES}."
            raise OrvaultError(ErrorKind.BAD_SETTINGS, message)
        return HKDFExpand(SHA256(), 32, b"orvault patient/1 " + purpose).derive(secret)


def normal(reference: str) -> str:
    """As references are compared: NFKC, case-folded, without blanks. BAD_REQUEST for an empty or overlong one."""
    clean = clean_text(reference, "patient_reference", longest=64)
    return "".join(unicodedata.normalize("NFKC", clean).casefold().split())


def _absent() -> bytes:
    raise OrvaultError(
        ErrorKind.BAD_SETTINGS,
        "This process has no secret for patient references.",
        advice="Ask through the API of the export server.",
    )


NO_PATIENTS = PatientKey(_absent)
