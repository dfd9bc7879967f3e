"""Builds what the processes of a site share: custody over the ledger, secrets, certificates.

Each process that needs them builds its own; objects with open connections never travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from actors.handles import CamerasHandle, ExportHandle, KeysHandle
from actors.keys import read_secret
from cluster.settings import Settings
from orvault.clock import SystemClock
from orvault.container.trust import load_pem, to_der
from orvault.custody.ports import CameraInfo
from orvault.custody.service import CustodyService
from orvault.ledger.engine import open_ledger, with_password


@dataclass(frozen=True)
class LedgerAddress:
    """Where the ledger is; the password stays in its file until a process connects."""

    url: str
    password_file: Path | None

    def resolve(self) -> str:
        """The URL to connect to; a secret from here on. Errors: BAD_SETTINGS."""
        return self.url if self.password_file is None else with_password(self.url, read_secret(self.password_file))


def ledger_address(settings: Settings) -> LedgerAddress:
    """The ledger that the settings name."""
    return LedgerAddress(settings.ledger.url, settings.ledger.password_file)


def open_custody(address: LedgerAddress, camera_ids: tuple[str, ...]) -> CustodyService:
    """Custody over its own connection to the ledger; it reaches cameras, keys and export by their actors' names."""
    ledger = open_ledger(address.resolve())
    return CustodyService(ledger.uow, SystemClock(), CamerasHandle(camera_ids), KeysHandle(), ExportHandle())


def camera_ids(settings: Settings) -> tuple[str, ...]:
    """All cameras of the site."""
    return tuple(camera.id for camera in settings.cameras)


def camera_infos(settings: Settings) -> list[CameraInfo]:
    """What the ledger knows of each camera."""
    return [CameraInfo(camera.id, camera.title, camera.room, camera.node) for camera in settings.cameras]


def node_certificates(settings: Settings) -> dict[str, bytes]:
    """The enrolled nodes' certificates (DER) by node name; only their public part is read."""
    folder = settings.keys.node_identities
    certificates = {}
    for path in sorted(folder.glob("*/certificate.pem")):
        certificates[path.parent.name] = to_der(load_pem(path.read_bytes(), path)[0])
    return certificates
