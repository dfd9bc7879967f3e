"""Gap records on disk: kept beside their segments once each, and whole or absent after a power cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orvault.container.gap import Gap, signed_gap
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import PART
from orvault.recording.gaps import GapStore
from orvault.recording.store import SegmentStore
from tests.unit.power_cut import each_power_cut
from tests.unit.store_support import NODE, RUN, everything_below, root

__all__ = ["root"]

GAP = signed_gap(Gap("cam-1", "case-1", "run-1", 100, 200, "away"), NODE)


def test_gaps_are_kept_beside_their_segments_once_each(root: Path) -> None:
    store = GapStore(root)
    later = signed_gap(replace(GAP, from_us=300, to_us=400, reason="환기"), NODE)
    paths = [store.write(later), store.write(GAP), store.write(GAP)]
    assert paths[1] == paths[2] and paths[1].startswith("case-1/cam-1/run-1/gaps/")
    assert list(GapStore(root).scan()) == [GAP, later]
    assert [gap.envelope for gap in GapStore(root).scan()] == [GAP.envelope, later.envelope]
    assert list(SegmentStore(root).scan()) == []


def test_power_cut_leaves_a_gap_record_whole_or_absent(tmp_path: Path) -> None:
    runs = 0

    def prepare() -> None:
        nonlocal runs
        runs += 1

    for returned in each_power_cut(lambda disk: GapStore(tmp_path / str(runs), disk).write(GAP), prepare):
        root = tmp_path / str(runs)
        assert list(GapStore(root).scan()) in (([GAP],) if returned else ([], [GAP]))
        SegmentStore(root).clean(*RUN)
        assert not [name for name in everything_below(root) if name.endswith(PART)]
        GapStore(root).write(GAP)
        assert list(GapStore(root).scan()) == [GAP]


@pytest.mark.parametrize("change", [{"case_id": "../x"}, {"to_us": 100}, {"from_us": -5}, {"envelope": b""}])
def test_a_senseless_gap_is_refused(change: dict[str, object], root: Path) -> None:
    with pytest.raises(OrvaultError) as caught:
        GapStore(root).write(replace(GAP, **change))  # type: ignore[arg-type]
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_a_damaged_gap_record_is_named(root: Path) -> None:
    path = root / GapStore(root).write(GAP)
    path.write_bytes(b"{}")
    with pytest.raises(OrvaultError) as caught:
        list(GapStore(root).scan())
    assert caught.value.kind is ErrorKind.DAMAGED and path.name in str(caught.value)
