"""From a scan through real detection to a package in which one person is left clear, and nobody else."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pytest

from actors.following import Followed
from actors.second_looking import LookAnswer, LookOrder, look_again
from orvault.clock import US_PER_S
from orvault.container.keys import Recipient
from orvault.container.package import PackageReader
from orvault.custody.account import Role
from orvault.custody.choice import DrawnKey, DrawnRegion
from orvault.custody.request import ExportRequest, RequestState
from orvault.custody.scan import FoundTrack, Scan, ScanState
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Frame
from orvault.vision.detection import FrameDetections
from orvault.vision.detector import EnsembleDetector
from orvault.vision.looking import detect_fragment
from orvault.vision.mask import SOLID_BGR
from orvault.vision.second_look import SecondLook
from player.show import manifest_facts, manifest_lines
from tests.unit.actors_support import START_US, Site, make_site
from tests.unit.container_support import recipient_key
from tests.unit.test_actors_export import HEAD, opened, pictures
from tests.unit.vision_media import HEIGHT, MODELS, WIDTH, heads, truth

CLIP = "../raise_right"  # two stand there, apart; beside the camera clips
SEGMENTS = 2
Box = tuple[float, float, float, float]
T = TypeVar("T")


@dataclass
class _Now(Generic[T]):
    make: Callable[[], T]

    def result(self) -> T:
        return self.make()


class RealDetection:
    """The detection actors' work in this process, with the real models."""

    def __init__(self) -> None:
        self.detected = 0

    def width(self) -> int:
        return 1

    def models(self) -> str:
        return ""

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> _Now[list[FrameDetections]]:
        self.detected += 1
        return _Now(lambda: detect_fragment(fragment, _detector(), thorough_s=thorough_s))

    def look_again(self, order: LookOrder) -> _Now[LookAnswer]:
        return _Now(lambda: look_again(order, _eyes()))


@functools.cache
def _detector() -> EnsembleDetector:
    return EnsembleDetector(MODELS, "cpu", threads=2)


@functools.cache
def _eyes() -> SecondLook:
    return SecondLook(MODELS, "cpu", threads=2)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_site(tmp_path)
    made.tools = replace(made.tools, crf=18)
    return made


def drafted(site: Site, clip: str = CLIP) -> ExportRequest:
    case = site.record(cameras=(("or1-wall", clip),), count=SEGMENTS)
    recipients = (Recipient("Court", recipient_key().public(), None, None),)
    wish = site.world.wish(case, recipients=recipients, from_us=START_US)
    return site.world.custody.draft_export(site.world.manager, wish)


def scanned(site: Site, request: ExportRequest) -> Scan:
    site.world.custody.order_scan(site.world.manager, request.request_id)
    site.worker().scanner.work_off()
    return site.world.custody.scan(site.world.manager, request.request_id)


def submitted(site: Site, request: ExportRequest) -> ExportRequest:
    site.world.custody.submit_draft(site.world.manager, request.request_id)
    for officer in (site.world.officer, site.world.account(Role.PRIVACY_OFFICER, "second")):
        site.world.custody.approve_export(officer, request.request_id)
    site.worker().work_off()
    return site.request(request.request_id)


def covered(frame: Frame, box: Box) -> float:
    """The share of a box that has the mask's colour."""
    x1, y1, x2, y2 = (round(side) for side in box)
    off = np.abs(frame.bgr[y1:y2, x1:x2].astype(int) - SOLID_BGR).max(axis=2)
    return float((off <= 24).mean())


def start_us(site: Site, request: ExportRequest) -> int:
    with site.world.ledger.uow(read_only=True) as uow:
        return uow.segments.of(request.wish.case_id, "or1-wall", 0, 1 << 60)[0].header.meta.start_us


