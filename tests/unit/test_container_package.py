"""Export packages: built and read by the product itself, and every class of forgery and damage."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest

from orvault.container import frame
from orvault.container.frame_reader import read_frame
from orvault.container.keys import Recipient, generate_private_key
from orvault.container.label import LABEL, MANIFEST, SLOTS
from orvault.container.package import PackageBuilder, PackageReader, copy_without
from orvault.container.stream import seal_bytes
from orvault.errors import ErrorKind, OrvaultError

from .container_support import (
    CHEAP,
    CHUNK_BYTES,
    CLIP,
    DAY_US,
    NOW_US,
    OTHER_CLIP,
    PASSWORD,
    Made,
    fragmented,
    hospital,
    make_package,
    media_info,
    password_person,
    recipient_key,
    terms,
)

MEDIA_1 = "media/or1.mp4.enc"
LEAVES_1 = "media/or1.leaves"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_package(tmp_path_factory.mktemp("package"))


def _verdict(path: Path, root: bytes, secret: object = PASSWORD, now_us: int = NOW_US) -> OrvaultError:
    """The error that a full verification of a package ends with."""
    with pytest.raises(OrvaultError) as caught, PackageReader.open(path) as reader:
        reader.verify_label([root], now_us)
        reader.unlock(secret)  # type: ignore[arg-type]
        reader.verify_all()
    return caught.value


def _altered(made: Made, tmp_path: Path, change: Callable[[bytearray], object]) -> Path:
    data = bytearray(made.data)
    change(data)
    path = tmp_path / "altered.orvault"
    path.write_bytes(data)
    return path


def _entries(made: Made) -> dict[str, frame.Entry]:
    with PackageReader.open(made.path) as reader:
        return dict(reader._frame.entries)


@pytest.mark.parametrize("secret", [PASSWORD, recipient_key()])
def test_each_recipient_opens_it_and_every_camera_plays(made: Made, secret: object) -> None:
    with PackageReader.open(made.path) as reader:
        issuer = reader.verify_label([made.root_der], NOW_US)
        assert issuer.pinned and issuer.name == "Seoul Hospital export"
        manifest = reader.unlock(secret)  # type: ignore[arg-type]
        assert manifest is reader.manifest
        assert manifest.terms == terms()
        assert manifest.media == (media_info("or1", CLIP), media_info("or2", OTHER_CLIP))
        for camera_id, clip in (("or1", CLIP), ("or2", OTHER_CLIP)):
            assert reader.media(camera_id).read() == fragmented(clip)
            with av.open(reader.media(camera_id), format="mp4") as container:
                frames = sum(1 for _ in container.decode(video=0))
            assert frames == media_info(camera_id, clip).frames > 100
        steps: list[tuple[int, int]] = []
        reader.verify_all(lambda done, total: steps.append((done, total)))
        assert steps[-1][0] == steps[-1][1] > CLIP.stat().st_size
        assert len(steps) > 10 and steps == sorted(steps)


def test_everything_but_the_opening_is_checked_without_a_secret(made: Made, tmp_path: Path) -> None:
    with PackageReader.open(made.path) as reader:
        reader.verify_label([], NOW_US)
        reader.verify_all()
    place = _entries(made)["media/or2.mp4.enc"].end - 1
    path = _altered(made, tmp_path, lambda data: data.__setitem__(place, data[place] ^ 1))
    with PackageReader.open(path) as reader:
        reader.verify_label([], NOW_US)
        with pytest.raises(OrvaultError) as caught:
            reader.verify_all()
    assert caught.value.kind is ErrorKind.ALTERED and caught.value.where == "media/or2.mp4.enc"


class _Counting(io.BytesIO):
    """A file that knows how many bytes were taken from it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_the_first_picture_needs_the_papers_and_one_chunk_not_the_file(made: Made) -> None:
    file = _Counting(made.data)
    with PackageReader(file, read_frame(file, partial=False)) as reader:
        reader.verify_label([made.root_der], NOW_US)
        reader.unlock(PASSWORD)
        assert reader.media("or1").read(1000) == fragmented(CLIP)[:1000]
    media = sum(camera.media.bytes for camera in reader.label.cameras)
    assert file.taken < len(made.data) - media + CHUNK_BYTES + 6 * 1024 < len(made.data) / 4


