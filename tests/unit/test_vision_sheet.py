from __future__ import annotations

import numpy as np
import pytest

from orvault.errors import OrvaultError
from orvault.vision.sheet import CELL_WIDTH, contact_sheet


def test_pairs_stand_side_by_side_below_each_other() -> None:
    red, green, blue = (
        np.full((360, 1280, 3), colour, np.uint8) for colour in ((0, 0, 255), (0, 255, 0), (255, 0, 0))
    )
    sheet = contact_sheet([(red, green), (blue, red)])
    assert sheet.dtype == np.uint8
    assert 2 * CELL_WIDTH < sheet.shape[1] < 2 * CELL_WIDTH + 60
    rows = [y for y in range(sheet.shape[0]) if tuple(sheet[y, 300]) in {(0, 0, 255), (255, 0, 0)}]
    assert len(rows) == 2 * 180
    assert tuple(sheet[rows[0], 300]) == (0, 0, 255)
    assert tuple(sheet[rows[0], CELL_WIDTH + 300]) == (0, 255, 0)
    assert tuple(sheet[rows[-1], 300]) == (255, 0, 0)


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(OrvaultError):
        contact_sheet([])
