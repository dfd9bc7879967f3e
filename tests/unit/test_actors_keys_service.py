"""The key service over an unattended restart: it records on and opens nothing, and re-wraps after the unlock."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from actors.keys import KeyActor, StorePlace
from actors.rewrapping import Rewrapper
from orvault.container import vaultkey
from orvault.container.keys import KeySlot, PublicKey
from orvault.container.keystore import KeyStore
from orvault.container.revocation import Reason, Revoked, issue_list
from orvault.container.segment import unwrap_dek
from orvault.custody.case import Case
from orvault.custody.recorded import StoredSegment
from orvault.custody.request import RequestState
from orvault.custody.retention import DAY_US
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind
from orvault.recording.store import SegmentStore
from tests.fakes import World, cheap_passwords
from tests.refusals import refusal
from tests.unit.actors_support import (
    PASSPHRASE,
    START_US,
    Enrolled,
    NodeSegments,
    Site,
    away,
    eventually,
    make_site,
)
from tests.unit.container_support import CLOCK, hospital


@dataclass
class Sidecars(NodeSegments):
    """The node, seen over a line that may be down; `late` is what the ledger has not confirmed yet."""

    down: bool = False
    late: int = 0

    def replace_slots(self, node_id: str, path: str, slots: Sequence[KeySlot]) -> None:
        if self.down:
            raise away("The node")
        super().replace_slots(node_id, path, slots)

    def waiting(self, node_id: str) -> int:
        if self.down:
            raise away("The node")
        return self.late


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose server came back without anybody at its keyboard."""
    site = make_site(tmp_path)
    site.keys = KeyActor(site.folder / "keys", None, lambda: site.world.custody)
    world = site.world
    custody = CustodyService(
        world.ledger.uow, world.clock, world.recorders, site.keys, world.renderers, cheap_passwords()
    )
    site.world = replace(world, custody=custody)
    site.tools = replace(site.tools, keys=site.keys)
    return site


def segments(site: Site, case: Case) -> Sequence[StoredSegment]:
    with site.world.ledger.uow(read_only=True) as uow:
        return uow.segments.of(case.case_id, "or1-wall", 0, START_US * 2)


def sidecar(site: Site, segment: StoredSegment) -> tuple[KeySlot, ...]:
    return SegmentStore(site.node.root).record(segment.path).slots


def recorded_locked(site: Site, number: str = "2026-1") -> tuple[Case, PublicKey]:
    case = site.record(number)
    vault = vaultkey.read(site.folder / "keys")
    assert case.case_key == vault
    return case, vault


def test_locked_it_records_on_and_opens_nothing(site: Site) -> None:
    case, vault = recorded_locked(site)
    stored = segments(site, case)
    assert len(stored) == 2 and {slot.key_thumbprint for s in stored for slot in s.slots} == {
        vault.thumbprint
    }
    request = site.approved(case)
    worker = site.worker()
    worker.work_off()
    assert site.request(request.request_id).state is RequestState.APPROVED
    job = site.world.claimed()
    error = refusal(site.keys.open_for_render, job.request.request_id, job.tracks[0].segments)
    assert error.kind is ErrorKind.KEYS_LOCKED and "keys-opened" not in site.world.acts()
    assert refusal(site.keys.destroy_case_key, case.case_id).kind is ErrorKind.KEYS_LOCKED
    assert refusal(site.keys.rotate).kind is ErrorKind.KEYS_LOCKED


def test_after_the_unlock_it_opens_before_and_after_the_rewrap(site: Site) -> None:
    case, _ = recorded_locked(site)
    site.keys.unlock(PASSPHRASE)
    first = site.approved(case)
    site.worker().work_off()
    assert site.request(first.request_id).state is RequestState.READY
    Rewrapper(site.world.custody, site.keys, Sidecars(site.node)).run_once()
    second = site.approved(case)
    site.worker().work_off()
    assert site.request(second.request_id).state is RequestState.READY