def test_the_order_of_steps_is_enforced(made: Made) -> None:
    with PackageReader.open(made.path) as reader:
        for early in (
            lambda: reader.unlock(PASSWORD),
            lambda: reader.manifest,
            lambda: reader.media("or1"),
            reader.verify_all,
        ):
            with pytest.raises(OrvaultError) as caught:
                early()
            assert caught.value.kind is ErrorKind.CONFLICT
        reader.verify_label([], NOW_US)
        reader.unlock(PASSWORD)
        with pytest.raises(OrvaultError) as caught:
            reader.media("or9")
        assert caught.value.kind is ErrorKind.NOT_FOUND and "or1, or2" in str(caught.value)


def test_any_zip_tool_lists_it(made: Made) -> None:
    with zipfile.ZipFile(made.path) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
        assert [info.filename for info in infos] == [
            LABEL, SLOTS, MANIFEST, LEAVES_1, MEDIA_1, "media/or2.leaves", "media/or2.mp4.enc",
        ]  # fmt: skip
        assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
        assert all(info.flag_bits == 0 for info in infos)


def test_the_clear_part_names_no_one_and_nothing_clear_is_in_it(made: Made) -> None:
    text = json.dumps(_clear_payload(made)) + made.data[: _entries(made)[MANIFEST].offset].decode("latin-1")
    for word in ("Kim ", "Court", "case-1", "req-1", "court order", PASSWORD):
        assert word not in text
    assert b"ftyp" not in made.data and fragmented(CLIP)[1000:1032] not in made.data


def _clear_payload(made: Made) -> dict[str, object]:
    import base64

    with zipfile.ZipFile(made.path) as archive:
        envelope = json.loads(archive.read(LABEL))
    payload: dict[str, object] = json.loads(base64.b64decode(envelope["payload"]))
    return payload


def test_an_unknown_root_makes_it_intact_but_not_pinned(made: Made) -> None:
    other_root, _, _ = hospital("Other Hospital")
    with PackageReader.open(made.path) as reader:
        assert not reader.verify_label([other_root.certificate_der], NOW_US).pinned
        reader.unlock(PASSWORD)
        reader.verify_all()


def test_time_is_checked_before_any_secret_is_asked_for(made: Made) -> None:
    late = _verdict(made.path, made.root_der, now_us=NOW_US + 30 * DAY_US)
    assert late.kind is ErrorKind.EXPIRED and "2027" in late.message
    early = _verdict(made.path, made.root_der, now_us=NOW_US - 1)
    assert early.kind is ErrorKind.NOT_YET_VALID
    with PackageReader.open(made.path) as reader:
        assert reader.verify_label([], NOW_US + 30 * DAY_US - 1)


def test_wrong_secrets_are_told_apart(made: Made, tmp_path: Path) -> None:
    assert _verdict(made.path, made.root_der, "not the password").kind is ErrorKind.WRONG_PASSWORD
    assert _verdict(made.path, made.root_der, generate_private_key()).kind is ErrorKind.NOT_FOR_YOU
    keys_only = make_package(tmp_path, recipients=(Recipient("Court", recipient_key().public()),))
    error = _verdict(keys_only.path, made.root_der, PASSWORD)
    assert error.kind is ErrorKind.NOT_FOR_YOU and "key file" in str(error)
    assert PASSWORD not in str(error)


# --- altered bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [LABEL, SLOTS, MANIFEST, LEAVES_1, MEDIA_1])
@pytest.mark.parametrize("place", ["header", "size", "crc", "first", "middle", "last"])
def test_a_flipped_bit_is_an_alteration_that_names_the_entry(
    made: Made, tmp_path: Path, name: str, place: str
) -> None:
    entry = _entries(made)[name]
    at = {
        "header": entry.offset + 6,
        "size": entry.offset + 18,
        "crc": entry.offset + 14,
        "first": entry.data_offset,
        "middle": entry.data_offset + entry.bytes // 2,
        "last": entry.end - 1,
    }[place]
    error = _verdict(_altered(made, tmp_path, lambda data: data.__setitem__(at, data[at] ^ 1)), made.root_der)
    assert error.kind is ErrorKind.ALTERED, str(error)
    assert error.where.startswith(name)


