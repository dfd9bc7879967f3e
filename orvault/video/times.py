"""When the pictures of a fragment are shown: read off its packets. Nothing is decoded."""

from __future__ import annotations

import av

from orvault.video.codec import CLOCK_90K, bad_media
from orvault.video.opening import open_for_times
from orvault.video.wholeness import Wholeness


def shown_90k(data: bytes) -> list[int]:
    """The times (1/90000 s) of the pictures of one MP4 fragment, in the order of showing.

    Those that `decode_fragment` gives with `black_for_damaged`, by the same rule of what is expected to be shown.
    BAD_MEDIA for what is no such fragment.
    """
    expected = Wholeness[None]()
    try:
        with open_for_times(data) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.pts is not None and packet.time_base is not None:
                    shown = round(packet.pts * packet.time_base * CLOCK_90K)
                    expected.sent(shown, keyframe=packet.is_keyframe)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise bad_media(f"The video fragment cannot be read ({type(error).__name__}).") from error
    return [judged.pts for judged in expected.end()]
