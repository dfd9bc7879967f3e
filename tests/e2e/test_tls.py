"""A site that nobody attends, with a certificate, and with a passphrase that somebody mistyped into its file.

With a certificate both servers speak TLS and nothing else; without one they stay on loopback. Locked it runs and
records, says why, and is unlocked from beside it. Then its packages ask it before they open.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cluster.client import ApiClient
from orvault.errors import EXIT_CODES, ErrorKind
from tests.e2e.nodes import free_port
from tests.e2e.site import PROJECT, Site, download, export, player, record_case, wish
from tests.unit.activation_server import make_authority

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
        "port": free_port(),  # packages name it
        "media_port": 0,
        "viewing_port": 0,
        "tls_certificate": "tls/cert.pem",
        "tls_key": "tls/key.pem",
    }
    address = f"https://127.0.0.1:{api['port']}"
    asks = {"activation": {"mode": "offered", "address": address, "ca_file": "tls/ca.pem"}}
    site = Site(folder, [{"id": "one", "source": f"file:{CLIP}"}], api=api, export=asks)
    authority = write_certificate(site.data / "tls")
    site.set_up()
    file = site.data / "keys/passphrase"
    passphrase = file.read_text()
    early = site.run("keys", "unlock", stdin=f"{passphrase}\n")
    file.write_text("mistyped by somebody")
    site.up()
    try:
        context = ssl.create_default_context(cafile=authority)
        yield Unattended(site, context, passphrase, early.stderr)
    finally:
        site.down()
    assert not (site.data / "cluster.address").exists()


def write_certificate(folder: Path) -> Path:
    """The server's certificate and key, and the authority that certified it; the file of the authority."""
    folder.mkdir(parents=True)
    der, certificate, key = make_authority(folder)
    certificate.rename(folder / "cert.pem")
    key.chmod(0o600)
    key.rename(folder / "key.pem")
    (folder / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(der))
    return folder / "ca.pem"


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
    old = ssl.create_default_context(cafile=site.data / "tls/ca.pem")
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


def test_a_package_that_asks_plays_until_its_request_is_revoked(
    unattended: Unattended, tmp_path: Path
) -> None:
    """Fetched and activated at the real servers, by the player's own program, each time in a new process."""
    site, context = unattended.site, unattended.context
    asker, approver = (ApiClient(site.api_url, who, site.password, context) for who in ("asker", "approver"))
    opened = site.run("keys", "unlock", stdin=f"{unattended.passphrase}\n")
    assert opened.returncode == 0, opened.stderr
    case_id = record_case(asker, 4.0, ["one"], "ASKS")
    asked = {"activation": {"wanted": True, "plays": 2}, "masking": {"mode": "picture", "style": "solid"}}
    request = export(asker, approver, wish(asker, site, case_id, **asked))
    assert request["state"] == "ready", request["failure"]
    package = download(asker, request["id"], tmp_path / "asks.orvault")
    where = f"/exports/{request['id']}"

    def play() -> subprocess.CompletedProcess[str]:
        secret = ("--root", site.data / "keys/root.pem", "--password-file", site.recipient_password_file)
        return player("play", package, "--headless", "--accept-terms", "--json", *secret)

    first = play()
    assert first.returncode == 0, first.stdout + first.stderr
    (camera,) = json.loads(first.stdout)["played"]
    assert camera["camera_id"] == "one" and camera["frames"] > 30
    assert f"asking {site.api_url} to open" in " ".join(first.stderr.split())
    assert [copy["plays_used"] for copy in asker.get(where)["packages"]] == [1]

    approver.post(f"{where}/revoke", {"reason": "The proceedings ended."})
    refused = play()
    assert refused.returncode == EXIT_CODES[ErrorKind.NOT_ACTIVATED], refused.stdout + refused.stderr
    assert "frames" not in refused.stdout, "a play was left, and it does not count any more"
    told = {act: approver.get("/history", act=act) for act in ("package-activated", "activation-refused")}
    assert [len(entries) for entries in told.values()] == [1, 1]


def test_beyond_loopback_without_a_certificate_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, [{"id": "one", "source": f"file:{CLIP}"}], api={"host": "0.0.0.0"})
    run = site.run("check")
    assert run.returncode == 20
    assert "TLS" in run.stderr
