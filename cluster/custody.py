"""Opens custody over the ledger in whichever process needs it; objects with open connections never travel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from actors.facades import CamerasHandle, KeysHandle
from actors.keys import read_secret
from actors.workers import ExportHandle, ViewingHandle
from orvault.clock import SystemClock
from orvault.custody.service import CustodyService
from orvault.custody.site import Rules, Secrets
from orvault.custody.terms import Redaction
from orvault.ledger.engine import open_ledger, with_password


@dataclass(frozen=True)
class LedgerAddress:
    """Where the ledger is; the password stays in its file until a process connects."""

    url: str = field(repr=False)
    password_file: Path | None

    def resolve(self) -> str:
        """The URL to connect to; a secret from here on. Errors: BAD_SETTINGS."""
        return (
            self.url
            if self.password_file is None
            else with_password(self.url, read_secret(self.password_file))
        )


def open_custody(
    address: LedgerAddress,
    camera_ids: tuple[str, ...],
    rules: Rules | None = None,
    hospital: str = "",
    secrets: Secrets | None = None,
) -> CustodyService:
    """Custody over its own connection to the ledger; it reaches cameras, keys and export by their actors' names.

    `hospital` goes into watermarks: only who takes requests in needs it.
    """
    ledger = open_ledger(address.resolve())
    cameras = CamerasHandle(camera_ids)
    return CustodyService(
        ledger.uow,
        SystemClock(),
        cameras,
        KeysHandle(),
        ExportHandle(),
        viewers=ViewingHandle(),
        check_watermark=_check_watermark,
        rules=rules or Rules(),
        secrets=secrets or Secrets(),
        hospital=hospital,
    )


def _check_watermark(redaction: Redaction, image: bytes | None, width: int, height: int) -> None:
    from actors.watermarks import check_watermark  # OpenCV: only who takes requests in loads it

    check_watermark(redaction, image, width, height)
