"""One call each: who has seen a recording, what an account did, everything about an export."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.services import ledger_address
from cluster.settings import load_settings
from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.case import Case
from orvault.custody.history import Act
from orvault.custody.retention import DAY_US
from orvault.custody.service import SeenSpan
from orvault.custody.viewing import Showing, ViewKind
from orvault.errors import ErrorKind, OrvaultError
from orvault.papers.export_report import _particulars, export_report
from orvault.papers.language import Language
from orvault.papers.paper import Paper
from tests.contract.test_history_tampering import SIGNER
from tests.fakes import CAMERAS, PASSWORD, World, make_world, sqlite_url
from tests.unit.api_support import Api, is_problem, make_api
from tests.unit.test_settings import GOOD

CLIENT = "192.0.2.9"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(sqlite_url(tmp_path))
    yield made
    made.ledger.close()


def watch(world: World, case: Case | None, camera: str, spans: list[SeenSpan]) -> str:
    """The records manager looks at a camera, live or at what it recorded."""
    by = world.manager
    session = world.custody.sign_in(by.name, PASSWORD, CLIENT).session.session_id
    if case is None:
        opened = world.custody.ask_live(by, session, camera, client=CLIENT)
    else:
        assert case.armed_us is not None
        opened = world.custody.ask_stored(
            by, session, case.case_id, camera, case.armed_us, case.armed_us + 8 * US_PER_S, client=CLIENT
        )
    view_id = opened.view.view_id
    world.custody.open_view(view_id, CLIENT)
    world.custody.note_viewed(view_id, spans)
    return view_id


def test_who_has_seen_a_recording(world: World) -> None:
    case = world.recorded_case(5, "2026-1")
    assert case.armed_us is not None
    other = world.recorded_case(5, "2026-2")
    span = SeenSpan(case.armed_us, case.armed_us + 4 * US_PER_S, Showing.MASKED)
    view = watch(world, case, "or1-wall", [span])
    watch(world, other, "or1-wall", [span])
    request = world.ready(case)
    link, package = world.custody.issue_link(world.manager, request.request_id)
    world.custody.open_download(package.package_id, link.link_id, CLIENT)
    world.clock.us += 400 * DAY_US
    world.custody.forget_views(())
    found = world.custody.recording_access(world.accounts[Role.AUDITOR], case.case_id)
    assert {each.view_id for each in found.seen} == {view}
    begun, seen = found.seen
    assert begun.spans == () and seen.spans == (span,)
    assert (seen.account_id, seen.camera_id, seen.kind) == (
        world.manager.account_id,
        "or1-wall",
        ViewKind.STORED,
    )
    assert [(copy.act, copy.recipients) for copy in found.copies] == [
        (Act.LINK_ISSUED, ("Court",)),
        (Act.DOWNLOADED, ("Court",)),
    ]
    with pytest.raises(OrvaultError) as caught:
        world.custody.recording_access(world.manager, case.case_id)
    assert caught.value.kind is ErrorKind.FORBIDDEN


def test_who_watched_the_operation_live(world: World) -> None:
    def live(camera: str) -> str:
        now = world.clock.now_us()
        return watch(world, None, camera, [SeenSpan(now, now + US_PER_S, Showing.MASKED)])

    live("or1-wall")  # before it
    world.clock.us += 60 * US_PER_S
    case = world.armed_case()
    world.clock.us += 60 * US_PER_S
    during = live("or1-lamp")
    live("or2-wall")  # another room
    world.clock.us += 60 * US_PER_S
    world.custody.close_case(world.manager, case.case_id)
    world.clock.us += 60 * US_PER_S
    live("or1-wall")  # after it
    found = world.custody.recording_access(None, case.case_id)
    assert {each.view_id for each in found.seen} == {during}
    assert all(each.kind is ViewKind.LIVE for each in found.seen)


def test_who_watched_it_live_is_told_although_the_camera_moved(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    now = world.clock.now_us()
    during = watch(world, None, "or1-wall", [SeenSpan(now, now + US_PER_S, Showing.MASKED)])
    world.clock.us += 60 * US_PER_S
    world.custody.close_case(world.manager, case.case_id)
    world.custody.register_cameras([replace(camera, room="OR 9") for camera in CAMERAS])
    assert {each.view_id for each in world.custody.recording_access(None, case.case_id).seen} == {during}


def test_a_camera_that_was_only_watched_live_is_told_of_where_it_was_then(world: World) -> None:
    case = world.armed_case()
    now = world.clock.now_us()
    during = watch(world, None, "or1-lamp", [SeenSpan(now, now + US_PER_S, Showing.MASKED)])
    elsewhere = watch(world, None, "or2-wall", [SeenSpan(now, now + US_PER_S, Showing.MASKED)])
    world.clock.us += 60 * US_PER_S
    world.custody.close_case(world.manager, case.case_id)
    rooms = {"or1-lamp": "OR 9", "or2-wall": "OR 1"}
    world.custody.register_cameras([replace(c, room=rooms.get(c.camera_id, c.room)) for c in CAMERAS])
    seen = {each.view_id for each in world.custody.recording_access(None, case.case_id).seen}
    assert during in seen and elsewhere not in seen


def test_what_an_account_has_done_and_had_done(world: World) -> None:
    clerk = world.account(Role.CLINICAL_STAFF, "clerk")
    world.custody.sign_in("clerk", PASSWORD)
    acts = [entry.act for entry in world.custody.account_history(clerk, clerk.account_id)]
    assert acts == [Act.SIGNED_IN, Act.ACCOUNT_CREATED]
    newest = world.custody.account_history(world.accounts[Role.AUDITOR], clerk.account_id, limit=1)
    rest = world.custody.account_history(None, clerk.account_id, newest[0].seq)
    assert [entry.act for entry in (*newest, *rest)] == acts
    for asker, account_id in ((clerk, world.manager.account_id), (clerk, "unknown"), (None, "unknown")):
        with pytest.raises(OrvaultError) as caught:
            world.custody.account_history(asker, account_id)
        assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("language", Language)
def test_everything_about_an_export_as_a_paper(world: World, language: Language) -> None:
    request = world.ready(world.recorded_case())
    world.custody.make_checkpoint(SIGNER)
    dossier = world.custody.export_dossier(world.manager, request.request_id)
    acts = [entry.act for entry in dossier.entries]
    assert (acts[0], acts[-1]) == (Act.EXPORT_SUBMITTED, Act.RENDER_FINISHED) and Act.EXPORT_APPROVED in acts
    assert dossier.checkpoint is not None and dossier.hospital == "서울병원"
    names = world.custody.account_names(dossier.account_ids)
    assert names[world.manager.account_id] and names[world.officer.account_id]
    pdf = export_report(dossier, names, language)
    assert pdf == export_report(dossier, names, language) and pdf.startswith(b"%PDF-")
    assert f"/Lang ({language.value})".encode() in pdf
    paper = Paper("t", "i", dossier.asked_us, language)
    told = _particulars(paper, dossier.entries[0].detail)
    assert f"from: {paper.second(request.wish.from_us)}" in told and "_us" not in told
    other = world.account(Role.RECORDS_MANAGER, "second")
    with pytest.raises(OrvaultError) as caught:
        world.custody.export_dossier(other, request.request_id)
    assert caught.value.kind is ErrorKind.NOT_FOUND


def test_over_the_api(tmp_path: Path) -> None:
    api: Api = make_api(tmp_path)
    world = api.world
    case = world.recorded_case()
    assert case.armed_us is not None
    watch(world, case, "or1-lamp", [SeenSpan(case.armed_us, case.armed_us + 10, Showing.MASKED)])
    request = world.ready(case)
    access = api.get(f"cases/{case.case_id}/access", Role.PRIVACY_OFFICER).json()
    assert access["seen"][1]["spans"][0]["showing"] == "masked"
    assert access["seen"][0]["account_name"] == world.manager.display_name
    assert is_problem(api.get(f"cases/{case.case_id}/access", Role.CLINICAL_STAFF), 403, "forbidden")
    own = api.get(f"accounts/{world.manager.account_id}/history", Role.RECORDS_MANAGER).json()
    assert {entry["actor_name"] for entry in own if entry["actor"].startswith("account:")}
    assert is_problem(
        api.get(f"accounts/{world.officer.account_id}/history", Role.RECORDS_MANAGER), 404, "not-found"
    )
    paper = api.get(f"exports/{request.request_id}/report?language=en", Role.RECORDS_MANAGER)
    assert (
        paper.headers["content-type"] == "application/pdf" and io.BytesIO(paper.content).read(5) == b"%PDF-"
    )
    assert is_problem(api.get("history/checkpoint", Role.AUDITOR), 404, "not-found")
    made = world.custody.make_checkpoint(SIGNER)
    assert made is not None
    world.custody.checkpoint_taken("folder", made.size)
    shown = api.get("history/checkpoint", Role.AUDITOR).json()
    assert shown["note"] == made.note and shown["taken_by"] == ["folder"]
    told = api.get("history/verdict", Role.AUDITOR).json()
    assert told["intact"] and told["checkpoints"] == 1 and told["findings"] == []


def test_at_the_command_line(tmp_path: Path) -> None:
    config = tmp_path / "ray_config.yaml"
    config.write_text(GOOD)
    settings = load_settings(config)
    settings.data.mkdir()
    world = make_world(ledger_address(settings).resolve())
    case = world.recorded_case()
    assert case.armed_us is not None
    watch(world, case, "or1-wall", [SeenSpan(case.armed_us, case.armed_us + 10, Showing.MASKED)])
    request = world.ready(case)
    file = tmp_path / "report.pdf"

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner(env={"COLUMNS": "250"}).invoke(
            app, ["history", *arguments, "--config", str(config)]
        )
        return result.exit_code, " ".join(result.output.split())

    code, said = run("case", case.case_id)
    assert code == 0 and "or1-wall" in said and "masked" in said and world.manager.display_name in said
    code, said = run("account", world.manager.name)
    assert code == 0 and "export-submitted" in said and "signed-in" in said
    code, said = run("export", request.request_id, str(file), "--language", "en")
    assert code == 0 and file.read_bytes().startswith(b"%PDF-")
    assert run("export", request.request_id, str(file))[0] == 1  # not overwritten
    assert run("case", "unknown")[0] == 18
    world.ledger.close()
