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
import numpy.typing as npt

from orvault.marks.chips import Grid, Template, code_bits
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
    compared: int  # each at every place where its camera's cells may lie
    camera_known: (
        bool  # a template fits: the file is a marked copy of this site, though perhaps of nobody here
    )

    def chance(self, naming: Naming) -> float:
        """How likely, at most, a file without a mark of any registered copy had given a score as high as this."""
        return min(1.0, self.compared * math.exp(-(naming.score**2) / 2))


def threshold_of(compared: int) -> float:
    """The score that a copy has to reach when so many scores are looked at.

    The signs of a code are independent of whatever the file shows, so by Hoeffding's inequality one score exceeds z
    with probability at most exp(-z*z/2); summed over all of them this stays below `FALSE_NAMES`.
    """
    return math.sqrt(2 * math.log(max(1, compared) / FALSE_NAMES))


def trace(plane: Plane, site_key: bytes, candidates: Sequence[Candidate]) -> Trace:
    """Compare the residue of a video (`Residue.plane`) with every registered copy."""
    by_camera: dict[str, list[str]] = defaultdict(list)
    for candidate in candidates:
        for camera_id in candidate.camera_ids:
            by_camera[camera_id].append(candidate.copy_id)
    templates = [Template.of(template_key(site_key, camera_id)) for camera_id in by_camera]
    places = find(plane, templates)
    scored = [
        naming
        for (camera_id, copies), template, fits in zip(by_camera.items(), templates, places, strict=True)
        for naming in _scored(plane, template, fits, site_key, camera_id, copies)
    ]
    scored.sort(key=lambda naming: -naming.score)
    compared = sum(len(copies) * len(fits) for copies, fits in zip(by_camera.values(), places, strict=True))
    threshold = threshold_of(compared)
    return Trace(
        named=tuple(naming for naming in scored if naming.score >= threshold),
        threshold=threshold,
        strongest=scored[0].score if scored else 0.0,
        tried=len(scored),
        compared=compared,
        camera_known=any(fit.score >= SURE for fits in places for fit in fits),
    )


def _scored(
    plane: Plane,
    template: Template,
    fits: Sequence[Fit],
    site_key: bytes,
    camera_id: str,
    copies: Sequence[str],
) -> Iterator[Naming]:
    """Each copy's best score over the places, of the cells that a template leaves to codes."""
    units = np.stack([_unit(np.where(template.code_cells, cells_of(plane, fit.window), 0)) for fit in fits])
    for first in range(0, len(copies), _BLOCK):
        block = copies[first : first + _BLOCK]
        bits = code_bits([code_key(site_key, each, camera_id) for each in block]).astype(np.float32)
        scores = 2 * (bits @ units.T) - units.sum(axis=1)  # signs @ units, with signs = 2 * bits - 1
        for copy_id, row in zip(block, scores, strict=True):
            place = int(row.argmax())
            yield Naming(copy_id, camera_id, float(row[place]), fits[place].window)


def _unit(cells: Grid) -> npt.NDArray[np.float32]:
    norm = float(np.linalg.norm(cells))
    return (cells / norm if norm > 0 else cells).astype(np.float32).reshape(-1)
