"""Events reach outside recorders that are killed and come back: none lost, in order, repeats under the same id."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors.notice_targets import Peer, Target, TcpLine, UdpLine, Webhook
from actors.notices import EventCourier, NoticeActor
from orvault.clock import FakeClock, SystemClock
from orvault.custody.notices import LineTemplate, Notice, NoticeKind
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.engine import open_ledger
from tests.fake_parts import FakeCaseKeys, FakeRecorders, FakeRenderers
from tests.fakes import World, cheap_passwords, make_world, sqlite_url
from tests.processes import ready_made
from tests.unit.actors_support import CalmClock, eventually
from tests.unit.listeners import HttpRecorder, TcpRecorder, UdpRecorder

KEY = bytes(range(32))
NOTICE = Notice(7, NoticeKind.RECORDING_ON, 1_800_000_000_250_000, "OR 1", "or1-wall", "case-1", "run-1")
LINE = LineTemplate("{id}")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text("whsec_" + base64.b64encode(KEY).decode() + "\n")
    return path


@pytest.fixture
def kept() -> Iterator[Callable[..., object]]:
    """Ends what it is given, after the test."""
    ends: list[Callable[[], None]] = []

    def keep(thing: object) -> object:
        ends.append(thing.kill)  # type: ignore[attr-defined]
        return thing

    yield keep
    for end in ends:
        end()


def webhook(recorder: HttpRecorder, secret: Path, **more: object) -> Webhook:
    url = f"http://127.0.0.1:{recorder.port}/orvault?token=t0p"
    return Webhook("hook", "Site", 5.0, secret, url=url, clock=FakeClock(), **more)  # type: ignore[arg-type]


def tcp(recorder: TcpRecorder, until_close: bool = True, timeout_s: float = 5.0) -> TcpLine:
    return TcpLine("vms", "Site", timeout_s, None, {}, "127.0.0.1", recorder.port, LINE, until_close)


def udp(recorder: UdpRecorder) -> UdpLine:
    return UdpLine("udp", "Site", 5.0, None, {}, "127.0.0.1", recorder.port, LINE)


def record(world: World, times: int, number: str = "N") -> list[str]:
    """One camera switched on and off so often; the events' ids."""
    case, ids = world.armed_case(number), []
    for _ in range(times):
        switched = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
        run = next(run for run in switched.view.runs if run.recording)
        world.custody.stop_recording(world.manager, case.case_id, "a pause")
        ids += [f"{run.run_id}-on", f"{run.run_id}-off"]
    world.custody.close_case(world.manager, case.case_id)
    return ids


def in_order(got: list[str]) -> list[str]:
    """Without repeats; a repeat must come right after what it repeats."""
    return [one for place, one in enumerate(got) if place == 0 or got[place - 1] != one]


def failing(target: Target) -> str:
    with pytest.raises(OrvaultError) as caught:
        target.send(NOTICE, "3")
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert "t0p" not in str(caught.value)
    return caught.value.message


def test_a_webhook_is_verified_as_the_format_says(secret: Path, kept: Callable[..., HttpRecorder]) -> None:
    recorder = kept(HttpRecorder())
    recorder.start()
    webhook(recorder, secret).send(NOTICE, "3")
    (request,) = recorder.received
    signed = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    )
    mac = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{mac}"
    assert request.headers["webhook-id"] == json.loads(request.body)["id"] == "run-1-on"
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("answer", [301, 400, 404, 410, 500, -1])
def test_only_success_means_taken(answer: int, secret: Path, kept: Callable[..., HttpRecorder]) -> None:
    recorder = kept(HttpRecorder(answers=[answer]))
    recorder.start()
    failing(webhook(recorder, secret))
    assert len(recorder.received) == 1  # a redirection is not followed


def test_a_secret_that_others_can_read_is_refused(secret: Path, kept: Callable[..., HttpRecorder]) -> None:
    recorder = kept(HttpRecorder())
    recorder.start()
    secret.chmod(0o644)
    with pytest.raises(OrvaultError) as caught:
        webhook(recorder, secret).send(NOTICE, "3")
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and recorder.received == []


def test_a_tcp_line_is_taken_when_the_receiver_closed_after_it(kept: Callable[..., TcpRecorder]) -> None:
    recorder = kept(TcpRecorder())
    failing(tcp(recorder))
    recorder.start()
    tcp(recorder).send(NOTICE, "3")
    assert recorder.lines == ["run-1-on\n"]


def test_a_receiver_that_resets_or_never_closes_has_not_taken_it(kept: Callable[..., TcpRecorder]) -> None:
    reset = kept(TcpRecorder("reset"))
    reset.start()
    failing(tcp(reset))
    failing(tcp(reset, until_close=False))
    never = kept(TcpRecorder("never"))
    never.start()
    assert "did not close" in failing(tcp(never, timeout_s=0.1))
    never.lines.clear()
    tcp(never, until_close=False).send(NOTICE, "3")
    eventually(lambda: never.lines == ["run-1-on\n"], "the line")


def test_a_udp_line_to_a_port_that_nobody_listens_on_is_not_taken(kept: Callable[..., UdpRecorder]) -> None:
    recorder = kept(UdpRecorder())
    failing(udp(recorder))
    recorder.start()
    udp(recorder).send(NOTICE, "3")
    eventually(lambda: recorder.lines == ["run-1-on\n"], "the line")


