"""Sources without a network: times that cameras leave out, files played at pace, addresses that are refused."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest

from orvault.clock import FakeClock
from orvault.errors import ErrorKind, OrvaultError
from orvault.video import demux
from orvault.video.file import PacedFile
from orvault.video.packet import MAX_PACKET_BYTES, Packet, StreamInfo
from orvault.video.rtsp import shown
from orvault.video.source import CameraAddress, open_source
from tests.media.make_media import make_clip

INFO = StreamInfo("h264", 320, 240, 15.0, b"")
TIMES = Sequence[tuple[int | None, int | None]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=30)


def timed(times: TIMES) -> list[Packet]:
    raw = []
    for pts, dts in times:
        packet = av.Packet(b"picture")
        packet.pts, packet.dts = pts, dts
        raw.append(packet)
    return list(demux.packets(raw, Fraction(1, 90_000), INFO, "test"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([(None, None), (6000, 6000), (12000, 12000)], [0, 6000, 12000]),
        # As FFmpeg gives them for a real camera with B pictures: no decoding time before the third.
        (
            [(None, None), (18000, None), (6000, None), (12000, 6000), (36000, 12000)],
            [0, 18000, 6000, 12000, 36000],
        ),
        # After a pause, in the middle.
        ([(6000, 6000), (12000, 12000), (None, None), (300_000, 300_000)], [6000, 12000, 294_000, 300_000]),
        ([(None, None), (None, None)], [0, 6000]),
        ([(None, 6000)], [0]),
    ],
)
def test_a_packet_without_a_time_is_put_before_the_next_and_not_lost(
    times: TIMES, expected: list[int]
) -> None:
    assert [packet.pts_90k for packet in timed(times)] == expected


def test_a_camera_that_never_tells_times_is_not_held_for_ever() -> None:
    raw: list[tuple[None, None]] = [(None, None)] * 1_000
    assert [packet.pts_90k for packet in timed(raw)] == [6000 * number for number in range(1_000)]


def test_only_the_first_packet_begins_a_connection() -> None:
    packets = timed([(None, None), (6000, 6000), (12000, 12000)])
    assert [packet.begins for packet in packets] == [INFO, None, None]


def test_a_giant_packet_is_refused() -> None:
    packet = av.Packet(MAX_PACKET_BYTES + 1)
    with pytest.raises(OrvaultError) as caught:
        list(demux.packets([packet], Fraction(1, 90_000), INFO, "test"))  # type: ignore[list-item]
    assert caught.value.kind is ErrorKind.BAD_MEDIA


def test_a_file_plays_at_its_own_pace(clip: Path) -> None:
    clock = FakeClock()
    begun_us = clock.now_us()
    source = PacedFile(clip, clock, loop=False)
    packets = list(source)
    source.close()
    assert len(packets) == 30
    assert abs(clock.now_us() - begun_us - 29 / 15 * 1e6) < 1000
    assert packets[0].begins == source.info and source.info.codec == "h264"
    assert packets[0].keyframe and not packets[1].keyframe


def test_a_looped_file_goes_on_without_a_hole(clip: Path) -> None:
    source = PacedFile(clip, FakeClock(), loop=True)
    packets = list(itertools.islice(source, 95))
    source.close()
    times = sorted(packet.pts_90k for packet in packets)[:90]
    assert {after - before for before, after in itertools.pairwise(times)} == {6000}
    assert [packet.begins is not None for packet in packets].count(True) == 1
    assert packets[30].data == packets[0].data


def test_a_faster_file_is_a_camera_with_more_frames_not_a_camera_in_the_future(clip: Path) -> None:
    clock = FakeClock()
    begun_us = clock.now_us()
    source = PacedFile(clip, clock, loop=False, speed=4.0)
    packets = list(source)
    source.close()
    assert source.info.fps == 60
    played_us = (max(packet.pts_90k for packet in packets) - packets[0].pts_90k) * 100 / 9
    assert abs(clock.now_us() - begun_us - played_us) < 70_000


def test_sound_beside_the_video_is_left_out(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(clip)) as source, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(source.streams.video[0])
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=8000)
        frame.sample_rate, frame.pts = 8000, 0
        frame.planes[0].update(bytes(16_000))
        container.mux(sound.encode(frame))
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                container.mux(packet)
    packets = list(PacedFile(path, FakeClock(), loop=False))
    assert len(packets) == 30


def refused(url_or_path: str | Path) -> OrvaultError:
    url = url_or_path if isinstance(url_or_path, str) else f"file:{url_or_path}"
    with pytest.raises(OrvaultError) as caught:
        open_source(CameraAddress(url), FakeClock())
    return caught.value


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path / "none.mp4")
    assert error.kind is ErrorKind.NOT_FOUND and "none.mp4" in str(error)


def test_a_file_that_is_no_video_is_bad_media(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(b"noise" * 100)
    assert refused(tmp_path / "noise.mp4").kind is ErrorKind.BAD_MEDIA


def test_a_playlist_cannot_make_it_open_other_files(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\n{clip}\n")
    assert refused(tmp_path / "list.mp4").kind is ErrorKind.BAD_MEDIA
    assert refused("file:concat:a.mp4|b.mp4").kind is ErrorKind.NOT_FOUND


def test_an_unknown_ending_says_which_are_known(tmp_path: Path) -> None:
    error = refused(tmp_path / "film.avi")
    assert error.kind is ErrorKind.BAD_SETTINGS and ".mp4" in str(error)


def test_a_file_in_another_codec_is_named_with_what_is_supported(tmp_path: Path) -> None:
    path = tmp_path / "old.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=15)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    error = refused(path)
    assert error.kind is ErrorKind.UNSUPPORTED_CODEC and "mpeg4" in str(error) and "H.265" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://host/x",
        "rtsp://",
        "rtsp://host:99999/x",
        "rtsp://ho\nst/x",
        "",
        "rtsp:///x",
        "rtsp://h/" + "x" * 3000,
    ],
)
def test_what_is_no_camera_address_is_refused(url: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        CameraAddress(url)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS


@pytest.mark.parametrize(
    "url", ["rtsp://nurse:s3cret@host/x", "rtsps://s3cret@host/x", "rtsp://:s3cret@host/x"]
)
def test_an_address_with_a_password_in_it_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        CameraAddress(url)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS
    assert "s3cret" not in str(caught.value) + repr(caught.value) and "host" in str(caught.value)


def test_an_address_is_shown_without_its_query() -> None:
    assert shown("rtsp://[::1]:554/a/b?user=x&pwd=s3cret") == "camera rtsp://[::1]:554/a/b"


def test_an_address_keeps_its_password_over_pickling_and_shows_it_nowhere() -> None:
    address = CameraAddress("rtsp://host/x", "nurse", "s3cret")
    again = pickle.loads(pickle.dumps(address))
    assert again == address and again.password == "s3cret"
    assert "s3cret" not in repr(address) + str(address) + address.shown


def test_a_file_address_must_be_local() -> None:
    assert refused("file://server/share/x.mp4").kind is ErrorKind.BAD_SETTINGS
    assert refused("file:").kind is ErrorKind.BAD_SETTINGS
