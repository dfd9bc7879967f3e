"""Takes approved requests from the ledger, one after another, and has their packages built.

It holds no truth: the request's row says what is approved, rendering or ready. A restarted actor claims again
what its old self left; the row's epoch keeps that old self from writing any more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from actors.rendering import Rendering, RenderTools
from orvault.custody.service import CustodyService, RenderJob
from orvault.errors import ErrorKind, OrvaultError

POLL_S = 5.0  # approvals wake the actor; this is for what a lost wake-up left behind
# What another try may heal: the row stays as it is and is claimed again.
PASSING = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.KEYS_LOCKED})

log = logging.getLogger(__name__)


class ExportActor:
    """One per cluster, on the export server."""

    def __init__(self, open_custody: Callable[[], CustodyService], tools: RenderTools) -> None:
        self._custody = open_custody()
        self._tools = tools
        self._woken = threading.Event()
        self._woken.set()
        threading.Thread(target=self._work_for_ever, name="export", daemon=True).start()

    def wake(self) -> None:
        """Look for approved work now."""
        self._woken.set()

    def _work_for_ever(self) -> None:
        while True:
            self._woken.wait(POLL_S)
            self._woken.clear()
            try:
                self.work_off()
            except OrvaultError as error:
                if error.kind not in PASSING:
                    raise
                log.warning("export waits: %s", error)

    def work_off(self) -> None:
        """Build every package that is approved. While the key store is locked nothing is claimed: no try is spent."""
        while self._tools.keys.unlocked() and (job := self._custody.claim_render()) is not None:
            self._carry_out(job)

    def _carry_out(self, job: RenderJob) -> None:
        request_id = job.request.request_id
        try:
            summary = Rendering(job, self._custody, self._tools).carry_out()
            self._custody.finish_render(
                request_id, job.epoch, summary.path.name, summary.bytes, summary.sha256
            )
        except OrvaultError as error:
            if error.kind in PASSING:
                raise
            if error.kind is ErrorKind.CONFLICT:  # the row is another worker's by now, or ended
                log.warning("export %s dropped: %s", request_id, error)
                return
            log.warning("export %s failed: %s", request_id, error)
            self._custody.fail_render(request_id, job.epoch, str(error))
