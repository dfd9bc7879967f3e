"""python -m benchmarks.sealing: the sealed stream against the bare cipher, same chunks, same run.

The bare cipher is AES-256-GCM of `cryptography`, called in its fastest way for each chunk: key set up once, output
into one buffer that is used again. The stream does all its work on top: nonces, headers, holding back the last chunk,
bounds, finding chunks again. Both read from and write to memory. A ratio of 1 means the format costs nothing.
Repeats alternate, so that a slow moment of the machine meets both; ratios are taken between neighbours, and the
median counts.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks import report
from orvault.container.stream import CHUNK_BYTES, MemorySource, OpeningReader, SealingWriter
from orvault.container.wire import HEADER_BYTES, TAG_BYTES

TOTAL_BYTES = 256 << 20
REPEATS = 9
GOAL = 0.9
READ_BYTES = 16 << 20  # a reader that takes much at once and cares for no chunk; told for information
SMALL_BYTES = 64 << 10  # a muxer's writes; told for information
KEY, AAD = bytes(range(32)), b"benchmark"


class _Last:
    """A sink that keeps nothing: what happens to ciphertext is not the stream's cost."""

    def write(self, data: memoryview, /) -> None:
        """Take a chunk."""


def plaintext_chunks(plaintext: memoryview) -> list[memoryview]:
    """The very stretches that the stream seals chunk by chunk."""
    first = CHUNK_BYTES - TAG_BYTES - HEADER_BYTES
    starts = [0, *range(first, len(plaintext), CHUNK_BYTES - TAG_BYTES)]
    return [plaintext[start:end] for start, end in zip(starts, [*starts[1:], len(plaintext)], strict=True)]


def main() -> int:
    """Measure, report, and return the exit code."""
    report.note(
        f"Sealing and opening {TOTAL_BYTES >> 20} MiB in chunks of {CHUNK_BYTES >> 10} KiB, {REPEATS} repeats"
    )
    plaintext = memoryview(os.urandom(TOTAL_BYTES))
    chunks = plaintext_chunks(plaintext)
    cipher, nonces = AESGCM(KEY), [index.to_bytes(12, "big") for index in range(len(chunks))]
    buffer = memoryview(bytearray(CHUNK_BYTES))
    sealed_bare = [cipher.encrypt(nonce, chunk, None) for nonce, chunk in zip(nonces, chunks, strict=True)]
    sealed, large = _sealed(plaintext), bytearray(READ_BYTES)

    def bare_seal() -> None:
        for nonce, chunk in zip(nonces, chunks, strict=True):
            cipher.encrypt_into(nonce, chunk, None, buffer[: len(chunk) + TAG_BYTES])

    def bare_open() -> None:
        for nonce, chunk in zip(nonces, sealed_bare, strict=True):
            cipher.decrypt_into(nonce, chunk, None, buffer[: len(chunk) - TAG_BYTES])

    def seal(step: int = TOTAL_BYTES) -> None:
        with SealingWriter(_Last(), KEY, AAD) as writer:
            for start in range(0, TOTAL_BYTES, step):
                writer.write(plaintext[start : start + step])

    def unseal() -> None:
        reader = OpeningReader(MemorySource(sealed), KEY, AAD)
        while reader.readinto1(buffer):
            pass

    def unseal_at_large() -> None:
        reader = OpeningReader(MemorySource(sealed), KEY, AAD)
        while reader.readinto(large):
            pass

    seal_ratio, seal_gib = _compare(bare_seal, seal, "sealing")
    open_ratio, open_gib = _compare(bare_open, unseal, "opening")
    small_ratio, _ = _compare(bare_seal, lambda: seal(SMALL_BYTES), "sealing small writes")
    large_ratio, _ = _compare(bare_open, unseal_at_large, "opening large reads")
    fields = {
        "seal_ratio": seal_ratio,
        "open_ratio": open_ratio,
        "seal_gib_per_s": seal_gib,
        "open_gib_per_s": open_gib,
        "small_writes_seal_ratio": small_ratio,
        "large_reads_open_ratio": large_ratio,
        "chunk_bytes": CHUNK_BYTES,
        "total_bytes": TOTAL_BYTES,
        "repeats": REPEATS,
    }
    ok = seal_ratio >= GOAL and open_ratio >= GOAL
    return report.finish(
        "sealing", fields, f"seal_ratio >= {GOAL} and open_ratio >= {GOAL}", ok, libraries=["cryptography"]
    )


def _sealed(plaintext: memoryview) -> bytearray:
    sealed = bytearray()

    class Collect:
        def write(self, data: memoryview, /) -> None:
            sealed.extend(data)

    with SealingWriter(Collect(), KEY, AAD) as writer:
        writer.write(plaintext)
    return sealed


def _compare(bare: Callable[[], None], ours: Callable[[], None], what: str) -> tuple[float, float]:
    """Median ratio of speeds (ours to bare), and our median speed in GiB/s. One unmeasured round warms both up."""
    bare()
    ours()
    ratios, speeds = [], []
    for repeat in report.steps(range(REPEATS), what.capitalize()):
        order = (bare, ours) if repeat % 2 else (ours, bare)
        took = {run: _timed(run) for run in order}
        ratios.append(took[bare] / took[ours])
        speeds.append(TOTAL_BYTES / took[ours] / 2**30)
    return round(statistics.median(ratios), 3), round(statistics.median(speeds), 2)


def _timed(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
