"""Capture from real RTSP servers: what is stored is what was sent, and every way to fail is told for what it is."""

from __future__ import annotations

import io
import logging
import struct
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from actors.camera import CameraActor
from orvault.clock import SystemClock
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.reconnect import ReconnectPolicy, reconnecting
from orvault.video import nal, rtsp
from orvault.video.gop import Fragment, GopCutter
from orvault.video.packet import Packet
from orvault.video.rtsp import RtspSource
from orvault.video.source import CameraAddress, open_source
from tests.media.make_media import make_clip
from tests.rtsp import RtspCameras, rtsp_cameras, start
from tests.unit.actors_support import camera_feed, eventually, make_node

USER, PASSWORD = "nurse", "s3 cr/et@:%"
CAPTURE_S = 5.0
PATIENT_S = 60.0  # a test server on a busy machine may take more than a camera's 5 s to begin


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        "h264": make_clip(folder / "h264.mp4", "h264", frames=150),
        "hevc": make_clip(folder / "hevc.mp4", "hevc", frames=150),
        "plain": make_clip(folder / "plain.mp4", "h264", frames=60, reordered=0),
    }


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sent")


@pytest.fixture(scope="module")
def cameras(clips: dict[str, Path], sent: Path) -> Iterator[RtspCameras]:
    with rtsp_cameras(
        clips, mjpeg=["mjpeg"], sound=["h264", "hevc"], user=USER, password=PASSWORD, sent=sent
    ) as server:
        yield server


def connect(cameras: RtspCameras, name: str, **options: float) -> RtspSource:
    return RtspSource(cameras.url(name), USER, PASSWORD, **options)


def capture(cameras: RtspCameras, name: str, into: dict[str, list[Fragment]]) -> None:
    """About 5 s of one camera."""
    clock = SystemClock()
    source = connect(cameras, name, timeout_s=PATIENT_S)
    cutter = GopCutter(source.info, clock)
    begun = 0
    fragments = into.setdefault(name, [])
    try:
        for packet in source:
            begun = begun or packet.pts_90k
            if done := cutter.feed(packet):
                fragments.append(done)
            if packet.pts_90k - begun > CAPTURE_S * 90_000:
                break
    finally:
        source.close()
    if rest := cutter.flush():
        fragments.append(rest)


@pytest.fixture(scope="module")
def captured(cameras: RtspCameras) -> dict[str, list[Fragment]]:
    """Both codecs, at the same time; what goes wrong with one is told here, not as an empty list later."""
    into: dict[str, list[Fragment]] = {}
    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(capture, cameras, name, into) for name in ("h264", "hevc")]:
            done.result()
    return into


def sent_units(path: Path) -> list[bytes]:
    data, units, at = path.read_bytes(), [], 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        units += nal.split(data[at + 4 : at + 4 + size], 0)
        at += 4 + size
    return units


def stored_units(fragments: list[Fragment]) -> list[bytes]:
    units = []
    for fragment in fragments:
        with av.open(io.BytesIO(fragment.data), mode="r", format="mp4") as container:
            for packet in container.demux(container.streams.video[0]):
                units += nal.split(bytes(packet), 4) if packet.size else []
    return units


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_nal_units_are_stored_byte_for_byte_in_their_order(
    codec: str, captured: dict[str, list[Fragment]], sent: Path
) -> None:
    units = stored_units(captured[codec])
    assert len(units) > 150, "about 5 s at 15 pictures of several units each"
    assert units == sent_units(sent / f"{codec}.sent")[: len(units)]
    supplemental = {"h264": {6}, "hevc": {39, 40}}[codec]
    assert any(nal.nal_type(codec, unit) in supplemental for unit in units), "SEI is among them"


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_every_fragment_plays_alone_and_they_join_without_a_hole(
    codec: str, captured: dict[str, list[Fragment]]
) -> None:
    fragments = captured[codec]
    assert [fragment.frames for fragment in fragments[:2]] == [30, 30], "cut at the keyframe after 2 s"
    for fragment in fragments:
        with av.open(io.BytesIO(fragment.data), mode="r", format="mp4") as container:
            assert [stream.type for stream in container.streams] == ["video"], "sound is dropped"
            pictures = list(container.decode(video=0))
        assert len(pictures) == fragment.frames
        assert fragment.codec == codec and (fragment.width, fragment.height) == (320, 240)
        assert not fragment.holes and not fragment.lost
    for before, after in pairwise(fragments):
        assert after.start_us == before.end_us
        assert abs(before.end_us - before.start_us - 2_000_000) <= 1_000
    assert abs(fragments[-1].end_us - SystemClock().now_us()) < 60_000_000


