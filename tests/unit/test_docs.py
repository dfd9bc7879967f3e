"""Documents that name settings, commands, words or decisions are held to what the program really has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import typer

from cluster import cli
from player import __main__ as player
from scripts.settings_table import END, START, table

PROJECT = Path(__file__).parents[2]
OPERATIONS = (PROJECT / "docs/OPERATIONS.md").read_text()


def test_every_setting_is_documented_as_it_is() -> None:
    documented = OPERATIONS.split(START)[1].split(END)[0]
    assert documented == table(), "run: python -m scripts.settings_table docs/OPERATIONS.md"


# Named, and not there yet: each with the reason.
PROMISED: dict[str, str] = {}  # commands that messages name before they are there, and why


def _named_commands() -> set[str]:
    """Every `orvault WORD ...` and `orvault-player WORD ...` in what people read: documents, messages, help."""
    found: set[str] = set()
    packages = [PROJECT / name for name in ("cluster", "actors", "api", "player", "orvault")]
    sources = [path for package in packages for path in package.rglob("*.py")]
    for path in [
        PROJECT / "README.md",
        PROJECT / "CHANGELOG.md",
        *(PROJECT / "docs").rglob("*.md"),
        *sources,
    ]:
        # possessive (++): `orvault key commitment v1` in a format is a name, and no part of it is a command
        found |= set(re.findall(r"`(orvault(?:-player)?(?: [a-z][a-z-]*+)++)(?![\w/])", path.read_text()))
    return found


def _is_command(named: str) -> bool:
    program, *words = named.split()
    command = typer.main.get_command({"orvault": cli.app, "orvault-player": player.app}[program])
    for word in words:
        subcommands = getattr(command, "commands", None)
        if subcommands is None:
            return True  # what follows are its arguments
        if word not in subcommands:
            return False
        command = subcommands[word]
    return True


def test_every_command_that_is_named_anywhere_is_one() -> None:
    named = _named_commands()
    assert len(named) > 20
    promised = {each for each in named if any(each.startswith(known) for known in PROMISED)}
    assert sorted(each for each in named - promised if not _is_command(each)) == []
    assert [known for known in PROMISED if _is_command(known)] == [], "it is there: take it off the list"
    assert not _is_command("orvault keys fly") and not _is_command("orvault nothing")


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


def test_the_threat_model_names_each_attacker_and_tests_that_exist() -> None:
    text = (PROJECT / "docs/THREAT_MODEL.md").read_text()
    rows = re.findall(
        r"^\| (.*?) \| .* \| .* \| \[`(test_\w+)`\]\(\.\./(tests/\S+\.py)\) \|$", text, re.MULTILINE
    )
    missing = [
        f"{path}::{name}"
        for _, name, path in rows
        if not (PROJECT / path).is_file() or f"def {name}(" not in (PROJECT / path).read_text()
    ]
    assert missing == []
    assert {attacker for attacker, _, _ in rows} - {""} == {
        "thief of a client node",
        "second recorder process on one disk",
        "curious administrator",
        "database administrator",
        "another account of the same machine",
        "network",
        "leaked package",
        "insider with a grant",
    }
    assert len(rows) == text.count("](../tests/") - text.split("## Who is expected")[1].count("](../tests/")
