"""From an approved request to a package that the player's reader accepts, and everything that must prevent one."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pytest

from actors import export, footage
from actors.export import ExportActor
from actors.keys import KeyActor
from orvault.clock import US_PER_S
from orvault.container.keys import generate_private_key
from orvault.container.package import PackageBuilder, PackageReader
from orvault.custody.leases import FIRST_PAUSE_US
from orvault.custody.request import ExportRequest, RequestState
from orvault.custody.service import CustodyService
from orvault.custody.terms import Masking, Redaction, Style
from orvault.custody.watermark import Position
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Frame, decode_fragment
from orvault.vision.detection import Detection, Kind
from tests.unit import actors_support
from tests.unit.actors_support import (
    START_US,
    WALL,
    Enrolled,
    Site,
    away,
    eventually,
    fragments,
    make_site,
)
from tests.unit.container_support import hospital, recipient_key

HEAD = Detection(Kind.HEAD, 400, 300, 600, 500, 0.9, "test")
INSIDE = (slice(310, 490), slice(410, 590))
CORNER = (slice(20, 120), slice(20, 120))
HEVC = ("or1-lamp", "or1-wall")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


@contextmanager
def opened(site: Site, request: ExportRequest) -> Iterator[PackageReader]:
    """The package as its recipient opens it, every chunk verified."""
    assert request.state is RequestState.READY and request.package is not None, request.failure
    path = site.packages / request.package.path
    assert path.stat().st_size == request.package.bytes
    with PackageReader.open(path) as reader:
        issuer = reader.verify_label([hospital()[0].certificate_der], site.world.clock.now_us())
        assert issuer.pinned
        reader.unlock(recipient_key())
        reader.verify_all()
        yield reader


def pictures(reader: PackageReader, camera_id: str = "or1-wall") -> list[Frame]:
    return list(decode_fragment(reader.media(camera_id).read()))


def flat(frame: Frame, where: tuple[slice, slice]) -> bool:
    """Whether nothing can be seen there."""
    return float(frame.bgr[where].astype(np.float64).std(axis=(0, 1)).max()) < 4


def done(site: Site, case: Any, **changes: object) -> ExportRequest:
    """The request after a worker was at it."""
    request = site.approved(case, **changes)
    site.worker().work_off()
    return site.request(request.request_id)


def failed(site: Site, request: ExportRequest, words: str) -> None:
    assert request.state is RequestState.FAILED and words in (request.failure or ""), request.failure
    assert list(site.packages.iterdir()) == []


def redaction(mode: Masking) -> Redaction:
    return Redaction(mode, Style.SOLID, "2026-77", Position.BOTTOM_RIGHT)


def test_a_package_holds_every_camera_masked_and_verifiable(site: Site) -> None:
    site.detection.finds = lambda _picture: [HEAD]
    case = site.record(cameras=(WALL, HEVC), count=1)
    request = done(site, case, camera_ids=("or1-wall", "or1-lamp"))
    with opened(site, request) as reader:
        manifest = reader.manifest
        assert [info.camera_id for info in manifest.media] == ["or1-wall", "or1-lamp"]
        assert manifest.terms.package_id == request.package_id == reader.label.package_id
        assert reader.proven is not None and reader.proven.approved_seq < reader.proven.sealed_seq
        assert manifest.terms.case_id == case.case_id and manifest.terms.recipients == ("Court",)
        for info in manifest.media:
            assert (info.width, info.height, info.fps, info.frames) == (1280, 720, 15.0, 30)
            assert info.end_us - info.start_us == 2 * US_PER_S
            assert [source["segment_id"] for source in info.sources] and len(info.sources) == 1
            frames = pictures(reader, info.camera_id)
            assert len(frames) == 30
            assert all(flat(frame, INSIDE) and not flat(frame, CORNER) for frame in frames)
        told = [(event.kind, event.camera_id) for event in manifest.terms.events]
        assert manifest.terms.overlay and manifest.terms.utc_offset_min == 540
        assert told[0] == ("case-armed", None) and ("recording-stopped", "or1-lamp") in told
    assert request.progress.done == request.progress.total > 0
    assert [path.name for path in site.packages.iterdir()] == [f"{request.package_id}-1.orvault"]


def test_damaged_pictures_are_black_and_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The camera's bytes are stored as they came; an export of them is made all the same."""
    site.detection.finds = lambda _picture: [HEAD]
    whole = fragments()[0]
    with av.open(io.BytesIO(whole.data)) as read:
        packet = [each for each in read.demux(video=0) if each.size][20]
    assert packet.pos is not None
    begin, end = packet.pos + packet.size // 2, packet.pos + packet.size
    data = whole.data[:begin] + random.Random(1).randbytes(end - begin) + whole.data[end:]
    monkeypatch.setattr(actors_support, "fragments", lambda *_: (replace(whole, data=data),))
    request = done(site, site.record(count=1))
    with opened(site, request) as reader:
        frames = pictures(reader, "or1-wall")
        black = [number for number, frame in enumerate(frames) if flat(frame, CORNER)]
        damaged = [event for event in reader.manifest.terms.events if event.kind == "pictures-damaged"]
        (info,) = reader.manifest.media
    assert len(frames) == 30 and 0 < len(black) < 15 and black == list(range(black[0], 30))
    (event,) = damaged
    assert event.camera_id == "or1-wall"
    assert event.at_us == pytest.approx(info.start_us + black[0] * US_PER_S / 15, abs=2)


