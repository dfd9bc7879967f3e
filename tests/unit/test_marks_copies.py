"""A copy of their own for each recipient: its package, its mark, its link; `orvault trace` tells them apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.models_exports import ExportOut
from cluster import trace_cli
from cluster.cli import app
from cluster.settings import load_settings
from cluster.setup import set_up
from orvault.container.keys import PrivateKey, Recipient, generate_private_key
from orvault.container.keystore import KeyStore
from orvault.container.package import PackageReader
from orvault.custody.request import Copy, ExportRequest, RequestState
from orvault.custody.terms import Masking, Redaction, Style
from orvault.custody.watermark import Position
from orvault.errors import EXIT_CODES, ErrorKind, OrvaultError
from orvault.marks.leak import residue_of
from orvault.marks.tracing import Candidate, trace
from tests.fakes import NOTHING_LEFT
from tests.unit.actors_support import PASSPHRASE, Site, make_site
from tests.unit.container_support import hospital
from tests.unit.test_keys_cli import CONFIG

COURT, FAMILY = generate_private_key(), generate_private_key()
RECIPIENTS = (
    Recipient("Court", COURT.public(), None, None),
    Recipient("Family", FAMILY.public(), None, None),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("copies"))


@pytest.fixture(scope="module")
def request_(site: Site) -> ExportRequest:
    """A ready request for two recipients."""
    named = Redaction(Masking.HEAD, Style.SOLID, "{case} {recipient} {time}", Position.BOTTOM_RIGHT)
    submitted = site.approved(site.record(count=1), recipients=RECIPIENTS, redaction=named)
    site.worker().work_off()
    ready = site.request(submitted.request_id)
    assert ready.state is RequestState.READY, ready.failure
    return ready


def clear_video(site: Site, copy: Copy, key: PrivateKey, out: Path) -> Path:
    """What this recipient could leak."""
    assert copy.package is not None
    with PackageReader.open(site.packages / copy.package.path) as reader:
        reader.verify_label([hospital()[0].certificate_der], site.world.clock.now_us())
        reader.unlock(key)
        reader.verify_all()
        assert reader.manifest.terms.recipients == tuple(each.name for each in copy.recipients)
        assert reader.manifest.terms.package_id == copy.package_id
        assert reader.manifest.terms.watermark == f"2026-1 {copy.recipients[0].name} {{time}}"
        out.write_bytes(reader.media("or1-wall").read())
    return out


def site_key(site: Site) -> bytes:
    from orvault.container.kek import PassphraseKek
    from orvault.container.keystore import default_anchors

    place = site.folder / "keys"
    return KeyStore.unlock(place, PassphraseKek(PASSPHRASE, default_anchors(place))).site_mark_key()


def test_each_recipient_gets_a_package_that_the_other_cannot_open(
    site: Site, request_: ExportRequest
) -> None:
    assert [copy.recipients[0].name for copy in request_.copies] == ["Court", "Family"]
    assert len({copy.package_id for copy in request_.copies}) == 2
    assert (
        request_.copies[0].package == request_.package
        and request_.package_id == request_.copies[0].package_id
    )
    family = request_.copies[1]
    assert family.package is not None
    assert (site.packages / family.package.path).stat().st_size == family.package.bytes
    with PackageReader.open(site.packages / family.package.path) as reader:
        reader.verify_label([hospital()[0].certificate_der], site.world.clock.now_us())
        with pytest.raises(OrvaultError) as caught:
            reader.unlock(COURT)
    assert caught.value.kind is ErrorKind.NOT_FOR_YOU


def test_each_copy_is_traced_to_its_recipient(site: Site, request_: ExportRequest, tmp_path: Path) -> None:
    registered = site.world.custody.registered_copies()
    assert [(each.recipients, each.camera_ids) for each in registered] == [
        (("Court",), ("or1-wall",)),
        (("Family",), ("or1-wall",)),
    ]
    candidates = [Candidate(each.package_id, each.camera_ids) for each in registered]
    for copy, key in zip(request_.copies, (COURT, FAMILY), strict=True):
        residue = residue_of(clear_video(site, copy, key, tmp_path / "leak.mp4"))
        found = trace(residue.plane, site_key(site), candidates)
        assert [naming.copy_id for naming in found.named] == [copy.package_id]


def test_what_is_traced_stands_in_history(site: Site, request_: ExportRequest, tmp_path: Path) -> None:
    leak = clear_video(site, request_.copies[1], FAMILY, tmp_path / "leak.mp4")
    plane = residue_of(leak).plane
    found, _ = trace_cli._compared(plane, site_key(site), site.world.custody, "ab" * 32)
    assert [each.recipients for each in found] == [("Family",)]
    assert found[0].request_id == request_.request_id and found[0].chance < 1e-6
    with site.world.ledger.uow(read_only=True) as uow:
        entry = uow.history.page(None, 1, subject=f"file:{'ab' * 32}", actor=None, act="copy-traced")[0]
    detail = json.loads(entry.detail)
    assert entry.actor == "console" and detail["copies"] == 2
    assert detail["named"][0]["recipients"] == ["Family"] and detail["named"][0]["camera"] == "or1-wall"


def test_a_link_names_whose_copy_it_leads_to(site: Site, request_: ExportRequest) -> None:
    world, request_id = site.world, request_.request_id
    for unclear in (None, "Nobody"):
        with pytest.raises(OrvaultError) as caught:
            world.custody.issue_link(world.manager, request_id, unclear)
        assert caught.value.kind is ErrorKind.BAD_REQUEST and "Court, Family" in str(caught.value)
    link, package = world.custody.issue_link(world.manager, request_id, "Family")
    assert package == request_.copies[1].package
    assert world.custody.open_download(package.package_id, link.link_id) == package


def test_the_api_tells_each_recipients_package(request_: ExportRequest) -> None:
    told = ExportOut.of(request_)
    assert [(each.recipients, each.id) for each in told.packages] == [
        ([copy.recipients[0].name], copy.package_id) for copy in request_.copies
    ]
    assert ExportOut.of(replace(request_, package=None, further=())).packages == []


def test_marks_are_made_for_what_is_being_rendered_only(site: Site, request_: ExportRequest) -> None:
    with pytest.raises(OrvaultError) as caught:
        site.keys.mark_keys(request_.request_id, "or1-wall", [request_.copies[0].package_id])
    assert caught.value.kind is ErrorKind.GRANT_MISSING, "it is ready: nobody marks for it any more"
    waiting = site.approved(site.record("2026-9", count=1), recipients=RECIPIENTS)
    job = site.world.custody.claim_render("another")
    assert job is not None and job.request.request_id == waiting.request_id
    ids = [copy.package_id for copy in waiting.copies]
    assert len({key.code for key in site.keys.mark_keys(waiting.request_id, "or1-wall", ids)}) == 2
    for camera_id, copies in (("or2-wall", ids), ("or1-wall", [*ids, request_.copies[0].package_id])):
        with pytest.raises(OrvaultError) as caught:
            site.keys.mark_keys(waiting.request_id, camera_id, copies)
        assert caught.value.kind is ErrorKind.GRANT_MISSING
    site.world.custody.fail_render(waiting.request_id, job.epoch, "test")


def test_a_request_from_before_has_one_copy_for_all(request_: ExportRequest) -> None:
    before = replace(request_, further_ids=(), further=())
    assert [copy.recipients for copy in before.copies] == [RECIPIENTS]
    assert replace(before, package_id=None).copies == ()


def test_packages_and_recipients_must_match(site: Site) -> None:
    submitted = site.approved(site.record("2026-10", count=1), recipients=RECIPIENTS)
    job = site.world.custody.claim_render("another")
    assert job is not None
    with pytest.raises(OrvaultError) as caught:
        site.world.custody.finish_render(
            submitted.request_id, job.epoch, "a.orvault", 1, "a" * 64, second_look=NOTHING_LEFT
        )
    assert caught.value.kind is ErrorKind.BAD_REQUEST
    site.world.custody.fail_render(submitted.request_id, job.epoch, "test")


def test_the_mark_key_is_kept_through_a_rotation(tmp_path: Path) -> None:
    store = KeyStore.create(tmp_path / "keys", PASSPHRASE)
    key = store.site_mark_key()
    store.rotate(None)
    assert len(key) == 32 and store.site_mark_key() == key
    assert key.hex() not in "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.json"))
    other = KeyStore.create(tmp_path / "other", PASSPHRASE)
    assert other.site_mark_key() != key


class TestCommand:
    """`orvault trace` over a site's real files."""

    @pytest.fixture
    def config(self, tmp_path: Path) -> Path:
        path = tmp_path / "ray_config.yaml"
        path.write_text(CONFIG)
        set_up(load_settings(path), "store passphrase 1", None, tmp_path / "medium")
        return path

    def test_a_video_of_nobody_ends_with_a_code_of_its_own(self, config: Path) -> None:
        clip = Path(__file__).resolve().parents[1] / "media" / "crossing.mp4"
        result = CliRunner().invoke(app, ["trace", str(clip), "--config", str(config)])
        assert result.exit_code == trace_cli.NOT_TRACED, result.output
        assert trace_cli.NOT_TRACED not in {0, 1, 2, *EXIT_CODES.values()}
        assert "Nobody can be named" in result.output
        told = CliRunner().invoke(app, ["trace", str(clip), "--json", "--config", str(config)])
        assert json.loads(told.stdout) == {"named": [], "threshold": 5.3, "strongest": 0.0, "tried": 0}

    def test_a_leaked_copy_is_named(self, site: Site, request_: ExportRequest, tmp_path: Path) -> None:
        own = f"data: {site.folder}\n"
        keys = "  passphrase_file: passphrase\n  store: keys\n  anchor: keys.anchor\n  root_certificate: passphrase\n"
        config = tmp_path / "ray_config.yaml"
        config.write_text(
            CONFIG.replace("data: var\n", own).replace("  passphrase_file: keys/passphrase\n", keys)
        )
        leak = clear_video(site, request_.copies[1], FAMILY, tmp_path / "leak.mp4")
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["trace", str(leak), "--config", str(config)])
        assert result.exit_code == 0, result.output
        assert "Family" in result.output and request_.request_id in result.output
        assert "Court" not in result.output
        told = CliRunner().invoke(app, ["trace", str(leak), "--json", "--config", str(config)])
        (named,) = json.loads(told.stdout)["named"]
        assert named["recipients"] == ["Family"] and named["camera"] == "or1-wall"
        assert named["confidence"] > 0.999999 and named["package"] == request_.copies[1].package_id

    def test_what_is_no_video_is_an_error_in_words(self, config: Path, tmp_path: Path) -> None:
        (tmp_path / "text.mp4").write_text("no video")
        result = CliRunner().invoke(app, ["trace", str(tmp_path / "text.mp4"), "--config", str(config)])
        assert result.exit_code == 1 and "no video that can be traced" in result.output
