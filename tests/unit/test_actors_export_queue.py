"""Exports one after another: what must wait holds nobody up, what is over goes, what cannot be done is told early."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors import export
from actors.keys import KeyActor
from actors.rendering import merged_within
from orvault.clock import US_PER_S
from orvault.container.gap import Gap, signed_gap
from orvault.container.package import PackageReader
from orvault.custody.leases import LONGEST_PAUSE_US
from orvault.custody.request import ExportRequest, RequestState
from orvault.custody.service import CustodyService
from orvault.custody.terms import Masking, Redaction, Style
from orvault.custody.watermark import Position
from orvault.errors import OrvaultError
from tests.unit.actors_support import START_US, NodeSegments, Site, away, make_site
from tests.unit.container_support import hospital, recipient_key


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


class NodeAway(NodeSegments):
    """A node that does not answer for what one case recorded."""

    case_id = ""

    def read(self, node_id: str, path: str) -> bytes:
        if self.case_id in path:
            raise away("encryption:node-1")
        return super().read(node_id, path)


def test_an_export_whose_node_is_away_fails_never_and_lets_others_go_first(site: Site) -> None:
    case, other = site.record(count=1), site.record("2026-2", count=1)
    node = NodeAway(site.node)
    node.case_id = case.case_id
    site.tools = replace(site.tools, segments=node)
    waits = site.approved(case)
    follows = site.approved(other, to_us=START_US + 600 * US_PER_S)
    worker = site.worker()
    worker.work_off()
    assert site.request(follows.request_id).state is RequestState.READY
    for _ in range(6):  # longer than the three attempts that a request has
        now = site.request(waits.request_id)
        assert (now.state, now.attempts) == (RequestState.APPROVED, 0)
        assert now.not_before_us is not None
        assert now.not_before_us - site.world.clock.us <= LONGEST_PAUSE_US
        claimed = now.worker_epoch
        worker.work_off()
        assert site.request(waits.request_id).worker_epoch == claimed, "it is left alone until then"
        site.world.clock.us = now.not_before_us
        worker.work_off()
    told = history(site, "render-postponed")
    assert len(told) == 7 and all("does not answer" in entry.detail for entry in told)
    node.case_id = "nothing"
    site.world.clock.us += LONGEST_PAUSE_US
    worker.work_off()
    assert site.request(waits.request_id).state is RequestState.READY


def test_a_ledger_that_is_away_too_gets_the_request_back_later(site: Site) -> None:
    case = site.record(count=1)
    request = site.approved(case)
    site.detection.raises = [away("Detection")] * export.TRIES

    class Gone(CustodyService):
        gone = 1

        def give_back_render(self, *args: Any) -> None:
            if self.gone:
                self.gone -= 1
                raise away("The ledger")
            super().give_back_render(*args)

    world = site.world
    worker = site.worker(Gone(world.ledger.uow, world.clock, world.recorders, site.keys, world.renderers))
    with pytest.raises(OrvaultError):
        worker.work_off()
    worker.work_off()
    now = site.request(request.request_id)
    assert (now.state, now.attempts) == (RequestState.APPROVED, 0)


def test_what_workers_die_of_still_ends_the_request(site: Site) -> None:
    request = site.approved(site.record(count=1))
    for _ in range(3):
        site.world.claimed()
    assert site.world.custody.claim_render() is None
    assert "3 workers ended" in (site.request(request.request_id).failure or "")


def test_packages_of_expired_requests_go_while_the_keys_are_locked(site: Site) -> None:
    case = site.record(count=1)
    request = site.approved(case)
    site.worker().work_off()
    ready = site.request(request.request_id)
    assert ready.package is not None and len(list(site.packages.iterdir())) == 1
    waiting = site.approved(case, to_us=START_US + 60 * US_PER_S)
    site.tools = replace(site.tools, keys=KeyActor(site.folder / "keys", None, lambda: site.world.custody))
    site.world.clock.us = max(ready.validity.until_us, waiting.validity.until_us)
    for _ in range(2):
        site.worker().work_off()
    assert list(site.packages.iterdir()) == []
    assert site.request(request.request_id).state is RequestState.EXPIRED
    assert site.request(waiting.request_id).state is RequestState.EXPIRED
    (entry,) = history(site, "package-removed")
    assert ready.package.sha256 in entry.detail and request.request_id in entry.subject


def test_a_crash_between_file_and_row_removes_once_and_tells_once(site: Site) -> None:
    request = site.approved(site.record(count=1))
    site.worker().work_off()
    site.world.clock.us = request.validity.until_us

    class Crashes(CustodyService):
        def files_removed(self, _request_id: str) -> None:
            raise away("The ledger")

    world = site.world
    crashing = Crashes(world.ledger.uow, world.clock, world.recorders, site.keys, world.renderers)
    with pytest.raises(OrvaultError):
        site.worker(crashing).work_off()
    assert list(site.packages.iterdir()) == [] and history(site, "package-removed") == []
    for _ in range(2):
        site.worker().work_off()
    assert len(history(site, "package-removed")) == 1


def test_a_file_that_cannot_be_removed_is_tried_again(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    request = site.approved(site.record(count=1))
    site.worker().work_off()
    package = site.request(request.request_id).package
    assert package is not None
    kept = site.packages / package.path
    kept.unlink()
    kept.mkdir()  # unlink refuses it, also for root
    site.world.clock.us = request.validity.until_us
    site.worker().work_off()
    assert "cannot be removed" in caplog.text and history(site, "package-removed") == []
    kept.rmdir()
    site.worker().work_off()
    assert len(history(site, "package-removed")) == 1


def test_a_package_that_is_ready_and_valid_stays(site: Site) -> None:
    request = site.approved(site.record(count=1))
    for _ in range(2):
        site.worker().work_off()
    now: ExportRequest = site.request(request.request_id)
    assert now.package is not None and (site.packages / now.package.path).exists()
    assert now.removed_us is None


@pytest.mark.parametrize("forgery", ["unsigned", "reason", "stranger"])
def test_a_gap_that_no_enrolled_node_signed_ends_the_export_by_name(site: Site, forgery: str) -> None:
    case = site.record(count=2)
    (run,) = site.world.custody.case(site.world.manager, case.case_id).runs
    gap = Gap("or1-wall", run.case_id, run.run_id, START_US + US_PER_S, START_US + 2 * US_PER_S, "away")
    signer = hospital("Elsewhere")[2] if forgery == "stranger" else site.node.identity
    envelope = b"" if forgery == "unsigned" else signed_gap(gap, signer).envelope
    told = replace(gap, envelope=envelope, reason="maintenance" if forgery == "reason" else "away")
    site.world.custody.record_gap(told, "node-1")
    request = site.approved(case)
    site.worker().work_off()
    now = site.request(request.request_id)
    assert now.package is None and now.failure is not None and "gap of camera or1-wall" in now.failure


def test_gaps_lie_within_the_wish_and_are_told_once(site: Site) -> None:
    case = site.record(count=2)
    (run,) = site.world.custody.case(site.world.manager, case.case_id).runs
    for begin, end in ((-30.0, 0.5), (2.5, 900.0)):  # told beyond the period on both sides
        told = (run.case_id, run.run_id, round(START_US + begin * US_PER_S), round(START_US + end * US_PER_S))
        gap = signed_gap(Gap("or1-wall", *told, "The camera did not answer."), site.node.identity)
        site.world.custody.record_gap(gap, "node-1")
    begins, ends = START_US, START_US + 4 * US_PER_S
    request = site.approved(case, from_us=begins, to_us=ends)
    site.worker().work_off()
    now = site.request(request.request_id)
    assert now.package is not None, now.failure
    with PackageReader.open(site.packages / now.package.path) as reader:
        reader.verify_label([hospital()[0].certificate_der], site.world.clock.now_us())
        reader.unlock(recipient_key())
        (info,) = reader.manifest.media
    assert info.gaps == ((begins, START_US + US_PER_S // 2), (START_US + 5 * US_PER_S // 2, ends))


@pytest.mark.parametrize(
    ("gaps", "told"),
    [
        ([(20, 30), (20, 31), (19, 30)], ((19, 31),)),  # one gap, by the recorder and by the pictures
        ([(20, 30), (30, 40)], ((20, 40),)),
        ([(50, 60), (20, 30)], ((20, 30), (50, 60))),
        ([(0, 15), (95, 200)], ((10, 15), (95, 100))),
        ([(0, 10), (100, 120), (0, 5)], ()),
        ([(0, 500)], ((10, 100),)),
        ([], ()),
    ],
)
def test_gaps_are_clipped_and_merged(gaps: list[tuple[int, int]], told: tuple[tuple[int, int], ...]) -> None:
    assert merged_within(gaps, 10, 100) == told


def test_a_watermark_that_does_not_fit_ends_the_request_before_any_key_is_out(site: Site) -> None:
    too_long = Redaction(Masking.HEAD, Style.SOLID, "\uff37" * 64, Position.BOTTOM_RIGHT)
    shrink(site, case_id := site.record(count=1).case_id)
    request = site.approved(site.world.custody.case(site.world.manager, case_id).case, redaction=too_long)
    ended_early(site, request, "does not fit")


def test_another_picture_size_ends_the_request_before_any_key_is_out(site: Site) -> None:
    case = site.record(count=2)
    shrink(site, case.case_id, "AND sequence = 1")
    ended_early(site, site.approved(case), "size changed from 1280x720 to 160x90")


def shrink(site: Site, case_id: str, which: str = "") -> None:
    """As if a camera had been set to small pictures: what the checks before the keys go by."""
    with site.world.ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE segments SET header = "
            """replace(replace(header, '"width":1280', '"width":160'), '"height":720', '"height":90')"""
            f" WHERE case_id = '{case_id}' {which}"
        )


def ended_early(site: Site, request: ExportRequest, words: str) -> None:
    site.worker().work_off()
    now = site.request(request.request_id)
    assert now.state is RequestState.FAILED and words in (now.failure or ""), now.failure
    assert "keys-opened" not in site.world.acts() and site.detection.asked == 0


def history(site: Site, act: str) -> list[Any]:
    return list(site.world.custody.history(site.world.officer, act=act, limit=200))
