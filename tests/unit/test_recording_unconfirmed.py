"""What a node reads again after a restart: all that the ledger may lack, whenever it was killed, and little else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from actors import outbox
from actors.outbox import Indexed, OnDisk, Outbox
from orvault.container.gap import Gap
from orvault.container.keys import Kem, generate_private_key
from orvault.container.segment import SealedSegment, SegmentMeta, SegmentSigner, seal_content
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import Disk
from orvault.recording.records import SegmentRecord
from orvault.recording.store import SegmentStore
from orvault.recording.unconfirmed import FOLDER, Landmark, RunKey, Unconfirmed
from tests.unit.actors_support import MemoryIndex, Node, eventually, make_node
from tests.unit.container_support import hospital
from tests.unit.power_cut import each_kill, each_power_cut
from tests.unit.test_actors_encryption import delivered, gap, seal

RUN = RunKey("case-1", "cam-1", "run-1")
MARK = Landmark(5, "a" * 64)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setattr(outbox, "RETRY_S", 0.002)
    node = make_node(tmp_path)
    eventually(lambda: node.actor._outbox._read_at is not None, "the empty disk was read")
    yield node
    node.index.down = False  # its thread may wait now, for ever


def marked(node: Node, *runs: str) -> None:
    """Wait until these runs have a mark, and no other has."""
    found = Unconfirmed(node.root).runs
    eventually(lambda: {run.run_id for run in found() or ()} == set(runs), f"{runs} are marked")


def test_a_restart_reads_the_runs_again_that_may_lack_and_no_other(node: Node) -> None:
    seal(node, 3)
    seal(node, 2, run_id="run-2")
    delivered(node, 5)
    node.index.entries += 1  # history has grown since run-1 was confirmed
    seal(node, 1, first=2, run_id="run-2")
    delivered(node, 6)
    marked(node, "run-2")
    node.index.records.clear()
    node.restart()
    delivered(node, 3)
    eventually(lambda: node.actor.waiting() == 0, "the outbox is empty")
    assert {record.header.meta.run_id for record in node.index.records} == {"run-2"}
    seal(node, 1, first=3)  # run-1 goes on after all, and is marked again
    marked(node, "run-1", "run-2")
    delivered(node, 4)


def test_a_ledger_from_a_back_up_is_offered_everything_again(node: Node) -> None:
    seal(node, 3)
    delivered(node, 3)
    node.index.entries += 1
    seal(node, 2, run_id="run-2")
    delivered(node, 5)
    node.index.entries += 5
    seal(node, 1, first=2, run_id="run-2")
    marked(node, "run-2")
    node.index = MemoryIndex(entries=2)  # another one, whose history is not this one's
    node.restart()
    delivered(node, 6)


def test_a_ledger_that_comes_back_older_while_the_node_runs_is_offered_everything_again(node: Node) -> None:
    seal(node, 3)
    delivered(node, 3)
    node.index.entries += 1
    seal(node, 2, run_id="run-2")
    delivered(node, 5)
    index, node.index.down = node.index, True
    seal(node, 1, first=2, run_id="run-2")
    tried = index.calls
    eventually(lambda: index.calls > tried + 3, "it is away")
    index.records.clear()
    index.entries, index.name = 0, index.name + 1000
    index.down = False
    delivered(node, 6)


def test_what_was_refused_is_offered_again_at_the_next_start(node: Node) -> None:
    seal(node, 2)
    delivered(node, 2)
    node.index.unbelieved = {"run-2.000000"}
    node.index.refuses = {"run-3"}
    seal(node, 1, run_id="run-2")
    node.actor.record_gap(gap(1, "run-3"))
    for number in range(3):
        node.index.entries += 1
        seal(node, 1, first=2 + number)
        delivered(node, 3 + number)
    eventually(lambda: node.actor.waiting() == 0, "the outbox is empty")
    node.index.unbelieved, node.index.refuses = set(), set()
    node.index.records.clear()
    node.restart()
    eventually(lambda: "run-2" in {r.header.meta.run_id for r in node.index.records}, "it is believed now")
    eventually(lambda: [g.run_id for g in node.index.gaps] == ["run-3"], "its run is known now")


@pytest.mark.parametrize("name", ["run-2.json", ".ledger.json"])
def test_marks_that_cannot_be_read_leave_nothing_out(node: Node, name: str) -> None:
    seal(node, 2)
    delivered(node, 2)
    node.index.entries += 1
    seal(node, 2, run_id="run-2")
    marked(node, "run-2")
    (node.root / FOLDER / name).write_bytes(b"rubbish")
    node.index.records.clear()
    node.restart()
    delivered(node, 4)


def test_a_mark_is_there_before_the_record_wherever_the_power_goes(tmp_path: Path) -> None:
    tries = count()
    root = tmp_path

    def prepare() -> None:
        nonlocal root
        root = tmp_path / str(next(tries))

    def act(disk: Disk) -> None:
        Unconfirmed(root, disk).begin(RUN)
        SegmentStore(root, disk).write(sealed(0))

    for _ in each_power_cut(act, prepare):
        if list(SegmentStore(root).scan()):
            assert Unconfirmed(root).runs() == [RUN]


def test_a_mark_goes_only_after_the_ledger_that_needs_it_not_is_named(tmp_path: Path) -> None:
    tries = count()
    root = tmp_path

    def prepare() -> None:
        nonlocal root
        root = tmp_path / str(next(tries))
        Unconfirmed(root).begin(RUN)
        Unconfirmed(root).settle([], Landmark(1, "b" * 64))

    for returned in each_power_cut(lambda disk: Unconfirmed(root, disk).settle([RUN], MARK), prepare):
        marks = Unconfirmed(root)
        assert marks.landmark() in (Landmark(1, "b" * 64), MARK)
        assert marks.runs() == [RUN] or marks.landmark() == MARK
        if returned:
            assert marks.landmark() == MARK


@dataclass
class KeptIndex:
    """A ledger in a file, which outlives those that are killed; each call is an entry of history, too."""

    path: Path
    records: list[str] = field(default_factory=list)

    def index(self, records: Sequence[SegmentRecord]) -> Indexed:
        with self.path.open("a") as file:
            file.writelines(f"{record.path}\n" for record in records)
        return Indexed(self._landmark())

    def gap(self, gap: Gap) -> Landmark:
        return self._landmark()

    def knows(self, landmark: Landmark) -> bool:
        return landmark.seq <= self._landmark().seq

    def kept(self) -> list[str]:
        return self.path.read_text().split() if self.path.exists() else []

    def _landmark(self) -> Landmark:
        return Landmark(len(self.kept()), "c" * 64)


def test_killed_anywhere_no_durable_segment_is_forgotten(tmp_path: Path) -> None:
    """A process seals two runs, tells the ledger and lets marks go; the next one reads what the ledger may lack."""
    tries = count()
    root, ledger = tmp_path, KeptIndex(tmp_path)
    work = [sealed(0), sealed(1), sealed(0, "run-2"), sealed(1, "run-2"), sealed(2, "run-2")]

    def prepare() -> None:
        nonlocal root, ledger
        root = tmp_path / str(next(tries))
        ledger = KeptIndex(root.with_suffix(".ledger"))

    def on_disk(store: SegmentStore) -> OnDisk:
        return OnDisk(lambda runs: store.scan(None, runs), lambda _runs: iter(()))

    def act(disk: Disk) -> None:
        store = SegmentStore(root, disk)
        box = Outbox(ledger, Unconfirmed(root, disk))
        box._deliver_from(on_disk(store))
        for one in work:
            with box.writing(RunKey(*RUN[:2], one.header.meta.run_id)):
                box.offer([store.write(one)])
            box.deliver_once()

    killed = 0
    for completed in each_kill(act, prepare):
        killed += not completed
        store = SegmentStore(root)
        box = Outbox(ledger, Unconfirmed(root))
        box._deliver_from(on_disk(store))
        assert {record.path for record in store.scan()} <= set(ledger.kept())
        if completed:
            runs = Unconfirmed(root).runs()
            assert runs is not None and RUN not in runs, "the first run was let go"
    assert killed > 30


def sealed(number: int, run_id: str = "run-1") -> SealedSegment:
    meta = SegmentMeta(
        f"{run_id}.{number:06d}", "node-1", "case-1", "cam-1", run_id, number, 1, 10, 20, "h264", 320, 240, 30
    )
    content = seal_content(meta, b"fragment", generate_private_key(Kem.X25519).public())
    return SegmentSigner(hospital()[2]).sign(content, "d" * 64 if number else "")


def test_a_mark_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_bytes(b"in the way")
    with pytest.raises(OrvaultError) as caught:
        Unconfirmed(tmp_path).begin(RUN)
    assert caught.value.kind is ErrorKind.STORAGE
    with pytest.raises(OrvaultError) as caught:
        Unconfirmed(tmp_path).begin(replace_run("../x"))
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def replace_run(run_id: str) -> RunKey:
    return RUN._replace(run_id=run_id)
