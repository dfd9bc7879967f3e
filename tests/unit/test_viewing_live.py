"""One camera live: who gets which picture, what a switch does to the next one, and what failures show."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import av
import numpy as np
import pytest

from orvault.clock import US_PER_S
from orvault.custody.viewing import Showing, ViewDecision
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.video.live import LiveDecoder, StreamEncoder, picture
from orvault.video.packet import Packet, StreamInfo
from orvault.viewing.board import STALE_US, Board
from orvault.viewing.channels import Places
from orvault.viewing.dressing import CELL_PX, COLUMNS, cells, mosaic, tiny
from orvault.viewing.live import LiveCamera
from orvault.viewing.outlet import MOST_PIECES, Begin, Message, Notice, Outlet, Shown
from orvault.viewing.people import EVERY_90K, LIMIT_US, PeopleCover
from orvault.viewing.seen import Seen
from orvault.vision.detection import Detection, Kind
from orvault.vision.detector import Detector
from orvault.vision.mask import SOLID_BGR, WHOLE
from tests.unit.actors_support import CalmClock, clip, eventually

OPEN_US = 1 << 60


class HandFed:
    """A camera that sends when the test says."""

    def __init__(self, name: str = "or1-ceiling") -> None:
        self.info, self._clip = clip(name)
        self._items: queue.Queue[Packet | OrvaultError] = queue.Queue()
        self._at = 0
        self.opened = 0

    def __call__(self) -> HandFed:
        self.opened += 1
        return self

    @property
    def info(self) -> StreamInfo:
        return self._info

    @info.setter
    def info(self, value: StreamInfo) -> None:
        self._info = value

    def __iter__(self) -> Iterator[Packet]:
        while True:
            item = self._items.get()
            if isinstance(item, OrvaultError):
                raise item
            yield item

    def close(self) -> None:
        return

    def give(self, pictures: int) -> None:
        for _ in range(pictures):
            packet = self._clip[self._at % len(self._clip)]
            begins = self.info if self._at == 0 else None
            self._items.put(replace(packet, pts_90k=self._at * 6000, dts_90k=self._at * 6000, begins=begins))
            self._at += 1

    def break_off(self) -> None:
        self._items.put(OrvaultError(ErrorKind.CAMERA_UNREACHABLE, "The camera does not answer."))


@dataclass
class Boards:
    """What custody says, by view; `down` is a ledger that does not answer."""

    says: dict[str, ViewDecision] = field(default_factory=dict)
    down: bool = False

    def __call__(self, view_ids: Collection[str]) -> Mapping[str, ViewDecision]:
        if self.down:
            raise OrvaultError(ErrorKind.UNAVAILABLE, "The ledger does not answer.")
        return {each: self.says[each] for each in view_ids if each in self.says}

    def say(self, view_id: str, showing: Showing, until_us: int = OPEN_US) -> None:
        self.says[view_id] = ViewDecision(True, showing, f"shows {showing.value}", until_us)


@dataclass
class Finder:
    """A detector; `boxes` is what it finds, `fault` what it dies of, `held` keeps it from answering."""

    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    fault: Exception | None = None
    held: threading.Event | None = None
    looks: int = 0
    opened: int = 0

    def detect(self, bgr: Image) -> list[Detection]:
        self.looks += 1
        if self.held is not None:
            self.held.wait(10)
        if self.fault is not None:
            raise self.fault
        return [Detection(Kind.PERSON, *box, 0.9, "test") for box in self.boxes]


@dataclass
class Room:
    """A live camera in the test's hand."""

    camera: LiveCamera
    feed: HandFed
    boards: Boards
    board: Board
    clock: CalmClock
    finder: Finder

    def join(self, view_id: str, showing: Showing, name: str = "kim") -> Outlet:
        self.boards.say(view_id, showing)
        self.board.open(view_id)
        outlet = Outlet(view_id, name, lambda: None)
        self.camera.join(outlet)
        return outlet

    def give(self, pictures: int) -> None:
        """So many pictures, one by one: nothing is left out because more wait behind it."""
        for _ in range(pictures):
            self.feed.give(1)
            eventually(self._taken, "the picture is taken")

    def _taken(self) -> bool:
        session = self.camera._running
        return session is not None and not self.feed._items.qsize() and session._packets.empty()

    def switch(self, view_id: str, showing: Showing) -> None:
        self.boards.say(view_id, showing)
        self.board.refresh()


