"""Setting a site up: after a crash at any moment the same command finishes it, and no passphrase is lost."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from actors.keys import read_secret
from cluster import demo, services, setup, sheet, site_secrets
from cluster.cli import app
from cluster.settings import Settings, load_settings
from orvault.container import files, kek
from orvault.container.authority import Authority
from orvault.container.keys import Argon2idParams
from orvault.container.keystore import KeyStore
from orvault.container.trust import Identity
from orvault.custody.account import Role
from orvault.errors import EXIT_CODES, ErrorKind, OrvaultError
from orvault.ledger.migrate import migrate

from .test_settings import GOOD


class PowerCut(BaseException):
    """The machine is off; nothing that is running may catch it."""


@dataclass(frozen=True)
class Cheap(Argon2idParams):
    memory_kib: int = 8 * 1024
    iterations: int = 1
    lanes: int = 1


def site_in(folder: Path) -> Settings:
    folder.mkdir()
    path = folder / "ray_config.yaml"
    path.write_text(GOOD + "keys: {passphrase_file: keys/passphrase}\n")
    return load_settings(path)


def cut_at(monkeypatch: pytest.MonkeyPatch, count: int, before: bool) -> None:
    """Cut the power at the file of this number, before or after it is there."""
    put, left = files._put, [count]

    def one(*args: Any) -> None:
        left[0] -= 1
        if left[0] == 0 and before:
            raise PowerCut
        put(*args)
        if left[0] == 0:
            raise PowerCut

    monkeypatch.setattr(files, "_put", one)


def test_whatever_moment_the_power_is_cut_at_the_next_init_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kek, "Argon2idParams", Cheap)
    monkeypatch.setattr(setup, "migrate", lambda _url: None)  # is repeatable by itself, and slow
    for count in range(1, 100):
        for before in (True, False):
            settings = site_in(tmp_path / f"{count}-{before}")
            with monkeypatch.context() as power:
                cut_at(power, count, before)
                try:
                    setup.set_up(settings, "the first try's passphrase")
                    break
                except PowerCut:
                    pass
            if not setup.is_set_up(settings):
                setup.set_up(settings, "another passphrase, made anew")
            whole(settings)
        else:
            continue
        break
    assert count > 12, "every file was a moment"


def whole(settings: Settings) -> None:
    """Everything is there, belongs together and opens."""
    keys = settings.keys
    assert keys.passphrase_file is not None
    source = services.store_place(settings).source(read_secret(keys.passphrase_file))
    assert KeyStore.unlock(keys.store, source).new_case_key("case-1").raw
    root = Authority.open(setup.default_root_folder(settings), None, setup.SystemClock())
    assert root.revocations().number >= 1
    assert setup.root_fingerprint(settings) == root.root.fingerprint
    for folder in (keys.server_identity, keys.node_identities / "client-1"):
        made = Identity.load(folder)
        made.certificate.verify_directly_issued_by(root.root.certificate)
    for name in (
        site_secrets.TOKEN_SECRET,
        site_secrets.LINK_SECRET,
        site_secrets.PATIENT_SECRET,
        site_secrets.FACTOR_SECRET,
        site_secrets.ACTIVATION_SECRET,
    ):
        assert len(read_secret(settings.data / "keys" / name)) == 64
    assert settings.cluster.token_file.exists() and keys.revocation_list.exists()


def test_a_site_that_is_whole_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kek, "Argon2idParams", Cheap)
    settings = site_in(tmp_path / "site")
    setup.set_up(settings, "the passphrase of the site")
    before = {path: path.read_bytes() for path in settings.data.rglob("*") if path.is_file()}
    with pytest.raises(OrvaultError) as caught:
        setup.set_up(settings, "another passphrase")
    assert caught.value.kind is ErrorKind.CONFLICT
    assert {path: path.read_bytes() for path in settings.data.rglob("*") if path.is_file()} == before
    setup.create_account(settings, "admin", Role.SYSTEM_ADMINISTRATOR, "Long-enough-pw-1")


def test_a_site_that_offers_activation_has_its_secret(tmp_path: Path) -> None:
    settings = site_in(tmp_path / "site")
    setup.check_activation(settings)
    config = tmp_path / "site/ray_config.yaml"
    config.write_text(
        config.read_text() + "export: {activation: {mode: offered, address: 'https://vault.test'}}\n"
    )
    settings = load_settings(config)
    secret = settings.data / "keys" / site_secrets.ACTIVATION_SECRET
    with pytest.raises(OrvaultError) as caught:
        setup.check_activation(settings)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and caught.value.where == str(secret)
    for content in (b"no digits", b"ab" * 31):
        files.write_private(secret, content)
        with pytest.raises(OrvaultError) as caught:
            setup.check_activation(settings)
        assert caught.value.kind is ErrorKind.BAD_SETTINGS
    assert _checked(config) == EXIT_CODES[ErrorKind.BAD_SETTINGS], "it looks like a site that is set up"
    files.write_private(secret, b"ab" * 32)
    setup.check_activation(settings)
    assert _checked(config) == 0


def test_models_that_are_not_there_are_told(tmp_path: Path) -> None:
    settings = site_in(tmp_path / "site")
    config = str(tmp_path / "site/ray_config.yaml")
    assert "the models are not there" in " ".join(
        CliRunner().invoke(app, ["check", "-c", config]).output.split()
    )
    settings.vision.models.mkdir()
    (settings.vision.models / "SHA256SUMS").touch()
    assert setup.lacking_models(settings) == ""


def _checked(config: Path) -> int:
    """What `orvault check` ends with at a site that has its keys."""
    files.write_private(load_settings(config).keys.root_certificate, b"a root")
    return CliRunner().invoke(app, ["check", "--config", str(config)]).exit_code


def test_an_older_ledger_is_refused_until_it_is_migrated_and_a_later_one_always(tmp_path: Path) -> None:
    settings = site_in(tmp_path / "site")
    config, url = str(tmp_path / "site" / "ray_config.yaml"), services.ledger_address(settings).resolve()
    unready = CliRunner().invoke(app, ["migrate", "--config", config])
    assert unready.exit_code == EXIT_CODES[ErrorKind.BAD_SETTINGS] and "orvault init" in unready.output
    files.write_private(settings.keys.root_certificate, b"a root")
    migrate(url, "0020")

    refused = CliRunner().invoke(app, ["accounts", "list", "--config", config])
    assert refused.exit_code == EXIT_CODES[ErrorKind.BAD_SETTINGS] and "orvault migrate" in refused.output
    done = CliRunner().invoke(app, ["migrate", "--config", config])
    assert done.exit_code == 0 and "had the schema 0020" in done.output
    assert CliRunner().invoke(app, ["accounts", "list", "--config", config]).exit_code == 0
    again = CliRunner().invoke(app, ["migrate", "--config", config])
    assert again.exit_code == 0 and "already" in again.output

    with sqlite3.connect(url.removeprefix("sqlite:///")) as ledger:
        ledger.execute("UPDATE alembic_version SET version_num = '9999'")
    later = CliRunner().invoke(app, ["migrate", "--config", config])
    assert later.exit_code == EXIT_CODES[ErrorKind.BAD_SETTINGS] and "a later one made it" in later.output


def test_the_demonstration_touches_no_real_camera(tmp_path: Path) -> None:
    settings = site_in(tmp_path / "real")
    for act in (
        lambda: demo.run_demo(settings, 4),
        lambda: sheet.write_before_after(tmp_path / "none", "", settings, tmp_path / "picture.png"),
    ):
        with pytest.raises(OrvaultError) as caught:
            act()
        assert caught.value.kind is ErrorKind.BAD_SETTINGS and "cam-1" in str(caught.value)
    assert not settings.data.exists() and not (tmp_path / "picture.png").exists()
