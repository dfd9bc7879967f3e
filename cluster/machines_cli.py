"""`orvault machines`: accounts of machines and their keys, at the server's own command line.

The rules are custody's (desks/machines.py). `orvault accounts list | disable | revoke` are for machines too.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from cluster.accounts_cli import WHOLE_SITE, NameArgument, ScopeOption, custody_of, read_scopes
from cluster.command import DEFAULT_CONFIG, ConfigOption
from cluster.console import errors_in_words, out
from orvault.clock import US_PER_S, SystemClock, utc_iso
from orvault.custody.account import Role

app = typer.Typer(help="Machines that call the API, and their keys.", no_args_is_help=True)
_DAY_US = 86_400 * US_PER_S
RoleArgument = Annotated[
    Role, typer.Argument(help="What it may, less what takes a person; not system-administrator.")
]


@app.command()
def add(
    name: NameArgument,
    role: RoleArgument,
    scope: ScopeOption = WHOLE_SITE,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a machine's account; it has no password."""
    with errors_in_words():
        made = custody_of(config).create_machine(None, name, name, role, read_scopes(scope))
        out.print(f"{made.name} ({role.value}) was added: give it a key.", markup=False)


@app.command()
def key(
    name: NameArgument,
    use: Annotated[str, typer.Argument(help="What the key is for, e.g. 'planning server, 2027'.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it works.")] = 90,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Issue a key. Prints it once; earlier ones work on."""
    with errors_in_words():
        custody, until = custody_of(config), SystemClock().now_us() + days * _DAY_US
        secret, made = custody.issue_key(None, custody.account_named(name).account_id, use, until)
        ends = utc_iso(made.session.expires_us)[:10]
        out.print(f"{secret} (shown once; works until {ends})", markup=False, soft_wrap=True)


@app.command()
def keys(name: NameArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show a machine's keys that work; `orvault accounts revoke KEY` ends one."""
    with errors_in_words():
        custody = custody_of(config)
        table = Table("key", "for", "until", "last used", "from")
        for one in custody.keys(None, custody.account_named(name).account_id):
            used = "never" if one.used_us is None else utc_iso(one.used_us)[:19]
            until = utc_iso(one.session.expires_us)[:10]
            table.add_row(one.session.session_id, one.name, until, used, one.used_from)
        out.print(table)