@pytest.fixture
def room() -> Iterator[Room]:
    made: list[Room] = []
    clock, boards, feed, finder = CalmClock(), Boards(), HandFed(), Finder()
    board = Board(boards, clock)

    def opened() -> Detector:
        finder.opened += 1
        return finder

    camera = LiveCamera("or1-wall", feed, board, clock, opened, Places(2))
    made.append(Room(camera, feed, boards, board, clock, finder))
    yield made[0]
    for outlet in camera.viewers():
        camera.leave(outlet)
    clock.over = True


def taken(outlet: Outlet, until: Callable[[list[Message]], bool]) -> list[Message]:
    """What the viewer is sent until this holds of it."""
    got: list[Message] = []

    def enough() -> bool:
        while (message := outlet.take()) is not None:
            got.append(message)
        return until(got)

    eventually(enough, f"enough is sent; so far {[type(each).__name__ for each in got]}")
    return got


def pictures(count: int) -> Callable[[list[Message]], bool]:
    return lambda got: sum(isinstance(each, Shown) for each in got) >= count


def decoded(messages: list[Message]) -> list[Image]:
    """The pictures of one stream, as a player sees them."""
    return [frame.to_ndarray(format="bgr24") for frame in frames(messages)]


def times(messages: list[Message]) -> list[int]:
    """When the pictures of one stream are shown, in 1/90000 s."""
    return [frame.pts or 0 for frame in frames([each for each in messages if not isinstance(each, Notice)])]


def frames(messages: list[Message]) -> list[av.VideoFrame]:
    begin = messages[0]
    assert isinstance(begin, Begin)
    data = begin.init + b"".join(each.data for each in messages if isinstance(each, Shown))
    with av.open(io.BytesIO(data), mode="r", format="mp4") as container:
        return list(container.decode(video=0))


def test_a_masked_picture_is_so_few_colours_and_nothing_finer(room: Room) -> None:
    outlet = room.join("v", Showing.MASKED)
    room.give(6)
    frames = decoded(taken(outlet, pictures(6)))
    assert len(frames) == 6
    source = next(iter(LiveDecoder().feed(replace(clip("or1-ceiling")[1][0], begins=room.feed.info))))
    kept = cells(picture(source, 1280))
    assert kept.shape == (9, COLUMNS, 3) and set(np.unique(kept % 16)) == {8}
    assert frames[0].shape == (9 * CELL_PX, COLUMNS * CELL_PX, 3)
    blocks = frames[0].reshape(9, CELL_PX, COLUMNS, CELL_PX, 3)
    assert np.abs(blocks.mean(axis=(1, 3)) - kept).mean() < 6
    # Each cell is one colour: what the coder adds is not of the picture.
    assert blocks.std(axis=(1, 3)).mean() < 3


def test_what_lies_within_a_cell_does_not_change_what_is_sent() -> None:
    rng = np.random.default_rng(7)
    one = rng.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    other = one.copy()
    for row in range(9):
        for column in range(16):
            part = other[row * 80 : row * 80 + 80, column * 80 : column * 80 + 80].reshape(-1, 3)
            rng.shuffle(part)
            other[row * 80 : row * 80 + 80, column * 80 : column * 80 + 80] = part.reshape(80, 80, 3)
    assert not np.array_equal(one, other)
    assert np.array_equal(tiny(one), tiny(other)) and np.array_equal(mosaic(one), mosaic(other))


def test_the_switch_takes_effect_with_the_next_picture_and_drops_what_waits(room: Room) -> None:
    outlet = room.join("v", Showing.CLEAR)
    room.give(3)
    eventually(lambda: len(outlet._queue) >= 4, "three pictures and their beginning wait")
    room.switch("v", Showing.MASKED)
    room.give(1)
    eventually(lambda: len(outlet._queue) == 2, "only the masked one waits")
    begin, shown = taken(outlet, pictures(1))
    assert isinstance(begin, Begin) and begin.showing is Showing.MASKED and begin.reason == "shows masked"
    assert isinstance(shown, Shown) and shown.showing is Showing.MASKED
    room.switch("v", Showing.CLEAR)
    room.give(2)
    got = taken(outlet, pictures(2))
    assert [type(each) for each in got] == [Begin, Shown, Shown]
    assert decoded(got)[0].shape == (720, 1280, 3)


