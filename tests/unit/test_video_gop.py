"""Cutting: fragments that play alone, exact times, nothing changed in what the camera sent, bounds on all of it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest

from orvault.clock import FakeClock
from orvault.errors import ErrorKind, OrvaultError
from orvault.video import nal
from orvault.video.file import PacedFile
from orvault.video.gop import NO_KEYFRAME, Fragment, GopCutter
from orvault.video.packet import Packet, StreamInfo
from orvault.video.timeline import Timeline
from tests.media.make_media import make_clip

T0 = FakeClock().now_us()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def clips(folder: Path) -> dict[str, Path]:
    """5 s each, a keyframe every second."""
    return {
        "h264": make_clip(folder / "h264.mp4"),
        "hevc": make_clip(folder / "hevc.mp4", "hevc"),
        "plain": make_clip(folder / "plain.mp4", reordered=0),
        "open": make_clip(folder / "open.mp4", "hevc", frames=150, open_gop=True),
        "large": make_clip(folder / "large.mp4", frames=45, width=640, height=360, reordered=0),
        "single": make_clip(folder / "single.mp4", frames=240, gop=1000, reordered=0),
    }


def packets_of(path: Path) -> tuple[StreamInfo, list[Packet]]:
    source = PacedFile(path, FakeClock(), loop=False)
    packets = list(source)
    source.close()
    return source.info, packets


def as_from_rtsp(info: StreamInfo, packets: list[Packet]) -> tuple[StreamInfo, list[Packet]]:
    """The same stream with start codes and with parameter sets before each keyframe."""
    sets = list(nal.parameter_sets(info.codec, info.extradata))
    wired = replace(info, extradata=nal.with_start_codes(sets))

    def wire(packet: Packet) -> Packet:
        units = nal.split(packet.data, 4)
        data = nal.with_start_codes(sets + units if packet.keyframe else units)
        return replace(packet, data=data, begins=wired if packet.begins else None)

    return wired, [wire(packet) for packet in packets]


def feed(
    cutter: GopCutter, clock: FakeClock, packets: Iterable[Packet], *, live: bool = True
) -> list[Fragment]:
    """Feed packets, each arriving at its own time if `live`."""
    done = []
    begun_us, first = clock.us, None
    for packet in packets:
        first = packet.dts_90k if first is None else first
        if live:
            clock.us = max(clock.us, begun_us + (packet.dts_90k - first) * 100 // 9)
        if fragment := cutter.feed(packet):
            done.append(fragment)
    return done


def cut(info: StreamInfo, packets: list[Packet], **options: float) -> list[Fragment]:
    clock = FakeClock()
    cutter = GopCutter(info, clock, **options)  # type: ignore[arg-type]
    done = feed(cutter, clock, packets)
    rest = cutter.flush()
    assert cutter.flush() is None
    return done + ([rest] if rest else [])


def units_in(fragment: Fragment) -> list[bytes]:
    with av.open(io.BytesIO(fragment.data), mode="r", format="mp4") as container:
        return [
            unit for packet in container.demux(video=0) if packet.size for unit in nal.split(bytes(packet), 4)
        ]


def pictures_in(fragment: Fragment) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(fragment.data), mode="r", format="mp4") as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("wire", [False, True], ids=["file", "rtsp"])
@pytest.mark.parametrize("name", ["h264", "hevc", "plain"])
def test_units_are_kept_byte_for_byte_and_fragments_play_alone(
    name: str, wire: bool, clips: dict[str, Path]
) -> None:
    info, packets = packets_of(clips[name])
    if wire:
        info, packets = as_from_rtsp(info, packets)
    fragments = cut(info, packets)
    sent = [unit for packet in packets for unit in nal.split(packet.data, info.nal_length_bytes)]
    assert [unit for fragment in fragments for unit in units_in(fragment)] == sent
    assert [fragment.frames for fragment in fragments] == [30, 30, 15]
    for fragment in fragments:
        pictures = pictures_in(fragment)
        assert len(pictures) == fragment.frames
        assert {after.pts - before.pts for before, after in pairwise(pictures)} == {6000}
        with av.open(io.BytesIO(fragment.data), mode="r", format="mp4") as container:
            first = next(container.demux(video=0))
            assert first.is_keyframe


def test_times_are_exact_to_the_last_picture(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    fragments = cut(info, packets)
    assert [(f.start_us - T0, f.end_us - T0) for f in fragments] == [
        (0, 2_000_000),
        (2_000_000, 4_000_000),
        (4_000_000, 5_000_000),
    ]
    with av.open(io.BytesIO(fragments[0].data), mode="r", format="mp4") as container:
        durations = [packet.duration for packet in container.demux(video=0) if packet.size]
    assert durations == [6000] * 30


def test_pictures_that_waited_in_a_buffer_are_dated_back(clips: dict[str, Path]) -> None:
    # Opening an RTSP camera takes a second or more, in which its first pictures pile up.
    info, packets = packets_of(clips["plain"])
    clock = FakeClock()
    cutter = GopCutter(info, clock)
    waiting, live = packets[:20], packets[20:]
    feed(cutter, clock, waiting, live=False)
    done = feed(cutter, clock, live)
    late_us = T0 + (waiting[-1].pts_90k - waiting[0].pts_90k) * 100 // 9 - done[0].start_us
    assert done[0].start_us < T0 and abs(late_us - 2 * (T0 - done[0].start_us)) < 200_000


def test_a_step_of_the_clock_moves_no_picture(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    clock = FakeClock()
    cutter = GopCutter(info, clock)
    done = feed(cutter, clock, packets[:40])
    clock.us -= 3_600_000_000
    done += feed(cutter, clock, packets[40:], live=False)
    assert done[1].start_us == done[0].end_us


@pytest.mark.parametrize("step", [-(1 << 32), 1 << 32, -(1 << 33), 1 << 33, 90_000 * 600, -90_000 * 600])
def test_a_camera_that_sets_its_own_clock_makes_no_hole(step: int, clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    clock = FakeClock()
    cutter = GopCutter(info, clock)
    done = feed(cutter, clock, packets[:20])
    for packet in packets[20:]:
        clock.us += 66_667
        moved = replace(packet, pts_90k=packet.pts_90k + step, dts_90k=packet.dts_90k + step)
        if fragment := cutter.feed(moved):
            done.append(fragment)
    assert [fragment.frames for fragment in done] == [30, 30] and not done[0].holes
    assert abs(done[1].end_us - T0 - 4_000_000) < 50_000


@pytest.mark.parametrize("batch", [1, 4], ids=["each as it comes", "read in batches"])
@pytest.mark.parametrize("at", [30, 37, 44, 45])
@pytest.mark.parametrize("step_s", [-1.9, -1.5, -0.7, 0.7, 1.5, 1.9])
def test_a_camera_whose_clock_is_set_by_little_mixes_no_moments_and_tells_of_no_hole(
    step_s: float, at: int, batch: int, clips: dict[str, Path]
) -> None:
    info, packets = packets_of(clips["plain"])
    clock, step = FakeClock(), round(step_s * 90_000)
    cutter = GopCutter(info, clock)
    done = []
    for number, packet in enumerate(packets):
        clock.us = T0 + (number // batch + 1) * batch * 66_667
        moved = step if number >= at else 0
        packet = replace(packet, pts_90k=packet.pts_90k + moved, dts_90k=packet.dts_90k + moved)
        done += [fragment] if (fragment := cutter.feed(packet)) else []
    done.append(cutter.flush())
    assert [fragment.frames for fragment in done] == [30, 30, 15]
    assert not any(fragment.holes for fragment in done)
    assert all(after.start_us == before.end_us for before, after in pairwise(done))
    assert abs(done[-1].end_us - clock.us) < 350_000, "what was wrong for a moment is not wrong for good"
    for fragment in done:
        numbers = [int(picture.pts) for picture in pictures_in(fragment)]
        assert {after - before for before, after in pairwise(numbers)} == {6000}, "in their order, one by one"


def test_a_stall_of_the_network_and_its_burst_are_no_reset(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    clock = FakeClock()
    cutter = GopCutter(info, clock)
    done = []
    for number, packet in enumerate(packets):
        due_us = T0 + number * 66_667
        clock.us = due_us if number < 20 else max(due_us, T0 + 20 * 66_667 + 3_000_000)
        done += [fragment] if (fragment := cutter.feed(packet)) else []
    done.append(cutter.flush())
    assert [(f.start_us - T0, f.end_us - T0, f.holes) for f in done] == [
        (0, 2_000_000, ()), (2_000_000, 4_000_000, ()), (4_000_000, 5_000_000, ()),
    ]  # fmt: skip


def test_what_a_camera_leaves_out_to_catch_up_after_a_stall_is_a_hole(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    clock = FakeClock()
    cutter = GopCutter(info, clock)
    done = []
    for number, packet in enumerate(packets):
        if 25 <= number < 45:  # dropped in the camera: 20 pictures, to a keyframe
            continue
        due_us = T0 + number * 66_667
        clock.us = due_us if number < 20 else max(due_us, T0 + 20 * 66_667 + 3_000_000)
        done += [fragment] if (fragment := cutter.feed(packet)) else []
    done.append(cutter.flush())
    assert sum(fragment.frames for fragment in done) == 55
    assert done[1].start_us - done[0].end_us > 1_200_000 and done[-1].end_us - T0 == 5_000_000


@pytest.mark.parametrize("set_s", [-3600, 3600])
def test_a_step_of_this_machines_clock_blinds_nobody_to_the_cameras_own(set_s: int) -> None:
    clock = FakeClock()
    line = Timeline(clock, 6000, 0, reorders=False)
    times = []
    for number in range(1000):
        clock.us += 66_667 + (set_s * 1_000_000 if number == 100 else 0)
        times.append(line.place(number * 6000 + (135_000 if number >= 900 else 0)))
    assert {after - before for before, after in pairwise(times)} == {6000}


def test_drifting_clocks_are_no_reset() -> None:
    for faster in (0.9995, 1.0005):
        clock = FakeClock()
        line = Timeline(clock, 6000, 0, reorders=False)
        times = []
        for number in range(60_000):  # more than an hour
            clock.us += round(66_667 * faster)
            times.append(line.place(number * 6000 + (90_000 if number >= 50_000 else 0)))
        steps = [after - before for before, after in pairwise(times)]
        assert set(steps) == {6000}, "and a clock that is set is found all the same"


def test_reordered_pictures_are_no_reset_however_far_they_lie_apart() -> None:
    line = Timeline(clock := FakeClock(), 6000, 0, reorders=True)
    for group in range(20):
        for place in (16, *range(1, 16)):  # one ahead, then the fifteen between
            clock.us += 66_667
            assert line.place((group * 16 + place) * 6000) == (group * 16 + place) * 6000


def placed(stamps: Iterable[int], frame: int = 3600) -> list[int]:
    """Stream times of a 25 fps stream, said not to reorder, with these numbers for time stamps."""
    line = Timeline(clock := FakeClock(), frame, 0, reorders=False)
    times = []
    for stamp in stamps:
        clock.us += 40_000
        times.append(line.place(stamp * frame))
    return times


@pytest.mark.parametrize("back", [4, 5, 15, 40, 15_000])
def test_single_pictures_that_are_stamped_oddly_move_no_other(back: int) -> None:
    count = 25 * 600
    odd = set(range(50, count, 100))
    times = placed(number - back if number in odd else number for number in range(count))
    assert all(times[number] == number * 3600 for number in range(count) if number not in odd)


PYRAMID = (8, 4, 2, 1, 3, 6, 5, 7)
DEEP = (16, 8, 4, 2, 1, 3, 6, 5, 7, 12, 10, 9, 11, 14, 13, 15)
FLAT = (9, 1, 2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize("group", [PYRAMID, DEEP, FLAT], ids=["pyramid", "deep", "flat"])
def test_a_stream_that_reorders_although_it_was_said_not_to_keeps_its_times(group: tuple[int, ...]) -> None:
    stamps = [0, *(first + place for first in range(0, 250, len(group)) for place in group)]
    times = placed(stamps)
    learnt = 1 + len(group)
    shifts = {time - stamp * 3600 for time, stamp in zip(times[learnt:], stamps[learnt:], strict=True)}
    assert len(shifts) == 1 and max(map(abs, shifts)) < 16 * 3600
    assert max(times[:learnt]) < times[learnt]


@pytest.mark.parametrize("back", [5, 10, 18, 40])
def test_a_clock_that_is_set_back_is_believed_however_its_first_pictures_come(back: int) -> None:
    times = placed([*range(100), *range(100 - back, 1000)])
    assert {after - before for before, after in pairwise(times)} == {3600}
    assert len(times) == 1000 + back


def test_a_pause_of_the_camera_is_a_hole_inside_the_fragment(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    pause = 90_000 * 3
    late = [replace(p, pts_90k=p.pts_90k + pause, dts_90k=p.dts_90k + pause) for p in packets[10:]]
    fragments = cut(info, packets[:10] + late)
    (hole,) = fragments[0].holes
    assert (hole[0] - T0) // 1000 == 666 and (hole[1] - T0) // 1000 == 3666
    assert fragments[0].frames == 15, "2 s are over at the next keyframe"


def test_a_pause_before_a_keyframe_ends_the_fragment_where_pictures_end(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    pause = 90_000 * 3
    late = [replace(p, pts_90k=p.pts_90k + pause, dts_90k=p.dts_90k + pause) for p in packets[30:]]
    first, second, *_ = cut(info, packets[:30] + late)
    assert first.end_us - T0 == 2_000_000 and second.start_us - T0 == 5_000_000


def test_no_keyframe_cannot_exhaust_memory_and_the_loss_is_told(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["single"])
    more = [
        replace(p, pts_90k=p.pts_90k + 1_440_000, dts_90k=p.dts_90k + 1_440_000, begins=None) for p in packets
    ]
    first, second = cut(info, packets + more)
    for fragment in (first, second):
        assert 12_000_000 <= fragment.end_us - fragment.start_us <= 12_100_000
        assert len(pictures_in(fragment)) == fragment.frames
    assert first.lost == "" and second.lost == NO_KEYFRAME
    assert second.start_us - T0 == 16_000_000, "the next keyframe"


def test_too_many_bytes_end_a_fragment_too(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["single"])
    bound = sum(len(packet.data) for packet in packets[:100])
    (fragment,) = cut(info, packets, max_bytes=bound)
    assert fragment.frames == 100 and len(fragment.data) < bound + 10_000


def test_a_ten_second_keyframe_interval_is_kept_whole(folder: Path) -> None:
    info, packets = packets_of(make_clip(folder / "ten.mp4", frames=310, gop=150, reordered=0))
    fragments = cut(info, packets)
    assert [fragment.frames for fragment in fragments] == [150, 150, 10]
    assert all(not fragment.lost for fragment in fragments)


def test_open_gops_are_cut_only_when_nothing_better_comes(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["open"])
    kinds = [nal.is_closed_entry("hevc", nal.split(p.data, 4)) for p in packets if p.keyframe]
    assert kinds.count(True) == 1, "the clip has one IDR and then CRA pictures"
    fragments = cut(info, packets)
    assert 5_900_000 < fragments[0].end_us - fragments[0].start_us < 7_200_000
    assert sum(fragment.frames for fragment in fragments) == 150
    assert len(pictures_in(fragments[0])) == fragments[0].frames


def test_what_comes_before_the_first_keyframe_is_not_kept(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    fragments = cut(info, packets[5:])
    assert [fragment.frames for fragment in fragments] == [30, 30]


@pytest.mark.parametrize("order", [("plain", "large"), ("large", "plain")])
def test_new_parameters_in_the_stream_begin_a_fragment_of_their_own(
    order: tuple[str, str], clips: dict[str, Path]
) -> None:
    info, before = as_from_rtsp(*packets_of(clips[order[0]]))
    _, after = as_from_rtsp(*packets_of(clips[order[1]]))
    shift = before[20].pts_90k
    moved = [replace(p, pts_90k=p.pts_90k + shift, dts_90k=p.dts_90k + shift, begins=None) for p in after]
    first, second, *_ = cut(info, before[:20] + moved)
    sizes = {"plain": (320, 240), "large": (640, 360)}
    assert (first.width, first.height, first.frames) == (*sizes[order[0]], 20)
    assert (second.width, second.height) == sizes[order[1]]
    assert second.start_us == first.end_us
    for fragment in (first, second):
        pictures = pictures_in(fragment)
        assert len(pictures) == fragment.frames
        assert {(picture.width, picture.height) for picture in pictures} == {
            (fragment.width, fragment.height)
        }


def test_a_new_connection_ends_the_fragment_and_may_change_the_codec(clips: dict[str, Path]) -> None:
    info, before = packets_of(clips["plain"])
    _, after = as_from_rtsp(*packets_of(clips["hevc"]))
    clock = FakeClock()
    cutter = GopCutter(info, clock)
    done = feed(cutter, clock, before[:20])
    clock.us += 10_000_000
    done += feed(cutter, clock, after)
    assert [(f.codec, f.frames) for f in done] == [("h264", 20), ("hevc", 30), ("hevc", 30)]
    assert done[1].start_us - done[0].end_us > 9_000_000
    assert len(pictures_in(done[1])) == 30


def test_time_never_goes_back_over_a_reconnect_even_if_the_clock_did(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    clock = FakeClock()
    cutter = GopCutter(info, clock)
    done = feed(cutter, clock, packets[:40])
    clock.us -= 60_000_000
    done += feed(cutter, clock, packets)
    assert all(after.start_us >= before.end_us for before, after in pairwise(done))


def test_time_never_goes_back_over_a_restart_even_if_the_clock_did(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    clock = FakeClock()
    (earlier, *_) = feed(GopCutter(info, clock), clock, packets)
    clock.us -= 3_600_000_000
    later = feed(GopCutter(info, clock, not_before_us=earlier.end_us), clock, packets)
    assert later[0].start_us == earlier.end_us
    assert all(after.start_us == before.end_us for before, after in pairwise(later))


def test_a_camera_without_parameter_sets_in_its_description_sends_them_in_the_stream(
    clips: dict[str, Path],
) -> None:
    info, packets = as_from_rtsp(*packets_of(clips["h264"]))
    bare = replace(info, extradata=b"")
    packets[0] = replace(packets[0], begins=bare)
    fragments = cut(bare, packets)
    assert [len(pictures_in(fragment)) for fragment in fragments] == [30, 30, 15]


def test_pictures_with_the_same_time_are_all_kept(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    same = [replace(packet, pts_90k=packet.pts_90k // 12_000 * 12_000) for packet in packets]
    fragments = cut(info, same)
    assert sum(len(pictures_in(fragment)) for fragment in fragments) == 75


@pytest.mark.parametrize("noise", [b"", b"noise", b"\0\0\0\1"])
def test_a_packet_of_noise_is_left_out_of_a_stream_with_start_codes(
    noise: bytes, clips: dict[str, Path]
) -> None:
    info, packets = as_from_rtsp(*packets_of(clips["plain"]))
    packets[7] = replace(packets[7], data=noise)
    assert sum(fragment.frames for fragment in cut(info, packets)) == 74


def test_a_stream_that_nobody_could_decode_is_bad_media(clips: dict[str, Path]) -> None:
    info, packets = as_from_rtsp(*packets_of(clips["plain"]))
    broken = replace(info, extradata=b"")
    first = replace(packets[0], begins=broken, data=nal.with_start_codes([b"\x65" + b"x" * 40]))
    with pytest.raises(OrvaultError) as caught:
        cut(broken, [first])
    assert caught.value.kind is ErrorKind.BAD_MEDIA


def test_a_fragment_shows_no_pictures_in_its_representation(clips: dict[str, Path]) -> None:
    info, packets = packets_of(clips["plain"])
    assert len(repr(cut(info, packets)[0])) < 400
    assert len(repr(packets[0])) < 400
