"""What one camera records now, as a pure state machine: orders, numbering and chaining of segments, gaps.

It touches no camera, disk or clock; the camera's actor carries out what it says and tells it what became of
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orvault.container.canonical import Fields, is_identifier
from orvault.container.gap import MAX_REASON, Gap
from orvault.container.keys import PublicKey
from orvault.container.segment import SegmentMeta
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.records import FRESH, SegmentRecord, Tail
from orvault.video.gop import Fragment

GAP_US = 500_000  # segments of one connection join exactly; less than this is the camera's jitter

_STARTING = "the recording began with the camera's next keyframe"
_UNKNOWN = "the recording was interrupted; nothing is known of the cause"
_STOPPED = "the recording was stopped before a picture came"


@dataclass(frozen=True)
class RecordingOrder:
    """To record one camera for a case; kept on the node so that a restarted camera goes on by itself.

    `epoch` fences: an order with a smaller one than was seen is refused. `started_us` is when it was given
    (UTC us, 0 if not known), from where on missing pictures are a gap; earlier ones may be part of the run.
    """

    run_id: str
    case_id: str
    camera_id: str
    case_key: PublicKey
    epoch: int
    started_us: int = 0

    def __post_init__(self) -> None:
        for name in ("run_id", "case_id", "camera_id"):
            if not is_identifier(getattr(self, name)):
                raise OrvaultError(
                    ErrorKind.BAD_REQUEST,
                    f"The {name} is not an id (letters, digits and ._:@-, at most 128, no '..').",
                    where="recording order",
                )

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {
            "camera_id": self.camera_id,
            "case_id": self.case_id,
            "case_key": self.case_key.to_json(),
            "epoch": self.epoch,
            "format": "orvault-order",
            "run_id": self.run_id,
            "started_us": self.started_us,
            "version": 1,
        }

    @classmethod
    def from_json(cls, value: object, where: str = "recording order") -> RecordingOrder:
        """What `to_json` made; DAMAGED if it is anything else."""
        fields = Fields(value, where, ErrorKind.DAMAGED)
        fields.constant("format", "orvault-order")
        fields.constant("version", 1)
        order = cls(
            run_id=fields.identifier("run_id"),
            case_id=fields.identifier("case_id"),
            camera_id=fields.identifier("camera_id"),
            case_key=PublicKey.from_json(fields.take("case_key"), where, ErrorKind.DAMAGED),
            epoch=fields.integer("epoch"),
            started_us=fields.integer("started_us"),
        )
        fields.end()
        return order


class RecorderState(StrEnum):
    """idle -> recording -> stopped -> recording (another run) ..."""

    IDLE = "idle"
    RECORDING = "recording"
    STOPPED = "stopped"


class Recorder:
    """The state of one camera. For each fragment: `gaps`, `next_meta`, seal, store, `stored`, in this order.

    A number is used up by `stored` only: a segment that could not be sealed or written is tried again under
    the same number, so numbers have no holes. A reconnect does not begin a new run; the chain goes on over
    it.
    """

    def __init__(self, node_id: str, camera_id: str) -> None:
        self._node_id, self._camera_id = node_id, camera_id
        self._state = RecorderState.IDLE
        self._order: RecordingOrder | None = None
        self._epoch = 0
        self._tail = FRESH
        self._reason, self._reason_us = "", 0

    @property
    def state(self) -> RecorderState:
        """What it does now."""
        return self._state

    @property
    def order(self) -> RecordingOrder | None:
        """The order that is being carried out; None if nothing records."""
        return self._order if self._state is RecorderState.RECORDING else None

    @property
    def tail(self) -> Tail:
        """Where the present or last run stands; `previous_digest` is what the next segment names."""
        return self._tail

    def start(self, order: RecordingOrder, now_us: int, tail: Tail = FRESH) -> bool:
        """Record under this order from now on; False if it was being carried out already.

        `tail` is what `SegmentStore.tail` found of this run. The same order with a newer epoch takes over.
        Errors: BAD_REQUEST for another camera's order; CONFLICT for an outdated epoch, another run under way,
        or a run that was stopped.
        """
        if order.camera_id != self._camera_id:
            raise self._error(ErrorKind.BAD_REQUEST, f"The order is for the camera {order.camera_id}.")
        if order.epoch < self._epoch:
            raise self._error(ErrorKind.CONFLICT, "The order is outdated: a newer one was given since.")
        if self._order is not None and self._order.run_id == order.run_id:
            return self._continue(order)
        if self._state is RecorderState.RECORDING:
            assert self._order is not None, "whoever records has an order"
            raise self._error(
                ErrorKind.CONFLICT,
                f"It already records the run {self._order.run_id}.",
                "Stop that run first.",
            )
        self._state, self._order, self._epoch = RecorderState.RECORDING, order, order.epoch
        self._tail = tail if tail.end_us else tail._replace(end_us=order.started_us or now_us)
        self._reason, self._reason_us = tail.lost if tail.next_sequence else _STARTING, 0
        return True

    def _continue(self, order: RecordingOrder) -> bool:
        if self._state is not RecorderState.RECORDING:
            raise self._error(
                ErrorKind.CONFLICT, f"The run {order.run_id} was stopped and is not taken up again."
            )
        self._order, self._epoch = order, order.epoch
        return False

    def stop(self, run_id: str, now_us: int) -> Gap | None:
        """Record no more; the gap at the end, if nothing came for a while. Stopping twice is harmless.

        Give it what `GopCutter.flush` returned before. Errors: CONFLICT if another run is being recorded.
        """
        if self._state is not RecorderState.RECORDING:
            return None
        assert self._order is not None, "whoever records has an order"
        if self._order.run_id != run_id:
            raise self._error(ErrorKind.CONFLICT, f"It records the run {self._order.run_id}, not {run_id}.")
        gap = self._gap(self._tail.end_us, now_us, self._reason or _STOPPED)
        self._state = RecorderState.STOPPED
        return gap

    def lost(self, reason: str, now_us: int) -> None:
        """Remember why pictures are missing from now on; the next gap names it."""
        self._reason, self._reason_us = reason, now_us

    def gaps(self, fragment: Fragment) -> tuple[Gap, ...]:
        """What is missing right before and within this fragment."""
        before = self._gap(self._tail.end_us, fragment.start_us, fragment.lost or self._reason or _UNKNOWN)
        inside = [self._gap(begin, end, "the camera sent no pictures") for begin, end in fragment.holes]
        return tuple(gap for gap in (before, *inside) if gap is not None)

    def next_meta(self, fragment: Fragment) -> SegmentMeta:
        """What the segment of this fragment is to say of itself.

        Errors: NOT_ARMED when nothing is to be recorded.
        """
        order = self.order
        if order is None:
            raise self._error(ErrorKind.NOT_ARMED, "There is no order to record; nothing may be stored.")
        return SegmentMeta(
            segment_id=f"{order.run_id}.{self._tail.next_sequence:06d}",
            node_id=self._node_id,
            case_id=order.case_id,
            camera_id=order.camera_id,
            run_id=order.run_id,
            sequence=self._tail.next_sequence,
            epoch=order.epoch,
            start_us=fragment.start_us,
            end_us=fragment.end_us,
            codec=fragment.codec,
            width=fragment.width,
            height=fragment.height,
            frames=fragment.frames,
        )

    def stored(self, record: SegmentRecord) -> None:
        """The segment is durable: the next one follows it.

        Errors: INTERNAL if it is not the one that was due.
        """
        meta = record.header.meta
        if (
            self._order is None
            or meta.run_id != self._order.run_id
            or meta.sequence != self._tail.next_sequence
        ):
            raise self._error(ErrorKind.INTERNAL, f"The segment {meta.segment_id} was not the next one.")
        # The first may end before the order was given: pictures from before it count as the run's from there on.
        end_us = max(meta.end_us, self._tail.end_us) if meta.sequence else meta.end_us
        self._tail = Tail(meta.sequence + 1, record.digest, end_us)
        # What was still in memory when the camera was lost is stored after it, and does not end the loss.
        if meta.start_us >= self._reason_us:
            self._reason = ""

    def _gap(self, from_us: int, to_us: int, reason: str) -> Gap | None:
        if self._order is None or to_us - from_us <= GAP_US:
            return None
        order = self._order
        return Gap(order.camera_id, order.case_id, order.run_id, from_us, to_us, reason[:MAX_REASON])

    def _error(self, kind: ErrorKind, message: str, advice: str = "") -> OrvaultError:
        return OrvaultError(kind, message, where=f"camera {self._camera_id}", advice=advice)
