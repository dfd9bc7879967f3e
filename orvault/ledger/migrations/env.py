"""Alembic's entry: runs the steps on the connection that `orvault.ledger.migrate` opened."""

from __future__ import annotations

from alembic import context

from orvault.ledger import (
    tables_accounts,
    tables_activation,
    tables_control,
    tables_directory,
    tables_exports,
    tables_history,
    tables_participants,
    tables_retention,
    tables_scans,
    tables_search,
    tables_second_factors,
    tables_viewing,
)
from orvault.ledger.tables import metadata

# Each puts its tables into `metadata` when it is imported.
PARTS = (
    tables_accounts,
    tables_activation,
    tables_control,
    tables_directory,
    tables_exports,
    tables_history,
    tables_participants,
    tables_retention,
    tables_scans,
    tables_search,
    tables_second_factors,
    tables_viewing,
)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
