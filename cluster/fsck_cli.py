"""`orvault fsck`: are disks, signatures, chains, ledger and history what they should be, and what to do if not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.command import DEFAULT_CONFIG, ConfigOption, settings_of
from cluster.console import err, errors_in_words, out, progress
from cluster.settings import Settings
from orvault.errors import EXIT_CODES, ErrorKind, OrvaultError
from orvault.recording.fsck import Fault, FaultKind

if TYPE_CHECKING:
    from cluster.fsck import Report, SiteCheck

_TAMPERED = {FaultKind.ALTERED, FaultKind.MISPLACED, FaultKind.UNTRUSTED, FaultKind.ANCHOR, FaultKind.HISTORY}


def fsck(
    config: ConfigOption = DEFAULT_CONFIG,
    node: Annotated[list[str] | None, typer.Option(help="Only this node's disk; may be repeated.")] = None,
    case: Annotated[str | None, typer.Option(help="Only this case, by its id.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Tell the ledger what it lacks, and remove what crashes left.")
    ] = False,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="With --repair: also make runs that the ledger lacks (it came back from a back-up), from what"
            " enrolled nodes signed.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Hold disks, ledger and history against each other, and name every fault.

    Reads only, unless told to repair; the site may run meanwhile. Ends with 10 where something was altered or is not
    believed, 11 where something is missing, damaged or not in order, or lies on a disk that is not here (unless
    --node left it out).
    """
    with errors_in_words():
        settings = settings_of(config)
        if adopt and not repair:
            message = "Runs are adopted by a repair only."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="--adopt", advice="Add --repair.")
        report = check_site(settings, node or [], case, repair, adopt)
        if as_json:
            typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        else:
            _show(report)
        if report.faults or report.not_checked:
            raise typer.Exit(_exit_code(report.faults))


def check_site(
    settings: Settings, nodes: list[str], case_id: str | None, repair: bool, adopt: bool = False
) -> Report:
    """Check the disks of these nodes (none named: all) as far as they can be reached from here.

    Errors: BAD_SETTINGS, UNAVAILABLE (the ledger), NOT_FOUND for a node that has no segments here.
    """
    check = _check_of(settings, adopt)
    stores = _stores(settings, nodes)
    with progress() as bar:
        task = bar.add_task("checking", total=None)

        def step(run: str) -> None:
            bar.update(task, description=run, advance=1)

        report = check.check(stores, case_id, repair, step)
    if nodes:
        report.not_checked.clear()  # they were left out on purpose
    return report


def _check_of(settings: Settings, adopt: bool) -> SiteCheck:
    from cluster import services
    from cluster.custody import open_custody
    from cluster.fsck import SiteCheck
    from orvault.clock import SystemClock
    from orvault.ledger.engine import open_ledger

    address = services.ledger_address(settings)
    custody = open_custody(address, services.camera_ids(settings))
    enrolled = services.enrolment_files(settings).load()
    uow = open_ledger(address.resolve()).uow
    return SiteCheck(custody, uow, enrolled, SystemClock(), _known_keys(settings), adopt)


def _stores(settings: Settings, nodes: list[str]) -> dict[str, Path]:
    from cluster.feeds import SEGMENTS

    clients = [node.name for node in settings.nodes if "client" in node.roles]
    if unknown := sorted(set(nodes) - set(clients)):
        raise OrvaultError(
            ErrorKind.NOT_FOUND,
            f"There is no client node {', '.join(unknown)}; known: {', '.join(clients)}.",
            where="--node",
        )
    roots = {name: settings.data / SEGMENTS / name for name in nodes or clients}
    away = [name for name, root in roots.items() if not root.is_dir()]
    for name in away:
        err.print(
            f"{name}: nothing lies at {roots[name]}; it records elsewhere, or has not yet.", markup=False
        )
    return {name: root for name, root in roots.items() if name not in away or name in nodes}


def _known_keys(settings: Settings) -> set[str] | None:
    """Thumbprints of the keys in the store, from their public halves; None where there is no store here."""
    from orvault.container.storedkey import FOLDERS, StoredKey

    folder = settings.keys.store
    if not folder.is_dir():
        return None
    paths = (path for name in FOLDERS.values() for path in (folder / name).glob("*.json"))
    return {StoredKey.read(path).public.thumbprint for path in paths}


def _show(report: Report) -> None:
    for fault in report.faults:
        out.print(f"[bold]{fault.kind.value}[/]", end="  ")
        out.print(f"{fault.where}\n    {fault.what}\n    {fault.advice}", markup=False, soft_wrap=True)
    if report.indexed or report.gaps_indexed or report.removed or report.joined or report.adopted:
        out.print(
            f"Repaired: {report.adopted} runs adopted, {report.indexed} segments and {report.gaps_indexed} gaps"
            f" told to the ledger, {report.removed} leftovers removed, stretches of {report.joined} runs made anew."
        )
    for node_id, count in sorted(report.not_checked.items()):
        out.print(
            f"Not checked: {count} segments of {node_id}, whose disk is not here. Run it there (--node {node_id}).",
            markup=False,
            soft_wrap=True,
        )
    looked = f"{report.segments} segments and {report.gaps} gaps in {report.runs} runs"
    well = "what was checked is in order." if report.not_checked else "everything is in order."
    verdict = f"{len(report.faults)} faults." if report.faults else well
    out.print(f"{looked}: {verdict}")


def _exit_code(faults: list[Fault]) -> int:
    tampered = any(fault.kind in _TAMPERED for fault in faults)
    return EXIT_CODES[ErrorKind.ALTERED if tampered else ErrorKind.DAMAGED]
