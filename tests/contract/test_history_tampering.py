"""What a database administrator can do to history, and what shows it: on both databases, with real statements."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from orvault.container.checkpoint import Checkpoint, CheckpointCheck, HistoryTrust
from orvault.container.checkpoint_files import CheckpointFolder, KeptCheckpoint
from orvault.container.proof import merkle_root, verify_consistency, verify_inclusion
from orvault.container.tree import BLOCK, inclusion_path_at
from orvault.custody.checkpoints import LogSigner, StoredCheckpoint
from orvault.custody.history import Act, make_entry
from orvault.custody.history_check import Witnessed, witnessed_in
from orvault.custody.history_verdict import HistoryVerdict
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.engine import open_ledger
from tests.fakes import World
from tests.unit.container_support import hospital

ROOT, SERVER, NODE = hospital()
TRUST = HistoryTrust((ROOT.certificate_der,))
SIGNER = LogSigner(TRUST.origin, SERVER)


def write(world: World, count: int, what: str = "case:x") -> None:
    with world.ledger.uow() as uow:
        for number in range(count):
            uow.history.append(world.clock.now_us(), "system", Act.CASE_CLOSED, what, {"n": number})
        uow.commit()
    world.clock.us += 60_000_000


def checkpoint(
    world: World, folder: CheckpointFolder | None = None, signer: LogSigner = SIGNER
) -> StoredCheckpoint:
    made = world.custody.make_checkpoint(signer)
    assert made is not None
    if folder is not None:
        folder.append(KeptCheckpoint(made.at_us, Checkpoint.parse(made.note)))
    return made


def verdict(world: World, *folders: CheckpointFolder) -> HistoryVerdict:
    return world.custody.verify_history([witnessed_in(folder) for folder in folders], TRUST)


def tamper(world: World, *statements: str) -> None:
    """As somebody who may do everything in the database, and knows the triggers."""
    with world.ledger.engine.begin() as connection:
        for name in (
            "history_no_update",
            "history_no_delete",
            "checkpoints_no_update",
            "checkpoints_no_delete",
        ):
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        for statement in statements:
            connection.execute(text(statement))


def forged(world: World, seq: int) -> str:
    """A statement that changes an entry and its hash too."""
    entry = make_entry(seq, world.clock.now_us(), "account:nobody", Act.CASE_CLOSED, "case:x", {})
    values = (
        f"at_us = {entry.at_us}, actor = '{entry.actor}', act = '{entry.act}', subject = '{entry.subject}'"
    )
    return f"UPDATE history SET {values}, detail = '{{}}', leaf_hash = '{entry.leaf_hash}' WHERE seq = {seq}"


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "outside")


@pytest.fixture
def kept(world: World, folder: CheckpointFolder) -> CheckpointFolder:
    """A history of three checkpoints, all of them outside too."""
    for count in (10, 5, 5):
        write(world, count)
        checkpoint(world, folder)
    return folder


def test_a_history_that_stands_is_told_with_all_that_agrees(world: World, kept: CheckpointFolder) -> None:
    found = verdict(world, kept)
    assert found.intact and (found.kept, found.outside, found.covered) == (3, 3, found.size)
    assert (
        "3 signed checkpoints in the ledger" in found.words and "3 checkpoints kept elsewhere" in found.words
    )
    seen: list[tuple[int, int]] = []
    world.custody.verify_history(progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (found.size, found.size)
    assert checkpoint(world).size == found.size  # history did not grow: none is added
    assert verdict(world).kept == 3


def test_what_no_place_outside_covers_is_told_with_its_age(world: World, kept: CheckpointFolder) -> None:
    assert "not covered" not in verdict(world, kept).words
    for _ in range(3):
        write(world, 2)
    found = verdict(world, kept)
    assert found.intact and "last 6 entries, over 2 min since" in found.words


def test_the_tree_of_many_entries_is_the_defined_one(world: World) -> None:
    write(world, 3 * BLOCK + 10)
    first = checkpoint(world)
    write(world, BLOCK)
    second = checkpoint(world)
    with world.ledger.uow(read_only=True) as uow:
        leaves = [bytes.fromhex(entry.leaf_hash) for entry in uow.history.run_through(0, 10 * BLOCK)]
        path = inclusion_path_at(uow.checkpoints.tree(), 300, second.size)
    assert first.root == merkle_root(leaves[: first.size]).hex() and second.root == merkle_root(leaves).hex()
    assert verify_inclusion(leaves[300], 300, second.size, path, merkle_root(leaves))
    steps = world.custody.grown_from(first.size, second.size)
    roots = bytes.fromhex(first.root), bytes.fromhex(second.root)
    assert verify_consistency(first.size, roots[0], second.size, roots[1], steps)
    assert verdict(world).intact


def test_checkpoints_cannot_be_changed_or_removed(world: World, kept: CheckpointFolder) -> None:
    for statement in (
        "UPDATE checkpoints SET at_us = 1",
        "DELETE FROM checkpoints WHERE size < 0 OR size > 0",
    ):
        with (
            pytest.raises(Exception, match=r"append-only|FOREIGN KEY"),
            world.ledger.engine.connect() as connection,
        ):
            connection.execute(text(statement))


def test_one_changed_row_is_named_and_the_rest_still_compared(world: World, kept: CheckpointFolder) -> None:
    tamper(world, "UPDATE history SET detail = '{}' WHERE seq = 12")
    found = verdict(world, kept)
    assert (
        found.broken_seq == 12
        and len(found.findings) == 1
        and "Entry 12 is not what was written" in found.words
    )
    assert (found.kept, found.outside) == (3, 3)


def test_a_row_changed_with_its_hash_shows_against_the_next_checkpoint(
    world: World, kept: CheckpointFolder
) -> None:
    size = world.custody.check_ledger()
    tamper(world, forged(world, size - 7))
    found = verdict(world)
    assert found.broken_seq == size - 10 and found.kept == 1
    assert f"entries {size - 10} to {size - 6} are not what was signed" in found.words


def test_one_deleted_row_is_named(world: World, kept: CheckpointFolder) -> None:
    tamper(world, "DELETE FROM history WHERE seq = 8")
    found = verdict(world, kept)
    assert found.broken_seq == 8 and "Entry 8 is missing" in found.words and found.outside == 0


def test_a_cut_off_end_shows_although_the_ledger_agrees_with_itself(
    world: World, kept: CheckpointFolder
) -> None:
    size = world.custody.check_ledger()
    cut = size - 4
    tamper(
        world,
        f"DELETE FROM history WHERE seq >= {cut}",
        f"UPDATE history_head SET size = {cut}",
    )
    found = verdict(world)
    assert (
        found.broken_seq == cut and "in the ledger of" in found.words and "the end was cut off" in found.words
    )
    tamper(world, f"DELETE FROM checkpoints WHERE size > {cut}")
    assert verdict(world).intact  # nothing within the database tells any more
    found = verdict(world, kept)
    assert not found.intact and f"proves {size} entries; there are {cut}" in found.words
    with pytest.raises(OrvaultError) as caught:
        world.custody.check_outside(size, b"r" * 32)
    assert caught.value.kind is ErrorKind.ALTERED


def test_all_of_it_rewritten_shows_outside_only(world: World, kept: CheckpointFolder) -> None:
    """Entries, hashes, nodes and checkpoints, with the server's own signing key."""
    tamper(world, forged(world, 7), "DELETE FROM checkpoints", "DELETE FROM history_nodes")
    checkpoint(world)
    assert verdict(world).intact
    found = verdict(world, kept)
    assert not found.intact and "in the folder" in found.words and found.broken_seq is not None
    newest = kept.newest()
    assert newest is not None
    with pytest.raises(OrvaultError, match="rewritten"):
        world.custody.check_outside(newest.checkpoint.size, newest.checkpoint.root)


