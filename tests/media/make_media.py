"""Makes small clips for tests: drawn, not filmed, in H.264 or H.265, with the features that real cameras have.

The synthetic operating-room clips beside this file are made elsewhere and stay as they are.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

# Access unit delimiters, timing SEI in every picture and reordered pictures: more than most cameras send.
_H264 = "aud=1:nal-hrd=vbr:vbv-maxrate=1000:vbv-bufsize=1000:scenecut=0"
_H265 = "aud=1:hrd=1:vbv-maxrate=1000:vbv-bufsize=1000:scenecut=0:log-level=error"


def make_clip(
    path: Path,
    codec: str = "h264",
    *,
    frames: int = 75,
    fps: int = 15,
    width: int = 320,
    height: int = 240,
    gop: int = 15,
    reordered: int = 2,
    open_gop: bool = False,
) -> Path:
    """Write one clip; `gop` pictures lie between keyframes, up to `reordered` B pictures in a row."""
    shape = f"keyint={gop}:min-keyint={gop}:bframes={reordered}:open-gop={int(open_gop)}"
    encoder, own, name = (
        ("libx264", _H264, "x264-params") if codec == "h264" else ("libx265", _H265, "x265-params")
    )
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, fps)
        stream.options = {"preset": "ultrafast", name: f"{own}:{shape}"}
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(_drawn(number, width, height), format="rgb24")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def _drawn(number: int, width: int, height: int) -> np.ndarray:
    """A bright square that moves over a ramp."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, :, 0] = np.arange(width) % 256
    left = number * 4 % max(1, width - 32)
    picture[16:64, left : left + 32] = 255
    picture[:, :, 2] = number * 3 % 256
    return picture
