"""The ledger at work on both databases: transactions, writers taking turns, history, claims, what errors say."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from orvault.clock import US_PER_S, FakeClock
from orvault.custody.account import Role
from orvault.custody.anchors import anchor_heads, anchors_of
from orvault.custody.desks.renders import RenderJob
from orvault.custody.history import Act
from orvault.custody.ports import CameraInfo
from orvault.custody.recorded import StoredGap, StoredSegment
from orvault.custody.request import RequestState
from orvault.custody.service import CustodyService
from orvault.custody.throttle import Keys
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.engine import open_ledger
from orvault.ledger.migrate import migrate
from tests.contract.mariadb import PASSWORD, MariaDb
from tests.fakes import PASSWORD as ACCOUNT_PASSWORD
from tests.fakes import (
    AnyNode,
    FakeCaseKeys,
    FakeRecorders,
    FakeRenderers,
    World,
    cheap_passwords,
    make_segment,
    make_world,
    sqlite_url,
)
from tests.processes import ready_made


def test_whole_story_is_kept_and_read_back(world: World) -> None:
    case = world.recorded_case(4)
    ready = world.ready(case)
    assert ready.state is RequestState.READY and ready.package is not None
    link, _ = world.custody.issue_link(world.manager, ready.request_id)
    world.custody.open_download(ready.package.package_id, link.link_id, "192.0.2.1")
    verdict = world.custody.verify_history()
    assert verdict.intact and verdict.size == len(world.acts())
    assert world.acts()[-4:] == ["render-finished", "link-issued", "downloaded", "export-delivered"]


def test_who_only_reads_sees_one_moment_and_writes_nothing(world: World) -> None:
    with world.ledger.uow(read_only=True) as uow:
        before = uow.history.size()
        case = world.armed_case()
        assert uow.history.size() == before
    if world.ledger.engine.dialect.name != "sqlite":  # MariaDB holds a reader to it
        with pytest.raises(OrvaultError), world.ledger.uow(read_only=True) as uow:
            uow.cases.put_state(case)
    with world.ledger.uow(read_only=True):
        pass  # asked nothing: the connection's next transaction is a writer's all the same
    assert world.custody.disable_account(None, world.manager.account_id).disabled


def test_accounts_change_and_their_sessions_end(world: World) -> None:
    custody, manager = world.custody, world.manager
    sessions = [custody.sign_in(manager.name, ACCOUNT_PASSWORD, "192.0.2.1").session for _ in range(2)]
    with pytest.raises(OrvaultError):
        custody.sign_in(manager.name, "wrong", "192.0.2.1")
    keys = Keys.of(manager.name, "192.0.2.1")
    with world.ledger.uow(read_only=True) as uow:
        assert len(uow.sign_ins.failures(keys.address, 0)) == 1  # what succeeded is taken back
        assert uow.sign_ins.at_home(keys.pair, 0) and not uow.sign_ins.at_home(keys.pair, world.clock.us)
        assert uow.accounts.count_enabled(Role.SYSTEM_ADMINISTRATOR) == 1
    closed = custody.disable_account(None, manager.account_id)
    assert custody.account_named(manager.name) == closed and closed.disabled
    custody.enable_account(None, manager.account_id)
    custody.reset_password(None, manager.account_id, "Given-by-another-1")
    given = custody.sign_in(manager.name, "Given-by-another-1").account
    assert given.must_change and given == custody.account_named(manager.name)
    with world.ledger.uow(read_only=True) as uow:
        assert all(uow.sessions.get(each.session_id).ended_us for each in sessions)  # type: ignore[union-attr]


def test_request_comes_back_as_it_was_submitted(world: World) -> None:
    wish = world.wish(world.recorded_case(), camera_ids=("or1-lamp", "or1-wall"))
    made = world.custody.submit_export(world.manager, wish)
    assert world.custody.export(world.manager, made.request_id) == made
    assert made.wish.camera_ids == ("or1-lamp", "or1-wall")


def test_render_job_has_the_segments_in_order_with_headers_and_slots(world: World) -> None:
    case = world.recorded_case(5)
    world.approved(case)
    (track,) = world.claimed().tracks
    assert [s.header.meta.sequence for s in track.segments] == [0, 1, 2, 3, 4]
    again = make_segment(
        track.segments[3].header.meta.run_id,
        case.case_id,
        "or1-wall",
        3,
        track.segments[3].header.meta.start_us,
        epoch=track.segments[3].header.meta.epoch,
        indexed_us=world.clock.us,
    )
    assert track.segments[3] == again


def test_neighbours_of_a_stretch_are_found_by_number_and_by_time(world: World) -> None:
    case = world.armed_case()
    (run,) = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"]).view.runs
    at = world.clock.now_us()
    ids = (run.run_id, case.case_id, "or1-wall")
    world.index([make_segment(*ids, n, at + n * 2 * US_PER_S) for n in (0, 1, 4, 5)])

    def number(found: StoredSegment | None) -> int | None:
        return None if found is None else found.header.meta.sequence

    with world.ledger.uow(read_only=True) as uow:
        assert number(uow.segments.last(run.run_id)) == 5
        assert [number(uow.segments.last(run.run_id, below=n)) for n in (5, 4, 1, 0)] == [4, 1, 0, None]
        begins = [at + n * 2 * US_PER_S for n in (6, 5, 4, 0)]
        assert [number(uow.segments.last(run.run_id, before_us=us)) for us in begins] == [5, 4, 1, None]
        assert [[number(s) for s in uow.segments.following(run.run_id, -1, upto)] for upto in (None, 1, 4)] == [
            [0], [0, 1], [0, 1, 4],
        ]  # fmt: skip
        assert uow.segments.following(run.run_id, 5) == uow.segments.following("other", 0) == []


def test_a_run_that_moved_is_noted_once_until_its_anchor_commits(world: World) -> None:
    case = world.armed_case()
    runs = world.custody.start_recording(world.manager, case.case_id).view.runs
    at = world.clock.now_us()
    for n in (0, 1, 2):
        world.index([make_segment(run.run_id, case.case_id, run.camera_id, n, at) for run in runs])
    with world.ledger.uow() as uow:
        assert uow.moved_runs.some(9) == sorted(run.run_id for run in runs)
        assert len(uow.moved_runs.some(1)) == 1
        assert anchor_heads(uow, at, uow.moved_runs.some(9)) == 2
        assert uow.moved_runs.some(9) == []
    assert "heads-anchored" not in world.acts()
    assert world.custody.anchor_moved_runs() == 2
    with world.ledger.uow(read_only=True) as uow:
        assert uow.moved_runs.some(9) == []
        found = anchors_of(uow, case.case_id)
    assert found.broken_seq is None
    assert {(a.run_id, a.camera_id, a.sequence, a.digest) for a in found.known} == {
        (run.run_id, run.camera_id, 2, f"a{2:063x}") for run in runs
    }
    assert world.custody.verify_history().intact


def test_summary_counts_segments_bytes_gaps_and_holes(world: World) -> None:
    case = world.armed_case()
    switched = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    (run,) = switched.view.runs
    at = world.clock.now_us()
    for n in (0, 1, 4):
        segment = make_segment(run.run_id, case.case_id, "or1-wall", n, at + n * 2 * US_PER_S)
        world.index([segment])
    gap = StoredGap("or1-wall", case.case_id, run.run_id, at + 4 * US_PER_S, at + 8 * US_PER_S, "cable")
    assert world.custody.record_gap(gap, "node-1") and not world.custody.record_gap(gap, "node-1")
    (summary,) = world.custody.recordings(world.manager, case.case_id)
    assert (summary.segments, summary.bytes, summary.frames) == (3, 3 * 2048, 90)
    assert (summary.missing_segments, summary.gaps, summary.recording) == (2, (gap,), True)
    assert (summary.start_us, summary.end_us) == (at, at + 10 * US_PER_S)
    assert world.custody.recordings(world.manager, to_us=at) == []


def test_what_was_not_committed_never_was(world: World) -> None:
    before = world.custody.check_ledger()
    with world.ledger.uow() as uow:
        uow.cameras.put(CameraInfo("x", "x", "x", "x"), 1)
        uow.history.append(1, "system", Act.CASE_CLOSED, "case:x", {})
    with pytest.raises(KeyError), world.ledger.uow() as uow:
        uow.history.append(1, "system", Act.CASE_CLOSED, "case:x", {})
        raise KeyError
    assert world.custody.check_ledger() == before
    with world.ledger.uow(read_only=True) as uow:
        assert uow.cameras.get("x") is None


def test_reader_sees_one_moment(world: World) -> None:
    with world.ledger.uow(read_only=True) as reading:
        before = reading.history.size()
        with world.ledger.uow() as writing:
            writing.history.append(1, "system", Act.CASE_CLOSED, "case:x", {})
            writing.commit()
        assert reading.history.size() == before
    assert world.custody.check_ledger() == before + 1


def test_history_rows_cannot_be_changed_or_removed(world: World) -> None:
    for statement in ("UPDATE history SET actor = 'nobody'", "DELETE FROM history"):
        with pytest.raises(DBAPIError, match="append-only"), world.ledger.engine.connect() as connection:
            connection.execute(text(statement))
    assert world.custody.verify_history().intact


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE history SET actor = 'account:other' WHERE seq = 3", 3),
        ("UPDATE history SET detail = '{}' WHERE seq = 2", 2),
        ("DELETE FROM history WHERE seq = 4", 4),
        ("DELETE FROM history WHERE seq = 5", 5),  # the last of six: shows against the size on record
    ],
)
def test_tampering_past_the_triggers_is_found_at_its_place(world: World, tampering: str, broken: int) -> None:
    world.account(Role.AUDITOR, "sixth")
    with world.ledger.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER history_no_update"))
        connection.execute(text("DROP TRIGGER history_no_delete"))
        connection.execute(text(tampering))
    assert world.custody.verify_history().broken_seq == broken


def _at_once(work: Callable[[int], object], workers: int) -> list[object]:
    gate = threading.Barrier(workers)

    def run(number: int) -> object:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(workers)))


def test_writers_at_once_leave_history_without_holes(world: World) -> None:
    before = world.custody.check_ledger()

    def write(number: int) -> None:
        for n in range(10):
            with world.ledger.uow() as uow:
                uow.history.append(n, f"worker:{number}", Act.CASE_CLOSED, "case:x", {"n": n})
                uow.commit()

    _at_once(write, 4)
    verdict = world.custody.verify_history()
    assert verdict.intact and verdict.size == before + 40


def test_workers_at_once_never_claim_the_same_request(world: World) -> None:
    case = world.recorded_case()
    wanted = {world.approved(case).request_id for _ in range(3)}
    jobs = _at_once(lambda number: world.custody.claim_render(f"worker-{number}"), 4)
    claimed = [job.request.request_id for job in jobs if isinstance(job, RenderJob)]
    assert len(claimed) == 3 and set(claimed) == wanted


def test_approvals_at_once_leave_one(world: World) -> None:
    request = world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    others = [world.account(Role.PRIVACY_OFFICER, f"officer-{n}") for n in range(3)]

    def approve(number: int) -> str:
        try:
            world.custody.approve_export(others[number], request.request_id)
        except OrvaultError as error:
            return error.kind.value
        return "approved"

    assert sorted(str(r) for r in _at_once(approve, 3)) == ["approved", "conflict", "conflict"]
    assert world.acts().count("export-approved") == 1


def test_constraint_shows_as_conflict_without_the_value(world: World) -> None:
    with pytest.raises(OrvaultError) as caught, world.ledger.uow() as uow:
        uow.accounts.add(world.manager)
    assert caught.value.kind is ErrorKind.CONFLICT
    told = "".join(traceback.format_exception(caught.value))
    assert world.manager.password_phc not in told


def test_refused_sign_in_to_mariadb_never_shows_the_password(mariadb: MariaDb) -> None:
    url = mariadb.fresh("refused")
    for wrong in (url.replace(PASSWORD, "Secret-99"), url.replace(f":{mariadb.port}/", ":1/")):
        with pytest.raises(OrvaultError) as caught:
            open_ledger(wrong)
        told = "".join(traceback.format_exception(caught.value))
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert "Secret-99" not in told and PASSWORD not in told and "127.0.0.1" in told


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "postgresql://u:Secret-99@h/d",
        "sqlite://",
        "mysql+pymysql://u:Secret-99@h",
        "a:b:Secret-99@",
    ],
)
def test_unusable_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        open_ledger(url)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS
    assert "Secret-99" not in "".join(traceback.format_exception(caught.value))


def test_mariadb_address_may_say_mariadb(mariadb: MariaDb) -> None:
    url = mariadb.fresh("named").replace("mysql+pymysql", "mariadb+pymysql")
    migrate(url)
    ledger = open_ledger(url)
    assert PASSWORD not in ledger.name and PASSWORD not in repr(ledger)
    ledger.close()


def _process(url: str, number: int, runs: dict[str, tuple[str, str]]) -> None:
    ledger = open_ledger(url)
    custody = CustodyService(
        ledger.uow, FakeClock(), FakeRecorders(), FakeCaseKeys(), FakeRenderers(), cheap_passwords()
    )
    run_id, case_id = runs["or1-wall"]
    for n in range(15):
        offered = [make_segment(run_id, case_id, "or1-wall", number * 100 + n, n * 10**6)]
        custody.index_segments(offered, AnyNode())
        with ledger.uow() as uow:
            uow.history.append(n, f"worker:{number}", Act.CASE_CLOSED, "case:x", {})
            uow.commit()
        custody.check_ledger()
    ledger.close()


def test_processes_share_one_sqlite_file(tmp_path: Path) -> None:
    world = make_world(sqlite_url(tmp_path))
    case = world.armed_case()
    view = world.custody.start_recording(world.manager, case.case_id).view
    runs = {run.camera_id: (run.run_id, case.case_id) for run in view.runs}
    before = world.custody.check_ledger()
    context = ready_made()
    processes = [context.Process(target=_process, args=(sqlite_url(tmp_path), n, runs)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    verdict = world.custody.verify_history()
    assert verdict.intact and verdict.size == before + 45
    assert world.custody.recordings(world.manager)[0].segments == 45


def test_sqlite_file_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    migrate(sqlite_url(folder))
    ledger = open_ledger(sqlite_url(folder))
    with ledger.uow() as uow:
        uow.history.append(1, "system", Act.CASE_CLOSED, "case:x", {})
        uow.commit()
        modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert set(modes) >= {"ledger.sqlite", "ledger.sqlite-wal"} and set(modes.values()) == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    ledger.close()
