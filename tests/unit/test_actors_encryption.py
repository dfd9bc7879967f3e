"""A node's encryption actor and its outbox: repeated calls, an index that is away, restarts, damage on disk."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors import outbox
from actors.encryption import EncryptionActor
from actors.handover import offered
from actors.outbox import BATCH, Outbox
from orvault.clock import US_PER_S, FakeClock
from orvault.container.chain import Head, check_run
from orvault.container.gap import Gap
from orvault.container.keys import PrivateKey, generate_private_key, wrap_key
from orvault.container.segment import (
    SealedContent,
    SegmentMeta,
    open_segment,
    read_header,
    seal_content,
    slot_info,
    unwrap_dek,
)
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording import lock
from orvault.recording.gaps import GapStore
from orvault.recording.orders import OrderStore
from orvault.recording.recorder import Recorder
from orvault.recording.records import SegmentRecord
from orvault.recording.store import SegmentStore
from orvault.recording.unconfirmed import Unconfirmed
from tests.unit.actors_support import (
    START_US,
    FlakyKeeper,
    MemoryIndex,
    Node,
    case_key,
    eventually,
    make_node,
    order,
)
from tests.unit.container_support import segment_meta


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setattr(outbox, "RETRY_S", 0.002)
    node = make_node(tmp_path)
    yield node
    node.index.down = False  # its thread may wait now, for ever


def meta(number: int = 0, run_id: str = "run-1", camera_id: str = "or1-ceiling") -> SegmentMeta:
    return segment_meta(number, segment_id=f"{run_id}.{number:06d}", run_id=run_id, camera_id=camera_id)


def sealed(number: int = 0, clear: bytes = b"clear") -> SealedContent:
    return seal_content(meta(number), clear, case_key().public())


def seal(node: Node, count: int, first: int = 0, run_id: str = "run-1") -> list[SegmentRecord]:
    """So many more segments of a run, chained."""
    records = []
    previous = node.actor.tail("case-1", "or1-ceiling", run_id).previous_digest
    for number in range(first, first + count):
        content = seal_content(meta(number, run_id), b"clear %d" % number, case_key().public())
        record = node.actor.keep(content, previous)
        previous = record.digest
        records.append(record)
    return records


def gap(number: int, run_id: str = "run-1") -> Gap:
    start = START_US + number * 10 * US_PER_S
    return Gap("or1-ceiling", "case-1", run_id, start, start + US_PER_S, f"reason {number}")


def delivered(node: Node, count: int) -> None:
    eventually(lambda: len(node.index.records) >= count, f"{count} records are delivered")


def test_a_sealed_fragment_is_on_disk_when_the_call_returns_and_reaches_the_index(node: Node) -> None:
    (record,) = seal(node, 1)
    assert node.clear() == [b"clear 0"]
    assert node.actor.read(record.path) == (node.root / record.path).read_bytes()
    delivered(node, 1)
    assert node.index.records == [record]
    eventually(lambda: node.actor.waiting() == 0, "the outbox is empty")


def test_a_content_that_is_offered_in_a_nameless_file_is_kept_as_if_it_had_been_sent(node: Node) -> None:
    content = sealed(clear=b"clear" * 50_000)
    with offered(content.ciphertext) as place:
        record = node.actor.keep_offered(replace(content, ciphertext=b""), place, "")
    assert node.clear() == [b"clear" * 50_000]
    assert node.actor.keep(content, "") == record


def test_a_content_that_is_offered_no_more_is_asked_for_again_and_stores_nothing(node: Node) -> None:
    with offered(b"sealed") as place:
        pass
    with pytest.raises(OrvaultError) as caught:
        node.actor.keep_offered(sealed(), place, "")
    assert caught.value.kind is ErrorKind.UNAVAILABLE and node.stored() == []


def test_a_content_that_did_not_arrive_as_it_was_sealed_is_not_signed(node: Node) -> None:
    content = sealed()
    other = seal_content(meta(), b"other", case_key().public())
    slot = wrap_key(bytes(32), generate_private_key().public(), slot_info(meta()))
    for change in (
        {"ciphertext": other.ciphertext},
        {"ciphertext": content.ciphertext[:-1]},
        {"ciphertext": content.ciphertext + b"x"},
        {"plaintext_bytes": 6},
        {"slot": slot},
    ):
        with pytest.raises(OrvaultError) as caught:
            node.actor.keep(replace(content, **change), "")  # type: ignore[arg-type]
        assert caught.value.kind is ErrorKind.DAMAGED, change
    assert node.stored() == [] and not list(node.root.rglob("*.seg"))


def test_a_repeated_call_is_answered_from_disk(node: Node) -> None:
    content = sealed()
    first = node.actor.keep(content, "")
    data = (node.root / first.path).read_bytes()
    assert node.actor.keep(content, "") == first
    assert node.restart().keep(content, "") == first
    assert (node.root / first.path).read_bytes() == data


def test_the_same_call_twice_at_once_makes_one_segment(node: Node) -> None:
    records: list[SegmentRecord] = []
    together = threading.Barrier(4)
    content = sealed(clear=b"clear" * 50_000)

    def call() -> None:
        together.wait()
        records.append(node.actor.keep(content, ""))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(records) == 4 and len(set(records)) == 1
    assert len(node.stored()) == 1


def test_another_fragment_under_a_taken_number_is_refused(node: Node) -> None:
    kept = node.actor.keep(sealed(), "")
    with pytest.raises(OrvaultError) as caught:
        other = segment_meta(0, segment_id="run-1.000000", frames=31)
        node.actor.keep(seal_content(other, b"other", case_key().public()), "")
    assert caught.value.kind is ErrorKind.CONFLICT
    assert [record.digest for record in node.stored()] == [kept.digest]


def test_what_waits_for_an_index_that_is_away_is_delivered_once_and_in_order(node: Node) -> None:
    seal(node, 2)
    delivered(node, 2)
    node.index.down = True
    records = seal(node, BATCH + 5, first=2)
    node.actor.record_gap(gap(1))
    tried = node.index.calls
    eventually(lambda: node.index.calls > tried + 3, "it tries again and again")
    assert len(node.index.records) == 2 and node.actor.waiting() == len(records) + 1
    node.index.down = False
    delivered(node, BATCH + 7)
    eventually(lambda: node.actor.waiting() == 0, "the outbox is empty")
    assert node.index.paths == [record.path for record in node.stored()]
    assert node.index.gaps == [gap(1)]


def test_a_restarted_actor_offers_everything_on_its_disk_in_order(node: Node) -> None:
    node.index.down = True
    seal(node, BATCH + 3)
    seal(node, 2, run_id="run-2")
    node.actor.record_gap(gap(2))
    node.actor.record_gap(gap(1))
    node.index = MemoryIndex()
    node.restart()
    seal(node, 1, first=2, run_id="run-2")  # while it reads
    delivered(node, BATCH + 6)
    eventually(lambda: len(node.index.gaps) == 2, "the gaps are delivered")
    run_1 = [path for path in node.index.paths if "/run-1/" in path]
    assert run_1 == [record.path for record in node.stored("run-1")]
    assert set(node.index.paths) == {r.path for r in SegmentStore(node.root).scan()}
    assert node.index.gaps == [gap(1), gap(2)]


def test_a_disk_full_of_segments_does_not_keep_a_restarted_actor_from_sealing(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(node, 2)
    reading = threading.Event()
    go_on = threading.Event()
    scan = SegmentStore.scan

    def slow(self: SegmentStore, *what: object) -> Iterator[SegmentRecord]:
        reading.set()
        assert go_on.wait(5)
        yield from scan(self, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(SegmentStore, "scan", slow)
    node.restart()
    assert reading.wait(5)
    seal(node, 1, first=2)
    go_on.set()
    delivered(node, 5)


def test_a_segment_that_cannot_be_read_is_told_and_keeps_nothing_from_going_on(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    records = seal(node, 3)
    delivered(node, 3)
    (node.root / records[1].path).write_bytes(b"rubbish")
    node.index = MemoryIndex()
    node.restart()
    delivered(node, 2)
    assert node.index.paths == [records[0].path, records[2].path]
    assert records[1].path in caplog.text
    seal(node, 1, first=3)
    delivered(node, 3)


def test_a_gap_that_cannot_be_read_does_not_keep_the_node_from_recording(node: Node) -> None:
    node.actor.record_gap(gap(1))
    (path,) = node.root.glob("*/*/*/gaps/*.json")
    path.with_name("0000000000000001-0000000000000002.json").write_text("rubbish")
    node.restart()
    seal(node, 1)
    delivered(node, 1)


def test_a_record_that_the_ledger_cannot_take_does_not_hold_up_the_others(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.index.down = True
    records = seal(node, 5)
    node.index.refuses = {records[2].path}
    node.index.down = False
    delivered(node, 4)
    eventually(lambda: node.actor.waiting() == 0, "the outbox is empty")
    assert sorted(set(node.index.paths)) == [r.path for r in records if r is not records[2]]
    assert records[2].path in caplog.text
    seal(node, 1, first=5)
    delivered(node, 5)


def test_a_gap_of_a_run_that_the_ledger_does_not_know_does_not_hold_up_the_others(node: Node) -> None:
    node.index.refuses = {"run-0"}
    node.actor.record_gap(gap(1, "run-0"))
    node.actor.record_gap(gap(2))
    eventually(lambda: node.index.gaps == [gap(2)], "the other gap is delivered")
    seal(node, 1)
    delivered(node, 1)
    assert len(list(GapStore(node.root).scan())) == 2  # it stays on disk


def test_the_outbox_keeps_what_was_not_confirmed(tmp_path: Path) -> None:
    index = MemoryIndex(down=True)
    box = Outbox(index, Unconfirmed(tmp_path))
    box.offer_gaps([gap(1), gap(2)])
    with pytest.raises(OrvaultError):
        box.deliver_once()
    assert len(box) == 2
    index.down = False
    box.deliver_once()
    assert len(box) == 0 and index.gaps == [gap(1), gap(2)]


def test_leftovers_of_a_crash_are_removed_when_the_run_is_taken_up(node: Node) -> None:
    (record,) = seal(node, 1)
    folder = (node.root / record.path).parent
    (folder / "000001.slots").write_bytes(b"slots whose segment never came")
    (folder / "000001.seg.part").write_bytes(b"half a segment")
    node.restart().tail("case-1", "or1-ceiling", "run-1")
    assert sorted(path.name for path in folder.iterdir()) == ["000000.seg", "000000.slots"]


def test_keys_without_a_segment_do_not_hold_a_repeated_call_up(node: Node) -> None:
    (record,) = seal(node, 1)
    (node.root / record.path).unlink()  # killed between the two names
    assert node.restart().keep(sealed(), "").path == record.path


def test_once_a_newer_self_of_a_camera_was_heard_nothing_of_the_older_is_taken(node: Node) -> None:
    old, new = 7, 8
    previous = node.actor.keep(sealed(), "", old).digest
    assert node.actor.tail("case-1", "or1-ceiling", "run-1", new).next_sequence == 1
    late = seal_content(meta(1), b"late", case_key().public())
    for act in (
        lambda: node.actor.keep(late, previous, old),
        lambda: node.actor.record_gap(gap(1), old),
        lambda: node.actor.tail("case-1", "or1-ceiling", "run-1", old),
        lambda: node.actor.keep(late, previous),  # of a version without claims
    ):
        with pytest.raises(OrvaultError) as caught:
            act()
        assert caught.value.kind is ErrorKind.CONFLICT and "newer process" in caught.value.message
    content = seal_content(meta(1), b"new", case_key().public())
    node.actor.keep(content, previous, new)
    assert node.clear() == [b"clear", b"new"] and node.gaps() == []
    other = seal_content(meta(camera_id="or1-wall"), b"wall", case_key().public())
    node.actor.keep(other, "", old)


def test_the_claims_of_before_a_restart_are_taken_as_they_come(node: Node) -> None:
    previous = node.actor.keep(sealed(), "", 7).digest
    content = seal_content(meta(1), b"after", case_key().public())
    node.restart().keep(content, previous, 7)
    assert len(node.stored()) == 2


def test_a_second_actor_on_one_disk_waits_for_the_end_of_the_first(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.2)
    first = node.actor
    with pytest.raises(OrvaultError) as caught:
        EncryptionActor(node.folder / "identity", node.root, node.index)
    assert caught.value.kind is ErrorKind.UNAVAILABLE, "whoever starts it tries again"
    assert f"(id {os.getpid()})" in caught.value.message and "waiting for its end" in caplog.text
    monkeypatch.setattr(lock, "WAIT_S", 10.0)
    threading.Timer(0.3, first.close).start()
    second = EncryptionActor(node.folder / "identity", node.root, node.index)
    assert second.keep(sealed(), "").header.meta == meta()


def test_the_lock_goes_with_its_process(node: Node) -> None:
    node.actor.close()
    begun, goes_on = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:  # a predecessor that is still dying
        held = lock.writing_below(node.root, FakeClock())
        assert held is not None
        os.write(begun[1], b"x")
        os.read(goes_on[0], 1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.read(begun[0], 1)
    with pytest.raises(OrvaultError):
        lock.writing_below(node.root, FakeClock(), 0.2)
    os.write(goes_on[1], b"x")
    os.waitpid(child, 0)
    assert lock.writing_below(node.root, FakeClock(), 0.2) is not None


def test_a_disk_that_gives_no_lock_does_not_keep_a_node_from_recording(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.actor.close()
    (node.root / lock.NAME).unlink()
    (node.root / lock.NAME).mkdir()
    assert node.restart().keep(sealed(), "").header.meta == meta()
    assert "nothing keeps a second writer away" in caplog.text


def test_a_run_whose_last_segment_is_damaged_goes_on_and_the_chain_says_so(node: Node) -> None:
    records = seal(node, 3)
    (node.root / records[2].path).write_bytes(b"rubbish")
    tail = node.restart().tail("case-1", "or1-ceiling", "run-1")
    recorder = Recorder("node-1", "or1-ceiling")
    recorder.start(order(), START_US + 60 * US_PER_S, tail)
    assert recorder.tail == tail and "cannot be read back" in tail.lost
    after = seal(node, 2, first=3)
    assert check_run([*after]) == Head(4, after[-1].digest)
    check_run([*records, *after])  # the lost one came back from a copy of the disk
    with pytest.raises(OrvaultError) as caught:
        check_run([*records[:2], *after])
    assert caught.value.kind is ErrorKind.DAMAGED, "it is missing, nothing was altered"


def test_the_disk_refusing_is_told_with_its_room(node: Node) -> None:
    (node.root / "case-1").mkdir(parents=True)
    (node.root / "case-1" / "or1-ceiling").write_bytes(b"in the way")
    with pytest.raises(OrvaultError) as caught:
        seal(node, 1)
    assert caught.value.kind is ErrorKind.STORAGE and "MiB" in caught.value.where


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/b/c/000000.slots", ""])
def test_read_gives_segments_and_nothing_else(node: Node, path: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        node.actor.read(path)
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_nothing_on_the_node_opens_a_segment(node: Node) -> None:
    """Whoever takes the whole node, disk and all, gets no picture."""
    (record,) = seal(node, 1)
    OrderStore(node.orders).save(order())
    data = node.actor.read(record.path)
    everything = b"".join(path.read_bytes() for path in node.folder.rglob("*") if path.is_file())
    assert b"clear 0" not in everything
    private, public = case_key(), case_key().public()
    assert private.raw not in everything and private.raw.hex().encode() not in everything
    assert open_segment(data, unwrap_dek(record.slots, private, read_header(data))) == b"clear 0"
    # Every stretch of its files as a private key or as the segment's own key: none opens it.
    for seed in _seeds(node.folder, 96):
        with pytest.raises(OrvaultError):
            unwrap_dek(record.slots, PrivateKey(public.kem, seed), record.header)
    for dek in _seeds(node.folder, 32):
        with pytest.raises(OrvaultError):
            open_segment(data, dek)


def _seeds(folder: Path, size: int) -> list[bytes]:
    """Bytes of the small secret-looking files, raw and out of their texts, as keys of this size."""
    import base64
    import re

    seeds = []
    for path in [*(folder / "identity").iterdir(), *(folder / "orders").iterdir(), *folder.rglob("*.slots")]:
        raw = path.read_bytes()
        texts = [base64.b64decode(t + b"===") for t in re.findall(rb"[A-Za-z0-9+/]{40,}", raw)]
        for blob in [raw, b"".join(texts), *texts]:
            seeds += [blob[at : at + size] for at in range(0, max(0, len(blob) - size) + 1, 7)]
    return [seed for seed in seeds if len(seed) == size][:400]


def test_a_keeper_seen_over_a_bad_line_is_the_real_one(node: Node) -> None:
    assert FlakyKeeper(node.actor).keep(sealed(), "").header.meta == meta()
