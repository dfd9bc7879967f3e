"""Somebody carries the recorder away while it records (test_stolen_server.py: the server's disk).

What must not be found is searched for byte by byte; that the search finds what is there is shown first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.clock import US_PER_S, SystemClock
from orvault.container import canonical
from orvault.container.kek import PassphraseKek
from orvault.container.keys import PrivateKey, decode_slots
from orvault.container.keystore import KeyStore
from orvault.container.segment import (
    PREAMBLE_BYTES,
    SIGNATURE_BYTES,
    SegmentHeader,
    open_segment,
    read_header,
    unwrap_dek,
)
from orvault.container.trust import Identity
from tests.e2e.searching import copy_memory, in_files, samples, spelled
from tests.e2e.site import Site, armed_case, eventually, settled
from tests.rtsp import rtsp_cameras

NODE = "or-client-1"
SAMPLES = 8  # of each segment's pictures
SEGMENTS = 12  # recorded before the recorder is taken
LATELY_US = 5_000_000  # what was sealed later than this before the theft may still be in memory
CLIP_S, FPS, WIDTH, HEIGHT = 240, 15, 320, 240  # longer than the test, so that no picture comes twice

pytestmark = pytest.mark.timeout(900)  # it records for half a minute and looks through all memory twice


@dataclass(frozen=True, repr=False)
class Opened:
    """A sealed segment, and what opens it: for the test's eyes only."""

    header: SegmentHeader
    path: Path
    sealed: bytes
    clear: bytes
    dek: bytes
    stream_key: bytes

    @property
    def name(self) -> str:
        return f"segment {self.header.meta.sequence},"

    def age_us(self, now_us: int) -> int:
        return now_us - self.header.meta.end_us


@dataclass(frozen=True, repr=False)
class Recording:
    """A case that was recorded, and what its recorder's processes held in memory: per process, names of needles."""

    segments: list[Opened]
    taken_us: int  # while it recorded
    held: dict[str, set[str]]
    held_after: dict[str, set[str]]  # a few seconds after it ended

    @property
    def sealed_before(self) -> list[Opened]:
        return [s for s in self.segments if s.age_us(self.taken_us) > LATELY_US]


def holders(held: dict[str, set[str]], words: str) -> list[str]:
    """Who held what of this kind."""
    return sorted(f"{who}: {name}" for who, names in held.items() for name in names if words in name)


def case_store(site: Site, passphrase: str = "") -> KeyStore:
    """The server's key store, opened as the key service opens it; the right passphrase unless another is given."""
    secret = passphrase or (site.data / "keys/passphrase").read_text().strip()
    return KeyStore.unlock(site.data / "keys/store", PassphraseKek(secret, site.data / "keys/anchor"))


def opened_segments(site: Site, case_id: str) -> list[Opened]:
    store = case_store(site)
    found = []
    for path in sorted((site.data / "segments" / NODE / case_id).rglob("*.seg")):
        data = path.read_bytes()
        header = read_header(data)
        dek = unwrap_dek(
            decode_slots(path.with_suffix(".slots").read_bytes()), private_key(store, header), header
        )
        found.append(Opened(header, path, data, open_segment(data, dek), dek, key_of_stream(data, dek)))
    return found


def key_of_stream(data: bytes, dek: bytes) -> bytes:
    """What the chunks are sealed under (segment-v1, 5.3): it opens them as well as the DEK does."""
    end = PREAMBLE_BYTES + int.from_bytes(data[8:PREAMBLE_BYTES], "big")
    salt = data[end + SIGNATURE_BYTES + 1 :][:32]
    info = b"orvault/segment/v1\n" + canonical.encode(read_header(data).meta.to_json())
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(dek)


def private_key(store: KeyStore, header: SegmentHeader) -> PrivateKey:
    return store.private_key(header.key_thumbprint)


def controls(site: Site, segments: list[Opened]) -> dict[str, bytes]:
    """What a recorder must hold: its signing key, and the public key that its cameras seal to."""
    identity = Identity.load(site.data / "keys/nodes" / NODE)
    public = private_key(case_store(site), segments[0].header).public()
    return {"signing key": identity.private_key.private_bytes_raw(), "public key": public.raw[-32:]}


def needles(segments: list[Opened]) -> dict[str, bytes]:
    wanted: dict[str, bytes] = {}
    for segment in segments:
        wanted |= {f"{segment.name} DEK": segment.dek, f"{segment.name} stream key": segment.stream_key}
        wanted |= samples(f"{segment.name} pictures", segment.clear, SAMPLES)
    return wanted


