"""What the player's command line prints: results on standard output, progress on standard error.

Everything that came out of a file passes `printable` first, and none of it begins a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from orvault.clock import utc_iso
from orvault.container.chosen import ToldChoice
from orvault.container.happened import Happened
from orvault.container.history import Proven
from orvault.container.package import Label, Manifest, PackageReader
from orvault.container.trust import Issuer
from orvault.errors import OrvaultError
from orvault.text import grouped, printable
from player.roots import GIVEN, PINNED
from player.verdict import Verdict, of_error

OUT = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
ERR = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, stderr=True)

_BELIEVED = {PINNED: "pinned here", GIVEN: "given on the command line"}
INDENT = 14  # of values, behind their names


def line(name: str, value: object) -> None:
    """One fact on one line."""
    OUT.print(f"{printable(name) + ':':<{INDENT}}{printable(str(value))}")


def paragraph(name: str, text: str) -> None:
    """A text of several lines, each of them indented: none can pass for a fact or a verdict."""
    shown = printable(text, lines=True).replace("\n", "\n" + " " * INDENT)
    OUT.print(f"{name + ':':<{INDENT}}{shown}", soft_wrap=True)


def skipped(problem: OrvaultError) -> None:
    """What could not be read or kept of this user's own folder; it goes on without."""
    ERR.print(printable(f"Skipped: {problem}"))


def verdict(found: Verdict, facts: dict[str, object] | None = None, *, as_json: bool) -> None:
    """The verdict, last; in JSON together with all facts, as one line."""
    if as_json:
        typer.echo(
            json.dumps(
                {"verdict": found.name, "message": found.sentence, **(facts or {})}, ensure_ascii=False
            )
        )
    elif found.exit_code == 0 or facts is not None:
        OUT.print(found.sentence)
    else:
        ERR.print(found.sentence)


@contextmanager
def errors_shown(as_json: bool) -> Iterator[None]:
    """Turn an OrvaultError into its verdict and exit code; anything else is a bug and shows as one."""
    try:
        yield
    except OrvaultError as error:
        found = of_error(error)
        verdict(found, as_json=as_json)
        raise typer.Exit(found.exit_code) from error


def progress() -> Progress:
    """A progress bar on standard error."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=ERR,
    )


def label_facts(reader: PackageReader, issuer: Issuer | None, pin: str) -> dict[str, object]:
    """What the clear label says, for `--json`; `pin`: why a believed root is (`roots.belief`)."""
    label = reader.label
    return {
        "activation": None if label.activation is None else label.activation.address,
        "package_id": label.package_id,
        "issued": utc_iso(label.issued_us),
        "not_before": utc_iso(label.not_before_us),
        "not_after": utc_iso(label.not_after_us),
        "issuer": None
        if issuer is None
        else {
            "name": issuer.name,
            "root": issuer.root_name,
            "root_fingerprint": issuer.fingerprint,
            "pinned": issuer.pinned and pin == PINNED,
            "given": issuer.pinned and pin == GIVEN,
        },
        "recipients": {
            "issued": len(label.slots),
            "by_password": sum(slot.password_salt is not None for slot in reader.slots),
            "by_key": [slot.slot.key_thumbprint for slot in reader.slots if slot.password_salt is None],
        },
        "cameras": [{"camera_id": camera.camera_id, "bytes": camera.media.bytes} for camera in label.cameras],
    }


def label_lines(reader: PackageReader, issuer: Issuer | None, pin: str) -> None:
    """The same for a person."""
    label: Label = reader.label
    line("Package", label.package_id)
    if issuer is not None:
        line("Issued by", f"{issuer.name} (root: {issuer.root_name})")
        line(
            "Root",
            f"{grouped(issuer.fingerprint)} ({_BELIEVED[pin] if issuer.pinned else 'not pinned here'})",
        )
    line("Issued", utc_iso(label.issued_us))
    line("Opens from", utc_iso(label.not_before_us))
    line("Opens until", utc_iso(label.not_after_us))
    if label.activation is not None:
        line("Activation", f"{label.activation.address} is asked before it opens")
    passwords = sum(slot.password_salt is not None for slot in reader.slots)
    line("Recipients", f"{passwords} by password, {len(reader.slots) - passwords} by key file")
    for camera in label.cameras:
        line("Camera", f"{camera.camera_id}, {camera.media.bytes / 1e6:.1f} MB sealed")


def manifest_facts(manifest: Manifest) -> dict[str, object]:
    """What the sealed manifest says, for `--json`."""
    return {
        "terms": manifest.terms.to_json(),
        "media": [info.to_json() | {"sources": len(info.sources)} for info in manifest.media],
    }


def history_facts(proven: Proven | None) -> dict[str, object]:
    """What is proven of the hospital's history, for `--json`; null for a package without a proof."""
    return {"history": None if proven is None else asdict(proven)}


def manifest_lines(manifest: Manifest) -> None:
    """The same for a person; the terms are what a recipient is bound to."""
    terms = manifest.terms
    line("Case", terms.case_id)
    line("Request", terms.request_id)
    line("Legal basis", terms.legal_basis)
    line("Purpose", terms.purpose)
    line("Recipients", ", ".join(terms.recipients))
    line("Masking", terms.masking)
    if terms.masking_choice is not None:
        _choice_lines(terms.masking_choice)
    line("Watermark", terms.watermark)
    line("Overlay", "who is watching, and the time" if terms.overlay else "none")
    for info in manifest.media:
        line(
            "Camera",
            f"{info.camera_id} ({info.title}): {info.width}x{info.height}, {info.frames} frames,"
            f" {utc_iso(info.start_us)} to {utc_iso(info.end_us)}, {len(info.gaps)} gaps,"
            f" from {len(info.sources)} sealed segments",
        )
    for event in terms.events:
        line("Event", _event_words(event))
    paragraph("Terms", terms.terms_text)


def _event_words(event: Happened) -> str:
    """When, what, of which camera, by which means, in the words of the format."""
    parts = (event.kind, event.camera_id, event.by and f"by {event.by.value}")
    return ", ".join([utc_iso(event.at_us), *(str(part) for part in parts if part)])


def _choice_lines(choice: ToldChoice) -> None:
    line("Chosen by", f"{choice.by}, {utc_iso(choice.chosen_us)}")
    for part in choice.clear:
        times = f"{utc_iso(part.from_us)} to {utc_iso(part.to_us)}"
        line("Left clear", f"{part.camera_id}, {part.kind} {part.track}, {times}")
    for region in choice.drawn:
        first, last = region.keys[0].at_us, region.keys[-1].at_us
        when = f"{utc_iso(first)} to {utc_iso(last)}" if len(region.keys) > 1 else "in every picture"
        line("Covered too", f"{region.camera_id}, {region.name}, {when}")
