"""From a key to signs: which cells of a picture carry the template, which the code, and whether lighter or darker.

Knows neither pictures (painter, residue) nor who has which copy (custody).
Source: docs/format/mark-v1.md, section 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from orvault.marks.keys import MarkKey

COLUMNS, ROWS = 192, 108
CELLS = COLUMNS * ROWS
TEMPLATE_BELOW = 64  # of 256: a quarter of the cells

Grid = npt.NDArray[np.float32]
"""(ROWS, COLUMNS) float32, one value per cell."""


@dataclass(frozen=True)
class Template:
    """Where the template's cells lie: `signs` is +1 or -1 there, and 0 where the code's cells are."""

    signs: Grid = field(repr=False)

    @classmethod
    def of(cls, key: bytes) -> Template:
        """Expand a template key."""
        stream = _expand(key, 2 * CELLS)
        taken = stream[:CELLS] < TEMPLATE_BELOW
        signs = np.where(stream[CELLS:] & 1, 1, -1) * taken
        return cls(signs.astype(np.float32).reshape(ROWS, COLUMNS))

    @property
    def code_cells(self) -> npt.NDArray[np.bool_]:
        """(ROWS, COLUMNS) bool: the cells that are left for codes."""
        free: npt.NDArray[np.bool_] = self.signs == 0
        return free


def code_bits(keys: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Codes: (len(keys), CELLS) uint8 of 0 and 1, cells row by row; those of the template are not used."""
    packed = np.stack([_expand(key, CELLS // 8) for key in keys])
    return np.unpackbits(packed, axis=1)


def code_signs(key: bytes) -> Grid:
    """One code as +1 (lighter) and -1 (darker) in each cell."""
    return (2 * code_bits([key]).astype(np.float32) - 1).reshape(ROWS, COLUMNS)


def pattern(key: MarkKey) -> Grid:
    """The mark: +1 or -1 in each cell."""
    template = Template.of(key.template)
    return np.where(template.code_cells, code_signs(key.code), template.signs).astype(np.float32)


def _expand(key: bytes, count: int) -> npt.NDArray[np.uint8]:
    # A sponge keyed by a prefix of one length is a pseudo-random function: KMAC (NIST SP 800-185) is built so.
    return np.frombuffer(hashlib.shake_256(key).digest(count), np.uint8)
