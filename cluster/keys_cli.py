"""`orvault keys`: the root, certificates of nodes, revocations, and the key store's lock.

The root works from its own folder, meant for a medium that is kept off line; whatever needs its private key asks for
its passphrase. The rules are `orvault.container.authority` and `keystore`; here is what a person types and reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cluster.command import DEFAULT_CONFIG, ConfigOption, ready, settings_of
from cluster.console import errors_in_words, out
from cluster.settings import Settings
from cluster.trust_files import certificate_files, grouped, paper, put_identity, state_of
from orvault.clock import US_PER_S, SystemClock, from_iso, utc_iso
from orvault.container.authority import Authority, facts_of
from orvault.container.enrolment import read_certificate
from orvault.container.files import write_private
from orvault.container.revocation import Reason, RevocationList, RevocationLists, load_lists
from orvault.container.trust import CERTIFICATE_FILE, CertificateRole
from orvault.errors import ErrorKind, OrvaultError

app = typer.Typer(help="Keys and trust.", no_args_is_help=True)

RootFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--root-folder", help="The root's folder, on its medium; else data/keys/root.", show_default=False
    ),
]


@app.command()
def root(config: ConfigOption = DEFAULT_CONFIG, root_folder: RootFolderOption = None) -> None:
    """Make the hospital's root in its own folder, under a passphrase; `orvault init` then uses it."""
    with errors_in_words():
        settings = settings_of(config)
        folder = _root_folder(settings, root_folder)
        if Authority.exists(folder):
            raise OrvaultError(ErrorKind.CONFLICT, "there is a root already; it is kept.", where=str(folder))
        passphrase = new_secret("New passphrase of the root")
        made = Authority.create(folder, settings.site, passphrase, SystemClock()).root
        out.print(f"The root lies in {folder}. Keep that folder off line, and a copy of it in another safe.")
        out.print(f"Fingerprint, to write on paper: [bold]{grouped(made.fingerprint)}[/]")


@app.command("enrol-node")
def enrol_node(
    name: Annotated[str, typer.Argument(help="The node's name in the settings.")],
    config: ConfigOption = DEFAULT_CONFIG,
    root_folder: RootFolderOption = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the certificate is good for.")] = 398,
    renew: Annotated[bool, typer.Option("--renew", help="Replace a certificate that is there.")] = False,
) -> None:
    """Issue a node's key and certificate; what the node needs is its folder and nothing else."""
    with errors_in_words():
        settings = ready(config)
        _require_client(settings, name)
        folder = settings.keys.node_identities / name
        if (folder / CERTIFICATE_FILE).exists() and not renew:
            raise OrvaultError(
                ErrorKind.CONFLICT,
                "this node is enrolled.",
                where=str(folder),
                advice="--renew gives it a new certificate; old footage keeps the old one.",
            )
        authority = _opened(settings, root_folder)
        made = authority.issue(name, CertificateRole.NODE, days)
        put_identity(folder, made)
        _publish(settings, authority.renew_list())
        out.print(f"Node {name} is enrolled until {_day(made.certificate.not_valid_after_utc.timestamp())}.")
        out.print(f"Fingerprint: [bold]{grouped(made.fingerprint)}[/]")
        out.print(f"Bring {folder} to the node, then remove {folder / 'key.pem'} here.")


@app.command("renew-server")
def renew_server(
    config: ConfigOption = DEFAULT_CONFIG,
    root_folder: RootFolderOption = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the certificate is good for.")] = 825,
) -> None:
    """Give the export server a new signing key and certificate; packages it signed before stay genuine."""
    with errors_in_words():
        settings = ready(config)
        authority = _opened(settings, root_folder)
        made = authority.issue(settings.site, CertificateRole.EXPORT_SERVER, days)
        put_identity(settings.keys.server_identity, made)
        _publish(settings, authority.renew_list())
        out.print(f"The export server signs as {grouped(made.fingerprint)}")
        out.print(f"until {_day(made.certificate.not_valid_after_utc.timestamp())}.")


@app.command()
def revoke(
    which: Annotated[str, typer.Argument(help="Its name, or 8 or more digits of its fingerprint.")],
    config: ConfigOption = DEFAULT_CONFIG,
    root_folder: RootFolderOption = None,
    since: Annotated[
        str, typer.Option(help="From when on it is not believed, e.g. 2026-11-22T08:00+09:00; else now.")
    ] = "",
    reason: Annotated[Reason, typer.Option(help="Why.")] = Reason.KEY_COMPROMISE,
) -> None:
    """Revoke a certificate: what it signs from then on is refused here, and by whoever has the new list."""
    with errors_in_words():
        settings = ready(config)
        authority = _opened(settings, root_folder)
        found = authority.find(which)
        made = authority.revoke(found, reason, _since(since))
        _publish(settings, made)
        entry = next(each for each in made.entries if each.serial == found.serial)
        out.print(
            f"{found.name} ({found.fingerprint[:16]}) is not believed from {utc_iso(entry.since_us)} on."
        )
        out.print(
            f"The new list is number {made.number}; give it to recipients: `orvault keys export-public`."
        )


