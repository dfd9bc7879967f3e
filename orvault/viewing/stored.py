"""Stored video as HLS: what a view is made of, segment by segment, each made when it is asked for.

Every segment has one size and one description whatever it shows, so that the switch takes effect with the next one
and any player follows. Opening what was recorded is the actor's part (actors/stored_views.py).
Source: RFC 8216 (playlist), ISO/IEC 14496-12 (fragments).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from orvault.clock import US_PER_S
from orvault.custody.recorded import StoredSegment
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Frame, Image, decode_fragment
from orvault.video.live import StreamEncoder
from orvault.video.timeline import to_90k
from orvault.viewing.dressing import Dressing, mosaic
from orvault.vision.watermark import Anchor

MOST_WIDE = 1920
STILL_WIDE = 640
_BOX_BGR = (0, 215, 255)
Box = tuple[int, int, int, int]
_NUMBERS_EACH = 10_000  # fragment numbers of one segment; it holds a picture each


@dataclass(frozen=True, slots=True)
class Stretch:
    """One recorded segment's part of the view: times of recording (UTC us), and its place in the playlist."""

    segment: StoredSegment
    from_us: int
    to_us: int
    at_us: int

    @property
    def length_us(self) -> int:
        """How long it is shown."""
        return self.to_us - self.from_us


class StoredVideo:
    """One view's segments in from-to (UTC us). What was not recorded takes no time in it."""

    def __init__(self, segments: Sequence[StoredSegment], from_us: int, to_us: int) -> None:
        self.stretches: list[Stretch] = []
        at_us = 0
        for segment in segments:
            meta = segment.header.meta
            stretch = Stretch(segment, max(from_us, meta.start_us), min(to_us, meta.end_us), at_us)
            if stretch.length_us > 0:
                self.stretches.append(stretch)
                at_us += stretch.length_us

    def playlist(self) -> str:
        """The media playlist; its addresses are relative."""
        longest_us = max(stretch.length_us for stretch in self.stretches)
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{math.ceil(longest_us / US_PER_S)}",
            "#EXT-X-MEDIA-SEQUENCE:0",
            "#EXT-X-PLAYLIST-TYPE:VOD",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            '#EXT-X-MAP:URI="init.mp4"',
        ]
        for number, stretch in enumerate(self.stretches):
            lines += [f"#EXTINF:{stretch.length_us / US_PER_S:.6f},", f"{number}.m4s"]
        return "\n".join([*lines, "#EXT-X-ENDLIST", ""])

    @cached_property
    def init(self) -> bytes:
        """The description of every segment, whatever it shows."""
        return self._encoder(0).init

    @property
    def codec(self) -> str:
        """RFC 6381."""
        return self._encoder(0).codec

    def segment(self, number: int, fragment: bytes, showing: Showing, name: str) -> bytes:
        """One segment of the playlist out of its opened fragment: a mosaic, or clear with the viewer's name.

        People-masked views are made live and in exports only: here they are a mosaic. Errors: BAD_MEDIA.
        """
        pictures = _taken(fragment, self.stretches[number].segment.header.meta.start_us)
        return self.dressed(number, pictures, name if showing is Showing.CLEAR else None)

    def dressed(
        self,
        number: int,
        pictures: Iterable[tuple[Frame, int]],
        name: str | None,
        corner: Anchor = Anchor.BOTTOM_RIGHT,
    ) -> bytes:
        """One segment of the playlist out of those of the pictures (each with when it was taken, UTC us) that lie in
        it: as they are, with this name painted in, or (None) as a mosaic.
        """
        stretch, encoder = self.stretches[number], self._encoder(number)
        size = encoder.width, encoder.height
        clear = None if name is None else Dressing(Showing.CLEAR, name, *size, corner)
        pieces: list[bytes] = []
        for picture, taken_us in pictures:
            if stretch.from_us <= taken_us < stretch.to_us:
                bgr = _sized(picture.bgr, encoder.width, encoder.height)
                shown = mosaic(bgr) if clear is None else clear.dress(bgr, None)
                at_90k = to_90k(stretch.at_us + taken_us - stretch.from_us)
                pieces.append(encoder.encode(shown, at_90k, not pieces).data)
        return b"".join(pieces)

    def at(self, at_us: int) -> int:
        """The number of the stretch that holds this moment. NOT_FOUND where nothing was recorded then."""
        for number, stretch in enumerate(self.stretches):
            if stretch.from_us <= at_us < stretch.to_us:
                return number
        raise OrvaultError(ErrorKind.NOT_FOUND, "Nothing was recorded at this moment.", where="at")

    def still(self, number: int, fragment: bytes, at_us: int, box: Box, showing: Showing, name: str) -> bytes:
        """The picture (JPEG) of the stretch nearest to this moment, dressed as a segment's pictures are, `box` drawn
        round.

        `box` in millionths of the picture's width and height. Errors: BAD_MEDIA.
        """
        width, height = self._still_size()
        clear = Dressing(showing, name, width, height) if showing is Showing.CLEAR else None
        stretch = self.stretches[number]
        nearest: tuple[float, Image] | None = None
        for frame, taken_us in _taken(fragment, stretch.segment.header.meta.start_us):
            within = (
                stretch.from_us <= taken_us < stretch.to_us
            )  # of the segment more may lie outside the grant
            off_us = abs(taken_us - at_us)
            if within and (nearest is None or off_us < nearest[0]):
                nearest = off_us, frame.bgr
        if nearest is None:
            raise OrvaultError(ErrorKind.BAD_MEDIA, "This segment holds no picture.", where="still")
        picture = _sized(nearest[1], width, height)
        shown = mosaic(picture) if clear is None else clear.dress(picture, None)
        x1, y1, x2, y2 = (
            round(side * limit / 10**6) for side, limit in zip(box, (width, height) * 2, strict=True)
        )
        cv2.rectangle(shown, (x1, y1), (x2, y2), _BOX_BGR, 2)
        return cv2.imencode(".jpg", shown)[1].tobytes()

    def _still_size(self) -> tuple[int, int]:
        meta = self.stretches[0].segment.header.meta
        scale = min(1.0, STILL_WIDE / meta.width)
        return max(16, round(meta.width * scale)), max(16, round(meta.height * scale))

    def _encoder(self, number: int) -> StreamEncoder:
        meta = self.stretches[0].segment.header.meta
        scale = min(1.0, MOST_WIDE / meta.width)
        width, height = (max(16, round(side * scale) & ~1) for side in (meta.width, meta.height))
        fps = meta.frames * US_PER_S / max(1, meta.end_us - meta.start_us)
        return StreamEncoder(width, height, min(120.0, max(1.0, fps)), number=number * _NUMBERS_EACH)


def _taken(fragment: bytes, start_us: int) -> Iterator[tuple[Frame, int]]:
    """The pictures of an opened fragment with when they were taken (UTC us); its first one at `start_us`."""
    first_90k: int | None = None
    for frame in decode_fragment(fragment, black_for_damaged=True):
        first_90k = frame.pts_90k if first_90k is None else first_90k
        yield frame, start_us + (frame.pts_90k - first_90k) * 100 // 9


def _sized(bgr: Image, width: int, height: int) -> Image:
    if bgr.shape[:2] == (height, width):
        return bgr
    return np.ascontiguousarray(cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
