"""A witness, its HTTP face over TLS on a real socket, and what brings checkpoints to it and to a folder."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fastapi import FastAPI

from actors.checkpoint_places import FolderPlace, TimeStampPlace, WitnessPlace
from actors.media import MediaActor
from actors.witnessing import Courier, SignerFiles, WitnessingActor
from api.witness import build_witness_app
from cluster.witness_cli import own_key, read_logs
from orvault.clock import FakeClock
from orvault.container.canonical import to_base64
from orvault.container.checkpoint import Checkpoint, log_key
from orvault.container.checkpoint_files import CheckpointFolder
from orvault.container.files import write_private
from orvault.container.note import (
    COSIGNATURE,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    NoteKey,
    SignatureLine,
    sign_line,
)
from orvault.custody.checkpoints import LogSigner, StoredCheckpoint
from orvault.custody.history import Act
from orvault.custody.history_check import Witnessed
from orvault.custody.witness import Submission, Witness
from orvault.errors import ErrorKind, OrvaultError
from tests.contract.test_history_tampering import SERVER, SIGNER, TRUST, checkpoint, forged, tamper, write
from tests.fakes import World, make_world, sqlite_url
from tests.unit.api_support import call

from .container_support import hospital

TOKEN = "token-of-the-witness"
LOG = log_key(TRUST.origin, SERVER.certificate_der)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite_url(tmp_path))
    yield made
    made.ledger.close()


@dataclass
class Host:
    """The other machine."""

    witness: Witness
    key: NoteKey
    app: FastAPI
    store: Path
    logs: dict[str, list[NoteKey]]

    def add(self, body: bytes | str, token: str = TOKEN) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"}
        return call(self.app, "POST", "/add-checkpoint", content=body, headers=headers)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    store = tmp_path / "witness"
    signer = own_key(store)
    key = NoteKey("witness.example/1", COSIGNATURE, signer.public_key().public_bytes_raw())
    logs = {TRUST.origin: [LOG]}
    witness = Witness(store, key, signer, lambda: logs, FakeClock())
    return Host(witness, key, build_witness_app(witness, TOKEN), store, logs)


def body(world: World, made: StoredCheckpoint, old: int) -> bytes:
    steps = tuple(world.custody.grown_from(old, made.size))
    return Submission(old, steps, Checkpoint.parse(made.note)).body()


def test_a_growing_log_is_cosigned_and_kept(world: World, host: Host) -> None:
    write(world, 3)
    first = checkpoint(world)
    answer = host.add(body(world, first, 0))
    assert answer.status_code == 200 and answer.text.startswith("\N{EM DASH} witness.example/1 ")
    write(world, 300)
    second = checkpoint(world)
    assert host.add(body(world, second, first.size)).status_code == 200
    shown = call(
        host.app,
        "GET",
        "/checkpoint",
        params={"origin": TRUST.origin},
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    kept = Checkpoint.parse(shown.text)
    assert kept.size == second.size and kept.root.hex() == second.root
    assert (
        kept.note.signed_at(LOG) == 0 and kept.note.signed_at(host.key) == FakeClock().now_us() // 1_000_000
    )
    # The very same again, as after an answer that was lost: signed again, kept once.
    assert host.add(body(world, second, second.size)).status_code == 200
    (folder,) = (path for path in host.store.iterdir() if path.is_dir())
    assert len(list(CheckpointFolder(folder).read())) == 2


def test_what_is_refused_and_how(world: World, host: Host) -> None:
    write(world, 3)
    first = checkpoint(world)
    good = body(world, first, 0)
    assert host.add(good, token="other").status_code == 401
    assert host.add(b"nonsense").status_code == 400
    assert host.add(good.replace(b"old 0", b"old 9999")).status_code == 400
    assert host.add(good.replace(b"old 0\n", b"old 0\nAAAA\n")).status_code == 422
    assert host.add(good.replace(TRUST.origin.encode(), b"orvault-history/other")).status_code == 404
    stranger = LogSigner(TRUST.origin, hospital("Other")[1]).sign(first.size, bytes.fromhex(first.root))
    assert host.add(Submission(0, (), stranger).body()).status_code == 403
    forged_size = good.replace(f"\n{first.size}\n".encode(), f"\n{first.size + 1}\n".encode())
    assert host.add(forged_size).status_code == 403
    assert host.add(b"x" * 40_000).status_code == 413
    assert host.witness.newest(TRUST.origin) is None
    assert host.add(good).status_code == 200
    conflict = host.add(good)
    assert (conflict.status_code, conflict.text) == (409, f"{first.size}\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    host.logs.clear()
    assert host.add(good).status_code == 404


def test_a_smaller_and_a_rewritten_log_are_refused(world: World, host: Host) -> None:
    write(world, 3)
    first = checkpoint(world)
    write(world, 4)
    second = checkpoint(world)
    assert host.add(body(world, second, 0)).status_code == 200
    assert host.add(body(world, first, 0)).status_code == 409
    other_root = SIGNER.sign(second.size, b"r" * 32)
    assert host.add(Submission(second.size, (), other_root).body()).status_code == 409
    tamper(world, forged(world, 5), "DELETE FROM checkpoints", "DELETE FROM history_nodes")
    write(world, 2)
    third = checkpoint(world)
    assert host.add(body(world, third, second.size)).status_code == 422
    assert Checkpoint.parse(host.witness.newest(TRUST.origin) or "").size == second.size


def test_signatures_of_nobody_known_are_not_kept_and_open_no_fork(world: World, host: Host) -> None:
    write(world, 3)
    first = checkpoint(world)
    junk = [SignatureLine(f"junk{i}", bytes([i] * 4), bytes(64)).text for i in range(MAX_SIGNATURES - 1)]
    assert host.add(body(world, first, 0) + "".join(junk).encode()).status_code == 200
    kept = Checkpoint.parse(host.witness.newest(TRUST.origin) or "")
    assert [line.name for line in kept.note.signatures] == [LOG.name, host.key.name]
    fork = SIGNER.sign(first.size + 1, b"f" * 32)
    assert host.add(Submission(0, (), fork).body()).status_code == 409


@pytest.mark.parametrize("more", ["x" * (MAX_NOTE_BYTES - 500), "\x7f"], ids=["too long", "a control"])
def test_what_could_not_be_read_again_is_not_cosigned(world: World, host: Host, more: str) -> None:
    write(world, 3)
    plain = Checkpoint.parse(checkpoint(world).note)
    text = f"{plain.note.text}{more}\n"
    if len(more) > 1:  # as near to the limit as a submission may come
        room = MAX_NOTE_BYTES - len((text + "\n" + plain.note.signatures[0].text).encode())
        text = f"{text[:-1]}{'x' * room}\n"
    signed = replace(plain.note, text=text, signatures=(sign_line(text, LOG, SIGNER.identity),))
    assert host.add(Submission(0, (), replace(plain, note=signed)).body()).status_code == 400
    assert host.witness.newest(TRUST.origin) is None


def test_a_witness_whose_last_line_is_damaged_cosigns_nothing(world: World, host: Host) -> None:
    write(world, 3)
    first = checkpoint(world)
    assert host.add(body(world, first, 0)).status_code == 200
    (file,) = host.store.glob("*/*.checkpoints")
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"at_us"', b'"xt_us"'))
    fork = SIGNER.sign(first.size + 1, b"f" * 32)
    shown = {"authorization": f"Bearer {TOKEN}"}
    assert host.add(Submission(0, (), fork).body()).status_code == 500
    asked = call(host.app, "GET", "/checkpoint", params={"origin": TRUST.origin}, headers=shown)
    assert asked.status_code == 500 and "last line" in asked.text
    # A write that was cut off is no damage, however often it happened, and covers nothing up.
    file.write_bytes(whole + b'{"at_us":12\x18\n{"at')
    assert host.add(Submission(0, (), fork).body()).status_code == 409
    write(world, 3)
    second = checkpoint(world)
    assert host.add(body(world, second, first.size)).status_code == 200
    assert Checkpoint.parse(host.witness.newest(TRUST.origin) or "").size == second.size


@pytest.mark.parametrize("old", ["old -1", "old 01", "old", "new 1", "old 1 ", "old 99999999999999999"])
def test_an_old_size_has_one_spelling(world: World, host: Host, old: str) -> None:
    write(world, 1)
    good = body(world, checkpoint(world), 0).decode()
    assert host.add(good.replace("old 0", old)).status_code == 400
    assert host.add(good.replace("old 0\n", "old 0\n" + f"{to_base64(b'h' * 32)}\n" * 64)).status_code == 400


def test_logs_are_read_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "logs"
    file.write_text(f"# the hospital\n{LOG.text}\n\n")
    assert read_logs(file) == {TRUST.origin: [LOG]}
    file.write_text("nonsense\n")
    with pytest.raises(OrvaultError, match="not a key"):
        read_logs(file)
    assert own_key(tmp_path).private_bytes_raw() == own_key(tmp_path).private_bytes_raw()


# ---- over a real socket


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, None)
    )
    pem, private = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    write_private(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pem, private


@pytest.fixture
def place(tmp_path: Path, host: Host) -> WitnessPlace:
    tls = _certificate(tmp_path, "witness")
    server = MediaActor(lambda: host.app, "127.0.0.1", 0, tls)
    write_private(tmp_path / "token", TOKEN.encode())
    return WitnessPlace("far", f"https://{server.address()}", host.key, tmp_path / "token", tls[0])


def test_checkpoints_arrive_over_tls(world: World, host: Host, place: WitnessPlace) -> None:
    place.bring(world.custody)  # nothing to bring is no error
    write(world, 3)
    checkpoint(world)
    place.bring(world.custody)
    write(world, 3)
    newest = checkpoint(world)
    place.bring(world.custody)
    taken = world.custody.newest_taken("witness:far")
    assert taken is not None and taken.size == newest.size and "witness.example/1" in taken.receipt
    kept = place.newest(TRUST.origin)
    assert kept is not None and kept.size == newest.size
    seen = Witnessed("the witness far", (kept.note.signed_at(host.key) or 0) * 1_000_000, kept)
    assert world.custody.verify_history([[seen]], TRUST).outside == 1


def test_an_answer_that_was_lost_costs_nothing(world: World, host: Host, place: WitnessPlace) -> None:
    write(world, 3)
    host.add(body(world, checkpoint(world), 0))  # taken there, and never noted here
    write(world, 3)
    newest = checkpoint(world)
    place.bring(world.custody)
    taken = world.custody.newest_taken("witness:far")
    assert taken is not None and taken.size == newest.size


def test_whom_a_sender_does_not_believe(tmp_path: Path, world: World, place: WitnessPlace) -> None:
    write(world, 1)
    checkpoint(world)
    other, _ = _certificate(tmp_path, "other")
    wrong_key = NoteKey(place.key.name, COSIGNATURE, b"k" * 32)
    write_private(tmp_path / "wrong", b"wrong")
    for odd in (
        replace(place, ca_file=other),
        replace(place, key=wrong_key),
        replace(place, token_file=tmp_path / "wrong"),
        replace(place, url="https://127.0.0.1:1"),
    ):
        with pytest.raises(OrvaultError) as caught:
            odd.bring(world.custody)
        assert caught.value.kind is ErrorKind.UNAVAILABLE and TOKEN not in str(caught.value)
        assert world.custody.newest_taken("witness:far") is None


def test_a_rolled_back_history_is_an_alarm_at_once(tmp_path: Path, world: World, place: WitnessPlace) -> None:
    folder = FolderPlace(tmp_path / "outside")
    write(world, 6)
    checkpoint(world)
    couriers = [Courier(world.custody, each, 3600, world.clock) for each in (place, folder)]
    for courier in couriers:
        courier.look()
    assert not any(courier.trouble for courier in couriers)
    size = world.custody.check_ledger()
    tamper(
        world,
        "DELETE FROM checkpoint_receipts",
        "DELETE FROM checkpoints",
        f"DELETE FROM history WHERE seq >= {size - 3}",
        f"UPDATE history_head SET size = {size - 3}",
    )
    checkpoint(world)
    for _ in range(2):
        for courier in couriers:
            courier.look()
    assert all(courier.trouble for courier in couriers)
    stuck = [entry for entry in world.acts() if entry == Act.CHECKPOINTS_STUCK]
    assert len(stuck) == 2  # each place once, however often it is tried
    assert (
        len(list(CheckpointFolder(tmp_path / "outside").read())) == 1
    )  # and nothing is written over what was


def test_receipts_that_somebody_forged_keep_nothing_from_going_out(
    tmp_path: Path, world: World, place: WitnessPlace
) -> None:
    folder = FolderPlace(tmp_path / "outside")
    couriers = [Courier(world.custody, each, 3600, world.clock) for each in (place, folder)]
    forged = "INSERT INTO checkpoint_receipts (place, size, at_us, receipt) VALUES ('{}', NEW.size, 0, '')"
    tamper(
        world,
        "CREATE TRIGGER hush AFTER INSERT ON checkpoints BEGIN "
        + " ".join(forged.format(each.name) + ";" for each in (place, folder))
        + " END",
    )
    for _ in range(3):
        write(world, 3)
        newest = checkpoint(world)
        for courier in couriers:
            courier.look()
    kept, line = place.newest(TRUST.origin), CheckpointFolder(folder.folder).newest()
    assert kept is not None and kept.size == newest.size
    assert line is not None and line.checkpoint.size == newest.size


def test_history_that_grows_while_nothing_goes_out_is_an_alarm(
    tmp_path: Path, world: World, place: WitnessPlace
) -> None:
    folder = FolderPlace(tmp_path / "outside")
    couriers = [Courier(world.custody, each, 3600, world.clock, 60) for each in (place, folder)]
    write(world, 3)
    held = checkpoint(world).size
    for courier in couriers:
        courier.look()
    tamper(
        world,
        "CREATE TRIGGER hush AFTER INSERT ON checkpoints "
        f"BEGIN DELETE FROM checkpoints WHERE size > {held}; END",
    )
    for minutes in (0, 58, 3):
        world.clock.us += minutes * 60_000_000
        write(world, 1)
        checkpoint(world)
        for courier in couriers:
            courier.look()
        told = world.acts().count(Act.CHECKPOINTS_STUCK)
        assert told == (2 if minutes == 3 else 0)
    assert all(f"beyond the {held} entries" in courier.trouble for courier in couriers)
    tamper(world, "DROP TRIGGER hush")
    checkpoint(world)
    for courier in couriers:
        courier.look()
    assert not any(courier.trouble for courier in couriers)


def test_a_checkpoint_that_somebody_wrote_into_the_ledger_is_an_alarm_and_goes_nowhere(
    tmp_path: Path, world: World, place: WitnessPlace
) -> None:
    folder = FolderPlace(tmp_path / "outside")
    write(world, 3)
    checkpoint(world)
    couriers = [Courier(world.custody, each, 3600, world.clock) for each in (place, folder)]
    for courier in couriers:
        courier.look()
    tamper(
        world,
        "INSERT INTO checkpoints (size, at_us, root, note) "
        "SELECT size + 1000000, at_us, root, note FROM checkpoints LIMIT 1",
    )
    write(world, 3)
    for _ in range(3):
        for courier in couriers:
            courier.look()
    assert all("not as it was signed" in courier.trouble for courier in couriers)
    assert world.acts().count(Act.CHECKPOINTS_STUCK) == 2
    assert len(list(CheckpointFolder(folder.folder).read())) == 1


def test_signing_that_is_refused_is_told_once_and_when_it_goes_on(world: World) -> None:
    class Files(SignerFiles):
        def load(self) -> LogSigner:
            return SIGNER

    write(world, 3)
    checkpoint(world)
    tamper(
        world,
        "INSERT INTO checkpoints (size, at_us, root, note) "
        "SELECT size + 1000000, at_us, root, note FROM checkpoints LIMIT 1",
    )
    files = Files(Path("unused"), Path("unused"))
    actor = WitnessingActor(lambda: world.custody, files, (), 3600, 60, world.clock)
    deadline = time.monotonic() + 20  # its own thread signs at once
    while Act.CHECKPOINTS_STUCK not in world.acts():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(OrvaultError, match="1000"):
        actor.sign()
    assert world.acts().count(Act.CHECKPOINTS_STUCK) == 1 and "signing" in actor.troubles()
    tamper(world, "DELETE FROM checkpoints WHERE size > 1000000")
    actor.sign()
    assert world.acts()[-1] == Act.CHECKPOINTS_TAKEN and not actor.troubles()


def test_a_place_that_is_away_is_an_alarm_after_a_while_and_loses_nothing(
    tmp_path: Path, world: World
) -> None:
    blocked = tmp_path / "outside"
    blocked.write_text("a file where the folder should be")
    courier = Courier(world.custody, FolderPlace(blocked), 60, world.clock)
    write(world, 2)
    checkpoint(world)
    courier.look()
    assert courier.trouble and Act.CHECKPOINTS_STUCK not in world.acts()
    world.clock.us += 61_000_000
    courier.look()
    courier.look()
    assert world.acts().count(Act.CHECKPOINTS_STUCK) == 1
    (mail,) = world.custody.mails_from(0).mails  # the privacy officer hears of it
    assert "place:folder" in mail.body and "Request" not in mail.body and "History" in mail.subject
    write(world, 2)
    checkpoint(world)
    blocked.unlink()
    courier.look()
    assert not courier.trouble and world.acts()[-1] == Act.CHECKPOINTS_TAKEN
    assert len(list(CheckpointFolder(blocked).read())) == 2


_OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def trickling(tmp_path: Path) -> Iterator[tuple[Callable[[bytes], str], Path]]:
    """Makes servers over TLS that begin an answer and go on with a byte now and then, for ever; and their CA file."""
    over, threads = threading.Event(), []
    pem, key = _certificate(tmp_path, "trickling")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)

    def serve(listener: socket.socket, begin: bytes) -> None:
        with listener:
            accepted, _ = listener.accept()
        with contextlib.suppress(OSError), context.wrap_socket(accepted, server_side=True) as asked:
            asked.recv(4096)
            asked.sendall(begin)
            while not over.wait(0.01):
                asked.sendall(b"x")  # until who asked has gone

    def made(begin: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        threads.append(threading.Thread(target=serve, args=(listener, begin), daemon=True))
        threads[-1].start()
        return f"https://127.0.0.1:{listener.getsockname()[1]}"

    yield made, pem
    over.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("begin", [_OK + b"x-more: ", _OK + b"\r\n", _OK + b"content-length: 9999\r\n\r\n"])
def test_a_witness_that_trickles_is_an_alarm_as_one_that_is_away(
    begin: bytes, trickling: tuple[Callable[[bytes], str], Path], tmp_path: Path, world: World
) -> None:
    serving, pem = trickling
    write_private(tmp_path / "token", TOKEN.encode())
    key = NoteKey("witness.example/1", COSIGNATURE, b"k" * 32)
    place = WitnessPlace("far", serving(begin), key, tmp_path / "token", pem, timeout_s=0.25)
    courier = Courier(world.custody, place, 0, world.clock)
    write(world, 1)
    checkpoint(world)
    courier.look()  # each read gives something: without a limit of the whole it would not come back
    assert courier.trouble == "The witness gave an answer of more than 0.5 s."
    assert world.acts()[-1] == Act.CHECKPOINTS_STUCK


def test_an_authority_of_time_that_trickles_is_given_up(
    trickling: tuple[Callable[[bytes], str], Path],
    tmp_path: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serving, pem = trickling
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))  # the system's certificates
    write(world, 1)
    checkpoint(world)
    place = TimeStampPlace(serving(_OK + b"\r\n"), pem, tmp_path / "outside", 1, world.clock, timeout_s=0.25)
    with pytest.raises(OrvaultError, match=r"gave an answer of more than 0\.5 s"):
        place.bring(world.custody)


def test_a_crash_between_writing_and_noting_writes_no_line_twice(tmp_path: Path, world: World) -> None:
    place = FolderPlace(tmp_path / "outside")
    write(world, 2)
    checkpoint(world)
    place.bring(world.custody)
    tamper(world, "DELETE FROM checkpoint_receipts")
    place.bring(world.custody)
    assert len(list(CheckpointFolder(place.folder).read())) == 1
    assert world.custody.newest_taken("folder") is not None


def test_the_witness_command_runs_alone_on_its_store(tmp_path: Path) -> None:
    pem, private = _certificate(tmp_path, "w")
    (tmp_path / "logs").write_text(LOG.text + "\n")
    write_private(tmp_path / "token", TOKEN.encode())
    arguments = [
        "witness", "--store", str(tmp_path / "store"), "--log", str(tmp_path / "logs"), "--name", "w.example/1",
        "--token-file", str(tmp_path / "token"), "--certificate", str(pem), "--key", str(private),
        "--listen", "127.0.0.1:0",
    ]  # fmt: skip
    command = [sys.executable, "-c", "from cluster.cli import main; main()", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        key = process.stdout.readline().split()[1]
        address = process.stdout.readline().split()[1]
        assert NoteKey.parse(key).name == "w.example/1"
        place = WitnessPlace("w", address, NoteKey.parse(key), tmp_path / "token", pem)
        assert place.newest(TRUST.origin) is None
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1 and "Another witness" in " ".join(second.stderr.split())
    finally:
        process.terminate()
        process.wait(30)
