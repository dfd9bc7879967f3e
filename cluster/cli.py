"""`orvault`: the command line of whoever runs the system. Each command says what it did, or why it did not.

Ray reads its environment when it is imported, so what imports it is imported inside the commands, after
`_settings` has set that environment.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from cluster import accounts_cli, history_cli, keys_cli, machines_cli, retention_cli, root_access
from cluster.command import DEFAULT_CONFIG, ConfigOption
from cluster.command import ready as _ready
from cluster.command import settings_of as _settings
from cluster.console import err, errors_in_words, out
from cluster.environment import keep_state, outlive_head
from cluster.fsck_cli import fsck
from cluster.inspect_file import inspect
from cluster.settings import Settings
from cluster.trace_cli import trace
from cluster.witness_cli import witness
from orvault.custody.account import Role
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import grouped

app = typer.Typer(
    help="OR Vault: protects the video of operating-room cameras.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # a trace must not print secrets that a frame holds
)
app.add_typer(keys_cli.app, name="keys")
app.add_typer(accounts_cli.app, name="accounts")
app.add_typer(machines_cli.app, name="machines")
app.add_typer(history_cli.app, name="history")
app.add_typer(retention_cli.app, name="retention")
app.command()(inspect)
app.command()(fsck)
app.command()(trace)
app.command()(witness)

ADMINISTRATOR = "admin"
HEAD_STATE = "head-state"  # a folder below data


@app.command()
def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Read the settings and say what runs where; changes nothing."""
    with errors_in_words():
        settings = _settings(config)
        from cluster import setup

        cameras = Table("camera", "title", "room", "node", "source", title=settings.site)
        for camera in settings.cameras:
            cameras.add_row(camera.id, camera.title, camera.room, camera.node, camera.source)
        nodes = Table("node", "roles")
        for node in settings.nodes:
            nodes.add_row(node.name, ", ".join(sorted(node.roles)))
        out.print(cameras, nodes)
        _show_capacity(settings)
        out.print(settings.retention.words())
        _warn(settings)
        if lacking := setup.lacking_models(settings):
            err.print(lacking, style="bold yellow", markup=False)
        state = "is set up" if setup.is_set_up(settings) else "is not set up yet: run `orvault init`"
        if setup.is_set_up(settings):
            setup.check_activation(settings)
        out.print(f"{config} is in order. The site {state}.")


def _warn(settings: Settings) -> None:
    for warning in settings.warnings():
        err.print(warning, style="bold yellow", markup=False)


def _show_capacity(settings: Settings) -> None:
    """For how many days there is room; a ledger that is away keeps nobody from checking the settings."""
    from cluster import capacity_table, setup
    from orvault.clock import SystemClock

    nodes = capacity_table.assumed(settings)
    try:
        if setup.is_set_up(settings):  # else there is no ledger to ask
            nodes = capacity_table.foretold(settings, SystemClock())
    except OrvaultError as error:
        err.print(f"Bit rates are assumed, for the ledger does not tell: {error}", markup=False)
    out.print(capacity_table.table(nodes))
    for warning in capacity_table.warnings(nodes, settings.retention.floor_days):
        err.print(warning, style="bold yellow", markup=False)


@app.command()
def init(
    config: ConfigOption = DEFAULT_CONFIG,
    if_needed: Annotated[bool, typer.Option("--if-needed", help="Say nothing when all is there.")] = False,
    root_folder: root_access.RootFolderOption = None,
    node_keys: Annotated[
        bool, typer.Option(help="Make the nodes' keys here too; else each asks: `keys request-node`.")
    ] = True,
) -> None:
    """Make keys, ledger and the first administrator; prints its password once."""
    with errors_in_words():
        settings = _settings(config)
        from cluster import setup

        if not (if_needed and setup.is_set_up(settings)):
            folder = root_folder or setup.default_root_folder(settings)
            secret, root_passphrase = _new_secret(settings), root_access.root_passphrase(settings, folder)
            root = setup.set_up(settings, secret, root_passphrase, folder, node_keys)
            out.print(f"Root fingerprint, to write on paper: [bold]{grouped(root.fingerprint)}[/]")
            if root_folder is None:
                out.print(f"Move {folder} to a medium that is kept off line.")
            else:
                out.print(f"Keep {folder} off line.")
        _first_account(settings)


