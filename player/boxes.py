"""Takes a fragmented MP4 apart: the description of its one video track, and fragment after fragment of pictures.

Everything is held against bounds before it is used: a package's signer may be anybody. Decoding is decoding.py's.
Source: ISO/IEC 14496-12 (moov, moof, traf, tfhd, tfdt, trun), ISO/IEC 14496-15 (avc1, hvc1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from player.mp4 import Stream, bad, children, header_at, only, read_exactly, unpack
from player.parameters import sequence_set

CLOCK_90K = 90_000
MAX_DESCRIPTION_BYTES = 1 << 20  # ftyp and moov; a few hundred bytes are usual
MAX_FRAGMENT_HEADER_BYTES = 1 << 20  # moof; a thousand bytes are usual
MAX_BOXES_BETWEEN = 16  # that are passed over before the description, and before each fragment
MAX_SAMPLES = 10_000  # pictures of a fragment; 60 are usual
MAX_SAMPLE_BYTES = 32 << 20  # of one coded picture
MAX_PIXELS = 4096 * 2304  # of one picture: what a server takes of a camera

_CODECS = {
    b"avc1": ("h264", b"avcC"),
    b"avc3": ("h264", b"avcC"),
    b"hvc1": ("hevc", b"hvcC"),
    b"hev1": ("hevc", b"hvcC"),
}
_PASSED_OVER = (b"free", b"sidx", b"styp", b"mfra", b"emsg", b"prft")
_ENTRY_BYTES = 78  # of a visual sample entry before its boxes
_NOT_SYNC = 0x10000
_NO_SENSE = "A picture's size or time makes no sense."
_LARGEST_TIME = 1 << 48  # in a track's own units
_LARGEST_DELAY = 1 << 31  # of showing after decoding, in 1/90000 s: what a trun can hold
LARGEST_90K = 1 << 48  # 99 years: with what a manifest can say, before the year 9999


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded picture: where it lies, its times in 1/90000 s, whether decoding can start at it."""

    offset: int
    size: int
    decode_90k: int
    pts_90k: int
    sync: bool


@dataclass(frozen=True, slots=True)
class Track:
    """The video track: `codec` as FFmpeg calls it, `config` the decoder's configuration (avcC, hvcC)."""

    codec: str
    width: int
    height: int
    config: bytes = field(repr=False)
    sequence: bytes = field(repr=False)  # the sequence parameter set in it
    timescale: int
    track_id: int
    default_duration: int
    default_size: int
    default_flags: int
    begin: int  # where the first fragment lies


@dataclass(frozen=True, slots=True)
class Fragment:
    """A stretch of pictures, in decoding order; the next fragment begins at `end`."""

    offset: int
    end: int
    samples: tuple[Sample, ...] = field(repr=False)
    first_90k: int  # when its first picture is shown

    @property
    def sync(self) -> bool:
        """Whether decoding can start here."""
        return self.samples[0].sync


def read_track(stream: Stream) -> Track:
    """The boxes before the first fragment.

    Raises:
        OrvaultError: BAD_MEDIA if it is no fragmented MP4 of one H.264 or H.265 track; what reading raises.
    """
    at = 0
    for _ in range(MAX_BOXES_BETWEEN):
        name, size, header = header_at(stream, at)
        if name not in (b"ftyp", b"free", b"moov") or size > MAX_DESCRIPTION_BYTES:
            break
        if name == b"moov":
            return _track(read_exactly(stream, at + header, size - header), at + size)
        at += size
    bad("It does not begin as a fragmented MP4 does.")


def _track(moov: bytes, begin: int) -> Track:
    boxes = children(moov)
    traks = [body for name, body in boxes if name == b"trak"]
    extends = [body for name, body in children(only(boxes, b"mvex")) if name == b"trex"]
    if len(traks) != 1 or len(extends) != 1:
        bad("It holds something else than one video track.")
    track_id, _, duration, size, flags = unpack(">5I", extends[0], 4)
    media = children(only(children(traks[0]), b"mdia"))
    header = only(media, b"mdhd")
    (timescale,) = unpack(">I", header, 20 if header[:1] == b"\x01" else 12)
    if only(media, b"hdlr")[8:12] != b"vide" or not 1 <= timescale <= 10_000_000:
        bad("It holds something else than one video track.")
    tables = children(only(children(only(media, b"minf")), b"stbl"))
    codec, width, height, config = _entry(only(tables, b"stsd"))
    sequence = sequence_set(codec, config, width, height)
    return Track(codec, width, height, config, sequence, timescale, track_id, duration, size, flags, begin)


def _entry(stsd: bytes) -> tuple[str, int, int, bytes]:
    (count,) = unpack(">I", stsd, 4)
    entries = children(stsd[8:])
    if count != 1 or len(entries) != 1 or entries[0][0] not in _CODECS:
        bad("Its video is neither H.264 nor H.265.")
    name, body = entries[0]
    codec, wanted = _CODECS[name]
    width, height = unpack(">HH", body, 24)
    if not 0 < width * height <= MAX_PIXELS:
        bad(f"A picture of {width}x{height} is not taken.")
    return codec, width, height, only(children(body[_ENTRY_BYTES:]), wanted)


