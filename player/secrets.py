"""Where a password or a key comes from: a file, or a hidden prompt; never the command line, never the environment."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from orvault.container.files import read_bounded
from orvault.container.keyfiles import read_private_key
from orvault.container.keys import PrivateKey
from orvault.errors import ErrorKind, OrvaultError

MAX_PASSWORD_FILE_BYTES = 8 << 10


def from_options(password_file: Path | None, key: Path | None, *, ask: bool) -> str | PrivateKey | None:
    """The secret that the options name, else what a person types; None if there is nobody to ask.

    Raises:
        OrvaultError: NOT_FOUND, BAD_REQUEST for files that hold no such thing.
    """
    if key is not None:
        return read_private_key(key)
    if password_file is not None:
        return _password_in(password_file)
    if ask and sys.stdin.isatty():
        answer: str = typer.prompt("Password", hide_input=True, err=True)
        return answer
    return None


def _password_in(path: Path) -> str:
    data = read_bounded(path, MAX_PASSWORD_FILE_BYTES)
    try:
        # One line end is the editor's, not the password's; a byte order mark is Windows'.
        return data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST, "The password file is not text.", where=str(path)
        ) from error
