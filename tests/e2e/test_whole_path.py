"""From two real RTSP cameras, one H.264 and one H.265, to the recipient's player."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from cluster.client import ApiClient
from orvault.clock import SystemClock
from orvault.container.package import PackageReader
from orvault.container.segment import read_header
from orvault.container.trust import load_pem, to_der
from tests.e2e.conftest import CLIPS, MEDIA, Handed
from tests.e2e.site import Site, download, ended, eventually, player, wish
from tests.e2e.site import export as export_request

TRUTH = {"ceiling": MEDIA / "crossing.json", "wall": MEDIA / "still_patient.json"}
CODECS = {"ceiling": "h264", "wall": "hevc"}


def frames_of(source: Any) -> list[np.ndarray]:
    with av.open(source, mode="r") as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def thumb(frame: np.ndarray) -> np.ndarray:
    return cv2.resize(frame, (32, 18), interpolation=cv2.INTER_AREA).astype(np.float32)


@pytest.fixture(scope="module")
def played(site: Site, handed: Handed) -> dict[str, list[np.ndarray]]:
    """Every frame of the package."""
    with PackageReader.open(handed.package) as reader:
        root = site.data / "keys/root.pem"
        reader.verify_label([to_der(cert) for cert in load_pem(root.read_bytes(), root)], _now_us())
        reader.unlock(site.recipient_password_file.read_text())
        return {camera: frames_of(reader.media(camera)) for camera in CLIPS}


def _now_us() -> int:
    return SystemClock().now_us()


def matched(
    played: list[np.ndarray], camera: str
) -> Iterator[tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]]:
    """(frame out of the package, the clip's frame of the same moment, its people) for every tenth frame."""
    clip = frames_of(str(CLIPS[camera]))
    thumbs = np.stack([thumb(frame) for frame in clip])
    truth = json.loads(TRUTH[camera].read_text())["frames"]
    for frame in played[::10]:
        index = int(np.abs(thumbs - thumb(frame)).mean(axis=(1, 2, 3)).argmin())
        yield frame, clip[index], truth[index]["persons"]


@pytest.mark.parametrize("camera", CLIPS)
def test_segments_on_disk_are_what_each_camera_sent(site: Site, handed: Handed, camera: str) -> None:
    paths = sorted((site.data / "segments/or-client-1" / handed.case_id / camera).glob("*/*.seg"))
    headers = [read_header(path.read_bytes()) for path in paths]
    assert len(headers) >= 2
    assert {header.meta.codec for header in headers} == {CODECS[camera]}
    assert [header.meta.sequence for header in headers] == list(range(len(headers)))
    assert all(1.5 < (h.meta.end_us - h.meta.start_us) / 1e6 < 3.5 for h in headers[:-1])


@pytest.mark.parametrize("camera", CLIPS)
def test_people_are_masked_and_the_rest_is_the_picture(
    played: dict[str, list[np.ndarray]], camera: str
) -> None:
    seen = 0
    for frame, original, people in matched(played[camera], camera):
        difference = np.abs(frame.astype(int) - original.astype(int)).mean(axis=2)
        for person in people:
            if person["head_visible_frac"] > 0.5:
                x1, y1, x2, y2 = (round(value) for value in person["head_box"])
                changed = (difference[max(0, y1) : y2, max(0, x1) : x2] > 6).mean()
                assert changed > 0.5, f"a head at {x1},{y1} looks as it did"
                seen += 1
        # Elsewhere: the floor in the lower left corner, where nobody walks in either clip.
        assert np.median(difference[-80:, :80]) < 6
        assert np.median(difference) < 12
    assert seen > 10


@pytest.mark.parametrize("camera", CLIPS)
def test_the_watermark_is_where_it_was_asked_for(played: dict[str, list[np.ndarray]], camera: str) -> None:
    frame, original, _ = next(matched(played[camera], camera))
    difference = np.abs(frame.astype(int) - original.astype(int)).mean(axis=2)
    height, width = difference.shape
    top_left = difference[: height // 10, : width // 3]
    bottom_right = difference[-height // 10 :, -width // 3 :]
    assert (top_left > 60).sum() > 200
    assert (bottom_right > 60).sum() < (top_left > 60).sum() / 4


def test_the_player_calls_it_genuine_with_the_pinned_root(site: Site, handed: Handed) -> None:
    root = ("--root", site.data / "keys/root.pem")
    secret = ("--password-file", site.recipient_password_file)
    verdict = player("verify", handed.package, *root, *secret)
    assert verdict.returncode == 0, verdict.stderr
    assert "Genuine" in verdict.stdout
    run = player("play", handed.package, "--headless", "--accept-terms", "--json", *root, *secret)
    assert run.returncode == 0, run.stderr
    counted = {item["camera_id"]: item["frames"] for item in json.loads(run.stdout)["played"]}
    assert set(counted) == set(CLIPS)
    assert min(counted.values()) >= 60


def test_without_the_pin_it_is_intact_and_unknown(site: Site, handed: Handed) -> None:
    verdict = player("verify", handed.package, "--password-file", site.recipient_password_file)
    assert verdict.returncode == 16
    assert "issuer unknown" in verdict.stdout


def test_history_tells_the_whole_story_in_order(site: Site, handed: Handed) -> None:
    acts = [entry["act"] for entry in site.client("approver").get("/history", limit="200")][::-1]
    story = [
        "case-armed",
        "recording-started",
        "export-submitted",
        "export-approved",
        "keys-opened",
        *(["render-held", "render-released"] if "render-held" in acts else ["render-finished"]),
    ]
    places = [next(i for i, act in enumerate(acts) if act == step) for step in story if step in acts]
    assert len(places) == len(story), sorted(set(acts))
    assert places == sorted(places)


def test_an_export_survives_the_death_of_its_worker(
    site: Site, asker: ApiClient, approver: ApiClient, handed: Handed
) -> None:
    body = wish(asker, site, handed.case_id, camera_ids=["ceiling"])
    request_id = asker.post("/exports", body)["id"]
    approver.post(f"/exports/{request_id}/approve")
    eventually(lambda: asker.get(f"/exports/{request_id}")["progress"]["done"] > 0, 120)
    site.kill("ray::ExportActor")
    eventually(lambda: ended(asker, approver, request_id), 240)
    assert asker.get(f"/exports/{request_id}")["state"] == "ready"
    acts = [entry for entry in approver.get("/history", limit="200") if entry["act"] == "render-started"]
    epochs = [entry["detail"]["epoch"] for entry in acts if request_id in entry["subject"]]
    assert sorted(epochs) == [1, 2]


def test_whole_picture_masking_shows_nothing(
    site: Site, asker: ApiClient, approver: ApiClient, handed: Handed, tmp_path: Path
) -> None:
    body = wish(
        asker, site, handed.case_id, camera_ids=["ceiling"], masking={"mode": "picture", "style": "solid"}
    )
    request = export_request(asker, approver, body)
    package = download(asker, request["id"], tmp_path / "picture.orvault")
    with PackageReader.open(package) as reader:
        reader.verify_label([], _now_us())
        reader.unlock(site.recipient_password_file.read_text())
        for frame in frames_of(reader.media("ceiling"))[::10]:
            below_mark = frame[frame.shape[0] // 4 :]
            assert below_mark.std() < 4, "something of the picture shows"
