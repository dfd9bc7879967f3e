"""Taking coded pictures apart: framing both ways, parameter sets in every form, and hostile input."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.errors import ErrorKind, OrvaultError
from orvault.video import nal
from orvault.video.packet import StreamInfo
from tests.media.make_media import make_clip

UNIT = st.binary(min_size=1, max_size=60).filter(
    lambda unit: b"\0\0\1" not in unit and not unit.endswith(b"\0")
)


@given(st.lists(UNIT, max_size=8))
def test_start_codes_and_lengths_carry_the_same_units(units: list[bytes]) -> None:
    assert nal.split(nal.with_start_codes(units), 0) == units
    sample = b"".join(nal.sample(nal.with_start_codes(units), 0))
    assert nal.split(sample, 4) == units
    assert b"".join(nal.sample(sample, 4)) == sample


def test_short_start_codes_are_understood() -> None:
    assert nal.split(b"\0\0\1\x67ab\0\0\1\x68c\0\0\0\1\x65d", 0) == [b"\x67ab", b"\x68c", b"\x65d"]


def test_zeros_at_a_units_end_are_kept_as_they_came() -> None:
    # Forbidden by the standard, sent by some cameras; a signature over the unit covers them.
    assert nal.split(nal.with_start_codes([b"\x67ab\0\0", b"\x68c"]), 0) == [b"\x67ab\0\0", b"\x68c"]


@given(st.binary(max_size=200), st.sampled_from([1, 2, 3, 4]))
def test_garbage_between_lengths_is_bad_media_or_whole(data: bytes, length_bytes: int) -> None:
    try:
        units = nal.split(data, length_bytes)
    except OrvaultError as error:
        assert error.kind is ErrorKind.BAD_MEDIA
    else:
        assert sum(map(len, units)) <= len(data)


def test_bytes_without_a_start_code_hold_no_unit() -> None:
    assert nal.split(b"noise", 0) == []


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_parameter_sets_are_the_same_in_a_record_and_in_annex_b(codec: str, tmp_path: Path) -> None:
    with av.open(str(make_clip(tmp_path / "clip.mp4", codec, frames=15, reordered=0))) as container:
        record = bytes(container.streams.video[0].codec_context.extradata)
    sets = nal.parameter_sets(codec, record)
    kinds = [nal.nal_type(codec, unit) for unit in sets]
    assert kinds == {"h264": [7, 8], "hevc": [32, 33, 34]}[codec]
    assert nal.parameter_sets(codec, nal.with_start_codes(sets)) == sets
    assert StreamInfo(codec, 320, 240, 15.0, record).nal_length_bytes == 4
    assert StreamInfo(codec, 320, 240, 15.0, nal.with_start_codes(sets)).nal_length_bytes == 0


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_cut_off_record_is_bad_media(codec: str, tmp_path: Path) -> None:
    with av.open(str(make_clip(tmp_path / "clip.mp4", codec, frames=15, reordered=0))) as container:
        record = bytes(container.streams.video[0].codec_context.extradata)
    with pytest.raises(OrvaultError) as caught:
        nal.parameter_sets(codec, record[: len(record) // 2])
    assert caught.value.kind is ErrorKind.BAD_MEDIA


def test_a_stream_with_too_many_parameter_sets_is_refused() -> None:
    with pytest.raises(OrvaultError) as caught:
        nal.parameter_sets("h264", nal.with_start_codes([b"\x68" + bytes([n, 1]) for n in range(1, 80)]))
    assert caught.value.kind is ErrorKind.BAD_MEDIA


def test_no_extradata_holds_no_parameter_sets() -> None:
    assert nal.parameter_sets("h264", b"") == ()


def test_entries_of_open_and_closed_gops_are_told_apart() -> None:
    assert nal.is_closed_entry("h264", [b"\x06sei", b"\x65idr"])
    assert not nal.is_closed_entry("h264", [b"\x06sei", b"\x41slice"])
    assert nal.is_closed_entry("hevc", [bytes([19 << 1, 1])])
    assert not nal.is_closed_entry("hevc", [bytes([21 << 1, 1])]), "CRA: leading pictures need the GOP before"