def endless_noise(path: Path) -> Path:
    """A clip in which every picture is another; a drawn scene would send the same coded bytes again and again."""
    random = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "30", "g": str(FPS)}
        for _ in range(CLIP_S * FPS):
            small = random.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
            picture = small.repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own, whose one camera does not repeat itself."""
    folder = tmp_path_factory.mktemp("recorder")
    with rtsp_cameras({"ceiling": endless_noise(folder / "ceiling.mp4")}) as server:
        made = Site(folder, [{"id": "ceiling", "source": server.url("ceiling")}])
        made.set_up()
        made.up()
        try:
            yield made
        finally:
            made.down()


@pytest.fixture(scope="module")
def recording(recorder: Site) -> Recording:
    asker = recorder.client("asker")
    case_id = armed_case(asker, "E2E-STOLEN")
    stored = recorder.data / "segments" / NODE / case_id
    asker.post(f"/cases/{case_id}/recording/start", {"camera_ids": ["ceiling"]})
    eventually(lambda: len(list(stored.rglob("*.seg"))) >= SEGMENTS, 60)
    time.sleep(1)  # so that the camera's process has read pictures of the segment that is under way by now
    taken_us = SystemClock().now_us()
    meanwhile = copy_memory(recorder.family(), recorder.folder / "meanwhile")
    eventually(lambda: len(list(stored.rglob("*.seg"))) >= SEGMENTS + 2, 30)
    asker.post(f"/cases/{case_id}/close")
    eventually(lambda: settled(asker, case_id, 1), 30)
    time.sleep(LATELY_US / US_PER_S)
    after = copy_memory(recorder.family(), recorder.folder / "after")
    segments = opened_segments(recorder, case_id)
    wanted = needles(segments) | controls(recorder, segments)
    return Recording(segments, taken_us, found_in(meanwhile, wanted), found_in(after, wanted))


def found_in(copies: dict[Path, str], wanted: dict[str, bytes]) -> dict[str, set[str]]:
    """Per process what its copy holds. The copies are removed: no test leaves gigabytes behind."""
    held: dict[str, set[str]] = {}
    for copy, title in copies.items():
        for name in in_files([copy], wanted):
            held.setdefault(f"{title[:60]} ({copy.name})", set()).add(name)
        copy.unlink()
    return held


def test_the_search_finds_what_a_recorder_must_hold(recording: Recording) -> None:
    for held in (recording.held, recording.held_after):
        (signer,) = (names for title, names in held.items() if title.startswith("ray::EncryptionActor"))
        (camera,) = (names for title, names in held.items() if title.startswith("ray::CameraActor"))
        assert "signing key" in signer and "public key" in camera
        assert "signing key" not in camera
    # The camera was gathering this one when it was taken: pictures are found where there are any.
    under_way = [s for s in recording.segments if s.age_us(recording.taken_us) < 0]
    assert holders(recording.held, f"{under_way[0].name} pictures")


def test_no_key_of_a_sealed_segment_is_in_the_memory_of_any_process(recording: Recording) -> None:
    assert len(recording.sealed_before) >= SEGMENTS - 5
    for held in (recording.held, recording.held_after):
        assert holders(held, " DEK") == holders(held, " stream key") == []


def test_the_pictures_of_segments_sealed_before_are_gone_from_every_process(recording: Recording) -> None:
    for segment in recording.sealed_before:
        assert holders(recording.held, f"{segment.name} pictures") == []


def test_after_the_end_of_a_recording_its_last_pictures_do_not_stay(recording: Recording) -> None:
    assert holders(recording.held_after, " pictures") == []


def test_nothing_on_the_recorders_disk_opens_a_segment(recorder: Site, recording: Recording) -> None:
    folders = [recorder.data / "segments" / NODE, recorder.data / "keys/nodes" / NODE]
    folders += [path for path in (recorder.data / "orders").glob("*") if path.is_dir()]
    wanted = samples("pictures", recording.segments[0].clear, 4)
    for segment in recording.segments:
        wanted |= spelled(f"{segment.name} DEK", segment.dek)
        wanted |= spelled(f"{segment.name} stream key", segment.stream_key)
    wanted |= spelled("case key", private_key(case_store(recorder), recording.segments[0].header).raw[-32:])
    control = {"sealed": recording.segments[1].sealed[-200:], "certificate": b"BEGIN CERTIFICATE"}
    found = in_files(folders, wanted | control)
    assert found.keys() == control.keys(), found
