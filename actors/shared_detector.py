"""The detector of the process that shows pictures: opened when it is first needed, used by its cameras in turn."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision.detection import Detection
from orvault.vision.detector import Detector, DetectorProfile, EnsembleDetector
from orvault.vision.site import SiteMasking


@dataclass(frozen=True)
class VisionPlan:
    """What people are found with (loaded when the first people-masked view opens), and what is covered besides."""

    models: Path
    provider: str
    threads: int
    masking: SiteMasking = field(default_factory=SiteMasking)


class SharedDetector:
    """One detector for all cameras, opened once it is needed; one look at a time."""

    def __init__(self, plan: VisionPlan) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._detector: EnsembleDetector | None = None
        self._refused: OrvaultError | None = (
            None  # a card; asked at every picture, it would be tried at every one
        )

    def opened(self) -> Detector:
        """Itself, ready. Errors: BAD_MODEL, PROVIDER_MISSING."""
        with self._lock:
            if self._detector is None:
                plan = self._plan
                profile = DetectorProfile(objects=tuple(sorted(plan.masking.objects)))
                if self._refused is not None:
                    raise self._refused.with_traceback(None)  # else it would grow with each raise
                try:
                    self._detector = EnsembleDetector(
                        plan.models, plan.provider, profile=profile, threads=plan.threads
                    )
                except OrvaultError as error:
                    if error.kind is ErrorKind.PROVIDER_MISSING:
                        self._refused = error
                    raise
        return self

    def detect(self, bgr: Image) -> list[Detection]:
        """`orvault.vision.detector.Detector`."""
        with self._lock:
            return self._ready().detect(bgr)

    def look(self, bgr: Image, number: int) -> list[Detection]:
        """`orvault.vision.detector.SteppedDetector`."""
        with self._lock:
            return self._ready().look(bgr, number)

    def detect_thoroughly(self, bgr: Image) -> list[Detection]:
        """`orvault.vision.detector.ThoroughDetector`."""
        with self._lock:
            return self._ready().detect_thoroughly(bgr)

    def _ready(self) -> EnsembleDetector:
        assert self._detector is not None, "opened before"
        return self._detector
