"""The sealed stream: interoperation with Tink both ways, seeking, and what happens to altered bytes."""

from __future__ import annotations

import base64
import io
import json
import os
import random

import pytest
import tink
from hypothesis import given, settings
from hypothesis import strategies as st
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2

from orvault.container.stream import (
    MemorySource,
    OpeningReader,
    SealingWriter,
    ciphertext_size,
    open_bytes,
    plaintext_size,
    seal_bytes,
)
from orvault.errors import ErrorKind, OrvaultError

KEY = bytes(range(32))
AAD = b"camera 1"
CHUNK = 4096
FIRST = CHUNK - 56
STEP = CHUNK - 16
EDGES = [
    0,
    1,
    FIRST - 1,
    FIRST,
    FIRST + 1,
    FIRST + STEP - 1,
    FIRST + STEP,
    FIRST + STEP + 1,
    FIRST + 5 * STEP,
    50_000,
]

streaming_aead.register()


def _tink(chunk_bytes: int) -> streaming_aead.StreamingAead:
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
        version=0,
        key_value=KEY,
        params=aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=chunk_bytes, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
        ),
    )
    keyset = {
        "primaryKeyId": 1,
        "key": [
            {
                "keyData": {
                    "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
                    "value": base64.b64encode(key.SerializeToString()).decode(),
                    "keyMaterialType": "SYMMETRIC",
                },
                "status": "ENABLED",
                "keyId": 1,
                "outputPrefixType": "RAW",
            }
        ],
    }
    handle = tink.json_proto_keyset_format.parse(json.dumps(keyset), secret_key_access.TOKEN)
    primitive: streaming_aead.StreamingAead = handle.primitive(streaming_aead.StreamingAead)
    return primitive


class _Kept(io.BytesIO):
    """Tink closes its destination; this one can still be read."""

    def close(self) -> None:
        pass


@pytest.mark.parametrize("size", EDGES)
def test_tink_opens_what_is_sealed_here(size: int) -> None:
    plaintext = os.urandom(size)
    sealed = seal_bytes(plaintext, KEY, AAD, CHUNK)
    with _tink(CHUNK).new_decrypting_stream(io.BytesIO(sealed), AAD) as stream:
        assert stream.read() == plaintext


@pytest.mark.parametrize("size", EDGES)
def test_what_tink_sealed_is_opened_here(size: int) -> None:
    plaintext = os.urandom(size)
    kept = _Kept()
    with _tink(CHUNK).new_encrypting_stream(kept, AAD) as stream:
        stream.write(plaintext)
    sealed = kept.getvalue()
    assert len(sealed) == ciphertext_size(size, CHUNK)
    assert open_bytes(sealed, KEY, AAD, CHUNK) == plaintext


def test_tink_opens_a_stream_of_the_default_chunk() -> None:
    plaintext = os.urandom((1 << 20) + 12345)
    sealed = seal_bytes(plaintext, KEY, AAD)
    with _tink(1 << 20).new_decrypting_stream(io.BytesIO(sealed), AAD) as stream:
        assert stream.read() == plaintext


@pytest.mark.parametrize("size", EDGES)
def test_sizes_are_foretold(size: int) -> None:
    sealed = seal_bytes(bytes(size), KEY, AAD, CHUNK)
    assert len(sealed) == ciphertext_size(size, CHUNK)
    assert plaintext_size(len(sealed), CHUNK) == size


class _Chunks:
    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def write(self, data: memoryview, /) -> int:
        self.chunks.append(bytes(data))
        return len(data)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9000), max_size=12), st.randoms(use_true_random=False))
def test_however_it_is_written_and_read_it_is_the_same(sizes: list[int], chance: random.Random) -> None:
    pieces = [chance.randbytes(size) for size in sizes]
    sink = _Chunks()
    with SealingWriter(sink, KEY, AAD, CHUNK) as writer:
        for piece in pieces:
            assert writer.write(piece) == len(piece)
    plaintext = b"".join(pieces)
    assert all(len(chunk) == CHUNK for chunk in sink.chunks[:-1])
    reader = OpeningReader(MemorySource(b"".join(sink.chunks)), KEY, AAD, CHUNK)
    assert reader.read() == plaintext
    for _ in range(10):
        position, count = chance.randint(0, len(plaintext) + 10), chance.randint(0, 9000)
        assert reader.seek(position) == position
        assert reader.read(count) == plaintext[position : position + count]
        assert reader.tell() == min(position + count, max(position, len(plaintext)))


def test_seeking_is_that_of_a_file() -> None:
    plaintext = os.urandom(10_000)
    reader = OpeningReader(MemorySource(seal_bytes(plaintext, KEY, AAD, CHUNK)), KEY, AAD, CHUNK)
    assert reader.readable() and reader.seekable() and not reader.writable()
    assert reader.seek(-5, io.SEEK_END) == 9995 and reader.read() == plaintext[-5:]
    assert reader.seek(10) == 10 and reader.seek(5, io.SEEK_CUR) == 15
    with pytest.raises(ValueError, match="seek"):
        reader.seek(-1)


