"""Writes verified coded pictures as an MP4 of our own making, for a decoder that takes nothing but files.

Of what a package's signer wrote, only the decoder's configuration and the pictures' bytes go into it: boxes that a
demuxer could stumble over do not. Source: ISO/IEC 14496-12, 14496-15.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator

from player.boxes import CLOCK_90K, Sample, Track
from player.film import STRETCH_PICTURES, Coded
from player.mp4 import bad
from player.parameters import check_picture, parameter_sets

_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)  # a picture that is not turned
_TRACK = 1
_BASE_IS_MOOF = 0x020000
_RUN_FIELDS = 0x1 | 0x100 | 0x200 | 0x400 | 0x800  # offset; duration, size, flags, composition
_SYNC, _OTHER = 0x02000000, 0x01010000
_COUNT_1 = struct.pack(">I", 1)
_NO_SEEK = -1
_LATEST_90K = 1 << 49  # 198 years; a double holds the milliseconds of it exactly enough


class CodedFile(io.BufferedIOBase):
    """An endless-looking MP4, one fragment per picture, made while it is read; it cannot be moved about in.

    `turn_to` says which pictures follow, again and again: to who reads, they come one after the other. `given` counts
    those that were taken since then, `ended` says that there are no more. An error inside `read` looks like the end
    to OpenCV, and is kept in `failure` for who called it: raised there, it ends the process (seen in 5.0: a
    segmentation fault). It is what `coded` raises, or BAD_MEDIA for a picture that brings another sequence parameter
    set, and for times that go back.
    """

    def __init__(self, track: Track) -> None:
        super().__init__()
        self.given = 0
        self.ended = False
        self.failure: BaseException | None = None
        self._track = track
        self._sets = parameter_sets(track.codec, track.config)
        self._part, self._taken = _description(track), 0  # bytes on their way, and how many of them were read
        self._parts: Iterator[bytes] = iter(())
        self._position = self._fragments = self._last_90k = 0

    @property
    def turns(self) -> bool:
        """Whether other pictures may follow: between two of them, before the end, and not for ever."""
        between = self._taken == len(self._part) and not self.ended and self.failure is None
        return between and self._fragments < STRETCH_PICTURES and self._last_90k < _LATEST_90K

    def turn_to(self, coded: Iterable[Coded]) -> None:
        """Let these pictures follow; their times begin a second after the last one's."""
        self.given = 0
        self._parts = self._made(iter(coded), self._last_90k + CLOCK_90K if self._fragments else 0)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True: OpenCV takes no other file. `seek` refuses all the same."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, none at the end; of one picture alone, so that none is read ahead of a turn."""
        wanted = 0 if size is None or size < 0 else size
        if wanted and self._taken == len(self._part):
            self._part, self._taken = self._next_part(), 0
        data = self._part[self._taken : self._taken + wanted]
        self._taken += len(data)
        self._position += len(data)
        return data

    def _next_part(self) -> bytes:
        try:
            return next(self._parts, b"")
        except BaseException as error:  # noqa: BLE001 - an interrupt too: raised again when OpenCV has come back
            self.failure = error
            return b""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Where it stands, if that is where it is to go; -1 else, which FFmpeg understands."""
        stays = offset == (self._position if whence == io.SEEK_SET else 0) and whence != io.SEEK_END
        return self._position if stays else _NO_SEEK

    def tell(self) -> int:
        """Bytes read so far."""
        return self._position

    def _made(self, coded: Iterator[Coded], begin_90k: int) -> Iterator[bytes]:
        first = last = None
        again = self._fragments > 0  # the parameters may have been changed by pictures that were shown before
        for each in coded:
            decode_90k = each.sample.decode_90k
            first = decode_90k if first is None else first
            if last is not None and decode_90k < last:
                bad("Its pictures go back in time.")
            last = decode_90k
            check_picture(self._track.codec, self._track.sequence, each.data)
            self.given += 1
            self._fragments += 1
            self._last_90k = begin_90k + decode_90k - first
            data = self._sets + each.data if again else each.data
            again = False
            yield _fragment(each.sample, data, self._fragments, self._last_90k)
        self.ended = True


def _fragment(sample: Sample, data: bytes, number: int, decode_90k: int) -> bytes:
    moof = _moof(sample, len(data), number, decode_90k, _PICTURE_AT)
    return b"".join((moof, struct.pack(">I4s", 8 + len(data), b"mdat"), data))


def _moof(sample: Sample, size: int, number: int, decode_90k: int, picture_at: int) -> bytes:
    flags = _SYNC if sample.sync else _OTHER
    row = struct.pack(">IIIi", 1, size, flags, sample.pts_90k - sample.decode_90k)
    run = _full(b"trun", 1, _RUN_FIELDS, struct.pack(">Ii", 1, picture_at), row)
    header = _full(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", _TRACK))
    begin = _full(b"tfdt", 1, 0, struct.pack(">Q", decode_90k))
    return _box(b"moof", _full(b"mfhd", 0, 0, struct.pack(">I", number)), _box(b"traf", header, begin, run))


def _description(track: Track) -> bytes:
    """ftyp and moov."""
    entry, config = (b"avc1", b"avcC") if track.codec == "h264" else (b"hvc1", b"hvcC")
    visual = struct.pack(">6xH16xHHIIIH32xHh", 1, track.width, track.height, 0x480000, 0x480000, 0, 1, 24, -1)
    described = _full(b"stsd", 0, 0, _COUNT_1, _box(entry, visual, _box(config, track.config)))
    # It says that it has one picture: OpenCV goes looking for a place in nothing that has more.
    one = _full(b"stts", 0, 0, _COUNT_1, struct.pack(">II", 1, 1))
    empty = (_full(name, 0, 0, bytes(4)) for name in (b"stsc", b"stco"))
    table = _box(b"stbl", described, one, *empty, _full(b"stsz", 0, 0, bytes(8)))
    data = _box(b"dinf", _full(b"dref", 0, 0, _COUNT_1, _full(b"url ", 0, 1)))
    handler = _full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"vide"), b"\0")
    header = _full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, CLOCK_90K, 0, 0x55C4, 0))
    media = _box(b"mdia", header, handler, _box(b"minf", _full(b"vmhd", 0, 1, bytes(8)), data, table))
    size = struct.pack(">II", track.width << 16, track.height << 16)
    place = _full(b"tkhd", 0, 3, struct.pack(">IIIII16x", 0, 0, _TRACK, 0, 0), _UNITY, size)
    film = struct.pack(">IIIIIH10x", 0, 0, CLOCK_90K, 0, 0x10000, 0x100)
    movie = _full(b"mvhd", 0, 0, film, _UNITY, bytes(24), struct.pack(">I", _TRACK + 1))
    extends = _box(b"mvex", _full(b"trex", 0, 0, struct.pack(">IIIII", _TRACK, 1, 0, 0, 0)))
    return _box(b"ftyp", b"iso6", bytes(4), b"iso6") + _box(
        b"moov", movie, _box(b"trak", place, media), extends
    )


def _full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _box(name: bytes, *parts: bytes) -> bytes:
    return b"".join((struct.pack(">I4s", 8 + sum(map(len, parts)), name), *parts))


_PICTURE_AT = 8 + len(_moof(Sample(0, 1, 0, 0, True), 1, 0, 0, 0))
