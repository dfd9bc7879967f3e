"""`orvault accounts`: people who leave, come back or forgot their password, at the server's own command line.

The rules are custody's (desks/accounts.py). Over the API a system administrator does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from cluster.command import DEFAULT_CONFIG, ConfigOption, settings_of
from cluster.console import errors_in_words, out
from orvault.clock import utc_iso
from orvault.custody.account import Account
from orvault.custody.scope import Scope, ScopeKind
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError

app = typer.Typer(help="Accounts.", no_args_is_help=True)
PARTS_HELP = "site, department:NAME, room:NAME or camera:ID; several; or none."
ScopeOption = Annotated[list[str], typer.Option(help=f"How far it reaches: {PARTS_HELP}")]
WHOLE_SITE = ["site"]
NameArgument = Annotated[str, typer.Argument(help="The sign-in name.")]


@app.command("list")
def list_(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show every account."""
    with errors_in_words():
        table = Table("name", "role", "reaches", "made", "state")
        for account in custody_of(config).all_accounts():
            reaches = "; ".join(scope.words for scope in account.scopes) or "nothing"
            made = utc_iso(account.created_us)[:10]
            table.add_row(account.name, account.role.value, reaches, made, _state(account))
        out.print(table)


@app.command()
def disable(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Close an account and end its sessions, at once. The last system administrator's stays."""
    with errors_in_words():
        custody = custody_of(config)
        found = custody.account_named(name)
        custody.disable_account(None, found.account_id)
        out.print(f"{found.name} cannot sign in any more; its sessions are over.", markup=False)


@app.command()
def enable(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Open a closed account again."""
    with errors_in_words():
        custody = custody_of(config)
        found = custody.account_named(name)
        custody.enable_account(None, found.account_id)
        out.print(f"{found.name} can sign in again.", markup=False)


@app.command("reset-password")
def reset_password(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Give an account a password for one sign-in, which it then has to change. Prints it once."""
    with errors_in_words():
        from cluster import setup

        custody, password = custody_of(config), setup.make_password()
        found = custody.account_named(name)
        custody.reset_password(None, found.account_id, password)
        out.print(f"{found.name}: [bold]{password}[/] (shown once; to be changed at the next sign-in).")


@app.command("reset-second-factor")
def reset_second_factor(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Remove an account's second factor, whose device and recovery codes are gone; its sessions end."""
    with errors_in_words():
        custody = custody_of(config)
        found = custody.account_named(name)
        custody.reset_second_factor(None, found.account_id)
        out.print(f"{found.name} signs in without a code, and can enrol another device.", markup=False)


@app.command()
def scope(
    name: NameArgument,
    parts: Annotated[list[str], typer.Argument(help=PARTS_HELP)],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Say how far an account reaches, in place of what was said before."""
    with errors_in_words():
        custody = custody_of(config)
        found = custody.account_named(name)
        scoped = custody.set_scopes(None, found.account_id, read_scopes(parts))
        reaches = "; ".join(one.words for one in scoped.scopes) or "nothing"
        out.print(f"{scoped.name} reaches: {reaches}.", markup=False)


@app.command()
def sessions(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show an account's open sessions."""
    with errors_in_words():
        custody = custody_of(config)
        table = Table("session", "since", "from", "how", "until")
        for one in custody.sessions(None, custody.account_named(name).account_id):
            since, until = utc_iso(one.issued_us)[:19], utc_iso(one.expires_us)[:19]
            table.add_row(one.session_id, since, one.client, one.method.value, until)
        out.print(table)


@app.command()
def revoke(
    session: Annotated[str, typer.Argument(help="As `orvault accounts sessions NAME` shows it.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """End a session, and the views that were opened in it, at once."""
    with errors_in_words():
        custody_of(config).revoke_session(None, session)
        out.print("The session is over.")


@app.command()
def link(
    name: NameArgument,
    subject: Annotated[str, typer.Option(help="Who it is in the directory (`sub`).")] = "",
    username: Annotated[str, typer.Option(help="Or: the first who comes from there with this name.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Have somebody of the hospital's directory sign in as an account, by no password any more."""
    with errors_in_words():
        custody = custody_of(config)
        found = custody.account_named(name)
        made = custody.link_directory(None, found.account_id, subject, username)
        who = made.subject or f"the first who comes as {made.awaits}"
        out.print(f"{found.name} signs in through {made.issuer}: {who}.", markup=False)


@app.command()
def unlink(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Take an account's link to the directory away; it has no password until it is given one."""
    with errors_in_words():
        custody = custody_of(config)
        found = custody.account_named(name)
        custody.unlink_directory(None, found.account_id)
        out.print(f"Nobody of the directory signs in as {found.name} any more.", markup=False)


def read_scopes(parts: Sequence[str]) -> tuple[Scope, ...]:
    """Scopes as they are typed: site, department:NAME, room:NAME, camera:ID, or none. Errors: BAD_REQUEST."""
    if list(parts) == ["none"]:
        return ()
    return tuple(_read_scope(part) for part in parts)


def _read_scope(part: str) -> Scope:
    kind, _, name = part.partition(":")
    if kind not in [known.value for known in ScopeKind]:
        raise OrvaultError(ErrorKind.BAD_REQUEST, f"{part!r} is no scope.", advice=PARTS_HELP)
    return Scope(ScopeKind(kind), name)


def custody_of(config: ConfigOption) -> CustodyService:
    """Custody over the ledger that the settings name, as a command at the server asks it."""
    settings = settings_of(config)
    from cluster import services
    from cluster.custody import open_custody

    address, cameras = services.ledger_address(settings), services.camera_ids(settings)
    return open_custody(address, cameras, services.rules(settings), settings.site)


def _state(account: Account) -> str:
    if account.disabled_us is not None:
        return f"closed on {utc_iso(account.disabled_us)[:10]}"
    if account.machine:
        return "a machine: comes by keys"
    return "has to change its password" if account.must_change else "in use"
