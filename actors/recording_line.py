"""The line from fragments to durable segments of one camera: one thread that owns the recorder's state.

Orders and fragments stand in one queue, so that what was cut before a stop is sealed before it, whatever else
happens. Recording fails on: what cannot be sealed becomes a gap with its reason, and the next fragment is tried.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import tenacity

from orvault.clock import Clock
from orvault.container.keys import PublicKey
from orvault.container.segment import SegmentMeta
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.orders import OrderStore
from orvault.recording.recorder import Gap, Recorder, RecordingOrder
from orvault.recording.records import SegmentRecord, Tail
from orvault.video.gop import Fragment

WAITING = 16  # fragments (about half a minute) that may wait while the encryption actor is being restarted
RETRY_S = 0.5
ANSWER_S = 10.0  # for a start, which waits for the encryption actor
STOP_S = 45.0  # for a stop, which waits until everything before it is sealed

log = logging.getLogger(__name__)
T = TypeVar("T")


class Sealer(Protocol):
    """The encryption actor of the same node."""

    def seal(self, meta: SegmentMeta, fragment: bytes, case_key: PublicKey, previous: str) -> SegmentRecord:
        """Seal and make durable. Errors: UNAVAILABLE (try again), STORAGE and others (this fragment is lost)."""
        ...

    def tail(self, case_id: str, camera_id: str, run_id: str) -> Tail:
        """Where a run stands on disk."""
        ...

    def record_gap(self, gap: Gap) -> None:
        """Make a gap durable."""
        ...


@dataclass(frozen=True)
class _Cut:
    fragment: Fragment
    reason: str


@dataclass(frozen=True)
class _Start:
    order: RecordingOrder
    done: Future[None]


@dataclass(frozen=True)
class _Stop:
    run_id: str
    at_us: int
    reason: str
    done: Future[None]


class RecordingLine:
    """Takes fragments and orders from any thread; works them off in its own."""

    def __init__(
        self,
        node_id: str,
        camera_id: str,
        sealer: Sealer,
        orders: OrderStore,
        clock: Clock,
        cut: Callable[[bool], None],
    ) -> None:
        self._recorder = Recorder(node_id, camera_id)
        self._camera_id = camera_id
        self._sealer, self._orders, self._clock, self._cut = sealer, orders, clock, cut
        self._work: queue.Queue[_Cut | _Start | _Stop] = queue.Queue()
        self._overflow = ""
        self.run_id: str | None = None
        self.segments = 0
        self.last_us: int | None = None
        self.trouble = ""
        threading.Thread(target=self._work_for_ever, name="line", daemon=True).start()

    def resume(self) -> None:
        """Take up the order on this node's disk, if there is one, without waiting for it."""
        order = self._orders.load(self._camera_id)
        if order is not None:
            self._work.put(_Start(order, Future()))

    def start(self, order: RecordingOrder) -> None:
        """Begin a run; on disk before this returns. Errors: CONFLICT, STORAGE, UNAVAILABLE."""
        self._wait(_Start(order, Future()), ANSWER_S)

    def stop(self, run_id: str, reason: str) -> None:
        """End a run behind everything that was cut before; `reason` says why pictures are missing, if they are."""
        self._wait(_Stop(run_id, self._clock.now_us(), reason, Future()), STOP_S)

    def put(self, fragment: Fragment | None, reason: str = "") -> None:
        """Take over a fragment; `reason` says why the pictures before it are missing, if they are."""
        if fragment is None:
            return
        if self._work.qsize() >= WAITING:
            self._overflow = "the sealing of fragments fell behind"
            log.error("camera %s: %s; a fragment was dropped", self._camera_id, self._overflow)
            return
        self._work.put(_Cut(fragment, self._overflow or reason))
        self._overflow = ""

    def _wait(self, item: _Start | _Stop, limit_s: float) -> None:
        self._work.put(item)
        try:
            item.done.result(limit_s)
        except FutureTimeoutError:
            raise OrvaultError(
                ErrorKind.UNAVAILABLE,
                f"the recording did not answer within {limit_s:g} s; it goes on trying.",
                where=f"camera {self._camera_id}",
            ) from None

    def _work_for_ever(self) -> None:
        while True:
            item = self._work.get()
            if isinstance(item, _Cut):
                self._seal(item)
            else:
                self._carry_out(item)

    def _carry_out(self, item: _Start | _Stop) -> None:
        try:
            if isinstance(item, _Start):
                self._begin(item.order)
            else:
                self._end(item)
        except OrvaultError as error:
            log.warning("camera %s: %s", self._camera_id, error)
            item.done.set_exception(error)
        else:
            item.done.set_result(None)

    def _begin(self, order: RecordingOrder) -> None:
        """1. what the disk holds of this run; 2. the order is durable; 3. fragments are cut."""
        tail = self._patiently(partial(self._sealer.tail, order.case_id, order.camera_id, order.run_id))
        fresh = self._recorder.start(order, self._clock.now_us(), tail)
        self._orders.save(order)
        self.run_id = order.run_id
        if fresh:
            self.segments, self.last_us = tail.next_sequence, tail.end_us or None
            self._cut(True)

    def _end(self, item: _Stop) -> None:
        """1. no more fragments; 2. the gap at the end, if there is one; 3. the order is forgotten."""
        if self.run_id == item.run_id:
            self._cut(False)
        if item.reason:
            self._recorder.lost(item.reason, item.at_us)
        gap = self._recorder.stop(item.run_id, item.at_us)
        if gap is not None:
            self._patiently(partial(self._sealer.record_gap, gap))
        self._orders.remove(self._camera_id, item.run_id)
        if self.run_id == item.run_id:
            self.run_id = None

    def _seal(self, item: _Cut) -> None:
        order = self._recorder.order
        if order is None:
            return  # it was cut just before the run ended; the run's end is fixed already
        if item.reason:
            self._recorder.lost(item.reason, item.fragment.start_us)
        fragment = item.fragment
        try:
            for gap in self._recorder.gaps(fragment):
                self._patiently(partial(self._sealer.record_gap, gap))
            meta, previous = self._recorder.next_meta(fragment), self._recorder.tail.previous_digest
            record = self._patiently(
                partial(self._sealer.seal, meta, fragment.data, order.case_key, previous)
            )
            self._recorder.stored(record)
        except OrvaultError as error:
            self.trouble = f"a fragment was lost: {error}"
            log.error("camera %s: %s", self._camera_id, self.trouble)
            self._recorder.lost(error.message, fragment.start_us)
            return
        self.trouble = ""
        self.segments, self.last_us = meta.sequence + 1, meta.end_us

    def _patiently(self, act: Callable[[], T]) -> T:
        """Until it is answered: only a dead or restarting encryption actor is waited for."""
        attempts = tenacity.Retrying(
            wait=tenacity.wait_fixed(RETRY_S),
            sleep=self._clock.sleep,
            retry=tenacity.retry_if_exception(_is_away),
            before_sleep=self._say_away,
            reraise=True,
        )
        return attempts(act)

    def _say_away(self, state: tenacity.RetryCallState) -> None:
        self.trouble = "the encryption actor does not answer; fragments wait in memory"


def _is_away(error: BaseException) -> bool:
    return isinstance(error, OrvaultError) and error.kind is ErrorKind.UNAVAILABLE
