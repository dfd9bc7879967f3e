"""orvault-player: looks into, verifies and plays export packages. Needs neither server nor database nor Ray.

Clear pictures and keys stay in memory. `open` shows the window (player.window); a bare file name does too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import TaskID

from orvault.clock import SystemClock
from orvault.container.keyfiles import public_path, write_key_pair
from orvault.container.keys import PrivateKey
from orvault.container.package import PackageReader
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import grouped
from player import process, revocations, roots, show
from player import secrets as secret_input
from player.activation import Activator
from player.seen import noted_clock
from player.session import Session
from player.verdict import Verdict, of_error, of_history, of_issuer, of_label
from player.window.launch import open_window

if TYPE_CHECKING:
    from player.reel import Played

app = typer.Typer(
    help="Look into, verify and play OR Vault export packages.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
trust_app = typer.Typer(help="The hospitals' root certificates that you believe.", no_args_is_help=True)
app.add_typer(trust_app, name="trust")

SUFFIX = ".orvault"
FileArgument = Annotated[Path, typer.Argument(help="The package, *.orvault.", show_default=False)]
RootOption = Annotated[
    list[Path] | None,
    typer.Option("--root", help="A root certificate (PEM) to believe for this run.", show_default=False),
]
PasswordOption = Annotated[
    Path | None, typer.Option("--password-file", help="A file that holds the password.", show_default=False)
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", help="Your key file (see keygen).", show_default=False)
]
UnknownOption = Annotated[
    bool,
    typer.Option(
        "--allow-unknown-issuer",
        help="Ask the server that the package names for its activation, even where nobody knows who issued it.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One line of JSON on standard output.")]


@app.command()
def info(file: FileArgument, root: RootOption = None, as_json: JsonOption = False) -> None:
    """Show what can be shown without a key, and whether the label is as it was signed. `verify` looks at the rest."""
    with show.errors_shown(as_json), PackageReader.open(file, partial=True) as reader:
        believed = roots.believed(root or [], show.skipped)
        issuer = reader.check_issuer(believed, revocations.held(believed))
        pin = roots.belief(issuer.fingerprint)
        if not as_json:
            show.label_lines(reader, issuer, pin)
        try:
            reader.check_time(noted_clock(show.skipped).now_us())
            found = of_label(issuer, pin)
        except OrvaultError as error:
            found = of_error(error)
        if reader.damage is not None:
            found = of_error(reader.damage)
        show.verdict(found, show.label_facts(reader, issuer, pin), as_json=as_json)
        raise typer.Exit(found.exit_code)


@app.command()
def verify(
    file: FileArgument,
    root: RootOption = None,
    password_file: PasswordOption = None,
    key: KeyOption = None,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Check all that needs no secret, and ask for none.")
    ] = False,
    allow_unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> None:
    """Verify every byte: issuer, signature, validity, papers and video."""
    with show.errors_shown(as_json), _opened(file, root) as session:
        pin = roots.belief(session.issuer.fingerprint)
        facts = show.label_facts(session.reader, session.issuer, pin)
        if not as_json:
            show.label_lines(session.reader, session.issuer, pin)
        if not without_key:
            manifest = session.unlock(
                _secret(password_file, key, session), _activator(session, allow_unknown)
            )
            facts |= show.manifest_facts(manifest) | show.history_facts(session.reader.proven)
            if not as_json:
                show.manifest_lines(manifest)
        _verify_video(session)
        opened = (
            " (it was not opened: no key was given)"
            if without_key
            else f"; {of_history(session.reader.proven)}"
        )
        _end(of_issuer(session.issuer, f"no byte was altered{opened}", pin), facts, as_json)


@app.command()
def play(
    file: FileArgument,
    root: RootOption = None,
    password_file: PasswordOption = None,
    key: KeyOption = None,
    camera: Annotated[str | None, typer.Option(help="Only this camera.", show_default=False)] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Decode every frame without a window.")
    ] = False,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="Accept the terms of use that the package carries.")
    ] = False,
    allow_unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> None:
    """Play a package in the window, or without one from end to end; pictures exist in memory only."""
    with show.errors_shown(as_json):
        if not headless:
            raise typer.Exit(open_window(file, root or [], key))
        with _opened(file, root) as session:
            manifest = session.unlock(
                _secret(password_file, key, session), _activator(session, allow_unknown)
            )
            if not as_json:
                show.manifest_lines(manifest)
            _check_accepted(accept_terms, may_ask=not as_json)
            played = _play_all(session, camera)
            _verify_video(session)  # also what a decoder had no reason to read
            proven = show.history_facts(session.reader.proven)
            pin = roots.belief(session.issuer.fingerprint)
            facts = (
                show.label_facts(session.reader, session.issuer, pin)
                | proven
                | {
                    "played": [
                        {"camera_id": p.camera_id, "frames": p.frames, "seconds": p.seconds} for p in played
                    ]
                }
            )
            if not as_json:
                for each in played:
                    show.line("Played", f"{each.camera_id}: {each.frames} frames, {each.seconds:.1f} s")
            checked = f"no byte was altered and every frame played; {of_history(session.reader.proven)}"
            _end(of_issuer(session.issuer, checked, pin), facts, as_json)


@app.command("open")
def open_(
    file: Annotated[Path | None, typer.Argument(help="The package, *.orvault.", show_default=False)] = None,
    root: RootOption = None,
    key: KeyOption = None,
) -> None:
    """Open the window; the password is asked for there."""
    with show.errors_shown(as_json=False):
        raise typer.Exit(open_window(file, root or [], key))


@app.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; FILE.pub is to hand out.")],
) -> None:
    """Make a key pair of your own, to receive packages without a password."""
    with show.errors_shown(as_json=False):
        public = write_key_pair(file)
        show.line("Private key", f"{file} (keep it; it is not encrypted)")
        show.line("Public key", f"{public_path(file)} (hand it to the hospital)")
        show.line("Thumbprint", grouped(public.thumbprint))


@trust_app.command("add")
def trust_add(
    pem: Annotated[Path, typer.Argument(help="A hospital's root certificate, or its revocation list (PEM).")],
) -> None:
    """Believe this root; compare its fingerprint with paper. Or take the newest list of what it revoked."""
    with show.errors_shown(as_json=False):
        if revocations.is_list(pem):
            added = revocations.add(pem, [root.der for root in roots.pinned(show.skipped)])
            show.line("List", revocations.in_words(added))
            return
        root = roots.add(pem)
        show.line("Pinned", root.name)
        show.line("Fingerprint", grouped(root.fingerprint))
        show.OUT.print(
            "Compare it with the fingerprint you have on paper; if it differs: orvault-player trust remove."
        )


@trust_app.command("list")
def trust_list() -> None:
    """Show the roots that are believed."""
    with show.errors_shown(as_json=False):
        for root in roots.pinned(show.skipped):
            show.line(root.name, "")
            show.line("Fingerprint", grouped(root.fingerprint))
            newest = revocations.held([root.der]).of(root.der)
            show.line("Revocations", "no list" if newest is None else revocations.in_words(newest))


@trust_app.command("remove")
def trust_remove(
    fingerprint: Annotated[str, typer.Argument(help="The first digits of its fingerprint, at least 8.")],
) -> None:
    """No longer believe a root."""
    with show.errors_shown(as_json=False):
        show.line("Removed", roots.remove(fingerprint))


def _check_accepted(accepted: bool, *, may_ask: bool) -> None:
    """Raise FORBIDDEN unless the terms were accepted, on the command line or when asked now."""
    if accepted or (may_ask and sys.stdin.isatty() and typer.confirm("Do you accept these terms?")):
        return
    raise OrvaultError(
        ErrorKind.FORBIDDEN,
        "The terms of use were not accepted; nothing was played.",
        advice="Read them (`orvault-player verify FILE` shows them), then add --accept-terms.",
    )


def _opened(file: Path, root: list[Path] | None) -> Session:
    believed = roots.believed(root or [], show.skipped)
    return Session.open(file, believed, noted_clock(show.skipped), revocations.held(believed))


def _secret(password_file: Path | None, key: Path | None, session: Session) -> str | PrivateKey:
    if password_file is not None and key is not None:
        raise typer.BadParameter("--password-file and --key exclude each other.")
    secret = secret_input.from_options(password_file, key, ask=session.reader.wants_password)
    if secret is None:
        raise typer.BadParameter("A secret is needed: --password-file or --key.")
    return secret


def _activator(session: Session, allow_unknown: bool) -> Activator:
    """Who asks the hospital, where the package wants that."""
    return Activator(
        session.issuer, SystemClock(), lambda words: show.ERR.print(f"Activation: {words}"), allow_unknown
    )


def _verify_video(session: Session) -> None:
    with show.progress() as bar:
        task = bar.add_task("Verifying", total=None)
        session.reader.verify_all(lambda done, total: bar.update(task, completed=done, total=total))


def _play_all(session: Session, camera: str | None) -> list[Played]:
    from player.reel import Reel  # its decoder takes half a second to load: only who plays waits for it

    played = []
    with show.progress() as bar:
        for info in session.cameras(camera):
            task = bar.add_task(f"Playing {info.camera_id}", total=info.frames)

            def step(frames: int, task: TaskID = task) -> None:
                bar.update(task, completed=frames)

            with Reel(session, info) as reel:
                played.append(reel.play_through(step))
    return played


def _end(verdict: Verdict, facts: dict[str, object], as_json: bool) -> None:
    show.verdict(verdict, facts, as_json=as_json)
    raise typer.Exit(verdict.exit_code)


def main() -> None:
    """The program `orvault-player`."""
    process.keep_out_of_core_files()
    process.speak_utf_8()
    app(_with_command(sys.argv[1:]), prog_name="orvault-player")


def _with_command(arguments: list[str]) -> list[str]:
    """A double click gives a file name alone, or nothing to the packed program: both mean the window."""
    packed = getattr(sys, "frozen", False)
    if (packed and not arguments) or (len(arguments) == 1 and arguments[0].endswith(SUFFIX)):
        return ["open", *arguments]
    return arguments


if __name__ == "__main__":
    main()
