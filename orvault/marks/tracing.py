"""Names the copy that a picture plane was marked as, or says that none can be named.

It knows copies by their ids; which request and recipient they belong to is custody's.
Source: docs/format/mark-v1.md, section 7.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from orvault.marks.chips import Template, code_bits
from orvault.marks.finding import SURE, Fit, Window, cells_of, find
from orvault.marks.keys import code_key, template_key
from orvault.marks.residue import Plane

FALSE_NAMES = 1e-6
"""Of files that carry no mark of a registered copy, at most this share names anybody, whatever they show."""

_BLOCK = 256  # codes at a time: 20 MB


@dataclass(frozen=True)
class Candidate:
    """A copy as it is registered: its id, and the cameras whose pictures it holds."""

    copy_id: str
    camera_ids: tuple[str, ...]


@dataclass(frozen=True)
class Naming:
    """One copy's score in standard deviations, and which part of its picture the file shows."""

    copy_id: str
    camera_id: str
    score: float
    window: Window


@dataclass(frozen=True)
class Trace:
    """What was found: the copies named, the strongest first; none if nothing reaches `threshold`."""

    named: tuple[Naming, ...]
    threshold: float
    strongest: float  # the highest score of all, named or not
    tried: int  # pairs of copy and camera
    camera_known: (
        bool  # a template fits: the file is a marked copy of this site, though perhaps of nobody here
    )

    def chance(self, naming: Naming) -> float:
        """How likely, at most, a file without a mark of any registered copy had given a score as high as this."""
        return min(1.0, self.tried * math.exp(-(naming.score**2) / 2))


def threshold_of(tried: int) -> float:
    """The score that a copy has to reach when `tried` pairs of copy and camera are looked at.

    The signs of a code are independent of whatever the file shows, so by Hoeffding's inequality one score exceeds z
    with probability at most exp(-z*z/2); summed over all that are tried this stays below `FALSE_NAMES`.
    """
    return math.sqrt(2 * math.log(max(1, tried) / FALSE_NAMES))


def trace(plane: Plane, site_key: bytes, candidates: Sequence[Candidate]) -> Trace:
    """Compare the residue of a video (`Residue.plane`) with every registered copy."""
    by_camera: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates:
        for camera_id in candidate.camera_ids:
            by_camera[camera_id].append(candidate.copy_id)
    templates = [Template.of(template_key(site_key, camera_id)) for camera_id in by_camera]
    fits = find(plane, templates)
    scored = [
        Naming(copy_id, camera_id, score, fit.window)
        for (camera_id, copies), template, fit in zip(by_camera.items(), templates, fits, strict=True)
        for copy_id, score in zip(
            copies, _scores(plane, template, fit, site_key, camera_id, copies), strict=True
        )
    ]
    scored.sort(key=lambda naming: -naming.score)
    threshold = threshold_of(len(scored))
    return Trace(
        named=tuple(naming for naming in scored if naming.score >= threshold),
        threshold=threshold,
        strongest=scored[0].score if scored else 0.0,
        tried=len(scored),
        camera_known=any(fit.score >= SURE for fit in fits),
    )


def _scores(
    plane: Plane, template: Template, fit: Fit, site_key: bytes, camera_id: str, copies: Sequence[str]
) -> Iterator[float]:
    """The score of each copy's code, over the cells that a template leaves to codes."""
    cells = np.where(template.code_cells, cells_of(plane, fit.window), 0).reshape(-1)
    norm = float(np.linalg.norm(cells))
    unit = (cells / norm if norm > 0 else cells).astype(np.float32)
    for first in range(0, len(copies), _BLOCK):
        keys = [code_key(site_key, each, camera_id) for each in copies[first : first + _BLOCK]]
        # signs @ unit, with signs = 2 * bits - 1
        yield from (2 * (code_bits(keys).astype(np.float32) @ unit) - unit.sum()).tolist()
