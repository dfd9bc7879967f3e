"""`orvault keys`: the root, revocations, what recipients need, and the key store's lock.

A node's key and certificate are node_keys_cli.py. The rules are `orvault.container.authority` and `keystore`; here is
what a person types and reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cluster import keys_backup_cli, node_keys_cli
from cluster.command import DEFAULT_CONFIG, ConfigOption, ready, settings_of
from cluster.console import errors_in_words, out
from cluster.root_access import (
    KEY_STORE_FILE,
    RootFolderOption,
    ask_secret,
    new_secret,
    opened_root,
    publish,
    root_folder_of,
)
from cluster.trust_files import certificate_files, day, paper, put_identity, state_of
from orvault.clock import SystemClock, from_iso, utc_iso
from orvault.container.authority import Authority, facts_of
from orvault.container.enrolment import read_certificate
from orvault.container.files import write_private
from orvault.container.revocation import Reason, RevocationLists, load_lists
from orvault.container.trust import CertificateRole
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import grouped

app = typer.Typer(help="Keys and trust.", no_args_is_help=True)

app.command("request-node")(node_keys_cli.request_node)
app.command("enrol-node")(node_keys_cli.enrol_node)
app.command("accept-node")(node_keys_cli.accept_node)
app.command("backup")(keys_backup_cli.backup)
app.command("restore")(keys_backup_cli.restore)


@app.command()
def root(config: ConfigOption = DEFAULT_CONFIG, root_folder: RootFolderOption = None) -> None:
    """Make the hospital's root in its own folder, under a passphrase; `orvault init` then uses it."""
    with errors_in_words():
        settings = settings_of(config)
        folder = root_folder_of(settings, root_folder)
        if Authority.exists(folder):
            raise OrvaultError(ErrorKind.CONFLICT, "there is a root already; it is kept.", where=str(folder))
        passphrase = new_secret("New passphrase of the root")
        made = Authority.create(folder, settings.site, passphrase, SystemClock()).root
        out.print(f"The root lies in {folder}. Keep that folder off line, and a copy of it in another safe.")
        out.print(f"Fingerprint, to write on paper: [bold]{grouped(made.fingerprint)}[/]")


@app.command("renew-server")
def renew_server(
    config: ConfigOption = DEFAULT_CONFIG,
    root_folder: RootFolderOption = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the certificate is good for.")] = 825,
) -> None:
    """Give the export server a new signing key and certificate; packages it signed before stay genuine."""
    with errors_in_words():
        settings = ready(config)
        authority = opened_root(settings, root_folder)
        made = authority.issue(settings.site, CertificateRole.EXPORT_SERVER, days)
        put_identity(settings.keys.server_identity, made)
        publish(settings, authority.renew_list())
        out.print(f"The export server signs as {grouped(made.fingerprint)}")
        out.print(f"until {day(made.certificate.not_valid_after_utc)}.")


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
        authority = opened_root(settings, root_folder)
        found = authority.find(which)
        made = authority.revoke(found, reason, _since(since))
        publish(settings, made)
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

        out.print(grouped(setup.root_fingerprint(ready(config))))


@app.command()
def unlock(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Open the key store of a running site after an unattended restart."""
    with errors_in_words():
        settings = ready(config)
        from cluster.bringup import unlock_running

        unlock_running(settings, ask_secret(settings))
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
        secret = new_secret("New passphrase of the key store", KEY_STORE_FILE) if new_passphrase else None
        from cluster import keys_rotation

        generation = keys_rotation.rotate(settings, secret, ask_secret)
        out.print(
            f"The key store is at generation {generation}. Older copies of it open nothing: back it up now."
        )


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
