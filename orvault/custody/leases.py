"""Work that one worker at a time has: how renderings and scans are claimed, told of, put off, and fenced by epoch.

A worker that was replaced may go on for a second; whatever it says carries an old epoch and is turned away. Which
states there are, and what stands in history, is the desks' business.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from orvault.clock import US_PER_S
from orvault.custody.request import ExportRequest, Progress
from orvault.custody.scan import Scan
from orvault.errors import ErrorKind, OrvaultError

LEASE_US = 120 * US_PER_S  # without a sign of life; then another worker takes over
FIRST_PAUSE_US, LONGEST_PAUSE_US = 60 * US_PER_S, 15 * 60 * US_PER_S

Work = TypeVar("Work", ExportRequest, Scan)


def pause_us(given_back: int) -> int:
    """How long work waits that was given back so often before: a minute, and each time twice as long, to 15."""
    return min(FIRST_PAUSE_US << min(given_back, 10), LONGEST_PAUSE_US)


def is_left(work: Work, worker: str, now_us: int) -> bool:
    """Whether work under way may be taken over: it is this worker's own, who was restarted, or nobody's who lives."""
    return work.worker == worker or work.worker_seen_us is None or now_us - work.worker_seen_us >= LEASE_US


def claimed(work: Work, worker: str, now_us: int) -> Work:
    """The work as this worker has it from now on, under an epoch of its own."""
    return replace(
        work,
        worker=worker,
        worker_epoch=work.worker_epoch + 1,
        worker_seen_us=now_us,
        not_before_us=None,
        progress=Progress("starting", 0, 0),
    )


def told(work: Work, stage: str, done: int, total: int, now_us: int) -> Work:
    """The work, so far done; also the worker's sign of life."""
    return replace(work, progress=Progress(stage[:64], max(0, done), max(0, total)), worker_seen_us=now_us)


def put_off(work: Work, now_us: int) -> Work:
    """The work, for a later try: this one was no attempt."""
    return replace(
        work,
        progress=Progress("waiting", 0, 0),
        given_back=work.given_back + 1,
        not_before_us=now_us + pause_us(work.given_back),
    )


def check_epoch(work: Work, epoch: int, what: str, *, at_work: bool) -> None:
    """Raise CONFLICT unless somebody is at it and has it under this epoch; `what` it is, in words."""
    if not at_work or work.worker_epoch != epoch:
        message = f"This {what} is {work.state.value} under epoch {work.worker_epoch}, not {epoch}."
        advice = "Drop the work: another worker has it, or it ended."
        raise OrvaultError(ErrorKind.CONFLICT, message, advice=advice)


def actor_of(work: Work) -> str:
    """How history names the worker that has it."""
    return f"worker:{work.worker or 'none'}"
