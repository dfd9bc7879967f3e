"""Looks for bytes where nobody should find them: files, files that are open but deleted, and the memory of processes.

Only processes that the tests started are looked into; they all stand still while their memory is copied.
"""

from __future__ import annotations

import base64
import os
import signal
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

PIECE_BYTES = 32 << 20
OVERLAP = 256  # no needle is longer
WORD = 8  # bytes
TABLE_BITS = 20
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd: what words differ in comes up into the high bits (Knuth, 6.4)
PAGE_BYTES = 4096
EMPTY_PAGE = bytes(PAGE_BYTES)
MAX_BYTES = 4 << 30  # of one process or one file: more is no longer a test

Needles = Mapping[str, bytes]


def search(pieces: Iterable[bytes], needles: Needles) -> set[str]:
    """Names of the needles that occur in any of these pieces; all of them are looked for in one pass.

    Memory is read as words of 8 bytes. A needle, wherever it stands, covers one of them whole that begins in one of
    its first 8 bytes: these are looked up, and the needle compared where one is met.
    """
    begins: dict[int, list[tuple[str, int]]] = {}
    for name, needle in needles.items():
        assert len(needle) >= 2 * WORD - 1, f"{name} is too short to cover a word wherever it stands"
        for shift in range(WORD):
            word = int.from_bytes(needle[shift : shift + WORD], "little")
            begins.setdefault(word, []).append((name, shift))
    table = np.zeros(1 << TABLE_BITS, np.bool_)
    table[_in_table(np.array(list(begins), np.uint64))] = True
    found: set[str] = set()
    for piece in pieces:
        words = np.frombuffer(piece, "<u8", len(piece) // WORD)
        for place in np.flatnonzero(table[_in_table(words)]).tolist():
            for name, shift in begins.get(int(words[place]), ()):
                begin = WORD * place - shift
                if begin >= 0 and piece.startswith(needles[name], begin):
                    found.add(name)
    return found


def _in_table(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return (words * SPREAD) >> np.uint64(64 - TABLE_BITS)


def copy_memory(processes: Iterable[psutil.Process], folder: Path) -> dict[Path, str]:
    """Copies of what these processes can write to, of one moment of all of them, and each one's title."""
    folder.mkdir(mode=0o700)
    copies: dict[Path, str] = {}
    titles = {process.pid: " ".join(process.cmdline()) for process in processes}
    with _standing_still(titles):
        for pid, title in titles.items():
            with (folder / str(pid)).open("wb") as copy:
                copy.writelines(_memory(pid))
            copies[folder / str(pid)] = title
    return copies


@contextmanager
def _standing_still(pids: Collection[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _memory(pid: int) -> Iterator[bytes]:
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for start, end in _regions(pid):
            yield from _read(memory.fileno(), start, end)


def _regions(pid: int) -> Iterator[tuple[int, int]]:
    """What it can write to and has touched: reserved address space would read as gigabytes of nothing."""
    writable, start, end, total = False, 0, 0, 0
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        fields = line.split()
        if not fields[0].endswith(":"):
            start, end = (int(number, 16) for number in fields[0].split("-"))
            writable = "w" in fields[1]
        elif fields[0] == "Rss:" and writable and int(fields[1]):
            total += end - start
            assert total < MAX_BYTES, f"process {pid} is too large to be looked into"
            yield start, end


def _read(handle: int, start: int, end: int) -> Iterator[bytes]:
    """Page after page, but for the empty ones: most of a large region was never written to."""
    while start < end:
        try:
            data = os.pread(handle, min(PIECE_BYTES, end - start), start)
        except OSError:
            return  # it cannot be read by anybody (a device's memory)
        if not data:
            return
        for at in range(0, len(data), PAGE_BYTES):
            page = data[at : at + PAGE_BYTES]
            if page != EMPTY_PAGE:
                yield page
        start += len(data)


def in_files(places: Iterable[Path], needles: Needles) -> dict[str, set[str]]:
    """Per needle that was found: the files that hold it. Places are files, or folders with all below them."""
    paths = (path for place in places for path in ([place] if place.is_file() else place.rglob("*")))
    return _where(((str(path), path) for path in paths), needles)


def in_open_files(processes: Iterable[psutil.Process], needles: Needles) -> dict[str, set[str]]:
    """The same for files that these processes hold open, also where the name is gone (Ray's object store)."""
    return _where(_open_files(processes), needles)


def _open_files(processes: Iterable[psutil.Process]) -> Iterator[tuple[str, Path]]:
    seen: set[tuple[int, int]] = set()
    for process in processes:
        try:
            handles = list(Path(f"/proc/{process.pid}/fd").iterdir())
        except OSError:
            continue  # it ended meanwhile
        for handle in handles:
            try:
                target, status = str(handle.readlink()), handle.stat()
            except OSError:
                continue
            if (status.st_dev, status.st_ino) not in seen and not target.startswith("/proc"):
                seen.add((status.st_dev, status.st_ino))
                yield target, handle


def _where(files: Iterable[tuple[str, Path]], needles: Needles) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, path in files:
        for needle in search(_pieces(path), needles):
            found.setdefault(needle, set()).add(name)
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return
        with path.open("rb") as file:
            before = b""
            while data := file.read(PIECE_BYTES):
                yield before + data
                before = data[-OVERLAP:]
                assert file.tell() < MAX_BYTES, path
    except (FileNotFoundError, PermissionError):
        return  # it went while it was looked at


def spelled(name: str, secret: bytes) -> dict[str, bytes]:
    """A secret as it is, in hexadecimal and in base64."""
    return {
        name: secret,
        f"{name}, hexadecimal": secret.hex().encode(),
        f"{name}, base64": base64.b64encode(secret)[: len(secret) * 4 // 3],
    }


def samples(name: str, data: bytes, count: int, length: int = 64) -> dict[str, bytes]:
    """`count` pieces out of `data`, spread over it, that look random and occur once."""
    found: dict[str, bytes] = {}
    for number in range(count):
        at = len(data) * (2 * number + 1) // (2 * count)
        while at + length < len(data):
            piece = data[at : at + length]
            if len(set(piece)) > length // 2 and data.count(piece) == 1:
                found[f"{name}, byte {at}"] = piece
                break
            at += length
    return found
