"""The player asks the hospital: over real HTTPS, through a real proxy, and only whom it may ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from orvault.clock import US_PER_S, FakeClock, SystemClock
from orvault.container.activation import Activation, proof_key
from orvault.container.package import PackageBuilder
from orvault.container.trust import Issuer
from orvault.custody.activation import ActivationWish
from orvault.custody.request import ExportRequest
from orvault.errors import EXIT_CODES, ErrorKind, OrvaultError
from player import activation
from player.__main__ import app
from player.activation import Activator, HospitalLease
from player.session import Session
from tests.fakes import NOTHING_LEFT
from tests.unit.activation_server import Answer, Served, make_authority, proxy, served
from tests.unit.activation_support import allow
from tests.unit.api_support import Api, make_api
from tests.unit.container_support import (
    CHUNK_BYTES,
    CLIP,
    DAY_US,
    PASSWORD,
    hospital,
    media_info,
    password_person,
    terms,
)

ROOT = Path(__file__).resolve().parents[2]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass
class Vault:
    """A hospital that serves activations, with one of its packages."""

    api: Api
    server: Served
    address: str
    ca: bytes
    folder: Path
    request: ExportRequest
    package: Path
    said: list[str] = field(default_factory=list)

    @property
    def used(self) -> int:
        (share,) = self.api.world.custody.shares_of(self.api.world.officer, self.request.request_id)
        return share.used

    def open(self, *, pinned: bool = True, allow_unknown: bool = False) -> Session:
        """The package, opened and activated as the player does."""
        roots = [hospital()[0].certificate_der] if pinned else []
        session = Session.open(self.package, roots, SystemClock())
        try:
            session.unlock(PASSWORD, Activator(session.issuer, FakeClock(), self.said.append, allow_unknown))
        except OrvaultError:
            session.reader.close()
            raise
        return session

    def refusal(self, **how: bool) -> OrvaultError:
        with pytest.raises(OrvaultError) as caught:
            self.open(**how)
        return caught.value


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    monkeypatch.setattr(activation, "_UNANSWERED", {})
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    api = make_api(tmp_path)
    api.world.clock.us = SystemClock().now_us()
    ca, certificate, key = make_authority(tmp_path)
    server = Served(api.app)
    with served(server, certificate, key) as address:
        yield _with_package(Vault(api, server, address, ca, tmp_path, None, tmp_path / "p.orvault"))  # type: ignore[arg-type]


def _with_package(vault: Vault, plays: int | None = 2, number: str = "2026-1") -> Vault:
    """A package as the export worker makes one, that asks at the vault's address."""
    world = vault.api.world
    allow(world)
    wish = world.wish(world.recorded_case(number=number), activation=ActivationWish(True, plays))
    request = world.custody.submit_export(world.manager, wish)
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    package_id, now = str(job.request.package_id), SystemClock().now_us()
    times = {"issued_us": now - DAY_US, "not_before_us": now - DAY_US, "not_after_us": now + 30 * DAY_US}
    asked = Activation(vault.address, vault.ca)
    own = terms(package_id=package_id, **times)
    with PackageBuilder(vault.folder, hospital()[1], own, CHUNK_BYTES, asked) as builder:
        assert builder.halves is not None
        half, share = builder.halves
        world.custody.keep_share(
            request.request_id, job.epoch, package_id, share, proof_key(half, package_id)
        )
        with builder.media_sink("or1") as sink:
            sink.write(CLIP.read_bytes())
        made = builder.finish(vault.package, [media_info("or1", CLIP)], [password_person()])
    world.custody.finish_render(
        request.request_id, job.epoch, "p.orvault", made.bytes, made.sha256, second_look=NOTHING_LEFT
    )
    vault.request = job.request
    return vault


def _asking_at(vault: Vault, address: str) -> Vault:
    """With another package, which asks there."""
    vault.package.unlink()
    vault.address = address
    return _with_package(vault, number="2026-2")


