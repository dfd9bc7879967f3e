"""What every desk works with: transactions, the clock, and ports to recorders, keys and export workers."""

from __future__ import annotations

from typing import Protocol

from orvault.clock import Clock
from orvault.custody.control import ControlPolicy
from orvault.custody.evidence import Evidence
from orvault.custody.export_policy import ExportPolicy
from orvault.custody.passwords import Passwords
from orvault.custody.patients import NO_PATIENTS, PatientKey
from orvault.custody.ports import CaseKeys, NoViewers, Recorders, Renderers, Viewers
from orvault.custody.retention import RetentionPolicy
from orvault.custody.rows import UnitsOfWork
from orvault.custody.terms import Redaction
from orvault.custody.viewing import ViewPolicy
from orvault.errors import ErrorKind, OrvaultError

CONSOLE = "console"  # a person with a shell on the server, e.g. who makes the first account
SYSTEM = "system"
LONGEST_PAGE = 200


class WatermarkCheck(Protocol):
    """Whether a watermark (and its image, PNG) can be drawn into pictures of this size (pixels): BAD_REQUEST if not.
    Knows fonts and pictures, as custody does not.
    """

    def __call__(  # noqa: D102
        self, redaction: Redaction, image: bytes | None, width: int, height: int, /
    ) -> None: ...


def _any_watermark(_redaction: Redaction, _image: bytes | None, _width: int, _height: int) -> None:
    """What is drawn nowhere needs no check."""


class Desk:
    """The shared state of the use cases; holds nothing that must survive a restart."""

    def __init__(
        self,
        uow: UnitsOfWork,
        clock: Clock,
        recorders: Recorders,
        case_keys: CaseKeys,
        renderers: Renderers,
        passwords: Passwords | None = None,
        control: ControlPolicy | None = None,
        check_watermark: WatermarkCheck = _any_watermark,
        viewing: ViewPolicy | None = None,
        viewers: Viewers | None = None,
        hospital: str = "",
        retention: RetentionPolicy | None = None,
        exports: ExportPolicy | None = None,
        evidence: Evidence | None = None,
        patients: PatientKey = NO_PATIENTS,
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._recorders = recorders
        self._case_keys = case_keys
        self._renderers = renderers
        self._passwords = passwords or Passwords()
        self._control = control or ControlPolicy()
        self._check_watermark = check_watermark
        self._hospital = hospital
        self._exports = exports or ExportPolicy()
        self._patients = patients
        self._viewing = viewing or ViewPolicy()
        self._viewers = viewers or NoViewers()
        self._retention = retention or RetentionPolicy()
        self._evidence = evidence


def not_found(what: str, object_id: str, where: str = "") -> OrvaultError:
    """The one answer for an object that is not there and for one that the asker may not know of."""
    shown = object_id if len(object_id) <= 64 and object_id.isprintable() else "(unreadable)"
    return OrvaultError(
        ErrorKind.NOT_FOUND, f"There is no {what} {shown!r}.", where=where, advice="Check the identifier."
    )


def page_size(limit: int) -> int:
    """A page's length between 1 and 200 rows."""
    return max(1, min(limit, LONGEST_PAGE))
