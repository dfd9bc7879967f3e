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

assert tables_exports.history.metadata is metadata, "all parts of the schema are one"
assert tables_accounts.accounts.metadata is metadata, "all parts of the schema are one"
assert tables_activation.package_shares.metadata is metadata, "all parts of the schema are one"
assert tables_control.signals.metadata is metadata, "all parts of the schema are one"
assert tables_directory.directory_links.metadata is metadata, "all parts of the schema are one"
assert tables_history.checkpoints.metadata is metadata, "all parts of the schema are one"
assert tables_participants.request_participants.metadata is metadata, "all parts of the schema are one"
assert tables_scans.scans.metadata is metadata, "all parts of the schema are one"
assert tables_search.stretches.metadata is metadata, "all parts of the schema are one"
assert tables_second_factors.second_factors.metadata is metadata, "all parts of the schema are one"
assert tables_viewing.views.metadata is metadata, "all parts of the schema are one"
assert tables_retention.destructions.metadata is metadata, "all parts of the schema are one"

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