def test_the_wall_clock_is_met_within_a_second(clips: dict[str, Path]) -> None:
    clock = SystemClock()
    with rtsp_cameras({"cam": clips["plain"]}) as server:
        source = RtspSource(server.url("cam"))
        cutter = GopCutter(source.info, clock)
        for packet in source:
            if done := cutter.feed(packet):
                break
        source.close()
        assert 0 <= clock.now_us() - done.end_us < 1_000_000


def failure(url: str, username: str = USER, password: str = PASSWORD, **options: Any) -> OrvaultError:
    with pytest.raises(OrvaultError) as caught:
        RtspSource(url, username, password, **options)
    return caught.value


def everything_told(error: OrvaultError) -> str:
    return "".join([*traceback.format_exception(error), repr(error), str(error), repr(error.__context__)])


@pytest.mark.parametrize("password", ["wr0ng/pass@word", ""])
def test_a_wrong_password_is_refused_and_never_shown(
    cameras: RtspCameras, password: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    error = failure(cameras.url("h264"), password=password)
    assert error.kind is ErrorKind.CAMERA_REFUSED
    assert "password" in error.message and f":{cameras.port}/h264" in str(error)
    shown = everything_told(error) + caplog.text + "".join(capfd.readouterr())
    for secret in filter(None, (password, "wr0ng", "pass%40word", f"{USER}:")):
        assert secret not in shown


def test_the_right_password_is_shown_by_nothing(cameras: RtspCameras) -> None:
    source = connect(cameras, "h264")
    address = CameraAddress(cameras.url("h264"), USER, PASSWORD)
    try:
        assert "s3" not in repr(source) + source.where + repr(source.info) + repr(address) + address.shown
    finally:
        source.close()


def test_an_unknown_path_is_told_apart_from_a_wrong_password(cameras: RtspCameras) -> None:
    error = failure(cameras.url("nothing-here"))
    assert error.kind is ErrorKind.CAMERA_REFUSED and "path" in error.message


def test_nobody_listening_is_unreachable() -> None:
    error = failure("rtsp://127.0.0.1:9/cam")  # the discard port: nothing listens
    assert error.kind is ErrorKind.CAMERA_UNREACHABLE and "127.0.0.1:9" in str(error)
    assert "s3" not in everything_told(error)


def test_an_unknown_codec_is_named_with_what_is_supported(cameras: RtspCameras) -> None:
    error = failure(cameras.url("mjpeg"))
    assert error.kind is ErrorKind.UNSUPPORTED_CODEC
    assert "mjpeg" in str(error) and "H.264" in str(error) and "H.265" in str(error)


def certificate(folder: Path) -> Path:
    """A camera's self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / "certificate.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder


def test_rtsps_takes_only_a_camera_whose_certificate_is_vouched_for(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    own, other = certificate(tmp_path / "own"), certificate(tmp_path / "other")
    with rtsp_cameras({"cam": clips["plain"]}, tls=own) as server:
        source = RtspSource(server.url("cam"), ca_file=own / "certificate.pem")
        assert next(iter(source)).keyframe
        source.close()
        for ca_file in (None, other / "certificate.pem"):
            error = failure(server.url("cam"), "", "", ca_file=ca_file)
            assert error.kind is ErrorKind.CAMERA_UNREACHABLE and "ca_file" in str(error)
        assert (
            failure(server.url("cam"), "", "", ca_file=tmp_path / "none.pem").kind is ErrorKind.BAD_SETTINGS
        )


def until_it_ends(source: RtspSource, after: int, act: object) -> tuple[OrvaultError, float]:
    """Do something to the server after some packets; the error that ends the source, and after how long."""
    begun = 0.0
    with pytest.raises(OrvaultError) as caught:
        for number, _packet in enumerate(source):
            if number == after:
                act()  # type: ignore[operator]
                begun = time.monotonic()
    source.close()
    return caught.value, time.monotonic() - begun


@pytest.mark.parametrize(
    ("scheme", "found"),
    [("rtsp", "found"), ("rtsps", "found"), ("rtsp", "not found")],  # TLS says only "broken" of PyAV's limit
)
def test_a_frozen_camera_is_noticed_whether_its_connection_is_found_or_not(
    scheme: str,
    found: str,
    clips: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    if found == "not found":
        monkeypatch.setattr(rtsp, "connected_since", lambda *_: None)
    tls = certificate(tmp_path / "own") if scheme == "rtsps" else None
    with rtsp_cameras({"cam": clips["plain"]}, tls=tls) as server:
        ca_file = None if tls is None else tls / "certificate.pem"
        source = RtspSource(server.url("cam"), timeout_s=1.5, ca_file=ca_file)
        error, after_s = until_it_ends(source, 20, server.freeze)
    assert error.kind is ErrorKind.CAMERA_STALLED and "1.5 s" in error.message
    assert 1.0 < after_s < 10.0, (
        "1.5 s, or about twice 0.75 s, which is the half that each of FFmpeg's reads gets"
    )
    assert ("not known for certain" in caplog.text) == (found == "not found")


def test_a_camera_that_never_answers_does_not_hang(clips: dict[str, Path]) -> None:
    with rtsp_cameras({"cam": clips["plain"]}) as server:
        server.freeze()
        silent = failure(server.url("cam"), timeout_s=1.0)
        assert silent.kind is ErrorKind.CAMERA_UNREACHABLE and "1 s" in silent.message


def test_a_killed_camera_ends_with_an_error_and_comes_back_with_a_gap(clips: dict[str, Path]) -> None:
    first = start({"cam": clips["plain"]})
    servers = [first]
    gaps: list[tuple[int, int, str]] = []
    failures: list[ErrorKind] = []
    url = first.url("cam")
    clock = SystemClock()

    def heard(error: OrvaultError) -> None:
        failures.append(error.kind)
        if len(failures) == 2:  # the loss itself, then an attempt that found nobody
            servers.append(start({"cam": clips["plain"]}, port=first.port))

    policy = ReconnectPolicy(first_s=0.1, most_s=0.5, on_failure=heard)
    stream = reconnecting(
        lambda: open_source(CameraAddress(url), clock), clock, lambda *gap: gaps.append(gap), policy
    )
    fragments: list[Fragment] = []
    cutter: GopCutter | None = None
    packets: list[Packet] = []
    try:
        for packet in stream:
            packets.append(packet)
            if cutter is None:
                assert packet.begins is not None
                cutter = GopCutter(packet.begins, clock)
            if done := cutter.feed(packet):
                fragments.append(done)
            if len(packets) == 40:
                first.kill()
            if len(servers) == 2 and len(packets) > 40 and len(fragments) >= 3:
                break
    finally:
        stream.close()
        for server in servers:
            server.stop()
    assert failures[0] is ErrorKind.CAMERA_UNREACHABLE
    assert len(gaps) == 1
    begin, end, reason = gaps[0]
    assert end > begin and ("closed the connection" in reason or "broke" in reason)
    assert [packet.begins is not None for packet in packets].count(True) == 2
    # What came before the loss is kept up to its last picture; what comes after it starts later.
    assert sum(fragment.frames for fragment in fragments) >= 60
    assert all(after.start_us >= before.end_us for before, after in pairwise(fragments))
    assert any(after.start_us > before.end_us for before, after in pairwise(fragments))


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_a_password_is_taken_by_either_scheme_and_shown_by_nothing(
    scheme: str,
    clips: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Accepted and refused, by the source and by the whole actor: logs, errors, output, status, process titles."""
    caplog.set_level(logging.DEBUG)
    wrong = "wr0ng/pass@word"
    secrets = [PASSWORD, wrong, "wr0ng", "s3%20cr", "pass%40word", f"{USER}:"]
    with rtsp_cameras(
        {"cam": clips["plain"]}, user=USER, password=PASSWORD, digest=scheme == "digest"
    ) as server:
        source = connect(server, "cam")
        packet = next(iter(source))
        assert packet.keyframe
        told = [repr(source), repr(packet), process_titles()]
        source.close()
        refused = failure(server.url("cam"), password=wrong)
        assert refused.kind is ErrorKind.CAMERA_REFUSED
        told.append(everything_told(refused))
        for password, state in ((PASSWORD, "idle"), (wrong, "refused")):
            secret = tmp_path / state
            secret.write_text(password + "\n")
            secret.chmod(0o600)
            node = make_node(tmp_path / f"node-{state}")
            feed = camera_feed(
                node, source=server.url("cam"), username=USER, password_file=secret, timeout_s=PATIENT_S
            )
            camera = CameraActor(feed, node.keeper, SystemClock())
            eventually(lambda camera=camera, state=state: camera.status().state == state, state)  # type: ignore[misc]
            told += [repr(camera.status()), str(camera.status().detail), repr(feed), process_titles()]
    told += [caplog.text, *capfd.readouterr()]
    for secret_text in secrets:
        assert secret_text not in "\n".join(told), secret_text


def process_titles() -> str:
    """The command lines and names of this process and its threads."""
    tasks = list(Path("/proc/self/task").glob("*/comm"))
    return "\n".join(path.read_text() for path in [Path("/proc/self/cmdline"), *tasks])
