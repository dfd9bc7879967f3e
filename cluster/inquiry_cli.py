"""`orvault history case | account | export`: questions about people and footage, at the server's own command line.

The same answers come over the API (`GET /cases/ID/access`, `/accounts/ID/history`, `/exports/ID/report`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cluster.command import DEFAULT_CONFIG, ConfigOption, open_ledger_of
from cluster.console import errors_in_words, out
from orvault.clock import utc_iso
from orvault.container.files import write_private
from orvault.custody.service import Seen
from orvault.custody.text import show_time
from orvault.papers.language import Language


def case(
    case_id: Annotated[str, typer.Argument(help="The case's identifier.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Who has seen a case's recording, or its room live while it was armed, and what became of its copies."""
    with errors_in_words():
        custody = open_ledger_of(config)
        access = custody.recording_access(None, case_id)
        names = custody.account_names(access.account_ids)
        seen = Table("entry", "when", "who", "camera", "kind", "what was shown", title="Seen by")
        for each in access.seen:
            who = names.get(each.account_id, each.account_id)
            seen.add_row(
                str(each.entry), show_time(each.at_us), who, each.camera_id, each.kind.value, _spans(each)
            )
        copies = Table("entry", "when", "who", "from", "request", "recipients", "act", title="Copies")
        for copy in access.copies:
            who = names.get(copy.account_id, copy.account_id)
            recipients = ", ".join(copy.recipients)
            copies.add_row(
                str(copy.entry),
                show_time(copy.at_us),
                who,
                copy.came_from,
                copy.request_id,
                recipients,
                copy.act.value,
            )
        out.print(seen, copies)


def account(
    name: Annotated[str, typer.Argument(help="The sign-in name.")],
    config: ConfigOption = DEFAULT_CONFIG,
    before: Annotated[int | None, typer.Option(help="Continue from before this entry.", min=0)] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many entries.")] = 100,
) -> None:
    """What an account did and what was done to it, the newest first."""
    with errors_in_words():
        custody = open_ledger_of(config)
        found = custody.account_named(name)
        table = Table("entry", "when", "by", "act", "about", "particulars")
        for entry in custody.account_history(None, found.account_id, before, limit):
            by = name if entry.actor == found.actor else entry.actor
            table.add_row(str(entry.seq), show_time(entry.at_us), by, entry.act, entry.subject, entry.detail)
        out.print(table)


def export(
    request_id: Annotated[str, typer.Argument(help="The request's identifier.")],
    file: Annotated[Path, typer.Argument(help="Where the report (PDF) goes; never overwritten.")],
    config: ConfigOption = DEFAULT_CONFIG,
    language: Annotated[Language, typer.Option(help="What it is written in.")] = Language.KOREAN,
) -> None:
    """Print everything about an export: the request, its copies, each of its acts."""
    with errors_in_words():
        from orvault.papers.export_report import export_report

        custody = open_ledger_of(config)
        dossier = custody.export_dossier(None, request_id)
        pdf = export_report(dossier, custody.account_names(dossier.account_ids), language)
        write_private(file, pdf, replace=False)
        out.print(
            f"{file}: {len(dossier.entries)} acts, as of {utc_iso(dossier.asked_us)[:19]}Z.", markup=False
        )


def _spans(seen: Seen) -> str:
    if not seen.spans:
        return "opened"
    return "; ".join(
        f"{show_time(span.from_us)} to {show_time(span.to_us)}, {span.showing.value}"
        + (f" by grant {span.grant_id}" if span.grant_id else "")
        for span in seen.spans
    )
