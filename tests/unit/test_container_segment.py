"""Sealed segments: what a node seals, what anyone can verify, and each way to tamper with one."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from typing import Any

import pytest

from orvault.container.keys import generate_private_key, wrap_key
from orvault.container.segment import (
    MAGIC,
    SIGNATURE_CONTEXT,
    SealedSegment,
    SegmentHeader,
    open_segment,
    read_header,
    seal_content,
    segment_digest,
    slot_info,
    unwrap_dek,
    verify_segment,
)
from orvault.container.stream import seal_bytes
from orvault.errors import ErrorKind, OrvaultError

from .container_support import CLIP, hospital, seal_segment, segment_meta

_, SERVER, NODE = hospital()
CASE_KEY = generate_private_key()
FRAGMENT = CLIP.read_bytes()[:200_000]
SEALED = seal_segment(NODE, segment_meta(), FRAGMENT, CASE_KEY.public(), chunk_bytes=1 << 16)
HEADER_END = 12 + struct.unpack(">I", SEALED.data[8:12])[0]


def _refused(kind: ErrorKind, data: bytes, certificate: bytes = NODE.certificate_der) -> OrvaultError:
    with pytest.raises(OrvaultError) as caught:
        verify_segment(data, certificate)
    assert caught.value.kind is kind, str(caught.value)
    return caught.value


def test_what_was_sealed_verifies_without_a_key_and_opens_with_the_case_key() -> None:
    header = verify_segment(SEALED.data, NODE.certificate_der)
    assert header == SEALED.header == read_header(SEALED.data)
    assert header.meta == segment_meta()
    assert SegmentHeader.from_json(json.loads(json.dumps(header.to_json()))) == header
    dek = unwrap_dek(SEALED.slots, CASE_KEY, header)
    assert open_segment(SEALED.data, dek) == FRAGMENT


def test_the_file_is_laid_out_as_the_specification_says() -> None:
    data = SEALED.data
    assert data[:8] == b"ORVSEG1\n" == MAGIC
    header = json.loads(data[12:HEADER_END])
    canonical = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert data[12:HEADER_END] == canonical
    signature, ciphertext = data[HEADER_END : HEADER_END + 64], data[HEADER_END + 64 :]
    NODE.private_key.public_key().verify(signature, b"orvault segment signature v1\n" + data[:HEADER_END])
    assert header["ciphertext_sha256"] == hashlib.sha256(ciphertext).hexdigest()
    assert SEALED.digest == hashlib.sha256(data[: HEADER_END + 64]).hexdigest() == segment_digest(data)
    assert header["node_certificate"] == NODE.fingerprint
    assert header["key_thumbprint"] == CASE_KEY.public().thumbprint


def test_segments_name_the_one_before() -> None:
    second = seal_segment(NODE, segment_meta(1), b"x", CASE_KEY.public(), SEALED.digest)
    assert second.header.previous == SEALED.digest
    for meta, previous in ((segment_meta(0), SEALED.digest), (segment_meta(1), "")):
        with pytest.raises(OrvaultError) as caught:
            seal_segment(NODE, meta, b"x", CASE_KEY.public(), previous)
        assert caught.value.kind is ErrorKind.BAD_REQUEST and "previous" in caught.value.message


def test_a_sealed_segment_shows_no_clear_byte_of_the_video() -> None:
    assert FRAGMENT[:32] not in SEALED.data and b"ftyp" not in SEALED.data
    assert repr(FRAGMENT[:8])[2:-1] not in repr(SEALED)


@pytest.mark.parametrize(
    "at",
    [
        0,
        8,
        11,
        12,
        40,
        HEADER_END - 1,
        HEADER_END,
        HEADER_END + 63,
        HEADER_END + 64,
        HEADER_END + 130_000,
        -1,
    ],
)
def test_a_flipped_bit_anywhere_is_an_alteration(at: int) -> None:
    altered = bytearray(SEALED.data)
    altered[at] ^= 1
    error = _refused(ErrorKind.ALTERED, bytes(altered))
    assert error.where


def test_every_byte_of_header_and_signature_counts() -> None:
    for at in range(HEADER_END + 64):
        altered = bytearray(SEALED.data)
        altered[at] ^= 0x20
        with pytest.raises(OrvaultError) as caught:
            verify_segment(bytes(altered), NODE.certificate_der)
        assert caught.value.kind in (ErrorKind.ALTERED, ErrorKind.DAMAGED, ErrorKind.UNTRUSTED)


def test_a_segment_cut_off_anywhere_is_damaged_and_one_with_more_is_altered() -> None:
    size = len(SEALED.data)
    for cut in [
        0,
        1,
        7,
        8,
        11,
        12,
        HEADER_END - 1,
        HEADER_END + 63,
        HEADER_END + 64,
        HEADER_END + 65,
        size - 1,
    ]:
        _refused(ErrorKind.DAMAGED, SEALED.data[:cut])
    error = _refused(ErrorKind.ALTERED, SEALED.data + b"more")
    assert "4 bytes were appended" in error.message


def test_an_oversized_header_length_is_refused_before_it_is_believed() -> None:
    _refused(ErrorKind.ALTERED, SEALED.data[:8] + b"\xff\xff\xff\xff" + SEALED.data[12:])


def test_another_nodes_certificate_does_not_pass() -> None:
    _refused(ErrorKind.UNTRUSTED, SEALED.data, SERVER.certificate_der)


def _resigned(header: dict[str, Any], ciphertext: bytes) -> bytes:
    """What a thief with the node's signing key could make."""
    encoded = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    signed = MAGIC + struct.pack(">I", len(encoded)) + encoded
    return signed + NODE.sign(SIGNATURE_CONTEXT + signed) + ciphertext