def test_channels_say_who_is_told_of_and_how() -> None:
    assert Peer("a", "s").channel("or1-wall") == "or1-wall"
    named = Peer("a", "s", channels={"or1-wall": "3"})
    assert (named.channel("or1-wall"), named.channel("or1-lamp")) == ("3", None)


def courier(world: World, target: Target) -> tuple[CalmClock, EventCourier]:
    """A courier at work in a thread, until its clock is over."""
    clock = CalmClock()
    made = EventCourier(world.custody, target, clock)
    threading.Thread(target=made.run, daemon=True).start()
    return clock, made


def test_nothing_is_lost_and_order_kept_while_receivers_are_killed_and_come_back(
    world: World, secret: Path, kept: Callable[..., object]
) -> None:
    http, line, packet = HttpRecorder(), TcpRecorder(), UdpRecorder()
    world.custody.follow_notices(["hook", "vms", "udp"])
    targets: list[Target] = [webhook(http, secret), tcp(line), udp(packet)]
    running = [courier(world, target) for target in targets]
    got: dict[str, Callable[[], list[str]]] = {
        "hook": lambda: [request.notice_id for request in http.received],
        "vms": lambda: [text.strip() for text in line.lines],
        "udp": lambda: [text.strip() for text in packet.lines],
    }
    ids: list[str] = []
    recorders = [http, line, packet]
    for recorder in recorders:
        kept(recorder)
    for turn in range(3):
        ids += record(world, 2, f"N-{turn}")  # nobody listens: it waits in the ledger
        eventually(lambda: all(made.status.detail for _, made in running), "all of them fail")
        http.answers += [500, -1]
        for recorder in recorders:
            recorder.start()
        for name, lines in got.items():
            last = ids[-1]
            eventually(lambda lines=lines, last=last: last in lines(), f"{name}, turn {turn}")
        for recorder in recorders:
            recorder.kill()
    for clock, _ in running:
        clock.over = True
    assert all(in_order(lines()) == ids for lines in got.values())
    assert len(got["hook"]()) == len(ids) + 6  # each refused or cut request came again, under the same id
    bodies = {request.notice_id: request.body for request in http.received}
    assert all(bodies[request.notice_id] == request.body for request in http.received)


def test_a_dead_target_holds_up_no_other(world: World, kept: Callable[..., TcpRecorder]) -> None:
    alive, dead = kept(TcpRecorder()), TcpRecorder()
    alive.start()
    clock = CalmClock()
    actor = NoticeActor(lambda: world.custody, [replace(tcp(dead), name="dead"), tcp(alive)], clock)
    ids = record(world, 2)
    eventually(lambda: [text.strip() for text in alive.lines] == ids, "the living one has all")
    eventually(lambda: actor.statuses()[0].detail, "the dead one is told of")
    eventually(lambda: actor.statuses()[1].next_number > actor.statuses()[0].next_number, "one goes on alone")
    clock.over = True
    assert actor.statuses()[1].detail == ""


def test_a_ledger_that_is_away_delays_and_loses_nothing(
    world: World, kept: Callable[..., TcpRecorder]
) -> None:
    recorder = kept(TcpRecorder())
    recorder.start()
    world.custody.follow_notices(["vms"])
    ids = record(world, 1)

    class Flaky(CustodyService):
        """Every other call finds the ledger away."""

        calls = 0

        def _reach(self) -> None:
            Flaky.calls += 1
            if Flaky.calls % 2:
                raise OrvaultError(ErrorKind.UNAVAILABLE, "The ledger's database did not answer.")

        def notices_begin(self, target: str) -> int:
            self._reach()
            return super().notices_begin(target)

        def notices_from(self, number: int, limit: int = 32):  # type: ignore[no-untyped-def]
            self._reach()
            return super().notices_from(number, limit)

        def notice_taken(self, target: str, number: int) -> None:
            self._reach()
            super().notice_taken(target, number)

    custody = Flaky(
        world.ledger.uow, world.clock, world.recorders, world.case_keys, world.renderers, cheap_passwords()
    )
    clock = CalmClock()
    threading.Thread(target=EventCourier(custody, tcp(recorder), clock).run, daemon=True).start()
    eventually(lambda: [text.strip() for text in recorder.lines] == ids, "both events, each once")
    clock.over = True


def _run_actor(url: str, port: int) -> None:
    """A process of its own, to be killed."""
    ledger = open_ledger(url)
    parts = (FakeRecorders(), FakeCaseKeys(), FakeRenderers(), cheap_passwords())
    custody = CustodyService(ledger.uow, SystemClock(), *parts)
    target = TcpLine("vms", "Site", 5.0, None, {}, "127.0.0.1", port, LINE)
    NoticeActor(lambda: custody, [target], CalmClock())
    threading.Event().wait()


def test_a_sender_that_is_killed_goes_on_where_it_was(
    tmp_path: Path, kept: Callable[..., TcpRecorder]
) -> None:
    world = make_world(sqlite_url(tmp_path))
    recorder = kept(TcpRecorder())
    recorder.start()
    world.custody.follow_notices(["vms"])
    ids = record(world, 6)
    for killed_after in (2, 7, len(ids)):
        process = ready_made().Process(
            target=_run_actor, args=(sqlite_url(tmp_path), recorder.port), daemon=True
        )
        process.start()
        try:
            eventually(lambda least=killed_after: len(set(recorder.lines)) >= least, f"{killed_after} events")
        finally:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
    got = [text.strip() for text in recorder.lines]
    assert (
        in_order(got) == ids and len(got) <= len(ids) + 2
    )  # at most the last one before each kill comes again
