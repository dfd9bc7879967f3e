"""Writes verified coded pictures as an MP4 of our own making, for a decoder that takes nothing but files.

Of what a package's signer wrote, only the decoder's configuration and the pictures' bytes go into it: boxes that a
demuxer could stumble over do not. Source: ISO/IEC 14496-12, 14496-15.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator

from player.boxes import CLOCK_90K, Sample, Track
from player.film import Coded
from player.mp4 import bad
from player.parameters import check_picture

_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)  # a picture that is not turned
_TRACK = 1
_BASE_IS_MOOF = 0x020000
_RUN_FIELDS = 0x1 | 0x100 | 0x200 | 0x400 | 0x800  # offset; duration, size, flags, composition
_SYNC, _OTHER = 0x02000000, 0x01010000
_NO_SEEK = -1


class CodedFile(io.BufferedIOBase):
    """An endless-looking MP4, one fragment per picture, made while it is read; it cannot be moved about in.

    `given` counts the pictures that were taken from `coded`, `ended` says that there are no more. An error inside
    `read` looks like the end to OpenCV, and is kept in `failure` for who called it: raised there, it ends the process
    (seen in 5.0: a segmentation fault). It is what `coded` raises, or BAD_MEDIA for a picture that brings another
    sequence parameter set, and for times that go back.
    """

    def __init__(self, track: Track, coded: Iterable[Coded]) -> None:
        super().__init__()
        self.given = 0
        self.ended = False
        self.failure: BaseException | None = None
        self._parts = self._made(track, iter(coded))
        self._part = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True: OpenCV takes no other file. `seek` refuses all the same."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes, fewer at the end only."""
        wanted = 0 if size is None or size < 0 else size
        taken: list[memoryview] = []
        while wanted > 0:
            if not self._part:
                self._part = memoryview(self._next_part())
                if not self._part:
                    break
            piece = self._part[:wanted]
            self._part = self._part[len(piece) :]
            wanted -= len(piece)
            taken.append(piece)
        data = b"".join(taken)
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

    def _made(self, track: Track, coded: Iterator[Coded]) -> Iterator[bytes]:
        yield _description(track)
        first = last = None
        for each in coded:
            decode_90k = each.sample.decode_90k
            first = decode_90k if first is None else first
            if last is not None and decode_90k < last:
                bad("Its pictures go back in time.")
            last = decode_90k
            check_picture(track.codec, track.sequence, each.data)
            self.given += 1
            yield _fragment(each.sample, self.given, first)
            yield each.data
        self.ended = True


def _fragment(sample: Sample, number: int, first_90k: int) -> bytes:
    """Everything of a fragment before its one picture's bytes."""
    size = len(_moof(sample, number, first_90k, 0)) + 8
    return _moof(sample, number, first_90k, size) + struct.pack(">I4s", 8 + sample.size, b"mdat")


def _moof(sample: Sample, number: int, first_90k: int, offset: int) -> bytes:
    flags = _SYNC if sample.sync else _OTHER
    row = struct.pack(">IIIi", 1, sample.size, flags, sample.pts_90k - sample.decode_90k)
    run = _full(b"trun", 1, _RUN_FIELDS, struct.pack(">Ii", 1, offset), row)
    header = _full(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", _TRACK))
    begin = _full(b"tfdt", 1, 0, struct.pack(">Q", sample.decode_90k - first_90k))
    return _box(b"moof", _full(b"mfhd", 0, 0, struct.pack(">I", number)), _box(b"traf", header, begin, run))


def _description(track: Track) -> bytes:
    """ftyp and moov."""
    entry, config = (b"avc1", b"avcC") if track.codec == "h264" else (b"hvc1", b"hvcC")
    visual = struct.pack(">6xH16xHHIIIH32xHh", 1, track.width, track.height, 0x480000, 0x480000, 0, 1, 24, -1)
    described = _full(b"stsd", 0, 0, _COUNT_1, _box(entry, visual, _box(config, track.config)))
    empty = (_full(name, 0, 0, bytes(4)) for name in (b"stts", b"stsc", b"stco"))
    table = _box(b"stbl", described, *empty, _full(b"stsz", 0, 0, bytes(8)))
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


_COUNT_1 = struct.pack(">I", 1)


def _full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _box(name: bytes, *parts: bytes) -> bytes:
    return b"".join((struct.pack(">I4s", 8 + sum(map(len, parts)), name), *parts))
