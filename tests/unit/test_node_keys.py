"""A node's key is made on the node: what it asks with, what the root grants, and what the node takes back."""

from __future__ import annotations

import base64
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from cluster.cli import app
from cluster.settings import Settings, load_settings
from orvault.clock import SystemClock
from orvault.container.authority import Authority
from orvault.container.files import write_private
from orvault.container.request import accept_certificate, make_request, read_request
from orvault.container.trust import (
    CertificateRole,
    Identity,
    certify,
    create_root,
    issue,
    load_private_key,
    subject_of,
)
from orvault.errors import ErrorKind, OrvaultError

CONFIG = """\
site: Test Hospital
data: var
nodes:
  - {name: server, roles: [server, detection]}
  - {name: or-1, roles: [client]}
  - {name: or-2, roles: [client]}
cameras:
  - {id: one, title: One, room: OR-1, node: or-1, source: "file:one.mp4"}
keys:
  passphrase_file: keys/passphrase
"""


class Machine:
    """One machine of a site: the settings that all have, and its own data."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.config = folder / "ray_config.yaml"
        self.config.write_text(CONFIG)
        self.settings: Settings = load_settings(self.config)

    def run(self, *arguments: str | Path, answer: str = "y") -> tuple[int, str]:
        command = [*map(str, arguments), "--config", str(self.config)]
        result = CliRunner(env={"COLUMNS": "300"}).invoke(app, command, input=f"{answer}\n")
        return result.exit_code, result.output

    def identity(self, name: str) -> Path:
        return self.settings.keys.node_identities / name

    def waiting(self, name: str) -> Path:
        return self.settings.data / "keys/nodes.requested" / name

    def asked(self, name: str) -> Path:
        code, text = self.run("keys", "request-node", name)
        assert code == 0, text
        return self.waiting(name) / "request.pem"


@pytest.fixture(scope="module")
def as_set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder after `init`; nothing in it names the place where it lies."""
    made = Machine(tmp_path_factory.mktemp("server"))
    code, text = made.run("init", "--no-node-keys")
    assert code == 0, text
    assert not made.identity("or-1").exists()
    return made.config.parent


@pytest.fixture
def server(tmp_path: Path, as_set_up: Path) -> Machine:
    return Machine(shutil.copytree(as_set_up, tmp_path / "server"))


@pytest.fixture
def node(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "node")


def enrolled(server: Machine, node: Machine, *more: str) -> Path:
    """Both sides up to the certificate that is brought back."""
    code, text = server.run("keys", "enrol-node", "or-1", "--request", node.asked("or-1"), *more)
    assert code == 0, text
    return server.identity("or-1") / "certificate.pem"


def private_keys(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]


def test_the_key_never_leaves_the_node(server: Machine, node: Machine) -> None:
    certificate = enrolled(server, node)
    assert private_keys(server.settings.keys.node_identities) == []
    assert stat.S_IMODE((node.waiting("or-1") / "key.pem").stat().st_mode) == 0o600
    code, text = node.run("keys", "accept-node", "or-1", certificate)
    assert code == 0 and "started again" in text
    made = Identity.load(node.identity("or-1"))
    assert made.name == "or-1" and made.certificate_pem == certificate.read_bytes()
    assert stat.S_IMODE((node.identity("or-1") / "key.pem").stat().st_mode) == 0o600
    assert not node.waiting("or-1").exists()
    code, text = server.run("keys", "list")
    assert code == 0 and made.fingerprint[:16] in text and "or-1" in text


def test_both_sides_show_the_same_digest_of_the_key(server: Machine, node: Machine) -> None:
    code, shown = node.run("keys", "request-node", "or-1")
    assert code == 0
    digest = next(line for line in shown.splitlines() if "to compare" in line).split(": ")[1]
    code, text = server.run("keys", "enrol-node", "or-1", "--request", node.asked("or-1"))
    assert code == 0 and digest in text, text


def test_nothing_is_issued_when_the_digests_differ(server: Machine, node: Machine) -> None:
    code, text = server.run("keys", "enrol-node", "or-1", "--request", node.asked("or-1"), answer="n")
    assert code == 16 and "nothing was issued" in text
    assert not server.identity("or-1").exists()
    assert len(list((server.settings.data / "keys/root/issued").glob("*"))) == 1  # the server's own


def test_asking_again_keeps_the_key_that_waits(node: Machine) -> None:
    first = read_request(node.asked("or-1"), "or-1")
    assert read_request(node.asked("or-1"), "or-1").key_digest == first.key_digest


