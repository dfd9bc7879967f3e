"""Certificates: who may sign what, and whom the reader believes."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orvault.clock import FakeClock
from orvault.container.trust import (
    Identity,
    check_chain,
    check_root,
    create_root,
    fingerprint,
    issue,
    public_key,
)
from orvault.errors import ErrorKind, OrvaultError

CLOCK = FakeClock()
DAY_US = 86_400_000_000
ROOT = create_root("Root", CLOCK)
SERVER = issue(ROOT, "Export 1", "export-server", CLOCK, 365)
NODE = issue(ROOT, "Node 1", "node", CLOCK, 365)
OTHER_ROOT = create_root("Root", CLOCK)


def _refused(
    message: str, leaf: bytes, chain: tuple[bytes, ...], role: str = "export-server", at_us: int = 0
) -> None:
    with pytest.raises(OrvaultError) as caught:
        check_chain(leaf, chain, [], role, at_us or CLOCK.now_us())
    assert caught.value.kind is ErrorKind.UNTRUSTED
    assert message in caught.value.message


def test_a_pinned_root_is_known_and_another_of_the_same_name_is_not() -> None:
    issuer = check_chain(
        SERVER.certificate_der, SERVER.chain_ders, [ROOT.certificate_der], "export-server", CLOCK.now_us()
    )
    assert issuer.pinned and issuer.name == "Export 1" and issuer.root_name == "Root"
    assert issuer.fingerprint == ROOT.fingerprint == fingerprint(ROOT.certificate_der)
    unknown = check_chain(
        SERVER.certificate_der,
        SERVER.chain_ders,
        [OTHER_ROOT.certificate_der],
        "export-server",
        CLOCK.now_us(),
    )
    assert not unknown.pinned
    without_chain = check_chain(
        SERVER.certificate_der, [], [ROOT.certificate_der], "export-server", CLOCK.now_us()
    )
    assert without_chain.pinned


def test_a_chain_that_does_not_hold_is_refused_with_its_reason() -> None:
    leaf, chain = SERVER.certificate_der, SERVER.chain_ders
    _refused("was not issued by", leaf, (*OTHER_ROOT.chain_ders, OTHER_ROOT.certificate_der))
    _refused("was not issued by", leaf, ())
    _refused("not that of an export server", NODE.certificate_der, chain)
    _refused("not that of a recording node", leaf, chain, role="node")
    _refused("may sign data", ROOT.certificate_der, (ROOT.certificate_der,))
    _refused("too long", leaf, chain * 5)
    _refused("not readable", b"garbage", chain)
    _refused("not readable", leaf, (b"garbage",))
    _refused("not readable", b"0" * 100_000, chain)
    _refused("signer was not valid", leaf, chain, at_us=CLOCK.now_us() + 366 * DAY_US)
    _refused("was not valid", leaf, chain, at_us=CLOCK.now_us() - DAY_US)


def test_a_node_cannot_issue_certificates() -> None:
    forged = issue(NODE, "Export 2", "export-server", CLOCK, 10)
    _refused("root", forged.certificate_der, (NODE.certificate_der, ROOT.certificate_der))


def test_a_leaf_ends_with_its_root_at_the_latest() -> None:
    root = create_root("Short", CLOCK, years=1)
    leaf = issue(root, "Node", "node", CLOCK, 10_000)
    assert leaf.certificate.not_valid_after_utc == root.certificate.not_valid_after_utc


def test_certificates_of_other_kinds_are_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EC")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    for check in (
        lambda: check_root(certificate),
        lambda: public_key(certificate.public_bytes(serialization.Encoding.DER)),
        lambda: check_root(NODE.certificate),
    ):
        with pytest.raises(OrvaultError) as caught:
            check()
        assert caught.value.kind is ErrorKind.UNTRUSTED


def test_an_identity_is_kept_private_and_never_overwritten(tmp_path: Path) -> None:
    SERVER.save(tmp_path)
    loaded = Identity.load(tmp_path)
    assert loaded.fingerprint == SERVER.fingerprint and loaded.chain_ders == SERVER.chain_ders
    assert loaded.sign(b"x") == SERVER.sign(b"x")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    with pytest.raises(OrvaultError) as caught:
        NODE.save(tmp_path)
    assert caught.value.kind is ErrorKind.CONFLICT
    assert Identity.load(tmp_path).fingerprint == SERVER.fingerprint
    assert "private_key" not in repr(loaded)


def test_a_root_is_kept_under_a_passphrase(tmp_path: Path) -> None:
    ROOT.save(tmp_path, "a good passphrase")
    assert Identity.load(tmp_path, "a good passphrase").fingerprint == ROOT.fingerprint
    for wrong in ("another one", None):
        with pytest.raises(OrvaultError) as caught:
            Identity.load(tmp_path, wrong)
        assert caught.value.kind is ErrorKind.WRONG_PASSPHRASE


def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    with pytest.raises(OrvaultError) as caught:
        Identity.load(tmp_path)
    assert caught.value.kind is ErrorKind.KEY_MISSING
    replace(SERVER, private_key=NODE.private_key).save(tmp_path)
    with pytest.raises(OrvaultError) as caught:
        Identity.load(tmp_path)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and "belong together" in caught.value.message
    (tmp_path / "certificate.pem").write_text("no certificate")
    with pytest.raises(OrvaultError) as caught:
        Identity.load(tmp_path)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS


@pytest.mark.parametrize("name", ["", "x" * 65, "line\nfeed"])
def test_a_name_that_fits_no_certificate_is_refused(name: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        create_root(name, CLOCK)
    assert caught.value.kind is ErrorKind.BAD_REQUEST


@pytest.mark.parametrize("name", ["X\nGenuine: issued by A", "right\u202eleft", "esc\x1b[2J"])
def test_a_certificate_whose_name_cannot_be_shown_is_not_believed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as careless:
        careless.setattr("orvault.container.trust.is_name", lambda _name: True)  # another program's root
        server = issue(ROOT, name, "export-server", CLOCK, 365)
        root = create_root(name, CLOCK)
        below = issue(root, "Export 1", "export-server", CLOCK, 365)
    _refused("1 to 64 printable characters", server.certificate_der, server.chain_ders)
    _refused("1 to 64 printable characters", below.certificate_der, below.chain_ders)