def test_what_is_clear_never_touches_the_disk(site: Site) -> None:
    case = site.record(count=1)
    request = done(site, case)
    clear = fragments()[0].data[2_000:2_064]  # of a coded picture
    for path in site.folder.rglob("*"):
        assert not path.is_file() or clear not in path.read_bytes(), path
    with opened(site, request) as reader:
        assert clear not in reader.media("or1-wall").read()


def test_only_the_recipient_opens_it(site: Site) -> None:
    request = done(site, site.record(count=1))
    assert request.package is not None
    with PackageReader.open(site.packages / request.package.path) as reader:
        reader.verify_label([hospital()[0].certificate_der], site.world.clock.now_us())
        with pytest.raises(OrvaultError) as caught:
            reader.unlock(generate_private_key())
    assert caught.value.kind is ErrorKind.NOT_FOR_YOU


def test_a_picture_whose_detection_failed_is_masked_whole(site: Site) -> None:
    site.detection.finds = lambda picture: None if picture == 7 else []
    request = done(site, site.record(count=1))
    with opened(site, request) as reader:
        seen = [flat(frame, CORNER) for frame in pictures(reader)]
    assert seen[7] and not all(seen)


def test_picture_mode_masks_whole_and_asks_no_detection(site: Site) -> None:
    site.detection.raises = [away("Detection")] * 10
    request = done(
        site, site.record(cameras=(HEVC,)), camera_ids=("or1-lamp",), redaction=redaction(Masking.PICTURE)
    )
    with opened(site, request) as reader:
        frames = pictures(reader, "or1-lamp")
        assert len(frames) == 60
        assert all(flat(frame, CORNER) and flat(frame, INSIDE) for frame in frames)
        assert reader.manifest.terms.masking == "picture, solid"
    assert site.detection.asked == 0


def test_only_the_period_asked_for_is_in_it(site: Site) -> None:
    case = site.record(count=3)
    start = START_US + 1_500_000
    request = done(site, case, from_us=start, to_us=start + 1_000_000)
    with opened(site, request) as reader:
        (info,) = reader.manifest.media
        assert info.frames == len(pictures(reader)) == 15
        assert start <= info.start_us < start + 100_000
        assert len(info.sources) == 2


def test_an_altered_segment_ends_the_request_with_what_is_wrong(site: Site) -> None:
    case = site.record()
    path = site.segment(case, 1)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    request = done(site, case)
    failed(site, request, "not what was signed")
    assert site.world.acts()[-1] == "render-failed"


def test_a_shortened_segment_ends_the_request(site: Site) -> None:
    case = site.record()
    path = site.segment(case, 1)
    path.write_bytes(path.read_bytes()[:-1])
    failed(site, done(site, case), "ends after")


def test_a_segment_that_is_gone_ends_the_request(site: Site) -> None:
    case = site.record()
    site.segment(case, 1).unlink()
    failed(site, done(site, case), "not on this node's disk")


