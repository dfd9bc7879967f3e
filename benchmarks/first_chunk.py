"""python -m benchmarks.first_chunk: how much of a 2 GB package is read until its first verified bytes of video.

The package is real and made by the product's builder, from noise; what is read is counted at the file, below the
reader. Needs twice its size of disk for the time of the run, and a few megabytes of memory.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report
from orvault.clock import US_PER_S, SystemClock
from orvault.container.frame_reader import read_frame
from orvault.container.keys import Recipient, generate_private_key
from orvault.container.package import MediaInfo, PackageBuilder, PackageReader, PackageTerms
from orvault.container.trust import Identity, create_root, issue

TOTAL_BYTES = 2_000_000_000
PIECE_BYTES = 1 << 20
FIRST_BYTES = 4_096
GOAL = 0.01  # of the file
CAMERA = "or1"


class CountingFile(io.FileIO):
    """A file that counts the bytes read from it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "rb")
        self.bytes_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file does."""
        data = super().read(-1 if size is None else size) or b""
        self.bytes_read += len(data)
        return data


def make_package(folder: Path, video_bytes: int, recipient: Recipient) -> tuple[Path, Identity]:
    """A package of one camera with so many bytes of noise, and the root that it was issued under."""
    clock = SystemClock()
    root = create_root("Benchmark root", clock)
    now, out = clock.now_us(), folder / "large.orvault"
    terms = PackageTerms(
        package_id="pkg-large", request_id="req-1", case_id="case-1", purpose="benchmark", legal_basis="none",
        recipients=("benchmark",), terms_text="none", masking="none", watermark="none", not_before_us=now,
        not_after_us=now + 86_400 * US_PER_S, issued_us=now,
    )  # fmt: skip
    noise = os.urandom(PIECE_BYTES)
    with PackageBuilder(folder, issue(root, "Benchmark", "export-server", clock, 2), terms) as builder:
        with builder.media_sink(CAMERA) as sink:
            for start in report.steps(range(0, video_bytes, PIECE_BYTES), "Making a package"):
                sink.write(memoryview(noise)[: min(PIECE_BYTES, video_bytes - start)])
        info = MediaInfo(CAMERA, "Large", 1920, 1080, 30.0, 1, now, now + US_PER_S)
        builder.finish(out, [info], [recipient])
    return out, root


def read_to_first_chunk(path: Path, root: Identity, secret: object) -> tuple[int, float]:
    """Bytes read and seconds spent until the first verified bytes of video."""
    started = time.perf_counter()
    with CountingFile(path) as file, PackageReader(file, read_frame(file, partial=False)) as reader:
        assert reader.verify_label([root.certificate_der], SystemClock().now_us()).pinned
        reader.unlock(secret)  # type: ignore[arg-type]
        assert len(reader.media(CAMERA).read(FIRST_BYTES)) == FIRST_BYTES
        return file.bytes_read, time.perf_counter() - started


def main() -> int:
    """Measure, report, and return the exit code."""
    key = generate_private_key()
    with tempfile.TemporaryDirectory() as folder:
        path, root = make_package(Path(folder), TOTAL_BYTES, Recipient("benchmark", key.public()))
        size = path.stat().st_size
        read, seconds = read_to_first_chunk(path, root, key)
    fields = {
        "package_bytes": size,
        "bytes_read": read,
        "share_read": round(read / size, 6),
        "seconds": round(seconds, 3),
    }
    goal = f"share_read <= {GOAL}"
    return report.finish("first_chunk", fields, goal, read / size <= GOAL, libraries=["cryptography"])


if __name__ == "__main__":
    sys.exit(main())