def read_fragment(stream: Stream, track: Track, offset: int) -> Fragment | None:
    """The fragment that begins at `offset`; None at the end of the video.

    Raises:
        OrvaultError: BAD_MEDIA if something else lies there; what reading raises.
    """
    for _ in range(MAX_BOXES_BETWEEN):
        if offset >= stream.size:
            return None
        name, size, header = header_at(stream, offset)
        if name not in _PASSED_OVER:
            break
        offset += size
    if name != b"moof":
        bad("Something else lies where a fragment was expected.")
    if size > MAX_FRAGMENT_HEADER_BYTES:
        bad("A fragment's header is too large.")
    moof = read_exactly(stream, offset + header, size - header)
    name, media, begins = header_at(stream, offset + size)
    if name != b"mdat":
        bad("A fragment has no pictures.")
    first, end = offset + size + begins, offset + size + media
    samples = _samples(moof, track, offset)
    if any(sample.offset < first or sample.offset + sample.size > end for sample in samples):
        bad("A picture lies outside its fragment.")
    return Fragment(offset, end, samples, min(sample.pts_90k for sample in samples))


def _samples(moof: bytes, track: Track, base: int) -> tuple[Sample, ...]:
    trafs = [body for name, body in children(moof) if name == b"traf"]
    if len(trafs) != 1:
        bad("A fragment has more than one track.")
    boxes = children(trafs[0])
    base, defaults = _defaults(only(boxes, b"tfhd"), track, base)
    begin = only(boxes, b"tfdt")
    (decode,) = unpack(">Q" if begin[:1] == b"\x01" else ">I", begin, 4)
    samples: list[Sample] = []
    at = base
    for run in (body for name, body in boxes if name == b"trun"):
        for row in _rows(run, defaults, base, at, decode):
            if len(samples) >= MAX_SAMPLES:
                bad("A fragment has too many pictures.")
            samples.append(row.sample(track.timescale))
            at, decode = row.at + row.size, row.decode + row.duration
    if not samples:
        bad("A fragment has no pictures.")
    return tuple(samples)


@dataclass(frozen=True, slots=True)
class _Row:
    """One sample as a trun tells it; times in the track's own units."""

    at: int
    size: int
    decode: int
    shown: int
    duration: int
    sync: bool

    def sample(self, timescale: int) -> Sample:
        decode, shown = (_in_90k(time, timescale) for time in (self.decode, self.shown))
        if not 0 <= decode <= LARGEST_90K or abs(shown - decode) >= _LARGEST_DELAY:
            bad(_NO_SENSE)
        return Sample(self.at, self.size, decode, shown, self.sync)


@dataclass(frozen=True, slots=True)
class _Defaults:
    duration: int
    size: int
    flags: int


def _defaults(tfhd: bytes, track: Track, base: int) -> tuple[int, _Defaults]:
    flags, track_id = unpack(">II", tfhd, 0)
    if track_id != track.track_id:
        bad("A fragment is of another track.")
    at, found = 8, [base, 0, track.default_duration, track.default_size, track.default_flags]
    for place, (bit, form) in enumerate(((1, ">Q"), (2, ">I"), (8, ">I"), (16, ">I"), (32, ">I"))):
        if flags & bit:
            (found[place],) = unpack(form, tfhd, at)
            at += struct.calcsize(form)
    return found[0], _Defaults(*found[2:])


def _rows(run: bytes, defaults: _Defaults, base: int, at: int, decode: int) -> Iterator[_Row]:
    """Each sample of a trun; `at` and `decode` are where the one before it ended."""
    head, count = unpack(">II", run, 0)
    place, first_flags = 8, None
    if head & 0x001:
        (shift,) = unpack(">i", run, place)
        at, place = base + shift, place + 4
    if head & 0x004:
        (first_flags,) = unpack(">I", run, place)
        place += 4
    form = ">" + "".join("I" for bit in (0x100, 0x200, 0x400) if head & bit)
    form += ("i" if head >> 24 else "I") if head & 0x800 else ""
    for number in range(count):
        told = list(unpack(form, run, place))
        place += struct.calcsize(form)
        duration = told.pop(0) if head & 0x100 else defaults.duration
        size = told.pop(0) if head & 0x200 else defaults.size
        flags = told.pop(0) if head & 0x400 else defaults.flags
        if number == 0 and first_flags is not None:
            flags = first_flags
        if not 0 < size <= MAX_SAMPLE_BYTES or not 0 <= decode < _LARGEST_TIME:
            bad(_NO_SENSE)
        yield _Row(at, size, decode, decode + (told.pop(0) if told else 0), duration, not flags & _NOT_SYNC)
        at, decode = at + size, decode + duration


def _in_90k(time: int, timescale: int) -> int:
    return time if timescale == CLOCK_90K else round(time * CLOCK_90K / timescale)