def test_viewers_of_the_same_variant_share_one_transcode(room: Room) -> None:
    first, second = room.join("a", Showing.MASKED, "kim"), room.join("b", Showing.MASKED, "lee")
    clear = room.join("c", Showing.CLEAR, "kim")
    again = room.join("d", Showing.CLEAR, "kim")
    room.give(3)
    pieces = [
        [m.data for m in taken(o, pictures(3)) if isinstance(m, Shown)] for o in (first, second, clear, again)
    ]
    assert all(one is other for one, other in zip(pieces[0], pieces[1], strict=True))
    assert all(one is other for one, other in zip(pieces[2], pieces[3], strict=True))
    assert pieces[0] != pieces[2]
    assert room.feed.opened == 1


def test_a_name_is_in_the_picture_and_names_are_capped(room: Room) -> None:
    kim, lee = room.join("a", Showing.CLEAR, "kim"), room.join("b", Showing.CLEAR, "lee")
    park = room.join("c", Showing.CLEAR, "park")
    room.give(2)
    one, other = (decoded(taken(outlet, pictures(2)))[1].astype(int) for outlet in (kim, lee))
    differs = np.abs(one - other).max(axis=2) > 40
    assert differs[-60:, -200:].any() and not differs[:600].any()
    (begin, *_) = taken(park, pictures(2))
    assert isinstance(begin, Begin) and begin.showing is Showing.MASKED
    room.camera.leave(kim)
    room.give(2)
    got = taken(park, lambda messages: any(isinstance(m, Begin) for m in messages))
    assert any(isinstance(m, Begin) and m.showing is Showing.CLEAR for m in got)


def test_a_view_that_cannot_be_made_leaves_the_others_as_they_are(room: Room) -> None:
    kim, odd = room.join("a", Showing.CLEAR, "kim"), room.join("b", Showing.CLEAR, "\U0001f600")
    room.give(4)
    got = taken(kim, pictures(4))
    assert [type(each) for each in got] == [Begin, Shown, Shown, Shown, Shown]
    told = taken(odd, pictures(3))
    begin = next(each for each in told if isinstance(each, Begin))
    assert begin.showing is Showing.MASKED and "cannot be drawn" in begin.reason
    room.clock.us += 10 * US_PER_S  # it is tried again, and told again
    room.boards.say("b", Showing.CLEAR)
    room.board.refresh()
    room.give(1)
    eventually(lambda: isinstance(odd.take(), Notice), "it is told again")


def test_a_switch_that_cannot_be_read_counts_as_masked(room: Room) -> None:
    outlet = room.join("v", Showing.CLEAR)
    room.give(1)
    taken(outlet, pictures(1))
    room.boards.down = True
    assert "does not answer" in room.board.refresh()
    room.clock.us += STALE_US + 1
    room.give(1)
    begin, _ = taken(outlet, pictures(1))
    assert isinstance(begin, Begin) and begin.showing is Showing.MASKED and "cannot be read" in begin.reason