@pytest.mark.parametrize("size", EDGES)
def test_reading_chunk_by_chunk_gives_the_same_bytes(size: int) -> None:
    plaintext = os.urandom(size)
    reader = OpeningReader(MemorySource(seal_bytes(plaintext, KEY, AAD, CHUNK)), KEY, AAD, CHUNK)
    buffer, parts = bytearray(CHUNK), []
    while count := reader.readinto1(buffer):
        parts.append(bytes(buffer[:count]))
    assert b"".join(parts) == plaintext
    assert all(len(part) == STEP for part in parts[1:-1])


@pytest.mark.parametrize("at", [0, 5, 35, 45, CHUNK - 1, CHUNK, 2 * CHUNK + 7, -1])
def test_an_altered_byte_fails_its_chunk_and_no_byte_of_it_comes_out(at: int) -> None:
    plaintext = b"\xaa" * 12_000
    sealed = bytearray(seal_bytes(plaintext, KEY, AAD, CHUNK))
    sealed[at] ^= 1
    buffer = bytearray(len(plaintext))
    with pytest.raises(OrvaultError) as caught:
        OpeningReader(MemorySource(sealed), KEY, AAD, CHUNK).readinto(buffer)
    assert caught.value.kind is ErrorKind.ALTERED
    index = at % len(sealed) // CHUNK
    bad = slice(0, FIRST) if index == 0 else slice(FIRST + (index - 1) * STEP, FIRST + index * STEP)
    assert not any(buffer[bad]), "unverified plaintext stayed in the caller's buffer"


def test_chunks_cannot_be_swapped_cut_or_carried_to_another_stream() -> None:
    plaintext = os.urandom(4 * CHUNK)
    sealed = seal_bytes(plaintext, KEY, AAD, CHUNK)
    chunks = [sealed[i : i + CHUNK] for i in range(0, len(sealed), CHUNK)]
    for forged in (
        [chunks[0], chunks[2], chunks[1], *chunks[3:]],
        [*chunks[:2], chunks[1], *chunks[3:]],
        chunks[:3],
        chunks[:1],
    ):
        with pytest.raises(OrvaultError) as caught:
            open_bytes(b"".join(forged), KEY, AAD, CHUNK)
        assert caught.value.kind is ErrorKind.ALTERED
    for key, aad in ((bytes(32), AAD), (KEY, b"camera 2")):
        with pytest.raises(OrvaultError) as caught:
            open_bytes(sealed, key, aad, CHUNK)
        assert caught.value.kind is ErrorKind.ALTERED


def test_a_length_that_no_stream_has_is_damage() -> None:
    sealed = seal_bytes(os.urandom(9000), KEY, AAD, CHUNK)
    for cut in (0, 1, 39, 55, CHUNK + 3, CHUNK + 16):
        with pytest.raises(OrvaultError) as caught:
            open_bytes(sealed[:cut], KEY, AAD, CHUNK)
        assert caught.value.kind is ErrorKind.DAMAGED, cut


def test_even_that_a_stream_is_empty_is_verified() -> None:
    sealed = bytearray(seal_bytes(b"", KEY, AAD, CHUNK))
    assert open_bytes(bytes(sealed), KEY, AAD, CHUNK) == b""
    sealed[-1] ^= 1
    with pytest.raises(OrvaultError):
        open_bytes(bytes(sealed), KEY, AAD, CHUNK)


def test_a_writer_left_by_an_exception_or_forgotten_does_not_end_like_a_whole_stream() -> None:
    sink = _Chunks()
    with pytest.raises(RuntimeError), SealingWriter(sink, KEY, AAD, CHUNK) as writer:
        writer.write(bytes(2 * CHUNK))
        raise RuntimeError
    with pytest.raises(OrvaultError):
        open_bytes(b"".join(sink.chunks), KEY, AAD, CHUNK)
    written = len(sink.chunks)
    forgotten = SealingWriter(sink, KEY, AAD, CHUNK)
    del forgotten
    assert len(sink.chunks) == written
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")


def test_only_the_chunks_that_are_read_are_opened() -> None:
    class Counting(MemorySource):
        offsets: list[int] = []  # noqa: RUF012 - one instance only

        def read_at(self, offset: int, count: int) -> memoryview:
            self.offsets.append(offset)
            return super().read_at(offset, count)

    plaintext = os.urandom(20 * CHUNK)
    source = Counting(seal_bytes(plaintext, KEY, AAD, CHUNK))
    reader = OpeningReader(source, KEY, AAD, CHUNK)
    source.offsets.clear()
    reader.seek(FIRST + 9 * STEP + 1)
    reader.read(100)
    reader.read(100)
    assert source.offsets == [10 * CHUNK]


def test_bad_parameters_are_named() -> None:
    for key, chunk in ((b"short", CHUNK), (KEY, 100), (KEY, 1 << 30)):
        with pytest.raises(OrvaultError) as caught:
            seal_bytes(b"", key, AAD, chunk)
        assert caught.value.kind is ErrorKind.BAD_REQUEST
