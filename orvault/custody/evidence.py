"""What a site holds its history against: its root's word on who may sign, and the folder that it keeps outside.

What lies at witnesses is asked for over the network, by whoever checks (cluster/history_cli.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orvault.container.checkpoint import HistoryTrust
from orvault.container.checkpoint_files import CheckpointFolder
from orvault.container.enrolment import read_certificate
from orvault.custody.history_check import Stamps, Witnessed, witnessed_in


@dataclass(frozen=True)
class Evidence:
    """Where it lies; read anew for each check. `stamp_roots`: authorities of time to believe, if any (PEM)."""

    root_certificate: Path
    folder: Path
    stamp_roots: Path | None = None

    def trust(self) -> HistoryTrust | None:
        """Whose checkpoints count; None on a site that has no root yet. Errors: BAD_SETTINGS."""
        root = self.root_certificate
        return HistoryTrust((read_certificate(root),)) if root.exists() else None

    def kept(self) -> Iterator[Witnessed]:
        """What the folder outside keeps. Errors: STORAGE."""
        return witnessed_in(CheckpointFolder(self.folder))

    def stamps(self) -> Stamps | None:
        """Whose time stamps count. Errors: BAD_SETTINGS."""
        if self.stamp_roots is None:
            return None
        from orvault.custody.time_stamps import StampTrust  # its library only where stamps are in use

        return StampTrust.load(self.stamp_roots)
