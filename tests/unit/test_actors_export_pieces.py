"""A rendering in pieces: a killed worker's successor goes on, and packages that wait for a reviewer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors import render_pieces
from actors.kept_pieces import KeptPieces
from actors.render_pieces import Piece
from actors.render_work import RenderWork
from actors.second_looking import LookOrder
from orvault.container.package import PackageReader
from orvault.custody.account import Role
from orvault.custody.request import ExportRequest, RequestState
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import decode_fragment
from orvault.video.placing import Reached
from orvault.vision.second_look import Left, Trial
from tests.unit.actors_support import START_US, Site, make_site
from tests.unit.test_actors_export import HEAD, INSIDE, done, flat, opened, pictures

SEGMENTS = 3
LEFT = Left(pts_90k=6000, box=(10, 20, 60, 80), score=0.75, source="yunet-head")


class Killed(BaseException):
    """What no worker survives."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(render_pieces, "PIECE_S", 2)  # one segment
    monkeypatch.setattr(render_pieces, "LEAST_PIECE_S", 2)
    made = make_site(tmp_path)
    made.detection.finds = lambda _picture: [HEAD]
    return made


def killed_at(site: Site, monkeypatch: pytest.MonkeyPatch, look: int) -> None:
    """A worker that dies when it asks for this second look, from 1."""
    ask = site.detection.look_again
    asked = 0

    def die(order: LookOrder) -> Any:
        nonlocal asked
        asked += order.trial is None
        if asked == look:
            raise Killed
        return ask(order)

    with monkeypatch.context() as patched:
        patched.setattr(site.detection, "look_again", die)
        with pytest.raises(Killed):
            site.worker().work_off()


def work_files(site: Site) -> list[Path]:
    return sorted(path for path in site.packages.rglob("*.work/*"))


