"""Destroying a case for good: nothing opens afterwards, a kill at any step is finished, and what stops it does."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from actors import retention as actor_module
from actors.keys import KeyActor
from actors.retention import DestructionTools, RetentionActor
from orvault.clock import US_PER_S, FakeClock
from orvault.container.gap import Gap
from orvault.container.kek import PassphraseKek
from orvault.container.keystore import KeyStore, default_anchors
from orvault.container.receipt import Receipt, digests_root, verify_receipt
from orvault.container.segment import open_segment, unwrap_dek
from orvault.custody.account import Account, Role
from orvault.custody.case import Case
from orvault.custody.destruction import NODES_PATIENCE_US, Step
from orvault.custody.history import Entry
from orvault.custody.request import RequestState
from orvault.custody.retention import DAY_US, RetentionPolicy
from orvault.custody.service import CustodyService
from orvault.custody.site import Rules
from orvault.errors import ErrorKind
from orvault.ledger.engine import open_ledger
from orvault.recording.destroying import DestroyedCases, Erased
from orvault.recording.store import SegmentStore
from tests.fake_parts import FakeRecorders, FakeRenderers
from tests.fakes import NOTHING_LEFT, cheap_passwords, sqlite_url
from tests.processes import ready_made
from tests.refusals import refusal
from tests.unit.actors_support import PASSPHRASE, START_US, Site, away, make_site
from tests.unit.container_support import hospital
from tests.unit.fsck_support import Recorded, named

AUTOMATIC = RetentionPolicy(approve=False)


@dataclass
class Disks:
    """The nodes' disks over a line that may be down."""

    roots: dict[str, Path]
    down: set[str] = field(default_factory=set)
    told: list[tuple[str, str, int]] = field(default_factory=list)

    def stored_cases(self, node_id: str) -> Sequence[str]:
        return self._of(node_id).present()

    def destroy_case(self, node_id: str, case_id: str, epoch: int) -> Erased:
        self.told.append((node_id, case_id, epoch))
        return self._of(node_id).erase(case_id, epoch)

    def _of(self, node_id: str) -> DestroyedCases:
        if node_id in self.down:
            raise away("The node")
        return DestroyedCases(self.roots[node_id])


class Called(RetentionActor):
    """Works when the test says so."""

    def round(self) -> None:
        return

    def now(self) -> None:
        super().round()


@dataclass
class Dead:
    """A site whose one case is due, and what is called on it."""

    site: Site
    case: Case
    disks: Disks
    actor: Called

    @property
    def custody(self) -> CustodyService:
        return self.site.world.custody

    def approve(self, officer: Account | None = None) -> None:
        officer = officer or self.site.world.officer
        self.custody.approve_destruction(officer, self.custody.retention_plan(officer).digest)

    def step(self) -> Step | None:
        found = self.custody.destruction_of(self.case.case_id)
        return None if found is None else found.step

    def receipt(self) -> Receipt:
        sealed = self.custody.receipt(self.site.world.officer, self.case.case_id)
        receipt, issuer = verify_receipt(sealed, [hospital()[0].certificate_der])
        assert issuer.pinned
        return receipt

    def entries(self, act: str) -> list[Entry]:
        with self.site.world.ledger.uow(read_only=True) as uow:
            found = uow.history.page(None, 200, subject=f"case:{self.case.case_id}", actor=None, act=act)
        return list(reversed(found))


def tools_of(folder: Path, keys: KeyActor, disks: Disks) -> DestructionTools:
    return DestructionTools(keys, disks, ("node-1",), folder / "packages", folder / "server")


@pytest.fixture
def dead(tmp_path: Path) -> Dead:
    site = make_site(tmp_path)
    case = site.record()
    site.world.clock.us += 31 * DAY_US
    disks = Disks({"node-1": site.node.root})
    actor = Called(lambda: site.world.custody, tools_of(tmp_path, site.keys, disks))
    return Dead(site, case, disks, actor)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


# nothing opens afterwards


def opened(store: KeyStore, segments: Path) -> list[bytes]:
    """Every sealed segment in this copy of a node's disk, opened with this key store."""
    disk = SegmentStore(segments)
    records = list(disk.scan())
    assert records
    return [
        open_segment(
            disk.read(r.path), unwrap_dek(r.slots, store.private_key(r.slots[0].key_thumbprint), r.header)
        )
        for r in records
    ]