def test_one_is_left_clear_everybody_else_and_what_was_drawn_is_covered(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    detection = RealDetection()
    site.tools = replace(site.tools, detection=detection)
    request = drafted(site)
    scan = scanned(site, request)
    assert scan.state is ScanState.DONE and (looked := detection.detected) > 0, scan.failure
    (camera,) = scan.cameras
    left, right = sorted((t for t in camera.tracks if t.clearable), key=lambda t: t.box_micro)
    assert {left.kind, right.kind} == {"person"} and left.person != right.person
    _check_box(left, 0)

    began = start_us(site, request)
    box = (0, 800_000, 100_000, 1_000_000)
    keys = tuple(DrawnKey(began + s * US_PER_S, box) for s in (1, 2))
    drawn = [DrawnRegion("or1-wall", "trolley", keys)]
    clear = [("or1-wall", left.name)]
    site.world.custody.choose_masking(site.world.manager, request.request_id, scan.scan_id, clear, drawn)
    ready = submitted(site, request)
    assert detection.detected == looked, "what the scan found is what the rendering takes"
    assert ready.state is RequestState.READY, (ready.failure, ready.second_look)
    assert ready.second_look is not None and ready.second_look.left == 0

    with opened(site, ready) as reader:
        _check_pictures(pictures(reader))
        _check_told(site, reader, left, capsys)
    assert list(site.packages.glob("*.work")) == []


def _check_box(track: FoundTrack, number: int) -> None:
    """It lies on the truth's head."""
    x1, y1, x2, y2 = (
        s * limit / 10**6 for s, limit in zip(track.box_micro, (WIDTH, HEIGHT) * 2, strict=True)
    )
    known = sorted(box for _, box in heads(truth("raise_right")[45]))
    middle = (known[number][0] + known[number][2]) / 2, (known[number][1] + known[number][3]) / 2
    assert x1 < middle[0] < x2 and y1 < middle[1] < y2


def _check_pictures(frames: list[Frame]) -> None:
    known = truth("raise_right")
    known = known[len(known) - len(frames) :]  # what lies before the period that is asked for is left out
    clear = covered_others = 0
    for number, frame in enumerate(frames):
        people = sorted((box for _, box in heads(known[number])), key=lambda b: b[0])
        inner = [(x1 + 8, y1 + 8, x2 - 8, y2 - 8) for x1, y1, x2, y2 in people]
        assert all(covered(frame, each) > 0.95 for each in inner[1:]), number
        covered_others += len(inner) - 1
        if 6 <= number <= len(frames) - 6:  # before the first finding and after the last one: only held
            assert covered(frame, inner[0]) < 0.2, number
            clear += 1
        trolley = covered(frame, (4, 0.8 * HEIGHT + 4, 0.1 * WIDTH - 4, HEIGHT - 4))
        if 12 <= number <= 27:  # 1 s to 2 s after the first picture of all
            assert trolley > 0.95, number
        elif number < 10 or number > 29:
            assert trolley < 0.2, number
    assert clear > 20 and covered_others > 20


def _check_told(
    site: Site, reader: PackageReader, left: FoundTrack, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = site.world.custody.history(site.world.accounts[Role.AUDITOR], limit=200)
    acts = [entry.act for entry in reversed(entries)]
    assert acts.index("scan-ordered") < acts.index("keys-opened") < acts.index("scan-finished")
    told = json.loads(next(e.detail for e in entries if e.act == "masking-chosen"))
    purposes = [json.loads(e.detail)["purpose"] for e in entries if e.act == "keys-opened"]
    assert purposes == ["render", "scan"]
    choice = reader.manifest.terms.masking_choice
    assert choice is not None and choice.to_json() == {k: v for k, v in told.items() if k != "scan"}
    assert choice.by == site.world.manager.display_name
    assert [part.track for part in choice.clear] == [left.name]
    assert manifest_facts(reader.manifest)["terms"]["masking_choice"] == choice.to_json()  # type: ignore[index]
    manifest_lines(reader.manifest)
    shown = capsys.readouterr().out
    assert f"or1-wall, person {left.name}," in shown and "or1-wall, trolley," in shown and choice.by in shown


# --- what a rendering does where the tracks are not those that were chosen from; heads that a test puts there ---


def test_nothing_is_left_clear_by_guess(site: Site) -> None:
    site.detection.finds = lambda _picture: [HEAD]
    request = drafted(site, "or1-ceiling")
    scan = scanned(site, request)
    (track,) = [t for t in scan.cameras[0].tracks if t.clearable]
    clear = [("or1-wall", track.name)]
    site.world.custody.choose_masking(site.world.manager, request.request_id, scan.scan_id, clear)
    for path in site.packages.rglob("*-found"):
        path.unlink()  # another program version: nothing of it opens any more
    site.detection.finds = lambda picture: [replace(HEAD, x2=HEAD.x2 + picture % 2)]
    failed = submitted(site, request)
    assert failed.state is RequestState.FAILED and "by guess" in (failed.failure or "")
    assert not list(site.packages.glob("*.orvault"))


def test_what_was_found_is_made_again_where_it_is_lost_and_then_it_is_the_same(site: Site) -> None:
    site.detection.finds = lambda _picture: [HEAD]
    request = drafted(site, "or1-ceiling")
    scan = scanned(site, request)
    (track,) = [t for t in scan.cameras[0].tracks if t.clearable]
    clear = [("or1-wall", track.name)]
    site.world.custody.choose_masking(site.world.manager, request.request_id, scan.scan_id, clear)
    for path in site.packages.rglob("*-found"):
        path.write_bytes(b"spoiled")
    asked = site.detection.asked
    ready = submitted(site, request)
    assert site.detection.asked == asked + SEGMENTS and ready.state is RequestState.READY
    with opened(site, ready) as reader:
        x1, y1, x2, y2 = (
            side * limit / 10**6 for side, limit in zip(track.box_micro, (WIDTH, HEIGHT) * 2, strict=True)
        )
        middle = pictures(reader)[30]
        assert covered(middle, (x1 + 4, y1 + 4, x2 - 4, y2 - 4)) < 0.5


def test_a_node_that_is_away_puts_a_scan_off_and_damage_ends_it(site: Site) -> None:
    site.detection.finds = lambda _picture: [HEAD]
    request = drafted(site, "or1-ceiling")
    site.detection.raises = [OrvaultError(ErrorKind.UNAVAILABLE, "The detection actor does not answer.")]
    assert scanned(site, request).state is ScanState.WAITING
    site.world.clock.us += 16 * 60 * US_PER_S
    path = next((site.node.root / request.wish.case_id).rglob("*.seg"))
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    site.worker().scanner.work_off()
    scan = site.world.custody.scan(site.world.manager, request.request_id)
    assert scan.state is ScanState.FAILED and scan.failure and "/" not in scan.failure


def test_a_draft_that_expires_leaves_nothing_on_disk(site: Site) -> None:
    site.detection.finds = lambda _picture: [HEAD]
    request = drafted(site, "or1-ceiling")
    assert scanned(site, request).state is ScanState.DONE
    (folder,) = site.packages.glob("*.work")
    assert all(b"head" not in path.read_bytes() for path in folder.iterdir())
    site.world.clock.us = request.validity.until_us
    site.worker().work_off()
    assert site.request(request.request_id).state is RequestState.EXPIRED
    assert list(site.packages.iterdir()) == []


def test_a_locked_key_store_leaves_scans_waiting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    request = drafted(site, "or1-ceiling")
    monkeypatch.setattr(site.keys, "unlocked", lambda: False)
    assert scanned(site, request).state is ScanState.WAITING


def test_clear_parts_of_other_tracks_are_refused_before_any_plan() -> None:
    followed = Followed((), frozenset(), (), "a" * 64, 15.0)
    assert followed.clear([], "") == {}
    for digest in ("", "b" * 64):
        with pytest.raises(OrvaultError) as caught:
            followed.clear(["1.1"], digest)
        assert caught.value.kind is ErrorKind.BAD_REQUEST
