"""One camera of an unlocked package, decoded picture by picture from the sealed stream; bounded memory.

Shows nothing and keeps no time (the window does). Nothing clear leaves memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from orvault.clock import US_PER_S
from orvault.container.package import MediaInfo
from orvault.errors import ErrorKind, OrvaultError
from player.boxes import Fragment
from player.decoding import Decoder, Pixels, Shown
from player.film import Film
from player.mp4 import bad
from player.session import Session

_KEPT_BYTES = (
    48 << 20
)  # of pictures before the current one, while somebody steps backwards, and as many after it


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture.

    `pixels`: uint8 (height, width, 3), blue green red, rows without space between them: what Qt calls
    QImage.Format_BGR888, with 3 * width bytes per line. `at_us`: when it was taken, UTC microseconds, by the
    manifest. `index`: its place on the camera's clock in pictures at the stated rate, from 0; a gap counts as the
    pictures that it lacks.
    """

    pixels: Pixels = field(repr=False)
    at_us: int
    index: int


@dataclass(frozen=True)
class Played:
    """What was decoded of one camera."""

    camera_id: str
    frames: int
    seconds: float


class Reel:
    """Plays one camera of an unlocked session: `seek`, `next`, `previous`; a context manager.

    `first_us` and `last_us` are the wall-clock times (UTC microseconds) of its first and last picture by the
    manifest, `fps` its stated rate. Gaps stand in `info.gaps`; within one, the picture before it stays on screen.
    One thread at a time; several reels of one session, each in a thread of its own, do not disturb each other, and
    `thumbnail` may be called by another thread than the rest.

    Raises (all methods):
        OrvaultError: ALTERED or DAMAGED with the place where the sealed stream stops being what was signed, after
        every picture before it was given; BAD_MEDIA if it is no video of the kind promised; STORAGE; CONFLICT before
        the package was unlocked, and after `close`.
    """

    def __init__(self, session: Session, info: MediaInfo) -> None:
        self.info = info
        self._session = session
        self._frame_us = US_PER_S / info.fps
        self.first_us = info.start_us
        self.last_us = max(info.start_us, info.end_us - round(self._frame_us))
        self.fps = info.fps
        self._film: Film | None = self._opened()
        self._decoder = Decoder(self._film.track)
        self._thumbs: tuple[Film, Decoder] | None = None
        self._run: Iterator[Shown] | None = None  # the decoder on its way forwards
        self._reached_us: int | None = None  # the time of the picture that it gave last
        self._stopped: OrvaultError | None = None  # why the sealed stream could not be read to its end
        self._now: Picture | None = None  # what the caller was given last
        self._behind: deque[Picture] = deque()  # before it, while somebody steps backwards
        self._ahead: deque[Picture] = deque()  # after it
        self._kept = max(2, min(32, _KEPT_BYTES // (3 * info.width * info.height)))

    def __enter__(self) -> Reel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the decoder and every picture; the session stays open."""
        self._decoder.close()
        if self._thumbs is not None:
            self._thumbs[1].close()
        self._film = self._thumbs = self._run = self._now = None
        self._behind.clear()
        self._ahead.clear()

    def seek(self, at_us: int) -> Picture:
        """The picture on screen at a wall-clock time: the last one taken not after it (the first, before that)."""
        with self._placed():
            self._behind.clear()
            self._ahead.clear()
            picture = self._picture(self._decode_to(*self._found(at_us)))
            self._now = picture
            return picture

    def next(self) -> Picture | None:
        """The picture after the one given last (the first one, if none was); None at the end."""
        if self._now is None:
            return self.seek(self.first_us)
        with self._placed():
            if self._ahead:
                self._behind.append(self._now)
                self._now = self._ahead.popleft()
                return self._now
            self._behind.clear()  # playing keeps no pictures
            if self._reached_us != self._now.at_us:
                self._decode_to(*self._found(self._now.at_us))
            shown = self._step()
            if shown is None:
                return None
            self._now = self._picture(shown)
            return self._now

    def previous(self) -> Picture | None:
        """The picture before the one given last; None at the beginning."""
        if self._now is None or self._now.at_us <= self.first_us:
            return None
        with self._placed():
            if not self._behind:
                self._fill_behind(self._now.at_us - 1)
            self._ahead.appendleft(self._now)
            if len(self._ahead) > self._kept:
                self._ahead.pop()
            self._now = self._behind.pop()
            return self._now

    def thumbnail(self, at_us: int, width_px: int) -> Picture:
        """The keyframe nearest before a time, scaled down to a width; fast, and playing goes on undisturbed."""
        with self._placed():
            if self._thumbs is None:
                film = self._opened()
                self._thumbs = film, Decoder(film.track, threads=1)
            film, decoder = self._thumbs
            entry, _ = film.find(max(film.origin_90k, self._to_90k(at_us)))
            decoder.turn_to(film.coded(entry, []), entry.first_90k)
            shown = decoder.next()
            if shown is None:
                bad("A keyframe cannot be decoded.")
            return self._picture(shown, width_px)

    def play_through(self, progress: Callable[[int], None]) -> Played:
        """Decode from end to end, without colours, and hold the count against the manifest.

        `progress(pictures so far)` is called for each.

        Raises:
            OrvaultError: as ever, and DAMAGED if there are fewer or more pictures than were signed.
        """
        count, end_us = 0, self.first_us
        with self._placed():
            self._start(self._found(self.first_us)[0])
            while (shown := self._step()) is not None:
                count, end_us = count + 1, self._to_us(shown.pts_90k) + round(self._frame_us)
                progress(count)
        if count != self.info.frames:
            raise OrvaultError(
                ErrorKind.DAMAGED,
                f"{count} frames could be played where the manifest has {self.info.frames}.",
                where=f"camera {self.info.camera_id}",
            )
        return Played(self.info.camera_id, count, (end_us - self.first_us) / US_PER_S)

    # --- decoding ---

    def _opened(self) -> Film:
        with self._placed():
            span_90k = (self.info.end_us - self.info.start_us) * 9 // 100
            film = Film(self._session.reader.media(self.info.camera_id), span_90k)
            if (film.track.width, film.track.height) != (self.info.width, self.info.height):
                bad("It is not the video that the manifest describes.")
            self._origin_90k = film.origin_90k
            return film

    def _found(self, at_us: int) -> tuple[Fragment, int]:
        """Where decoding starts for the picture at a time, and that picture's own time in the stream."""
        return self._open_film().find(max(self._origin_90k, self._to_90k(at_us)))

    def _open_film(self) -> Film:
        if self._film is None:
            raise OrvaultError(ErrorKind.CONFLICT, "The reel was closed.")
        return self._film

    def _decode_to(self, entry: Fragment, until_90k: int) -> Shown:
        """Decode from a keyframe on; gives the picture of this time, those before it cost no colours."""
        self._start(entry)
        while (shown := self._step()) is not None:
            if shown.pts_90k >= until_90k:
                return shown
        bad("It has fewer pictures than it says.")

    def _fill_behind(self, until_us: int) -> None:
        """Decode the pictures before the current one again, and keep the last of them."""
        entry, until_90k = self._found(until_us)
        times = sorted(sample.pts_90k for sample in entry.samples if sample.pts_90k <= until_90k)
        keep_90k = times[-self._kept :][0]
        self._start(entry)
        while (shown := self._step()) is not None:
            if shown.pts_90k >= keep_90k:
                if len(self._behind) >= self._kept:  # where decoding starts rarely
                    self._behind.popleft()
                self._behind.append(self._picture(shown))
            if shown.pts_90k >= until_90k:
                return
        bad("It has fewer pictures than it says.")

    def _start(self, entry: Fragment) -> None:
        film = self._open_film()
        self._stopped = None
        self._reached_us = None
        self._run = _stretches(film, self._decoder, entry)

    def _step(self) -> Shown | None:
        """The decoder's next picture; None at the end. What stops the stream is raised behind the last picture."""
        if self._stopped is not None:
            raise self._stopped
        try:
            shown = None if self._run is None else next(self._run, None)
        except OrvaultError as error:
            self._stopped = error
            raise
        if shown is not None:
            self._reached_us = self._to_us(shown.pts_90k)
        return shown

    # --- times ---

    def _picture(self, shown: Shown, width_px: int | None = None) -> Picture:
        at_us = self._to_us(shown.pts_90k)
        index = round((at_us - self.first_us) / self._frame_us)
        return Picture(shown.pixels(width_px), at_us, index)

    def _to_us(self, pts_90k: int) -> int:
        """The wall-clock time of a picture: a package's video keeps the distances between them, gaps too."""
        return self.first_us + round((pts_90k - self._origin_90k) * 100 / 9)

    def _to_90k(self, at_us: int) -> int:
        """The latest time in the stream whose wall-clock time, rounded, is not after this one."""
        return self._origin_90k + -(-(2 * (at_us - self.first_us) + 1) * 9 // 200) - 1

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """Say of which camera's video something was found wrong."""
        try:
            yield
        except OrvaultError as error:
            if error.kind is not ErrorKind.BAD_MEDIA or error.where:
                raise
            where = f"camera {self.info.camera_id}"
            raise OrvaultError(ErrorKind.BAD_MEDIA, error.message, where=where) from error


def _stretches(film: Film, decoder: Decoder, entry: Fragment) -> Iterator[Shown]:
    """Every picture from a fragment on, in stretches for which a decoder is opened anew."""
    following = [entry]
    while following:
        begin = following.pop()
        decoder.turn_to(film.coded(begin, following), begin.first_90k)
        while (shown := decoder.next()) is not None:
            yield shown
