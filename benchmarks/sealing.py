"""python -m benchmarks.sealing: the sealed stream against the bare cipher, same chunks, same run.

The bare cipher is AES-256-GCM of `cryptography`, called in its fastest way for each chunk: key set up once, output
into one buffer that is used again. The stream does all its work on top: nonces, headers, holding back the last chunk,
bounds, finding chunks again. Both read from and write to memory. A ratio of 1 means the format costs nothing.
Repeats alternate, so that a slow moment of the machine meets both; processor time is taken, and the best of each
side counts: what other programs do meanwhile is not the format's cost.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks import report
from orvault.container.stream import CHUNK_BYTES, MemorySource, OpeningReader, SealingWriter, seal_bytes
from orvault.container.wire import HEADER_BYTES, TAG_BYTES

TOTAL_BYTES = 128 << 20
REPEATS = 24
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


class Bench:
    """Both sides over the same plaintext."""

    def __init__(self) -> None:
        self.plaintext = memoryview(os.urandom(TOTAL_BYTES))
        self.chunks = plaintext_chunks(self.plaintext)
        self.cipher = AESGCM(KEY)
        self.nonces = [index.to_bytes(12, "big") for index in range(len(self.chunks))]
        pairs = zip(self.nonces, self.chunks, strict=True)
        self.sealed_bare = [self.cipher.encrypt(nonce, chunk, None) for nonce, chunk in pairs]
        self.sealed = seal_bytes(self.plaintext, KEY, AAD)
        self.buffer = memoryview(bytearray(CHUNK_BYTES))
        self.large = bytearray(READ_BYTES)

    def bare_seal(self) -> None:
        """The cipher alone."""
        for nonce, chunk in zip(self.nonces, self.chunks, strict=True):
            self.cipher.encrypt_into(nonce, chunk, None, self.buffer[: len(chunk) + TAG_BYTES])

    def bare_open(self) -> None:
        """The cipher alone."""
        for nonce, chunk in zip(self.nonces, self.sealed_bare, strict=True):
            self.cipher.decrypt_into(nonce, chunk, None, self.buffer[: len(chunk) - TAG_BYTES])

    def seal(self, step: int = TOTAL_BYTES) -> None:
        """The stream, written in pieces of `step` bytes."""
        with SealingWriter(_Last(), KEY, AAD) as writer:
            for start in range(0, TOTAL_BYTES, step):
                writer.write(self.plaintext[start : start + step])

    def unseal(self) -> None:
        """The stream, chunk by chunk."""
        reader = OpeningReader(MemorySource(self.sealed), KEY, AAD)
        while reader.readinto1(self.buffer):
            pass

    def unseal_at_large(self) -> None:
        """The stream, read as a file in large pieces."""
        reader = OpeningReader(MemorySource(self.sealed), KEY, AAD)
        while reader.readinto(self.large):
            pass


def main() -> int:
    """Measure, report, and return the exit code."""
    report.note(f"{TOTAL_BYTES >> 20} MiB in chunks of {CHUNK_BYTES >> 10} KiB, {REPEATS} repeats")
    bench = Bench()
    seal_ratio, seal_gib = _compare(bench.bare_seal, bench.seal, "Sealing")
    open_ratio, open_gib = _compare(bench.bare_open, bench.unseal, "Opening")
    small_ratio, _ = _compare(bench.bare_seal, lambda: bench.seal(SMALL_BYTES), "Sealing small writes")
    large_ratio, _ = _compare(bench.bare_open, bench.unseal_at_large, "Opening large reads")
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
    goal = f"seal_ratio >= {GOAL} and open_ratio >= {GOAL}"
    return report.finish("sealing", fields, goal, ok, libraries=["cryptography"])


def _compare(bare: Callable[[], None], ours: Callable[[], None], what: str) -> tuple[float, float]:
    """Ratio of the best speeds (ours to bare), and our best in GiB/s. One unmeasured round warms both up."""
    bare()
    ours()
    best = {bare: math.inf, ours: math.inf}
    for repeat in report.steps(range(REPEATS), what):
        for run in (bare, ours) if repeat % 2 else (ours, bare):
            best[run] = min(best[run], _timed(run))
    return round(best[bare] / best[ours], 3), round(TOTAL_BYTES / best[ours] / 2**30, 2)


def _timed(run: Callable[[], None]) -> float:
    started = time.thread_time()
    run()
    return time.thread_time() - started


if __name__ == "__main__":
    sys.exit(main())
