"""Pages of rows, the newest first: each index is read from where the page begins, and no further than it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, or_, select, union

from orvault.ledger.rows import Row

Keys = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Branch:
    """An index, and what has to hold of its columns before those that order the page: one value of each."""

    index: str
    where: tuple[ColumnElement[bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """How a table's pages are ordered: falling by `columns`, which no two rows have alike. `key`: its own."""

    table: Table
    columns: tuple[Column[object], ...]
    key: tuple[Column[object], ...]

    def keys(
        self,
        branches: Sequence[Branch],
        within: Sequence[ColumnElement[bool]],
        after: Sequence[int | str],
        limit: int,
    ) -> Keys:
        """The first `limit` rows behind `after`, by their ordering columns, out of all branches, each once."""
        behind = (_behind(self.columns, after),) if after else ()
        parts: list[Keys] = [
            select(*self.columns)
            .with_hint(self.table, f"FORCE INDEX ({branch.index})", "mysql")
            .where(*branch.where, *within, *behind)
            .order_by(*(column.desc() for column in self.columns))
            .limit(limit)
            for branch in branches
        ]
        if len(parts) == 1:
            return parts[0]
        together = union(*(select(part.subquery()) for part in parts)).subquery()
        ordered = (together.c[column.name].desc() for column in self.columns)
        return select(together).order_by(*ordered).limit(limit)

    def rows(self, keys: Keys, *more: ColumnElement[Any]) -> Keys:
        """The whole rows of these keys, in order."""
        chosen = keys.subquery()
        same = and_(*(column == chosen.c[column.name] for column in self.key))
        query = select(self.table, *more).select_from(chosen).join(self.table, same)
        return query.order_by(*(column.desc() for column in self.columns))

    def place(self, row: Row) -> tuple[int | str, ...]:
        """Where the row stands in the order."""
        return tuple(row[column.name] for column in self.columns)


def _behind(columns: Sequence[Column[object]], parts: Sequence[int | str]) -> ColumnElement[bool]:
    """Whether a row comes after this place. The first part stands alone: it is what an index is entered by."""
    column, part = columns[0], parts[0]
    if len(columns) == 1:
        return column < part
    return and_(column <= part, or_(column < part, _behind(columns[1:], parts[1:])))