def test_a_killed_workers_successor_goes_on_from_the_last_finished_piece(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.approved(site.record(count=SEGMENTS))
    killed_at(site, monkeypatch, SEGMENTS)
    assert site.detection.asked == SEGMENTS and site.detection.outputs == SEGMENTS - 1
    assert sum(map(len, site.detection.thorough_s)) == 3, "it is short"
    finished = [path.name for path in work_files(site) if path.name.endswith("piece")]
    assert len(finished) == SEGMENTS - 1  # what was made is kept, whatever becomes of the next
    site.worker().work_off()
    assert site.detection.asked == SEGMENTS, "nobody was looked for twice"
    assert site.detection.outputs == 2 * SEGMENTS - 1 - len(finished)
    with opened(site, site.request(request.request_id)) as reader:
        frames = pictures(reader)
        assert len(frames) == 30 * SEGMENTS and all(flat(frame, INSIDE) for frame in frames)
        times = [frame.pts_90k for frame in frames]
        assert times == sorted(set(times)) and times[0] == 0
    assert work_files(site) == [] and not list(site.packages.glob("*.work"))


def test_in_one_go_and_after_a_kill_the_same_video_comes_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = site.record(count=SEGMENTS)
    whole = done(site, case)
    killed = site.approved(case)
    killed_at(site, monkeypatch, 2)
    site.worker().work_off()
    seen = []
    for request in (whole, site.request(killed.request_id)):
        with opened(site, request) as reader:
            info = reader.manifest.media[0]
            seen.append((info.frames, info.start_us, info.end_us, info.gaps, _times(reader)))
    assert seen[0] == seen[1]


def _times(reader: PackageReader) -> list[int]:
    return [frame.pts_90k for frame in decode_fragment(reader.media("or1-wall").read())]


def test_pieces_on_disk_are_sealed_and_a_spoiled_one_is_made_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.approved(site.record(count=SEGMENTS))
    killed_at(site, monkeypatch, SEGMENTS)
    files = work_files(site)
    assert len(files) > SEGMENTS
    for path in files:
        data = path.read_bytes()
        assert b"moov" not in data and b"reached" not in data and b"head" not in data
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    asked = site.detection.asked
    site.worker().work_off()
    assert site.detection.asked == asked + SEGMENTS
    with opened(site, site.request(request.request_id)) as reader:
        assert len(pictures(reader)) == 30 * SEGMENTS


def test_one_spoiled_piece_among_good_ones_is_made_again_in_its_place(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.approved(site.record(count=SEGMENTS))
    killed_at(site, monkeypatch, SEGMENTS)
    pieces = [path for path in work_files(site) if path.name.endswith("piece")]
    spoiled = pieces[len(pieces) // 2 - 1]
    spoiled.write_bytes(spoiled.read_bytes()[:-1] + b"\0\1")
    site.worker().work_off()
    with opened(site, site.request(request.request_id)) as reader:
        times = _times(reader)
    assert len(times) == 30 * SEGMENTS and times == sorted(set(times))


def test_findings_that_cannot_be_read_back_put_the_work_off_and_do_not_pass_for_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.approved(site.record(count=1))
    read = RenderWork.get

    def spoiled(work: RenderWork, name: str, key: bytes) -> bytes | None:
        return None if name.endswith("-found") else read(work, name, key)

    with monkeypatch.context() as patched:
        patched.setattr(RenderWork, "get", spoiled)
        site.worker().work_off()
    waits = site.request(request.request_id)
    assert waits.state is RequestState.APPROVED
    site.world.clock.us += 3600 * 1_000_000
    site.worker().work_off()
    assert site.request(request.request_id).state is RequestState.READY


def test_what_the_pieces_are_bound_to_is_the_same_in_every_process() -> None:
    script = (
        "from actors.render_masking import masking_in_words as words\n"
        "from orvault.vision.mask import MaskMode, MaskStyle\n"
        "from orvault.vision.site import SiteMasking\n"
        "print(words(MaskMode.HEAD, MaskStyle.SOLID, SiteMasking(objects=frozenset({'tv', 'laptop', 'cell phone'}))))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1 and "laptop" in said.pop()


def test_a_piece_opens_for_its_own_request_name_and_keys_only(tmp_path: Path) -> None:
    work = RenderWork(tmp_path / "w", {"request": "1"})
    key = work.key([b"a" * 32, b"b" * 32])
    work.put("one", key, b"data")
    assert work.get("one", key) == b"data" and work.get("two", key) is None
    (tmp_path / "w" / "two").write_bytes((tmp_path / "w" / "one").read_bytes())
    assert work.get("two", key) is None
    assert work.get("one", work.key([b"a" * 32])) is None
    other = RenderWork(tmp_path / "w", {"request": "2"})
    assert other.get("one", other.key([b"a" * 32, b"b" * 32])) is None
    work.remove()
    assert not (tmp_path / "w").exists()


def test_a_record_that_was_written_otherwise_is_no_finished_piece(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work, key = RenderWork(tmp_path / "w", {"request": "1"}), b"a" * 32
    kept = KeptPieces("or1-wall", work, [(0, 1)], [key], 0, "")
    piece = Piece(0, 15, ((1, 2),), (), START_US, START_US + 1, Reached(15), 15, (LEFT,))
    kept.finish(0, piece)
    assert kept.finished(0) == piece
    fields = json.loads(piece.to_bytes())
    for other in (fields | {"trial": "seen"}, {"frames": 15}, [], fields | {"left": [{"box": 1}]}):
        work.put("or1-wall-00000-piece", work.key([key]), json.dumps(other).encode())
        assert kept.finished(0) is None
    assert caplog.text.count("is made again") == 4


def test_what_comes_bit_by_bit_is_kept_when_it_is_whole_and_nothing_of_it_otherwise(tmp_path: Path) -> None:
    work = RenderWork(tmp_path / "w", {"request": "1"})
    key = work.key([b"a" * 32])
    with pytest.raises(Killed), work.putting("half", key) as sink:
        sink.write(b"clear")
        raise Killed
    with work.putting("empty", key):
        pass
    assert list((tmp_path / "w").iterdir()) == []
    with work.putting("whole", key) as sink:
        sink.write(b"one ")
        assert work.get("whole", key) is None
        sink.write(b"two")
    assert work.get("whole", key) == b"one two" and len(list((tmp_path / "w").iterdir())) == 1


@pytest.mark.parametrize("exchanged", [False, True])
def test_what_other_models_made_is_not_gone_on_with(
    site: Site, monkeypatch: pytest.MonkeyPatch, exchanged: bool
) -> None:
    site.approved(site.record(count=SEGMENTS))
    killed_at(site, monkeypatch, SEGMENTS)
    finished = sum(path.name.endswith("piece") for path in work_files(site))
    asked, outputs = site.detection.asked, site.detection.outputs
    if exchanged:
        site.detection.known = "other models"
    site.worker().work_off()
    anew = site.detection.asked - asked, site.detection.outputs - outputs
    assert anew == ((SEGMENTS, SEGMENTS) if exchanged else (0, SEGMENTS - finished))


def test_workers_that_get_further_are_not_counted_as_tries(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.approved(site.record(count=5))
    for _ in range(3):  # as many as a request has tries; each finishes one piece
        killed_at(site, monkeypatch, 2)
    site.worker().work_off()
    assert site.request(request.request_id).state is RequestState.READY


def test_workers_that_get_nowhere_are(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    request = site.approved(site.record(count=2))
    for _ in range(3):
        killed_at(site, monkeypatch, 1)
    site.worker().work_off()
    assert site.request(request.request_id).state is RequestState.FAILED
    site.worker().work_off()
    assert work_files(site) == []


# --- what the second look found ---


def held(site: Site) -> ExportRequest:
    site.detection.left = (LEFT,)
    request = done(site, site.record(count=1))
    assert request.state is RequestState.REVIEW and request.second_look is not None
    return request


def _refused(kind: ErrorKind, call: Any) -> None:
    with pytest.raises(OrvaultError) as caught:
        call()
    assert caught.value.kind is kind


def test_a_package_in_which_something_is_left_waits_for_a_reviewer(site: Site) -> None:
    request = held(site)
    custody, manager, officer = site.world.custody, site.world.manager, site.world.officer
    look = request.second_look
    assert look is not None and (look.left, look.trial.value) == (1, "seen")
    (finding,) = look.findings
    assert (finding.camera_id, finding.box, finding.score_permille) == ("or1-wall", LEFT.box, 750)
    assert finding.taken_us == pytest.approx(request.wish.from_us + 66_667, abs=10_000_000)
    _refused(ErrorKind.NOT_APPROVED, lambda: custody.issue_link(manager, request.request_id))
    _refused(ErrorKind.SELF_APPROVAL, lambda: custody.release_export(manager, request.request_id, "no"))
    for role in (Role.AUDITOR, Role.CLINICAL_STAFF, Role.SYSTEM_ADMINISTRATOR):
        account = site.world.accounts[role]
        _refused(ErrorKind.FORBIDDEN, lambda by=account: custody.release_export(by, request.request_id, "x"))
    _refused(ErrorKind.BAD_REQUEST, lambda: custody.release_export(officer, request.request_id, " "))
    released = custody.release_export(officer, request.request_id, "a poster, no person")
    assert released.state is RequestState.READY and released.reviewed_by == officer.account_id
    assert custody.issue_link(manager, request.request_id)
    acts = site.world.acts()
    assert acts.index("render-held") < acts.index("render-released") and "render-finished" not in acts
    _refused(ErrorKind.CONFLICT, lambda: custody.release_export(officer, request.request_id, "again"))


def test_a_reviewer_refuses_and_the_package_goes(site: Site) -> None:
    request = held(site)
    assert list(site.packages.glob("*.orvault"))
    refused = site.world.custody.refuse_export(site.world.officer, request.request_id, "a face is seen")
    assert refused.state is RequestState.REFUSED and refused.decided_by == request.decided_by
    assert refused.reviewed_by == site.world.officer.account_id
    site.worker().work_off()
    assert list(site.packages.glob("*")) == []


def test_a_looker_that_misses_what_was_left_out_on_purpose_is_not_believed(site: Site) -> None:
    site.detection.trial = Trial.MISSED
    request = done(site, site.record(count=2))
    assert request.state is RequestState.REVIEW
    assert request.second_look is not None and request.second_look.trial.value == "missed"


def test_nothing_but_a_reviewer_releases(site: Site) -> None:
    case = site.record(count=1)
    request = site.approved(case)
    _refused(
        ErrorKind.CONFLICT,
        lambda: site.world.custody.release_export(site.world.officer, request.request_id, "go"),
    )
