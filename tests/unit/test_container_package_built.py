"""The builder of packages and their frame: nothing half made, and what other tools read."""

from __future__ import annotations

import io
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from orvault.container import frame
from orvault.container.package import PackageBuilder
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.package_support import made

from .container_support import (
    CHUNK_BYTES,
    CLIP,
    NOW_US,
    Made,
    fragmented,
    hospital,
    media_info,
    password_person,
    terms,
)

__all__ = ["made"]


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
