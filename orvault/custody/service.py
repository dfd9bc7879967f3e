"""The one entrance to custody: every use case, called by the API, the actors and the command line.

It decides and records; recorders, keys and rendering are reached through the ports it is given.
"""

from __future__ import annotations

from orvault.custody.desks.accounts import AccountDesk, SignIn
from orvault.custody.desks.cases import CaseDesk
from orvault.custody.desks.histories import HistoryDesk, HistoryVerdict
from orvault.custody.desks.recordings import CameraView, RecordingDesk
from orvault.custody.desks.renders import RenderDesk, RenderJob, Track
from orvault.custody.desks.switching import CameraProblem, CaseView, Switched


class CustodyService(AccountDesk, CaseDesk, RecordingDesk, RenderDesk, HistoryDesk):
    """All desks over one ledger; safe to share between threads, and to have in several processes."""


__all__ = [
    "CameraProblem",
    "CameraView",
    "CaseView",
    "CustodyService",
    "HistoryVerdict",
    "RenderJob",
    "SignIn",
    "Switched",
    "Track",
]
