"""Pages of rows, the newest first: each index is read from where the page begins, and no further than it needs.

Indexes are named to MariaDB: its choice would go by estimates, and a wrong one reads a whole table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, false, or_, select, true, union

from orvault.custody.search import Part
from orvault.ledger.rows import Row

Keys = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Branch:
    """An index, and what has to hold of its columns before those that order the page: one value of each."""

    index: str
    where: tuple[ColumnElement[bool], ...] = ()

    def narrowed(self, *further: ColumnElement[bool]) -> Branch:
        """With more that has to hold."""
        return replace(self, where=(*self.where, *further))


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
        *more: Column[Any],
    ) -> Keys:
        """The first `limit` rows behind `after`, by their ordering columns (and `more`), out of all branches, each
        once.
        """
        behind = (_behind(self.columns, after),) if after else ()
        parts: list[Keys] = [
            select(*self.columns, *more)
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


def branches_of(
    table: Table, begin: str, parts: Sequence[Part], case_ids: Sequence[str] | None = None
) -> list[Branch]:
    """A branch for each part, ordered by the column `begin`; where cases are named, one for each of them instead.

    Of a named case only what lies in one of the parts.
    """
    if case_ids is None:
        return [Branch(_index(table, part, begin), _of_part(table, part)) for part in parts]
    in_parts = or_(false(), *(and_(true(), *_of_part(table, part)) for part in parts))
    return [
        Branch(f"ix_{table.name}_case_id_{begin}", (table.c.case_id == one, in_parts)) for one in case_ids
    ]


def _of_part(table: Table, part: Part) -> tuple[ColumnElement[bool], ...]:
    named = {"room": part.room, "camera_id": part.camera_id}
    equal = tuple(table.c[name] == value for name, value in named.items() if value is not None)
    return (*equal, table.c.room.in_(part.rooms)) if part.rooms else equal


def _index(table: Table, part: Part, begin: str) -> str:
    first = "room_" if part.room is not None else "camera_id_" if part.camera_id is not None else ""
    return f"ix_{table.name}_{first}{begin}"


def _behind(columns: Sequence[Column[object]], parts: Sequence[int | str]) -> ColumnElement[bool]:
    """Whether a row comes after this place. The first part stands alone: it is what an index is entered by."""
    column, part = columns[0], parts[0]
    if len(columns) == 1:
        return column < part
    return and_(column <= part, or_(column < part, _behind(columns[1:], parts[1:])))
