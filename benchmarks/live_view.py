"""python -m benchmarks.live_view: how long a live picture takes from the camera to the glass, for each variant.

Pictures carry their number as black and white cells in their top row, so that a mosaic shows it too. The camera is a
paced file, whose packets' moments are noted as they leave it; a real browser on the same machine reads the number off
each picture that it shows, and the moment at which it is on the screen. What a camera itself takes to expose and to
code, and its network, come on top. Reported, not a goal.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from benchmarks import report
from orvault.clock import SystemClock
from orvault.custody.account import Role
from orvault.custody.viewing import Showing
from orvault.video.encoding import Mp4Encoder
from orvault.video.packet import Packet, PacketSource, StreamInfo
from orvault.video.source import CameraAddress, open_source
from orvault.vision.detector import EnsembleDetector
from tests.viewing_support import Cinema, cinema

WIDTH, HEIGHT, FPS, LENGTH_S, CELLS = 1280, 720, 15, 30, 16
WATCH_S = 12.0
MODELS = Path(__file__).resolve().parents[1] / "models"
# The number in the top row of cells of every picture that is shown, and the moment in ms since 1970.
READ = """() => {
  const video = document.querySelector("video"), canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  canvas.width = 16; canvas.height = 1; window.shown = [];
  const look = (_now, frame) => {
    const cell = video.videoWidth / 16;
    let number = 0;
    for (let at = 0; at < 16; at += 1) {
      context.drawImage(video, at * cell + cell / 2, cell / 2, 1, 1, at, 0, 1, 1);
    }
    const row = context.getImageData(0, 0, 16, 1).data;
    for (let at = 0; at < 16; at += 1) number = number * 2 + (row[at * 4] > 127);
    window.shown.push([number, performance.timeOrigin + frame.expectedDisplayTime]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}"""


class NotingSource:
    """A camera that notes when each picture left it."""

    def __init__(self, source: PacketSource, left_ms: dict[int, float]) -> None:
        self._source, self._left_ms = source, left_ms

    @property
    def info(self) -> StreamInfo:
        """The stream."""
        return self._source.info

    def __iter__(self) -> Iterator[Packet]:
        """Each packet when it is there."""
        for number, packet in enumerate(self._source):
            self._left_ms[number % (FPS * LENGTH_S)] = time.time() * 1000
            yield packet

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def make_clip(path: Path) -> None:
    """Numbered pictures over a ground that moves."""
    rng = np.random.default_rng(5)
    ground = rng.integers(60, 180, (HEIGHT // 80, WIDTH // 40, 3), dtype=np.uint8).repeat(80, 0).repeat(80, 1)
    cell = WIDTH // CELLS
    with path.open("wb") as file:
        encoder = Mp4Encoder(file, WIDTH, HEIGHT, FPS, preset="ultrafast")
        for number in report.steps(range(FPS * LENGTH_S), "Making numbered pictures"):
            bgr = np.ascontiguousarray(ground[:, number % WIDTH : number % WIDTH + WIDTH])
            for at in range(CELLS):
                bgr[:cell, at * cell : (at + 1) * cell] = 255 * (number >> (CELLS - 1 - at) & 1)
            encoder.write(bgr, number * 90_000 // FPS)
        encoder.close()


def delays(browser: Browser, house: Cinema, wanted: Showing, left_ms: dict[int, float]) -> list[float]:
    """Milliseconds from camera to glass of the pictures of some seconds, once the view is steady."""
    page = browser.new_page()
    page.goto(house.live(Role.CLINICAL_STAFF, wanted=wanted).url)
    page.wait_for_selector(f"body[data-showing='{wanted.value}']", timeout=60_000)
    page.wait_for_timeout(5_000)
    page.evaluate(READ)
    page.wait_for_timeout(WATCH_S * 1000)
    shown: list[list[float]] = page.evaluate("window.shown")
    page.close()
    # Number 0 is also what a picture that is covered whole shows.
    return [at - left_ms[int(number)] for number, at in shown if number and int(number) in left_ms]


def figures(name: str, found: list[float]) -> dict[str, Any]:
    """The middle and the worst twentieth, and how many pictures a second were shown."""
    if len(found) < 2:
        return {f"{name}_ms": None}
    return {
        f"{name}_ms": round(statistics.median(found)),
        f"{name}_p95_ms": round(statistics.quantiles(found, n=20)[-1]),
        f"{name}_fps": round(len(found) / WATCH_S, 1),
    }


def main() -> int:
    """Measure and report."""
    left_ms: dict[int, float] = {}
    fields: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        clip = Path(folder) / "numbered.mp4"
        make_clip(clip)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        address = CameraAddress(f"file:{clip}")

        def camera() -> PacketSource:
            return NotingSource(open_source(address, SystemClock()), left_ms)

        eyes = EnsembleDetector(MODELS, "auto", threads=2)
        with cinema(Path(folder) / "site", {"or1-wall": camera}, eyes=eyes) as house:
            house.grant(Role.CLINICAL_STAFF)
            house.lift()
            for wanted in report.steps(list(Showing), "Watching"):
                fields |= figures(wanted.value.replace("-", "_"), delays(browser, house, wanted, left_ms))
        browser.close()
    goal = "reported; under 1000 ms on a quiet machine"
    return report.finish("live_view", fields, goal, ok=True, libraries=["av", "websockets", "playwright"])


if __name__ == "__main__":
    sys.exit(main())
