"""Back-ups of the key store: what a copy holds, when it opens, and bringing one back."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from orvault.clock import FakeClock
from orvault.container import vaultkey
from orvault.container.kek import PassphraseKek
from orvault.container.keybackup import back_up, follow, restore
from orvault.container.keys import PublicKey
from orvault.container.keystore import KeyStore, default_anchors
from orvault.errors import ErrorKind
from tests.refusals import refusal
from tests.unit.container_support import CHEAP

PASSPHRASE = "a long passphrase"


class Kept:
    """A key store with two cases, and where its back-up goes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.target = folder / "store", folder / "disk-2" / "backup"
        self.store = KeyStore.create(self.folder, PASSPHRASE, CHEAP)
        self.kept, self.doomed = self.store.new_case_key("kept"), self.store.new_case_key("doomed")

    @property
    def source(self) -> PassphraseKek:
        return PassphraseKek(PASSPHRASE, default_anchors(self.folder))

    def restore(self) -> Path | None:
        return restore(self.target, self.folder, self.source, FakeClock())

    def opens(self, public: PublicKey) -> bool:
        store = KeyStore.unlock(self.folder, PASSPHRASE)
        return store.holds(public.thumbprint) and store.private_key(public.thumbprint).public() == public


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_a_lost_store_comes_back_whole(kept: Kept) -> None:
    vaultkey.hand_out(kept.folder, "of-the-night")
    back_up(kept.folder, kept.target)
    shutil.rmtree(kept.folder)
    assert kept.restore() is None
    assert kept.opens(kept.kept) and kept.opens(kept.doomed)
    assert [use.case_id for use in vaultkey.uses(kept.folder)] == ["of-the-night"]


def test_it_holds_no_anchor_no_lock_and_is_private(kept: Kept) -> None:
    back_up(kept.folder, kept.target)
    files = [path for path in kept.target.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"ring.json", "vault.json"} and len(files) == 5
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert stat.S_IMODE(kept.target.stat().st_mode) == 0o700
    alone = PassphraseKek(PASSPHRASE, kept.target.with_name("no-anchor"))
    assert refusal(lambda: KeyStore.unlock(kept.target, alone)).kind is ErrorKind.KEY_MISSING


def test_one_from_before_a_destruction_is_not_brought_back(kept: Kept) -> None:
    back_up(kept.folder, kept.target)
    kept.store.destroy_case_key("doomed")
    error = refusal(kept.restore)
    assert error.kind is ErrorKind.KEY_MISSING and "before a key was destroyed" in error.advice
    assert kept.opens(kept.kept)  # the store that was there is still there
    assert not [path for path in kept.folder.parent.iterdir() if "copying" in path.name]


def test_it_follows_every_change_so_that_the_newest_always_opens(kept: Kept) -> None:
    assert follow(kept.folder, kept.target) and not follow(kept.folder, kept.target)
    new = kept.store.new_case_key("new")
    assert follow(kept.folder, kept.target)
    kept.store.destroy_case_key("doomed")
    assert follow(kept.folder, kept.target)
    shutil.rmtree(kept.folder)
    kept.restore()
    assert kept.opens(kept.kept) and kept.opens(new) and not kept.opens(kept.doomed)
    assert sorted(path.name for path in kept.target.parent.iterdir()) == ["backup"]


def test_the_present_store_is_moved_and_not_overwritten(kept: Kept) -> None:
    back_up(kept.folder, kept.target)
    late = kept.store.new_case_key("late")
    moved = kept.restore()
    assert moved is not None and not kept.opens(late)
    shutil.rmtree(kept.folder)
    moved.rename(kept.folder)
    assert kept.opens(late)


def test_a_wrong_passphrase_brings_nothing_back(kept: Kept) -> None:
    back_up(kept.folder, kept.target)
    wrong = PassphraseKek("quite another one", default_anchors(kept.folder))
    error = refusal(lambda: restore(kept.target, kept.folder, wrong, FakeClock()))
    assert error.kind is ErrorKind.WRONG_PASSPHRASE and kept.opens(kept.kept)


def test_it_goes_into_no_folder_that_holds_something_else(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter").write_text("dear")
    for target in (tmp_path / "papers", kept.folder / "cases", tmp_path):
        assert refusal(lambda: back_up(kept.folder, target)).kind is ErrorKind.CONFLICT  # noqa: B023
    assert refusal(lambda: back_up(tmp_path / "none", kept.target)).kind is ErrorKind.KEY_MISSING
    assert (
        refusal(lambda: restore(tmp_path, kept.folder, kept.source, FakeClock())).kind
        is ErrorKind.KEY_MISSING
    )


def test_a_store_left_half_way_through_a_roll_is_not_copied(kept: Kept) -> None:
    (kept.folder / "ring.next.json").write_bytes(b"{}")
    assert refusal(lambda: back_up(kept.folder, kept.target)).kind is ErrorKind.CONFLICT
    assert not kept.target.exists()