@app.command("list")
def list_(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show root, server and nodes: fingerprints, until when, and what was revoked. Needs no secret."""
    with errors_in_words():
        settings = ready(config)
        now = SystemClock().now_us()
        root_der = read_certificate(settings.keys.root_certificate)
        lists = load_lists(settings.keys.revocation_list, [root_der])
        table = Table("role", "name", "fingerprint", "until", "state", title=settings.site)
        for path in certificate_files(settings):
            facts = facts_of(read_certificate(path), root_der, lists)
            table.add_row(
                facts.role,
                facts.name,
                facts.fingerprint[:16],
                utc_iso(facts.until_us)[:10],
                state_of(facts, now),
            )
        out.print(table)
        newest = lists.of(root_der)
        if newest is None:
            out.print("There is no revocation list here.", style="bold red")
            return
        due = "is due for a new one" if newest.due_us < now else f"next by {utc_iso(newest.due_us)[:10]}"
        out.print(
            f"Revocation list {newest.number} of {utc_iso(newest.issued_us)[:10]}:"
            f" {len(newest.entries)} revoked, {due}."
        )


@app.command("export-public")
def export_public(
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write what recipients need: the root's certificate, its fingerprint for paper, the revocation list."""
    with errors_in_words():
        settings = ready(config)
        root_der = read_certificate(settings.keys.root_certificate)
        newest = load_lists(settings.keys.revocation_list, [root_der]).of(root_der)
        facts = facts_of(root_der, root_der, RevocationLists())
        files = {
            "root.pem": settings.keys.root_certificate.read_bytes(),
            "fingerprint.txt": paper(settings.site, facts).encode(),
        }
        if newest is not None:
            files["revoked.pem"] = newest.pem
        for name, content in files.items():
            write_private(folder / name, content)
            (folder / name).chmod(0o644)  # public, all of it
            out.print(str(folder / name))


@app.command()
def fingerprint(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the root's fingerprint, to compare with paper."""
    with errors_in_words():
        from cluster import setup

        out.print(setup.root_fingerprint(ready(config)))


@app.command()
def unlock(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Open the key store of a running site after an unattended restart."""
    with errors_in_words():
        settings = ready(config)
        from cluster.bringup import unlock_running

        unlock_running(settings, typer.prompt(secret_name(settings), hide_input=True, err=True))
        out.print("The key store is open.")


@app.command()
def rotate(
    config: ConfigOption = DEFAULT_CONFIG,
    new_passphrase: Annotated[
        bool, typer.Option("--new-passphrase", help="Also ask for a new passphrase.")
    ] = False,
) -> None:
    """Give the key store a new KEK; every older copy of it stops opening. Back it up afresh afterwards."""
    with errors_in_words():
        settings = ready(config)
        if new_passphrase and settings.keys.kek != "passphrase":
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                "a token's PIN is changed with the tools of its maker.",
                where="--new-passphrase",
            )
        secret = new_secret("New passphrase of the key store") if new_passphrase else None
        from cluster import keys_rotation

        generation = keys_rotation.rotate(settings, secret, ask_secret)
        out.print(
            f"The key store is at generation {generation}. Older copies of it open nothing: back it up now."
        )


def new_secret(what: str) -> str:
    """Ask for a new passphrase, twice."""
    return str(typer.prompt(what, hide_input=True, confirmation_prompt=True, err=True))


def root_passphrase(settings: Settings, folder: Path) -> str | None:
    """What opens, or shall open, the root. A site that is set up unattended gets one without a passphrase."""
    if Authority.exists(folder):
        return _root_passphrase(folder)
    unattended = settings.keys.passphrase_file or settings.keys.pin_file
    return None if unattended else new_secret("New passphrase of the root")


def secret_name(settings: Settings) -> str:
    """What opens the key store, in words."""
    return "Passphrase of the key store" if settings.keys.kek == "passphrase" else "PIN of the token"


def _root_folder(settings: Settings, given: Path | None) -> Path:
    from cluster import setup

    return given or setup.default_root_folder(settings)


def _opened(settings: Settings, given: Path | None) -> Authority:
    folder = _root_folder(settings, given)
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
    return str(typer.prompt("Passphrase of the root", hide_input=True, err=True))


def _require_client(settings: Settings, name: str) -> None:
    known = [node.name for node in settings.nodes if "client" in node.roles]
    if name not in known:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            f"there is no client node {name!r}; known: {', '.join(known)}.",
            where="nodes",
            advice="Add it to the settings first.",
        )


def _publish(settings: Settings, made: RevocationList) -> None:
    made.save(settings.keys.revocation_list)


def _since(text: str) -> int | None:
    if not text:
        return None
    try:
        return from_iso(text)
    except ValueError as error:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "this is not a time with an offset from UTC.",
            where="--since",
            advice="For example 2026-11-22T08:00+09:00.",
        ) from error


def _day(timestamp: float) -> str:
    return utc_iso(round(timestamp) * US_PER_S)[:10]


def ask_secret(settings: Settings) -> str:
    """Ask for what opens the key store."""
    return str(typer.prompt(secret_name(settings), hide_input=True, err=True))
