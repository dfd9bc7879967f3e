"""The looks of benchmarks.masking: timed, and kept in a folder, so that a run that was ended goes on where it was.

A look is known again by the picture's bytes, by what was asked of the detector, and by the detector's settings and
models. Whoever changes one of them looks anew; whoever changes only how people are followed looks at nothing twice.
Of a changed detector's code it knows nothing: that takes another folder.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TypedDict

from orvault.video.codec import Image
from orvault.vision.detection import Detection, Kind
from orvault.vision.detector import DetectorProfile, EnsembleDetector
from orvault.vision.session import SUMS_FILE


class _Kept(TypedDict):
    """One line of the file."""

    look: str  # what was looked at, and how
    seconds: float  # of processor time
    found: list[tuple[str, float, float, float, float, float, str, bool]]


class Looks:
    """A detector whose looks are counted in processor time, `spent_s`, those too that were kept from another run.

    `folder` None keeps nothing; `models` is the folder of the detector's models.
    """

    def __init__(self, detector: EnsembleDetector, folder: Path | None, models: Path) -> None:
        self._detector = detector
        used = [asdict(detector.profile), (models / SUMS_FILE).read_text(encoding="ascii").split()]
        name = hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()[:16]
        self._file = None if folder is None else folder / f"looks-{name}.jsonl"
        self._kept = _read(self._file) if self._file is not None else {}
        self.spent_s = 0.0

    @property
    def profile(self) -> DetectorProfile:
        """The detector's."""
        return self._detector.profile

    def detect(self, bgr: Image) -> list[Detection]:
        """As EnsembleDetector."""
        return self._look(bgr, "plain", lambda: self._detector.detect(bgr))

    def look(self, bgr: Image, number: int) -> list[Detection]:
        """As EnsembleDetector."""
        return self._look(bgr, str(number % self._turns), lambda: self._detector.look(bgr, number))

    def detect_thoroughly(self, bgr: Image) -> list[Detection]:
        """As EnsembleDetector."""
        return self._look(bgr, "thorough", lambda: self._detector.detect_thoroughly(bgr))

    @property
    def _turns(self) -> int:
        """After so many looks all of them come again."""
        use = self.profile
        return use.persons_every * use.faces_every * use.turned_every * len(use.turned_angles_deg)

    def _look(self, bgr: Image, asked: str, look: Callable[[], list[Detection]]) -> list[Detection]:
        told = hashlib.sha256(f"{asked} {bgr.shape}".encode())
        told.update(bgr.tobytes())
        name = told.hexdigest()[:32]
        if (kept := self._kept.get(name)) is None:
            began = time.process_time()
            found = look()
            kept = _Kept(look=name, seconds=time.process_time() - began, found=[astuple(d) for d in found])
            self._keep(kept)
        self.spent_s += kept["seconds"]
        return [
            Detection(Kind(kind), x1, y1, x2, y2, score, source, faint)
            for kind, x1, y1, x2, y2, score, source, faint in kept["found"]
        ]

    def _keep(self, kept: _Kept) -> None:
        if self._file is None:
            return
        self._kept[kept["look"]] = kept
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(kept) + "\n")


def _read(file: Path) -> dict[str, _Kept]:
    """What was kept, but for a last line that was cut off."""
    if not file.exists():
        return {}
    *whole, _cut = file.read_text(encoding="utf-8").split("\n")
    if _cut:
        file.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
    return {kept["look"]: kept for kept in map(json.loads, whole)}
