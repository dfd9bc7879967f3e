"""The one entrance to custody: every use case, called by the API, the actors and the command line.

It decides and records; recorders, keys and rendering are reached through the ports it is given.
"""

from __future__ import annotations

from orvault.custody.desks.activating import ActivationDesk
from orvault.custody.desks.alarms import Alarm
from orvault.custody.desks.cases import CaseDesk
from orvault.custody.desks.control import SignalOutcome
from orvault.custody.desks.destroying import DestroyingDesk
from orvault.custody.desks.directory import DirectoryDesk
from orvault.custody.desks.granting import GrantDesk
from orvault.custody.desks.histories import HistoryDesk
from orvault.custody.desks.inquiries import ExportDossier, HandedOut, InquiryDesk, RecordingAccess, Seen
from orvault.custody.desks.masking import MaskDesk, MaskState
from orvault.custody.desks.notices import MailPage, NoticeDesk, NoticePage
from orvault.custody.desks.ordering import CameraProblem
from orvault.custody.desks.recordings import CameraView, RecordingDesk
from orvault.custody.desks.registers import RegisterDesk
from orvault.custody.desks.rehearsal import RehearsalDesk
from orvault.custody.desks.renders import RenderJob
from orvault.custody.desks.results import AwaitedAnswer, ResultDesk
from orvault.custody.desks.retention import CaseRetention, Plan
from orvault.custody.desks.rooms import DueReason, RoomDesk, RoomView
from orvault.custody.desks.scanning import ScanJob, ScanningDesk
from orvault.custody.desks.scans import ScanDesk
from orvault.custody.desks.sealing import SealingDesk
from orvault.custody.desks.search import SearchDesk
from orvault.custody.desks.second_factors import SecondFactorDesk
from orvault.custody.desks.sessions import SignIn
from orvault.custody.desks.switching import CaseView, Switched
from orvault.custody.desks.traces import TracedCopy, TraceDesk
from orvault.custody.desks.viewing import OpenedView, SeenSpan
from orvault.custody.history_verdict import HistoryVerdict
from orvault.custody.stretches import Track


class CustodyService(
    DirectoryDesk,
    SecondFactorDesk,
    CaseDesk,
    RehearsalDesk,
    RegisterDesk,
    RoomDesk,
    RecordingDesk,
    ActivationDesk,
    SealingDesk,
    ScanDesk,
    ScanningDesk,
    HistoryDesk,
    InquiryDesk,
    NoticeDesk,
    TraceDesk,
    MaskDesk,
    ResultDesk,
    GrantDesk,
    DestroyingDesk,
    SearchDesk,
):
    """All desks over one ledger; safe to share between threads, and to have in several processes."""


__all__ = [
    "Alarm",
    "AwaitedAnswer",
    "CameraProblem",
    "CameraView",
    "CaseRetention",
    "CaseView",
    "CustodyService",
    "DueReason",
    "ExportDossier",
    "HandedOut",
    "HistoryVerdict",
    "MailPage",
    "MaskState",
    "NoticePage",
    "OpenedView",
    "Plan",
    "RecordingAccess",
    "RenderJob",
    "RoomView",
    "ScanJob",
    "Seen",
    "SeenSpan",
    "SignIn",
    "SignalOutcome",
    "Switched",
    "TracedCopy",
    "Track",
]
