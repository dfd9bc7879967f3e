"""Sealing short texts into the ledger with a secret that lies in a file of the server, apart from the ledger.

Whoever has the ledger alone learns nothing from them; whoever exchanges two of them is found out.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from orvault.errors import ErrorKind, OrvaultError

KEY_BYTES = 32
_NONCE_BYTES = 12


class SiteSecret:
    """A 32-byte secret for one purpose, e.g. "orvault patient/1"; `load` reads it at each use.

    `what` names in errors, in the singular, what is sealed. Errors of all acts: BAD_SETTINGS when there is no
    usable secret.
    """

    def __init__(self, load: Callable[[], bytes], purpose: str, what: str) -> None:
        self._load = load
        self._purpose = purpose
        self._what = what

    def seal(self, text: str, owner: str) -> str:
        """Nonce and AES-256-GCM ciphertext in base64, bound to what the text belongs to."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(self.derived("seal")).encrypt(nonce, text.encode(), owner.encode())
        return base64.b64encode(sealed).decode()

    def open(self, sealed: str, owner: str, where: str) -> str:
        """The text. ALTERED: sealed for another owner, with another secret, or changed."""
        data = base64.b64decode(sealed)
        nonce, ciphertext = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
        try:
            return AESGCM(self.derived("seal")).decrypt(nonce, ciphertext, owner.encode()).decode()
        except InvalidTag as error:
            message = f"The {self._what} does not open: it was changed, or the site's secret was."
            raise OrvaultError(ErrorKind.ALTERED, message, where=where) from error

    def derived(self, use: str) -> bytes:
        """A key of 32 bytes for one use of this purpose."""
        secret = self._load()
        if len(secret) != KEY_BYTES:
            message = f"The secret for each {self._what} has {len(secret)} bytes, not {KEY_BYTES}."
            raise OrvaultError(ErrorKind.BAD_SETTINGS, message)
        return HKDFExpand(SHA256(), 32, f"{self._purpose} {use}".encode()).derive(secret)


def absent(what: str) -> Callable[[], bytes]:
    """In place of a secret's reader, in processes that have no business with it: raises BAD_SETTINGS."""

    def load() -> bytes:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            f"This process has no secret for {what}.",
            advice="Ask through the API of the export server.",
        )

    return load