def test_a_ciphertext_under_another_cameras_header_does_not_open() -> None:
    dek = unwrap_dek(SEALED.slots, CASE_KEY, SEALED.header)
    header = json.loads(SEALED.data[12:HEADER_END])
    header["meta"]["camera_id"] = "or2-ceiling"
    forged = _resigned(header, SEALED.data[HEADER_END + 64 :])
    verify_segment(forged, NODE.certificate_der)
    with pytest.raises(OrvaultError) as caught:
        open_segment(forged, dek)
    assert caught.value.kind is ErrorKind.ALTERED


def test_a_slot_for_another_key_is_caught_by_the_commitment() -> None:
    forged = wrap_key(bytes(32), CASE_KEY.public(), slot_info(SEALED.header.meta))
    with pytest.raises(OrvaultError) as caught:
        unwrap_dek((forged,), CASE_KEY, SEALED.header)
    assert caught.value.kind is ErrorKind.ALTERED
    with pytest.raises(OrvaultError) as caught:
        open_segment(SEALED.data, bytes(32))
    assert caught.value.kind is ErrorKind.ALTERED


def test_a_slot_of_another_segment_or_for_another_key_does_not_open() -> None:
    other = seal_segment(NODE, segment_meta(1), b"x", CASE_KEY.public(), SEALED.digest)
    with pytest.raises(OrvaultError) as caught:
        unwrap_dek(other.slots, CASE_KEY, SEALED.header)
    assert caught.value.kind is ErrorKind.ALTERED
    with pytest.raises(OrvaultError) as caught:
        unwrap_dek(SEALED.slots, generate_private_key(), SEALED.header)
    assert caught.value.kind is ErrorKind.NOT_FOR_YOU


def test_chunks_rewritten_by_someone_who_knows_the_key_are_caught_by_the_signature() -> None:
    dek = unwrap_dek(SEALED.slots, CASE_KEY, SEALED.header)
    meta = json.dumps(SEALED.header.meta.to_json(), sort_keys=True, separators=(",", ":")).encode()
    rewritten = seal_bytes(bytes(len(FRAGMENT)), dek, b"orvault/segment/v1\n" + meta, 1 << 16)
    forged = SEALED.data[: HEADER_END + 64] + rewritten
    assert open_segment(forged, dek) == bytes(len(FRAGMENT)), "the forgery is a good one"
    _refused(ErrorKind.ALTERED, forged)


@pytest.mark.parametrize(
    "change",
    [
        {"segment_id": "a/../b"},
        {"camera_id": ""},
        {"sequence": -1},
        {"codec": "av1"},
        {"width": 0},
        {"end_us": 0},
        {"frames": 2_000_000},
        {"start_us": 1.5},
        {"case_id": "줄\n"},
    ],
)
def test_what_does_not_fit_the_format_is_not_sealed(change: dict[str, object]) -> None:
    with pytest.raises(OrvaultError) as caught:
        seal_content(segment_meta(**change), b"x", CASE_KEY.public())
    assert caught.value.kind is ErrorKind.BAD_REQUEST
    assert next(iter(change)) in caught.value.message


def test_an_empty_fragment_is_not_sealed() -> None:
    with pytest.raises(OrvaultError) as caught:
        seal_segment(NODE, segment_meta(), b"", CASE_KEY.public())
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_the_sealed_segment_is_a_value() -> None:
    assert isinstance(SEALED, SealedSegment) and replace(SEALED) == SEALED
