"""`orvault history`: whether the list of acts still is what was written, at the server's own command line.

Reading it is the API's (`GET /history`).
"""

from __future__ import annotations

import typer

from cluster.command import DEFAULT_CONFIG, ConfigOption, settings_of
from cluster.console import errors_in_words, out
from orvault.errors import ErrorKind, OrvaultError

app = typer.Typer(help="The history of acts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `verify` a command of its own while it is the only one."""


@app.command()
def verify(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Compute every entry's place and hash anew. Ends with 10 (altered) if one does not hold."""
    with errors_in_words():
        settings = settings_of(config)
        from cluster import services
        from cluster.custody import open_custody

        custody = open_custody(services.ledger_address(settings), services.camera_ids(settings))
        verdict = custody.verify_history()
        if not verdict.intact:
            raise OrvaultError(ErrorKind.ALTERED, verdict.words, where="history")
        out.print(verdict.words, markup=False)