def _program(vault: Vault, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    pem, password = vault.folder / "root.pem", vault.folder / "password"
    pem.write_bytes(hospital()[0].certificate.public_bytes(Encoding.PEM))
    password.write_text(PASSWORD)
    env = {name: value for name, value in os.environ.items() if name.lower() not in PROXIES}
    env |= {"PYTHONPATH": str(ROOT), "ORVAULT_PLAYER_HOME": str(vault.folder / "home")} | environment
    command = [sys.executable, "-m", "player", "verify", str(vault.package), "--json"]
    command += ["--password-file", str(password), *(arguments or ("--root", str(pem)))]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_the_program_opens_a_package_that_asks_and_says_whom_it_asked(vault: Vault) -> None:
    run = _program(vault)
    assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads(run.stdout)["verdict"] == "genuine"
    assert f"asking {vault.address}" in run.stderr and "1 more plays" in run.stderr
    assert vault.used == 1


def test_it_asks_through_the_proxy_that_the_system_names(vault: Vault) -> None:
    with proxy("ward:secret") as between:
        run = _program(vault, HTTPS_PROXY=between.address)
        assert run.returncode == 0, run.stdout + run.stderr
        assert between.asked == [f"CONNECT {vault.address.removeprefix('https://')}"]
    assert vault.used == 1


def test_a_proxy_that_wants_a_name_is_told_about(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy("ward:secret") as between:
        monkeypatch.setenv("HTTPS_PROXY", between.address.replace("ward:secret@", ""))
        refusal = vault.refusal()
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "407" in refusal.message
    assert "HTTPS_PROXY" in refusal.advice and vault.server.requests == 0


def test_a_package_of_an_unknown_issuer_asks_nobody(vault: Vault) -> None:
    refusal = vault.refusal(pinned=False)
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and vault.address in refusal.message
    assert vault.said == [] and vault.server.requests == 0
    with vault.open(pinned=False, allow_unknown=True) as session:
        assert session.reader.manifest
    assert vault.used == 1


def test_what_needs_no_key_asks_nobody(vault: Vault) -> None:
    shown = CliRunner().invoke(app, ["info", str(vault.package), "--json"])
    assert json.loads(shown.stdout)["activation"] == vault.address
    with Session.open(vault.package, [hospital()[0].certificate_der], SystemClock()) as session:
        session.reader.verify_all()
    assert vault.server.requests == 0


def test_a_server_with_another_certificate_is_told_nothing(vault: Vault) -> None:
    _, certificate, key = make_authority(vault.folder, "Somebody between")
    other = Served(vault.api.app)
    with served(other, certificate, key) as address:
        refusal = _asking_at(vault, address).refusal()
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "certificate" in refusal.message
    assert other.requests == 0


def test_a_lost_answer_costs_no_play(vault: Vault) -> None:
    vault.server.instead = [504, 503]
    with vault.open():
        assert vault.used == 1 and vault.server.requests == 3
    vault.server.instead = [502, 502, 502]
    refusal = vault.refusal()
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "cannot be reached" in refusal.message


def test_an_answer_that_breaks_off_is_asked_for_again(vault: Vault) -> None:
    vault.server.instead = [Answer(200, b'{"plays_left": 1,', cut=True), Answer(200, b"{}", True, True)]
    with vault.open():
        assert vault.used == 1 and vault.server.requests == 3


def test_opened_again_after_no_answer_came_it_asks_the_same(vault: Vault) -> None:
    vault.server.instead = [504, 504, 504, 307]
    for _ in range(2):
        vault.refusal()
    vault.open().reader.close()
    assert vault.used == 1 and vault.server.requests == 5
    vault.open().reader.close()
    assert vault.used == 2
    vault.server.instead = [502, 502, 502]
    vault.refusal()
    assert "as often as" in vault.refusal().message and activation._UNANSWERED == {}


def test_a_hospital_that_is_busy_is_asked_again(vault: Vault) -> None:
    busy = Answer(
        429, json.dumps({"type": "urn:x:too-many-attempts", "detail": "Too many at once."}).encode()
    )
    vault.server.instead = [busy]
    vault.open().reader.close()
    assert vault.used == 1 and vault.server.requests == 2
    vault.server.instead = [busy] * 3
    refusal = vault.refusal()
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "Too many at once." in refusal.message


def test_whatever_answers_it_is_a_refusal_in_words(vault: Vault) -> None:
    deep = b"[" * 60_000
    for nonsense in (
        Answer(200, deep),
        Answer(403, deep),
        Answer(403, b"{", cut=True, chunked=True),
        Answer(403, b"{", cut=True),
        Answer(500, b'{"type": "urn:x:bad-settings", "detail": "It has no secret."}'),
    ):
        vault.server.instead = [nonsense]
        assert vault.refusal().kind is ErrorKind.NOT_ACTIVATED
    vault.open().reader.close()
    assert vault.used == 1, "none of them was an answer to the question"


def test_a_proxy_that_is_no_address_is_told_about(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://a..b:1")
    assert "cannot be reached" in vault.refusal().message and vault.server.requests == 0


@pytest.mark.parametrize(
    "date",
    [None, "", "no date", "Mon, 01 Jan 99999999999 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 +9999999999"],
)
def test_without_a_usable_date_the_clock_here_counts(date: str | None) -> None:
    clock = FakeClock()
    asking = Activator(Issuer("A hospital", "ab" * 32, pinned=True), clock, lambda words: None)
    assert asking._time_there(date) == clock.us


def test_the_lease_is_counted_on_a_clock_that_sleep_does_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation.sys, "platform", "darwin")
    monkeypatch.setattr(activation.time, "clock_gettime", {time.CLOCK_MONOTONIC: 7.0}.__getitem__)
    assert activation._elapsed_s() == 7.0


def test_plays_end_and_a_revocation_reaches_who_has_the_file(vault: Vault) -> None:
    for _ in range(2):
        vault.open().reader.close()
    refusal = vault.refusal()
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "as often as" in refusal.message
    vault.api.world.custody.revoke_export(vault.api.world.officer, vault.request.request_id, "because")
    run = _program(vault)
    assert run.returncode == EXIT_CODES[ErrorKind.NOT_ACTIVATED]
    told = json.loads(run.stdout)
    assert told["verdict"] == "not-activated" and "taken this package back" in told["message"]


def test_it_follows_nobody_elsewhere(vault: Vault) -> None:
    vault.server.instead = [307]
    refusal = vault.refusal()
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "307" in refusal.message


def test_a_server_that_is_away_is_told_about(vault: Vault) -> None:
    with served(vault.server, *make_authority(vault.folder, "gone")[1:]) as address:
        pass
    refusal = _asking_at(vault, address).refusal()
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "cannot be reached" in refusal.message


def test_pictures_end_with_what_was_lent(vault: Vault) -> None:
    moment = [0.0]
    with Session.open(vault.package, [hospital()[0].certificate_der], SystemClock()) as session:
        asking = Activator(session.issuer, FakeClock(), vault.said.append)

        def activate(*what: object) -> HospitalLease:
            return replace(asking(*what), elapsed_s=lambda: moment[0])  # type: ignore[arg-type]

        session.unlock(PASSWORD, activate)
        media = session.reader.media("or1")
        assert media.read(1000) == CLIP.read_bytes()[:1000]
        moment[0] = float("inf")
        with pytest.raises(OrvaultError) as caught:
            media.seek(2 * CHUNK_BYTES)
            media.read(1)
    assert caught.value.kind is ErrorKind.EXPIRED


def test_a_lease_lasts_as_long_as_the_hospital_said(vault: Vault) -> None:
    session = Session.open(vault.package, [hospital()[0].certificate_der], SystemClock())
    leases: list[HospitalLease] = []
    # the clock here is years off, and counts for nothing
    asking = Activator(session.issuer, FakeClock(us=1), vault.said.append)
    session.unlock(PASSWORD, lambda *what: (leases.append(asking(*what)), leases[0])[1])
    session.reader.close()
    (lease,) = leases
    ends_s = (lease.until_us - SystemClock().now_us()) / US_PER_S
    assert abs(lease.ends_s - lease.elapsed_s() - ends_s) < 60
    assert b"share" not in repr(lease).encode()
