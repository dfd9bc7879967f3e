"""Pictures that carry a mark, and whom they name."""

from __future__ import annotations

import cv2
import numpy as np

from orvault.marks.keys import mark_key
from orvault.marks.painter import MarkPainter
from orvault.marks.residue import Residue
from orvault.marks.tracing import Candidate, Trace, trace
from orvault.video.codec import Luma

SITE_KEY = bytes(range(32))
CAMERA = "or1-wall"
COPIES = [Candidate(f"copy-{number}", (CAMERA,)) for number in range(300)]


def gray(seed: int = 1, spread: float = 12.0) -> Luma:
    """A picture of smooth shapes, 960x540."""
    rng = np.random.default_rng(seed)
    rough = cv2.resize(
        rng.normal(0, 30, (9, 16)).astype(np.float32), (960, 540), interpolation=cv2.INTER_CUBIC
    )
    fine = cv2.resize(rng.normal(0, spread, (180, 320)).astype(np.float32), (960, 540))
    picture: Luma = np.clip(120 + rough + fine, 0, 255).astype(np.uint8)
    return picture


def marked(luma: Luma, copy_id: str = "copy-7", site_key: bytes = SITE_KEY, camera: str = CAMERA) -> Luma:
    picture = luma.copy()
    MarkPainter(mark_key(site_key, copy_id, camera), luma.shape[1], luma.shape[0]).paint(picture, 0)
    return picture


def traced(picture: Luma) -> Trace:
    residue = Residue()
    residue.add(picture)
    return trace(residue.plane, SITE_KEY, COPIES)


def names(found: Trace) -> set[str]:
    return {naming.copy_id for naming in found.named}
