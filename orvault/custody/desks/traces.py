"""Copies and who got them: the registry that a leaked file's invisible mark is looked up in, and who looked.

Reading marks is `orvault.marks`; putting them in is the rendering's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orvault.custody.desks.base import CONSOLE, Desk
from orvault.custody.history import Act
from orvault.custody.request_rows import RegisteredCopy


@dataclass(frozen=True, slots=True)
class TracedCopy:
    """A copy that a file was traced to; `score` in standard deviations over chance."""

    copy: RegisteredCopy
    camera_id: str
    score: float


class TraceDesk(Desk):
    """What `orvault trace` asks and tells."""

    def registered_copies(self) -> Sequence[RegisteredCopy]:
        """Every copy that was ever approved, with its request, recipients and cameras."""
        with self._uow(read_only=True) as uow:
            return uow.requests.copies()

    def log_trace(self, file_sha256: str, copies: int, found: Sequence[TracedCopy]) -> None:
        """Write into history, before anybody is shown it: which file was traced among how many copies, to whom."""
        named = [
            {
                "package": each.copy.package_id,
                "request": each.copy.request_id,
                "recipients": list(each.copy.recipients),
                "camera": each.camera_id,
                "score": f"{each.score:.1f}",
            }
            for each in found
        ]
        detail = {"copies": copies, "named": named}
        with self._uow() as uow:
            uow.history.append(self._clock.now_us(), CONSOLE, Act.COPY_TRACED, f"file:{file_sha256}", detail)
            uow.commit()
