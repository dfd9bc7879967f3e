"""Opens custody over the ledger in whichever process needs it; objects with open connections never travel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from actors.facades import CamerasHandle, ExportHandle, KeysHandle
from actors.keys import read_secret
from orvault.clock import SystemClock
from orvault.custody.service import CustodyService
from orvault.ledger.engine import open_ledger, with_password


@dataclass(frozen=True)
class LedgerAddress:
    """Where the ledger is; the password stays in its file until a process connects."""

    url: str
    password_file: Path | None

    def resolve(self) -> str:
        """The URL to connect to; a secret from here on. Errors: BAD_SETTINGS."""
        return (
            self.url
            if self.password_file is None
            else with_password(self.url, read_secret(self.password_file))
        )


def open_custody(address: LedgerAddress, camera_ids: tuple[str, ...]) -> CustodyService:
    """Custody over its own connection to the ledger; it reaches cameras, keys and export by their actors' names."""
    ledger = open_ledger(address.resolve())
    return CustodyService(ledger.uow, SystemClock(), CamerasHandle(camera_ids), KeysHandle(), ExportHandle())
