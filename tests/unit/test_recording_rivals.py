"""Two writers of one segment, one who cleans meanwhile, and a disk without room: nobody loses what was promised."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from orvault.container.keys import PrivateKey
from orvault.container.segment import (
    SealedSegment,
    SegmentSigner,
    open_segment,
    seal_content,
    unwrap_dek,
)
from orvault.container.wire import Bytes
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import PART, RealDisk
from orvault.recording.records import SegmentRecord
from orvault.recording.store import SegmentStore
from tests.unit.power_cut import PowerCutError
from tests.unit.store_support import NODE, RUN, case_key, everything_below, root, sealed

__all__ = ["case_key", "root", "sealed"]


@dataclass
class RacingDisk(RealDisk):
    """Another writer, who must not be there, is faster by a moment: at the file with this ending."""

    ending: str
    other: Callable[[], object]

    def publish(self, part: Path, final: Path) -> None:
        if final.suffix == self.ending:
            self.other()
        super().publish(part, final)


@dataclass
class CleanedDisk(RealDisk):
    """Another, who must not be there, acts between the slots' name and the segment's file."""

    other: Callable[[], object]

    def write(self, path: Path, *pieces: Bytes) -> None:
        if ".seg" in path.suffixes:
            self.other()
        super().write(path, *pieces)


class StoppedDisk(RealDisk):
    """Its writer is not let on before its segment has a name."""

    def publish(self, part: Path, final: Path) -> None:
        if final.suffix == ".seg":
            raise PowerCutError
        super().publish(part, final)


@pytest.fixture(scope="module")
def rival(sealed: list[SealedSegment], case_key: PrivateKey) -> SealedSegment:
    """Another segment of the first one's number."""
    content = seal_content(sealed[0].header.meta, b"rival" * 1000, case_key.public())
    return SegmentSigner(NODE).sign(content, "")


@pytest.mark.parametrize("rivals", [RealDisk(), StoppedDisk()], ids=["faster", "held up"])
@pytest.mark.parametrize("ending", [".slots", ".seg"])
def test_of_two_writers_whoever_was_told_it_is_durable_keeps_segment_and_keys(
    root: Path, sealed: list[SealedSegment], rival: SealedSegment, ending: str, rivals: RealDisk
) -> None:
    told: list[SegmentRecord] = []

    def write(disk: RealDisk, segment: SealedSegment) -> None:
        with suppress(OrvaultError, PowerCutError):
            told.append(SegmentStore(root, disk).write(segment))

    write(RacingDisk(ending, lambda: write(rivals, rival)), sealed[0])
    assert told == list(SegmentStore(root).scan())
    assert isinstance(rivals, StoppedDisk) or len(told) == 1, "one of them is let through"


@pytest.mark.parametrize("named", [True, False], ids=["another's slots", "no slots"])
def test_who_cleans_while_a_segment_is_written_takes_it_no_keys(
    root: Path, sealed: list[SealedSegment], rival: SealedSegment, case_key: PrivateKey, named: bool
) -> None:
    def clean() -> None:
        assert SegmentStore(root).clean(*RUN)
        if named:
            with suppress(PowerCutError):
                SegmentStore(root, StoppedDisk()).write(rival)

    record = SegmentStore(root, CleanedDisk(clean)).write(sealed[0])
    assert list(SegmentStore(root).scan()) == [record]
    data = SegmentStore(root).read(record.path)
    found = SegmentStore(root).slots(record.path)
    assert open_segment(data, unwrap_dek(found, case_key, record.header)) == b"fragment 0" * 1000


def test_a_writer_whose_place_was_taken_meanwhile_takes_nobodys_keys(
    root: Path, sealed: list[SealedSegment], rival: SealedSegment
) -> None:
    told: list[SegmentRecord] = []

    def cleaned_and_written() -> None:
        SegmentStore(root).clean(*RUN)
        told.append(SegmentStore(root).write(rival))

    with pytest.raises(OrvaultError) as caught:
        SegmentStore(root, CleanedDisk(cleaned_and_written)).write(sealed[0])
    assert caught.value.kind is ErrorKind.CONFLICT
    assert list(SegmentStore(root).scan()) == told


class FullDisk(RealDisk):
    """Room for key slots, not for segments."""

    def write(self, path: Path, *pieces: Bytes) -> None:
        if sum(map(len, pieces)) > 5_000:
            path.write_bytes(pieces[0][:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(path, *pieces)


@dataclass
class SmallDisk(RealDisk):
    """So much room, taken up by what lies below the root."""

    root: Path
    size: int

    def free(self, folder: Path) -> int:
        return self.size - sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())


def test_segments_leave_a_reserve_for_gap_records_and_go_on_when_there_is_room_again(
    root: Path, sealed: list[SealedSegment]
) -> None:
    disk = SmallDisk(root, size=2 * len(sealed[0].data) + 4_000)
    store, before = SegmentStore(root, disk, reserve_bytes=5_000), everything_below(root)
    first = store.write(sealed[0])
    with pytest.raises(OrvaultError) as caught:
        store.write(sealed[1])
    assert caught.value.kind is ErrorKind.STORAGE and "disk is full" in caught.value.message
    assert everything_below(root) - before == {first.path, first.path.replace(".seg", ".slots")}
    disk.size *= 2
    assert store.write(sealed[1]).header.meta.sequence == 1


def test_a_full_disk_is_told_with_place_and_room_and_harms_nothing(
    root: Path, sealed: list[SealedSegment]
) -> None:
    SegmentStore(root).write(sealed[0])
    with pytest.raises(OrvaultError) as caught:
        SegmentStore(root, FullDisk()).write(sealed[1])
    text = str(caught.value)
    assert caught.value.kind is ErrorKind.STORAGE
    assert "No space left" in text and "000001.seg" in text and "MiB are free" in text
    assert [record.digest for record in SegmentStore(root).scan()] == [sealed[0].digest]
    assert not [name for name in everything_below(root) if name.endswith(PART)], (
        "half a segment takes no room"
    )