def test_a_node_renews_with_a_new_key_and_keeps_the_old_one_until_then(
    server: Machine, node: Machine
) -> None:
    node.run("keys", "accept-node", "or-1", enrolled(server, node))
    old = Identity.load(node.identity("or-1"))
    request = node.asked("or-1")
    assert Identity.load(node.identity("or-1")).fingerprint == old.fingerprint
    code, text = server.run("keys", "enrol-node", "or-1", "--request", request)
    assert code != 0 and "--renew" in text
    code, text = server.run("keys", "enrol-node", "or-1", "--request", request, "--renew")
    assert code == 0, text
    assert (server.identity("or-1") / "earlier" / f"{old.fingerprint}.pem").exists()
    code, text = node.run("keys", "accept-node", "or-1", server.identity("or-1") / "certificate.pem")
    assert code == 0, text
    new = Identity.load(node.identity("or-1"))
    assert new.private_key.public_key() != old.private_key.public_key()
    assert (node.identity("or-1") / "earlier" / f"{old.fingerprint}.pem").exists()


def test_a_key_that_the_server_made_once_goes_when_the_node_asks_with_its_own(
    server: Machine, node: Machine
) -> None:
    assert server.run("keys", "enrol-node", "or-1")[0] == 0
    assert len(private_keys(server.identity("or-1"))) == 1
    enrolled(server, node, "--renew")
    assert private_keys(server.identity("or-1")) == []


def test_it_works_where_node_and_server_are_one_machine(server: Machine) -> None:
    code, text = server.run("keys", "accept-node", "or-1", enrolled(server, server))
    assert code == 0, text
    Identity.load(server.identity("or-1"))
    assert not (server.identity("or-1") / "earlier").exists()


def test_a_certificate_for_another_key_is_refused(server: Machine, node: Machine, tmp_path: Path) -> None:
    other = Machine(tmp_path / "other")
    certificate = enrolled(server, other)
    node.asked("or-1")
    code, text = node.run("keys", "accept-node", "or-1", certificate)
    assert code == 16 and "another key" in text
    assert not node.identity("or-1").exists() and node.waiting("or-1").exists()


def test_without_a_request_there_is_nothing_to_accept(server: Machine, node: Machine) -> None:
    code, text = node.run("keys", "accept-node", "or-1", server.settings.keys.root_certificate)
    assert code != 0 and "request-node" in text
    assert "known: or-1, or-2" in node.run("keys", "request-node", "or-9")[1]


def test_a_node_that_knows_the_root_refuses_another(server: Machine, node: Machine) -> None:
    foreign = create_root("Another Hospital", SystemClock())
    write_private(node.settings.keys.root_certificate, foreign.certificate_pem)
    code, text = node.run("keys", "accept-node", "or-1", enrolled(server, node))
    assert code == 16 and "Another root" in text
    write_private(node.settings.keys.root_certificate, server.settings.keys.root_certificate.read_bytes())
    code, text = node.run("keys", "accept-node", "or-1", server.identity("or-1") / "certificate.pem")
    assert code == 0 and "paper" not in text


def test_a_node_that_does_not_know_the_root_shows_whose_it_is(server: Machine, node: Machine) -> None:
    _, text = node.run("keys", "accept-node", "or-1", enrolled(server, node))
    digits = "".join(text.split("paper:")[1].split())
    assert digits == "".join(server.run("keys", "fingerprint")[1].split())


def csr(subject: x509.Name, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, **extra: bool) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if extra:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    algorithm = None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM)


def forged() -> bytes:
    """A request that names one key and is signed by another."""
    victim, thief = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    theirs = x509.load_pem_x509_csr(csr(subject_of("or-1", CertificateRole.NODE), thief))
    der = theirs.public_bytes(Encoding.DER)
    swapped = der.replace(thief.public_key().public_bytes_raw(), victim.public_key().public_bytes_raw())
    return x509.load_der_x509_csr(swapped).public_bytes(Encoding.PEM)


