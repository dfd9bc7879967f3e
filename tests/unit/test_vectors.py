"""Every vector has exactly the verdict that is written beside it; from the core, and from the player's program."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from orvault.clock import SystemClock
from orvault.container import canonical
from orvault.container.activation import (
    Activation,
    ActivationAnswer,
    ActivationRequest,
    Lease,
    joined_key,
    proof_key,
)
from orvault.container.chain import START, Head, check_run
from orvault.container.enrolment import EnrolledNodes
from orvault.container.frame_reader import read_frame
from orvault.container.gap import Gap, check_gap, read_gap
from orvault.container.keys import Kem, PrivateKey, decode_slots
from orvault.container.package import PackageReader
from orvault.container.revocation import RevocationLists, read_list
from orvault.container.segment import (
    SealedSegment,
    open_segment,
    read_header,
    segment_digest,
    unwrap_dek,
    verify_segment,
)
from orvault.container.trust import CertificateRole, check_chain
from orvault.errors import EXIT_CODES, ErrorKind, OrvaultError
from player.__main__ import app
from tests.vectors.make_vectors import make_vectors
from tests.vectors.world import FOLDER, START_US

ENTRIES: list[dict[str, Any]] = json.loads((FOLDER / "vectors.json").read_text())
GOOD = {"good", "genuine", "intact, issuer unknown"}
PACKAGES = [entry for entry in ENTRIES if entry["check"] == "package"]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_vectors(tmp_path_factory.mktemp("vectors"))


def _names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["name"] for entry in entries]


@pytest.mark.parametrize("entry", ENTRIES, ids=_names(ENTRIES))
def test_a_vector_has_its_verdict(entry: dict[str, Any]) -> None:
    _expect(FOLDER, entry)


def test_vectors_made_now_have_the_same_verdicts(fresh: Path) -> None:
    entries = json.loads((fresh / "vectors.json").read_text())
    told = ("name", "check", "expected", "words")
    assert [[e[key] for key in told] for e in entries] == [[e[key] for key in told] for e in ENTRIES]
    for entry in entries:
        _expect(fresh, entry)


def test_the_table_for_people_lists_them_all() -> None:
    table = (FOLDER / "README.md").read_text()
    assert all(f"| `{name}` |" in table for name in _names(ENTRIES))
    assert len(set(_names(ENTRIES))) == len(ENTRIES)
    listed = {
        str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*") if path.suffix in (".orvault", ".slots")
    }
    used = {entry.get(key) for entry in ENTRIES for key in ("file", "slots")}
    assert listed <= used, "a file that no vector uses"


def test_each_failure_class_is_there() -> None:
    assert {entry["expected"] for entry in ENTRIES} - GOOD == {
        str(kind)
        for kind in (
            ErrorKind.ALTERED, ErrorKind.DAMAGED, ErrorKind.UNTRUSTED, ErrorKind.NOT_FOR_YOU, ErrorKind.EXPIRED,
            ErrorKind.NOT_YET_VALID, ErrorKind.NOT_ACTIVATED, ErrorKind.WRONG_PASSWORD, ErrorKind.NOT_A_PACKAGE,
            ErrorKind.NEWER_FORMAT,
        )
    }  # fmt: skip
    for kind in ("segment/cut-", "package/cut-"):
        assert len([name for name in _names(ENTRIES) if name.startswith(kind) and name[-2:].isdigit()]) == 20


def _expect(folder: Path, entry: dict[str, Any]) -> None:
    checks: dict[str, Callable[[Path, dict[str, Any]], str]] = {
        "segment": _segment,
        "node": _node,
        "enrolled": _enrolled,
        "run": _run,
        "package": _package,
        "gap": _gap,
        "activation": _activated,
    }
    try:
        verdict = checks[entry["check"]](folder, entry)
    except OrvaultError as error:
        assert str(error.kind) == entry["expected"], f"{entry['name']}: {error.kind}: {error}"
        assert entry["words"] in str(error), f"{entry['name']}: {error}"
    else:
        assert verdict == entry["expected"], entry["name"]


def _segment(folder: Path, entry: dict[str, Any]) -> str:
    data = (folder / entry["file"]).read_bytes()[: entry.get("bytes")]
    header = verify_segment(data, _certificate(entry.get("node", "node")))
    if "slots" in entry:
        slots = decode_slots((folder / entry["slots"]).read_bytes())
        assert open_segment(data, unwrap_dek(slots, _keys()[entry["key"]], header))
    return "good"


def _node(_folder: Path, entry: dict[str, Any]) -> str:
    check_chain(
        _certificate(entry["leaf"]), [], [_certificate(entry["root"])], CertificateRole.NODE, START_US
    )
    return "good"


def _enrolled(folder: Path, entry: dict[str, Any]) -> str:
    root = _certificate("root")
    lists = RevocationLists([read_list((folder / entry["list"]).read_bytes(), [root], "list")])
    nodes = EnrolledNodes(root, [_certificate(name) for name in entry["enrolled"]], lists)
    data = (folder / entry["file"]).read_bytes()
    verify_segment(data, nodes.certificate_of(read_header(data), entry["seen_us"]))
    return "good"


def _run(folder: Path, entry: dict[str, Any]) -> str:
    links = []
    for file in entry["files"]:
        data = (folder / file).read_bytes()
        links.append(
            SealedSegment(verify_segment(data, _certificate("node")), data, b"", (), segment_digest(data))
        )
    anchors = [Head(**entry["anchor"])] if "anchor" in entry else []
    check_run(links, before=START if entry["from_start"] else None, anchors=anchors)
    return "good"


def _package(folder: Path, entry: dict[str, Any]) -> str:
    file = BytesIO((folder / entry["file"]).read_bytes()[: entry.get("bytes")])
    with PackageReader(file, read_frame(file, partial=False)) as reader:
        issuer = reader.verify_label([_certificate(entry.get("root", "root"))], SystemClock().now_us())
        reader.unlock(_secret(entry.get("secret", "password")))
        reader.verify_all()
    return "genuine" if issuer.pinned else "intact, issuer unknown"


def _gap(folder: Path, entry: dict[str, Any]) -> str:
    root = _certificate("root")
    lists = RevocationLists([read_list((folder / entry["list"]).read_bytes(), [root], "list")])
    nodes = EnrolledNodes(root, [_certificate(name) for name in entry["enrolled"]], lists)
    record = (folder / entry["file"]).read_bytes()
    check_gap(Gap(**entry["told"], envelope=record), nodes, entry["seen_us"])
    assert read_gap(record, "record") == Gap(**entry["told"])
    return "good"


@dataclass
class _Lent:
    """A share that may be used for ever."""

    share: bytes

    def check(self) -> None:
        pass


def _activated(folder: Path, entry: dict[str, Any]) -> str:
    def activate(package_id: str, asked: Activation, half: bytes) -> Lease:
        assert (package_id, asked.address) == ("pkg-vector", "https://127.0.0.1:9")
        return _Lent(bytes.fromhex(entry["share"]))

    with PackageReader.open(folder / entry["file"]) as reader:
        reader.verify_label([_certificate("root")], SystemClock().now_us())
        reader.unlock(_secret("password"), None if entry["share"] is None else activate)
        reader.verify_all()
    return "genuine"


def test_what_follows_from_two_halves_is_what_is_written_down() -> None:
    told = json.loads((FOLDER / "activation/keys.json").read_text())
    half, share, package_id = bytes.fromhex(told["half"]), bytes.fromhex(told["share"]), told["package_id"]
    assert joined_key(half, share, package_id).hex() == told["package_key"]
    assert proof_key(half, package_id).hex() == told["proof_key"]
    key = told["ephemeral_private_key"]
    ephemeral = PrivateKey(Kem(key["kem"]), bytes.fromhex(key["raw"]))
    request = ActivationRequest.make(package_id, ephemeral.public(), half)
    assert (request.to_json(), request.digest) == (told["request"], told["request_digest"])
    answer = ActivationAnswer.read(canonical.Fields(told["answer"], "answer"))
    assert answer.open(request, ephemeral) == share


@cache
def _certificate(name: str) -> bytes:
    return (FOLDER / f"certificates/{name}.der").read_bytes()


@cache
def _keys() -> dict[str, PrivateKey]:
    listed = json.loads((FOLDER / "keys.json").read_text())["private_keys"]
    return {name: PrivateKey(Kem(key["kem"]), bytes.fromhex(key["raw"])) for name, key in listed.items()}


def _secret(name: str) -> str | PrivateKey:
    if name == "password":
        return str(json.loads((FOLDER / "keys.json").read_text())["password"])
    return _keys().get(name, name)


@pytest.mark.parametrize("entry", PACKAGES, ids=_names(PACKAGES))
def test_the_player_says_the_same(
    entry: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORVAULT_PLAYER_HOME", str(tmp_path / "home"))
    pem = tmp_path / "root.pem"
    certificate = x509.load_der_x509_certificate(_certificate(entry.get("root", "root")))
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    path = tmp_path / "vector.orvault"
    path.write_bytes((FOLDER / entry["file"]).read_bytes()[: entry.get("bytes")])
    run = CliRunner().invoke(
        app, ["verify", str(path), "--json", "--root", str(pem), *_options(entry, tmp_path)]
    )
    assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
    told = json.loads(run.stdout)
    assert told["verdict"] == entry["expected"]
    assert entry["words"] in told["message"]
    codes = {"genuine": 0, "intact, issuer unknown": EXIT_CODES[ErrorKind.UNTRUSTED]}
    assert (
        run.exit_code == codes.get(entry["expected"])
        or run.exit_code == EXIT_CODES[ErrorKind(entry["expected"])]
    )


def _options(entry: dict[str, Any], folder: Path) -> list[str]:
    secret, path = _secret(entry.get("secret", "password")), folder / "secret"
    if isinstance(secret, str):
        path.write_text(secret)
        return ["--password-file", str(path)]
    fields = {"kem": str(secret.kem), "raw": canonical.to_base64(secret.raw)}
    path.write_bytes(canonical.encode({"format": "orvault-private-key", "version": 1} | fields))
    return ["--key", str(path)]
