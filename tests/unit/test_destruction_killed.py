"""A kill between any two steps of a destruction is finished at the next start."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import retention as actor_module
from actors.keys import KeyActor
from orvault.clock import US_PER_S, FakeClock
from orvault.container.keystore import KeyStore
from orvault.container.receipt import Receipt, verify_receipt
from orvault.custody.destruction import Step
from orvault.custody.retention import DAY_US
from orvault.custody.service import CustodyService
from orvault.ledger.engine import open_ledger
from orvault.recording.destroying import DestroyedCases
from tests.fake_parts import FakeRecorders, FakeRenderers
from tests.fakes import cheap_passwords, sqlite_url
from tests.processes import ready_made
from tests.unit.actors_support import PASSPHRASE, START_US
from tests.unit.container_support import hospital
from tests.unit.destruction_support import Called, Dead, Disks, files, make_dead, tools_of

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


@pytest.fixture
def dead(tmp_path: Path) -> Dead:
    return make_dead(tmp_path)


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
