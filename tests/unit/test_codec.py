from __future__ import annotations

import io
import itertools
import random
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest

from orvault.errors import ErrorKind, OrvaultError
from orvault.video import codec
from orvault.video.choosing import needed
from orvault.video.codec import Image, decode_fragment
from orvault.video.encoding import KEYFRAME_INTERVAL_S, Mp4Encoder
from orvault.video.nal import nal_type, split
from orvault.video.opening import open_fragment
from orvault.vision.second_look import SecondLookRules
from tests.unit.vision_media import FPS, STEP_90K, clip_bytes, encoded, noise, pictures, psnr


class Pipe:
    """A sink like a socket: it takes a little at a time and has nothing but `write`."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.data = bytearray()
        self._most = most

    def write(self, data: bytes, /) -> int:
        self.data += data[: self._most]
        return min(len(data), self._most)


def kind_of(data: bytes, **bounds: int) -> ErrorKind:
    with pytest.raises(OrvaultError) as caught:
        list(decode_fragment(data, **bounds))
    return caught.value.kind


def other_media(codec: str, pix_fmt: str = "yuv420p") -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        stream = out.add_stream(codec, rate=15)
        stream.width, stream.height, stream.pix_fmt = 160, 96, pix_fmt
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(noise(160, 96, index), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 15)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return sink.getvalue()


def sound_only() -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return sink.getvalue()


def test_every_picture_of_a_clip_comes_out_with_its_time() -> None:
    frames = [(f.bgr.shape, f.pts_90k) for f in decode_fragment(clip_bytes("crossing"))]
    assert len(frames) == 150
    assert {shape for shape, _ in frames} == {(720, 1280, 3)}
    assert [pts for _, pts in frames] == [i * STEP_90K for i in range(150)]


def test_pictures_come_one_at_a_time_and_may_be_painted_on() -> None:
    frames = decode_fragment(clip_bytes("crossing"))
    first = next(frames)
    first.bgr[:] = 0
    assert next(frames).bgr.any()
    frames.close()


@pytest.mark.parametrize("every_s", [0.05, 0.3, 1.0, 2.0, 60.0])
def test_now_and_then_gives_the_same_pictures_as_looking_at_all(every_s: float) -> None:
    images = [np.roll(noise(160, 96), n, axis=1) for n in range(75)]  # 5 s
    for data in (encoded(images), encoded(images, keyframe_s=1), with_b_frames(images)):
        wanted, due_90k = [], 0.0
        for frame in decode_fragment(data):
            if frame.pts_90k >= due_90k:
                wanted.append(frame)
                due_90k = frame.pts_90k + every_s * 90_000
        seen = list(decode_fragment(data, every_s=every_s))
        assert [f.pts_90k for f in seen] == [f.pts_90k for f in wanted]
        assert all(np.array_equal(a.bgr, b.bgr) for a, b in zip(seen, wanted, strict=True))


def test_now_and_then_does_not_decode_what_comes_after_the_last_wanted_picture() -> None:
    images = [np.roll(noise(160, 96), n, axis=1) for n in range(60)]
    with av.open(io.BytesIO(encoded(images))) as container:
        packets = list(needed(container.demux(video=0), 1.0, set()))
    assert [packet.pts is None for packet in packets].count(True) == 1  # the end
    assert len(packets) == 2 * 16 + 1  # two groups of 2 s, in each the first second's end is the last


def test_once_a_second_of_what_the_encoder_writes_is_nothing_but_keyframes() -> None:
    images = [np.roll(noise(160, 96), n, axis=1) for n in range(60)]
    with av.open(io.BytesIO(encoded(images, keyframe_s=KEYFRAME_INTERVAL_S))) as container:
        packets = list(needed(container.demux(video=0), SecondLookRules().every_s, set()))
    assert [(packet.pts, packet.is_keyframe) for packet in packets[:-1]] == [
        (second * 90_000, True) for second in range(4)
    ]


def with_b_frames(images: Sequence[Image]) -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "fast", "bf": "3", "g": "30"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return sink.getvalue()


def test_h265_is_decoded() -> None:
    frames = list(decode_fragment(other_media("libx265")))
    assert [f.pts_90k for f in frames] == [i * STEP_90K for i in range(5)]


def test_encoding_keeps_pictures_gaps_and_uneven_times_through_a_narrow_pipe() -> None:
    images = pictures("crossing", 40, 8)
    times = [0, 6_000, 12_001, 17_999, 24_000, 900_000, 906_000, 912_345]
    pipe = Pipe(most=1_000)
    encoder = Mp4Encoder(pipe, 1280, 720, FPS, crf=20)
    for image, pts in zip(images, times, strict=True):
        encoder.write(image, pts)
    encoder.close()
    encoder.close()
    back = list(decode_fragment(bytes(pipe.data)))
    assert [f.pts_90k for f in back] == times
    assert min(psnr(f.bgr, image) for f, image in zip(back, images, strict=True)) > 36


def test_output_is_fragmented_mp4_with_one_h264_track_and_a_keyframe_every_second() -> None:
    image = noise(160, 96)
    data = encoded([np.roll(image, i, axis=1) for i in range(100)], keyframe_s=KEYFRAME_INTERVAL_S)
    with av.open(io.BytesIO(data)) as container:
        assert [(s.type, s.codec_context.name) for s in container.streams] == [("video", "h264")]
        video = container.streams.video[0]
        assert (video.codec_context.pix_fmt, video.time_base) == ("yuv420p", Fraction(1, 90_000))
        keys = [p.pts for p in container.demux(video) if p.is_keyframe]
    assert keys[0] == 0
    assert max(b - a for a, b in itertools.pairwise(keys)) <= 90_000
    assert data.index(b"moov") < data.index(b"moof") < data.index(b"mdat")
    assert data.count(b"moof") == len(keys)


def test_pictures_leave_the_encoder_before_it_is_closed() -> None:
    pipe = Pipe()
    encoder = Mp4Encoder(pipe, 160, 96, FPS, preset="ultrafast")
    for index in range(150):
        encoder.write(noise(160, 96, index), index * STEP_90K)
    assert bytes(pipe.data).count(b"moof") >= 2  # ten seconds are not kept in memory until the end
    encoder.close()


def test_pictures_are_coded_side_by_side_each_in_one_slice_and_always_to_the_same_bytes() -> None:
    images = [noise(320, 192, index) for index in range(12)]
    data = encoded(images)
    with av.open(io.BytesIO(data)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.pts is not None]
    coded = [[nal for nal in split(packet, 4) if nal_type("h264", nal) in (1, 5)] for packet in packets]
    assert [len(slices) for slices in coded] == [1] * len(images)
    assert encoded(images) == data


@pytest.mark.parametrize("bt709", [False, True])
def test_colours_and_their_tag_survive(bt709: bool) -> None:
    image = np.zeros((96, 160, 3), np.uint8)
    image[:, :80], image[:, 80:] = (40, 90, 200), (180, 160, 30)
    sink = io.BytesIO()
    encoder = Mp4Encoder(sink, 160, 96, FPS, crf=10, bt709=bt709)
    encoder.write(image, 0)
    encoder.close()
    (frame,) = decode_fragment(sink.getvalue())
    assert frame.bt709 is bt709
    assert np.abs(frame.bgr[48, [20, 140]].astype(int) - image[48, [20, 140]]).max() <= 4


@pytest.mark.parametrize("keep", [0, 1, 40, 1_000, 5_000, 50_000, -1_000])
def test_a_truncated_fragment_is_bad_media(keep: int) -> None:
    data = encoded(pictures("crossing", 40, 8))
    assert kind_of(data[:keep]) is ErrorKind.BAD_MEDIA


@pytest.mark.parametrize(
    "data",
    [
        b"not a video" * 100,
        bytes(10_000),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/hostname'\n",
    ],
    ids=["text", "zeros", "playlist", "concat"],
)
def test_what_is_no_mp4_is_bad_media(data: bytes) -> None:
    assert kind_of(data) is ErrorKind.BAD_MEDIA


def test_other_codecs_and_sound_alone_are_refused() -> None:
    assert kind_of(other_media("mpeg4")) is ErrorKind.UNSUPPORTED_CODEC
    assert kind_of(sound_only()) is ErrorKind.BAD_MEDIA


def test_bounds_hold() -> None:
    data = encoded([noise(160, 96, i) for i in range(6)])
    assert kind_of(data, max_pixels=160 * 96 - 1) is ErrorKind.BAD_MEDIA
    assert kind_of(data, max_frames=5) is ErrorKind.BAD_MEDIA
    assert len(list(decode_fragment(data, 160 * 96, max_frames=6))) == 6


def test_altered_bytes_never_raise_anything_else() -> None:
    data = encoded([np.roll(noise(160, 96), i, axis=1) for i in range(6)])
    chance = random.Random(7)
    refused = 0
    for _ in range(150):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            list(decode_fragment(bytes(broken), max_frames=50))
        except OrvaultError as error:
            assert error.kind in {ErrorKind.BAD_MEDIA, ErrorKind.UNSUPPORTED_CODEC}
            refused += 1
    assert refused > 20


def test_the_encoder_refuses_what_it_cannot_keep() -> None:
    for size, fps, crf in [((161, 96), 15, 23), ((8, 8), 15, 23), ((160, 96), 0, 23), ((160, 96), 15, 99)]:
        with pytest.raises(OrvaultError):
            Mp4Encoder(Pipe(), *size, fps, crf=crf)
    encoder = Mp4Encoder(Pipe(), 160, 96, FPS)
    encoder.write(noise(160, 96), 10)
    with pytest.raises(OrvaultError, match="does not follow"):
        encoder.write(noise(160, 96), 10)
    with pytest.raises(OrvaultError, match="does not fit"):
        encoder.write(noise(96, 160), 20)
    encoder.close()


def test_a_failing_sink_is_not_swallowed() -> None:
    class Full:
        def write(self, data: bytes, /) -> int:
            raise OrvaultError(ErrorKind.STORAGE, "full")

    with pytest.raises(OrvaultError, match="full"):
        encoder = Mp4Encoder(Full(), 160, 96, FPS)
        for index in range(90):
            encoder.write(noise(160, 96, index), index * STEP_90K)
        encoder.close()


def test_opening_a_fragment_decodes_nothing_where_no_picture_is_out_of_order() -> None:
    images = [np.roll(noise(160, 96), n, axis=1) for n in range(30)]
    for data, asked in ((encoded(images), False), (with_b_frames(images), True)):
        with open_fragment(data) as container:
            context = container.streams.video[0].codec_context
            assert (context.pix_fmt is not None) is asked  # which only a decoded picture tells
            assert (context.width, context.height) == (160, 96)


@pytest.mark.parametrize("patient", [False, True])
def test_fragments_are_decoded_alike_however_they_are_opened(
    monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    images = [np.roll(noise(160, 96), n, axis=1) for n in range(40)]
    whole = [
        encoded(images),
        with_b_frames(images),
        other_media("libx264"),
        other_media("libx265"),
        sound_only(),
    ]
    changes = random.Random(7)
    for data in [*whole, *(spoilt(data, changes) for data in whole for _ in range(8))]:
        now = all_told(data, patient)
        with monkeypatch.context() as patched:
            patched.setattr(codec, "open_fragment", lambda data: av.open(io.BytesIO(data), format="mp4"))
            assert all_told(data, patient) == now


def spoilt(data: bytes, by: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(by.randrange(1, 6)):
        changed[by.randrange(len(changed))] = by.randrange(256)
    return bytes(changed)


def all_told(data: bytes, patient: bool) -> list[object]:
    """All that decoding says of a fragment."""
    told: list[object] = []
    try:
        for frame in decode_fragment(data, black_for_damaged=patient):
            told.append((frame.pts_90k, frame.bt709, frame.damaged, frame.bgr.tobytes()))
    except OrvaultError as error:
        told.append(str(error))
    return told
