"""Pieces joined into one video: every picture, at its time, and nothing decoded on the way."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import decode_fragment
from orvault.video.encoding import Mp4Encoder
from orvault.video.joining import Joiner, parts_of
from tests.unit.vision_media import noise


def piece(level: int, count: int = 5, crf: int = 20, width: int = 160) -> bytes:
    sink = io.BytesIO()
    encoder = Mp4Encoder(sink, width, 96, 15, crf=crf)
    for number in range(count):
        encoder.write(np.full((96, width, 3), level + number, np.uint8), number * 6000)
    encoder.close()
    return sink.getvalue()


def joined(*pieces: tuple[bytes, int]) -> bytes:
    sink = io.BytesIO()
    joiner = Joiner(sink)
    for data, first_90k in pieces:
        joiner.add(data, first_90k)
    joiner.close()
    return sink.getvalue()


def test_every_picture_has_its_place_gaps_included() -> None:
    out = joined((piece(40), 0), (piece(90), 30_000), (piece(150), 900_000))
    frames = list(decode_fragment(out))
    times = [*range(0, 30_000, 6000), *range(30_000, 60_000, 6000), *range(900_000, 930_000, 6000)]
    assert [frame.pts_90k for frame in frames] == times
    levels = [frame.bgr.mean() for frame in frames]
    assert levels == pytest.approx([first + n for first in (40, 90, 150) for n in range(5)], abs=6)


def test_packets_keep_their_bytes() -> None:
    first, second = piece(40), piece(90)

    def packets(data: bytes) -> list[bytes]:
        with av.open(io.BytesIO(data)) as source:
            return [bytes(p) for p in source.demux(video=0) if p.size]

    assert packets(joined((first, 0), (second, 30_000))) == packets(first) + packets(second)


def test_a_joined_video_is_written_forwards_only() -> None:
    class Pipe:
        data = b""

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

    pipe = Pipe()
    joiner = Joiner(pipe)
    joiner.add(piece(40), 0)
    joiner.close()
    assert len(list(decode_fragment(pipe.data))) == 5


@pytest.mark.parametrize("other", [piece(40, width=320), noise(8, 8).tobytes(), b""])
def test_what_does_not_fit_is_told(other: bytes) -> None:
    with pytest.raises(OrvaultError) as caught:
        joined((piece(40), 0), (other, 30_000))
    assert caught.value.kind is ErrorKind.INTERNAL


@pytest.mark.parametrize("most", [1, 4_000, 1 << 20])
def test_parts_play_alone_and_hold_every_picture_at_its_time(most: int) -> None:
    whole = joined((piece(40), 0), (piece(90), 30_000), (piece(150), 900_000))
    parts = list(parts_of(whole, most))
    frames = [frame for part in parts for frame in decode_fragment(part)]
    assert [f.pts_90k for f in frames] == [f.pts_90k for f in decode_fragment(whole)]
    assert len(parts) >= 3 if most == 1 else all(len(part) <= most for part in parts)


def test_what_is_cut_off_is_told() -> None:
    with pytest.raises(OrvaultError):
        list(parts_of(piece(40)[:-9], 1))