@pytest.mark.parametrize("number", [0, 1])
def test_a_segment_of_another_case_in_its_place_is_refused(site: Site, number: int) -> None:
    case, other = site.record(), site.record("2026-2")
    site.segment(case, number).write_bytes(site.segment(other, number).read_bytes())
    failed(site, done(site, case, to_us=START_US + 60 * US_PER_S), "not the one that was indexed")


def test_a_segment_that_does_not_follow_its_predecessor_is_refused(site: Site) -> None:
    # The first segment's row is another one than the second was chained to: both are signed and whole.
    case = site.record()
    request = site.approved(case)

    class Swapped(CustodyService):
        def claim_render(self, worker: str = "export") -> Any:
            job = super().claim_render(worker)
            if job is None:
                return None
            (track,) = job.tracks
            first = replace(track.segments[0], digest="0" * 64)
            return replace(job, tracks=(replace(track, segments=(first, *track.segments[1:])),))

    world = site.world
    custody = Swapped(world.ledger.uow, world.clock, world.recorders, site.keys, world.renderers)
    site.worker(custody).work_off()
    failed(site, site.request(request.request_id), "does not follow")


def test_a_segment_signed_by_a_foreign_node_is_refused(site: Site) -> None:
    case = site.record(count=1)
    root, _, foreign = hospital("Other Hospital")
    site.tools = replace(site.tools, nodes=Enrolled(root.certificate_der, (foreign.certificate_der,)))
    failed(site, done(site, case), "not enrolled here")


def test_a_node_without_certificate_is_refused(site: Site) -> None:
    case = site.record(count=1)
    site.tools = replace(site.tools, nodes=Enrolled(hospital()[0].certificate_der, ()))
    failed(site, done(site, case), "not enrolled here")


def test_a_locked_key_store_has_nothing_claimed_and_no_try_spent(site: Site) -> None:
    case = site.record(count=1)
    request = site.approved(case)
    locked = KeyActor(site.folder / "keys", None, lambda: site.world.custody)
    site.tools = replace(site.tools, keys=locked)
    worker = site.worker()
    worker.work_off()
    now = site.request(request.request_id)
    assert (now.state, now.worker_epoch) == (RequestState.APPROVED, 0)
    locked.unlock("correct horse battery staple")
    worker.work_off()
    assert site.request(request.request_id).state is RequestState.READY


def test_keys_that_are_locked_under_way_leave_the_request_to_the_next_try(site: Site) -> None:
    case = site.record(count=1)
    request = site.approved(case)

    class Restarted:
        """Locked by the time the first key is asked for."""

        def unlocked(self) -> bool:
            return True

        def open_for_render(self, _request: str, _records: object) -> list[bytes]:
            raise OrvaultError(ErrorKind.KEYS_LOCKED, "the key store is locked since its last start.")

    site.tools = replace(site.tools, keys=Restarted())
    site.worker().work_off()
    assert site.request(request.request_id).state is RequestState.APPROVED
    site.tools = replace(site.tools, keys=site.keys)
    site.world.clock.us += FIRST_PAUSE_US
    site.worker().work_off()
    assert site.request(request.request_id).state is RequestState.READY


def test_detection_that_is_being_restarted_is_waited_for_without_spending_a_try(site: Site) -> None:
    site.detection.raises = [away("Detection"), away("Detection")]
    request = done(site, site.record(count=1))
    with opened(site, request) as reader:
        assert len(pictures(reader)) == 30
    assert request.worker_epoch == 1
    assert len([s for s in site.world.clock.slept_s if s >= 2]) == 2


def test_what_stays_away_leaves_the_request_to_a_later_try(site: Site) -> None:
    site.detection.raises = [away("Detection")] * export.TRIES
    request = site.approved(site.record(count=1))
    worker = site.worker()
    worker.work_off()
    assert site.request(request.request_id).state is RequestState.APPROVED
    assert max(site.world.clock.slept_s) <= export.LONGEST_WAIT_S
    assert list(site.packages.iterdir()) == []
    site.world.clock.us += FIRST_PAUSE_US
    worker.work_off()
    now = site.request(request.request_id)
    assert (now.state, now.worker_epoch) == (RequestState.READY, 2)