def test_after_the_rewrap_the_vault_key_alone_opens_nothing(site: Site) -> None:
    case, vault = recorded_locked(site)
    before = segments(site, case)
    site.keys.unlock(PASSPHRASE)
    assert Rewrapper(site.world.custody, site.keys, Sidecars(site.node)).run_once() == 0
    store = KeyStore.unlock(site.folder / "keys", PASSPHRASE)
    private, own = store.private_key(vault.thumbprint), store.new_case_key(case.case_id)
    for old, new in zip(before, segments(site, case), strict=True):
        assert new.header == old.header and new.digest == old.digest
        for slots in (new.slots, sidecar(site, new)):
            assert [slot.key_thumbprint for slot in slots] == [own.thumbprint]
            assert refusal(unwrap_dek, slots, private, new.header).kind is ErrorKind.NOT_FOR_YOU
            dek = unwrap_dek(slots, store.private_key(own.thumbprint), new.header)
            assert dek == unwrap_dek(old.slots, private, old.header)
    assert site.world.acts()[-1] == "keys-rewrapped"


def begin_destruction(world: World, case: Case) -> None:
    """A month later, approved: from here on the key service drops the case's key."""
    world.clock.us += 31 * DAY_US
    world.custody.notice_due()
    world.custody.approve_destruction(world.officer, world.custody.retention_plan(world.officer).digest)
    assert world.custody.begin_due() == [case.case_id]


def test_after_the_destruction_neither_slots_of_before_open_nor_the_old_store(site: Site) -> None:
    case, vault = recorded_locked(site)
    copy = site.folder / "copy"
    shutil.copytree(site.folder / "keys", copy)
    site.keys.unlock(PASSPHRASE)
    Rewrapper(site.world.custody, site.keys, Sidecars(site.node)).run_once()
    begin_destruction(site.world, case)
    site.keys.destroy_case_key(case.case_id)
    store = KeyStore.unlock(site.folder / "keys", PASSPHRASE)
    assert not store.holds(vault.thumbprint)
    assert not any(store.holds(slot.key_thumbprint) for s in segments(site, case) for slot in s.slots)
    shutil.rmtree(site.folder / "keys")
    shutil.copytree(copy, site.folder / "keys")
    assert refusal(KeyStore.unlock, site.folder / "keys", PASSPHRASE).kind is ErrorKind.KEY_MISSING


def test_a_node_that_is_away_is_rewrapped_when_it_is_back(site: Site) -> None:
    case, vault = recorded_locked(site)
    sidecars = Sidecars(site.node, down=True)
    site.keys.unlock(PASSPHRASE)
    rewrapper = Rewrapper(site.world.custody, site.keys, sidecars)
    assert rewrapper.run_once() == 1
    assert all(s.slots[0].key_thumbprint == vault.thumbprint for s in segments(site, case))
    sidecars.down, sidecars.late = False, 1
    assert rewrapper.run_once() == 1  # re-wrapped, but something may yet come
    assert all(s.slots[0].key_thumbprint != vault.thumbprint for s in segments(site, case))
    sidecars.late = 0
    assert rewrapper.run_once() == 0
    assert [use.settled for use in site.keys.vault_uses()] == [True]


def test_a_case_that_still_records_is_not_settled(site: Site) -> None:
    world = site.world
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    site.keys.unlock(PASSPHRASE)
    rewrapper = Rewrapper(world.custody, site.keys, Sidecars(site.node))
    assert rewrapper.run_once() == 1
    world.custody.close_case(world.manager, case.case_id)
    assert rewrapper.run_once() == 0


