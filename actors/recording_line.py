"""The line from fragments to durable segments of one camera: one thread that seals, and owns the recorder's state.

A fragment is sealed once, here, and its pictures overwritten at once; what leaves this process opens nothing.
Orders and fragments stand in one queue, so that what was cut before a stop is sealed before it, whatever else
happens. Recording fails on: what cannot be sealed becomes a gap with its reason, and the next fragment is tried.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from functools import partial
from typing import TypeVar

import tenacity

from actors.recording_work import Cut, Keeper, Rehearsal, Start, Stop
from orvault.clock import Clock
from orvault.container.gap import Gap
from orvault.container.segment import SealedContent, seal_content
from orvault.container.wire import wipe
from orvault.errors import ErrorKind, OrvaultError, is_away
from orvault.recording.orders import OrderStore
from orvault.recording.recorder import Recorder, RecordingOrder
from orvault.recording.records import Tail
from orvault.video.gop import Fragment

WAITING = 16  # fragments (about half a minute) that may wait while the encryption actor is being restarted
RETRY_S = 0.5
AWAY_S = 5.0  # a restart takes a few seconds and costs nothing; longer is worth an alarm
RESUME_S = 5.0  # between attempts to take up an order again that the disk does not let go on
ANSWER_S = 10.0  # for a start, which waits for the encryption actor
STOP_S = 45.0  # for a stop, which waits until everything before it is sealed
REHEARSAL = "rehearsal"  # a run that never is
REMEMBERED = 64  # ended runs; a start that a restart delayed past its own stop is a matter of seconds

log = logging.getLogger(__name__)
T = TypeVar("T")


class RecordingLine:
    """Takes fragments and orders from any thread; works them off in its own."""

    def __init__(
        self,
        node_id: str,
        camera_id: str,
        keeper: Keeper,
        orders: OrderStore,
        clock: Clock,
        cut: Callable[[bool], None],
    ) -> None:
        self._recorder = Recorder(node_id, camera_id)
        self._node_id, self._camera_id = node_id, camera_id
        # What fences older processes of this camera: the machine's own time since it started, which is the same for
        # all processes of this node and, unlike the clock that `clock` tells, is never set back.
        self._claim = time.monotonic_ns()
        self._keeper, self._orders, self._clock, self._cut = keeper, orders, clock, cut
        self._work: queue.Queue[Cut | Start | Stop | Rehearsal] = queue.Queue()
        self._overflow = ""
        self._ended: deque[str] = deque(maxlen=REMEMBERED)
        self._owed: list[Gap] = []
        self._told_us = 0
        self._failing = False
        self.run_id: str | None = None
        self.case_id = ""
        self.segments = 0
        self.last_us: int | None = None
        self.trouble = ""
        threading.Thread(target=self._work_for_ever, name="line", daemon=True).start()

    def resume(self) -> None:
        """Take up the order on this node's disk, if there is one, without waiting for it."""
        try:
            order = self._orders.load(self._camera_id)
        except (
            OrvaultError
        ) as error:  # the camera must be there all the same: the next start replaces the order
            self._tell(f"the recording order on this node cannot be read: {error}")
            return
        if order is not None:
            self._work.put(Start(order, Future(), resumed=True))

    def start(self, order: RecordingOrder) -> None:
        """Begin a run; on disk before this returns. Errors: CONFLICT, STORAGE, UNAVAILABLE."""
        if self.run_id == order.run_id and self._recorder.order == order:
            return  # the server repeats its orders; fragments must not wait behind them
        self._wait(Start(order, Future()), ANSWER_S)

    def stop(self, run_id: str, reason: str) -> None:
        """End a run behind everything that was cut before; `reason` says why pictures are missing, if they are.

        A run that is not being recorded is left as it is, and cannot be started any more.
        """
        reason, self._overflow = self._overflow or reason, ""
        self._wait(Stop(run_id, self._clock.now_us(), reason, Future()), STOP_S)

    def expect(self, case_id: str) -> None:
        """A start of this case may come: go the way to the encryption actor before anybody waits for it."""
        self._work.put(Rehearsal(case_id))

    def put(self, fragment: Fragment, reason: str = "") -> None:
        """Take over a fragment, to seal and overwrite; `reason` says why pictures before it are missing, if so."""
        if self._work.qsize() >= WAITING:
            self._overflow = "the sealing of fragments fell behind"
            log.error("camera %s: %s; a fragment was dropped", self._camera_id, self._overflow)
            wipe(fragment.data)
            return
        self._work.put(Cut(fragment, self._overflow or reason))
        self._overflow = ""

    def put_earlier(self, fragments: Iterable[Fragment]) -> None:
        """Take over what was kept from before the start: bounded already, and not to be dropped for want of room."""
        for fragment in fragments:
            self._work.put(Cut(fragment, ""))

    def _wait(self, item: Start | Stop, limit_s: float) -> None:
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
            if isinstance(item, Cut):
                self._store(item)
            elif isinstance(item, Rehearsal):
                self._rehearse(item)
            else:
                self._carry_out(item)

    def _rehearse(self, item: Rehearsal) -> None:
        try:
            self._keeper.tail(item.case_id, self._camera_id, REHEARSAL, self._claim)
        except OrvaultError as error:  # nothing is owed yet; a start meets it again, and waits or tells
            log.debug("camera %s: %s", self._camera_id, error)

    def _carry_out(self, item: Start | Stop) -> None:
        try:
            if isinstance(item, Start):
                self._begin(item)
            else:
                self._end(item)
        except OrvaultError as error:
            if isinstance(item, Start) and item.resumed and error.kind is not ErrorKind.CONFLICT:
                self._resume_later(item, error)
                return
            log.warning("camera %s: %s", self._camera_id, error)
            if error.kind is ErrorKind.CONFLICT:
                self._calm()  # this order is never carried out, so nobody waits for it any more
            item.done.set_exception(error)
        else:
            item.done.set_result(None)

    def _resume_later(self, item: Start, error: OrvaultError) -> None:
        """Nobody waits for an order that was taken up again, so nobody else would try it once more."""
        self._tell(f"the recording could not be taken up again: {error}")
        self._clock.sleep(RESUME_S)
        self._work.put(item)  # behind a stop that came meanwhile

    def _begin(self, item: Start) -> None:
        """1. what the disk holds of this run; 2. the order is durable; 3. fragments are cut."""
        order = item.order
        if order.run_id in self._ended:
            message = f"The run {order.run_id} was stopped and is not taken up again."
            raise OrvaultError(ErrorKind.CONFLICT, message, where=f"camera {self._camera_id}")
        tail = self._tail_on_disk(order)
        self._recorder.start(order, self._clock.now_us(), tail)
        if not item.resumed:
            self._orders.save(order)
        if self.run_id != order.run_id:  # not the recorder's word: a first attempt may have failed at step 2
            self.trouble, self._told_us, self._failing = "", 0, False
            self.segments, self.last_us = tail.next_sequence, tail.end_us or None
            self.case_id = order.case_id
            self.run_id = order.run_id  # last: from here on the camera may cut, and not before `last_us`
            self._cut(True)

    def _end(self, item: Stop) -> None:
        """1. no more fragments; 2. the gap at the end, if there is one; 3. the order is forgotten.

        A step that fails is repeated with the next stop; nothing is recorded meanwhile.
        """
        self._ended.append(item.run_id)
        order = self._recorder.order
        if order is not None and order.run_id == item.run_id:
            self._cut(False)
            self.run_id = None
            if item.reason:
                self._recorder.lost(item.reason, item.at_us)
            gap = self._recorder.stop(item.run_id, item.at_us)
            self._record([gap] if gap is not None else [])
        self._record([])
        self._orders.remove(self._camera_id, item.run_id)
        self._calm()

    def _store(self, item: Cut) -> None:
        order, fragment = self._recorder.order, item.fragment
        if order is None:
            wipe(fragment.data)  # it was cut just before the run ended; the run's end is fixed already
            return
        if item.reason:
            self._recorder.lost(item.reason, fragment.start_us)
        gaps = self._recorder.gaps(fragment)
        try:
            content = self._seal(fragment, order)  # first of all: what follows may wait long
            # A gap is durable before what follows it; but a disk without room gets no gap for every fragment.
            self._record(gap for gap in gaps if gap.to_us <= fragment.start_us and not self._failing)
            previous = self._recorder.tail.previous_digest
            self._recorder.stored(self._patiently(partial(self._keeper.keep, content, previous, self._claim)))
            self.segments, self.last_us = content.meta.sequence + 1, content.meta.end_us
            self._record(gaps)
        except OrvaultError as error:
            self._failing = True
            self._tell(f"a fragment could not be stored: {error}")
            self._go_on_from_disk(order)
            self._recorder.lost(error.message, fragment.start_us)
        else:
            self.trouble, self._failing = "", False

    def _seal(self, fragment: Fragment, order: RecordingOrder) -> SealedContent:
        """The fragment sealed; however this ends, its pictures are gone from memory then."""
        try:
            return seal_content(self._recorder.next_meta(fragment), fragment.data, order.case_key)
        finally:
            wipe(fragment.data)

    def _record(self, gaps: Iterable[Gap]) -> None:
        """Make these gaps durable, and what is owed of earlier ones. No time is told of twice."""
        for gap in gaps:
            if gap.to_us > self._told_us:
                self._owed.append(replace(gap, from_us=max(gap.from_us, self._told_us)))
                self._told_us = gap.to_us
        while self._owed:
            self._patiently(partial(self._keeper.record_gap, self._owed[0], self._claim))
            del self._owed[0]

    def _go_on_from_disk(self, order: RecordingOrder) -> None:
        """As after a restart: a segment may lie there although it was not confirmed (its last fsync failed).

        Its number is taken then; every later fragment would be refused under it.
        """
        try:
            tail = self._tail_on_disk(order)
        except OrvaultError as error:
            self._tell(f"the disk does not tell where the run stands: {error}")
            return
        if tail.next_sequence > self._recorder.tail.next_sequence:
            self._recorder = Recorder(self._node_id, self._camera_id)
            self._recorder.start(order, self._clock.now_us(), tail)
            self.segments, self.last_us = tail.next_sequence, tail.end_us

    def _tail_on_disk(self, order: RecordingOrder) -> Tail:
        ask = partial(self._keeper.tail, order.case_id, order.camera_id, order.run_id, self._claim)
        return self._patiently(ask)

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("camera %s: %s", self._camera_id, trouble)
        self.trouble = trouble

    def _patiently(self, act: Callable[[], T]) -> T:
        """Until it is answered: only a dead or restarting encryption actor is waited for."""
        attempts = tenacity.Retrying(
            wait=tenacity.wait_fixed(RETRY_S),
            sleep=self._clock.sleep,
            retry=tenacity.retry_if_exception(is_away),
            before_sleep=self._say_away,
            reraise=True,
        )
        return attempts(act)

    def _calm(self) -> None:
        """Without a run nothing is to be stored: what was wrong with the last one is no alarm any more."""
        if self._recorder.order is None:
            self.trouble = ""

    def _say_away(self, state: tenacity.RetryCallState) -> None:
        if state.attempt_number * RETRY_S >= AWAY_S:
            self._tell("the encryption actor does not answer; fragments wait in memory")
