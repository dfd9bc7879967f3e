"""`orvault inspect FILE`: what a sealed segment or a package says of itself, and what can be checked without any key.

It needs neither settings nor a running site, and opens nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from cluster.console import errors_in_words, out
from orvault.clock import SystemClock, utc_iso
from orvault.container.certificates import MAX_PEM_BYTES, load_pem, to_der
from orvault.container.files import read_bounded
from orvault.container.keys import decode_slots
from orvault.container.package import PackageReader
from orvault.container.segment import (
    MAGIC,
    SegmentHeader,
    check_content,
    read_header,
    segment_digest,
    verify_segment,
)
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.store import MAX_SEGMENT_BYTES, MAX_SLOTS_BYTES
from orvault.text import printable

Facts = dict[str, object]
"""Names and values, in the order to be shown; values are what JSON holds."""


@dataclass(frozen=True)
class Finding:
    """What a file says, what was checked, and what was found wrong, if anything was."""

    facts: Facts
    checked: str
    wrong: OrvaultError | None


def inspect(
    file: Annotated[
        Path, typer.Argument(help="A segment (*.seg) or a package (*.orvault).", show_default=False)
    ],
    certificate: Annotated[
        Path | None,
        typer.Option(help="PEM of the node (segment) or root (package) to check by.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Show what a segment or a package says of itself, and check what can be checked without a key."""
    with errors_in_words():
        found = look_into(file, certificate)
        told = "nothing wrong" if found.wrong is None else f"{found.wrong.kind}: {found.wrong}"
        facts = found.facts | {"checked": found.checked, "found": told}
        if as_json:
            typer.echo(json.dumps(facts, ensure_ascii=False))
        else:
            _show(facts)
        if found.wrong is not None:
            raise typer.Exit(found.wrong.exit_code)


def look_into(file: Path, certificate: Path | None = None) -> Finding:
    """What is in a file. Errors: NOT_FOUND, STORAGE, NOT_A_PACKAGE, and what keeps it from being read at all."""
    der = None if certificate is None else _certificate(certificate)
    try:
        with file.open("rb") as opened:
            is_segment = opened.read(len(MAGIC)) == MAGIC
    except FileNotFoundError as error:
        raise OrvaultError(ErrorKind.NOT_FOUND, "There is no such file.", where=str(file)) from error
    except (OSError, ValueError) as error:
        raise OrvaultError(ErrorKind.STORAGE, f"It cannot be read: {error}.", where=str(file)) from error
    return _segment(file, der) if is_segment else _package(file, der)


def _certificate(path: Path) -> bytes:
    return to_der(load_pem(read_bounded(path, MAX_PEM_BYTES), path)[0])


def _segment(file: Path, node: bytes | None) -> Finding:
    data = read_bounded(file, MAX_SEGMENT_BYTES)
    header = read_header(data)
    checked = "length and ciphertext"
    try:
        if node is None:
            check_content(data)
        else:
            checked += ", and the signature by the certificate given"
            verify_segment(data, node)
        wrong = None
    except OrvaultError as error:
        wrong = error
    checked += "" if node is not None else "; not who signed (--certificate)"
    return Finding(_segment_facts(header, data) | _slots_beside(file), checked, wrong)


def _segment_facts(header: SegmentHeader, data: bytes) -> Facts:
    meta = header.meta
    seconds = (meta.end_us - meta.start_us) / 1e6
    return {
        "what": "segment, format 1",
        "segment": meta.segment_id,
        "case": meta.case_id,
        "camera": meta.camera_id,
        "node": meta.node_id,
        "run": meta.run_id,
        "number": meta.sequence,
        "epoch": meta.epoch,
        "from": utc_iso(meta.start_us),
        "to": utc_iso(meta.end_us),
        "seconds": seconds,
        "picture": f"{meta.codec} {meta.width}x{meta.height}, {meta.frames} frames",
        "bytes": len(data),
        "video bytes": header.plaintext_bytes,
        "chunk bytes": header.chunk_bytes,
        "digest": segment_digest(data),
        "previous": header.previous or "none: the first of its run",
        "node certificate": header.node_certificate,
        "case key": header.key_thumbprint,
    }


def _slots_beside(file: Path) -> Facts:
    """The keys that the sidecar wraps the segment's key for."""
    path = file.with_suffix(".slots")
    if not path.exists():
        return {"opens for": "no sidecar of key slots lies beside it"}
    slots = decode_slots(read_bounded(path, MAX_SLOTS_BYTES), where=path.name)
    return {"opens for": [f"{slot.key_thumbprint} ({slot.kem})" for slot in slots]}


def _package(file: Path, root: bytes | None) -> Finding:
    with PackageReader.open(file, partial=True) as reader:
        facts, steps = _label_facts(reader), "label, headers and directory"
        roots = [] if root is None else [root]
        try:
            issuer = reader.check_issuer(roots)
            facts |= {
                "issued by": issuer.name,
                "root": f"{issuer.root_name} ({'the one given' if issuer.pinned else 'not known here'})",
                "root fingerprint": issuer.fingerprint,
            }
            steps += ", certificates"
            if reader.damage is not None:
                raise reader.damage
            steps += ", validity, every chunk of video by its signed hash"
            reader.verify_label(roots, SystemClock().now_us())
            reader.verify_all()
        except OrvaultError as error:
            return Finding(facts, steps, error)
        return Finding(facts, steps, None)


def _label_facts(reader: PackageReader) -> Facts:
    label = reader.label
    return {
        "what": "package, format 1",
        "package": label.package_id,
        "issued": utc_iso(label.issued_us),
        "opens from": utc_iso(label.not_before_us),
        "opens until": utc_iso(label.not_after_us),
        "cameras": [
            f"{camera.camera_id}: {camera.media.bytes} bytes in {camera.media.chunks} chunks,"
            f" Merkle root {camera.media.merkle_root}"
            for camera in label.cameras
        ],
        "slots issued": len(label.slots),
        "opens for": [
            f"{slot.slot.key_thumbprint} ({slot.slot.kem}{', password' if slot.password_salt is not None else ''})"
            for slot in reader.slots
        ],
    }


def _show(facts: Facts) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        lines = [str(item) for item in value] if isinstance(value, list) else [str(value)]
        table.add_row(name, Text("\n".join(map(printable, lines)), overflow="fold"))
    out.print(table)
