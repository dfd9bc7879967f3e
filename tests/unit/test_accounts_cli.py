"""`orvault accounts` and `orvault account`: what a person at the server types, over a real ledger."""

from __future__ import annotations

from pathlib import Path

import pyotp
import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.custody import open_custody
from cluster.services import ledger_address
from cluster.settings import load_settings
from orvault.custody.second_factor import FactorKey
from orvault.custody.site import Secrets
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.migrate import migrate

from .test_settings import GOOD


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ray_config.yaml"
    path.write_text(GOOD)
    settings = load_settings(path)
    settings.data.mkdir()
    migrate(ledger_address(settings).resolve())
    return path


def run(config: Path, *words: str, typed: str = "") -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, "--config", str(config)], input=typed)
    return result.exit_code, result.output


def test_a_secret_that_nobody_is_there_to_type_is_asked_for_in_words(config: Path) -> None:
    for typed, told in (("", "no line came"), ("Long-enough-pw-1\nanother\n", "lines differ")):
        code, said = run(config, "account", "kim.jiwon", "auditor", typed=typed)
        assert code == 1 and told in said and "standard input as one line, twice" in said


def test_accounts_are_listed_closed_opened_and_reset(config: Path) -> None:
    password = "Long-enough-pw-1\n"
    assert run(config, "account", "kim.jiwon", "auditor", typed=password * 2)[0] == 0
    assert run(config, "account", "admin", "system-administrator", typed=password * 2)[0] == 0
    assert run(config, "accounts", "disable", "Kim.Jiwon")[0] == 0
    assert "closed on" in run(config, "accounts", "list")[1]
    assert run(config, "accounts", "enable", "kim.jiwon")[0] == 0
    code, said = run(config, "accounts", "reset-password", "kim.jiwon")
    assert code == 0 and "shown once" in said
    code, listed = run(config, "accounts", "list")
    assert code == 0 and "has to change its password" in listed and "closed on" not in listed
    code, said = run(config, "accounts", "disable", "admin")
    assert code == 1 and "last system administrator" in said
    assert run(config, "accounts", "disable", "nobody.here")[0] == 18


def test_sessions_are_shown_and_revoked_at_the_server(config: Path) -> None:
    password = "Long-enough-pw-1\n"
    assert run(config, "account", "kim.jiwon", "auditor", typed=password * 2)[0] == 0
    settings = load_settings(config)
    custody = open_custody(ledger_address(settings), ())
    session = custody.sign_in("kim.jiwon", password.strip(), "192.0.2.1").session
    code, listed = run(config, "accounts", "sessions", "kim.jiwon")
    assert code == 0 and session.session_id in listed and "192.0.2.1" in listed
    assert run(config, "accounts", "revoke", session.session_id)[0] == 0
    assert session.session_id not in run(config, "accounts", "sessions", "kim.jiwon")[1]
    assert run(config, "accounts", "revoke", session.session_id)[0] == 18


def test_a_second_factor_is_reset_at_the_server(config: Path) -> None:
    password = "Long-enough-pw-1\n"
    assert run(config, "account", "kim.jiwon", "auditor", typed=password * 2)[0] == 0
    settings = load_settings(config)
    custody = open_custody(
        ledger_address(settings), (), secrets=Secrets(factors=FactorKey(lambda: b"f" * 32))
    )
    account = custody.account_named("kim.jiwon")
    secret = custody.begin_second_factor(account, password.strip()).secret
    custody.confirm_second_factor(account, pyotp.TOTP(secret).now())
    with pytest.raises(OrvaultError) as caught:
        custody.sign_in("kim.jiwon", password.strip())
    assert caught.value.kind is ErrorKind.CODE_NEEDED
    code, said = run(config, "accounts", "reset-second-factor", "Kim.Jiwon")
    assert code == 0 and "without a code" in said
    assert custody.sign_in("kim.jiwon", password.strip()).account == account


def test_a_machine_gets_a_key_at_the_server_and_loses_it(config: Path) -> None:
    assert run(config, "machines", "add", "or-planning", "records-manager")[0] == 0
    assert run(config, "machines", "add", "root", "system-administrator")[0] == 1
    code, said = run(config, "machines", "key", "or-planning", "server [1]", "--days", "30")
    secret = said.split()[0]
    assert code == 0 and secret.startswith("orv_") and "shown once" in said
    account, session_id = open_custody(ledger_address(load_settings(config)), ()).authenticate_key(secret)
    code, listed = run(config, "machines", "keys", "or-planning")
    assert code == 0 and session_id in listed and secret not in listed and account.name == "or-planning"
    assert "comes by keys" in run(config, "accounts", "list")[1]
    assert run(config, "accounts", "revoke", session_id)[0] == 0
    assert session_id not in run(config, "machines", "keys", "or-planning")[1]
