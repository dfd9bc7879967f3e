"""Inquiries go by index on both databases: what a database is asked, explained by itself over some history."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from orvault.clock import US_PER_S
from orvault.custody.history import Act
from orvault.custody.service import SeenSpan
from orvault.custody.viewing import Showing
from tests.contract.test_history_tampering import write
from tests.fakes import World
from tests.unit.test_inquiries import watch

BY = {
    "ix_history_subject_seq",
    "ix_history_actor_seq",
    "ix_views_case_id",
    "PRIMARY",
    "sqlite_autoindex_history_1",
}


@pytest.fixture
def asked(world: World) -> list[tuple[str, object]]:
    """Every statement over history and views that the inquiries make."""
    for number in range(20):
        write(world, 200, f"case:{number}")
    case = world.recorded_case()
    assert case.armed_us is not None
    watch(world, case, "or1-wall", [SeenSpan(case.armed_us, case.armed_us + US_PER_S, Showing.MASKED)])
    request = world.ready(case)
    found: list[tuple[str, object]] = []

    def note(_c: object, _k: object, statement: str, parameters: object, *_: object) -> None:
        plain = statement.replace("`", "")
        if "FROM history \n" in plain or "FROM views \n" in plain:
            found.append((statement, parameters))

    event.listen(world.ledger.engine, "before_cursor_execute", note)
    assert world.custody.recording_access(None, case.case_id).seen
    assert world.custody.account_history(None, world.manager.account_id)
    assert world.custody.export_dossier(None, request.request_id).entries[-1].act == Act.RENDER_FINISHED
    event.remove(world.ledger.engine, "before_cursor_execute", note)
    return found


def test_no_inquiry_reads_what_it_does_not_tell(world: World, asked: list[tuple[str, object]]) -> None:
    sqlite = world.ledger.engine.dialect.name == "sqlite"
    assert len(asked) > 10
    with world.ledger.engine.connect() as connection:
        if not sqlite:
            connection.exec_driver_sql("ANALYZE TABLE history, views").fetchall()
        for statement, parameters in asked:
            explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
            rows = connection.exec_driver_sql(f"{explain} {statement}", parameters).fetchall()  # type: ignore[arg-type]
            told = " ".join(str(value) for row in rows for value in row)
            assert any(name in told.replace("(", " ").split() for name in BY), f"{statement}: {told}"
            assert "Using filesort" not in told and "TEMP B-TREE" not in told, f"{statement}: {told}"
