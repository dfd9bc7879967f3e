"""`orvault keys backup` and `restore`: the key store's folder, never its anchor.

The rules are `orvault.container.keybackup`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cluster.alone import alone
from cluster.command import DEFAULT_CONFIG, ConfigOption, settings_of
from cluster.console import errors_in_words, out
from cluster.root_access import ask_secret
from orvault.clock import SystemClock
from orvault.container.keybackup import back_up
from orvault.container.keybackup import restore as bring_back
from orvault.errors import ErrorKind, OrvaultError


def backup(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; else keys.backup of the settings.", show_default=False)
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Copy the key store, also of a running site. Needs no secret; the copy opens with passphrase and anchor only."""
    with errors_in_words():
        keys = settings_of(config).keys
        target = folder or keys.backup
        if target is None:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "Say where to, or set keys.backup.", where="FOLDER")
        back_up(keys.store, target)
        out.print(
            f"The key store is backed up to {target}. Any destruction ends this copy: back up again then."
        )


def restore(
    folder: Annotated[Path, typer.Argument(help="The back-up.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Bring a back-up of the key store back, once it is sure that it opens. Only while the site does not run."""
    with errors_in_words():
        settings = settings_of(config)
        from actors.keys import read_secret
        from cluster import services

        place, file = services.store_place(settings), services.secret_file(settings)
        secret = read_secret(file) if file is not None else ask_secret(settings)
        with alone(settings.data):
            moved = bring_back(folder, place.folder, place.source(secret), SystemClock())
        out.print(f"The key store is the one of {folder} again; it opens.")
        if moved is not None:
            out.print(f"The one before lies in {moved}. Remove it once the site runs.")