def test_a_worker_that_was_replaced_drops_its_work_silently(site: Site) -> None:
    request = site.approved(site.record())

    def replaced() -> None:
        site.detection.during = lambda: None
        site.world.clock.us += 600 * US_PER_S
        assert site.world.claimed("other").epoch == 2

    site.detection.during = replaced
    site.worker().work_off()
    now = site.request(request.request_id)
    assert (now.state, now.worker, now.worker_epoch) == (RequestState.RENDERING, "other", 2)
    assert list(site.packages.iterdir()) == [] and now.failure is None


def test_a_failure_after_being_replaced_is_dropped_too(site: Site) -> None:
    request = site.approved(site.record())

    def replaced() -> None:
        site.world.clock.us += 600 * US_PER_S
        site.world.claimed("other")
        raise OrvaultError(ErrorKind.BAD_MEDIA, "The video fragment cannot be decoded.")

    site.detection.during = replaced
    site.worker().work_off()
    now = site.request(request.request_id)
    assert (now.state, now.worker_epoch, now.failure) == (RequestState.RENDERING, 2, None)


def test_a_request_that_expires_under_way_does_not_stop_the_worker(site: Site) -> None:
    case = site.record()
    request = site.approved(case)

    def over() -> None:
        site.detection.during = lambda: None
        site.world.clock.us = request.validity.until_us
        site.world.custody.expire_due()

    site.detection.during = over
    worker = site.worker()
    worker.work_off()
    assert site.request(request.request_id).state is RequestState.EXPIRED
    following = site.approved(case, to_us=START_US + 60 * US_PER_S)
    worker.work_off()
    assert site.request(following.request_id).state is RequestState.READY


def test_a_replaced_worker_does_not_overwrite_its_successors_package(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.approved(site.record(count=1))
    finish = PackageBuilder.finish
    other = replace(site)
    rivals = [other.worker()]

    def late(builder: PackageBuilder, *args: Any) -> Any:
        if rivals:  # the first one hangs right here, until its successor has finished
            rival = rivals.pop()
            site.world.clock.us += 600 * US_PER_S
            rival.work_off()
        return finish(builder, *args)

    monkeypatch.setattr(PackageBuilder, "finish", late)
    site.worker().work_off()
    now = site.request(request.request_id)
    assert now.worker_epoch == 2
    with opened(site, now) as reader:
        assert len(pictures(reader)) == 30
    assert [path.name for path in site.packages.iterdir()] == [f"{now.package_id}-2.orvault"]


def test_leftovers_of_a_dead_worker_do_not_accumulate(site: Site) -> None:
    case = site.record(count=1)
    ready = done(site, case)
    assert ready.package is not None
    request = site.approved(case)
    for name in (
        "or1-wall-0123456789abcdef.mp4.enc",
        f".{request.package_id}-1.orvault.x7.part",
        f"{request.package_id}-1.orvault",  # whole, but the worker died before it said so
    ):
        (site.packages / name).write_bytes(b"leftover")
    job = site.world.claimed()
    assert job.epoch == 1
    site.worker().work_off()
    now = site.request(request.request_id)
    assert now.package is not None and now.worker_epoch == 2
    assert {path.name for path in site.packages.iterdir()} == {ready.package.path, now.package.path}


def test_a_long_recordings_keys_are_asked_for_in_parts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "KEYS_AT_ONCE", 2)
    request = done(site, site.record(count=3))
    with opened(site, request) as reader:
        assert len(pictures(reader)) == 90
    assert site.world.acts().count("keys-opened") == 2


def test_nothing_is_done_without_an_approval(site: Site) -> None:
    case = site.record(count=1)
    world = site.world
    world.custody.submit_export(world.manager, world.wish(case, from_us=START_US))
    site.worker().work_off()
    assert list(site.packages.iterdir()) == [] and "keys-opened" not in world.acts()


def test_the_actor_works_by_itself_when_it_is_woken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "POLL_S", 3600.0)  # nothing but the call wakes it
    looked = Event()

    class Watched(CustodyService):
        def claim_render(self, worker: str = "export") -> Any:
            job = super().claim_render(worker)
            if job is None:
                looked.set()
            return job

    world = site.world
    custody = Watched(world.ledger.uow, world.clock, world.recorders, site.keys, world.renderers)
    actor = ExportActor(lambda: custody, site.tools)
    assert looked.wait(60), "it looks once when it starts"
    request = site.approved(site.record(count=1))
    actor.wake()
    eventually(lambda: site.request(request.request_id).state is RequestState.READY, "the package is ready")
