"""Documents that name settings, commands, words or decisions are held to what the program really has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.settings_table import END, START, table

PROJECT = Path(__file__).parents[2]
OPERATIONS = (PROJECT / "docs/OPERATIONS.md").read_text()


def test_every_setting_is_documented_as_it_is() -> None:
    documented = OPERATIONS.split(START)[1].split(END)[0]
    assert documented == table(), "run: python -m scripts.settings_table docs/OPERATIONS.md"


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"`(orvault(?:-player)?(?: [a-z]+(?:-[a-z]+)*)+)", OPERATIONS)))
)
def test_every_command_in_operations_exists(command: str) -> None:
    program, *words = command.split()
    module = {"orvault": "cluster.cli", "orvault-player": "player.__main__"}[program]
    code = f"from {module} import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "Usage" in run.stdout


def test_every_direct_dependency_has_its_line() -> None:
    import tomllib

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [
        line for extra in project["optional-dependencies"].values() for line in extra
    ]
    text = (PROJECT / "docs/DEPENDENCIES.md").read_text().lower()
    missing = [name for line in wanted if (name := re.split(r"[\[<>=; ]", line)[0].lower()) not in text]
    assert not missing


def test_every_decision_is_listed() -> None:
    listed = (PROJECT / "docs/adr/README.md").read_text()
    for path in (PROJECT / "docs/adr").glob("0*.md"):
        assert f"({path.name})" in listed
        assert "**Rejected" in path.read_text(), f"{path.name} keeps no rejected options"


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", document.read_text()):
            if not (document.parent / target).exists():
                broken.append(f"{document.relative_to(PROJECT)}: {target}")
    assert not broken


def test_no_registry_address_and_no_machine_path_is_tracked() -> None:
    names = subprocess.run(
        ["git", "ls-files", "requirements*"], cwd=PROJECT, capture_output=True, text=True
    ).stdout
    for name in names.split():
        text = (PROJECT / name).read_text()
        assert not re.search(r"https?://|--find-links|--index-url|file:", text), name
