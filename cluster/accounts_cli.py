"""`orvault accounts`: people who leave, come back or forgot their password, at the server's own command line.

The rules are custody's (desks/accounts.py). Over the API a system administrator does the same.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from cluster.command import DEFAULT_CONFIG, ConfigOption, settings_of
from cluster.console import errors_in_words, out
from orvault.clock import utc_iso
from orvault.custody.account import Account
from orvault.custody.service import CustodyService

app = typer.Typer(help="Accounts.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="The sign-in name.")]


@app.command("list")
def list_(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show every account."""
    with errors_in_words():
        table = Table("name", "role", "made", "state")
        for account in _custody(config).all_accounts():
            table.add_row(account.name, account.role.value, utc_iso(account.created_us)[:10], _state(account))
        out.print(table)


@app.command()
def disable(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Close an account and end its sessions, at once. The last system administrator's stays."""
    with errors_in_words():
        custody = _custody(config)
        found = custody.account_named(name)
        custody.disable_account(None, found.account_id)
        out.print(f"{found.name} cannot sign in any more; its sessions are over.", markup=False)


@app.command()
def enable(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Open a closed account again."""
    with errors_in_words():
        custody = _custody(config)
        found = custody.account_named(name)
        custody.enable_account(None, found.account_id)
        out.print(f"{found.name} can sign in again.", markup=False)


@app.command("reset-password")
def reset_password(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Give an account a password for one sign-in, which it then has to change. Prints it once."""
    with errors_in_words():
        from cluster import setup

        custody, password = _custody(config), setup.make_password()
        found = custody.account_named(name)
        custody.reset_password(None, found.account_id, password)
        out.print(f"{found.name}: [bold]{password}[/] (shown once; to be changed at the next sign-in).")


def _custody(config: ConfigOption) -> CustodyService:
    settings = settings_of(config)
    from cluster import services
    from cluster.custody import open_custody

    return open_custody(services.ledger_address(settings), services.camera_ids(settings))


def _state(account: Account) -> str:
    if account.disabled_us is not None:
        return f"closed on {utc_iso(account.disabled_us)[:10]}"
    return "has to change its password" if account.must_change else "in use"