OURS = subject_of("or-1", CertificateRole.NODE)
KEY = Ed25519PrivateKey.generate()
BAD: dict[str, tuple[Callable[[], bytes], ErrorKind, str]] = {
    "nothing": (lambda: b"", ErrorKind.BAD_REQUEST, "not a readable"),
    "noise": (lambda: bytes(range(256)) * 8, ErrorKind.BAD_REQUEST, "not a readable"),
    "cut": (lambda: csr(OURS, KEY)[:150], ErrorKind.BAD_REQUEST, "not a readable"),
    "huge": (lambda: csr(OURS, KEY) + b"\n" * 20_000, ErrorKind.BAD_REQUEST, "larger"),
    "a certificate": (
        lambda: create_root("Root", SystemClock()).certificate_pem,
        ErrorKind.BAD_REQUEST,
        "not a readable",
    ),
    "another node's": (
        lambda: csr(subject_of("or-2", CertificateRole.NODE), KEY),
        ErrorKind.UNTRUSTED,
        "CN=or-2",
    ),
    "a server's": (
        lambda: csr(subject_of("or-1", CertificateRole.EXPORT_SERVER), KEY),
        ErrorKind.UNTRUSTED,
        "OU=export-server",
    ),
    "more in its name": (
        lambda: csr(x509.Name([*OURS, x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "root")]), KEY),
        ErrorKind.UNTRUSTED,
        "not the request",
    ),
    "no name": (lambda: csr(x509.Name([]), KEY), ErrorKind.UNTRUSTED, "not the request"),
    "another kind of key": (
        lambda: csr(OURS, ec.generate_private_key(ec.SECP256R1())),
        ErrorKind.UNTRUSTED,
        "Ed25519",
    ),
    "a wish to be an authority": (lambda: csr(OURS, KEY, ca=True), ErrorKind.UNTRUSTED, "extensions"),
    "signed by another key": (forged, ErrorKind.UNTRUSTED, "altered"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused_for_what_it_is(case: str, tmp_path: Path) -> None:
    make, kind, words = BAD[case]
    path = tmp_path / "request.pem"
    path.write_bytes(make())
    with pytest.raises(OrvaultError) as caught:
        read_request(path, "or-1")
    assert caught.value.kind is kind and words in str(caught.value)


def test_no_flipped_bit_of_a_request_changes_who_asks_with_which_key(tmp_path: Path) -> None:
    """All are refused but those in the signature's own count of unused bits, which says nothing."""
    path, passed = tmp_path / "request.pem", 0
    der = x509.load_pem_x509_csr(csr(OURS, KEY)).public_bytes(Encoding.DER)
    for bit in range(8 * len(der)):
        spoilt = bytearray(der)
        spoilt[bit // 8] ^= 1 << bit % 8
        path.write_bytes(pem(bytes(spoilt)))
        try:
            assert read_request(path, "or-1").public_key == KEY.public_key()
        except OrvaultError:
            continue
        passed += 1
    assert passed <= 8, f"of {8 * len(der)}"


def pem(der: bytes) -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----\n"


def test_a_bad_request_leaves_the_root_alone(server: Machine, tmp_path: Path) -> None:
    path = tmp_path / "request.pem"
    path.write_bytes(csr(subject_of("or-2", CertificateRole.NODE), KEY))
    code, text = server.run("keys", "enrol-node", "or-1", "--request", path)
    assert code == 16 and "CN=or-2" in text and "Traceback" not in text
    code, text = server.run("keys", "enrol-node", "or-1", "--request", tmp_path / "none.pem")
    assert code == 18 and "none.pem" in text
    assert not server.identity("or-1").exists()


class Granted:
    """A node that asked, and its root, without the command line."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.folder, self.file = SystemClock(), folder / "waiting", folder / "given.pem"
        self.root = Authority.create(folder / "root", "Hospital", None, self.clock)
        make_request(self.folder, "or-1")
        self.key = load_private_key(self.folder).public_key()

    def given(self, certificate: x509.Certificate, *above: x509.Certificate) -> None:
        """Bring these back, and see what the node says."""
        self.file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, *above)))
        roots = [self.root.root.certificate_der]
        accept_certificate(self.folder, self.file, "or-1", roots, self.clock.now_us())


def test_only_a_valid_certificate_of_ours_for_this_node_is_taken(tmp_path: Path) -> None:
    made = Granted(tmp_path)
    root, clock = made.root.root, made.clock
    granted = made.root.grant(read_request(made.folder / "request.pem", "or-1"), 30)
    made.given(granted, root.certificate)
    made.given(granted)  # the root is known
    foreign = create_root("Hospital", clock)
    bad = {
        "for node 'or-2'": certify(root, "or-2", CertificateRole.NODE, made.key, clock, 30),
        "not that of a recording node": certify(
            root, "or-1", CertificateRole.EXPORT_SERVER, made.key, clock, 30
        ),
        "not valid on": certify(root, "or-1", CertificateRole.NODE, made.key, clock, 0),
        "not issued by the root": certify(foreign, "or-1", CertificateRole.NODE, made.key, clock, 30),
        "another key": issue(root, "or-1", CertificateRole.NODE, clock, 30).certificate,
    }
    for words, certificate in bad.items():
        if words == "not valid on":
            clock = made.clock = LaterClock()
        with pytest.raises(OrvaultError, match=words) as caught:
            made.given(certificate)
        assert caught.value.kind is ErrorKind.UNTRUSTED
        made.clock = SystemClock()
    with pytest.raises(OrvaultError, match="Another root"):
        made.given(bad["not issued by the root"], foreign.certificate)
    made.file.write_bytes(b"no certificate")
    with pytest.raises(OrvaultError) as caught:
        accept_certificate(made.folder, made.file, "or-1", [], 0)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS


class LaterClock(SystemClock):
    """Two days on."""

    def now_us(self) -> int:
        return super().now_us() + 2 * 86_400 * 1_000_000
