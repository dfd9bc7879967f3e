"""Whose operation a case is: the hospital's patient reference, sealed, and found again by a keyed hash.

The ledger holds the sealed text and the hash, never the reference; the key lies in a file of the export server.
Without that file neither says anything: a hash without a key could be tried out over all numbers that a hospital has.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from orvault.custody.site_secret import SiteSecret, absent
from orvault.custody.text import clean_text


@dataclass(frozen=True, slots=True)
class SealedPatient:
    """What the ledger keeps: nonce and AES-256-GCM ciphertext in base64, bound to the case; HMAC-SHA-256 (hex)."""

    sealed: str = field(repr=False)
    digest: str


class PatientKey:
    """Seals references and finds them; `load` reads the 32-byte secret at each use.

    Errors of all acts: BAD_SETTINGS when there is no usable secret.
    """

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._secret = SiteSecret(load, "orvault patient/1", "patient reference")

    def seal(self, reference: str, case_id: str) -> SealedPatient:
        """The reference of this case's patient. BAD_REQUEST for text that is none."""
        return SealedPatient(self._secret.seal(normal(reference), case_id), self.digest(reference))

    def open(self, sealed: str, case_id: str) -> str:
        """The reference. ALTERED: sealed for another case, with another key, or changed."""
        return self._secret.open(sealed, case_id, f"case {case_id}")

    def digest(self, reference: str) -> str:
        """By what a reference is found. BAD_REQUEST for text that is none."""
        return hmac.new(self._secret.derived("find"), normal(reference).encode(), "sha256").hexdigest()


def normal(reference: str) -> str:
    """As references are compared: NFKC, case-folded, without blanks. BAD_REQUEST for an empty or overlong one."""
    clean = clean_text(reference, "patient_reference", longest=64)
    return "".join(unicodedata.normalize("NFKC", clean).casefold().split())


NO_PATIENTS = PatientKey(absent("patient references"))
