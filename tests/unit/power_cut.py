"""Disks whose power goes at any moment, for tests of what must be durable."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from orvault.container.wire import Bytes
from orvault.recording.disk import Disk, RealDisk


class PowerCutError(BaseException):
    """Not an Exception: nothing in the product may catch it."""


class DyingDisk:
    """A real disk whose power goes at the n-th act: before it, or (writing) in the middle of it.

    `power_cut` then takes back names that were not synced: all of them, or only the n-th, because a file system is
    free to lose any.
    """

    def __init__(self, die_at: int) -> None:
        self._real, self._left = RealDisk(), die_at
        self._unsynced: list[tuple[Path, Callable[[], object]]] = []

    def _act(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise PowerCutError

    def _restore(self, path: Path) -> Callable[[], object]:
        if not path.exists():
            return lambda: path.unlink(missing_ok=True)
        data = path.read_bytes()
        return lambda: path.write_bytes(data)

    def make_folder(self, folder: Path) -> None:
        self._act()
        self._real.make_folder(folder)

    def write(self, path: Path, *pieces: Bytes) -> None:
        self._unsynced.append((path.parent, self._restore(path)))
        if self._left == 0:
            data = b"".join(pieces)
            path.write_bytes(data[: len(data) // 2])
        self._act()
        self._real.write(path, *pieces)

    def publish(self, part: Path, final: Path) -> None:
        self._act()
        self._unsynced.append((final.parent, self._restore(final)))
        os.link(part, final)
        self._act()
        part.unlink()

    def replace(self, part: Path, final: Path) -> None:
        self._act()
        self._unsynced.append((final.parent, self._restore(final)))
        self._real.replace(part, final)

    def remove(self, path: Path) -> None:
        self._act()
        if path.exists():
            self._unsynced.append((path.parent, self._restore(path)))
        self._real.remove(path)

    def sync(self, folder: Path) -> None:
        self._act()
        self._unsynced = [(where, undo) for where, undo in self._unsynced if where != folder]

    def free(self, folder: Path) -> int:
        return self._real.free(folder)

    def power_cut(self, lose: int | None) -> None:
        lost = self._unsynced if lose is None else self._unsynced[lose : lose + 1]
        for _, undo in reversed(lost):
            undo()


def each_power_cut(act: Callable[[Disk], object], prepare: Callable[[], object]) -> Iterator[bool]:
    """Runs `act` on disks that die one act later each time, until it completes; yields whether it did."""
    nothing = 99
    for lose in (nothing, None, 0, 1, 2, 3):
        for die_at in range(100):
            prepare()
            disk = DyingDisk(die_at)
            try:
                act(disk)
            except PowerCutError:
                disk.power_cut(lose)
                yield False
                continue
            disk.power_cut(lose)
            yield True
            break
        else:
            raise AssertionError("it never completes")


class KillingDisk(RealDisk):
    """A real disk whose process is killed before the n-th act."""

    def __init__(self, die_at: int) -> None:
        self._left = die_at

    def _act(self) -> None:
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, path: Path, *pieces: Bytes) -> None:
        self._act()
        super().write(path, *pieces)

    def publish(self, part: Path, final: Path) -> None:
        self._act()
        super().publish(part, final)

    def replace(self, part: Path, final: Path) -> None:
        self._act()
        super().replace(part, final)

    def remove(self, path: Path) -> None:
        self._act()
        super().remove(path)

    def sync(self, folder: Path) -> None:
        self._act()
        super().sync(folder)


def each_kill(act: Callable[[Disk], object], prepare: Callable[[], object]) -> Iterator[bool]:
    """Runs `act` in processes that are killed one act later each time, until one completes; yields whether it did."""
    for die_at in range(200):
        prepare()
        child = os.fork()
        if child == 0:
            try:
                act(KillingDisk(die_at))
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        completed = os.WIFEXITED(status)
        assert not completed or os.WEXITSTATUS(status) == 0, "it failed for another reason"
        yield completed
        if completed:
            return
    raise AssertionError("it never completes")
