"""The first picture of a large package is there after reading its papers and one chunk, not the file."""

from __future__ import annotations

import resource
from pathlib import Path

from benchmarks.first_chunk import CAMERA, CountingFile, make_package, read_to_first_chunk
from orvault.clock import SystemClock
from orvault.container.frame_reader import read_frame
from orvault.container.keys import Recipient, generate_private_key
from orvault.container.package import PackageReader

VIDEO_BYTES = 256 << 20
CHUNK_BYTES = 1 << 20


def test_the_first_verified_chunk_of_a_large_package_needs_little_of_it(tmp_path: Path) -> None:
    key = generate_private_key()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path, root = make_package(tmp_path, VIDEO_BYTES, Recipient("test", key.public()))
    read, _ = read_to_first_chunk(path, root, key)
    # Label, slots, manifest, 32 bytes per chunk, the directory, and one chunk.
    assert CHUNK_BYTES <= read < CHUNK_BYTES + 32 * VIDEO_BYTES // CHUNK_BYTES + (64 << 10)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown << 10 < VIDEO_BYTES // 2, "neither making nor opening it holds it in memory"
    with CountingFile(path) as file, PackageReader(file, read_frame(file, partial=False)) as reader:
        reader.verify_label([], SystemClock().now_us())
        reader.unlock(key)
        media = reader.media(CAMERA)
        media.seek(VIDEO_BYTES - 10)
        before_seek = file.bytes_read
        assert len(media.read()) == 10
        assert file.bytes_read - before_seek <= 2 * CHUNK_BYTES, "seeking to the end reads the end"
