"""Cuts a camera's packets into fragments of about two seconds that each play alone; never re-encodes.

It keeps at most one fragment in memory. Sealing and storing it is for `container` and `recording`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from itertools import pairwise

import av

from orvault.clock import Clock
from orvault.video import fmp4, nal
from orvault.video.packet import TICKS_PER_S, Packet, StreamInfo
from orvault.video.timeline import Timeline

TARGET_S = 2.0
MAX_S = 12.0
MAX_BYTES = 32 * 1024 * 1024
# A keyframe of an open GOP is followed by pictures that need the GOP before; it is cut at only when no better
# came.
OPEN_ENTRY_S = 6.0
HOLE_S = 1.0  # pictures further apart than this are a hole in the recording, not a slow camera

NO_KEYFRAME = "the camera sent no keyframe in time"


@dataclass(frozen=True, slots=True)
class Fragment:
    """A self-contained fragmented MP4 that begins with a keyframe, and the wall-clock time it covers.

    `start_us` and `end_us` are UTC microseconds, end exclusive; `frames` counts coded pictures. `holes` are
    times inside it in which the camera sent nothing. `lost` says why pictures right before it are missing, if
    they are. `data` can be overwritten: whoever has sealed it does (`container.wire.wipe`).
    """

    data: bytearray = field(repr=False)
    start_us: int
    end_us: int
    frames: int
    codec: str
    width: int
    height: int
    holes: tuple[tuple[int, int], ...] = ()
    lost: str = ""


class GopCutter:
    """Packets in, fragments out; one per camera and connection, or over many when packets carry `begins`.

    A fragment ends before the first keyframe that comes about `target_s` or more after its first picture,
    before one that changes the parameter sets, and before a packet that `begins` a new connection. A camera
    that sends no keyframe cannot exhaust memory: at `max_s` or `max_bytes` the fragment ends, what follows up
    to the next keyframe cannot be shown and is dropped, and the next fragment's `lost` says so.

    Wall-clock times: see `Timeline`. No fragment begins before `not_before_us` (UTC us), where an earlier cutter
    of the run ended: this machine's clock may have been set back since. Decoding times of the camera are not
    used, because RTP carries none: a picture is decoded in its place in the order of presentation times, which
    every decoder can follow.
    """

    def __init__(
        self,
        info: StreamInfo,
        clock: Clock,
        target_s: float = TARGET_S,
        *,
        not_before_us: int = 0,
        max_s: float = MAX_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._clock = clock
        self._target, self._max = round(target_s * TICKS_PER_S), round(max_s * TICKS_PER_S)
        self._max_bytes = max_bytes
        self._last_end_us = not_before_us
        self._samples: list[fmp4.Sample] = []
        self._bytes = 0
        self._lost = ""
        self._begin(info)

    def feed(self, packet: Packet) -> Fragment | None:
        """Take one packet; the fragment that it completes, if it does.

        Errors: BAD_MEDIA for a packet whose parts do not add up, or parameter sets that make no sense.
        """
        done: Fragment | None = None
        if packet.begins is not None:
            done = self.flush()
            self._begin(packet.begins)
        time = self._timeline.place(packet.pts_90k)
        if packet.keyframe:
            nals = nal.split(packet.data, self._info.nal_length_bytes)
            if self._samples and self._cut_here(nals, time):
                done = self._close(time)
            if not self._samples:
                self._open(nals)
        elif self._samples and self._too_much(packet, time):
            done = self._close(time)
            self._lost = NO_KEYFRAME
        if packet.keyframe or self._samples:
            self._add(packet, time)
        return done

    def flush(self) -> Fragment | None:
        """What was gathered so far as the last fragment; None if nothing was."""
        return self._close(None) if self._samples else None

    def _begin(self, info: StreamInfo) -> None:
        self._info = info
        self._frame = max(1, round(TICKS_PER_S / info.fps))
        self._timeline = Timeline(self._clock, self._frame, self._last_end_us, reorders=info.reorders)
        self._sets = nal.parameter_sets(info.codec, info.extradata)
        self._init = b""

    def _cut_here(self, nals: list[bytes], time: int) -> bool:
        """Whether a new fragment has to begin with this keyframe."""
        if self._changed_sets(nals):
            return True
        length = time - self._samples[0].pts_90k
        if not nal.is_closed_entry(self._info.codec, nals):
            return length >= max(self._target, OPEN_ENTRY_S * TICKS_PER_S)
        # An eighth early: a camera with keyframes every 2 s sends some a little sooner, and waiting doubles
        # the cut.
        return length >= self._target * 7 // 8

    def _changed_sets(self, nals: list[bytes]) -> tuple[bytes, ...]:
        """The parameter sets in this picture, if they are not those in use."""
        here = tuple(unit for unit in nals if nal.is_parameter_set(self._info.codec, unit))
        return here if not set(here) <= set(self._sets) else ()

    def _open(self, nals: list[bytes]) -> None:
        """Get ready to gather: the description is made anew only when the stream's parameters changed."""
        if changed := self._changed_sets(nals):
            if self._sets:
                self._info = _resized(self._info, nals)
            self._sets, self._init = self._renewed(changed), b""
        if not self._init:
            picture = nal.with_start_codes(nals)
            self._init = fmp4.init_segment(
                self._info.codec, self._info.width, self._info.height, self._sets, picture
            )

    def _renewed(self, changed: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The parameter sets in use with those of the changed kinds replaced."""
        codec = self._info.codec
        kinds = {nal.nal_type(codec, unit) for unit in changed}
        return (*(unit for unit in self._sets if nal.nal_type(codec, unit) not in kinds), *changed)

    def _too_much(self, packet: Packet, time: int) -> bool:
        too_long = time - self._samples[0].pts_90k > self._max
        return too_long or self._bytes + len(packet.data) > self._max_bytes

    def _add(self, packet: Packet, time: int) -> None:
        length_bytes = self._info.nal_length_bytes
        pieces = [packet.data] if length_bytes == 4 else nal.sample(packet.data, length_bytes)
        size = sum(map(len, pieces))
        if size:
            self._samples.append(fmp4.Sample(pieces, size, time, packet.keyframe))
            self._bytes += size

    def _close(self, next_90k: int | None) -> Fragment:
        """The gathered pictures as a fragment that lasts up to `next_90k`, or one picture after the last."""
        samples, self._samples, self._bytes = self._samples, [], 0
        decode = _strictly_growing(sorted(sample.pts_90k for sample in samples))
        last = decode[-1]
        end = last + self._usual_step(decode)
        if next_90k is not None and last < next_90k <= last + HOLE_S * TICKS_PER_S:
            end = next_90k
        self._timeline.settle(samples[0].pts_90k)
        wall_us = self._timeline.wall_us
        lost, self._lost = self._lost, ""
        self._last_end_us = wall_us(end)
        return Fragment(
            fmp4.movie(self._init, samples, decode, end),
            wall_us(samples[0].pts_90k),
            self._last_end_us,
            len(samples),
            self._info.codec,
            self._info.width,
            self._info.height,
            holes=tuple(
                (wall_us(before + self._frame), wall_us(after))
                for before, after in pairwise(decode)
                if after - before > HOLE_S * TICKS_PER_S
            ),
            lost=lost,
        )

    def _usual_step(self, decode: list[int]) -> int:
        """How long a picture of this fragment usually lasts."""
        if len(decode) < 2:
            return self._frame
        steps = sorted(after - before for before, after in pairwise(decode))
        return steps[len(steps) // 2]


def _strictly_growing(times: list[int]) -> list[int]:
    """Equal times (a broken camera's) moved apart by a tick each: MP4 cannot hold two pictures at once."""
    for at in range(1, len(times)):
        times[at] = max(times[at], times[at - 1] + 1)
    return times


def _resized(info: StreamInfo, nals: list[bytes]) -> StreamInfo:
    """The stream with the size that this keyframe decodes to; as it was if the keyframe cannot be decoded."""
    try:
        with av.open(io.BytesIO(nal.with_start_codes(nals)), mode="r", format=info.codec) as container:
            context = container.streams.video[0].codec_context
            return replace(info, width=context.width, height=context.height) if context.width else info
    except (av.FFmpegError, IndexError):
        return info
