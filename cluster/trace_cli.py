"""`orvault trace FILE`: whose copy a leaked video is, by the invisible mark in its pictures and without the original.

The file is read before the key store is opened, so that no key is in memory while foreign bytes are decoded. What was
traced, and to whom, stands in history before it is shown. A trace says whose copy was the source, not who spread it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from cluster.command import DEFAULT_CONFIG, ConfigOption, ready
from cluster.console import err, errors_in_words, out
from cluster.root_access import ask_secret
from cluster.settings import Settings
from orvault.errors import ErrorKind, OrvaultError

if TYPE_CHECKING:
    from orvault.custody.service import CustodyService
    from orvault.marks.residue import Plane
    from orvault.marks.tracing import Trace

NOT_TRACED = 24  # beside EXIT_CODES in orvault.errors: no error, but no name either


@dataclass(frozen=True)
class Finding:
    """One copy that is named: whose it is, which camera's picture, and how sure that is."""

    request_id: str
    recipients: tuple[str, ...]
    package_id: str
    camera_id: str
    score: float
    chance: float  # that a file without any registered mark had scored as high, at most

    def to_json(self) -> dict[str, object]:
        """What `--json` prints."""
        return {
            "request": self.request_id,
            "recipients": list(self.recipients),
            "package": self.package_id,
            "camera": self.camera_id,
            "score": round(self.score, 1),
            "confidence": 1 - self.chance,
            "chance_of_error": self.chance,
        }


def trace(
    file: Annotated[Path, typer.Argument(help="The video, or a picture out of it.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    start: Annotated[
        float, typer.Option("--from", min=0.0, help="Begin so many seconds into the video.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Name the request and the recipient whose copy a leaked video is. Ends with 24 if nobody can be named."""
    with errors_in_words():
        settings = ready(config)
        found, traced = trace_file(file, settings, start)
        if as_json:
            named = [finding.to_json() for finding in found]
            told = {
                "named": named,
                "threshold": round(traced.threshold, 1),
                "strongest": round(traced.strongest, 1),
            }
            typer.echo(json.dumps(told | {"tried": traced.tried}, ensure_ascii=False))
        else:
            _show(found, traced)
        if not found:
            raise typer.Exit(NOT_TRACED)


def trace_file(file: Path, settings: Settings, start_s: float = 0.0) -> tuple[list[Finding], Trace]:
    """The copies that a file is traced to, the surest first, and the figures behind it.

    1. the file is read and decoded; 2. the key store is opened; 3. every registered copy is compared;
    4. the outcome stands in history.
    Errors: NOT_FOUND, BAD_MEDIA, UNSUPPORTED_CODEC, WRONG_PASSPHRASE, KEY_MISSING, UNAVAILABLE.
    """
    from cluster import services
    from cluster.custody import open_custody
    from orvault.marks.leak import residue_of

    residue = residue_of(file, start_s)  # 1
    site_key = _site_key(settings)  # 2
    custody = open_custody(services.ledger_address(settings), services.camera_ids(settings))
    return _compared(residue.plane, site_key, custody, _sha256(file))


def _site_key(settings: Settings) -> bytes:
    from actors.keys import read_secret
    from cluster import services
    from orvault.container.keystore import KeyStore

    place, secret = services.store_place(settings), services.secret_file(settings)
    opened_by = read_secret(secret) if secret is not None else ask_secret(settings)
    return KeyStore.unlock(place.folder, place.source(opened_by)).site_mark_key()


def _compared(
    plane: Plane, site_key: bytes, custody: CustodyService, file_sha256: str
) -> tuple[list[Finding], Trace]:
    from orvault.custody.service import TracedCopy
    from orvault.marks.tracing import Candidate
    from orvault.marks.tracing import trace as compare

    copies = {copy.package_id: copy for copy in custody.registered_copies()}
    traced = compare(
        plane, site_key, [Candidate(copy.package_id, copy.camera_ids) for copy in copies.values()]
    )  # 3
    named = [TracedCopy(copies[each.copy_id], each.camera_id, each.score) for each in traced.named]
    custody.log_trace(file_sha256, len(copies), named)  # 4
    found = [
        Finding(
            request_id=copies[each.copy_id].request_id,
            recipients=copies[each.copy_id].recipients,
            package_id=each.copy_id,
            camera_id=each.camera_id,
            score=each.score,
            chance=traced.chance(each),
        )
        for each in traced.named
    ]
    return found, traced


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise OrvaultError(ErrorKind.STORAGE, f"It cannot be read: {error}.", where=str(file)) from error


def _show(found: list[Finding], traced: Trace) -> None:
    if not found:
        err.print(_no_name(traced), style="bold", markup=False)
        return
    table = Table("recipient", "request", "camera", "score", "error at most", title="This is the copy of")
    for each in found:
        row = (
            ", ".join(each.recipients),
            each.request_id,
            each.camera_id,
            f"{each.score:.1f}",
            f"{each.chance:.0e}",
        )
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)
    if len({each.package_id for each in found}) > 1:
        out.print("Copies of several recipients were mixed in this file.")
    out.print("It says whose copy was the source, not who passed it on.")


def _no_name(traced: Trace) -> str:
    if traced.tried == 0:
        return "Nobody can be named: no copy was ever approved here."
    told = (
        f"Nobody can be named: of {traced.tried} copies and cameras none scores {traced.threshold:.1f};"
        f" the highest has {traced.strongest:.1f}."
    )
    if traced.camera_known:
        return f"{told} But the pictures come from a camera of this site: try another part of the video (--from)."
    return told
