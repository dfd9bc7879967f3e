"""What the repositories share: values into rows and back, and the JSON that is kept as text.

A row that cannot be read back was not written by this version: that is INTERNAL, naming the table and the
row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import RowMapping

from orvault.container.canonical import encode
from orvault.errors import ErrorKind, OrvaultError

Values = dict[str, object]


def to_text(value: Mapping[str, object]) -> str:
    """Canonical JSON of an object."""
    return encode(value).decode()


def from_text(text: str, where: str) -> dict[str, object]:
    """The object that `to_text` wrote."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise unreadable(where) from error
    if not isinstance(value, dict):
        raise unreadable(where)
    return value


def list_from_text(text: str, where: str) -> list[dict[str, object]]:
    """The list of objects under `items` that `to_text` wrote."""
    items = from_text(text, where).get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise unreadable(where)
    return items


def unreadable(where: str) -> OrvaultError:
    """The error for a row that this version did not write."""
    return OrvaultError(
        ErrorKind.INTERNAL, "A row of the ledger is not readable.", where=where, advice="Run orvault fsck."
    )


Row = RowMapping
