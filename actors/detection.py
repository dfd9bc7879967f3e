"""Finds people in fragments: decode and inference in one process, boxes out, never a picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from actors.second_looking import LookAnswer, LookOrder, look_again
from orvault.vision.detector import DetectorProfile, EnsembleDetector
from orvault.vision.looking import detect_fragment
from orvault.vision.mask import FrameDetections
from orvault.vision.second_look import SecondLook
from orvault.vision.session import CPU, models_digest


class DetectionActor:
    """One per GPU share or CPU share."""

    CLEAR_CALLS = ("detect", "look_again")  # their arguments are pictures: handles.py has them forgotten

    def __init__(
        self,
        models: Path,
        provider: str,
        threads: int,
        objects: tuple[str, ...] = (),
        batch: int | None = None,
    ) -> None:
        profile = DetectorProfile(objects=objects)
        self._models = models_digest(models)
        self._detector = EnsembleDetector(models, provider, profile=profile, threads=threads, batch=batch)
        self._open_eyes = partial(SecondLook, models, provider, threads=threads)
        # On the processor they are loaded when an export asks for them; a card has to be proven for them now.
        self._eyes = None if self._detector.provider == CPU else self._open_eyes()

    def provider(self) -> str:
        """The onnxruntime provider it really runs on."""
        return self._detector.provider

    def models(self) -> str:
        """A digest of the models that were there when it started."""
        return self._models

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> list[FrameDetections]:
        """Per frame of a clear fragment its detections, or None where detection failed; see `detect_fragment`."""
        return detect_fragment(fragment, self._detector, thorough_s=thorough_s)

    def look_again(self, order: LookOrder) -> LookAnswer:
        """The second look at a piece of what will leave."""
        if self._eyes is None:
            self._eyes = self._open_eyes()
        return look_again(order, self._eyes)