@app.command()
def migrate(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Bring the ledger of an existing site to this version; end `orvault up` and make a back-up first."""
    with errors_in_words():
        settings = _ready(config)
        from cluster import setup

        found, now = setup.migrate_ledger(settings)
        if found == now:
            out.print(f"The ledger has the schema {now} already.")
        else:
            out.print(f"The ledger had the schema {found or 'of no version'} and has {now} now.")


def _first_account(settings: Settings) -> None:
    """Add the administrator if there is none: a site that a demonstration made has other accounts only."""
    from cluster import setup

    password = setup.make_password()
    try:
        setup.create_account(settings, ADMINISTRATOR, Role.SYSTEM_ADMINISTRATOR, password)
    except OrvaultError as error:
        if error.kind is not ErrorKind.CONFLICT:
            raise
        out.print(f"The account {ADMINISTRATOR} is there already.")
        return
    out.print(f"First account: [bold]{ADMINISTRATOR}[/], password [bold]{password}[/] (shown once).")


@app.command()
def up(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Start Ray here, or join the cluster that the settings name, and run the site until interrupted."""
    with errors_in_words():
        settings = _ready(config)
        from cluster import setup, unlocking
        from cluster.bringup import running

        setup.check_activation(settings)
        with running(settings) as site:
            unlocking.open_keys(site, settings)
            out.print(f"API docs   [bold]{site.api_url}/docs[/]")
            out.print(f"API        {site.api_url}/api/v1")
            out.print(f"downloads  {site.media_url}")
            out.print(f"detection  {', '.join(site.providers)}")
            for actor, place in site.places.items():
                out.print(f"  {actor} on {place}")
            for note in site.notes:
                err.print(note, markup=False)
            _warn(settings)
            out.print("Running. Interrupt (Ctrl-C) ends it.")
            site.watch(lambda line: err.print(line))


@app.command()
def node(
    name: Annotated[str, typer.Argument(help="The node's name in the settings.")],
    config: ConfigOption = DEFAULT_CONFIG,
    head: Annotated[int, typer.Option("--head", help="Start the cluster's head on this port.")] = 0,
    join: Annotated[str, typer.Option("--join", help="HOST:PORT of the head to join.")] = "",
) -> None:
    """Make this machine a node of the cluster; runs until interrupted."""
    with errors_in_words():
        settings = _settings(config, several_nodes=True)
        if join:
            outlive_head()
        elif settings.cluster.keep_state:
            keep_state(settings.data / HEAD_STATE)
        from cluster.bringup import run_node

        run_node(settings, name, head, join)


@app.command()
def account(
    name: Annotated[str, typer.Argument(help="The sign-in name.")],
    role: Annotated[Role, typer.Argument(help="What the account is for.")],
    scope: accounts_cli.ScopeOption = accounts_cli.WHOLE_SITE,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add an account; asks for its password."""
    with errors_in_words():
        settings = _settings(config)
        from cluster import setup

        password = root_access.new_secret("Password")
        setup.create_account(settings, name, role, password, accounts_cli.read_scopes(scope))
        out.print(f"Account {name} ({role.value}) was added.")


@app.command()
def demo(
    config: ConfigOption = DEFAULT_CONFIG,
    seconds: Annotated[int, typer.Option(min=4, max=120, help="How long to record.")] = 12,
) -> None:
    """The whole path on two cameras: record, request, approve, mask, package, download, verify, play."""
    with errors_in_words():
        settings = _settings(config)
        from cluster.demo import run_demo

        run_demo(settings, seconds)


def _new_secret(settings: Settings) -> str:
    """What the key store shall open with: made here, read, or asked for."""
    from actors.keys import read_secret
    from cluster import setup

    if settings.keys.kek == "pkcs11":
        pin = settings.keys.pin_file
        return read_secret(pin) if pin is not None else root_access.ask_secret(settings)
    if settings.keys.passphrase_file is not None:
        return setup.make_password()
    return root_access.new_secret("New passphrase of the key store", root_access.KEY_STORE_FILE)


def main() -> None:
    """The program. What it and its processes write is open to nobody else, whatever the shell's umask."""
    os.umask(0o077)
    app()