def test_every_byte_of_the_papers_and_the_frame_counts(made: Made, tmp_path: Path) -> None:
    entries = _entries(made)
    media = [entry for name, entry in entries.items() if name.endswith(".mp4.enc")]
    inside = [range(entry.data_offset, entry.end) for entry in media]
    places = [at for at in range(len(made.data)) if not any(at in each for each in inside)]
    assert len(places) > 9_000
    for at in places[::29] + places[-200:]:
        path = _altered(made, tmp_path, lambda data, at=at: data.__setitem__(at, data[at] ^ 0x08))  # type: ignore[misc]
        with pytest.raises(OrvaultError) as caught, PackageReader.open(path) as reader:
            reader.verify_label([made.root_der], NOW_US)
        assert caught.value.kind is ErrorKind.ALTERED, (at, str(caught.value))


def test_a_flipped_bit_in_the_directory_is_found(made: Made, tmp_path: Path) -> None:
    start = _entries(made)["media/or2.mp4.enc"].end
    error = _verdict(_altered(made, tmp_path, lambda data: data.__setitem__(start, 0)), made.root_der)
    assert error.kind is ErrorKind.ALTERED and error.where == "ZIP directory"


def test_appended_bytes_are_an_alteration(made: Made, tmp_path: Path) -> None:
    error = _verdict(
        _altered(made, tmp_path, lambda data: data.extend(b"PK\x05\x06" + bytes(18))), made.root_der
    )
    assert error.kind is ErrorKind.ALTERED and "22 bytes were appended" in error.message


def test_a_file_cut_off_anywhere_is_damaged_and_says_where(made: Made, tmp_path: Path) -> None:
    entries, size = _entries(made), len(made.data)
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
    entries = _entries(made)
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
    error = _verdict(_rebuilt(made, tmp_path, {MEDIA_1: fake}), made.root_der)
    assert error.kind is ErrorKind.ALTERED and error.where == MEDIA_1
    crc_kept = bytearray(made.data)
    entry = _entries(made)[MEDIA_1]
    crc_kept[entry.data_offset : entry.end] = fake
    path = tmp_path / "forged.orvault"
    path.write_bytes(crc_kept)
    error = _verdict(path, made.root_der)
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
        error = _verdict(_rebuilt(made, tmp_path, {name: data}), made.root_der)
        assert error.kind is ErrorKind.ALTERED and error.where.startswith(name), name


def test_a_slot_can_be_neither_added_nor_repeated_nor_reordered(made: Made, tmp_path: Path) -> None:
    with zipfile.ZipFile(made.path) as archive:
        document = json.loads(archive.read(SLOTS))
    first, second = document["slots"]
    cheaper = {**first, "password": {**first["password"], "iterations": 2}}
    for slots in ([second, first], [first, first], [first, second, second], [cheaper, second], []):
        data = json.dumps(document | {"slots": slots}, sort_keys=True, separators=(",", ":")).encode()
        error = _verdict(_rebuilt(made, tmp_path, {SLOTS: data}), made.root_der)
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
    assert _verdict(copy, made.root_der).kind is ErrorKind.NOT_FOR_YOU
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
        at = _entries(made)[name].offset + 18

        def huge(data: bytearray, at: int = at) -> None:
            data[at : at + 8] = struct.pack("<II", 0x7FFFFFFF, 0x7FFFFFFF)

        error = _verdict(_altered(made, tmp_path, huge), made.root_der)
        assert error.kind is ErrorKind.ALTERED and error.where == name


# --- the builder -------------------------------------------------------------------------------------


def test_the_builder_refuses_what_is_not_whole(tmp_path: Path) -> None:
    _, server, _ = hospital()
    out = tmp_path / "out.orvault"
    info, people = media_info("or1", CLIP), [password_person()]
    with PackageBuilder(tmp_path, server, terms()) as builder:
        with pytest.raises(OrvaultError, match="not those"):
            builder.finish(out, [info], people)
        sink = builder.media_sink("or1")
        sink.write(b"x")
        with pytest.raises(OrvaultError, match="not finished"):
            builder.finish(out, [info], people)
        for name in ("or1", "OR1"):
            with pytest.raises(OrvaultError) as caught:
                builder.media_sink(name)
            assert caught.value.kind is ErrorKind.CONFLICT
        sink.close()
        for wrong in (
            [],
            [replace(info, camera_id="or2")],
            [replace(info, title="a\nb")],
            [replace(info, width=0)],
        ):
            with pytest.raises(OrvaultError):
                builder.finish(out, wrong, people)
        for nobody in ([], [password_person()] * 17):
            with pytest.raises(OrvaultError) as caught:
                builder.finish(out, [info], nobody)
            assert caught.value.kind is ErrorKind.BAD_REQUEST
    assert list(tmp_path.iterdir()) == [], "work files were left behind"


