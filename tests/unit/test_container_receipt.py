"""Receipts of destructions: what was signed is read back, and nothing else passes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from orvault.container import canonical, dsse
from orvault.container.certificates import CertificateRole
from orvault.container.receipt import (
    RECEIPT_TYPE,
    DestroyedRun,
    Receipt,
    RemovedFiles,
    digests_root,
    verify_receipt,
)
from orvault.container.trust import issue
from orvault.errors import ErrorKind
from tests.refusals import refusal
from tests.unit.container_support import CLOCK, DAY_US, NOW_US, hospital

ROOT, SERVER, NODE = hospital()
DIGESTS = [f"{n:064x}" for n in range(3)]
RECEIPT = Receipt(
    case_id="case-1",
    case_number="2026-1",
    room="OR 1",
    recordings=(DestroyedRun("run-1", "or1-wall", NOW_US, NOW_US + 6, 3, 4096, digests_root(DIGESTS)),),
    ended_us=NOW_US - 31 * DAY_US,
    due_us=NOW_US - DAY_US,
    rule="kept for 30 days",
    approved_by="account-1",
    approved_us=NOW_US - 10,
    begun_us=NOW_US - 9,
    key_destroyed_us=NOW_US - 8,
    key_thumbprint="ab" * 32,
    packages=("package-1",),
    packages_removed_us=NOW_US - 7,
    files=(RemovedFiles("node-1", NOW_US - 6, 7, 5000), RemovedFiles("node-2", 0, 0, 0)),
    issued_us=NOW_US,
)


def check(data: bytes) -> Receipt:
    return verify_receipt(data, [ROOT.certificate_der])[0]


def test_what_was_signed_is_read_back() -> None:
    found, issuer = verify_receipt(RECEIPT.seal(SERVER), [ROOT.certificate_der])
    assert found == RECEIPT and issuer.pinned and issuer.name == SERVER.name
    assert found.outstanding == ("node-2",)
    assert not verify_receipt(RECEIPT.seal(SERVER), [])[1].pinned


def test_every_flipped_byte_is_noticed() -> None:
    sealed = RECEIPT.seal(SERVER)
    for at in range(0, len(sealed), 97):
        flipped = bytearray(sealed)
        flipped[at] ^= 1
        assert refusal(lambda: check(bytes(flipped))).kind in {ErrorKind.ALTERED, ErrorKind.UNTRUSTED}  # noqa: B023


def test_a_node_may_not_sign_one() -> None:
    assert refusal(lambda: check(RECEIPT.seal(NODE))).kind is ErrorKind.UNTRUSTED


def test_a_server_of_another_root_is_not_pinned() -> None:
    other_root, other_server, _ = hospital("Another Hospital")
    assert not verify_receipt(RECEIPT.seal(other_server), [ROOT.certificate_der])[1].pinned
    assert verify_receipt(RECEIPT.seal(other_server), [other_root.certificate_der])[1].pinned


def test_a_certificate_that_had_ended_signs_nothing() -> None:
    short = issue(ROOT, "short", CertificateRole.EXPORT_SERVER, CLOCK, 1)
    late = replace(RECEIPT, issued_us=NOW_US + 2 * DAY_US)
    assert refusal(lambda: check(late.seal(short))).kind is ErrorKind.UNTRUSTED


@pytest.mark.parametrize(
    "changes",
    [
        {"key_destroyed_us": NOW_US - 10},
        {"packages_removed_us": NOW_US - 9},
        {"issued_us": NOW_US - 8},
        {"due_us": NOW_US},
    ],
)
def test_steps_out_of_order_are_refused_even_when_signed(changes: dict[str, int]) -> None:
    sealed = replace(RECEIPT, **changes).seal(SERVER)  # type: ignore[arg-type]
    assert refusal(lambda: check(sealed)).kind is ErrorKind.ALTERED


def resealed(change: Callable[[dict[str, object]], object]) -> bytes:
    """A payload that the server signed, but that is none of this format."""
    payload = json.loads(base64.b64decode(json.loads(RECEIPT.seal(SERVER))["payload"]))
    change(payload)
    return dsse.seal_envelope(canonical.encode(payload), RECEIPT_TYPE, SERVER)


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload.pop("rule"),
        lambda payload: payload.update(more=1),
        lambda payload: payload.update(version=2),
        lambda payload: payload["recordings"][0].update(digests_root="zz"),
        lambda payload: payload["files"][0].pop("bytes"),
        lambda payload: payload.update(certificates=payload["certificates"][:1]),
    ],
)
def test_another_payload_is_refused_even_when_signed(change: Callable[[dict[str, object]], object]) -> None:
    assert refusal(lambda: check(resealed(change))).kind is ErrorKind.ALTERED


def test_the_root_depends_on_every_digest_and_its_place() -> None:
    roots = {digests_root(each) for each in (DIGESTS, DIGESTS[::-1], DIGESTS[:2], [])}
    assert len(roots) == 4


def test_the_command_line_says_what_it_proves_and_refuses_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # who is given a receipt has no settings of a site
    file, root = tmp_path / "receipt.json", tmp_path / "root.pem"
    file.write_bytes(RECEIPT.seal(SERVER))
    root.write_bytes(ROOT.certificate_pem)
    shown = CliRunner().invoke(app, ["retention", "verify", str(file), "--root", str(root)])
    assert shown.exit_code == 0 and "Genuine" in shown.stdout and "node-2 was away" in shown.stdout
    root.write_bytes(hospital("Another Hospital")[0].certificate_pem)
    assert CliRunner().invoke(app, ["retention", "verify", str(file), "--root", str(root)]).exit_code == 16
    file.write_bytes(file.read_bytes().replace(b"A", b"B", 1))
    assert CliRunner().invoke(app, ["retention", "verify", str(file), "--root", str(root)]).exit_code == 10
