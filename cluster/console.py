"""What the command line shows: one console, progress bars, and errors in words instead of traces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from orvault.errors import OrvaultError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def progress() -> Progress:
    """Bars for long work, on stderr, so that standard output stays clean for pipes."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    )


@contextmanager
def errors_in_words() -> Iterator[None]:
    """End the program with the error's words and its exit code; a trace is for what nobody foresaw."""
    try:
        yield
    except OrvaultError as error:
        err.print(str(error), style="bold red", markup=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("Interrupted.", style="bold")
        sys.exit(130)
