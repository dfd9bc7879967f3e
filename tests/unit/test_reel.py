"""Playing: exact pictures at exact wall-clock times, forwards and backwards, from the sealed stream."""

from __future__ import annotations

import io
import itertools
import random
import re
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError
from player import film as film_module
from player.decoding import Decoder
from player.film import Coded, Film
from player.reel import Reel
from tests.vectors.hostile_videos import VIDEO

from .reel_support import FPS, FRAME_90K, HEIGHT, TURN, WIDTH, Footage, footage, number_seen

COUNT = 400
GAP_90K = 90_000 * 20
# 8 s, twenty seconds without pictures, 8 s; and the whole does not begin at zero by chance of a frame's length
TIMES = [i * FRAME_90K + (GAP_90K if i >= COUNT // 2 else 0) for i in range(COUNT)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return footage(tmp_path_factory.mktemp("reel"), TIMES, noise=True)


@pytest.mark.parametrize("stretch", [film_module.STRETCH_PICTURES, 1, 120])
def test_every_picture_comes_once_in_order_at_its_own_time(
    made: Footage, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    """Whether one decoder sees them all, or each fragment gets its own."""
    monkeypatch.setattr(film_module, "STRETCH_PICTURES", stretch)
    with made.opened() as session, Reel(session, made.info) as reel:
        seen: list[int] = []
        while (picture := reel.next()) is not None:
            assert picture.pixels.shape == (HEIGHT, WIDTH, 3)
            assert picture.pixels.flags.c_contiguous
            assert number_seen(picture) == len(seen) % TURN
            seen.append(picture.at_us)
        assert seen == list(made.at_us)
        assert reel.next() is None
        assert (reel.first_us, reel.last_us, reel.fps) == (seen[0], seen[-1], FPS)


@pytest.mark.parametrize("walk_bytes", [film_module._WALK_BYTES, 1])
def test_a_seek_is_exact_over_the_gap_and_in_it(
    made: Footage, monkeypatch: pytest.MonkeyPatch, walk_bytes: int
) -> None:
    """Both ways of finding: by halving, and one by one."""
    monkeypatch.setattr(film_module, "_WALK_BYTES", walk_bytes)
    numbers = [*random.Random(3).sample(range(COUNT), 40), 0, COUNT // 2 - 1, COUNT // 2, COUNT - 1]
    with made.opened() as session, Reel(session, made.info) as reel:
        for number in numbers:
            at_us = made.at_us[number]
            for asked in (at_us, at_us + 1, at_us + US_PER_S // FPS - 2):
                picture = reel.seek(asked)
                assert (number_seen(picture), picture.at_us) == (number % TURN, at_us)
            if number:
                assert reel.seek(at_us - 1).at_us == made.at_us[number - 1]
        ((gap_from_us, gap_to_us),) = made.info.gaps
        assert reel.seek((gap_from_us + gap_to_us) // 2).at_us == made.at_us[COUNT // 2 - 1]
        after = reel.next()
        assert after is not None
        assert after.at_us == made.at_us[COUNT // 2]
        assert reel.seek(0).at_us == reel.first_us
        assert reel.seek(made.info.end_us + 10**12).at_us == reel.last_us


def test_the_index_counts_the_clock_in_pictures(made: Footage) -> None:
    with made.opened() as session, Reel(session, made.info) as reel:
        assert [reel.seek(made.at_us[n]).index for n in (0, 1, 150)] == [0, 1, 150]
        assert reel.seek(made.at_us[COUNT // 2]).index == COUNT // 2 + 20 * FPS


def test_steps_backwards_and_forwards_meet_the_same_pictures(made: Footage) -> None:
    begin = COUNT // 2 + 60
    with made.opened() as session, Reel(session, made.info) as reel:
        reel.seek(made.at_us[begin])
        for number in range(begin - 1, begin - 90, -1):  # over keyframes and over the gap
            picture = reel.previous()
            assert picture is not None
            assert (picture.at_us, number_seen(picture)) == (made.at_us[number], number % TURN)
        assert len(reel._ahead) <= reel._kept
        for number in range(begin - 88, begin + 30):
            picture = reel.next()
            assert picture is not None
            assert (picture.at_us, number_seen(picture)) == (made.at_us[number], number % TURN)


def _one_entry(video: bytes) -> bytes:
    """No fragment but the first says that decoding can start at it."""
    first = video.index(b"trun") + 4
    head, sync, other = struct.pack(">I", 0x205), struct.pack(">I", 0x02000000), struct.pack(">I", 0x01010000)
    assert video.count(b"trun" + head) > 2 and video[first + 12 : first + 16] == sync
    return video[:first] + re.sub(
        re.escape(b"trun" + head) + b"(.{8})" + re.escape(sync),
        lambda found: b"trun" + head + found[1] + other,
        video[first:],
        flags=re.DOTALL,
    )


def test_a_step_backwards_keeps_few_pictures_wherever_decoding_starts(tmp_path: Path) -> None:
    made = footage(tmp_path, TIMES[:150], changed=_one_entry)
    with made.opened() as session, Reel(session, made.info) as reel:
        reel.seek(made.at_us[140])
        for number in range(139, 100, -1):
            picture = reel.previous()
            assert picture is not None
            assert (picture.at_us, number_seen(picture)) == (made.at_us[number], number)
            assert len(reel._behind) < reel._kept


def test_times_that_go_back_are_said_to_do_so(tmp_path: Path) -> None:
    def later_first(video: bytes) -> bytes:
        at = video.index(b"tfdt") + 8
        return video[:at] + struct.pack(">Q", 1 << 40) + video[at + 8 :]

    made = footage(tmp_path, TIMES[:120], changed=later_first)
    with made.opened() as session, Reel(session, made.info) as reel:
        with pytest.raises(OrvaultError, match="go back in time") as raised:
            while reel.next() is not None:
                pass
        assert (raised.value.kind, raised.value.where) == (ErrorKind.BAD_MEDIA, "camera or1")


class Counted(io.BytesIO):
    reads = 0

    @property
    def size(self) -> int:
        return len(self.getbuffer())

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


def test_letters_that_begin_a_fragment_cost_little_where_none_begins() -> None:
    good = VIDEO.read_bytes()
    stream = Counted(good + b"moof" * (1 << 17) + good[-600:])
    film = Film(stream)
    stream.reads = 0
    assert film._next_entry(len(good), stream.size) is None
    assert 0 < stream.reads < 500


def test_there_is_nothing_before_the_first(made: Footage) -> None:
    with made.opened() as session, Reel(session, made.info) as reel:
        assert reel.previous() is None
        reel.seek(reel.first_us)
        assert reel.previous() is None
        assert reel.next() is not None


def test_a_thumbnail_is_a_keyframe_and_disturbs_nothing(made: Footage) -> None:
    with made.opened() as session, Reel(session, made.info) as reel:
        reel.seek(made.at_us[33])
        small = reel.thumbnail(made.at_us[COUNT - 3], 32)
        assert small.pixels.shape == (24, 32, 3)
        assert made.at_us[COUNT - 3] - small.at_us < 2 * US_PER_S
        following = reel.next()
        assert following is not None
        assert following.at_us == made.at_us[34]


def test_several_reels_play_at_once(made: Footage) -> None:
    def play(seed: int) -> bool:
        order = random.Random(seed)
        with Reel(session, made.info) as reel:
            for _ in range(15):
                number = order.randrange(COUNT - 3)
                assert number_seen(reel.seek(made.at_us[number])) == number % TURN
                for step in (1, 2):
                    picture = reel.next()
                    assert picture is not None
                    assert number_seen(picture) == (number + step) % TURN
        return True

    with made.opened() as session, ThreadPoolExecutor(4) as threads:
        assert all(threads.map(play, range(4)))


def _changed(made: Footage, folder: Path, where: float) -> Footage:
    data = bytearray(made.path.read_bytes())
    data[int(len(data) * where)] ^= 1
    path = folder / "changed.orvault"
    path.write_bytes(data)
    return Footage(path, made.info, made.at_us)


def test_an_alteration_is_reached_after_what_is_whole_and_named(made: Footage, tmp_path: Path) -> None:
    changed = _changed(made, tmp_path, 0.6)
    with changed.opened() as session, Reel(session, made.info) as reel:
        seen = []
        with pytest.raises(OrvaultError) as raised:
            while (picture := reel.next()) is not None:
                seen.append(picture.at_us)
        assert raised.value.kind is ErrorKind.ALTERED
        assert "media/or1.mp4.enc" in str(raised.value)
        assert seen == list(made.at_us[: len(seen)])
        assert COUNT // 4 < len(seen) < COUNT
        with pytest.raises(OrvaultError):
            reel.next()
        assert reel.seek(made.at_us[5]).at_us == made.at_us[5]


def test_a_damaged_tail_plays_what_is_there_and_says_where_it_ends(made: Footage, tmp_path: Path) -> None:
    data = made.path.read_bytes()
    path = tmp_path / "cut.orvault"
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(OrvaultError, match="ends after"):
        Footage(path, made.info, made.at_us).opened()
    with (
        Footage(path, made.info, made.at_us).opened(partial=True) as session,
        Reel(session, made.info) as reel,
    ):
        assert session.damage is not None
        seen = []
        with pytest.raises(OrvaultError) as raised:
            while (picture := reel.next()) is not None:
                seen.append(picture.at_us)
        assert raised.value.kind is ErrorKind.DAMAGED
        assert seen == list(made.at_us[: len(seen)])
        assert COUNT // 4 < len(seen) < COUNT
        assert reel.seek(seen[-1]).at_us == seen[-1]
        with pytest.raises(OrvaultError) as raised:
            reel.seek(made.at_us[COUNT - 1])
        assert raised.value.kind is ErrorKind.DAMAGED


def test_a_closed_reel_says_so(made: Footage) -> None:
    with made.opened() as session:
        reel = Reel(session, made.info)
        reel.close()
        with pytest.raises(OrvaultError) as raised:
            reel.next()
        assert raised.value.kind is ErrorKind.CONFLICT


def test_an_error_inside_the_decoders_reading_reaches_the_caller(made: Footage) -> None:
    """Raised where OpenCV calls, it would end the process; an interrupt comes there as often as anywhere."""

    def interrupted(coded: Iterator[Coded]) -> Iterator[Coded]:
        yield from itertools.islice(coded, 5)
        raise KeyboardInterrupt

    with made.opened() as session:
        film = Film(session.reader.media("or1"))
        decoder = Decoder(film.track)
        with pytest.raises(KeyboardInterrupt):
            decoder.turn_to(interrupted(film.coded(film.find(0)[0], [])), 0)
            list(iter(decoder.next, None))


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_pictures_coded_out_of_order_are_shown_in_theirs(tmp_path: Path, codec: str) -> None:
    """Our encoder does not reorder; a later one might, and H.265 is as welcome as H.264."""
    made = footage(tmp_path, TIMES[:130], recoded=codec)
    with made.opened() as session, Reel(session, made.info) as reel:
        for number, at_us in enumerate(made.at_us):
            picture = reel.next()
            assert picture is not None
            assert (picture.at_us, number_seen(picture)) == (at_us, number % TURN)
        assert reel.next() is None
        for number in (97, 0, 61, 129, 64):
            assert number_seen(reel.seek(made.at_us[number])) == number


def test_noise_in_place_of_pictures_is_said_to_be_that(made: Footage) -> None:
    def noise(coded: Iterator[Coded]) -> Iterator[Coded]:
        for each in coded:
            yield Coded(each.sample, order.randbytes(each.sample.size))

    order = random.Random(1)
    with made.opened() as session:
        film = Film(session.reader.media("or1"))
        with pytest.raises(OrvaultError) as raised:
            decoder = Decoder(film.track)
            decoder.turn_to(noise(film.coded(film.find(0)[0], [])), 0)
            list(iter(decoder.next, None))
        assert raised.value.kind is ErrorKind.BAD_MEDIA
