"""`orvault history`: whether the list of acts still is what was written, at the server's own command line.

Reading it is the API's (`GET /history`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cluster import inquiry_cli
from cluster.command import DEFAULT_CONFIG, ConfigOption, open_ledger_of, settings_of
from cluster.console import err, errors_in_words, out, progress
from cluster.settings import Settings
from orvault.container.checkpoint import HistoryTrust, log_key
from orvault.container.checkpoint_files import CheckpointFolder
from orvault.container.enrolment import read_certificate
from orvault.custody.history_check import Witnessed, witnessed_in
from orvault.errors import ErrorKind, OrvaultError

app = typer.Typer(help="The history of acts.", no_args_is_help=True)
app.command()(inquiry_cli.case)
app.command()(inquiry_cli.account)
app.command()(inquiry_cli.export)
FolderOption = Annotated[
    list[Path] | None,
    typer.Option("--folder", help="One more folder of checkpoints, e.g. a witness's.", show_default=False),
]


@app.command()
def verify(config: ConfigOption = DEFAULT_CONFIG, folder: FolderOption = None) -> None:
    """Hold every entry against its hash, and all against every checkpoint: in the ledger, in the site's folder and at
    its witnesses, and in the folders that are named. Ends with 10 (altered) if one does not hold.
    """
    with errors_in_words():
        settings = settings_of(config)
        from cluster import services

        evidence = services.evidence(settings)
        trust = evidence.trust()
        places = [] if trust is None else [evidence.kept(), *_outside(settings, trust, folder or [])]
        with progress() as bar:
            task = bar.add_task("Entries", total=None)
            verdict = open_ledger_of(config).verify_history(
                places,
                trust,
                evidence.stamps(),
                lambda done, total: bar.update(task, completed=done, total=total),
            )
        if not verdict.intact:
            raise OrvaultError(ErrorKind.ALTERED, verdict.words, where="history")
        out.print(verdict.words, markup=False)


@app.command()
def key(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show the key that signs this site's checkpoints, as a witness wants it (`orvault witness --log`)."""
    with errors_in_words():
        settings = settings_of(config)
        certificate = read_certificate(settings.keys.server_identity / "certificate.pem")
        origin = HistoryTrust((read_certificate(settings.keys.root_certificate),)).origin
        out.print(log_key(origin, certificate).text, markup=False, soft_wrap=True)


def _outside(settings: Settings, trust: HistoryTrust, folders: list[Path]) -> Iterator[Iterator[Witnessed]]:
    for folder in folders:
        if not folder.is_dir():
            raise OrvaultError(ErrorKind.NOT_FOUND, "There is no such folder.", where=str(folder))
        yield witnessed_in(CheckpointFolder(folder))
    for witness in settings.history.witnesses:
        yield _at_witness(settings, witness.name, trust)


def _at_witness(settings: Settings, name: str, trust: HistoryTrust) -> Iterator[Witnessed]:
    """What a witness keeps; one that does not answer is told of and proves nothing."""
    (place,) = (each.place() for each in settings.history.witnesses if each.name == name)
    try:
        kept = place.newest(trust.origin)
    except OrvaultError as error:
        err.print(f"Not asked: {error}", style="bold yellow", markup=False)
        return
    if kept is not None:
        at_s = kept.note.signed_at(place.key) or 0
        yield Witnessed(f"the witness {name}", at_s * 1_000_000, kept)
