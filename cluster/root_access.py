"""What the commands of `orvault keys` share: secrets that a person is asked for, and the root, opened.

The root works from its own folder, meant for a medium that is kept off line; whatever needs its private key asks for
its passphrase.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cluster.settings import Settings
from orvault.clock import SystemClock
from orvault.container.authority import Authority
from orvault.container.enrolment import read_certificate
from orvault.container.revocation import RevocationList
from orvault.errors import ErrorKind, OrvaultError

RootFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--root-folder", help="The root's folder, on its medium; else data/keys/root.", show_default=False
    ),
]


KEY_STORE_FILE = "Or let the setting `keys.passphrase_file` name a file that holds it."


def new_secret(what: str, instead: str = "") -> str:
    """Ask for a new secret, twice. Errors: as `_typed`."""
    return _typed(what, twice=True, instead=instead)


def _typed(what: str, *, twice: bool = False, instead: str = "") -> str:
    """A secret that a person types, or a program writes to standard input. `instead`: what else gives it, in words.

    Errors: BAD_REQUEST without a terminal, where nothing comes or the two lines of a new secret differ.
    """
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
    lines = {sys.stdin.readline().rstrip("\r\n") for _ in range(2 if twice else 1)}
    secret = lines.pop()
    if lines or not secret:
        problem = (
            "the two lines differ." if lines else "there is no terminal to ask for it, and no line came."
        )
        advice = f"Write it to standard input as one line{', twice' if twice else ''}. {instead}".rstrip()
        raise OrvaultError(ErrorKind.BAD_REQUEST, problem, where=what, advice=advice)
    return secret


def root_passphrase(settings: Settings, folder: Path) -> str | None:
    """What opens, or shall open, the root. A site that is set up unattended gets one without a passphrase."""
    if Authority.exists(folder):
        return _root_passphrase(folder)
    unattended = settings.keys.passphrase_file or settings.keys.pin_file
    return None if unattended else new_secret("New passphrase of the root")


def secret_name(settings: Settings) -> str:
    """What opens the key store, in words."""
    return "Passphrase of the key store" if settings.keys.kek == "passphrase" else "PIN of the token"


def root_folder_of(settings: Settings, given: Path | None) -> Path:
    """The root's folder: the given one, else where `orvault init` leaves it."""
    from cluster import setup

    return given or setup.default_root_folder(settings)


def opened_root(settings: Settings, given: Path | None) -> Authority:
    """This site's root, with its passphrase asked for.

    Errors: KEY_MISSING (its medium is not here), WRONG_PASSPHRASE, UNTRUSTED (another site's).
    """
    folder = root_folder_of(settings, given)
    if not Authority.exists(folder):
        raise OrvaultError(
            ErrorKind.KEY_MISSING,
            "the root is not here.",
            where=str(folder),
            advice="Bring its medium and name its folder with --root-folder.",
        )
    authority = Authority.open(folder, _root_passphrase(folder), SystemClock())
    if authority.root.certificate_der != read_certificate(settings.keys.root_certificate):
        raise OrvaultError(ErrorKind.UNTRUSTED, "this is not the root of this site.", where=str(folder))
    return authority


def _root_passphrase(folder: Path) -> str | None:
    if not Authority.is_protected(folder):
        return None
    return _typed("Passphrase of the root")


def publish(settings: Settings, made: RevocationList) -> None:
    """Put the root's newest list where the server looks for it."""
    made.save(settings.keys.revocation_list)


def ask_secret(settings: Settings) -> str:
    """Ask for what opens the key store. Errors: as `_typed`."""
    instead = KEY_STORE_FILE if settings.keys.kek == "passphrase" else "Or let `keys.pin_file` name a file."
    return _typed(secret_name(settings), instead=instead)
