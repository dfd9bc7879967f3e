"""The key service: makes case keys, and opens segment keys only on a grant that the ledger confirms.

After a restart without its passphrase it stays locked: recording goes on with public keys, opening waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orvault.container.keys import PublicKey
from orvault.container.keystore import KeyStore
from orvault.container.segment import unwrap_dek
from orvault.custody.recorded import SegmentLike
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError

MAX_SECRET_BYTES = 4096


class KeyActor:
    """One per cluster, on the export server."""

    def __init__(
        self, folder: Path, passphrase_file: Path | None, open_custody: Callable[[], CustodyService]
    ) -> None:
        self._folder = folder
        self._custody = open_custody()
        self._store: KeyStore | None = None
        if passphrase_file is not None:
            self.unlock(read_secret(passphrase_file))

    def unlock(self, passphrase: str) -> None:
        """Open the key store. Errors: WRONG_PASSPHRASE."""
        self._store = KeyStore.unlock(self._folder, passphrase)

    def unlocked(self) -> bool:
        """Whether segment keys can be opened now."""
        return self._store is not None

    def create(self, case_id: str) -> PublicKey:
        """The public half of a case's key, made at the first call. Errors: KEYS_LOCKED."""
        return self._opened().new_case_key(case_id)

    def open_for_render(self, request_id: str, records: Sequence[SegmentLike]) -> list[bytes]:
        """The segment keys of an approved request that is being rendered, in the order of `records`.

        1. the ledger confirms the grant: this request is being rendered, and covers these segments;
        2. the opening stands in history, committed;
        3. only then the keys leave.
        Errors: KEYS_LOCKED, GRANT_MISSING, KEY_MISSING, ALTERED.
        """
        store = self._opened()
        self._custody.log_key_opening(request_id, [record.header.meta.segment_id for record in records])
        return [
            unwrap_dek(record.slots, store.private_key(record.header.key_thumbprint), record.header)
            for record in records
        ]

    def _opened(self) -> KeyStore:
        if self._store is None:
            raise OrvaultError(
                ErrorKind.KEYS_LOCKED,
                "the key store is locked since its last start.",
                advice="Unlock it with `orvault keys unlock`.",
            )
        return self._store


def read_secret(path: Path) -> str:
    """The one line in a secret file. Errors: BAD_SETTINGS when it is absent, empty, longer or open to others."""
    try:
        if path.stat().st_mode & 0o077:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                "is open to other accounts.",
                where=str(path),
                advice=f"chmod 600 {path}",
            )
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES + 1).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OrvaultError(ErrorKind.BAD_SETTINGS, f"cannot be read: {reason}.", where=str(path)) from None
    if not text:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "is empty.", where=str(path))
    if len(text.encode()) > MAX_SECRET_BYTES or len(text.splitlines()) > 1:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "holds more than one secret.", where=str(path))
    return text
