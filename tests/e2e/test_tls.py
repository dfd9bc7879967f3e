"""With a certificate both servers speak TLS and nothing else; without one they stay on loopback."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
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

from tests.e2e.site import PROJECT, Site

CLIP = PROJECT / "tests/media/cameras/or1-ceiling.mp4"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, ssl.SSLContext]]:
    folder = tmp_path_factory.mktemp("tls")
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
    site.up()
    try:
        yield site, ssl.create_default_context(cafile=certificate)
    finally:
        site.down()


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
def test_both_speak_tls_1_3(served: tuple[Site, ssl.SSLContext], what: str) -> None:
    site, context = served
    with (
        socket.create_connection(address(site, what), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.version() == "TLSv1.3"


@pytest.mark.parametrize("what", ["API docs", "downloads"])
def test_neither_answers_in_the_clear(served: tuple[Site, ssl.SSLContext], what: str) -> None:
    host, port = address(served[0], what)
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://{host}:{port}/healthz", timeout=10, trust_env=False)


@pytest.mark.parametrize("what", ["API docs", "downloads"])
def test_both_refuse_older_tls(served: tuple[Site, ssl.SSLContext], what: str) -> None:
    site, _ = served
    old = ssl.create_default_context(cafile=site.data / "tls/cert.pem")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        socket.create_connection(address(site, what), timeout=10) as raw,
        old.wrap_socket(raw, server_hostname="127.0.0.1"),
    ):
        pass


def test_sign_in_works_over_it(served: tuple[Site, ssl.SSLContext]) -> None:
    site, context = served
    answer = httpx.post(
        f"{site.api_url}/api/v1/session",
        data={"username": "asker", "password": site.password},
        verify=context,
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 200
    assert site.api_url.startswith("https://")


def test_beyond_loopback_without_a_certificate_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, [{"id": "one", "source": f"file:{CLIP}"}], api={"host": "0.0.0.0"})
    run = site.run("check")
    assert run.returncode == 20
    assert "TLS" in run.stderr
