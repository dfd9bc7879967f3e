"""`orvault keys unlock | rotate | revoke` typed beside a site that runs in a cluster, as its administrator would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import yaml

from cluster.client import ApiClient
from cluster.settings import load_settings
from orvault.container import vaultkey
from tests.e2e.nodes import HEAD, free_port, two_nodes
from tests.e2e.site import PROJECT, Site, download, eventually, export, player, record_case, wish

CLIP = PROJECT / "tests/media/cameras/or1-ceiling.mp4"
RECORD_S = 4.0
LOCKED = 22  # exit code
NEW_PASSPHRASE = "another passphrase 2"

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.long,
    pytest.mark.timeout(900),
]  # a loaded machine starts a site in minutes


@dataclass
class Attended:
    """A site in a cluster whose key store a person unlocks."""

    site: Site
    passphrase: str
    head: psutil.Process
    asker: ApiClient
    approver: ApiClient

    def keys(self, *arguments: str, typed: str = "") -> tuple[int, str]:
        run = self.site.run("keys", *arguments, stdin=typed)
        return run.returncode, " ".join(
            (run.stdout + run.stderr).split()
        )  # lines break where the console ends

    def restart_the_key_service(self) -> None:
        """Kill it; Ray starts it again, and nobody is there to unlock it.

        Its process has its name before it answers: until its constructor is through, whoever calls is told to try
        again. On a busy machine that takes many seconds.
        """
        (service,) = self._key_services()
        service.kill()
        eventually(lambda: self.keys("rotate")[0] == LOCKED, 120)

    def _key_services(self) -> list[psutil.Process]:
        return [each for each in self.head.children(recursive=True) if _is_key_service(each)]

    def waiting_for_rewrap(self) -> int:
        """Cases of the store that are still sealed to a vault key."""
        store = load_settings(self.site.config).keys.store
        return sum(not use.settled for use in vaultkey.uses(store))

    def exported(self, case_id: str) -> dict[str, Any]:
        return export(self.asker, self.approver, wish(self.asker, self.site, case_id))

    def opens(self, request: dict[str, Any]) -> None:
        """A recipient opens it."""
        assert request["state"] == "ready", request["failure"]
        package = download(self.asker, request["id"], self.site.folder / f"{request['id']}.orvault")
        secret = ("--password-file", self.site.recipient_password_file)
        run = player("verify", package, "--root", self.site.data / "keys/root.pem", *secret)
        assert run.returncode == 0, run.stdout + run.stderr


def _is_key_service(process: psutil.Process) -> bool:
    try:
        return "ray::KeyActor" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # or a zombie
        return False


@pytest.fixture(scope="module")
def attended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attended]:
    port = free_port()
    site = Site(
        tmp_path_factory.mktemp("keys"),
        [{"id": "one", "source": f"file:{CLIP}"}],
        cluster={"address": f"127.0.0.1:{port}", "object_store_mb": 100},
    )
    site.set_up()
    passphrase = attend(site)
    with two_nodes(site, port) as nodes:
        site.up(passphrase)
        try:
            head = psutil.Process(nodes[HEAD].pid)
            yield Attended(site, passphrase, head, site.client("asker"), site.client("approver"))
        finally:
            site.down()


def attend(site: Site) -> str:
    """Take away the file that unlocks the key store; its passphrase."""
    settings = yaml.safe_load(site.config.read_text())
    file = site.data / settings.pop("keys")["passphrase_file"]
    site.config.write_text(yaml.safe_dump(settings))
    passphrase = file.read_text()
    file.unlink()
    return passphrase


def test_footage_sealed_while_locked_opens_after_unlock_and_rotation(attended: Attended) -> None:
    attended.restart_the_key_service()
    case_id = record_case(attended.asker, RECORD_S, ["one"], "LOCKED")
    assert attended.waiting_for_rewrap() == 1, "the case was not given the vault key"
    code, text = attended.keys("rotate")
    assert code == LOCKED and "orvault keys unlock" in text, text
    code, text = attended.keys("unlock", typed="not the passphrase\n")
    assert code == 21 and "not the passphrase" not in text, text
    code, text = attended.keys("unlock", typed=f"{attended.passphrase}\n")
    assert code == 0, text
    code, text = attended.keys("rotate")
    assert code == 0 and "generation 2" in text, text
    attended.opens(attended.exported(case_id))
    eventually(lambda: attended.waiting_for_rewrap() == 0, 60)
    code, text = attended.keys("rotate")
    assert code == 0 and "generation 3" in text, text
    attended.opens(attended.exported(case_id))


def test_a_new_passphrase_counts_from_the_next_restart(attended: Attended) -> None:
    case_id = record_case(attended.asker, RECORD_S, ["one"], "BEFORE")
    code, text = attended.keys("rotate", "--new-passphrase", typed=f"{NEW_PASSPHRASE}\n{NEW_PASSPHRASE}\n")
    assert code == 0 and NEW_PASSPHRASE not in text, text
    attended.restart_the_key_service()
    code, text = attended.keys("unlock", typed=f"{attended.passphrase}\n")
    assert code == 21, text
    code, text = attended.keys("unlock", typed=f"{NEW_PASSPHRASE}\n")
    assert code == 0, text
    attended.opens(attended.exported(case_id))


def test_a_revocation_counts_at_once(attended: Attended) -> None:
    case_id = record_case(attended.asker, RECORD_S, ["one"], "REVOKED")
    code, text = attended.keys("revoke", "or-client-1", "--since", "2026-01-01T00:00+09:00")
    assert code == 0, text
    request = attended.exported(case_id)
    assert request["state"] == "failed"
    assert "revoked" in str(request["failure"]), request["failure"]
