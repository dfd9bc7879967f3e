"""Opens the key store of a site just started, if somebody is there to be asked. Recording never waits for it."""

from __future__ import annotations

import sys
from typing import Protocol

import typer

from cluster.console import err
from cluster.root_access import ask_secret
from cluster.settings import Settings
from orvault.errors import ErrorKind, OrvaultError


class Lockable(Protocol):
    """What is asked of a running site (cluster/bringup.py)."""

    @property
    def unlocked(self) -> bool:
        """Whether the key store is open."""
        ...

    @property
    def locked_because(self) -> str:
        """Why it did not open by itself; empty where nothing was to open it."""
        ...

    def unlock(self, passphrase: str) -> None:
        """Open it."""
        ...


def open_keys(site: Lockable, settings: Settings) -> None:
    """Ask for what opens the key store until it is right, or until nobody answers: then say what waits."""
    try:
        if site.unlocked:
            return
        if site.locked_because:
            _say(f"The key store did not open by itself: {site.locked_because}")
        opened = sys.stdin.isatty() and _ask_until_right(site, settings)
    except OrvaultError as error:
        _say(str(error))
        opened = False
    if not opened:
        _say("The key store is locked: recording works, exports wait. `orvault keys unlock` opens it.")


def _ask_until_right(site: Lockable, settings: Settings) -> bool:
    """Whether it was opened; False when the person gave up."""
    while True:
        try:
            site.unlock(ask_secret(settings))
        except typer.Abort:
            return False
        except OrvaultError as error:
            if error.kind is not ErrorKind.WRONG_PASSPHRASE:
                raise
            _say(str(error))
        else:
            return True


def _say(line: str) -> None:
    err.print(line, markup=False)
