"""Finds people in fragments: decode and inference in one process, boxes out, never a picture."""

from __future__ import annotations

from pathlib import Path

from orvault.rendition import detect_fragment
from orvault.vision.detector import EnsembleDetector
from orvault.vision.mask import FrameDetections


class DetectionActor:
    """One per GPU share or CPU share."""

    CLEAR_CALLS = ("detect",)  # their arguments are pictures: handles.py has them forgotten

    def __init__(self, models: Path, provider: str, threads: int) -> None:
        self._detector = EnsembleDetector(models, provider, threads=threads)

    def provider(self) -> str:
        """The onnxruntime provider it really runs on."""
        return self._detector.provider

    def detect(self, fragment: bytes) -> list[FrameDetections]:
        """Per frame of a clear fragment its detections, or None where detection failed."""
        return detect_fragment(fragment, self._detector)
