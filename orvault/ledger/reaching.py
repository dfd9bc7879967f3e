"""How far an account reaches, as conditions of a query: a page is narrowed before it is cut."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, exists, select, true

from orvault.custody.scope import Reach
from orvault.ledger import tables as t


def in_rooms(reach: Reach, room: Column[Any]) -> ColumnElement[bool]:
    """Objects of a room as a whole: what a scope of one camera does not reach."""
    return true() if reach.site else room.in_(sorted(reach.rooms))


def of_cases(reach: Reach, case_id: Column[Any]) -> ColumnElement[bool]:
    """Objects of a case, whose room counts."""
    if reach.site:
        return true()
    here = in_rooms(reach, t.cases.c.room)
    return exists(select(t.cases.c.id).where(t.cases.c.id == case_id, here).correlate_except(t.cases))
