"""Takes approved requests from the ledger, one after another, and has their packages built; beside it, scans.

It holds no truth: the request's row says what is approved, rendering or ready. A restarted actor claims again
what its old self left; the row's epoch keeps that old self from writing any more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import tenacity

from actors.package_files import remove_files, remove_pattern
from actors.render_tools import RenderTools
from actors.render_work import remove_work, work_folder
from actors.rendering import Rendering
from actors.result_pieces import keep_result, kept_results
from actors.scanning import Scanner
from orvault.container.package import PackageSummary
from orvault.custody.request import ExportRequest, PackageFile
from orvault.custody.second_look import SecondLook
from orvault.custody.service import CustodyService, RenderJob
from orvault.errors import ErrorKind, OrvaultError, is_away

POLL_S = 5.0  # approvals wake the actor; this is for what a lost wake-up left behind
# What passes by itself: the row is given back, and the next one is taken meanwhile.
PASSING = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.KEYS_LOCKED})
TRIES = 4  # under one claim: an actor that died is back in seconds; what stays away must not hold others up
LONGEST_WAIT_S = 10.0

log = logging.getLogger(__name__)


class ExportActor:
    """One per cluster, on the export server."""

    def __init__(self, open_custody: Callable[[], CustodyService], tools: RenderTools) -> None:
        self._custody = open_custody()
        self._tools = tools
        self._owed: tuple[RenderJob, str] | None = (
            None  # the words only: an error keeps the frames it went through
        )
        _sweep(tools.packages)
        self.scanner = Scanner(self._custody, tools)
        self._woken, self._scans_woken = threading.Event(), threading.Event()
        self.wake()
        # A person waits for a scan: it does not wait for a rendering of hours.
        threading.Thread(target=self._work_for_ever, name="export", daemon=True).start()
        threading.Thread(target=self._scan_for_ever, name="scans", daemon=True).start()

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()
        self._scans_woken.set()

    def _scan_for_ever(self) -> None:
        while True:
            self._scans_woken.wait(POLL_S)
            self._scans_woken.clear()
            try:
                self.scanner.work_off()
            except OrvaultError as error:
                log.warning("scans wait: %s", error)

    def _work_for_ever(self) -> None:
        while True:
            self._woken.wait(POLL_S)
            self._woken.clear()
            try:
                self.work_off()
            except OrvaultError as error:
                log.warning("export waits: %s", error)

    def work_off(self) -> None:
        """End what is over, then build every package that is approved.

        While the key store is locked nothing is claimed. What lacks something that passes (a node that is away) is
        given back for later: that costs it no try, and the others do not wait for it.
        """
        self._give_back_owed()
        self.clear_up()
        while self._tools.keys.unlocked() and (job := self._custody.claim_render()) is not None:
            self._carry_out(job)

    def clear_up(self) -> None:
        """End requests whose time is over, to view too, and remove the files of those with nothing to hand out.

        Files first, then the row: after a crash in between they are removed once more, which changes nothing.
        """
        self._custody.expire_due()
        self._custody.remind_due()
        self._custody.remind_answers()
        self._custody.expire_viewings()
        for request in self._custody.spent_exports():
            if remove_files(self._tools.packages, request):
                self._custody.files_removed(request.request_id)
        if kept := kept_results(self._tools.packages):
            for request_id in self._custody.results_over(kept):
                remove_work(work_folder(self._tools.packages, request_id))

    def _carry_out(self, job: RenderJob) -> None:
        request_id = job.request.request_id
        try:
            self._build(job)
        except OrvaultError as error:
            log.warning("export %s: %s", request_id, error)
            if error.kind in PASSING:
                self._owed = job, error.outside_words  # until it is done: the ledger may be what is away
                self._give_back_owed()
            elif error.kind is not ErrorKind.CONFLICT:  # else the row is another worker's by now, or ended
                self._fail(job, error)

    def _give_back_owed(self) -> None:
        if self._owed is None:
            return
        job, reason = self._owed
        try:
            self._custody.give_back_render(job.request.request_id, job.epoch, reason)
        except OrvaultError as refusal:
            if refusal.kind is not ErrorKind.CONFLICT:
                raise
            log.warning("export %s dropped: %s", job.request.request_id, refusal)
        self._owed = None

    def _build(self, job: RenderJob) -> None:
        for earlier in range(1, job.epoch):  # finished, but never confirmed
            for copy in job.request.copies:
                remove_pattern(self._tools.packages, f"{copy.package_id}-{earlier}.orvault")
        made, second_look = self._patiently(job)
        first, *further = (
            PackageFile(each.package_id, each.path.name, each.bytes, each.sha256) for each in made
        )
        try:
            self._custody.finish_render(
                job.request.request_id,
                job.epoch,
                first.path,
                first.bytes,
                first.sha256,
                further,
                second_look=second_look,
            )
            if job.for_participants:
                keep_result(_work_of(self._tools, job.request))
            else:
                remove_work(_work_of(self._tools, job.request))
        except OrvaultError as error:
            if error.kind is ErrorKind.CONFLICT:  # nobody will ever ask for them
                for each in made:
                    each.path.unlink(missing_ok=True)
            raise

    def _fail(self, job: RenderJob, error: OrvaultError) -> None:
        try:
            self._custody.fail_render(job.request.request_id, job.epoch, error.outside_words)
            remove_work(_work_of(self._tools, job.request))
        except OrvaultError as refusal:
            if refusal.kind is not ErrorKind.CONFLICT:
                raise
            log.warning("export %s dropped: %s", job.request.request_id, refusal)

    def _patiently(self, job: RenderJob) -> tuple[list[PackageSummary], SecondLook]:
        """The packages and what was seen in them; begun again, from the last finished piece on, while what it needs
        is being restarted.
        """
        attempts = tenacity.Retrying(
            wait=tenacity.wait_exponential(multiplier=2.5, max=LONGEST_WAIT_S),
            stop=tenacity.stop_after_attempt(TRIES),
            sleep=self._tools.clock.sleep,
            retry=tenacity.retry_if_exception(is_away),
            before_sleep=partial(self._say_waiting, job),
            reraise=True,
        )
        return attempts(self._carried_out, job)

    def _carried_out(self, job: RenderJob) -> tuple[list[PackageSummary], SecondLook]:
        rendering = Rendering(job, self._custody, self._tools)
        return rendering.carry_out(), rendering.second_look()

    def _say_waiting(self, job: RenderJob, state: tenacity.RetryCallState) -> None:
        """Also the sign of life. Errors: CONFLICT when the row is not this worker's any more."""
        error = state.outcome.exception() if state.outcome is not None else None
        log.warning("export %s waits: %s", job.request.request_id, error)
        try:
            self._custody.render_progress(job.request.request_id, job.epoch, "waiting", 0, 0)
        except OrvaultError as refusal:
            if refusal.kind is not ErrorKind.UNAVAILABLE:  # it may be the ledger that is waited for
                raise


def _work_of(tools: RenderTools, request: ExportRequest) -> Path:
    return work_folder(tools.packages, request.request_id)


def _sweep(packages: Path) -> None:
    """Remove what a dead worker left: packages half written, and their sealed files, whose key died with it.

    Finished pieces of a rendering stay: their key can be had again.
    """
    remove_pattern(packages, "*.mp4.enc")
    remove_pattern(packages, ".*.orvault.*.part")