def back_up(dead: Dead, folder: Path) -> tuple[Path, Path, Path]:
    """All that somebody could have kept: key store, every sealed segment, and the anchor as a full image has it."""
    kept = folder / "keys", folder / "segments", folder / "anchor"
    shutil.copytree(dead.site.folder / "keys", kept[0])
    shutil.copytree(dead.site.node.root, kept[1])
    shutil.copytree(default_anchors(dead.site.folder / "keys"), kept[2])
    return kept


def test_nothing_opens_afterwards_not_even_with_the_old_key_store_and_the_passphrase(
    dead: Dead, tmp_path: Path
) -> None:
    keys, segments, image = back_up(dead, tmp_path / "kept")
    anchors = default_anchors(dead.site.folder / "keys")
    before = KeyStore.unlock(keys, PassphraseKek(PASSPHRASE, anchors))
    assert len(opened(before, segments)) == 2  # the control: until then the same things open it
    dead.approve()
    dead.actor.now()
    assert dead.step() is Step.DESTROYED
    old = refusal(lambda: KeyStore.unlock(keys, PassphraseKek(PASSPHRASE, anchors)))
    assert old.kind is ErrorKind.KEY_MISSING
    today = KeyStore.unlock(dead.site.folder / "keys", PASSPHRASE)
    assert refusal(lambda: opened(today, segments)).kind is ErrorKind.KEY_MISSING
    # The old ring in the place of today's, beside today's other files; and today's anchor under its old name.
    shutil.copy(keys / "ring.json", dead.site.folder / "keys" / "ring.json")
    assert (
        refusal(lambda: KeyStore.unlock(dead.site.folder / "keys", PASSPHRASE)).kind is ErrorKind.KEY_MISSING
    )
    (anchor,) = anchors.glob("*.json")
    forged = json.loads(anchor.read_text()) | {"generation": 1}
    (tmp_path / "forged").mkdir()
    (tmp_path / "forged/00000001.json").write_text(json.dumps(forged, sort_keys=True, separators=(",", ":")))
    wrong = refusal(lambda: KeyStore.unlock(keys, PassphraseKek(PASSPHRASE, tmp_path / "forged")))
    assert wrong.kind is ErrorKind.WRONG_PASSPHRASE
    # What no rolling reaches, and the threat model says so: an image that took the anchor along.
    whole = KeyStore.unlock(keys, PassphraseKek(PASSPHRASE, image))
    assert len(opened(whole, segments)) == 2


def test_disk_packages_and_rows_hold_nothing_of_it_afterwards(dead: Dead) -> None:
    site = dead.site
    request = site.approved(dead.case, to_us=START_US + 60 * US_PER_S)
    job = site.world.claimed()
    package = job.request.package_id
    for name in (f"{package}-1.orvault", f"{package}-7.orvault"):
        (site.packages / name).write_bytes(b"sealed")
    (site.packages / f"{request.request_id}.work").mkdir()
    site.world.custody.finish_render(
        request.request_id, job.epoch, f"{package}-1.orvault", 6, "f" * 64, second_look=NOTHING_LEFT
    )
    other = site.record("2026-2")
    (site.packages / "another-1.orvault").write_bytes(b"sealed")
    site.world.clock.us += 400 * DAY_US
    site.world.custody.expire_due()
    assert site.request(request.request_id).state is RequestState.EXPIRED
    site.world.custody.put_hold(site.world.manager, other.case_id, "proceedings", "2026-77")
    dead.approve()
    dead.actor.now()
    assert dead.step() is Step.DESTROYED
    assert (
        files(site.packages) == ["another-1.orvault"]
        and not (site.packages / f"{request.request_id}.work").exists()
    )
    assert [path.name for path in site.node.root.iterdir() if not path.name.startswith(".")] == [
        other.case_id
    ]
    with site.world.ledger.uow(read_only=True) as uow:
        rows = uow.segments.of(dead.case.case_id, "or1-wall", 0, site.world.clock.now_us())
        kept = uow.segments.of(other.case_id, "or1-wall", 0, site.world.clock.now_us())
    assert len(rows) == 2 and not any(row.slots for row in rows)  # the rows stay, for history and receipt
    assert kept and all(row.slots for row in kept)
    assert dead.receipt().packages == (package,)