def test_a_sink_given_up_cannot_be_packed(tmp_path: Path) -> None:
    _, server, _ = hospital()
    with PackageBuilder(tmp_path, server, terms()) as builder:
        with pytest.raises(RuntimeError), builder.media_sink("or1") as sink:
            sink.write(b"half")
            raise RuntimeError
        with pytest.raises(OrvaultError, match="not finished"):
            builder.finish(tmp_path / "out", [media_info("or1", CLIP)], [password_person()])


@pytest.mark.parametrize(
    "change",
    [
        {"package_id": "a b"},
        {"recipients": ()},
        {"not_after_us": NOW_US},
        {"terms_text": "bell \x07"},
        {"issued_us": -1},
    ],
)
def test_terms_outside_the_format_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    _, server, _ = hospital()
    with pytest.raises(OrvaultError) as caught:
        PackageBuilder(tmp_path, server, terms(**change))
    assert caught.value.kind is ErrorKind.BAD_REQUEST


@pytest.mark.parametrize("camera_id", ["", "../x", "a/b", "a.b", "x" * 65, "카메라"])
def test_camera_ids_that_could_trick_a_path_are_refused(tmp_path: Path, camera_id: str) -> None:
    _, server, _ = hospital()
    with PackageBuilder(tmp_path, server, terms()) as builder, pytest.raises(OrvaultError) as caught:
        builder.media_sink(camera_id)
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_nothing_clear_is_on_disk_while_it_is_built(tmp_path: Path) -> None:
    _, server, _ = hospital()
    clip = fragmented(CLIP)
    with PackageBuilder(tmp_path, server, terms(), CHUNK_BYTES) as builder:
        sink = builder.media_sink("or1")
        sink.write(clip)
        (work,) = tmp_path.iterdir()
        found = work.read_bytes()
        assert len(found) > len(clip) // 2
        assert all(clip[at : at + 24] not in found for at in range(0, len(clip), 10_000))


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    _, server, _ = hospital()
    with PackageBuilder(tmp_path / "none", server, terms()) as builder, pytest.raises(OrvaultError) as caught:
        builder.media_sink("or1")
    assert caught.value.kind is ErrorKind.STORAGE


# --- the frame ---------------------------------------------------------------------------------------


def test_frames_of_four_gigabytes_and_more_are_what_zipfile_reads() -> None:
    """The headers alone, in a sparse pretend file: the standard library reads the ZIP64 sizes and offsets."""
    big = 5 << 30
    entries = frame.lay_out([("label.json", 10, 1), ("media/a.mp4.enc", big, 2), ("media/b.mp4.enc", 7, 3)])
    tail = frame.directory(entries)
    start = entries[-1].end

    class Sparse(io.RawIOBase):
        position = 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def tell(self) -> int:
            return self.position

        def seek(self, offset: int, whence: int = 0) -> int:
            base = {0: 0, 1: self.position, 2: start + len(tail)}[whence]
            self.position = base + offset
            return self.position

        def read(self, size: int = -1) -> bytes:
            size = start + len(tail) - self.position if size < 0 else size
            assert self.position >= start, "the reader looks at the directory only"
            found = tail[self.position - start : self.position - start + size]
            self.position += len(found)
            return found

    with zipfile.ZipFile(Sparse()) as archive:  # type: ignore[arg-type]
        infos = {info.filename: info for info in archive.infolist()}
    assert infos["media/a.mp4.enc"].file_size == big == infos["media/a.mp4.enc"].compress_size
    assert infos["media/b.mp4.enc"].header_offset == entries[2].offset > 1 << 32
    header = frame.local_header(entries[1])
    assert len(header) == 30 + len("media/a.mp4.enc") + 20 and header[4] == 45


def test_unzip_agrees(made: Made) -> None:
    try:
        result = subprocess.run(["unzip", "-tq", str(made.path)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unzip is not installed")
    assert result.returncode == 0, result.stdout + result.stderr


def test_cheap_passwords_are_for_tests_only() -> None:
    assert CHEAP.memory_kib < 64 * 1024 <= type(CHEAP)().memory_kib
