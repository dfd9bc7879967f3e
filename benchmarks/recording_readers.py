"""Readers of stored footage, the load beside the recording: each verifies and opens sealed segments at real pace.

Its standard input is the footage's private key (a line of base64), and its end is the end of the reading; then it
prints how many pictures were opened, and in how many seconds. Started by `benchmarks.recording`.

    python -m benchmarks.recording_readers SEGMENTS CERTIFICATE READERS
"""

from __future__ import annotations

import base64
import sys
import threading
import time
from itertools import cycle
from pathlib import Path

from orvault.container.enrolment import read_certificate
from orvault.container.keys import Kem, PrivateKey, decode_slots
from orvault.container.segment import open_segment, unwrap_dek, verify_segment


class Reader(threading.Thread):
    """One viewer: a segment at a time, each no sooner than its pictures are due."""

    def __init__(self, segments: list[Path], key: PrivateKey, certificate: bytes) -> None:
        super().__init__(daemon=True)
        self._segments, self._key, self._certificate = segments, key, certificate
        self.pictures = 0
        self.end = threading.Event()

    def run(self) -> None:
        """Read on until told to end."""
        due = time.monotonic()
        for path in cycle(self._segments):
            if self.end.wait(max(0.0, due - time.monotonic())):
                return
            due += self._open(path)

    def _open(self, path: Path) -> float:
        """Verify and open one segment; how many seconds it lasts."""
        data = path.read_bytes()
        header = verify_segment(data, self._certificate)
        slots = decode_slots(path.with_suffix(".slots").read_bytes(), where=path.name)
        open_segment(data, unwrap_dek(slots, self._key, header))
        self.pictures += header.meta.frames
        return (header.meta.end_us - header.meta.start_us) / 1e6


def main() -> None:
    """Read until the input ends."""
    folder, certificate, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    key = PrivateKey(Kem.MLKEM768_X25519, base64.b64decode(sys.stdin.readline()))
    segments = sorted(folder.rglob("*.seg"))
    crew = [
        Reader(segments[at % len(segments) :] + segments, key, read_certificate(certificate))
        for at in range(count)
    ]
    began = time.monotonic()
    for reader in crew:
        reader.start()
    sys.stdin.read()
    lasted = time.monotonic() - began
    for reader in crew:
        reader.end.set()
    for reader in crew:
        reader.join()
    print(sum(reader.pictures for reader in crew), lasted)


if __name__ == "__main__":
    main()
