"""One decoder for many places: what it is given, and when a new one is opened."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from player import film as film_module
from player import remuxing
from player.film import Coded, Film
from player.parameters import parameter_sets
from player.reel import Reel
from player.remuxing import CodedFile
from tests.vectors.hostile_videos import VIDEO

from .reel_support import FRAME_90K, Footage, footage, number_seen
from .test_reel import Counted

COUNT = 200
GOP = 25  # pictures from keyframe to keyframe: a second


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return footage(tmp_path_factory.mktemp("decoding"), [number * FRAME_90K for number in range(COUNT)])


@pytest.fixture
def film() -> Film:
    return Film(Counted(VIDEO.read_bytes()))


def _coded(film: Film) -> Iterator[Coded]:
    return film.coded(film.find(0)[0], [])


def test_a_seek_goes_on_with_the_same_decoder(made: Footage) -> None:
    with made.opened() as session, Reel(session, made.info) as reel:
        reel.seek(reel.first_us)
        first = reel._decoder._capture
        assert first is not None
        for number in (150, 30, 31, 190, 0):
            assert number_seen(reel.seek(made.at_us[number])) == number
            following = reel.next()
            assert following is not None and number_seen(following) == number + 1
            assert reel._decoder._capture is first


def test_behind_the_end_a_new_decoder_begins(made: Footage) -> None:
    with made.opened() as session, Reel(session, made.info) as reel:
        reel.seek(reel.last_us)
        assert reel.next() is None and reel._decoder._capture is None
        assert number_seen(reel.seek(made.at_us[77])) == 77


def test_a_decoder_is_renewed_before_it_keeps_too_much(
    made: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remuxing, "STRETCH_PICTURES", 40)
    with made.opened() as session, Reel(session, made.info) as reel:
        seen = set()
        for number in (49, 99, 149, 20, 60):
            assert number_seen(reel.seek(made.at_us[number])) == number
            assert reel._decoder._file._fragments < 40 + 60
            seen.add(id(reel._decoder._file))
        assert len(seen) > 1


def test_small_pictures_share_a_decoder_of_their_own(made: Footage) -> None:
    with made.opened() as session, Reel(session, made.info) as reel:
        for number in (180, 20, 120):
            assert reel.thumbnail(made.at_us[number], 32).at_us == made.at_us[number // GOP * GOP]
        assert reel._thumbs is not None and reel._thumbs[1]._file._fragments >= 3


@pytest.mark.parametrize("span_90k", [0, COUNT * FRAME_90K, 1 << 40])
def test_a_place_is_found_whatever_length_is_claimed(
    made: Footage, monkeypatch: pytest.MonkeyPatch, span_90k: int
) -> None:
    monkeypatch.setattr(film_module, "_WALK_BYTES", 1)
    with made.opened() as session:
        for number in range(0, COUNT, 7):
            stream = session.reader.media("or1")
            entry, shown_90k = Film(stream, span_90k).find(number * FRAME_90K + 5)
            assert entry.first_90k == number // GOP * GOP * FRAME_90K
            assert shown_90k == number * FRAME_90K


# --- what the decoder is given ---


def test_no_read_reaches_into_the_next_picture(film: Film) -> None:
    file = CodedFile(film.track)
    file.turn_to(_coded(film))
    file.read(1 << 20)
    assert file.turns  # nothing of a picture yet
    part = file.read(20)
    assert not file.turns
    part += file.read(1 << 20)
    assert file.turns and file.given == 1
    assert part.count(b"moof") == 1 and part.endswith(next(_coded(film)).data)


def test_a_turn_states_the_parameters_again_and_its_times_go_on(film: Film) -> None:
    file = CodedFile(film.track)
    file.turn_to(_coded(film))
    file.read(1 << 20)
    first = [file.read(1 << 20) for _ in range(3)]
    file.turn_to(_coded(film))
    again = file.read(1 << 20)
    picture = next(_coded(film)).data
    assert again.endswith(parameter_sets(film.track.codec, film.track.config) + picture)
    assert first[0].endswith(picture) and film.track.sequence not in first[0]
    assert _begins(again) >= _begins(first[2]) + 90_000
    assert file.given == 1


def _begins(fragment: bytes) -> int:
    (found,) = struct.unpack_from(">Q", fragment, fragment.index(b"tfdt") + 8)
    assert isinstance(found, int)
    return found
