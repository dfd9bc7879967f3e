"""Opens custody over the ledger in whichever process needs it; objects with open connections never travel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from actors.facades import CamerasHandle, KeysHandle
from actors.keys import read_secret
from actors.workers import ExportHandle, ViewingHandle
from orvault.clock import SystemClock
from orvault.custody.access import AccessPolicy
from orvault.custody.activation import NO_ACTIVATION, ActivationKey
from orvault.custody.control import ControlPolicy
from orvault.custody.evidence import Evidence
from orvault.custody.export_policy import ExportPolicy
from orvault.custody.patients import NO_PATIENTS, PatientKey
from orvault.custody.retention import RetentionPolicy
from orvault.custody.second_factor import NO_FACTORS, FactorKey
from orvault.custody.service import CustodyService
from orvault.custody.terms import Redaction
from orvault.custody.viewing import ViewPolicy
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


@dataclass(frozen=True)
class Rules:
    """What a site decides for custody: how signals count, who views and reaches what, how long recordings are kept,
    what requests may ask for, and what history is held against.
    """

    control: ControlPolicy
    viewing: ViewPolicy
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)
    exports: ExportPolicy = field(default_factory=ExportPolicy)
    evidence: Evidence | None = None
    access: AccessPolicy = field(default_factory=AccessPolicy)


def open_custody(
    address: LedgerAddress,
    camera_ids: tuple[str, ...],
    rules: Rules | None = None,
    hospital: str = "",
    patients: PatientKey = NO_PATIENTS,
    factors: FactorKey = NO_FACTORS,
    activation: ActivationKey = NO_ACTIVATION,
) -> CustodyService:
    """Custody over its own connection to the ledger; it reaches cameras, keys and export by their actors' names.

    `hospital` goes into watermarks: only who takes requests in needs it. `patients`:
    who plans and finds cases alone. `factors`: who signs people in. `activation`: who makes
    packages, and who is asked for their activation.
    """
    ledger = open_ledger(address.resolve())
    cameras = CamerasHandle(camera_ids)
    return CustodyService(
        ledger.uow,
        SystemClock(),
        cameras,
        KeysHandle(),
        ExportHandle(),
        control=None if rules is None else rules.control,
        check_watermark=_check_watermark,
        hospital=hospital,
        viewing=None if rules is None else rules.viewing,
        viewers=ViewingHandle(),
        retention=None if rules is None else rules.retention,
        exports=None if rules is None else rules.exports,
        evidence=None if rules is None else rules.evidence,
        patients=patients,
        access=None if rules is None else rules.access,
        factors=factors,
        activation=activation,
    )


def _check_watermark(redaction: Redaction, image: bytes | None, width: int, height: int) -> None:
    from actors.watermarks import check_watermark  # OpenCV: only who takes requests in loads it

    check_watermark(redaction, image, width, height)