def test_the_receipt_says_what_went_and_by_whom(dead: Dead) -> None:
    with dead.site.world.ledger.uow(read_only=True) as uow:
        rows = uow.segments.of(dead.case.case_id, "or1-wall", 0, dead.site.world.clock.now_us())
    lying = files(dead.site.node.root / dead.case.case_id)
    dead.approve()
    dead.actor.now()
    receipt = dead.receipt()
    (run,) = receipt.recordings
    assert (run.camera_id, run.segments, run.bytes) == ("or1-wall", 2, sum(row.bytes for row in rows))
    assert run.digests_root == digests_root(row.digest for row in rows)
    assert receipt.approved_by == dead.site.world.officer.account_id and "30 days" in receipt.rule
    assert dead.case.case_key is not None and receipt.key_thumbprint == dead.case.case_key.thumbprint
    (node,) = receipt.files
    assert (node.node_id, node.files) == ("node-1", len(lying)) and receipt.outstanding == ()
    (entry,) = dead.entries("recordings-destroyed")
    assert json.loads(entry.detail)["rule"] == receipt.rule
    assert [dead.entries(act)[0].seq for act in ORDER] == sorted(dead.entries(act)[0].seq for act in ORDER)


ORDER = (
    "destruction-approved",
    "destruction-begun",
    "case-key-destroyed",
    "files-destroyed",
    "recordings-destroyed",
)


# what may begin, and what stops it


def test_nothing_is_destroyed_without_a_yes(dead: Dead) -> None:
    for _ in range(3):
        dead.actor.now()
        dead.site.world.clock.us += 400 * DAY_US
    assert dead.step() is Step.NOTICED and files(dead.site.node.root / dead.case.case_id)
    assert len(dead.entries("destruction-noticed")) == 1


def automatic(dead: Dead) -> CustodyService:
    world = dead.site.world
    return CustodyService(
        world.ledger.uow,
        world.clock,
        world.recorders,
        dead.site.keys,
        world.renderers,
        rules=Rules(retention=AUTOMATIC),
    )


def test_where_the_policy_says_so_it_goes_by_itself_after_the_notice(dead: Dead) -> None:
    custody, clock = automatic(dead), dead.site.world.clock
    assert custody.notice_due() == 1 and custody.begin_due() == []
    clock.us += 7 * DAY_US - 1
    assert custody.begin_due() == []
    clock.us += 1
    assert custody.begin_due() == [dead.case.case_id]
    dead.actor.now()
    assert dead.receipt().approved_by == "" and dead.receipt().approved_us == 0


def test_what_comes_between_the_yes_and_the_act_stops_it(dead: Dead) -> None:
    dead.approve()
    hold = dead.custody.put_hold(dead.site.world.manager, dead.case.case_id, "proceedings", "2026-77")
    dead.actor.now()
    assert dead.step() is None and dead.entries("destruction-withdrawn")
    dead.custody.lift_hold(dead.site.world.officer, dead.case.case_id, hold.hold_id, "settled")
    dead.actor.now()
    assert dead.step() is Step.NOTICED  # the yes was for another day
    assert refusal(dead.approve).kind is ErrorKind.SELF_APPROVAL  # evidence takes two to destroy
    dead.approve(dead.site.world.account(Role.PRIVACY_OFFICER, "second.eyes"))
    dead.actor.now()
    assert dead.step() is Step.DESTROYED


def test_an_approval_does_not_outlive_a_hold_that_was_put_and_lifted(dead: Dead) -> None:
    dead.approve()
    hold = dead.custody.put_hold(dead.site.world.manager, dead.case.case_id, "proceedings", "2026-77")
    dead.custody.lift_hold(dead.site.world.officer, dead.case.case_id, hold.hold_id, "settled")
    assert dead.custody.begin_due() == [] and dead.step() is None
    (entry,) = dead.entries("destruction-withdrawn")
    assert "hold" in entry.detail


def test_nor_a_request_that_came_and_went(dead: Dead) -> None:
    world = dead.site.world
    dead.approve()
    wish = world.wish(dead.case, to_us=dead.case.closed_us)
    request = dead.custody.submit_export(world.manager, wish)
    dead.custody.withdraw_export(world.manager, request.request_id, "A mistake.")
    assert dead.custody.begin_due() == [] and dead.step() is None
    dead.approve()
    draft = dead.custody.draft_export(world.manager, wish)
    assert dead.step() is Step.APPROVED  # a draft keeps no footage
    request = dead.custody.submit_draft(world.manager, draft.request_id)
    assert dead.step() is None
    dead.custody.withdraw_export(world.manager, request.request_id, "A mistake.")
    assert dead.custody.begin_due() == []


