"""Destroying a case for good: nothing opens afterwards, a kill at any step is finished, and what stops it does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.keys import KeyActor
from orvault.clock import US_PER_S
from orvault.container.kek import PassphraseKek
from orvault.container.keystore import KeyStore, default_anchors
from orvault.container.receipt import digests_root
from orvault.container.segment import open_segment, unwrap_dek
from orvault.custody.account import Role
from orvault.custody.destruction import Step
from orvault.custody.request import RequestState
from orvault.custody.retention import DAY_US, RetentionPolicy
from orvault.custody.service import CustodyService
from orvault.custody.site import Rules
from orvault.errors import ErrorKind
from orvault.recording.store import SegmentStore
from tests.fakes import NOTHING_LEFT
from tests.refusals import refusal
from tests.unit.actors_support import PASSPHRASE, START_US
from tests.unit.destruction_support import Called, Dead, files, make_dead, tools_of

AUTOMATIC = RetentionPolicy(approve=False)


@pytest.fixture
def dead(tmp_path: Path) -> Dead:
    return make_dead(tmp_path)


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