def test_a_lift_lapses_by_itself_between_two_readings(room: Room) -> None:
    room.boards.say("v", Showing.CLEAR, room.clock.us + US_PER_S // 2)
    room.board.open("v")
    assert room.board.decision("v").showing is Showing.CLEAR
    room.clock.us += US_PER_S // 2
    assert room.board.decision("v").showing is Showing.MASKED
    room.clock.us -= 60 * US_PER_S  # a clock that was set back does not bring it back
    assert room.board.decision("v").showing is Showing.MASKED


def test_a_view_that_is_over_ends_with_words(room: Room) -> None:
    outlet = room.join("v", Showing.CLEAR)
    room.give(1)
    taken(outlet, pictures(1))
    room.boards.says["v"] = ViewDecision(False, Showing.MASKED, "The viewer signed out.", 0)
    room.board.refresh()
    room.give(1)
    (notice,) = taken(outlet, lambda got: len(got) == 1)
    assert notice == Notice("The viewer signed out.", over=True)
    assert room.camera.viewers() == []


def test_a_camera_that_fails_or_freezes_leaves_nothing_clear_on_the_screen(room: Room) -> None:
    outlet = room.join("v", Showing.CLEAR)
    room.give(1)
    taken(outlet, pictures(1))
    room.switch("v", Showing.MASKED)  # and no picture comes
    (notice,) = taken(outlet, lambda got: len(got) == 1)
    assert isinstance(notice, Notice) and not notice.over
    room.feed.break_off()
    (lost,) = taken(outlet, lambda got: len(got) == 1)
    assert isinstance(lost, Notice) and "does not answer" in lost.words
    room.give(15)
    got = taken(outlet, pictures(1))
    assert isinstance(got[0], Begin) and got[0].showing is Showing.MASKED


def test_a_slow_viewer_loses_pictures_and_begins_anew(room: Room) -> None:
    outlet = room.join("v", Showing.MASKED)
    room.give(MOST_PIECES + 4)
    eventually(lambda: len(outlet._queue) <= MOST_PIECES, "it forgets")
    room.give(MOST_PIECES)
    got = taken(outlet, lambda messages: any(isinstance(m, Begin) for m in messages))
    assert len(got) <= MOST_PIECES + 2


def test_a_camera_is_closed_when_nobody_watches(room: Room) -> None:
    outlet = room.join("v", Showing.MASKED)
    room.give(1)
    taken(outlet, pictures(1))
    room.camera.leave(outlet)
    eventually(lambda: not room.camera.watched, "it ends")


# --- people


PICTURE = np.full((360, 640, 3), 200, np.uint8)


def people(finder: Finder, clock: CalmClock) -> PeopleCover:
    def opened() -> Detector:
        return finder

    return PeopleCover(opened, clock)


def through(cover: PeopleCover, finder: Finder, first: int, looks: int) -> list[object]:
    """Feed pictures until so many looks are done; the plans that came out."""
    plans: list[object] = []
    at = first
    for _ in range(looks):
        before = finder.looks
        plans += [each.plan for each in cover.take(PICTURE.copy(), at * EVERY_90K)]
        at += 1
        eventually(lambda: cover._under_way is None, f"look {before} is done")
    plans += [each.plan for each in cover.take(PICTURE.copy(), at * EVERY_90K)]
    eventually(lambda: cover._under_way is None, "nothing looks that would find what comes next")
    return plans


def test_people_are_covered_where_two_looks_found_them() -> None:
    clock, finder = CalmClock(), Finder([(100, 50, 200, 300)])
    cover = people(finder, clock)
    through(cover, finder, 0, 4)
    finder.boxes = [(150, 50, 250, 300)]
    plans = through(cover, finder, 10, 2)
    plan = plans[-1]
    assert not plan.whole  # type: ignore[attr-defined]
    left = min(box[0] for box in plan.boxes)  # type: ignore[attr-defined]
    right = max(box[2] for box in plan.boxes)  # type: ignore[attr-defined]
    assert left <= 100 and right >= 250
    cover.close()


def test_who_walks_is_covered_between_two_looks_as_well() -> None:
    clock, finder = CalmClock(), Finder([(60, 50, 160, 300)])
    cover = people(finder, clock)
    plans: list[object] = []
    for second in range(5):  # a slow machine: one look a second
        if second == 4:
            finder.boxes = [(260, 50, 360, 300)]  # twice the body's width farther
        cover.take(PICTURE.copy(), second * 90_000)
        eventually(lambda: cover._under_way is None, f"look {second} is done")
    plans += [each.plan for each in cover.take(PICTURE.copy(), 4 * 90_000 + 6000)]
    whole = all(plan.whole for plan in plans)  # type: ignore[attr-defined]
    boxes = sorted(box for plan in plans for box in plan.boxes)  # type: ignore[attr-defined]
    reached = 60
    for left, _, right, _ in boxes:
        reached = max(reached, right) if left <= reached else reached
    assert whole or reached >= 360, boxes
    cover.close()


def test_a_detector_that_fails_covers_the_next_picture_and_those_that_wait() -> None:
    clock, finder = CalmClock(), Finder()
    cover = people(finder, clock)
    through(cover, finder, 0, 3)
    finder.fault = RuntimeError("the accelerator fell off")
    plans = through(cover, finder, 10, 2)
    assert plans[-2:] == [WHOLE, WHOLE] and not cover._waiting
    finder.fault = None
    eventually(lambda: not through(cover, finder, 20, 1)[-1].whole, "it sees again")  # type: ignore[attr-defined]
    cover.close()


def test_a_detector_that_does_not_answer_blacks_the_view_out() -> None:
    clock, finder = CalmClock(), Finder(held=threading.Event())
    cover = people(finder, clock)
    assert cover.take(PICTURE.copy(), 0) == []
    clock.us += LIMIT_US + 1
    assert [each.plan for each in cover.take(PICTURE.copy(), 6000)] == [WHOLE, WHOLE]
    assert [each.plan for each in cover.take(PICTURE.copy(), 12000)] == [WHOLE]
    assert finder.held is not None
    finder.held.set()
    cover.close()


def test_nothing_clear_stays_on_the_screen_while_people_are_looked_for(room: Room) -> None:
    room.finder.held = threading.Event()
    outlet = room.join("v", Showing.CLEAR)
    room.give(1)
    taken(outlet, pictures(1))
    room.switch("v", Showing.PEOPLE)
    room.give(1)
    (notice,) = taken(outlet, lambda got: len(got) == 1)
    assert notice == Notice("shows people-masked")
    room.finder.held.set()


def test_people_are_looked_for_once_however_many_watch(room: Room) -> None:
    kim, lee = room.join("a", Showing.PEOPLE, "kim"), room.join("b", Showing.PEOPLE, "lee")
    for _ in range(12):
        room.give(1)
    for outlet in (kim, lee):
        begin, *_ = (each for each in taken(outlet, pictures(2)) if not isinstance(each, Notice))
        assert isinstance(begin, Begin) and begin.showing is Showing.PEOPLE
    assert room.finder.opened == 1


def test_who_comes_later_sees_no_picture_from_before(room: Room) -> None:
    room.finder.held = threading.Event()
    kim, lee = room.join("a", Showing.PEOPLE, "kim"), room.join("b", Showing.MASKED, "lee")
    room.give(3)
    taken(lee, pictures(3))
    room.switch("b", Showing.PEOPLE)
    room.finder.held.set()
    for _ in range(12):
        room.give(1)
    first, later = (times(taken(outlet, pictures(4)))[0] for outlet in (kim, lee))
    assert first < later and later >= 3 * 6000


def test_a_dead_detector_shows_a_viewer_black_pictures(room: Room) -> None:
    room.finder.fault = OrvaultError(ErrorKind.BAD_MODEL, "The model is not usable.")
    outlet = room.join("v", Showing.PEOPLE)
    got: list[Message] = []
    for _ in range(12):
        room.give(1)
        while (message := outlet.take()) is not None:
            got.append(message)
    got += taken(outlet, pictures(1))
    for frame in decoded(got):
        area = frame[: frame.shape[0] // 2]
        assert np.abs(area.astype(int) - SOLID_BGR).max() < 16


# --- what the pictures are made with


def test_pieces_of_a_stream_follow_each_other_and_begin_where_asked() -> None:
    encoder = StreamEncoder(64, 48, 25)
    bgr = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    pieces = [encoder.encode(bgr, 90_000 + at * 3600, at == 3) for at in range(5)]
    assert [piece.keyframe for piece in pieces] == [True, False, False, True, False]
    data = encoder.init + b"".join(piece.data for piece in pieces)
    with av.open(io.BytesIO(data), mode="r", format="mp4") as container:
        times = [frame.pts for frame in container.decode(video=0)]
    assert times == [90_000 + at * 3600 for at in range(5)]
    tail = encoder.init + b"".join(piece.data for piece in pieces[3:])
    with av.open(io.BytesIO(tail), mode="r", format="mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 2
    assert encoder.codec.startswith("avc1.42")
    assert StreamEncoder(64, 48, 25).init == encoder.init
    with pytest.raises(OrvaultError):
        encoder.encode(bgr, 90_000)


def test_a_decoder_goes_on_at_the_next_keyframe_after_damage() -> None:
    info, packets = clip("or1-ceiling")
    decoder = LiveDecoder()
    assert len(list(decoder.feed(replace(packets[0], begins=info)))) == 1
    list(decoder.feed(replace(packets[1], data=b"\0\0\1\x65broken" * 20)))
    decoder.skip()
    later = next(at for at in range(2, len(packets)) if packets[at].keyframe)
    assert [len(list(decoder.feed(packet))) for packet in packets[2:later]] == [0] * (later - 2)
    assert len(list(decoder.feed(packets[later]))) == 1


def test_spans_that_follow_each_other_are_one_and_none_is_lost() -> None:
    seen = Seen()
    for at in range(5):
        seen.add(at * 40_000, at * 40_000 + 40_000, Showing.CLEAR)
    seen.add(200_000, 240_000, Showing.MASKED)
    seen.add(9_000_000, 9_040_000, Showing.MASKED)
    spans = seen.take()
    assert [(s.from_us, s.to_us, s.showing) for s in spans] == [
        (0, 200_000, Showing.CLEAR),
        (200_000, 240_000, Showing.MASKED),
        (9_000_000, 9_040_000, Showing.MASKED),
    ]
    assert seen.take() == ()
    seen.put_back(spans)
    seen.add(9_040_000, 9_080_000, Showing.MASKED)
    assert len(seen.take()) == 3
