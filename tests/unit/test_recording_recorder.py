"""The recorder's states, numbering and gaps; no camera, disk or clock."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orvault.container.gap import Gap
from orvault.container.keys import Kem, PublicKey, generate_private_key
from orvault.container.segment import SegmentHeader, SegmentMeta
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.recorder import Recorder, RecorderState, RecordingOrder
from orvault.recording.records import SegmentRecord, Tail
from orvault.video.gop import Fragment

T0 = 1_800_000_000_000_000
S = 1_000_000
KEY: PublicKey = generate_private_key(Kem.X25519).public()
ORDER = RecordingOrder("run-1", "case-1", "cam-1", KEY, epoch=3, started_us=T0)


def fragment(begin_s: float, end_s: float, **more: object) -> Fragment:
    fields = {"data": b"", "frames": 30, "codec": "h264", "width": 320, "height": 240} | more
    return Fragment(start_us=T0 + round(begin_s * S), end_us=T0 + round(end_s * S), **fields)  # type: ignore[arg-type]


def on_disk(meta: SegmentMeta) -> SegmentRecord:
    header = SegmentHeader(meta, "", "", "", 1, 1, "", "")
    return SegmentRecord(header, f"digest-{meta.sequence}", 1, "path", ())


def recording(tail: Tail | None = None) -> Recorder:
    recorder = Recorder("node-1", "cam-1")
    assert recorder.start(ORDER, T0, *([tail] if tail else []))
    return recorder


def record(recorder: Recorder, piece: Fragment) -> tuple[SegmentMeta, tuple[Gap, ...]]:
    gaps = recorder.gaps(piece)
    meta = recorder.next_meta(piece)
    recorder.stored(on_disk(meta))
    return meta, gaps


def kind_of(act: object, *arguments: object) -> ErrorKind:
    with pytest.raises(OrvaultError) as caught:
        act(*arguments)  # type: ignore[operator]
    assert "cam-1" in str(caught.value)
    return caught.value.kind


def test_segments_are_numbered_and_chained_without_holes() -> None:
    recorder = recording()
    first, _ = record(recorder, fragment(0, 2))
    assert (first.sequence, first.node_id, first.epoch, first.start_us) == (0, "node-1", 3, T0)
    assert recorder.tail == Tail(1, "digest-0", T0 + 2 * S)
    second, gaps = record(recorder, fragment(2, 4))
    assert second.sequence == 1 and second.segment_id != first.segment_id and gaps == ()


def test_a_segment_that_was_not_stored_keeps_its_number() -> None:
    recorder = recording()
    assert recorder.next_meta(fragment(0, 2)).sequence == 0
    assert recorder.next_meta(fragment(2, 4)).sequence == 0


def test_nothing_is_stored_without_an_order() -> None:
    recorder = Recorder("node-1", "cam-1")
    assert kind_of(recorder.next_meta, fragment(0, 2)) is ErrorKind.NOT_ARMED
    recorder = recording()
    recorder.stop("run-1", T0)
    assert kind_of(recorder.next_meta, fragment(0, 2)) is ErrorKind.NOT_ARMED and recorder.order is None


def test_what_the_disk_cannot_give_back_becomes_a_gap_with_its_reason() -> None:
    for covered_us, missing_us in ((T0 + 4 * S, T0 + 4 * S), (0, T0)):
        recorder = recording(Tail(3, "0" * 64, covered_us, "segment 2 cannot be read back"))
        meta, gaps = record(recorder, fragment(9, 11))
        assert meta.sequence == 3
        assert [(gap.from_us, gap.to_us, gap.reason) for gap in gaps] == [
            (missing_us, T0 + 9 * S, "segment 2 cannot be read back")
        ]


def test_starting_and_stopping_twice_is_harmless() -> None:
    recorder = recording()
    record(recorder, fragment(0, 2))
    assert recorder.start(ORDER, T0 + 9 * S) is False
    assert recorder.tail.next_sequence == 1
    assert recorder.stop("run-1", T0 + 2 * S) is None
    assert recorder.stop("run-1", T0 + 99 * S) is None
    assert recorder.state is RecorderState.STOPPED


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"camera_id": "cam-2"}, ErrorKind.BAD_REQUEST),
        ({"run_id": "run-2"}, ErrorKind.CONFLICT),
        ({"epoch": 2}, ErrorKind.CONFLICT),
        ({"epoch": 2, "run_id": "run-0"}, ErrorKind.CONFLICT),
    ],
)
def test_an_order_that_does_not_fit_is_refused(change: dict[str, object], expected: ErrorKind) -> None:
    recorder = recording()
    assert kind_of(recorder.start, replace(ORDER, **change), T0) is expected  # type: ignore[arg-type]
    assert recorder.order == ORDER


def test_an_outdated_order_is_refused_after_a_stop_too() -> None:
    recorder = recording()
    recorder.stop("run-1", T0)
    assert kind_of(recorder.start, ORDER, T0) is ErrorKind.CONFLICT
    assert kind_of(recorder.start, replace(ORDER, run_id="run-0", epoch=1), T0) is ErrorKind.CONFLICT
    assert recorder.start(replace(ORDER, run_id="run-2", epoch=4), T0)


def test_a_newer_epoch_of_the_same_run_takes_over() -> None:
    recorder = recording()
    record(recorder, fragment(0, 2))
    assert recorder.start(replace(ORDER, epoch=5), T0) is False
    assert record(recorder, fragment(2, 4))[0].epoch == 5


def test_stopping_another_run_is_refused() -> None:
    assert kind_of(recording().stop, "run-9", T0) is ErrorKind.CONFLICT


def test_a_hole_between_segments_is_a_gap_with_its_reason() -> None:
    recorder = recording()
    record(recorder, fragment(0, 2))
    recorder.lost("the camera closed the connection", T0 + 3 * S)
    # What the cutter still held is stored after the loss was noticed, and must not end it.
    assert record(recorder, fragment(2, 3))[1] == ()
    _, gaps = record(recorder, fragment(8, 10))
    assert gaps == (
        Gap("cam-1", "case-1", "run-1", T0 + 3 * S, T0 + 8 * S, "the camera closed the connection"),
    )
    _, gaps = record(recorder, fragment(12, 14))
    assert "nothing is known" in gaps[0].reason, "an old reason is not told again"


def test_holes_within_a_fragment_and_lost_keyframes_are_gaps() -> None:
    recorder = recording()
    record(recorder, fragment(0, 2))
    _, gaps = record(recorder, fragment(4, 9, holes=((T0 + 5 * S, T0 + 8 * S),), lost="no keyframe"))
    assert [(gap.from_us - T0, gap.to_us - T0, gap.reason) for gap in gaps] == [
        (2 * S, 4 * S, "no keyframe"),
        (5 * S, 8 * S, "the camera sent no pictures"),
    ]


def test_jitter_is_no_gap() -> None:
    recorder = recording()
    assert record(recorder, fragment(0.4, 2))[1] == ()
    assert record(recorder, fragment(2.3, 4))[1] == ()


def test_a_late_first_picture_is_a_gap_from_the_order_on() -> None:
    _, gaps = record(recording(), fragment(5, 7))
    assert (gaps[0].from_us, gaps[0].to_us) == (T0, T0 + 5 * S) and "keyframe" in gaps[0].reason


def test_a_camera_that_never_came_back_leaves_a_gap_at_the_stop() -> None:
    recorder = recording()
    record(recorder, fragment(0, 2))
    recorder.lost("away", T0 + 2 * S)
    gap = recorder.stop("run-1", T0 + 60 * S)
    assert gap is not None and (gap.from_us, gap.to_us, gap.reason) == (T0 + 2 * S, T0 + 60 * S, "away")


def test_pictures_from_before_the_order_are_the_runs_first_and_no_gap() -> None:
    recorder = recording()
    assert record(recorder, fragment(-8, -6))[1] == () and record(recorder, fragment(-6, -4))[1] == ()
    (gap,) = record(recorder, fragment(-1, 1))[1]
    assert (gap.from_us, gap.to_us) == (T0 - 4 * S, T0 - 1 * S)


def test_a_restarted_camera_goes_on_where_the_disk_says() -> None:
    recorder = recording(Tail(7, "digest-6", T0 + 14 * S))
    meta, gaps = record(recorder, fragment(30, 32))
    assert meta.sequence == 7 and (gaps[0].from_us, gaps[0].to_us) == (T0 + 14 * S, T0 + 30 * S)


def test_a_segment_out_of_turn_is_a_bug_and_said_so() -> None:
    recorder = recording()
    meta = recorder.next_meta(fragment(0, 2))
    recorder.stored(on_disk(meta))
    assert kind_of(recorder.stored, on_disk(meta)) is ErrorKind.INTERNAL


def test_orders_survive_json() -> None:
    assert RecordingOrder.from_json(json.loads(json.dumps(ORDER.to_json()))) == ORDER


@pytest.mark.parametrize(
    "broken", [None, [], {}, {"version": 2}, {"epoch": -1}, {"run_id": "../x"}, {"extra": 1}]
)
def test_a_damaged_order_is_refused(broken: object) -> None:
    value = {**ORDER.to_json(), **broken} if isinstance(broken, dict) and broken else broken
    with pytest.raises(OrvaultError) as caught:
        RecordingOrder.from_json(value)
    assert caught.value.kind is ErrorKind.DAMAGED


def test_an_order_with_a_path_for_an_id_is_refused() -> None:
    with pytest.raises(OrvaultError) as caught:
        replace(ORDER, case_id="../../etc")
    assert caught.value.kind is ErrorKind.BAD_REQUEST
