"""Finds where the cells of a marked picture lie in what was found: whole, mirrored or cropped.

Looks for the template only, which all copies of a camera share, so that whose copy it is cannot sway it.
Source: docs/format/mark-v1.md, section 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from orvault.marks.chips import COLUMNS, ROWS, Grid, Template
from orvault.marks.residue import HEIGHT, WIDTH, Plane

SMALLEST = 0.78  # of the width and of the height: what a crop may leave
_TINY = 1e-9  # so that nothing divided by it is nothing
_FINE = 2  # samples per cell in the search
SURE = 8.0
"""Template score that no unmarked picture reaches, for all the windows that are tried (some 10^6, mark-v1, 7.2)."""


@dataclass(frozen=True)
class Window:
    """Which part of the marked picture the one that was found shows; 0 to 1, from the left and the top."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0
    mirrored: bool = False


_WHOLE = (Window(), Window(mirrored=True))


@dataclass(frozen=True)
class Fit:
    """How well the template fits: `score` in standard deviations of an unmarked picture."""

    window: Window
    score: float


def cells_of(plane: Plane, window: Window) -> Grid:
    """The residue of each cell of the marked picture; 0 where the picture that was found does not show it."""
    shown = cv2.flip(plane, 1) if window.mirrored else plane
    # A sample of the marked picture at u (0 to 1) lies in the plane at (u - left) / width.
    matrix = np.array(
        [
            [1 / window.width, 0, _shift(window.left, window.width, WIDTH)],
            [0, 1 / window.height, _shift(window.top, window.height, HEIGHT)],
        ]
    )
    full = cv2.warpAffine(
        shown, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=0.0
    )
    return cv2.resize(full, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)


def _shift(start: float, length: float, samples: int) -> float:
    """Where sample 0 lies in the plane; samples are at the centres of their squares."""
    return (0.5 / samples - start) / length * samples - 0.5


def score(cells: Grid, signs: Grid) -> float:
    """How far the cells lean to these signs, in standard deviations over random signs; 0 signs are left out."""
    norm = float(np.sqrt(np.sum(np.square(cells[signs != 0]))))
    return float(np.sum(cells * signs)) / norm if norm > 0 else 0.0


def find(plane: Plane, templates: Sequence[Template]) -> list[tuple[Fit, ...]]:
    """For each template where its camera's cells may lie: one place, refined, where the template is sure of it.

    A weak template is lost among a million crops, some of which fit better by chance, when the codes, three times as
    many cells, could still be read. So most files, which were not cropped, are not left to it: the whole picture and
    the whole picture mirrored are told then, and the best crop besides.
    """
    whole = [tuple(_fit(plane, template, window) for window in _WHOLE) for template in templates]
    best = [max(fits, key=lambda fit: fit.score) for fits in whole]
    if any(fit.score >= SURE for fit in best):
        return [(_refined(plane, template, fit),) for template, fit in zip(templates, best, strict=True)]
    crops = [
        _refined(plane, template, fit)
        for template, fit in zip(templates, _cropped(plane, templates), strict=True)
    ]
    return [(crop,) if crop.score >= SURE else (*fits, crop) for fits, crop in zip(whole, crops, strict=True)]


def _fit(plane: Plane, template: Template, window: Window) -> Fit:
    return Fit(window, score(cells_of(plane, window), template.signs))


def _cropped(plane: Plane, templates: Sequence[Template]) -> list[Fit]:
    """The best of all crops, at every offset at once by correlation over a Fourier transform."""
    size = (_FINE * COLUMNS, _FINE * ROWS)
    spectra = [
        cv2.dft(cv2.resize(template.signs, size, interpolation=cv2.INTER_NEAREST)) for template in templates
    ]
    best = [Fit(Window(), 0.0)] * len(templates)
    for wide, high in _sizes():
        part = cv2.resize(plane, (wide, high), interpolation=cv2.INTER_AREA)
        canvas = np.zeros((size[1], size[0]), np.float32)
        canvas[:high, :wide] = part
        spectrum = cv2.dft(canvas)
        norm = max(float(np.sqrt(np.sum(np.square(part)))) * 0.5, _TINY)
        for index, wanted in enumerate(spectra):
            product = cv2.mulSpectrums(wanted, spectrum, 0, conjB=True)
            fits = cv2.idft(product, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
            allowed = fits[: size[1] - high + 1, : size[0] - wide + 1]
            _, highest, _, (left, top) = cv2.minMaxLoc(allowed)
            if highest / norm > best[index].score:
                window = Window(left / size[0], top / size[1], wide / size[0], high / size[1])
                best[index] = Fit(window, highest / norm)
    return best


def _sizes() -> Iterator[tuple[int, int]]:
    """Sizes of the part shown, in search samples: half a cell at the picture's edge between two of them."""
    for high in range(_FINE * ROWS, round(SMALLEST * _FINE * ROWS) - 1, -_FINE * 2):
        for wide in range(_FINE * COLUMNS, round(SMALLEST * _FINE * COLUMNS) - 1, -_FINE * 2):
            yield wide, high


def _refined(plane: Plane, template: Template, fit: Fit) -> Fit:
    """Climb from a place that was found: edges are moved by less and less as long as the template fits better."""
    best = _fit(plane, template, fit.window)
    for step in (1.0, 0.5, 0.25, 0.12):
        better = True
        while better:
            better = False
            for window in _neighbours(best.window, step):
                tried = _fit(plane, template, window)
                if tried.score > best.score:
                    best, better = tried, True
    return best


def _neighbours(window: Window, step: float) -> Iterator[Window]:
    """The window with one edge, or both opposite edges, moved by `step` cells."""
    x, y = step / COLUMNS, step / ROWS
    for sign in (-1, 1):
        yield replace(window, left=window.left + sign * x)
        yield replace(window, top=window.top + sign * y)
        yield replace(window, width=window.width + sign * x)
        yield replace(window, height=window.height + sign * y)
        yield replace(window, left=window.left + sign * x, width=window.width - sign * x)
        yield replace(window, top=window.top + sign * y, height=window.height - sign * y)