def test_nor_an_extension_that_is_over(dead: Dead) -> None:
    custody, manager, case_id = dead.custody, dead.site.world.manager, dead.case.case_id
    dead.approve()
    now = dead.site.world.clock.us
    custody.extend_retention(manager, case_id, now + DAY_US, "asked", "form")
    assert dead.step() is None
    dead.site.world.clock.us = now + DAY_US
    assert custody.begin_due() == []
    assert len(dead.entries("destruction-withdrawn")) == 1


def test_once_it_has_begun_nothing_stops_it_and_everybody_is_told(dead: Dead) -> None:
    world = dead.site.world
    dead.approve()
    dead.custody.begin_due()
    wish = world.wish(dead.case, to_us=dead.case.closed_us)
    acts: list[Callable[[], object]] = [
        lambda: dead.custody.put_hold(world.manager, dead.case.case_id, "proceedings", "2026-77"),
        lambda: dead.custody.extend_retention(world.manager, dead.case.case_id, 2**51, "asked", "form"),
        lambda: dead.custody.submit_export(world.manager, wish),
        lambda: dead.custody.draft_export(world.manager, wish),
        lambda: dead.custody.check_exportable(world.manager, dead.case.case_id),
        lambda: dead.custody.ask_stored(
            world.manager, "session", dead.case.case_id, "or1-wall", START_US, START_US + US_PER_S
        ),
    ]
    assert {refusal(act).kind for act in acts} == {ErrorKind.DESTROYED}
    assert "being destroyed since 20" in refusal(acts[2]).message
    dead.actor.now()
    assert dead.step() is Step.DESTROYED
    told = refusal(acts[2])
    assert "destroyed on 20" in told.message and "receipt" in told.advice


def test_the_key_service_drops_no_key_that_the_ledger_does_not_tell_it_to(dead: Dead) -> None:
    for prepare in (lambda: None, dead.custody.notice_due, dead.approve):
        prepare()
        error = refusal(lambda: dead.site.keys.destroy_case_key(dead.case.case_id))
        assert error.kind is ErrorKind.GRANT_MISSING
    dead.custody.begin_due()
    dead.site.keys.destroy_case_key(dead.case.case_id)
    dead.site.keys.destroy_case_key(dead.case.case_id)  # again is no error


def test_while_the_keys_are_locked_nothing_else_is_touched(dead: Dead) -> None:
    locked = KeyActor(dead.site.folder / "keys", None, lambda: dead.custody)
    waiting = Called(lambda: dead.custody, tools_of(dead.site.folder, locked, dead.disks))
    dead.approve()
    waiting.now()
    assert dead.step() is Step.BEGUN and files(dead.site.node.root / dead.case.case_id)
    locked.unlock(PASSPHRASE)
    waiting.now()
    assert dead.step() is Step.DESTROYED


# nodes that are away, and files that come back


def test_a_node_that_is_away_is_finished_when_it_comes_back(dead: Dead) -> None:
    dead.disks.down = {"node-1"}
    dead.approve()
    dead.actor.now()
    assert dead.step() is Step.PACKAGES_REMOVED and not dead.entries("files-destroyed")
    dead.site.world.clock.us += NODES_PATIENCE_US
    dead.actor.now()
    assert dead.step() is Step.DESTROYED and dead.receipt().outstanding == ("node-1",)
    assert files(dead.site.node.root / dead.case.case_id)
    dead.disks.down = set()
    dead.actor.now()
    assert not (dead.site.node.root / dead.case.case_id).exists()
    (entry,) = dead.entries("files-destroyed")
    assert "leftover" not in json.loads(entry.detail)
    dead.actor.now()
    assert len(dead.entries("files-destroyed")) == 1 and dead.custody.outstanding_files() == []


