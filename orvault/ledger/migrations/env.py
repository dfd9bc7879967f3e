"""Alembic's entry: runs the steps on the connection that `orvault.ledger.migrate` opened."""

from __future__ import annotations

from importlib import import_module

from alembic import context

from orvault.ledger.tables import metadata

# Each puts its tables into `metadata` when it is imported.
for part in (
    "accounts",
    "activation",
    "control",
    "directory",
    "exports",
    "history",
    "participants",
    "retention",
    "scans",
    "search",
    "second_factors",
    "viewing",
):
    import_module(f"orvault.ledger.tables_{part}")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
