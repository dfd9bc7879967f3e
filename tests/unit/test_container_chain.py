"""A run's chain: vectors show each way to break one; here any other order is refused, and exports ask for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.container.chain import START, Head, check_run
from orvault.container.segment import SegmentHeader
from orvault.custody.request import RequestState
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.actors_support import make_site
from tests.vectors.segments import run


@dataclass(frozen=True)
class Kept:
    """What an index keeps of a segment."""

    header: SegmentHeader
    digest: str


RUN = [Kept(segment.header, segment.digest) for segment in run()]
END = Head(RUN[-1].header.meta.sequence, RUN[-1].digest)


def test_a_whole_run_ends_at_its_head() -> None:
    assert check_run(RUN, before=START, anchors=[END]) == END
    assert check_run(RUN, before=START, anchors=[Head(2, RUN[2].digest)]) == END, (
        "a run goes on after an anchor"
    )
    assert check_run([], before=START) == START
    assert check_run(RUN[2:], before=Head(1, RUN[1].digest)) == END


@given(st.lists(st.sampled_from(RUN), max_size=8))
def test_nothing_but_the_run_itself_passes_for_it(segments: list[Kept]) -> None:
    if segments == RUN:
        return
    with pytest.raises(OrvaultError) as caught:
        check_run(segments, before=START, anchors=[END])
    assert caught.value.kind in (ErrorKind.ALTERED, ErrorKind.DAMAGED)


@given(st.integers(0, 4), st.integers(1, 5))
def test_without_neighbours_every_unbroken_stretch_passes_and_no_other(first: int, count: int) -> None:
    stretch = RUN[first : first + count]
    assert check_run(stretch).sequence == stretch[-1].header.meta.sequence
    if len(stretch) > 2:
        with pytest.raises(OrvaultError):
            check_run([stretch[0], *stretch[2:]])


def test_an_export_over_a_run_with_a_segment_missing_in_the_ledger_fails_and_opens_no_key(
    tmp_path: Path,
) -> None:
    site = make_site(tmp_path)
    case = site.record(count=3)
    request = site.approved(case)

    class Forgetful(CustodyService):
        def claim_render(self, worker: str = "export") -> Any:
            job = super().claim_render(worker)
            if job is None:
                return None
            (track,) = job.tracks
            return replace(job, tracks=(replace(track, segments=(track.segments[0], *track.segments[2:])),))

    world = site.world
    custody = Forgetful(world.ledger.uow, world.clock, world.recorders, site.keys, world.renderers)
    site.worker(custody).work_off()
    ended = site.request(request.request_id)
    assert ended.state is RequestState.FAILED
    assert "segment 1 is missing" in (ended.failure or "")
    assert "keys-opened" not in world.acts()
