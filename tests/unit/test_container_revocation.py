"""Revocation lists: who may make one, what a reader refuses, what follows for chains, nodes, packages, the player."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from orvault.clock import US_PER_S, FakeClock
from orvault.container.authority import Authority
from orvault.container.certificates import check_chain
from orvault.container.enrolment import EARLIER, EnrolledNodes, EnrolmentFiles, WatchedEnrolment
from orvault.container.keys import generate_private_key
from orvault.container.package import PackageReader
from orvault.container.revocation import (
    Reason,
    RevocationList,
    RevocationLists,
    Revoked,
    issue_list,
    load_lists,
    read_list,
)
from orvault.container.segment import SegmentHeader
from orvault.container.trust import Identity, create_root, issue
from orvault.errors import ErrorKind
from player.__main__ import app
from tests.refusals import refusal
from tests.unit.container_support import (
    CLIP,
    CLOCK,
    DAY_US,
    NOW_US,
    hospital,
    make_package,
    seal_segment,
    segment_meta,
)

ROOT, SERVER, NODE = hospital()
OTHER_ROOT = hospital("Other Hospital")[0]
SAME_NAME = create_root(ROOT.name, FakeClock(us=1_700_000_000 * US_PER_S), years=40)


def entry(identity: Identity, since_us: int = NOW_US, reason: Reason = Reason.KEY_COMPROMISE) -> Revoked:
    return Revoked(identity.certificate.serial_number, NOW_US + DAY_US, since_us, reason)


def listed(*entries: Revoked, number: int = 1, root: Identity = ROOT) -> RevocationList:
    return issue_list(root, entries, number, CLOCK)


def test_a_list_says_what_was_put_into_it_as_pem_and_as_der() -> None:
    entries = (entry(NODE, reason=Reason.SUPERSEDED), entry(SERVER, NOW_US - DAY_US, Reason.UNSPECIFIED))
    made = listed(*entries, number=7)
    for data in (made.pem, made.der):
        read = read_list(data, [OTHER_ROOT.certificate_der, ROOT.certificate_der], "list")
        assert set(read.entries) == set(entries)
        assert (read.number, read.root, read.issued_us) == (7, ROOT.fingerprint, NOW_US)
        assert read.due_us > NOW_US
    crl = x509.load_der_x509_crl(made.der)
    assert crl.issuer == ROOT.certificate.subject and crl.is_signature_valid(ROOT.certificate.public_key())  # type: ignore[arg-type]


def test_a_list_counts_only_under_the_root_that_signed_it() -> None:
    data = listed(entry(NODE)).pem
    for roots in ([], [OTHER_ROOT.certificate_der], [SAME_NAME.certificate_der]):
        assert refusal(read_list, data, roots, "list").kind is ErrorKind.UNTRUSTED
    forged = issue_list(SAME_NAME, [entry(NODE)], 9, CLOCK).pem
    assert refusal(read_list, forged, [ROOT.certificate_der], "list").kind is ErrorKind.UNTRUSTED


def test_an_altered_list_is_refused_wherever_it_was_altered() -> None:
    good = listed(entry(NODE)).der
    for at in range(0, len(good), 7):
        data = bytearray(good)
        data[at] ^= 1
        assert refusal(read_list, bytes(data), [ROOT.certificate_der], "list").kind in (
            ErrorKind.UNTRUSTED,
            ErrorKind.BAD_SETTINGS,
        )
    for data in (b"", good[:-1], good + b"x", ROOT.certificate_pem, b"0" * (2 << 20)):
        assert refusal(read_list, bytes(data), [ROOT.certificate_der], "list").kind is ErrorKind.BAD_SETTINGS


def test_a_list_of_part_of_the_certificates_is_not_taken_for_all() -> None:
    now = datetime.fromtimestamp(NOW_US // US_PER_S, UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ROOT.certificate.subject)
        .last_update(now)
        .next_update(now + timedelta(days=1))
        .add_extension(x509.CRLNumber(3), critical=False)
    )
    delta = builder.add_extension(x509.DeltaCRLIndicator(2), critical=True).sign(ROOT.private_key, None)
    error = refusal(read_list, delta.public_bytes(Encoding.DER), [ROOT.certificate_der], "list")
    assert error.kind is ErrorKind.BAD_SETTINGS and "critical" in error.message
    plain = builder.sign(ROOT.private_key, None)
    assert read_list(plain.public_bytes(Encoding.DER), [ROOT.certificate_der], "list").number == 3


def test_the_newest_list_of_each_root_counts() -> None:
    old, new = listed(entry(NODE)), listed(entry(SERVER), number=2)
    lists = RevocationLists([new, old, listed(root=OTHER_ROOT)])
    assert lists.of(ROOT.certificate_der) == new
    assert lists.revoked_us(ROOT.certificate_der, NODE.certificate.serial_number) is None
    assert lists.revoked_us(OTHER_ROOT.certificate_der, SERVER.certificate.serial_number) is None
    assert lists.revoked_us(ROOT.certificate_der, SERVER.certificate.serial_number) == NOW_US


@pytest.mark.parametrize(("at_us", "believed"), [(-1, True), (0, False), (DAY_US, False)])
def test_a_chain_is_refused_from_the_revocation_on(at_us: int, believed: bool) -> None:
    lists = RevocationLists([listed(entry(SERVER))])
    asked = (
        SERVER.certificate_der,
        SERVER.chain_ders,
        [ROOT.certificate_der],
        "export-server",
        NOW_US + at_us,
    )
    assert check_chain(*asked).revoked_us is None
    if believed:
        assert check_chain(*asked, lists).revoked_us == NOW_US
    else:
        error = refusal(check_chain, *asked, lists)
        assert error.kind is ErrorKind.UNTRUSTED and "revoked" in error.message


def header(identity: Identity = NODE, **changes: object) -> SegmentHeader:
    meta = segment_meta(**changes)
    return seal_segment(identity, meta, b"x", generate_private_key().public()).header


def test_a_node_is_believed_for_what_it_sealed_before_its_revocation() -> None:
    sealed = header()
    meta = sealed.meta
    for since_us, believed in ((meta.end_us + US_PER_S, True), (meta.end_us, False), (meta.start_us, False)):
        lists = RevocationLists([listed(entry(NODE, since_us))])
        nodes = EnrolledNodes(ROOT.certificate_der, [NODE.certificate_der], lists)
        if believed:
            assert nodes.certificate_of(sealed, sealed.meta.end_us) == NODE.certificate_der
        else:
            assert refusal(nodes.certificate_of, sealed, sealed.meta.end_us).kind is ErrorKind.UNTRUSTED


def test_what_counts_is_when_the_server_first_saw_it_not_what_it_says() -> None:
    sealed = header()
    since_us = sealed.meta.end_us + 60 * US_PER_S
    nodes = EnrolledNodes(
        ROOT.certificate_der, [NODE.certificate_der], RevocationLists([listed(entry(NODE, since_us))])
    )
    assert nodes.certificate_of(sealed, since_us - 1) == NODE.certificate_der
    nodes.check_first_seen(sealed, since_us - 1)
    for seen_us in (since_us, since_us + DAY_US):
        for act in (nodes.certificate_of, nodes.check_first_seen):
            error = refusal(act, sealed, seen_us)
            assert error.kind is ErrorKind.UNTRUSTED and "first saw it" in error.message
            assert "an administrator" in error.advice
    # A header that says it is of after the revocation is believed in that.
    late = header(start_us=since_us, end_us=since_us + US_PER_S)
    assert "before this was recorded" in refusal(nodes.check_first_seen, late, 0).message


def test_an_index_takes_what_an_ended_certificate_sealed_and_an_export_does_not() -> None:
    sealed = header(start_us=1)
    nodes = EnrolledNodes(ROOT.certificate_der, [NODE.certificate_der])
    nodes.check_first_seen(sealed, NOW_US)
    assert "not valid" in refusal(nodes.certificate_of, sealed, NOW_US).message


def test_a_node_seals_for_itself_under_its_own_root_alone() -> None:
    twin = issue(OTHER_ROOT, "node-1", "node", FakeClock(us=1_700_000_000 * US_PER_S), 12_000)
    known = [NODE.certificate_der, twin.certificate_der, SERVER.certificate_der]
    nodes = EnrolledNodes(ROOT.certificate_der, known)
    assert nodes.certificate_of(header(), NOW_US) == NODE.certificate_der
    for sealed, words in (
        (header(twin), "not issued by"),
        (header(SERVER), "not that of a recording node"),
        (header(node_id="node-2"), "'node-1' sealed it"),
        (header(start_us=1), "not valid"),
    ):
        error = refusal(nodes.certificate_of, sealed, sealed.meta.end_us)
        assert error.kind is ErrorKind.UNTRUSTED and words in error.message
    assert (
        refusal(EnrolledNodes(ROOT.certificate_der, []).certificate_of, header(), NOW_US).kind
        is ErrorKind.UNTRUSTED
    )


def test_enrolment_files_keep_certificates_that_were_renewed_and_see_a_new_list_at_once(
    tmp_path: Path,
) -> None:
    renewed = issue(ROOT, "node-1", "node", FakeClock(us=1_700_000_000 * US_PER_S), 12_000)
    files = EnrolmentFiles(tmp_path / "root.pem", tmp_path / "nodes", tmp_path / "revoked.pem")
    files.root_certificate.write_bytes(ROOT.certificate_pem)
    renewed.save(tmp_path / "nodes" / "node-1")
    (tmp_path / "nodes" / "node-1" / EARLIER).mkdir()
    (tmp_path / "nodes" / "node-1" / EARLIER / "old.pem").write_bytes(NODE.certificate_pem)
    for identity in (renewed, NODE):
        assert files.load().certificate_of(header(identity), NOW_US) == identity.certificate_der
    listed(entry(NODE)).save(files.revocation_list)
    assert refusal(files.load().certificate_of, header(NODE), NOW_US).kind is ErrorKind.UNTRUSTED
    assert files.load().certificate_of(header(renewed), NOW_US) == renewed.certificate_der
    listed(root=OTHER_ROOT).save(files.revocation_list)
    assert refusal(files.load).kind is ErrorKind.UNTRUSTED


def test_a_watched_enrolment_is_read_again_when_a_file_changed_and_only_then(tmp_path: Path) -> None:
    files = EnrolmentFiles(tmp_path / "root.pem", tmp_path / "nodes", tmp_path / "revoked.pem")
    files.root_certificate.write_bytes(ROOT.certificate_pem)
    (tmp_path / "nodes" / "node-1").mkdir(parents=True)
    (tmp_path / "nodes" / "node-1" / "certificate.pem").write_bytes(NODE.certificate_pem)
    watched = WatchedEnrolment(files)
    first = watched.load()
    assert watched.load() is first
    listed(entry(NODE)).save(files.revocation_list)
    assert "revoked" in refusal(watched.load().check_first_seen, header(), NOW_US).message
    listed(root=OTHER_ROOT).save(files.revocation_list)
    for _ in range(2):  # a list that nobody can believe never leaves the one before in force
        assert refusal(watched.load).kind is ErrorKind.UNTRUSTED
    files.revocation_list.unlink()
    watched.load().check_first_seen(header(), NOW_US)
    (tmp_path / "nodes" / "node-1" / "certificate.pem").unlink()
    assert "not enrolled" in refusal(watched.load().check_first_seen, header(), NOW_US).message


def test_a_package_signed_after_the_revocation_is_untrusted_to_who_has_the_list(tmp_path: Path) -> None:
    made = make_package(tmp_path, clips={"or1": CLIP})
    with PackageReader.open(made.path) as reader:
        assert reader.verify_label([made.root_der], NOW_US).pinned
        before = RevocationLists([listed(entry(SERVER, NOW_US))])
        error = refusal(reader.verify_label, [made.root_der], NOW_US, before)
        assert error.kind is ErrorKind.UNTRUSTED and "revoked" in error.message
        after = RevocationLists([listed(entry(SERVER, NOW_US + US_PER_S))])
        issuer = reader.verify_label([made.root_der], NOW_US, after)
        assert issuer.pinned and issuer.revoked_us == NOW_US + US_PER_S


def test_the_player_takes_a_list_and_says_untrusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORVAULT_PLAYER_HOME", str(tmp_path / "home"))
    made = make_package(tmp_path, clips={"or1": CLIP}, not_after_us=NOW_US * 2)
    root, newest, older = (tmp_path / name for name in ("root.pem", "new.pem", "old.pem"))
    root.write_bytes(ROOT.certificate_pem)
    newest.write_bytes(listed(entry(SERVER, NOW_US), number=2).pem)
    older.write_bytes(listed(number=1).pem)

    def player(*arguments: object) -> tuple[int, str]:
        run = CliRunner().invoke(app, [str(each) for each in arguments])
        return run.exit_code, run.output

    assert player("trust", "add", newest)[0] == 16  # its root is not believed yet
    assert player("trust", "add", root)[0] == player("trust", "add", older)[0] == 0
    early = player("info", made.path)
    assert "revoked on" not in early[1]
    code, text = player("trust", "add", newest)
    assert code == 0 and "number 2" in text and "1 revoked" in text
    assert player("trust", "add", older)[0] != 0
    assert "number 2" in player("trust", "list")[1]
    code, text = player("verify", made.path, "--without-key")
    assert code == 16 and "revoked on" in text


def test_an_authority_keeps_its_register_and_its_list(tmp_path: Path) -> None:
    clock = FakeClock()
    folder = tmp_path / "root"
    Authority.create(folder, "Root", "a good passphrase", clock)
    assert Authority.exists(folder) and Authority.is_protected(folder)
    assert refusal(Authority.open, folder, None, clock).kind is ErrorKind.WRONG_PASSPHRASE
    assert refusal(Authority.create, folder, "Root", "a good passphrase", clock).kind is ErrorKind.CONFLICT
    authority = Authority.open(folder, "a good passphrase", clock)
    first, second = (authority.issue("node-1", "node", 10) for _ in range(2))
    assert refusal(authority.find, "node-1").kind is ErrorKind.CONFLICT
    assert refusal(authority.find, "node-2").kind is ErrorKind.NOT_FOUND
    found = authority.find(first.fingerprint[:12].upper())
    assert found.fingerprint == first.fingerprint and found.state(clock.now_us()) == "valid"
    assert (
        refusal(authority.revoke, found, Reason.SUPERSEDED, clock.now_us() + 1).kind is ErrorKind.BAD_REQUEST
    )
    clock.us += DAY_US
    made = authority.revoke(found, Reason.KEY_COMPROMISE, clock.now_us() - DAY_US)
    assert made.number == 2 and authority.revoke(found, Reason.KEY_COMPROMISE).entries[0].since_us == (
        clock.now_us() - DAY_US
    )
    assert authority.find("node-1").fingerprint == second.fingerprint
    assert authority.renew_list().number == 4 and len(authority.revocations().entries) == 1
    assert load_lists(folder / "revoked.pem", [authority.root.certificate_der]).of(
        authority.root.certificate_der
    )
    (folder / "revoked.pem").unlink()
    assert refusal(authority.renew_list).kind is ErrorKind.NOT_FOUND
