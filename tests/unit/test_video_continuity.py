"""Pictures that never came are noticed from those that did: what was predicted from them is not shown."""

from __future__ import annotations

import functools
import itertools
from fractions import Fraction
from typing import cast

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from orvault.video import fmp4, nal
from orvault.video.codec import Image, decode_fragment
from orvault.video.continuity import Coded, Continuity
from orvault.video.packet import StreamInfo

W, H, COUNT, GROUP, STEP_90K = 96, 64, 40, 20, 4_500
ENCODERS = {"h264": "libx264", "hevc": "libx265"}
Stream = tuple[bytes, tuple[tuple[bytes, int, bool], ...]]  # parameter sets; packets, their times, keyframes


@functools.cache
def stream(codec: str, told: str, form: str = "yuv420p") -> Stream:
    """A head that walks through a room in which nothing else moves; as a camera sends it."""
    encoder = cast("VideoCodecContext", av.CodecContext.create(ENCODERS[codec], "w"))
    encoder.width, encoder.height, encoder.pix_fmt = W, H, form
    encoder.time_base, encoder.framerate = Fraction(1, 90_000), Fraction(20)
    encoder.flags |= 1 << 22  # parameter sets apart
    words = f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0:{told}"
    encoder.options = {"preset": "veryfast", f"{ENCODERS[codec][3:]}-params": words}
    room = np.random.default_rng(0).integers(60, 200, (H // 8, W // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    packets = []
    for number in range(COUNT):
        picture = room.copy()
        picture[20:44, 2 * number : 2 * number + 16] = 250
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = number * STEP_90K, Fraction(1, 90_000)
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return bytes(encoder.extradata or b""), tuple((bytes(p), p.pts or 0, p.is_keyframe) for p in packets)


def shown(codec: str, made: Stream, lost: int = -1, without: int = -1) -> dict[int, Image | None]:
    """By number the pictures as they are decoded, None for black ones; one packet was lost, or a unit of one."""
    samples = []
    for place, (data, pts_90k, keyframe) in enumerate(made[1]):
        units = nal.split(data, 0)
        if place == lost:
            units = [unit for n, unit in enumerate(units) if without >= 0 and n != without]
        if units:
            pieces = nal.sample(nal.with_start_codes(units), 0)
            samples.append(fmp4.Sample(pieces, sum(map(len, pieces)), pts_90k, keyframe))
    init = fmp4.init_segment(codec, W, H, nal.parameter_sets(codec, made[0]), b"")
    times = sorted(sample.pts_90k for sample in samples)
    data = bytes(fmp4.movie(init, samples, times, times[-1] + STEP_90K))
    frames = list(decode_fragment(data, black_for_damaged=True))
    # Reordered ones are all shown a little later: FFmpeg has no room for times before the first.
    first_90k = frames[0].pts_90k
    return {(f.pts_90k - first_90k) // STEP_90K: None if f.damaged else f.bgr for f in frames}


def same(one: Image | None, other: Image | None) -> bool:
    return one is not None and other is not None and np.array_equal(one, other)


PLAIN = {
    "plain": "bframes=0",
    "slices": "bframes=0:slices=3:cabac=0",
    "reordered": "bframes=3:b-pyramid=normal:ref=4",
    "interlaced": "bframes=0:tff=1",
}


@pytest.mark.parametrize("told", PLAIN.values(), ids=PLAIN)
def test_what_follows_a_lost_picture_is_black_up_to_the_next_keyframe(told: str) -> None:
    made = stream("h264", told)
    whole = shown("h264", made)
    assert len(whole) == COUNT and all(picture is not None for picture in whole.values())
    referred = [
        n
        for n, (data, _, _) in enumerate(made[1])
        if any(u[0] & 0x60 for u in nal.split(data, 0) if u[0] & 31 == 1)
    ]
    lost = next(n for n in referred if n > 4)
    seen = shown("h264", made, lost)
    assert all(same(picture, whole[n]) for n, picture in seen.items() if picture is not None)
    after = [n for n in seen if n < GROUP and n > made[1][lost][1] // STEP_90K]
    assert len(after) > 5 and all(seen[n] is None for n in after)
    assert all(seen[n] is not None for n in range(GROUP, COUNT))


def test_a_lost_picture_that_nothing_is_predicted_from_costs_itself_alone() -> None:
    made = stream("h264", "bframes=2:b-pyramid=none")
    lost = next(
        n for n, (data, _, _) in enumerate(made[1]) if not any(u[0] & 0x60 for u in nal.split(data, 0))
    )
    seen = shown("h264", made, lost)
    assert len(seen) == COUNT - 1 and all(picture is not None for picture in seen.values())


def test_a_stream_that_renews_itself_by_and_by_shows_nothing_after_a_loss() -> None:
    made = stream("h264", "bframes=0:intra-refresh=1")
    seen = shown("h264", made, 6)
    assert [n for n, picture in seen.items() if picture is not None] == list(range(6))


def field_of(kind: int, slice_type: str, number: int) -> bytes:
    """The beginning of a slice of the first stream here, which counts in four bits; the rest says nothing."""
    bits = "1" + slice_type + "1" + f"{number:04b}" + "1" * 32
    return bytes([kind]) + int(bits[: len(bits) // 8 * 8], 2).to_bytes(len(bits) // 8, "big")


def test_a_keyframe_whose_second_field_is_predicted_from_its_first_is_one() -> None:
    sets, _ = stream("h264", "bframes=0")
    seen = Continuity(StreamInfo("h264", W, H, 20.0, sets))
    intra, predicted = "0001000", "00110"  # I (7) and P (5) alone, in ue(v)
    for _ in range(2):
        fields = [field_of(0x65, intra, 0), field_of(0x41, predicted, 0)]
        assert seen.see(nal.with_start_codes(fields), keyframe=True) == Coded(begins=True, missing=False)
        for number in (1, 2, 3):
            fields = [field_of(0x41, predicted, number)] * 2
            assert seen.see(nal.with_start_codes(fields), keyframe=False) == Coded(
                begins=False, missing=False
            )
    fields = [field_of(0x41, predicted, 5)] * 2
    assert seen.see(nal.with_start_codes(fields), keyframe=False).missing


@pytest.mark.parametrize("form", ["yuv422p", "yuv444p", "yuv420p10le"])
def test_higher_profiles_are_read_too(form: str) -> None:
    made = stream("h264", "bframes=0:cqm=jvt", form)
    seen = shown("h264", made, 5)
    assert [seen[n] is None for n in (4, 6, GROUP - 1, GROUP)] == [False, True, True, False]


def test_h265_without_its_first_slice_is_black() -> None:
    made = stream("hevc", "bframes=0:ctu=16:slices=2:log-level=none")
    place = next(n for n in range(3, COUNT) if sum(u[0] >> 1 < 32 for u in nal.split(made[1][n][0], 0)) > 1)
    first = next(n for n, unit in enumerate(nal.split(made[1][place][0], 0)) if unit[0] >> 1 < 32)
    whole, seen = shown("hevc", made), shown("hevc", made, place, first)
    number = made[1][place][1] // STEP_90K
    assert seen[number] is None and seen[number + 1] is None
    assert all(same(seen[n], whole[n]) for n in itertools.chain(range(number), range(GROUP, COUNT)))


@pytest.mark.parametrize("codec", ENCODERS)
def test_what_begins_between_two_groups_shows_all_but_what_the_first_of_them_lacks(codec: str) -> None:
    told = "bframes=3:open-gop=1:b-adapt=0" + (":log-level=none" if codec == "hevc" else "")
    sets, packets = stream(codec, told)
    begin = next(n for n, (_, _, keyframe) in enumerate(packets) if keyframe and n)
    whole, part = shown(codec, (sets, packets)), shown(codec, (sets, packets[begin:]))
    assert packets[begin + 1][1] < packets[begin][1]  # shown before their keyframe
    assert len(part) == COUNT - GROUP
    assert all(same(picture, whole[n + GROUP]) for n, picture in part.items())
