"""Looks that are kept: a second run takes them from the folder, with the processor time that they took."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks.masking_looks import Looks
from orvault.video.codec import Image
from orvault.vision.detection import Detection, Kind
from orvault.vision.detector import DetectorProfile, EnsembleDetector

ROOT = Path(__file__).parents[2]
PICTURES = [np.full((36, 64, 3), grey, np.uint8) for grey in (40, 200)]


@dataclass
class Watcher:
    """Finds a head as bright as the picture, and counts."""

    profile: DetectorProfile = field(default_factory=DetectorProfile)
    asked: int = 0

    def look(self, bgr: Image, number: int) -> list[Detection]:
        self.asked += 1
        return [Detection(Kind.HEAD, 1 / 3, number, bgr[0, 0, 0] / 7, 2e9, 0.1, "movenet", faint=True)]

    def detect(self, bgr: Image) -> list[Detection]:
        return self.look(bgr, -1)

    def detect_thoroughly(self, bgr: Image) -> list[Detection]:
        return self.look(bgr, -2)


def looking(watcher: Watcher, folder: Path | None) -> Looks:
    return Looks(cast(EnsembleDetector, watcher), folder, ROOT / "models")


def seen(looks: Looks) -> list[list[Detection]]:
    found = [looks.look(picture, number) for picture in PICTURES for number in (3, 4)]
    return [*found, looks.detect(PICTURES[0]), looks.detect_thoroughly(PICTURES[0])]


def test_a_look_is_taken_from_the_folder_and_every_other_one_is_not(tmp_path: Path) -> None:
    first, second = Watcher(), Watcher()
    before, after = looking(first, tmp_path), looking(second, tmp_path)
    told = seen(before)
    assert len({repr(found) for found in told}) == 6 == first.asked
    again = looking(second, tmp_path)
    assert seen(again) == told and second.asked == 0
    assert again.spent_s == before.spent_s > 0 == after.spent_s
    other = Watcher(DetectorProfile(face_score=0.4))
    seen(looking(other, tmp_path))
    assert other.asked == 6, "other settings see something else"
    seen(looking(second, None))
    assert second.asked == 6, "without a folder nothing is kept"


def test_a_line_that_was_cut_off_is_looked_at_again(tmp_path: Path) -> None:
    told = seen(looking(Watcher(), tmp_path))
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text()[:-9])
    watcher = Watcher()
    assert seen(looking(watcher, tmp_path)) == told and watcher.asked == 1
    assert seen(looking(watcher, tmp_path)) == told and watcher.asked == 1
