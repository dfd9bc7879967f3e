"""`orvault retention`: what would be destroyed, at the server's own command line, and whether a receipt is genuine.

Approving is an account's act, over the API: whoever has a shell here is nobody whose yes history could name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from cluster.command import DEFAULT_CONFIG, ConfigOption, settings_of
from cluster.console import errors_in_words, out
from orvault.clock import utc_iso
from orvault.container.certificates import MAX_PEM_BYTES, Issuer, load_pem, to_der
from orvault.container.files import read_bounded
from orvault.container.receipt import MAX_RECEIPT_BYTES, Receipt, verify_receipt
from orvault.container.revocation import RevocationLists, load_lists
from orvault.custody.retention import PlanItem
from orvault.custody.text import show_time
from orvault.errors import ErrorKind, OrvaultError

if TYPE_CHECKING:
    from orvault.custody.service import Plan

MB = 1_000_000

app = typer.Typer(help="How long recordings are kept, and their destruction.", no_args_is_help=True)


@app.command()
def plan(
    config: ConfigOption = DEFAULT_CONFIG,
    after: Annotated[str, typer.Option(help="Continue behind this case, by its id.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Show what would be destroyed now, and what stops each of the others. Destroys nothing."""
    with errors_in_words():
        settings = settings_of(config)
        from cluster import roster
        from cluster.custody import open_custody

        shown = open_custody(*roster.custody_at(settings)).dry_run(after)
        if as_json:
            typer.echo(json.dumps(_to_json(shown), ensure_ascii=False))
        else:
            _show(shown)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A receipt of a destruction.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    root: Annotated[
        Path | None,
        typer.Option(help="The hospital's root (PEM) to believe, instead of the site's.", show_default=False),
    ] = None,
) -> None:
    """Check a receipt's signature and show what it says. Ends with 10 if it was altered, 16 if it is not believed."""
    with errors_in_words():
        if root is not None:
            roots, lists = [_certificate(root)], RevocationLists()
        else:
            keys = settings_of(config).keys
            roots = [_certificate(keys.root_certificate)]
            lists = load_lists(keys.revocation_list, roots)
        data = read_bounded(file, MAX_RECEIPT_BYTES)
        receipt, issuer = verify_receipt(data, roots, lists, file.name)
        if not issuer.pinned:
            raise OrvaultError(
                ErrorKind.UNTRUSTED,
                f"It is as it was signed, but under another root: {issuer.root_name} ({issuer.fingerprint}).",
                where=str(file),
                advice="Give the hospital's root with --root, once its fingerprint was compared with paper.",
            )
        _show_receipt(receipt, issuer)


def _certificate(path: Path) -> bytes:
    return to_der(load_pem(read_bounded(path, MAX_PEM_BYTES), path)[0])


def _show_receipt(receipt: Receipt, issuer: Issuer) -> None:
    out.print(f"Genuine: signed by {issuer.name} on {show_time(receipt.issued_us)}.", markup=False)
    segments = sum(run.segments for run in receipt.recordings)
    size = sum(run.bytes for run in receipt.recordings) / MB
    lines = [
        f"Case {receipt.case_number} ({receipt.case_id}), {receipt.room}: {len(receipt.recordings)} recordings,"
        f" {segments} segments, {size:.1f} MB.",
        f"Due since {show_time(receipt.due_us)}: {receipt.rule}.",
        f"Approved by {receipt.approved_by} on {show_time(receipt.approved_us)}."
        if receipt.approved_by
        else "Destroyed by the site's policy; nobody's approval was asked for.",
        f"Its key was destroyed on {show_time(receipt.key_destroyed_us)}: from then on nothing opens.",
        f"{len(receipt.packages)} packages were removed from the export server.",
        *(
            f"Node {each.node_id}: {each.files} files removed on {show_time(each.removed_us)}."
            if each.removed_us
            else f"Node {each.node_id} was away; what lies there opens for nobody."
            for each in receipt.files
        ),
    ]
    for line in lines:
        out.print(line, markup=False)


def _to_json(plan: Plan) -> dict[str, object]:
    return {
        "at": utc_iso(plan.at_us),
        "digest": plan.digest,
        "due": [_item_json(item) for item in plan.due],
        "stopped": [_item_json(item) for item in plan.stopped],
        "under_way": [{"case": each.case_id, "step": each.step.value} for each in plan.under_way],
        "more_after": plan.more_after,
    }


def _item_json(item: PlanItem) -> dict[str, object]:
    recorded, verdict = item.recorded, item.verdict
    return {
        "case": recorded.case_id,
        "number": recorded.number,
        "ended": utc_iso(recorded.ended_us),
        "due": utc_iso(verdict.due_us),
        "rule": verdict.rule,
        "segments": recorded.segments,
        "bytes": recorded.bytes,
        "beyond_ceiling": item.beyond_ceiling,
        "stopped_by": [obstacle.words for obstacle in verdict.obstacles],
    }


def _show(plan: Plan) -> None:
    if plan.due:
        out.print(_table("Would be destroyed now", plan.due))
        total = sum(item.recorded.bytes for item in plan.due)
        out.print(f"{len(plan.due)} cases, {total / MB:.0f} MB. The plan's digest: {plan.digest}")
        how = (
            "It waits for a person's yes (POST /retention/plan/approve)."
            if plan.policy.approve
            else "What was noticed is destroyed by itself when its notice is over (retention.notice_days)."
        )
        out.print(how)
    else:
        out.print("Nothing is due.")
    if plan.stopped:
        out.print(_table("Stays", plan.stopped))
    for each in plan.under_way:
        out.print(f"Under way: case {each.case_id}, {each.step.value}", markup=False)
    if plan.more_after:
        out.print(f"There are more: --after {plan.more_after}", markup=False)


def _table(title: str, items: tuple[PlanItem, ...]) -> Table:
    table = Table("case", "number", "ended", "due", "segments", "MB", "why", title=title)
    for item in items:
        recorded, verdict = item.recorded, item.verdict
        why = verdict.words + ("; beyond the ceiling" if item.beyond_ceiling else "")
        cells = (
            recorded.case_id,
            recorded.number,
            show_time(recorded.ended_us),
            show_time(verdict.due_us),
            str(recorded.segments),
            f"{recorded.bytes / MB:.1f}",
            why,
        )
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    return table
