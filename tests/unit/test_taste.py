"""House rules that no linter has: who may go without a docstring, and that what is passed over has its reason."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGES = ("cluster", "actors", "api", "player", "orvault")
# A rule's or a check's name, then " - " or " # " and the reason, which may stand for several lines in a row.
_PASSED_OVER = re.compile(r"# (?:noqa: ?[A-Z0-9, ]*[A-Z0-9]|type: ignore\[[a-z, -]+\])(?P<reason> [-#] .+)?$")


def _files_without_method_docstrings() -> list[Path]:
    lint = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    patterns = [pattern for pattern, rules in lint["per-file-ignores"].items() if rules == ["D102"]]
    return [path for pattern in patterns for path in _expanded(pattern)]


def _expanded(pattern: str) -> Iterator[Path]:
    """The files that a pattern with one list of names in braces means."""
    before, _, rest = pattern.partition("{")
    names, _, after = rest.partition("}")
    for name in names.split(","):
        yield PROJECT / f"{before}{name}{after}"


def _bare(path: Path) -> Iterator[str]:
    """Public methods without a docstring in classes that are no protocols."""
    for part in ast.walk(ast.parse(path.read_text())):
        if not isinstance(part, ast.ClassDef) or any("Protocol" in ast.unparse(base) for base in part.bases):
            continue
        for method in part.body:
            public = isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.name[0] != "_"
            if public and ast.get_docstring(method) is None:
                yield f"{path.name}: {part.name}.{method.name}"


def test_only_methods_of_protocols_go_without_a_docstring() -> None:
    files = _files_without_method_docstrings()
    assert len(files) > 20 and [path for path in files if not path.is_file()] == []
    assert [found for path in files for found in _bare(path)] == []


def test_what_is_passed_over_has_its_reason() -> None:
    without = []
    for path in (path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")):
        reasoned = False  # of the line above
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = _PASSED_OVER.search(line)
            if found is not None and found["reason"] is None and not reasoned:
                without.append(f"{path.relative_to(PROJECT)}:{number}")
            reasoned = found is not None and (reasoned or found["reason"] is not None)
    assert without == []
