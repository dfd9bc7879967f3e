"""Checking history at the command line and over the API: what was checked, from where to where, what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.checkpoint_places import FolderPlace
from cluster.cli import app
from cluster.custody import open_custody
from cluster.services import evidence, ledger_address
from cluster.settings import load_settings
from orvault.container.checkpoint import log_key, origin_of
from orvault.container.files import write_private
from orvault.container.note import NoteKey
from orvault.custody.account import Role
from orvault.custody.checkpoints import LogSigner
from orvault.custody.control import ControlPolicy
from orvault.custody.service import HistoryVerdict
from orvault.custody.site import Rules
from orvault.custody.viewing import ViewPolicy
from tests.fakes import World, make_world
from tests.unit.api_support import is_problem, make_api

from .container_support import hospital
from .test_settings import GOOD


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ray_config.yaml"
    path.write_text(GOOD)
    load_settings(path).data.mkdir()
    return path


@pytest.fixture
def world(config: Path) -> World:
    return make_world(ledger_address(load_settings(config)).resolve())


def verify(config: Path) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["history", "verify", "--config", str(config)])
    return result.exit_code, " ".join(result.output.split())


def tamper(world: World) -> None:
    with world.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER history_no_update")
        connection.exec_driver_sql("UPDATE history SET actor = 'account:other' WHERE seq = 3")


def test_the_command_says_what_it_checked_and_what_is_wrong(config: Path, world: World) -> None:
    code, said = verify(config)
    assert code == 0 and f"Entries 0 to {len(Role) - 1} (" in said and "copy kept elsewhere" in said
    tamper(world)
    code, said = verify(config)
    assert code == 10 and "Entries 0 to 2 (" in said and "Entry 3 is not what was written" in said


def test_auditors_ask_over_the_api(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    good = api.get("history/verdict", Role.AUDITOR).json()
    assert good["intact"] and good["broken_seq"] is None and good["entries"] == len(Role) + 1  # the sign-in
    assert good["from"] == good["to"] is not None and "Entries 0 to 5" in good["words"]
    tamper(api.world)
    bad = api.get("history/verdict", Role.PRIVACY_OFFICER).json()
    assert not bad["intact"] and bad["broken_seq"] == 3 and "Entry 3" in bad["words"]
    assert is_problem(api.get("history/verdict", Role.RECORDS_MANAGER), 403, "forbidden")


def test_a_history_of_nothing_is_told_as_such() -> None:
    assert "no entry yet" in HistoryVerdict(0, None).words
    assert "No entry holds. It." in HistoryVerdict(3, 0, findings=("It.",)).words


def test_the_sites_own_folder_outside_is_asked_too(config: Path, world: World) -> None:
    """The command, and the API with the site's evidence: a history cut off with all that the ledger says of it."""
    settings = load_settings(config)
    root, server, _ = hospital()
    write_private(settings.keys.root_certificate, root.certificate_pem)
    made = world.custody.make_checkpoint(LogSigner(origin_of(root.certificate_der), server))
    assert made is not None
    FolderPlace(settings.history.folder).bring(world.custody)
    code, said = verify(config)
    assert code == 0 and "1 checkpoints kept elsewhere agree" in said
    asked = open_custody(
        ledger_address(settings), (), Rules(ControlPolicy(), ViewPolicy(), evidence=evidence(settings))
    )
    auditor = world.accounts[Role.AUDITOR]
    assert asked.history_verdict(auditor).outside == 1
    with world.ledger.engine.begin() as connection:
        for statement in (
            "DROP TRIGGER history_no_delete",
            "DROP TRIGGER checkpoints_no_delete",
            "DELETE FROM checkpoint_receipts",
            "DELETE FROM checkpoints",
            f"DELETE FROM history WHERE seq = {made.size - 1}",
            f"UPDATE history_head SET size = {made.size - 1}",
        ):
            connection.exec_driver_sql(statement)
    code, said = verify(config)
    assert code == 10 and f"proves {made.size} entries" in said
    assert not asked.history_verdict(auditor).intact
    assert world.custody.verify_history().intact  # the ledger alone knows nothing of it


def test_the_command_shows_the_key_that_a_witness_wants(config: Path) -> None:
    settings = load_settings(config)
    root, server, _ = hospital()
    write_private(settings.keys.root_certificate, root.certificate_pem)
    server.save(settings.keys.server_identity)
    result = CliRunner(env={"COLUMNS": "60"}).invoke(app, ["history", "key", "--config", str(config)])
    assert NoteKey.parse(result.output) == log_key(origin_of(root.certificate_der), server.certificate_der)
