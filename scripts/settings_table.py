"""Prints every setting as a Markdown table, from the settings' own types and descriptions.

docs/OPERATIONS.md holds its output between two marks; a test compares them.
"""

from __future__ import annotations

import sys
import typing
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cluster.settings import Settings, group_in

START, END = "<!-- settings: scripts/settings_table.py -->\n", "<!-- end of settings -->\n"


def table() -> str:
    """The whole table, one row per setting."""
    rows = ["| setting | default | what |", "| --- | --- | --- |", *_rows(Settings, "")]
    return "\n".join(rows) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        inner = group_in(field.annotation)
        if inner is not None:
            several = typing.get_origin(field.annotation) is tuple
            rows += _rows(inner, f"{prefix}{name}{'[]' if several else ''}.")
        else:
            rows.append(f"| `{prefix}{name}` | {_default(field)} | {field.description} |")
    return rows


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    value = field.default
    return "(none)" if value in (None, "") else f"`{value}`"


def main() -> None:
    """Put the table into the document named on the command line, or print it."""
    if len(sys.argv) == 1:
        print(table(), end="")
        return
    path = Path(sys.argv[1])
    before, rest = path.read_text().split(START)
    path.write_text(before + START + table() + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
