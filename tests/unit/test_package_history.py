"""Packages prove that their approval and content stand in the hospital's history; what does not fit is altered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orvault.container.checkpoint import log_key, origin_of, sign_checkpoint
from orvault.container.history import HistoryProof, ProvenEntry, check_history, entry_bytes
from orvault.container.note import parse_note
from orvault.container.package import MediaInfo, PackageBuilder, PackageReader
from orvault.container.proof import inclusion_path, leaf_hash, merkle_root
from orvault.container.trust import Identity
from orvault.custody.checkpoints import LogSigner
from orvault.custody.history import canonical
from orvault.errors import ErrorKind, OrvaultError
from player.verdict import of_history
from tests.fakes import make_world, sqlite_url

from .container_support import CHUNK_BYTES, NOW_US, PASSWORD, hospital, password_person, terms

ROOT, SERVER, _ = hospital()
ORIGIN = origin_of(ROOT.certificate_der)
TERMS = terms()
SUBJECT = f"export:{TERMS.request_id}"


def acts(content: str, package: str = TERMS.package_id, approved: str = TERMS.package_id) -> list[bytes]:
    """A history of five entries: the approval is number 1, the sealing number 3."""
    told = [
        ("signed-in", "account:x", {}),
        ("export-approved", SUBJECT, {"package": approved}),
        ("signed-in", "account:x", {}),
        ("package-sealed", SUBJECT, {"package": package, "content": content, "epoch": 1}),
        ("signed-in", "account:x", {}),
    ]
    return [
        entry_bytes(n, NOW_US + n, "account:y", act, subject, canonical(detail))
        for n, (act, subject, detail) in enumerate(told)
    ]


def proof_of(
    entries: list[bytes], which: tuple[int, ...] = (1, 3), by: Identity = SERVER, origin: str = ORIGIN
) -> HistoryProof:
    leaves = [leaf_hash(entry) for entry in entries]
    note = sign_checkpoint(origin, len(leaves), merkle_root(leaves), log_key(origin, by.certificate_der), by)
    proven = tuple(ProvenEntry(entries[n], tuple(inclusion_path(leaves, n))) for n in which)
    return HistoryProof(note.whole, proven)


def package(folder: Path, prove: Callable[[str], HistoryProof] | None) -> Path:
    out = folder / "p.orvault"
    with PackageBuilder(folder, SERVER, TERMS, CHUNK_BYTES) as builder:
        with builder.media_sink("cam1") as sink:
            sink.write(b"video" * 40_000)
        info = MediaInfo("cam1", "Wall", 640, 360, 15.0, 10, NOW_US, NOW_US + 10**6)
        builder.finish(out, [info], [password_person()], prove)
    return out


def opened(path: Path) -> PackageReader:
    reader = PackageReader.open(path)
    reader.verify_label([ROOT.certificate_der], NOW_US)
    reader.unlock(PASSWORD)
    return reader


def test_a_proof_is_carried_checked_and_told(tmp_path: Path) -> None:
    with opened(package(tmp_path, lambda content: proof_of(acts(content)))) as reader:
        proven = reader.proven
        reader.verify_all()
    assert proven is not None and (proven.size, proven.approved_seq, proven.sealed_seq) == (5, 1, 3)
    assert "holds its approval" in of_history(proven) and "entry 1" in of_history(proven)


def test_a_package_without_a_proof_is_opened_and_said_to_have_none(tmp_path: Path) -> None:
    with opened(package(tmp_path, None)) as reader:
        assert reader.proven is None and reader.manifest.history is None
    assert "no proof" in of_history(None)


def _first(proof: HistoryProof, **changes: object) -> HistoryProof:
    one, *rest = proof.entries
    return replace(proof, entries=(replace(one, **changes), *rest))  # type: ignore[arg-type]


UNFIT: dict[str, Callable[[str], HistoryProof]] = {
    "another content": lambda content: proof_of(acts("0" * 64)),
    "another package": lambda content: proof_of(acts(content, package="other")),
    "an approval of another package": lambda content: proof_of(acts(content, approved="other")),
    "no approval": lambda content: proof_of(acts(content), (0, 3)),
    "no sealing": lambda content: proof_of(acts(content), (1, 2)),
    "sealed before it was approved": lambda content: proof_of(_swapped(content), (0, 1)),
    "another history": lambda content: proof_of(acts(content), origin=origin_of(SERVER.certificate_der)),
    "signed by another server": lambda content: proof_of(acts(content), by=hospital("Other")[1]),
    "a path that leads elsewhere": lambda content: _first(proof_of(acts(content)), path=(b"h" * 32,) * 3),
    "an entry that was changed": lambda content: _first(
        proof_of(acts(content)), entry=entry_bytes(1, NOW_US, "account:z", "export-approved", SUBJECT, "{}")
    ),
    "a checkpoint of another root": lambda content: replace(
        proof_of(acts(content)), checkpoint=proof_of(acts("1" * 64)).checkpoint
    ),
    "a checkpoint that was changed": lambda content: _larger(proof_of(acts(content))),
}


def _swapped(content: str) -> list[bytes]:
    told = [
        ("package-sealed", {"package": TERMS.package_id, "content": content, "epoch": 1}),
        ("export-approved", {"package": TERMS.package_id}),
    ]
    return [
        entry_bytes(n, NOW_US, "a", act, SUBJECT, canonical(detail)) for n, (act, detail) in enumerate(told)
    ]


def _larger(proof: HistoryProof) -> HistoryProof:
    note = parse_note(proof.checkpoint)
    return replace(proof, checkpoint=replace(note, text=note.text.replace("\n5\n", "\n6\n")).whole)


@pytest.mark.parametrize("unfit", UNFIT)
def test_a_proof_that_does_not_fit_is_altered(tmp_path: Path, unfit: str) -> None:
    path = package(tmp_path, UNFIT[unfit])
    with PackageReader.open(path) as reader:
        reader.verify_label([ROOT.certificate_der], NOW_US)
        with pytest.raises(OrvaultError) as caught:
            reader.unlock(PASSWORD)
        assert caught.value.kind is ErrorKind.ALTERED and "history" in str(caught.value)
        with pytest.raises(OrvaultError):
            reader.media("cam1")


def test_custody_proves_what_a_render_seals(tmp_path: Path) -> None:
    world = make_world(sqlite_url(tmp_path))
    case = world.recorded_case()
    request = world.approved(case)
    job = world.claimed()
    assert request.package_id is not None
    signer = LogSigner(ORIGIN, SERVER)
    proof = world.custody.seal_package(request.request_id, job.epoch, request.package_id, "c" * 64, signer)
    chain = (SERVER.certificate_der, *SERVER.chain_ders)
    proven = check_history(proof, chain, request.request_id, request.package_id, "c" * 64)
    assert proven.size == world.custody.check_ledger() == proven.sealed_seq + 1
    assert world.custody.verify_history().kept == 2  # before the entry and over it
    with pytest.raises(OrvaultError) as caught:
        world.custody.seal_package(request.request_id, job.epoch + 1, request.package_id, "c" * 64, signer)
    assert caught.value.kind is ErrorKind.CONFLICT
    world.ledger.close()
