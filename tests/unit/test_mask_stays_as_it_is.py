"""What masks cover changes on purpose only: digests of the plans of the repository's clips, and of made-up rooms.

`tests/media/found.json.gz` holds what the models found in the clips in November 2026 (rounded to hundredths of a
pixel), so that no model runs here. Whoever changes the rules of following replaces the digests, with the figures of
`python -m benchmarks.masking` at hand. What follows people in less memory must not touch them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.vision.candidates import Candidate
from orvault.vision.detection import SKIPPED, Detection, FrameDetections, Kind
from orvault.vision.following import find_tracks
from orvault.vision.modes import MaskMode, MaskPolicy
from orvault.vision.ongoing import Ongoing
from orvault.vision.pieces import Piece
from orvault.vision.planning import plan_regions, trusted
from tests.unit.made_up_findings import HEIGHT, THINGS, WIDTH, room
from tests.unit.vision_media import MEDIA

FPS = 15.0
FOUND = json.loads(gzip.decompress((MEDIA / "found.json.gz").read_bytes()))
CLIPS = {
    "both_up": "ab80cad084ea3347",
    "crossing": "a309daa964867fc7",
    "lamp_adjust": "db031316cc455833",
    "raise_left": "4263c2de7ecf3076",
    "raise_left_side": "ea6d93dac2deb31f",
    "raise_right": "67e361aa6555a651",
    "raise_right_back": "2b693781b27c8bff",
    "still_patient": "5694a94b3245f77f",
}
ROOMS = {
    0: "2f63b9fdfdfe9cf5",
    1: "f7b321c2e5fc9b7d",
    2: "95f6a77caed377d2",
    3: "6971fb6fd8f0e9ba",
    4: "1c5e21249a6ebc25",
    5: "9cb79ef46211489f",
}
LIVE = {(1, MaskMode.BODY): "7cd93eb65393e5a2", (2, MaskMode.HEAD): "798ccbba19f578b6"}


def digest(frames: Sequence[FrameDetections]) -> str:
    """Of the plans in all modes."""
    told = hashlib.sha256()
    for mode in (MaskMode.HEAD, MaskMode.FACE, MaskMode.BODY):
        policy = MaskPolicy(mode, objects=frozenset(THINGS))
        told.update(repr(plan_regions(frames, policy, WIDTH, HEIGHT, fps=FPS)).encode())
    return told.hexdigest()[:16]


def in_clip(name: str) -> list[FrameDetections]:
    return [
        SKIPPED if look is None else [Detection(Kind(kind), *rest) for kind, *rest in look]
        for look in FOUND[name]
    ]


def in_room(seed: int) -> list[FrameDetections]:
    return list(room(seed, 250 + 60 * seed, people=2 + seed, chance=seed / 2, every=2 + seed))


@pytest.mark.parametrize("name", CLIPS)
def test_the_clips_are_masked_as_they_were(name: str) -> None:
    assert digest(in_clip(name)) == CLIPS[name]


@pytest.mark.parametrize("seed", ROOMS)
def test_made_up_rooms_are_masked_as_they_were(seed: int) -> None:
    assert digest(in_room(seed)) == ROOMS[seed]


@pytest.mark.parametrize(("seed", "mode"), LIVE)
def test_made_up_rooms_are_masked_live_as_they_were(seed: int, mode: MaskMode) -> None:
    ongoing = Ongoing(MaskPolicy(mode, objects=frozenset(THINGS)), WIDTH, HEIGHT)
    told = hashlib.sha256()
    for at, found in enumerate(room(seed, 90, people=3 + seed, chance=0.4 * seed, every=1)):
        if isinstance(found, list):
            told.update(repr(ongoing.look(at * 22_500, found)).encode())
    assert told.hexdigest()[:16] == LIVE[seed, mode]


def test_a_digest_tells_a_single_finding() -> None:
    frames = in_clip("crossing")
    look = next(at for at in range(60, 150) if isinstance(frames[at], list))
    frames[look] = []
    assert digest(frames) != CLIPS["crossing"]


def test_following_holds_some_bytes_of_each_finding() -> None:
    """Six hours of 12 findings a look are a million of them; a request's worker has 1.5 GB."""

    def most_bytes(pictures: int) -> tuple[int, int]:
        told = 0

        def counted() -> list[FrameDetections]:
            nonlocal told
            for found in room(3, pictures, people=8, chance=0.2):
                told += len(found) if isinstance(found, list) else 0
                yield found

        tracemalloc.start()
        find_tracks(counted(), MaskMode.BODY, WIDTH, HEIGHT, fps=FPS)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most, told

    (less, few), (more, many) = most_bytes(600), most_bytes(1800)
    assert (more - less) / (many - few) < 200


LOOK = st.sampled_from([SKIPPED, SKIPPED, SKIPPED, None, []])


@given(st.lists(LOOK, max_size=60))
def test_what_is_trusted_is_told_picture_by_picture_as_if_all_were_known(
    frames: list[FrameDetections],
) -> None:
    def is_told_too_little(at: int) -> bool:
        before = next((i for i in range(at - 1, -1, -1) if frames[i] is not SKIPPED), None)
        after = next((i for i in range(at + 1, len(frames)) if frames[i] is not SKIPPED), None)
        beside = [i for i in (before, after) if i is not None]
        run = (len(frames) if after is None else after) - (-1 if before is None else before) - 1
        return any(frames[i] is None for i in beside) or run > (5 if len(beside) == 2 else 2.5)

    expected = [
        None if found is SKIPPED and is_told_too_little(at) else found for at, found in enumerate(frames)
    ]
    assert list(trusted(iter(frames), fps=5.0)) == expected


@given(
    st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.booleans()), min_size=1, max_size=40), st.data()
)
def test_a_piece_tells_what_was_put_in(rows: list[tuple[int, bool, bool]], data: st.DataObject) -> None:
    pieces, frame = [Piece()], 0
    told: list[tuple[int, Candidate]] = []
    for step, sure, embodied in rows:
        frame += step
        body = (0.0, 0.5, 9.0, frame + 0.25) if embodied else None
        found = Candidate(
            (frame / 3, 1.0, frame + 2.0, 7.0),
            0.5,
            sure,
            not sure,
            embodied,
            frozenset({f"m{step}"}),
            body=body,
        )
        if len(pieces[-1]) and data.draw(st.integers(0, 3)) == 0:
            pieces.append(Piece())
        pieces[-1].add(frame, found)
        told.append((frame, found))
    whole = Piece.chained(pieces)
    cut, least = data.draw(st.integers(0, frame + 1)), data.draw(st.integers(0, 5))
    assert (whole.first, whole.last, len(whole)) == (told[0][0], frame, len(told))
    assert whole.sources == frozenset().union(*(found.sources for _, found in told))
    assert whole.firm == len(told) and whole.sure_ever == sum(found.sure for _, found in told)
    whole.cut(cut, least)
    kept = [each for at, each in enumerate(told) if each[0] >= cut or at >= len(told) - least]
    assert whole.frames.tolist() == [at for at, _ in kept]
    assert list(map(tuple, whole.regions.tolist())) == [found.box for _, found in kept]
    assert whole.sure.tolist() == [found.sure for _, found in kept]
    assert whole.turned.tolist() == [found.turned for _, found in kept]
    assert whole.is_face.tolist() == [found.is_face for _, found in kept]
    assert [None if body[0] != body[0] else tuple(body) for body in whole.bodies.tolist()] == [
        found.body for _, found in kept
    ]
