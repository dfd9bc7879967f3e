"""A site that nobody attends, with a certificate, and with a passphrase that somebody mistyped into its file.

With a certificate both servers speak TLS and nothing else; without one they stay on loopback. Locked it runs and
records, says why, and is unlocked from beside it.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cluster.client import ApiClient
from tests.e2e.site import PROJECT, Site, record_case

CLIP = PROJECT / "tests/media/cameras/or1-ceiling.mp4"


@dataclass(frozen=True)
class Unattended:
    """The running site, whom its clients believe, and what opens its key store."""

    site: Site
    context: ssl.SSLContext
    passphrase: str
    unlocked_too_early: str  # what `orvault keys unlock` said before it ran


@pytest.fixture(scope="module")
def unattended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unattended]:
    folder = tmp_path_factory.mktemp("unattended")
    api = {
        "port": 0,
        "media_port": 0,
        "viewing_port": 0,
        "tls_certificate": "tls/cert.pem",
        "tls_key": "tls/key.pem",
    }
    site = Site(folder, [{"id": "one", "source": f"file:{CLIP}"}], api=api)
    certificate = write_certificate(site.data / "tls")
    site.set_up()
    file = site.data / "keys/passphrase"
    passphrase = file.read_text()
    early = site.run("keys", "unlock", stdin=f"{passphrase}\n")
    file.write_text("mistyped by somebody")
    site.up()
    try:
        context = ssl.create_default_context(cafile=certificate)
        yield Unattended(site, context, passphrase, early.stderr)
    finally:
        site.down()
    assert not (site.data / "cluster.address").exists()


def write_certificate(folder: Path) -> Path:
    folder.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "key.pem").chmod(0o600)
    return folder / "cert.pem"


def address(site: Site, what: str) -> tuple[str, int]:
    found = re.search(rf"^{what}\s+https://([^:/]+):(\d+)", site.output, re.MULTILINE)
    assert found, site.output
    return found.group(1), int(found.group(2))


@pytest.mark.parametrize("what", ["API docs", "downloads"])
def test_both_speak_tls_1_3(unattended: Unattended, what: str) -> None:
    with (
        socket.create_connection(address(unattended.site, what), timeout=10) as raw,
        unattended.context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.version() == "TLSv1.3"


@pytest.mark.parametrize("what", ["API docs", "downloads"])
def test_neither_answers_in_the_clear(unattended: Unattended, what: str) -> None:
    host, port = address(unattended.site, what)
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://{host}:{port}/healthz", timeout=10, trust_env=False)


@pytest.mark.parametrize("what", ["API docs", "downloads"])
def test_both_refuse_older_tls(unattended: Unattended, what: str) -> None:
    site = unattended.site
    old = ssl.create_default_context(cafile=site.data / "tls/cert.pem")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        socket.create_connection(address(site, what), timeout=10) as raw,
        old.wrap_socket(raw, server_hostname="127.0.0.1"),
    ):
        pass


def test_a_wrong_passphrase_file_costs_no_recording_and_is_mended_beside_the_running_site(
    unattended: Unattended,
) -> None:
    """People sign in over TLS meanwhile."""
    site = unattended.site
    assert "does not run" in " ".join(unattended.unlocked_too_early.split())
    said = " ".join(site.output.split())
    assert "did not open by itself" in said and "recording works, exports wait" in said
    assert site.api_url.startswith("https://")
    asker = ApiClient(site.api_url, "asker", site.password, unattended.context)
    case_id = record_case(asker, 4.0, ["one"], "LOCKED")
    assert asker.get("/recordings", case_id=case_id)[0]["segments"] > 0
    assert site.run("keys", "unlock", stdin="still wrong\n").returncode == 21
    opened = site.run("keys", "unlock", stdin=f"{unattended.passphrase}\n")
    assert opened.returncode == 0, opened.stderr


def test_beyond_loopback_without_a_certificate_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, [{"id": "one", "source": f"file:{CLIP}"}], api={"host": "0.0.0.0"})
    run = site.run("check")
    assert run.returncode == 20
    assert "TLS" in run.stderr
