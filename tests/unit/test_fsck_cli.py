"""`orvault fsck` as its user types it, over a real ledger: words, JSON, exit codes, and that it changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cluster.cli import app
from cluster.fsck import Report, SiteCheck
from cluster.services import ledger_address
from cluster.settings import Settings, load_settings
from orvault.ledger.migrate import migrate
from tests.unit.container_support import hospital

from .test_settings import GOOD


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ray_config.yaml"
    path.write_text(GOOD)
    settings = load_settings(path)
    settings.data.mkdir()
    migrate(ledger_address(settings).resolve())
    hospital()[0].save(tmp_path / "root")
    settings.keys.root_certificate.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "root" / "certificate.pem", settings.keys.root_certificate)
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["fsck", *words, "--config", str(config)])


def store(settings: Settings) -> Path:
    (node,) = (node.name for node in settings.nodes if "client" in node.roles)
    return settings.data / "segments" / node


def test_a_site_without_a_fault_says_so(config: Path) -> None:
    result = run(config)
    assert result.exit_code == 0 and "everything is in order" in result.stdout
    store(load_settings(config)).mkdir(parents=True)
    told = json.loads(run(config, "--json").stdout)
    assert told["faults"] == [] and told["checked"] == {"gaps": 0, "runs": 0, "segments": 0}


def test_a_fault_is_named_with_path_what_and_advice_and_ends_with_its_code(config: Path) -> None:
    folder = store(load_settings(config)) / "case-1" / "wall" / "run-1"
    folder.mkdir(parents=True)
    (folder / "000000.seg").write_bytes(b"ORVSEG1\n")
    result = run(config)
    assert result.exit_code == 11
    assert f"damaged  {folder / '000000.seg'}" in result.stdout
    assert "It ends after 8 bytes" in result.stdout and "Bring the very file back" in result.stdout
    (fault,) = json.loads(run(config, "--json").stdout)["faults"]
    assert (fault["kind"], fault["where"]) == ("damaged", str(folder / "000000.seg"))
    (folder / "000000.seg").write_bytes(b"another thing")
    assert run(config, "--repair").exit_code == 10
    assert [path.name for path in folder.iterdir()] == ["000000.seg"]
    assert run(config, "--case", "case-2").exit_code == 0


def test_what_lies_on_a_disk_that_is_not_here_is_counted_and_ends_with_a_code(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: object, *_: object) -> Report:
        return Report(not_checked={"client-1": 7})

    monkeypatch.setattr(SiteCheck, "check", away)
    result = run(config)
    assert result.exit_code == 11 and "Not checked: 7 segments of client-1" in result.stdout
    assert "everything" not in result.stdout
    assert json.loads(run(config, "--json").stdout)["not_checked"] == {"client-1": 7}
    (node,) = (node.name for node in load_settings(config).nodes if "client" in node.roles)
    assert run(config, "--node", node).exit_code == 0, "left out on purpose"


def test_runs_are_adopted_by_a_repair_only(config: Path) -> None:
    result = run(config, "--adopt")
    assert result.exit_code == 1 and "--repair" in result.output
    assert run(config, "--repair", "--adopt").exit_code == 0


def test_a_node_that_is_not_there_is_told(config: Path) -> None:
    result = run(config, "--node", "nowhere")
    assert result.exit_code == 18
