"""Packages that were altered, cut off or forged: every class is found out and named."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from orvault.container import frame
from orvault.container.label import LABEL, MANIFEST, SLOTS
from orvault.container.package import PackageBuilder, PackageReader, copy_without
from orvault.container.stream import seal_bytes
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.package_support import LEAVES_1, MEDIA_1, altered_copy, entries_of, failure_of, made

from .container_support import (
    CHUNK_BYTES,
    CLIP,
    NOW_US,
    PASSWORD,
    Made,
    fragmented,
    hospital,
    make_package,
    password_person,
    recipient_key,
    terms,
)

__all__ = ["made"]


@pytest.mark.parametrize("name", [LABEL, SLOTS, MANIFEST, LEAVES_1, MEDIA_1])
@pytest.mark.parametrize("place", ["header", "size", "crc", "first", "middle", "last"])
def test_a_flipped_bit_is_an_alteration_that_names_the_entry(
    made: Made, tmp_path: Path, name: str, place: str
) -> None:
    entry = entries_of(made)[name]
    at = {
        "header": entry.offset + 6,
        "size": entry.offset + 18,
        "crc": entry.offset + 14,
        "first": entry.data_offset,
        "middle": entry.data_offset + entry.bytes // 2,
        "last": entry.end - 1,
    }[place]
    error = failure_of(
        altered_copy(made, tmp_path, lambda data: data.__setitem__(at, data[at] ^ 1)), made.root_der
    )
    assert error.kind is ErrorKind.ALTERED, str(error)
    assert error.where.startswith(name)


def test_every_byte_of_the_papers_and_the_frame_counts(made: Made, tmp_path: Path) -> None:
    entries = entries_of(made)
    media = [entry for name, entry in entries.items() if name.endswith(".mp4.enc")]
    inside = [range(entry.data_offset, entry.end) for entry in media]
    places = [at for at in range(len(made.data)) if not any(at in each for each in inside)]
    assert len(places) > 9_000
    for at in places[::29] + places[-200:]:
        path = altered_copy(made, tmp_path, lambda data, at=at: data.__setitem__(at, data[at] ^ 0x08))  # type: ignore[misc]
        with pytest.raises(OrvaultError) as caught, PackageReader.open(path) as reader:
            reader.verify_label([made.root_der], NOW_US)
        assert caught.value.kind is ErrorKind.ALTERED, (at, str(caught.value))


def test_a_flipped_bit_in_the_directory_is_found(made: Made, tmp_path: Path) -> None:
    start = entries_of(made)["media/or2.mp4.enc"].end
    error = failure_of(altered_copy(made, tmp_path, lambda data: data.__setitem__(start, 0)), made.root_der)
    assert error.kind is ErrorKind.ALTERED and error.where == "ZIP directory"


def test_appended_bytes_are_an_alteration(made: Made, tmp_path: Path) -> None:
    error = failure_of(
        altered_copy(made, tmp_path, lambda data: data.extend(b"PK\x05\x06" + bytes(18))), made.root_der
    )
    assert error.kind is ErrorKind.ALTERED and "22 bytes were appended" in error.message


def test_a_file_cut_off_anywhere_is_damaged_and_says_where(made: Made, tmp_path: Path) -> None:
    entries, size = entries_of(made), len(made.data)
    cuts = [round(size * part / 20) for part in range(20)] + [1, 29, 45, size - 1, size - 22]
    cuts += [
        at
        for entry in entries.values()
        for at in (entry.offset, entry.offset + 10, entry.data_offset, entry.end - 1)
    ]
    path = tmp_path / "cut.orvault"
    for cut in cuts:
        path.write_bytes(made.data[:cut])
        with pytest.raises(OrvaultError) as caught:
            PackageReader.open(path)
        assert caught.value.kind is ErrorKind.DAMAGED, (cut, str(caught.value))
        assert f"ends after {cut}" in caught.value.message
    path.write_bytes(made.data[: entries[MEDIA_1].end - 5])
    with pytest.raises(OrvaultError, match=r"media/or1\.mp4\.enc"):
        PackageReader.open(path)


def test_what_is_left_of_a_cut_file_can_be_used(made: Made, tmp_path: Path) -> None:
    entries = entries_of(made)
    path = tmp_path / "cut.orvault"
    path.write_bytes(made.data[: entries[MEDIA_1].data_offset + 3 * CHUNK_BYTES])
    with PackageReader.open(path, partial=True) as reader:
        assert reader.damage is not None and reader.damage.kind is ErrorKind.DAMAGED
        reader.verify_label([made.root_der], NOW_US)
        reader.unlock(PASSWORD)
        media = reader.media("or1")
        there = 3 * (CHUNK_BYTES - 16) - 40
        assert media.read(there) == fragmented(CLIP)[:there]
        for reading in (lambda: media.read(1), lambda: reader.media("or2"), reader.verify_all):
            with pytest.raises(OrvaultError) as caught:
                reading()
            assert caught.value.kind is ErrorKind.DAMAGED


@pytest.mark.parametrize(
    "content", [b"hello", b"%PDF-1.7" + bytes(100), bytes(1000), b"PK\x03\x04" + bytes(200)]
)
def test_other_files_are_not_packages(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.file"
    path.write_bytes(content)
    with pytest.raises(OrvaultError) as caught:
        PackageReader.open(path)
    assert caught.value.kind is ErrorKind.NOT_A_PACKAGE
    assert caught.value.where == str(path) and caught.value.advice
    assert ("ZIP" in caught.value.message) is content.startswith(b"PK")


def test_other_zips_folders_and_nothing_are_told_apart(tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "hello")
    for path, kind in (
        (other, ErrorKind.NOT_A_PACKAGE),
        (tmp_path, ErrorKind.NOT_A_PACKAGE),
        (tmp_path / "none", ErrorKind.NOT_FOUND),
        (Path("\0"), ErrorKind.STORAGE),
    ):
        with pytest.raises(OrvaultError) as caught:
            PackageReader.open(path)
        assert caught.value.kind is kind
        assert caught.value.where == str(path) and caught.value.advice


# --- forgeries by someone who can do more than flip bits ---------------------------------------------


def _rebuilt(made: Made, tmp_path: Path, contents: dict[str, bytes]) -> Path:
    """A well-formed frame around changed contents, sizes and check sums all right."""
    with zipfile.ZipFile(made.path) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()} | contents
    entries = frame.lay_out((name, len(data), zlib.crc32(data)) for name, data in files.items())
    path = tmp_path / "rebuilt.orvault"
    parts = [frame.local_header(entry) + files[entry.name] for entry in entries]
    path.write_bytes(b"".join(parts) + frame.directory(entries))
    return path


def test_the_rebuilding_itself_changes_nothing(made: Made, tmp_path: Path) -> None:
    assert _rebuilt(made, tmp_path, {}).read_bytes() == made.data


def test_chunks_rewritten_by_a_recipient_who_has_the_key_are_caught(made: Made, tmp_path: Path) -> None:
    with PackageReader.open(made.path) as reader:
        reader.verify_label([], NOW_US)
        reader.unlock(PASSWORD)
        key = reader._key
    aad = b"orvault/package/v1\npkg-1\nmedia/or1.mp4.enc"
    fake = seal_bytes(bytes(len(fragmented(CLIP))), key, aad, CHUNK_BYTES)
    error = failure_of(_rebuilt(made, tmp_path, {MEDIA_1: fake}), made.root_der)
    assert error.kind is ErrorKind.ALTERED and error.where == MEDIA_1
    crc_kept = bytearray(made.data)
    entry = entries_of(made)[MEDIA_1]
    crc_kept[entry.data_offset : entry.end] = fake
    path = tmp_path / "forged.orvault"
    path.write_bytes(crc_kept)
    error = failure_of(path, made.root_der)
    assert error.kind is ErrorKind.ALTERED and error.where == MEDIA_1 and "Chunk 1 of" in error.message


def test_a_label_signed_by_someone_else_is_not_the_hospitals(made: Made, tmp_path: Path) -> None:
    forged = make_package(tmp_path, name="forged.orvault", who="Other Hospital")
    with PackageReader.open(forged.path) as reader:
        assert not reader.verify_label([made.root_der], NOW_US).pinned


def test_a_node_may_not_sign_packages(tmp_path: Path) -> None:
    _, _, node = hospital()
    with pytest.raises(OrvaultError) as caught:
        PackageBuilder(tmp_path, node, terms())
    assert caught.value.kind is ErrorKind.UNTRUSTED


def test_slots_and_media_of_another_package_do_not_fit(made: Made, tmp_path: Path) -> None:
    other = make_package(tmp_path, name="other.orvault", package_id="pkg-2")
    with zipfile.ZipFile(other.path) as archive:
        files = {name: archive.read(name) for name in (SLOTS, MANIFEST, MEDIA_1, LEAVES_1)}
    for name, data in files.items():
        error = failure_of(_rebuilt(made, tmp_path, {name: data}), made.root_der)
        assert error.kind is ErrorKind.ALTERED and error.where.startswith(name), name


def test_a_slot_can_be_neither_added_nor_repeated_nor_reordered(made: Made, tmp_path: Path) -> None:
    with zipfile.ZipFile(made.path) as archive:
        document = json.loads(archive.read(SLOTS))
    first, second = document["slots"]
    cheaper = {**first, "password": {**first["password"], "iterations": 2}}
    for slots in ([second, first], [first, first], [first, second, second], [cheaper, second], []):
        data = json.dumps(document | {"slots": slots}, sort_keys=True, separators=(",", ":")).encode()
        error = failure_of(_rebuilt(made, tmp_path, {SLOTS: data}), made.root_der)
        assert error.kind is ErrorKind.ALTERED and error.where.startswith(SLOTS)


def test_a_recipient_can_be_dropped_from_a_copy_and_the_rest_holds(made: Made, tmp_path: Path) -> None:
    copy = tmp_path / "copy.orvault"
    thumbprint = password_person().public_key.thumbprint
    copy_without(made.path, copy, [thumbprint])
    with PackageReader.open(copy) as reader:
        assert reader.verify_label([made.root_der], NOW_US).pinned
        assert not reader.wants_password
        reader.unlock(recipient_key())
        reader.verify_all()
    assert failure_of(copy, made.root_der).kind is ErrorKind.NOT_FOR_YOU
    for thumbprints, kind in (
        ([thumbprint], ErrorKind.NOT_FOUND),
        ([recipient_key().public().thumbprint], ErrorKind.BAD_REQUEST),
    ):
        with pytest.raises(OrvaultError) as caught:
            copy_without(copy, tmp_path / "none.orvault", thumbprints)
        assert caught.value.kind is kind
    assert not (tmp_path / "none.orvault").exists()


def test_oversized_lengths_are_refused_before_anything_is_read(made: Made, tmp_path: Path) -> None:
    for name in (LABEL, SLOTS):
        at = entries_of(made)[name].offset + 18

        def huge(data: bytearray, at: int = at) -> None:
            data[at : at + 8] = struct.pack("<II", 0x7FFFFFFF, 0x7FFFFFFF)

        error = failure_of(altered_copy(made, tmp_path, huge), made.root_der)
        assert error.kind is ErrorKind.ALTERED and error.where == name
