"""Time stamps over checkpoints, by a real authority: OpenSSL's, behind a small server of HTTP."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from actors.checkpoint_places import FolderPlace, TimeStampPlace
from orvault.clock import US_PER_S
from orvault.container.checkpoint_files import CheckpointFolder, KeptCheckpoint
from orvault.custody.history_check import witnessed_in
from orvault.custody.time_stamps import StampTrust
from orvault.errors import ErrorKind, OrvaultError
from tests.contract.test_history_tampering import TRUST, checkpoint, write
from tests.fakes import World, make_world, sqlite_url

CONFIG = """
[ req ]
distinguished_name = none
[ none ]
[ root ]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[ tsa ]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ stamps ]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    url: str
    roots: Path
    asked: list[bytes]
    status: int = 200


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=cwd, timeout=60)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    folder = tmp_path / "tsa"
    folder.mkdir()
    (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    for name in ("root", "tsa"):
        openssl(
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            f"{name}.key",
            cwd=folder,
        )
    openssl(
        "req", "-x509", "-new", "-key", "root.key", "-out", "root.pem", "-days", "2", "-subj", "/CN=Time root",
        "-config", "openssl.cnf", "-extensions", "root", cwd=folder,
    )  # fmt: skip
    openssl(
        "req",
        "-new",
        "-key",
        "tsa.key",
        "-out",
        "tsa.csr",
        "-subj",
        "/CN=Time",
        "-config",
        "openssl.cnf",
        cwd=folder,
    )
    openssl(
        "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "2",
        "-out", "tsa.pem", "-extfile", "openssl.cnf", "-extensions", "tsa", cwd=folder,
    )  # fmt: skip
    made = Authority("", folder / "root.pem", [])

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            made.asked.append(query)
            (folder / "query").write_bytes(query)
            openssl(
                "ts",
                "-reply",
                "-queryfile",
                "query",
                "-out",
                "reply",
                "-config",
                "openssl.cnf",
                "-section",
                "stamps",
                cwd=folder,
            )
            self.send_response(made.status)
            self.send_header("content-type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write((folder / "reply").read_bytes())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite_url(tmp_path))
    yield made
    made.ledger.close()


def test_a_stamp_is_asked_for_now_and_then_kept_outside_and_verified(
    tmp_path: Path, world: World, authority: Authority
) -> None:
    folder = tmp_path / "outside"
    place = TimeStampPlace(authority.url, authority.roots, folder, 3600, world.clock)
    place.bring(world.custody)
    assert authority.asked == []  # there is no checkpoint yet
    write(world, 5)
    first = checkpoint(world)
    FolderPlace(folder).bring(world.custody)
    place.bring(world.custody)
    write(world, 5)
    second = checkpoint(world)
    FolderPlace(folder).bring(world.custody)
    place.bring(world.custody)
    assert len(authority.asked) == 1  # an hour is not over
    stamps = StampTrust.load(authority.roots)
    found = world.custody.verify_history([witnessed_in(CheckpointFolder(folder))], TRUST, stamps)
    assert found.intact and (found.stamped, found.covered) == (first.size, second.size)
    assert "An authority of time says" in found.words
    world.clock.us += 3600 * US_PER_S
    place.bring(world.custody)
    assert len(authority.asked) == 2
    taken = world.custody.newest_taken("time-stamp")
    assert taken is not None and taken.size == second.size and taken.receipt
    told = world.custody.verify_history([witnessed_in(CheckpointFolder(folder))], TRUST)
    assert told.intact and any("not looked at" in remark for remark in told.remarks)


def test_a_stamp_that_comes_too_late_leaves_the_folder_in_order(
    tmp_path: Path, world: World, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "outside"
    place = TimeStampPlace(authority.url, authority.roots, folder, 1, world.clock)
    write(world, 5)
    checkpoint(world)
    asking = TimeStampPlace._stamped

    def slowly(self: TimeStampPlace, text: str) -> bytes:
        """Meanwhile history grows, and the folder's own thread writes."""
        stamp = asking(self, text)
        write(world, 5)
        checkpoint(world)
        FolderPlace(folder).bring(world.custody)
        return stamp

    with monkeypatch.context() as patched:
        patched.setattr(TimeStampPlace, "_stamped", slowly)
        place.bring(world.custody)
    assert world.custody.newest_taken("time-stamp") is None
    found = world.custody.verify_history([witnessed_in(CheckpointFolder(folder))], TRUST)
    assert found.intact, found.words
    place.bring(world.custody)
    stamps = StampTrust.load(authority.roots)
    found = world.custody.verify_history([witnessed_in(CheckpointFolder(folder))], TRUST, stamps)
    assert found.intact and found.stamped == found.covered


def test_stamps_that_do_not_hold_are_named(tmp_path: Path, world: World, authority: Authority) -> None:
    folder = CheckpointFolder(tmp_path / "outside")
    place = TimeStampPlace(authority.url, authority.roots, folder.folder, 1, world.clock)
    write(world, 5)
    checkpoint(world)
    place.bring(world.custody)
    (first,) = folder.read()
    assert isinstance(first, KeptCheckpoint) and first.time_stamp is not None
    write(world, 5)
    newer = checkpoint(world, folder)
    moved = replace(
        [each for each in folder.read() if isinstance(each, KeptCheckpoint)][-1], time_stamp=first.time_stamp
    )
    folder.append(moved)  # the stamp of another checkpoint
    stamps = StampTrust.load(authority.roots)
    found = world.custody.verify_history([witnessed_in(folder)], TRUST, stamps)
    assert not found.intact and len(found.findings) == 1 and str(newer.size) in found.findings[0]
    for odd in (b"", b"nonsense", first.time_stamp[:-9], first.time_stamp + bytes(40_000)):
        with pytest.raises(OrvaultError) as caught:
            stamps.check(odd, first.checkpoint.note.text)
        assert caught.value.kind is ErrorKind.ALTERED


def test_an_authority_that_is_not_believed_or_away(
    tmp_path: Path, world: World, authority: Authority
) -> None:
    write(world, 1)
    checkpoint(world)
    place = TimeStampPlace(authority.url, authority.roots, tmp_path / "outside", 1, world.clock)
    openssl(
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-keyout",
        "o.key",
        "-out",
        "o.pem",
        "-subj",
        "/CN=Other",
        cwd=tmp_path,
    )
    with pytest.raises(OrvaultError, match="does not hold"):
        replace(place, roots=tmp_path / "o.pem").bring(world.custody)
    authority.status = 503
    with pytest.raises(OrvaultError, match="answered 503"):
        place.bring(world.custody)
    with pytest.raises(OrvaultError, match="did not answer"):
        replace(place, url="http://127.0.0.1:1").bring(world.custody)
    with pytest.raises(OrvaultError, match="no certificate"):
        StampTrust.load(Path(__file__))
    assert world.custody.newest_taken("time-stamp") is None and not (tmp_path / "outside").exists()
