"""`orvault keys`: what a person types, over a site's real files; the root on a medium of its own."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.keys_rotation import rotate
from cluster.settings import Settings, load_settings
from cluster.setup import set_up
from orvault.container.authority import Authority
from orvault.container.enrolment import EnrolmentFiles
from orvault.container.keystore import KeyStore
from orvault.container.revocation import load_lists
from orvault.container.trust import Identity
from orvault.errors import ErrorKind, OrvaultError

PROJECT = Path(__file__).parents[2]
ROOT_PASSPHRASE = "root passphrase 1"
CONFIG = """\
site: Test Hospital
data: var
nodes:
  - {name: server, roles: [server, detection]}
  - {name: or-1, roles: [client]}
cameras:
  - {id: one, title: One, room: OR-1, node: or-1, source: "file:one.mp4"}
keys:
  passphrase_file: keys/passphrase
"""


class Keys:
    """A site in a folder, its root on a medium, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.medium = folder, folder / "medium"
        self.config = folder / "ray_config.yaml"
        self.config.write_text(CONFIG)
        self.settings: Settings = load_settings(self.config)

    def run(self, *arguments: str, secret: str = ROOT_PASSPHRASE, root: bool = False) -> tuple[int, str]:
        medium = ["--root-folder", str(self.medium)] if root else []
        command = ["keys", *arguments, "--config", str(self.config), *medium]
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, command, input=f"{secret}\n{secret}\n")
        return result.exit_code, result.output

    def files(self) -> EnrolmentFiles:
        keys = self.settings.keys
        return EnrolmentFiles(keys.root_certificate, keys.node_identities, keys.revocation_list)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys-site")
    site = Keys(folder)
    code, text = site.run("root", root=True)
    assert code == 0, text
    set_up(site.settings, "store passphrase 1", ROOT_PASSPHRASE, site.medium)
    return folder


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Keys:
    shutil.copytree(made, tmp_path / "site")
    return Keys(tmp_path / "site")


def test_the_root_is_made_apart_under_its_passphrase_and_used_by_the_set_up(site: Keys) -> None:
    assert Authority.is_protected(site.medium)
    assert not (site.folder / "var/keys/root").exists()
    assert stat.S_IMODE((site.medium / "key.pem").stat().st_mode) == 0o600
    code, text = site.run("root", root=True)
    assert code != 0 and "is kept" in text
    server = Identity.load(site.settings.keys.server_identity)
    assert server.chain[0].fingerprint is not None
    code, text = site.run("list")
    assert code == 0 and "Test Hospital" in text and "or-1" in text and text.count("valid") >= 3


def test_a_short_root_passphrase_is_refused(tmp_path: Path) -> None:
    site = Keys(tmp_path)
    code, text = site.run("root", root=True, secret="short")
    assert code != 0 and "10 characters" in text and not (site.medium / "key.pem").exists()


def test_a_node_is_enrolled_renewed_and_revoked(site: Keys) -> None:
    folder = site.settings.keys.node_identities / "or-1"
    old = Identity.load(folder)
    code, text = site.run("enrol-node", "or-1", root=True)
    assert code != 0 and "--renew" in text
    code, text = site.run("enrol-node", "or-1", "--renew", "--days", "30", root=True)
    assert code == 0 and "is enrolled until" in text
    new = Identity.load(folder)
    assert new.fingerprint != old.fingerprint
    assert (folder / "earlier" / f"{old.fingerprint}.pem").exists()
    assert sorted(path.name for path in folder.rglob("key.pem")) == ["key.pem"]
    code, text = site.run("list")
    assert code == 0 and "days left" in text and old.fingerprint[:16] in text and new.fingerprint[:16] in text
    code, text = site.run("revoke", "or-1", root=True)
    assert code != 0 and old.fingerprint[:16] in text
    code, text = site.run(
        "revoke",
        old.fingerprint[:10],
        "--since",
        "2026-01-02T03:04+09:00",
        "--reason",
        "superseded",
        root=True,
    )
    assert code == 0 and "2026-01-01T18:04:00" in text
    code, text = site.run("revoke", "or-1", root=True)
    assert code == 0, text
    code, text = site.run("list")
    assert code == 0 and text.count("revoked from") == 2 and "2 revoked" in text
    root_der = Authority.open(site.medium, ROOT_PASSPHRASE, None).root.certificate_der  # type: ignore[arg-type]
    server, medium = (
        load_lists(path, [root_der]).of(root_der)
        for path in (site.settings.keys.revocation_list, site.medium / "revoked.pem")
    )
    assert server == medium and server is not None and len(server.entries) == 2


def test_errors_say_what_to_do(site: Keys) -> None:
    assert "known: or-1" in site.run("enrol-node", "or-9", root=True)[1]
    code, text = site.run("enrol-node", "or-1", "--renew")
    assert code != 0 and "--root-folder" in text
    code, text = site.run("revoke", "or-1", root=True, secret="a wrong passphrase")
    assert code == 21 and "wrong passphrase" not in text
    assert "offset" in site.run("revoke", "or-1", "--since", "yesterday", root=True)[1]
    assert "no certificate of that name" in site.run("revoke", "or-9", root=True)[1]
    other = Keys(site.folder / "other") if (site.folder / "other").mkdir() is None else site
    other.run("root", root=True)
    site.medium = other.medium
    assert "not the root of this site" in site.run("revoke", "or-1", root=True)[1]


