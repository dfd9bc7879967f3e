"""One sequence parameter set, of the size that was said: a decoder takes its memory by it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from orvault.errors import ErrorKind, OrvaultError
from player.film import Film
from player.parameters import MAX_UNITS, check_picture, parameter_sets, sequence_set
from tests.vectors.hostile_videos import sequence

from .reel_support import FRAME_90K, HEIGHT, WIDTH, footage

SPS = sequence(64, 48)
PPS = bytes.fromhex("68ce0f20")
SLICE = b"\x65" + bytes(range(1, 40))


def _avcc(*sets: bytes, pictures: tuple[bytes, ...] = (PPS,)) -> bytes:
    sized = [[struct.pack(">H", len(each)) + each for each in kind] for kind in (sets, pictures)]
    head = bytes.fromhex("0142c00aff") + bytes([0xE0 | len(sets)])
    return head + b"".join(sized[0]) + bytes([len(pictures)]) + b"".join(sized[1])


def _sample(*units: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units)


def _refused(codec: str, config: bytes, width: int = 64, height: int = 48) -> bool:
    try:
        sequence_set(codec, config, width, height)
    except OrvaultError as error:
        assert error.kind is ErrorKind.BAD_MEDIA
        return True
    return False


def test_lines_that_are_coded_and_not_shown_are_usual() -> None:
    for shown in (1080, 1088, 1086):
        whole = sequence(1920, 1088, cut_below=1088 - shown)
        assert sequence_set("h264", _avcc(whole), 1920, shown) == whole
    assert _refused("h264", _avcc(sequence(1920, 1088)), 1920, 1024)
    assert _refused("h264", _avcc(sequence(1920, 1088)), 1920, 1090)


@pytest.mark.parametrize(
    "config",
    [
        b"",
        _avcc(SPS)[:5],
        _avcc(SPS)[:-1],
        _avcc(),
        _avcc(SPS, SPS),
        _avcc(SPS, pictures=(PPS, SPS)),
        _avcc(SPS, pictures=(PPS + b"\0\0\1" + SPS,)),
        _avcc(SPS, pictures=(b"",)),
        _avcc(SPS, pictures=(PPS, SLICE)),
        _avcc(SPS, pictures=(b"\x06\x05\x01\x80\x80",)),
        _avcc(SPS, pictures=(PPS, b"\x0d" + SPS[1:])),
        b"\0" + _avcc(SPS)[1:],
        _avcc(SPS)[:4] + b"\xfd" + _avcc(SPS)[5:],
        _avcc(b"\x67" + bytes(19)),
        _avcc(SPS[:4]),
        _avcc(SPS[:1] + b"\x8b" + SPS[2:]),
        _avcc(SPS[:2] + b"\0\0\3" + SPS[4:]),
    ],
)
def test_another_configuration_is_refused(config: bytes) -> None:
    assert not _refused("h264", _avcc(SPS))
    assert _refused("h264", config)


@pytest.mark.parametrize(
    "data",
    [
        _sample(SLICE)[:-1],
        _sample(SLICE) + b"\0",
        _sample(b""),
        _sample(SPS[:-1] + b"\1", SLICE),
        _sample(b"\x06\0\0\1" + SPS, SLICE),
        _sample(b"\x06") * (MAX_UNITS + 1),
        _sample(bytes([1]) * (1 << 24)),
    ],
    ids=["cut", "tail", "empty", "another", "within", "many", "large"],
)
def test_a_picture_of_another_kind_is_refused(data: bytes) -> None:
    check_picture("h264", SPS, _sample(b"\x06\x05", SPS, PPS, SLICE))
    check_picture("h264", SPS, _sample(SLICE + b"\0\0", SLICE))
    with pytest.raises(OrvaultError) as raised:
        check_picture("h264", SPS, data)
    assert raised.value.kind is ErrorKind.BAD_MEDIA


def test_h265_is_held_to_the_same(tmp_path: Path) -> None:
    made = footage(tmp_path, [number * FRAME_90K for number in range(8)], recoded="libx265")
    with made.opened() as session:
        config = Film(session.reader.media("or1")).track.config
    found = sequence_set("hevc", config, WIDTH, HEIGHT)
    assert found[:2] == b"\x42\x01" and found in config
    for width, height in ((WIDTH * 10, HEIGHT), (WIDTH, HEIGHT * 10), (WIDTH - 1, HEIGHT - 64)):
        assert _refused("hevc", config, width, height)
    array = struct.pack(">BHH", 34, 1, len(found)) + found  # said to be of pictures
    more = config[:22] + bytes([config[22] + 1]) + config[23:]
    assert _refused("hevc", more + array)
    for unit in (b"\x26\1\xaf", b"\x46\1\x50", b"\x7c\1\0"):  # a picture, a delimiter, what no standard names
        array_of = struct.pack(">BHH", 34, 1, len(unit))
        assert _refused("hevc", more + array_of + unit), "whatever its array says"
    assert _refused("hevc", more)
    assert _refused("hevc", config.replace(found, b"\x42\x09" + found[2:]))
    repeated = parameter_sets("hevc", config)
    assert struct.pack(">I", len(found)) + found in repeated
    assert b"x265" in config and b"x265" not in repeated, "the encoder's note is told once"
    other = found[:-1] + bytes([found[-1] ^ 1])
    check_picture("hevc", found, _sample(found, b"\x26\1"))
    with pytest.raises(OrvaultError):
        check_picture("hevc", found, _sample(other, b"\x26\1"))