def test_a_crash_between_sidecar_and_ledger_is_healed_by_the_next_round(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, vault = recorded_locked(site)
    site.keys.unlock(PASSPHRASE)
    with monkeypatch.context() as patch:
        patch.setattr(CustodyService, "replace_slots", lambda *_: (_ for _ in ()).throw(away("The ledger")))
        assert Rewrapper(site.world.custody, site.keys, Sidecars(site.node)).run_once() == 1
    (first, *_) = segments(site, case)
    assert first.slots[0].key_thumbprint == vault.thumbprint
    assert sidecar(site, first)[0].key_thumbprint != vault.thumbprint
    Rewrapper(site.world.custody, site.keys, Sidecars(site.node)).run_once()
    (first, *_) = segments(site, case)
    assert first.slots == sidecar(site, first)


def test_an_unlock_sets_the_rewrapping_going(site: Site) -> None:
    case, vault = recorded_locked(site)
    actor = KeyActor(site.folder / "keys", None, lambda: site.world.custody, Sidecars(site.node))
    actor.unlock(PASSPHRASE)
    eventually(lambda: all(use.settled for use in actor.vault_uses()), "it is re-wrapped")
    assert all(s.slots[0].key_thumbprint != vault.thumbprint for s in segments(site, case))
    assert any(thread.name == "rewrap" and thread.daemon for thread in threading.enumerate())


def test_rewrap_leaves_alone_what_is_sealed_to_the_cases_own_key(site: Site) -> None:
    site.keys.unlock(PASSPHRASE)
    case = site.record()
    stored = segments(site, case)
    assert site.keys.rewrap(stored) == [segment.slots for segment in stored]
    assert site.keys.vault_uses() == []


def test_a_passphrase_changed_from_outside_locks_it(site: Site) -> None:
    site.keys.unlock(PASSPHRASE)
    store = KeyStore.unlock(site.folder / "keys", PASSPHRASE)
    store.rotate()
    assert site.keys.unlocked() and site.keys.rotate() == 3
    KeyStore.unlock(site.folder / "keys", PASSPHRASE).rotate("another long passphrase")
    assert not site.keys.unlocked()
    site.record()  # goes on, under the vault key
    site.keys.unlock("another long passphrase")
    assert site.keys.unlocked()


def test_a_token_that_is_away_at_the_start_leaves_it_locked(site: Site, tmp_path: Path) -> None:
    from orvault.custody.token import TokenPlace

    pin = tmp_path / "pin"
    pin.write_text("4711")
    pin.chmod(0o600)
    place = StorePlace(site.folder / "keys", token=TokenPlace(tmp_path / "none.so", "none"))
    actor = KeyActor(place, pin, lambda: site.world.custody)
    assert not actor.unlocked()
    assert actor.create("case-1") == vaultkey.read(site.folder / "keys")


@pytest.mark.parametrize(("late_us", "state"), [(0, RequestState.FAILED), (3600_000_000, RequestState.READY)])
def test_an_export_takes_a_revoked_nodes_segments_of_before_only(
    site: Site, late_us: int, state: RequestState
) -> None:
    site.keys.unlock(PASSPHRASE)
    case = site.record(count=1)
    root, _, node = hospital()
    since = segments(site, case)[0].header.meta.start_us + late_us
    revoked = Revoked(node.certificate.serial_number, since, since, Reason.KEY_COMPROMISE)
    lists = (issue_list(root, [revoked], 2, CLOCK),)
    site.tools = replace(site.tools, nodes=Enrolled(root.certificate_der, (node.certificate_der,), lists))
    request = site.approved(case)
    site.worker().work_off()
    ended = site.request(request.request_id)
    assert ended.state is state
    assert state is RequestState.READY or "revoked" in str(ended.failure)


def test_slots_are_never_taken_away_altogether(site: Site) -> None:
    site.keys.unlock(PASSPHRASE)
    (segment, *_) = segments(site, site.record(count=1))
    store = SegmentStore(site.node.root)
    assert refusal(store.replace_slots, segment.path, ()).kind is ErrorKind.BAD_REQUEST
    assert refusal(store.replace_slots, "a/b/c/000009.seg", segment.slots).kind is ErrorKind.NOT_FOUND
    assert refusal(store.replace_slots, "../b/c/000000.seg", segment.slots).kind is ErrorKind.BAD_REQUEST
    assert store.record(segment.path).slots == segment.slots