def test_the_server_can_be_given_a_new_certificate(site: Keys) -> None:
    old = Identity.load(site.settings.keys.server_identity)
    code, text = site.run("renew-server", root=True)
    assert code == 0, text
    assert Identity.load(site.settings.keys.server_identity).fingerprint != old.fingerprint
    code, text = site.run("revoke", old.fingerprint[:16], root=True)
    assert code == 0, text


def test_recipients_get_root_paper_and_list(site: Keys) -> None:
    public = site.folder / "public"
    code, _ = site.run("export-public", str(public))
    assert code == 0 and sorted(path.name for path in public.iterdir()) == [
        "fingerprint.txt",
        "revoked.pem",
        "root.pem",
    ]
    digits = re.sub(
        r"\s", "", "".join(re.findall(r"^    (.*)$", (public / "fingerprint.txt").read_text(), re.M))
    )
    assert digits == "".join(site.run("fingerprint")[1].split())
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in public.iterdir())
    shown = subprocess.run(
        ["openssl", "crl", "-in", public / "revoked.pem", "-noout", "-CAfile", public / "root.pem"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "verify OK" in shown.stdout + shown.stderr


def test_rotate_changes_kek_and_passphrase_and_the_file_that_unlocks(site: Keys) -> None:
    place, file = site.settings.keys.store, site.settings.keys.passphrase_file
    assert file is not None
    code, text = site.run("rotate")
    assert code == 0 and "generation 2" in text
    code, text = site.run("rotate", "--new-passphrase", secret="store passphrase 2")
    assert code == 0 and "generation 3" in text
    assert file.read_text() == "store passphrase 2" and not file.with_name("passphrase.next").exists()
    from cluster.services import store_place

    KeyStore.unlock(place, store_place(site.settings).source("store passphrase 2"))
    with pytest.raises(OrvaultError) as caught:
        KeyStore.unlock(place, store_place(site.settings).source("store passphrase 1"))
    assert caught.value.kind is ErrorKind.WRONG_PASSPHRASE


def test_rotate_asks_when_no_file_unlocks(site: Keys) -> None:
    keys = site.settings.keys.model_copy(update={"passphrase_file": None})
    settings = site.settings.model_copy(update={"keys": keys})
    assert rotate(settings, None, lambda _: "store passphrase 1") == 2
    with pytest.raises(OrvaultError) as caught:
        rotate(settings, None, lambda _: "another one")
    assert caught.value.kind is ErrorKind.WRONG_PASSPHRASE


def test_the_anchor_lies_outside_the_store(site: Keys) -> None:
    keys = site.settings.keys
    assert list(keys.anchor.iterdir()) and not keys.anchor.is_relative_to(keys.store)


@pytest.mark.parametrize(
    "command", ["root", "enrol-node", "renew-server", "revoke", "list", "export-public", "rotate", "unlock"]
)
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(app, ["keys", command, "--help"])
    assert result.exit_code == 0 and "Usage" in result.output


def test_without_keys_the_commands_say_so(tmp_path: Path) -> None:
    assert "orvault init" in Keys(tmp_path).run("list")[1]


def test_the_player_loads_neither_the_key_store_nor_pkcs11() -> None:
    words = ("keystore", "keyring", "kek", "pkcs11")
    code = f"import sys, player.__main__; print([m for m in sys.modules if m.split('.')[-1] in {words}])"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert shown.stdout.strip() == "[]", shown.stderr


def test_the_lines_that_operations_gives_for_the_key_stores_back_up_do_it(site: Keys) -> None:
    marked = (PROJECT / "docs/OPERATIONS.md").read_text().split("<!-- tested: key store back-up -->")[1]
    lines = marked.split("```sh\n")[1].split("```")[0]
    lost = "# ... keys/store is lost ..."
    assert lost in lines
    target = site.folder / "disk-2" / "keystore"
    script = lines.replace("/mnt/disk-2/keystore", str(target)).replace(lost, "rm -r var/keys/store")
    program = f"orvault() {{ '{sys.executable}' -c 'from cluster.cli import main; main()' \"$@\"; }}\n"
    shell = subprocess.run(
        ["bash", "-euc", program + script],
        cwd=site.folder, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert shell.returncode == 0, shell.stdout + shell.stderr
    assert "it opens" in shell.stdout and "Nothing is due." in shell.stdout
    assert KeyStore.exists(site.settings.keys.store) and not list(target.rglob("*anchor*"))


def test_a_back_up_goes_where_the_settings_say_and_an_old_one_is_refused(site: Keys) -> None:
    code, text = site.run("backup")
    assert code != 0 and "keys.backup" in text
    site.config.write_text(CONFIG + "  backup: ../disk-2/keystore\n")
    assert site.run("backup")[0] == 0 and (site.folder / "disk-2" / "keystore" / "ring.json").exists()
    rotate(site.settings, None, lambda _settings: "store passphrase 1")
    code, text = site.run("restore", str(site.folder / "disk-2" / "keystore"))
    assert code != 0 and "before a key was destroyed" in " ".join(text.split())
