"""The two small actors: the one that writes rows, and the one that serves bytes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from actors.index import IndexActor
from actors.media import MediaActor
from orvault.clock import US_PER_S
from orvault.container.enrolment import NodeTrust
from orvault.container.gap import Gap, signed_gap
from orvault.custody.ports import CameraInfo
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.unconfirmed import Landmark
from tests.fake_parts import AnyNode, make_segment
from tests.fakes import CAMERAS, World
from tests.unit.actors_support import Enrolled, eventually
from tests.unit.container_support import hospital


@dataclass
class Believed:
    """Which nodes are believed: every one, or it cannot be said."""

    fault: OrvaultError | None = None

    def load(self) -> Any:
        if self.fault is not None:
            raise self.fault
        return AnyNode()


def index_actor(world: World, *cameras: CameraInfo, nodes: NodeTrust | None = None) -> IndexActor:
    return IndexActor(lambda: world.custody, cameras or CAMERAS, nodes or Believed(), 3600.0)


def enrolled() -> Enrolled:
    return Enrolled(hospital()[0].certificate_der, (hospital()[2].certificate_der,))


def run_of(world: World) -> Any:
    case = world.armed_case()
    return world.custody.start_recording(world.manager, case.case_id, ["or1-wall"]).view.runs[0]


def test_the_index_makes_its_cameras_known(world: World) -> None:
    index_actor(world, CameraInfo("or3-wall", "OR 3 wall", "OR 3", "node-3"))
    with world.ledger.uow(read_only=True) as uow:
        assert uow.cameras.get("or3-wall") is not None


def test_the_same_record_or_gap_twice_is_one_row(world: World) -> None:
    index, strict, run = index_actor(world), index_actor(world, nodes=enrolled()), run_of(world)
    record = make_segment(run.run_id, run.case_id, run.camera_id, 0, run.started_us, epoch=run.epoch)
    gap = Gap(
        run.camera_id, run.case_id, run.run_id, run.started_us, run.started_us + US_PER_S, "it was away"
    )
    gap = signed_gap(gap, hospital()[2])
    for _ in range(3):
        index.index([record])  # type: ignore[list-item]
        strict.gap(gap)
    with world.ledger.uow(read_only=True) as uow:
        assert len(uow.segments.of(run.case_id, run.camera_id, 0, 1 << 60)) == 1
        assert [g.reason for g in uow.gaps.of(run.case_id, run.camera_id, 0, 1 << 60)] == ["it was away"]


def test_a_gap_that_its_node_did_not_sign_is_refused(world: World) -> None:
    index, run = index_actor(world, nodes=enrolled()), run_of(world)
    gap = Gap(run.camera_id, run.case_id, run.run_id, run.started_us, run.started_us + US_PER_S, "away")
    signed = signed_gap(gap, hospital()[2])
    forged = (gap, signed_gap(gap, hospital("Elsewhere")[2]), signed_gap(gap, hospital()[1]))
    changed = (
        replace(signed, to_us=gap.to_us + 1),
        replace(signed, envelope=signed.envelope[:-9] + b'x"}]}'),
    )
    for told in (*forged, *changed):
        with pytest.raises(OrvaultError) as caught:
            index.gap(told)
        assert caught.value.kind in {ErrorKind.UNTRUSTED, ErrorKind.ALTERED}
    with world.ledger.uow(read_only=True) as uow:
        assert uow.gaps.of(run.case_id, run.camera_id, 0, 1 << 60) == []
        (entry,) = uow.history.page(None, 9, subject=f"run:{run.run_id}", actor=None, act="gaps-refused")
    told = json.loads(entry.detail)  # once a run, however often its node repeats the offer
    assert (told["camera"], told["from_us"], told["reason"]) == (
        "or1-wall",
        gap.from_us,
        "No node has signed it.",
    )


def test_a_gap_of_no_known_run_is_told_to_history_under_a_name_that_can_be_read(world: World) -> None:
    index = index_actor(world, nodes=enrolled())
    stray = signed_gap(Gap("or1-wall", "case-9", "run-9", 10, 20, "away"), hospital()[2])
    odd = Gap("x" * 500, "\x1b[2J", "../../run", 10, 20, "away")
    for one in (stray, odd):
        with pytest.raises(OrvaultError):
            index.gap(one)
    with world.ledger.uow(read_only=True) as uow:
        entries = uow.history.page(None, 9, subject=None, actor=None, act="gaps-refused")
    assert {entry.subject for entry in entries} == {"run:run-9", "run:unreadable"}
    assert "\x1b" not in "".join(entry.detail for entry in entries)


def test_a_ledger_is_known_again_by_an_entry_of_its_history(world: World) -> None:
    index, run = index_actor(world), run_of(world)
    record = make_segment(run.run_id, run.case_id, run.camera_id, 0, run.started_us, epoch=run.epoch)
    landmark = index.index([record]).landmark  # type: ignore[list-item]
    assert index.knows(landmark) and index.knows(Landmark(-1, ""))
    assert not index.knows(Landmark(landmark.seq, "0" * 64))
    assert not index.knows(Landmark(landmark.seq + 1, landmark.leaf_hash))
    index.anchor()
    assert index.index([]).landmark.seq > landmark.seq and index.knows(landmark)


def test_a_record_that_fits_no_run_is_told_and_the_others_are_written(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    index, run = index_actor(world), run_of(world)
    good = make_segment(run.run_id, run.case_id, run.camera_id, 0, run.started_us, epoch=run.epoch)
    odd = make_segment("no-such-run", run.case_id, run.camera_id, 0, run.started_us, epoch=run.epoch)
    rival = replace(good, digest="9" * 64)
    index.index([odd, good, rival])  # type: ignore[list-item]
    with world.ledger.uow(read_only=True) as uow:
        rows = uow.segments.of(run.case_id, run.camera_id, 0, 1 << 60)
    assert [row.digest for row in rows] == [good.digest]
    assert "no-such-run-000000" in caplog.text and "differs" in caplog.text


def test_what_nobody_enrolled_is_refused_by_name_and_told_to_history_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_of(world)
    nodes = Enrolled(hospital()[0].certificate_der, ())
    index = IndexActor(lambda: world.custody, CAMERAS, nodes, 3600.0)
    for number in (0, 1):
        record = make_segment(run.run_id, run.case_id, run.camera_id, number, run.started_us, epoch=run.epoch)
        index.index([record])  # type: ignore[list-item]
    assert caplog.text.count("not enrolled here") == 2 and f"{run.run_id}-000001" in caplog.text
    with world.ledger.uow(read_only=True) as uow:
        assert uow.segments.last(run.run_id) is None
        (told,) = uow.history.page(None, 9, subject=f"run:{run.run_id}", actor=None, act="segments-refused")
    assert json.loads(told.detail)["node"] == "node-1" and "not enrolled" in told.detail


def test_while_nobody_can_say_who_is_enrolled_nothing_is_indexed_and_all_is_offered_again(
    world: World,
) -> None:
    run, nodes = run_of(world), Believed(OrvaultError(ErrorKind.UNTRUSTED, "None of the roots signed it."))
    index = index_actor(world, nodes=nodes)
    record = make_segment(run.run_id, run.case_id, run.camera_id, 0, run.started_us, epoch=run.epoch)
    with pytest.raises(OrvaultError) as caught:
        index.index([record])  # type: ignore[list-item]
    # The one kind after which a node's outbox keeps what it offered.
    assert caught.value.kind is ErrorKind.UNAVAILABLE and "None of the roots" in caught.value.message
    nodes.fault = None
    index.index([record])  # type: ignore[list-item]
    with world.ledger.uow(read_only=True) as uow:
        assert uow.segments.last(run.run_id) is not None


def test_the_index_anchors_what_moved_by_itself(world: World) -> None:
    run = run_of(world)
    world.index([make_segment(run.run_id, run.case_id, run.camera_id, 0, run.started_us, epoch=run.epoch)])
    assert "heads-anchored" not in world.acts()
    index_actor(world)
    eventually(lambda: "heads-anchored" in world.acts(), "the head is anchored")


async def _app(scope: Any, receive: Any, send: Any) -> None:
    body = scope["path"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def media() -> Iterator[MediaActor]:
    actor = MediaActor(lambda: _app, "127.0.0.1", 0)
    yield actor
    actor._server.should_exit = True


def test_the_byte_server_serves_its_app_under_the_address_it_names(media: MediaActor) -> None:
    host, port = media.address().rsplit(":", 1)
    assert host == "127.0.0.1" and int(port) > 0

    async def fetch() -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://{media.address()}/media/x")

    answer = asyncio.run(fetch())
    assert (answer.status_code, answer.text) == (200, "/media/x")
    assert "server" not in answer.headers


def test_a_port_that_is_taken_is_told(media: MediaActor) -> None:
    port = int(media.address().rsplit(":", 1)[1])
    with pytest.raises(OrvaultError) as caught:
        MediaActor(lambda: _app, "127.0.0.1", port)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and str(port) in str(caught.value)


def test_an_address_that_is_not_this_machines_is_told() -> None:
    with pytest.raises(OrvaultError) as caught:
        MediaActor(lambda: _app, "192.0.2.1", 0)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS
    with socket.socket() as probe:  # nothing was left open in between
        probe.bind(("127.0.0.1", 0))
