"""Opens a fragment for decoding without decoding its beginning twice. It decodes nothing itself."""

from __future__ import annotations

import io
from itertools import islice
from typing import Any

import av
from av.container import InputContainer

_MOST_PACKETS = 10_000  # that are looked through; 60 are usual
# What FFmpeg asks a decoder about a file that it opens is not answered, and not read for.
_UNASKED: dict[str, Any] = {"options": {"probesize": "32"}, "stream_options": [{"skip_frame": "all"}]}


def open_fragment(data: bytes) -> InputContainer:
    """An MP4 to be demuxed and decoded; to be closed. Errors: PyAV's own.

    To guess how far H.264 puts pictures out of order, FFmpeg decodes the first seven of a file when it opens it
    (`has_decode_delay_been_guessed` in libavformat/demux.c): a tenth of what all sixty of a fragment cost. Where all
    their times say that none is out of order there is nothing to guess; everywhere else it is asked as ever.
    """
    return open_in_order(data) if _in_order(data) else _opened(data)


def open_in_order(data: bytes) -> InputContainer:
    """As `open_fragment`, of what is known to have no picture out of order: nothing is looked through for it."""
    return _opened(data, **_UNASKED)


def open_for_times(data: bytes) -> InputContainer:
    """An MP4 whose packets alone are of interest. Errors: PyAV's own; ValueError where it holds no stream."""
    return _opened(data, **_UNASKED)


def _opened(data: bytes, **asking: Any) -> InputContainer:
    # The format is named: left to guess, FFmpeg would take a playlist and open what the playlist points to.
    container: InputContainer = av.open(io.BytesIO(data), mode="r", format="mp4", **asking)
    return container


def _in_order(data: bytes) -> bool:
    """Whether the description tells the pictures' size, and their times grow in the order of coding, to the end."""
    try:
        opened = _opened(data, **_UNASKED)
    except ValueError:  # there is no stream that could be asked about
        return False
    with opened as container:
        videos = container.streams.video
        if not videos or not videos[0].codec_context.width or not videos[0].codec_context.height:
            return False
        last = None
        for packet in islice(container.demux(videos[0]), _MOST_PACKETS):
            if packet.dts is None and packet.pts is None:
                return True  # the end
            if packet.pts is None or (last is not None and packet.pts <= last):
                return False
            last = packet.pts
    return False