def test_checkpoints_of_another_key_are_not_believed(world: World, kept: CheckpointFolder) -> None:
    write(world, 1)
    checkpoint(world, kept, LogSigner(TRUST.origin, NODE))
    write(world, 1)
    checkpoint(world, kept, LogSigner(TRUST.origin, hospital("Other")[1]))
    found = verdict(world, kept)
    assert not found.intact and found.broken_seq is None and len(found.findings) == 4
    assert all("is not believed" in each for each in found.findings)
    tamper(world, "DELETE FROM checkpoint_keys")
    assert len(verdict(world, kept).findings) == 10  # nobody knows any signer: nothing is believed


def test_a_checkpoint_changed_in_the_ledger_is_named(world: World, kept: CheckpointFolder) -> None:
    tamper(world, f"UPDATE checkpoints SET root = '{'0' * 64}' WHERE size > 15")
    found = verdict(world)
    assert not found.intact and "not as it was signed" in found.words


@pytest.mark.parametrize("us", [1 << 62, -1])
def test_times_beyond_the_calendar_do_not_keep_the_rest_from_being_named(
    world: World, kept: CheckpointFolder, us: int
) -> None:
    newest = world.custody.newest_checkpoint()
    assert newest is not None
    lying = Witnessed("the witness far", 1_000_000 * ((1 << 64) - 1), newest.parsed())
    tamper(world, f"UPDATE checkpoints SET at_us = {us}", forged(world, 3))
    tamper(world, f"UPDATE history SET at_us = {us} WHERE seq = 19")
    found = world.custody.verify_history([[lying]], TRUST)
    assert not found.intact and found.broken_seq is not None
    assert "the witness far" in found.words and "not valid on" in found.words