def test_files_that_come_back_are_removed_and_noted_and_never_indexed_again(
    dead: Dead, tmp_path: Path
) -> None:
    root = dead.site.node.root
    shutil.copytree(root / dead.case.case_id, tmp_path / "kept")
    records = list(SegmentStore(root).scan())
    dead.approve()
    dead.actor.now()
    shutil.copytree(tmp_path / "kept", root / dead.case.case_id)
    dead.site.world.ledger.engine.dispose()
    with dead.site.world.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM segments")
    report = dead.custody.index_segments(records, dead.site.tools.nodes.load())
    assert report.added == 0 and {reason for _, reason in report.refused} == {
        "the recordings of its case are destroyed"
    }
    dead.actor.now()
    assert not (root / dead.case.case_id).exists()
    assert json.loads(dead.entries("files-destroyed")[-1].detail)["leftover"] is True


def test_fsck_misses_nothing_of_it_and_names_what_came_back(dead: Dead, tmp_path: Path) -> None:
    root = dead.site.node.root
    shutil.copytree(root / dead.case.case_id, tmp_path / "kept")
    dead.approve()
    dead.actor.now()
    recorded = Recorded(dead.site, dead.case)
    assert recorded.check().faults == []
    shutil.copytree(tmp_path / "kept", root / dead.case.case_id)
    assert named(recorded.check()) == [("destroyed", dead.case.case_id)]
    report = recorded.check(repair=True)
    assert report.faults == [] and report.removed and not (root / dead.case.case_id).exists()
    assert recorded.check().faults == [] and len(dead.entries("files-destroyed")) == 2


def test_what_is_destroyed_takes_no_room_in_the_forecast(dead: Dead) -> None:
    with dead.site.world.ledger.uow(read_only=True) as uow:
        assert sum(each.bytes for each in uow.segments.volumes(0))
    dead.approve()
    dead.actor.now()
    with dead.site.world.ledger.uow(read_only=True) as uow:
        assert uow.segments.volumes(0) == []


def test_a_node_keeps_nothing_more_of_a_destroyed_case(dead: Dead) -> None:
    dead.approve()
    dead.actor.now()
    node = dead.site.node.restart()
    stray = Gap("or1-wall", dead.case.case_id, "run-1", START_US, START_US + 1, "away")
    assert refusal(lambda: node.record_gap(stray)).kind is ErrorKind.CONFLICT
    assert node.stored_cases() == []


# the fence


def test_who_was_replaced_is_refused(dead: Dead) -> None:
    dead.approve()
    dead.custody.begin_due()
    case_id = dead.case.case_id
    old = dead.custody.take_up(case_id)
    new = dead.custody.take_up(case_id)
    assert refusal(lambda: dead.custody.key_destroyed(case_id, old.epoch)).kind is ErrorKind.CONFLICT
    dead.custody.key_destroyed(case_id, new.epoch)
    again = refusal(lambda: dead.custody.key_destroyed(case_id, new.epoch))
    assert again.kind is ErrorKind.CONFLICT
    too_soon = refusal(lambda: dead.custody.finish_destruction(case_id, new.epoch, b"{}", "ab" * 32))
    assert too_soon.kind is ErrorKind.CONFLICT


def test_a_node_refuses_an_older_order_and_repeats_a_newer_one(tmp_path: Path) -> None:
    folder = tmp_path / "case-1" / "cam" / "run"
    folder.mkdir(parents=True)
    (folder / "000000.seg").write_bytes(b"12345")
    disk = DestroyedCases(tmp_path)
    assert disk.erase("case-1", 3) == Erased(1, 5) and disk.erase("case-1", 3) == Erased(0, 0)
    reopened = DestroyedCases(tmp_path)
    assert refusal(lambda: reopened.erase("case-1", 2)).kind is ErrorKind.CONFLICT
    assert reopened.erase("case-1", 4) == Erased(0, 0)
    assert refusal(lambda: reopened.erase("../x", 4)).kind is ErrorKind.BAD_REQUEST
    assert reopened.present() == []


