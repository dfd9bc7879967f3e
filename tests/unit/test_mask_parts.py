"""What of tracks may be left clear: where it is in doubt whom one follows, it stays masked."""

from __future__ import annotations

import numpy as np
import pytest

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.detection import Detection, FrameDetections
from orvault.vision.following import find_tracks
from orvault.vision.modes import MaskMode, MaskPolicy
from orvault.vision.parts import TrackPart, chosen, parts_of
from orvault.vision.planning import WHOLE, plan_tracks
from orvault.vision.tracks import MaskTrack, TrackKind, digest_of
from tests.unit.test_mask_tracks import FPS, H, W, covers, head, looks, square

HEAD = MaskPolicy(MaskMode.HEAD, margin=0)


def tracks_of(frames: list[FrameDetections]) -> list[MaskTrack]:
    return find_tracks(frames, MaskMode.HEAD, W, H, fps=FPS)


def spans(parts: list[TrackPart], track_id: int) -> list[tuple[int, int]]:
    return [(part.first, part.last) for part in parts if part.track_id == track_id]


def test_who_is_alone_and_found_all_the_time_may_be_left_clear_from_first_to_last() -> None:
    tracks = tracks_of(looks(60, lambda _i: [head(100), head(400)], every=3))
    assert parts_of(tracks, FPS) == [TrackPart("1.1", 1, 0, 59), TrackPart("2.1", 2, 0, 59)]


def test_where_two_pass_each_other_both_stay_masked() -> None:
    def at(i: int) -> list[Detection]:
        return [head(40 + 5 * i, 100), head(540 - 5 * i, 150)]

    tracks = tracks_of(looks(100, at))
    parts = parts_of(tracks, FPS)
    for track in tracks:
        for begin, end in spans(parts, track.track_id):
            assert not any(begin <= i <= end for i in range(44, 57)), "they are side by side at 50"
    assert len({part.track_id for part in parts}) == 2
    # and whichever is chosen, the other's mask lies over both where they meet
    everything = chosen(parts, [part.name for part in parts])
    made = list(plan_tracks(tracks, (0, 100), HEAD, W, H, clear=everything))
    assert covers(made[50], square(290, 100)) and covers(made[50], square(290, 150))
    assert not made[10].boxes and len(made[10].clear) == 2


def test_after_a_gap_it_may_be_somebody_else() -> None:
    tracks = tracks_of(looks(90, lambda i: [] if 30 <= i < 45 else [head(100 + i)]))
    parts = parts_of(tracks, FPS)
    assert [track.track_id for track in tracks] == [1], "one track, bridged"
    first, second = spans(parts, 1)
    assert first[1] <= 29 and second[0] >= 45
    assert parts[1].name == "1.2"


def test_whoever_lies_and_what_is_only_held_is_never_left_clear() -> None:
    def at(i: int) -> list[Detection]:
        return [head(500)] * (40 <= i < 80) + [head(100, 200, source="yunet-turned")] * (i in (10, 60))

    tracks = tracks_of(looks(120, at))
    parts = parts_of(tracks, FPS)
    lying = next(track for track in tracks if track.kind is TrackKind.LYING)
    (standing,) = [track for track in tracks if track.kind is TrackKind.PERSON]
    assert spans(parts, lying.track_id) == []
    assert (standing.first, standing.last) == (0, 119), "held to the ends"
    assert spans(parts, standing.track_id) == [(40, 79)]


def test_a_part_left_clear_is_not_masked_and_nothing_else_changes() -> None:
    tracks = tracks_of(looks(40, lambda _i: [head(100), head(400)]))
    clear = chosen(parts_of(tracks, FPS), ["1.1"])
    made = list(plan_tracks(tracks, (0, 40), HEAD, W, H, clear=clear, blind=[30]))
    usual = list(plan_tracks(tracks, (0, 40), HEAD, W, H, blind=[30]))
    assert not covers(made[5], square(100)) and covers(made[5], square(400))
    assert made[5].clear == tuple(set(usual[5].boxes) - set(made[5].boxes))
    assert made[30] == WHOLE
    pieces = [
        p for s in ((0, 7), (7, 40)) for p in plan_tracks(tracks, s, HEAD, W, H, clear=clear, blind=[30])
    ]
    assert pieces == made


@pytest.mark.parametrize("name", ["1", "1.2", "9.1", "", "1.1 ", "x" * 500])
def test_a_name_that_no_part_has_is_refused(name: str) -> None:
    parts = parts_of(tracks_of(looks(40, lambda _i: [head(100)])), FPS)
    with pytest.raises(OrvaultError) as caught:
        chosen(parts, ["1.1", name])
    assert caught.value.kind is ErrorKind.BAD_REQUEST and repr(name[:20]) in caught.value.message


def test_a_digest_tells_any_two_lists_of_tracks_apart() -> None:
    frames = looks(40, lambda i: [head(100 + i), head(400)])
    tracks = tracks_of(frames)
    assert digest_of(tracks) == digest_of(tracks_of(frames))
    moved = tracks[0].boxes.copy()
    moved[3, 0] = np.nextafter(moved[3, 0], np.float32(0))
    one = tracks[0]
    other = MaskTrack(
        one.track_id, one.kind, one.frames, moved, one.found_first, one.found_last, one.looks, one.sources
    )
    assert (
        len({digest_of(tracks), digest_of([other, *tracks[1:]]), digest_of(tracks[:1]), digest_of([])}) == 4
    )
