"""A leaked file is traced after what people do to it; what is no video is refused in words."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from orvault.errors import ErrorKind, OrvaultError
from orvault.marks import leak
from orvault.marks.keys import mark_key
from orvault.marks.painter import MarkPainter
from orvault.marks.residue import Residue
from orvault.marks.tracing import trace
from orvault.video.codec import Image
from orvault.video.encoding import Mp4Encoder
from tests.unit.marks_support import CAMERA, COPIES, SITE_KEY, gray, marked, names

CLIP = Path(__file__).resolve().parents[1] / "media" / "crossing.mp4"


def room(count: int) -> list[Image]:
    """The first pictures of an operating room, 1280x720."""
    with av.open(str(CLIP), mode="r") as container:
        frames = itertools.islice(container.decode(video=0), count)
        return [frame.to_ndarray(format="bgr24").astype(np.uint8) for frame in frames]


def coded(pictures: Sequence[Image], copy_id: str | None) -> bytes:
    """As an export writes it; None: without a mark."""
    sink, (height, width) = io.BytesIO(), pictures[0].shape[:2]
    painter = MarkPainter(mark_key(SITE_KEY, copy_id, CAMERA), width, height) if copy_id else None
    encoder = Mp4Encoder(sink, width, height, 15, mark=painter)
    for number, picture in enumerate(pictures):
        encoder.write(picture, number * 6_000)
    encoder.close()
    return sink.getvalue()


def treated(data: bytes, size: tuple[int, int], codec: str, crf: int, fps: int) -> bytes:
    """Scaled, coded again and shown at another rate."""
    sink = io.BytesIO()
    with av.open(io.BytesIO(data), mode="r") as source, av.open(sink, "w", format="matroska") as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        for number, frame in enumerate(source.decode(video=0)):
            small = frame.reformat(width=size[0], height=size[1])
            small.pts, small.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(small))
        container.mux(stream.encode(None))
    return sink.getvalue()


def leaked(folder: Path, data: bytes, name: str = "leak.bin") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(
    ("size", "codec", "crf", "fps"),
    [((1280, 720), "libx264", 28, 15), ((960, 540), "libx264", 28, 25), ((1280, 720), "libx265", 30, 15)],
)
def test_a_video_is_traced_after_coding_scaling_and_retiming(
    tmp_path: Path, size: tuple[int, int], codec: str, crf: int, fps: int
) -> None:
    data = treated(coded(room(16), "copy-42"), size, codec, crf, fps)
    found = trace(leak.residue_of(leaked(tmp_path, data)).plane, SITE_KEY, COPIES)
    assert names(found) == {"copy-42"}


def test_the_same_video_without_a_mark_names_nobody(tmp_path: Path) -> None:
    data = treated(coded(room(16), None), (960, 540), "libx264", 23, 15)
    assert not trace(leak.residue_of(leaked(tmp_path, data)).plane, SITE_KEY, COPIES).named


def panning(count: int) -> list[Image]:
    """A picture full of detail under which the camera moves, 1280x720."""
    rng = np.random.default_rng(5)
    layers = [rng.normal(0, 9, (900 // size, 1600 // size)).astype(np.float32) for size in (1, 2, 4, 8, 16)]
    large = sum(cv2.resize(layer, (1600, 900), interpolation=cv2.INTER_CUBIC) for layer in layers)
    gray = cv2.merge([np.clip(np.asarray(large) + 120, 0, 255).astype(np.uint8)] * 3).astype(np.uint8)
    return [gray[number : number + 720, 3 * number : 3 * number + 1280] for number in range(count)]


def test_where_the_whole_picture_moves_keyframes_tell_the_copy(tmp_path: Path) -> None:
    """A coder carries the mark along with what moves; its keyframes show it where it was painted."""
    path = leaked(tmp_path, treated(coded(panning(60), "copy-42"), (640, 360), "libx264", 36, 15))
    found = trace(leak.residue_of(path).plane, SITE_KEY, COPIES)
    assert names(found) == {"copy-42"}
    regular = Residue()
    with av.open(str(path)) as container:
        for frame in itertools.islice(container.decode(video=0), 1, None, 7):
            regular.add(frame.to_ndarray(format="gray").astype(np.uint8))
    without = trace(regular.plane, SITE_KEY, COPIES)
    assert found.strongest > 2 * without.strongest, "the clip is one that shows what they are worth"


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_a_single_picture_is_traced(tmp_path: Path, extension: str) -> None:
    _, data = cv2.imencode(extension, marked(gray()))
    residue = leak.residue_of(leaked(tmp_path, data.tobytes()))
    assert residue.count == 1 and names(trace(residue.plane, SITE_KEY, COPIES)) == {"copy-7"}


def test_a_video_that_was_cut_off_is_traced_by_what_is_left(tmp_path: Path) -> None:
    data = coded([*room(30), *room(30)], "copy-42")
    residue = leak.residue_of(leaked(tmp_path, data[: len(data) * 7 // 10]))
    assert 4 <= residue.count < 8 and names(trace(residue.plane, SITE_KEY, COPIES)) == {"copy-42"}


def test_two_pictures_a_second_are_looked_at_from_where_it_is_asked(tmp_path: Path) -> None:
    path = leaked(tmp_path, coded([*room(30), *room(30)], None))  # 4 s, a keyframe each
    assert leak.residue_of(path).count == 8
    assert leak.residue_of(path, 2.1).count == 4


def hostile() -> Iterator[tuple[str, bytes, ErrorKind]]:
    yield "playlist", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", ErrorKind.BAD_MEDIA
    yield "concat list", b"ffconcat version 1.0\nfile /etc/hostname\n", ErrorKind.BAD_MEDIA
    yield "package", b"PK\x03\x04" + bytes(400), ErrorKind.BAD_MEDIA
    yield "empty", b"", ErrorKind.BAD_MEDIA
    yield "torn video", coded(room(2), None)[:600], ErrorKind.BAD_MEDIA
    yield "small picture", cv2.imencode(".png", gray()[:64, :64])[1].tobytes(), ErrorKind.BAD_MEDIA
    yield "torn picture", cv2.imencode(".png", gray())[1].tobytes()[:300], ErrorKind.BAD_MEDIA


@pytest.mark.parametrize(("data", "kind"), [pytest.param(d, k, id=name) for name, d, k in hostile()])
def test_what_is_no_video_is_refused_in_words(tmp_path: Path, data: bytes, kind: ErrorKind) -> None:
    with pytest.raises(OrvaultError) as caught:
        leak.residue_of(leaked(tmp_path, data))
    assert caught.value.kind is kind and "leak.bin" in str(caught.value)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(OrvaultError) as caught:
        leak.residue_of(tmp_path / "none.mp4")
    assert caught.value.kind is ErrorKind.NOT_FOUND


def test_a_frame_of_the_decoder_is_not_needed_for_the_luma() -> None:
    frame = VideoFrame.from_ndarray(np.full((540, 960, 3), 90, np.uint8), format="bgr24")
    assert leak._luma(frame).shape == (540, 960)