def test_a_disk_that_refuses_leaves_a_rest_that_the_next_order_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "case-1" / "cam" / "run"
    folder.mkdir(parents=True)
    for name in ("000000.seg", "000000.slots", "000001.seg", "000001.slots"):
        (folder / name).write_bytes(b"1")
    disk, removed = DestroyedCases(tmp_path), []
    remove = disk._disk.remove

    def stubborn(path: Path) -> None:
        if len(removed) == 3:
            raise OSError(5, "Input/output error")
        removed.append(path.suffix)
        remove(path)

    monkeypatch.setattr(disk._disk, "remove", stubborn)
    assert refusal(lambda: disk.erase("case-1", 1)).kind is ErrorKind.STORAGE
    assert removed == [".slots", ".slots", ".seg"]  # what opens a segment goes first
    assert refusal(lambda: disk.check("case-1")).kind is ErrorKind.CONFLICT
    assert DestroyedCases(tmp_path).erase("case-1", 1) == Erased(1, 1) and not (tmp_path / "case-1").exists()


# a kill between any two steps

STEPS = (
    (CustodyService, "take_up"),
    (KeyStore, "destroy_case_key"),
    (CustodyService, "key_destroyed"),
    (actor_module, "remove_files"),
    (CustodyService, "packages_removed"),
    (DestroyedCases, "erase"),
    (CustodyService, "files_destroyed"),
    (Receipt, "seal"),
    (CustodyService, "finish_destruction"),
)


def reopened(folder: Path, us: int) -> tuple[CustodyService, Called]:
    """The export server and its node's disk anew over what lies in this folder, as after a restart."""
    ledger = open_ledger(sqlite_url(folder))
    keys: list[KeyActor] = []
    custody = CustodyService(
        ledger.uow, FakeClock(us), FakeRecorders(), _Later(keys), FakeRenderers(), cheap_passwords()
    )
    keys.append(KeyActor(folder / "keys", folder / "passphrase", lambda: custody))
    disks = Disks({"node-1": folder / "node-1" / "segments"})
    return custody, Called(lambda: custody, tools_of(folder, keys[0], disks))


class _Later:
    """The key service, which is made after the custody that it asks."""

    def __init__(self, keys: list[KeyActor]) -> None:
        self._keys = keys

    def create(self, case_id: str) -> object:
        return self._keys[0].create(case_id)


def work_until_killed(folder: str, us: int, at: int) -> None:
    """Begin and carry on; the process dies at its act number `at`: an act is the beginning or end of a step."""
    _, actor = reopened(Path(folder), us)
    acts = 0

    def counted(act: Callable[..., object]) -> Callable[..., object]:
        def counting(*args: object, **more: object) -> object:
            nonlocal acts
            acts += 1
            if acts == at:
                os.kill(os.getpid(), signal.SIGKILL)
            result = act(*args, **more)
            acts += 1
            if acts == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counting

    for owner, name in STEPS:
        setattr(owner, name, counted(getattr(owner, name)))
    actor.now()


def test_a_kill_between_any_two_steps_is_finished_at_the_next_start(dead: Dead, tmp_path: Path) -> None:
    request = dead.site.approved(dead.case, to_us=START_US + 60 * US_PER_S)
    (dead.site.packages / f"{request.package_id}-1.orvault").write_bytes(b"sealed")
    dead.site.world.clock.us += 40 * DAY_US
    dead.custody.expire_due()
    dead.approve()
    us, case_id = dead.site.world.clock.now_us(), dead.case.case_id
    dead.site.world.ledger.close()
    for at in range(1, 4 * len(STEPS)):
        folder = tmp_path / "copies" / str(at)
        for name in ("keys", "keys.anchor", "packages", "server", "node-1"):
            shutil.copytree(dead.site.folder / name, folder / name)
        for name in ("ledger.sqlite", "passphrase"):
            shutil.copy2(dead.site.folder / name, folder / name)
        child = ready_made().Process(target=work_until_killed, args=(str(folder), us, at))
        child.start()
        child.join(120)
        assert child.exitcode in (0, -signal.SIGKILL)
        custody, actor = reopened(folder, us + US_PER_S)
        actor.now()
        found = custody.destruction_of(case_id)
        assert found is not None and found.step is Step.DESTROYED and found.receipt is not None
        receipt, _ = verify_receipt(found.receipt, [hospital()[0].certificate_der])
        assert receipt.recordings[0].segments == 2 and receipt.outstanding == ()
        assert not (folder / "node-1" / "segments" / case_id).exists()
        assert not KeyStore.unlock(folder / "keys", PASSPHRASE).knows_case(case_id)
        assert files(folder / "packages") == [] and custody.verify_history().intact
        if child.exitcode == 0:
            break
    assert child.exitcode == 0 and at > 2 * len(STEPS)