def test_a_place_outside_that_saw_history_shrink_says_so(world: World, kept: CheckpointFolder) -> None:
    lines = [each for each in kept.read() if isinstance(each, KeptCheckpoint)]
    kept.append(lines[0])
    found = verdict(world, kept)
    assert not found.intact and "history was shorter than before" in found.words


def test_a_line_that_was_cut_off_proves_nothing_and_breaks_nothing(
    world: World, kept: CheckpointFolder
) -> None:
    (file,) = kept.folder.iterdir()
    with file.open("ab") as opened:
        opened.write(b'{"at_us":12')
    write(world, 2)
    checkpoint(world, kept)
    assert b'{"at_us":12\x18\n{"at_us"' in file.read_bytes()
    found = verdict(world, kept)
    assert found.intact and found.outside == 4 and len(found.remarks) == 1 and "line 4" in found.remarks[0]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_restored_back_up_shows_and_is_not_signed_over(
    world: World, kept: CheckpointFolder, url: str, tmp_path: Path
) -> None:
    back_up = Backup(url, tmp_path)
    back_up.take(world)
    then = world.custody.check_ledger()
    write(world, 6)
    checkpoint(world, kept)
    newest = kept.newest()
    assert newest is not None and newest.checkpoint.size == then + 6
    world.ledger.close()
    back_up.restore()
    assert world.custody.check_ledger() == then and verdict(world).intact
    assert f"proves {then + 6} entries; there are {then}" in verdict(world, kept).words
    with pytest.raises(OrvaultError, match="cut off, or an older state"):
        world.custody.check_outside(newest.checkpoint.size, newest.checkpoint.root)
    write(world, 9, "case:other")  # it goes on, past what was known outside
    checkpoint(world)
    found = verdict(world, kept)
    assert not found.intact and f"entries {then} to {then + 5}" in found.words


class Backup:
    """What an administrator does every night, and brings back when it suits."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._file = make_url(url), folder / "back-up"

    def take(self, world: World) -> None:
        if self._url.get_backend_name() == "sqlite":
            with world.ledger.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(str(self._url.database), self._file)
        else:
            with self._file.open("wb") as file:
                self._run("mariadb-dump", ["--triggers", "--add-drop-table"], stdout=file)

    def restore(self) -> None:
        if self._url.get_backend_name() == "sqlite":
            for end in ("-wal", "-shm"):
                Path(f"{self._url.database}{end}").unlink(missing_ok=True)
            shutil.copy(self._file, str(self._url.database))
        else:
            with self._file.open("rb") as file:
                self._run("mariadb", [], stdin=file)

    def _run(self, program: str, options: Sequence[str], **streams: object) -> None:
        where = [f"--host={self._url.host}", f"--port={self._url.port}", f"--user={self._url.username}"]
        secret = f"--password={self._url.password}"
        command = [
            program,
            "--no-defaults",
            *where,
            secret,
            "--protocol=tcp",
            *options,
            str(self._url.database),
        ]
        subprocess.run(command, check=True, timeout=120, **streams)  # type: ignore[call-overload]


def test_a_ledger_opened_anew_knows_its_signers(world: World, kept: CheckpointFolder, url: str) -> None:
    other = open_ledger(url)
    with other.uow(read_only=True) as uow:
        check = CheckpointCheck(TRUST, uow.checkpoints.chains())
        newest = uow.checkpoints.newest()
    assert newest is not None
    check.check(Checkpoint.parse(newest.note), newest.at_us)
    other.close()
