"""Views in a real browser, from a real H.265 camera and from recorded segments; and once through a whole site."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright
from websockets.sync.client import connect

from cluster.client import ApiClient
from orvault.clock import SystemClock
from orvault.custody.account import Role
from orvault.video.source import CameraAddress, open_source
from tests.e2e.conftest import CLIPS, Handed
from tests.e2e.site import Site, eventually
from tests.rtsp import rtsp_cameras
from tests.viewing_support import Cinema, cinema

CHROMIUM = "/usr/bin/chromium"
OFFICER = Role.PRIVACY_OFFICER
# The picture on the screen: its size, how many of 32 768 colours it has, how unlike the pixels of a cell are.
PICTURE = """() => {
  const video = document.querySelector("video"), canvas = document.createElement("canvas");
  const wide = canvas.width = video.videoWidth, high = canvas.height = video.videoHeight;
  const told = { wide, high, at: video.currentTime, colours: 0, rough: 0,
    words: document.querySelector("p").textContent,
    ahead: video.buffered.length ? video.buffered.end(video.buffered.length - 1) - video.currentTime : 0 };
  if (!wide || video.readyState < 2) return told;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const data = context.getImageData(0, 0, wide, high).data, seen = new Set(), cell = wide / 16;
  let rough = 0, count = 0;
  for (let y = 0; y < high; y += 1) for (let x = 0; x < wide; x += 1) {
    const at = (y * wide + x) * 4;
    seen.add((data[at] >> 3) * 1024 + (data[at + 1] >> 3) * 32 + (data[at + 2] >> 3));
    if (x % cell >= 2 && x % cell < cell - 3 && y % cell >= 2 && y % cell < cell - 2) {
      rough += Math.abs(data[at + 1] - data[at + 5]); count += 1;
    }
  }
  return { ...told, colours: seen.size, rough: rough / count };
}"""
MASKED, CLEAR = 0.7, 1.0  # of `rough`: what a mosaic stays below and a picture of the clip above


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is missing: run scripts/debian-packages.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        made = browser.new_page()
        yield made
        browser.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Cinema]:
    """The camera sends H.265, which the browser does not play."""
    with rtsp_cameras({"wall": CLIPS["wall"]}) as server:
        address = CameraAddress(server.url("wall"))
        with cinema(tmp_path, {"or1-wall": partial(open_source, address, SystemClock())}) as made:
            yield made


def seen(page: Page) -> dict[str, Any]:
    return dict(page.evaluate(PICTURE))


def watch(page: Page, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The picture on the screen once this holds of it."""
    found: list[dict[str, Any]] = []

    def so() -> bool:
        found.append(seen(page))
        return bool(found[-1]["colours"]) and holds(found[-1])

    try:
        eventually(so, 60)
    except AssertionError:
        raise AssertionError(f"never on the screen; the last: {found[-1]}") from None
    return found[-1]


def test_live_pictures_play_masked_clear_and_masked_again(page: Page, house: Cinema) -> None:
    house.grant(OFFICER)
    page.goto(house.live(OFFICER).url)
    masked = watch(page, lambda now: now["at"] > 0.5)
    assert (masked["wide"], masked["high"]) == (128, 72) and masked["rough"] < MASKED
    later = watch(page, lambda now: now["at"] > masked["at"] + 1)
    assert later["ahead"] < 2 and later["words"].startswith("masked")
    house.lift()
    clear = watch(page, lambda now: now["wide"] > 128)
    assert clear["rough"] > CLEAR and clear["colours"] > 1000 and clear["words"].startswith("clear")
    house.mask()
    again = watch(page, lambda now: now["words"].startswith("masked"))
    assert again["wide"] == 128 and again["rough"] < MASKED
    assert all(seen(page)["wide"] == 128 for _ in range(10))


def test_a_stored_view_plays_and_drops_what_it_buffered(page: Page, house: Cinema) -> None:
    case = house.site.record(count=4)
    house.grant(OFFICER, case=case)
    page.goto(house.stored(OFFICER, case).url)
    masked = watch(page, lambda now: now["at"] > 0.2)
    assert masked["wide"] == 1280 and masked["rough"] < MASKED
    house.lift()
    clear = watch(page, lambda now: now["words"].startswith("clear"))
    assert clear["rough"] > CLEAR
    house.mask()
    again = watch(page, lambda now: now["words"].startswith("masked"))
    assert again["rough"] < MASKED and again["at"] >= clear["at"] - 0.1
    page.evaluate("document.querySelector('video').currentTime = 6.5")
    end = watch(page, lambda now: now["at"] >= 6.5)
    assert end["rough"] < MASKED


def test_a_view_that_ends_leaves_the_screen_empty(page: Page, house: Cinema) -> None:
    page.goto(house.live(OFFICER).url)
    watch(page, lambda now: now["at"] > 0.2)
    administrator = house.account(Role.SYSTEM_ADMINISTRATOR)
    house.custody.disable_account(administrator, house.account(OFFICER).account_id)
    eventually(lambda: not seen(page)["wide"] and "disabled" in seen(page)["words"], 60)


# --- through a whole site


def test_a_site_shows_live_and_stored_pictures(
    site: Site, asker: ApiClient, approver: ApiClient, handed: Handed
) -> None:
    assert {state["masked"] for state in approver.get("/quick-mask")} == {True}
    live = asker.post("/views/live", {"camera_id": "wall"})
    assert live["showing"] == "masked"
    with connect(live["socket"]) as socket:
        begin = json.loads(socket.recv(60))
        while begin["type"] != "begin":
            begin = json.loads(socket.recv(60))
        assert begin["showing"] == "masked"
        pieces = [socket.recv(60) for _ in range(5)]
        assert all(isinstance(piece, bytes) for piece in pieces)
    (run,) = [r for r in asker.get("/recordings", case_id=handed.case_id) if r["camera_id"] == "ceiling"]
    wish = {"case_id": handed.case_id, "camera_id": "ceiling", "from": run["from"], "to": run["to"]}
    stored = asker.post("/views/stored", wish)
    playlist = httpx.get(stored["playlist"], trust_env=False, timeout=60)
    assert playlist.status_code == 200 and playlist.text.count("#EXTINF") == run["segments"]
    segment = httpx.get(stored["url"] + "0.m4s", trust_env=False, timeout=60)
    assert segment.status_code == 200 and segment.content[4:8] == b"moof", segment.text[:300]
    lifted = approver.post("/quick-mask/lift", {"camera_id": "wall", "minutes": 1, "reason": "look"})
    assert [s["camera_id"] for s in lifted if not s["masked"]] == ["wall"]
    assert {s["masked"] for s in asker.post("/quick-mask", {"reason": "enough"})} == {True}
    acts = [entry["act"] for entry in approver.get("/history", limit="200")]
    assert {"view-started", "mask-lifted", "mask-set", "keys-opened"} <= set(acts)
