"""Storage stopped after every single act: what `write` promised is there, everything else is cleanly absent."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orvault.clock import FakeClock
from orvault.container.chain import UNREADABLE
from orvault.container.keys import Kem, PrivateKey, generate_private_key
from orvault.container.segment import (
    SealedSegment,
    SegmentSigner,
    open_segment,
    seal_content,
    unwrap_dek,
)
from orvault.container.trust import create_root, issue
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.records import FRESH, Tail
from orvault.recording.store import SegmentStore
from tests.unit.power_cut import each_power_cut
from tests.unit.store_support import META, RUN, case_key, everything_below, root, sealed

__all__ = ["case_key", "root", "sealed"]


def test_a_stored_segment_is_found_and_opens(
    root: Path, sealed: list[SealedSegment], case_key: PrivateKey
) -> None:
    store = SegmentStore(root)
    record = store.write(sealed[0])
    assert record.path == "case-1/cam-1/run-1/000000.seg"
    assert list(SegmentStore(root).scan()) == [record] == [store.record(record.path)]
    data = store.read(record.path)
    dek = unwrap_dek(record.slots, case_key, record.header)
    assert open_segment(data, dek) == b"fragment 0" * 1000
    assert everything_below(root) == {record.path, record.path.replace(".seg", ".slots")}
    assert {path.stat().st_mode & 0o077 for path in root.rglob("*")} == {0}, "only its owner may look"


def test_power_cut_after_every_act_leaves_a_segment_whole_or_absent(
    tmp_path: Path, sealed: list[SealedSegment]
) -> None:
    root = tmp_path / "unset"
    runs = 0

    def prepare() -> None:
        nonlocal root, runs
        runs += 1
        root = tmp_path / str(runs)
        SegmentStore(root).write(sealed[0])

    for returned in each_power_cut(lambda disk: SegmentStore(root, disk).write(sealed[1]), prepare):
        store = SegmentStore(root)
        store.clean(*RUN)
        found = list(store.scan())
        assert [record.digest for record in found] in (
            [sealed[0].digest],
            [piece.digest for piece in sealed[:2]],
        )
        assert not returned or len(found) == 2, "what write promised is there"
        for record, piece in zip(found, sealed, strict=False):
            assert store.read(record.path) == piece.data and record.slots == piece.slots
        assert len(everything_below(root)) == 2 * len(found), "nothing half is left"
        assert store.tail("case-1", "cam-1", "run-1") == Tail(
            len(found), found[-1].digest, 10 + 10 * len(found)
        )
        # And it goes on.
        for piece in sealed[len(found) :]:
            store.write(piece)
        assert [record.digest for record in store.scan()] == [piece.digest for piece in sealed]
    assert runs == 6 * 9, "eight acts were interrupted, and the whole ran through, with six kinds of loss"


def test_recording_goes_on_after_a_crash_under_the_same_number(
    tmp_path: Path, sealed: list[SealedSegment]
) -> None:
    root = tmp_path / "unset"
    runs = 0

    def prepare() -> None:
        nonlocal root, runs
        runs += 1
        root = tmp_path / str(runs)

    for _ in each_power_cut(lambda disk: SegmentStore(root, disk).write(sealed[0]), prepare):
        store = SegmentStore(root)
        store.clean(*RUN)
        store.write(sealed[0])
        assert [record.digest for record in store.scan()] == [sealed[0].digest]


def test_a_segment_is_never_overwritten(root: Path, sealed: list[SealedSegment]) -> None:
    store = SegmentStore(root)
    record = store.write(sealed[0])
    assert store.write(sealed[0]) == record
    other = replace(sealed[1], header=replace(sealed[1].header, meta=sealed[0].header.meta))
    with pytest.raises(OrvaultError) as caught:
        store.write(other)
    assert caught.value.kind is ErrorKind.CONFLICT
    assert store.read(record.path) == sealed[0].data
    assert store.clean(*RUN) == []


def test_a_repeated_call_finds_what_it_made_before(root: Path, sealed: list[SealedSegment]) -> None:
    store = SegmentStore(root)
    meta = sealed[0].header.meta
    assert store.find(meta) is None
    record = store.write(sealed[0])
    assert store.find(meta) == record
    with pytest.raises(OrvaultError) as caught:
        store.find(replace(meta, end_us=999))
    assert caught.value.kind is ErrorKind.CONFLICT


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "case-1/../run-1/000000.seg",
        "/etc/passwd",
        "a/b/c/000000.slots",
        "a/b/c/x.seg",
        "a/b/000000.seg",
        "a/b/c/000000.seg/",
        "",
        "a/b/c/0000001234567.seg",
        ".hidden/b/c/000000.seg",
        "a/b/c\0/000000.seg",
    ],
)
def test_a_path_that_names_no_segment_is_refused(path: str, root: Path) -> None:
    for act in (SegmentStore(root).read, SegmentStore(root).record):
        with pytest.raises(OrvaultError) as caught:
            act(path)
        assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_ids_cannot_lead_out_of_the_root(root: Path, sealed: list[SealedSegment]) -> None:
    header = sealed[0].header
    evil = replace(sealed[0], header=replace(header, meta=replace(header.meta, camera_id="../../x")))
    for act in (
        lambda: SegmentStore(root).write(evil),
        lambda: SegmentStore(root).clean("case-1", "../*", "run-1"),
    ):
        with pytest.raises(OrvaultError) as caught:
            act()
        assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_a_symlink_in_a_segments_place_is_not_followed(
    root: Path, sealed: list[SealedSegment], tmp_path: Path
) -> None:
    store = SegmentStore(root)
    record = store.write(sealed[0])
    (tmp_path / "secret").write_bytes(b"secret")
    (root / record.path).unlink()
    (root / record.path).symlink_to(tmp_path / "secret")
    with pytest.raises(OrvaultError) as caught:
        store.read(record.path)
    assert caught.value.kind is ErrorKind.STORAGE


def test_what_is_missing_is_not_found(root: Path) -> None:
    store = SegmentStore(root)
    with pytest.raises(OrvaultError) as caught:
        store.read("a/b/c/000000.seg")
    assert caught.value.kind is ErrorKind.NOT_FOUND
    assert list(store.scan()) == [] and store.clean(*RUN) == []
    assert store.tail("a", "b", "c") == FRESH


def test_a_damaged_segment_does_not_hide_the_others(root: Path, sealed: list[SealedSegment]) -> None:
    store = SegmentStore(root)
    records = [store.write(piece) for piece in sealed]
    (root / records[1].path).write_bytes(b"ORVSEG1\nnoise")
    faults: list[tuple[str, ErrorKind]] = []
    found = list(store.scan(lambda path, error: faults.append((path, error.kind))))
    assert [record.digest for record in found] == [sealed[0].digest, sealed[2].digest]
    assert [path for path, _ in faults] == [records[1].path]
    with pytest.raises(OrvaultError):
        list(store.scan())


def test_a_segment_moved_to_another_place_is_noticed(root: Path, sealed: list[SealedSegment]) -> None:
    store = SegmentStore(root)
    record = store.write(sealed[0])
    for ending in (".seg", ".slots"):
        path = (root / record.path).with_suffix(ending)
        path.rename(path.with_name(f"000009{ending}"))
    with pytest.raises(OrvaultError) as caught:
        store.record("case-1/cam-1/run-1/000009.seg")
    assert caught.value.kind is ErrorKind.ALTERED


def test_clean_never_touches_a_segment_even_without_its_slots(
    root: Path, sealed: list[SealedSegment]
) -> None:
    store = SegmentStore(root)
    path = root / store.write(sealed[0]).path
    path.with_suffix(".slots").unlink()
    assert store.clean(*RUN) == [] and path.exists()


def test_a_leftover_that_cannot_be_removed_is_told_and_the_others_go(
    root: Path, sealed: list[SealedSegment]
) -> None:
    folder = (root / SegmentStore(root).write(sealed[0]).path).parent
    (folder / "000001.seg.part").mkdir()
    (folder / "000002.seg.part").write_bytes(b"half")
    told: list[str] = []
    removed = SegmentStore(root).clean(*RUN, on_fault=lambda path, _: told.append(path))
    assert told == ["case-1/cam-1/run-1/000001.seg.part"]
    assert removed == ["case-1/cam-1/run-1/000002.seg.part"]
    with pytest.raises(OrvaultError) as caught:
        SegmentStore(root).clean(*RUN)
    assert caught.value.kind is ErrorKind.STORAGE


@pytest.mark.parametrize("broken", ["", "case-1", "case-1/cam-1", "case-1/cam-1/run-1"])
def test_a_folder_that_cannot_be_listed_is_told_and_hides_no_other(
    broken: str, root: Path, sealed: list[SealedSegment], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SegmentStore(root)
    store.write(sealed[0])
    other = replace(META, case_id="case-2", segment_id="run-2.000000", run_id="run-2")
    signer = SegmentSigner(issue(create_root("hospital", FakeClock()), "node-1", "node", FakeClock(), 30))
    store.write(signer.sign(seal_content(other, b"x", generate_private_key(Kem.X25519).public()), ""))
    iterdir = Path.iterdir

    def failing(self: Path) -> Iterator[Path]:
        if self == root / broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", failing)
    told: list[tuple[str, ErrorKind]] = []
    found = list(store.scan(lambda path, error: told.append((path, error.kind))))
    assert [record.header.meta.case_id for record in found] == (["case-2"] if broken else [])
    assert told == [(broken or ".", ErrorKind.STORAGE)]
    with pytest.raises(OrvaultError):
        list(store.scan())


@pytest.mark.parametrize(("damaged", "covered_us"), [([2], 30), ([1, 2], 20), ([0, 1, 2], 0), ([1], 40)])
def test_a_run_goes_on_behind_segments_that_cannot_be_read(
    damaged: list[int], covered_us: int, root: Path, sealed: list[SealedSegment]
) -> None:
    store = SegmentStore(root)
    for number, record in enumerate([store.write(piece) for piece in sealed]):
        if number in damaged:
            (root / record.path).write_bytes(b"ORVSEG1\nnoise")
    tail = store.tail(*RUN)
    assert (tail.next_sequence, tail.end_us) == (3, covered_us)
    if 2 in damaged:
        assert tail.previous_digest == UNREADABLE
        assert "segment 2 was written and cannot be read back" in tail.lost
    else:
        assert (tail.previous_digest, tail.lost) == (sealed[2].digest, "")


def test_a_lost_sidecar_does_not_break_the_chain(root: Path, sealed: list[SealedSegment]) -> None:
    store = SegmentStore(root)
    for piece in sealed:
        store.write(piece)
    (root / "case-1/cam-1/run-1/000002.slots").write_bytes(b"noise")
    assert store.tail(*RUN) == Tail(3, sealed[2].digest, 40)


def test_clean_of_one_run_leaves_the_others_alone(root: Path, sealed: list[SealedSegment]) -> None:
    SegmentStore(root).write(sealed[0])
    for camera in ("cam-1", "cam-2"):
        (root / f"case-1/{camera}/run-1").mkdir(parents=True, exist_ok=True)
        (root / f"case-1/{camera}/run-1/000007.seg.part").write_bytes(b"half")
    assert SegmentStore(root).clean(*RUN) == ["case-1/cam-1/run-1/000007.seg.part"]
    assert (root / "case-1/cam-2/run-1/000007.seg.part").exists()


def test_numbers_sort_as_numbers(root: Path, sealed: list[SealedSegment]) -> None:
    store = SegmentStore(root)
    record = store.write(sealed[0])
    folder = (root / record.path).parent
    (folder / "1000000.seg").write_bytes(b"a later one")
    (folder / "notes.txt").write_text("not ours")
    faults: list[str] = []
    assert len(list(store.scan(lambda path, _: faults.append(path)))) == 1
    assert faults == ["case-1/cam-1/run-1/1000000.seg"]
