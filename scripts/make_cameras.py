"""Encodes two of the synthetic clips again as a camera would send them: a keyframe every second, one in H.265.

The clips as they were made hold one keyframe each; a camera that did that would begin a recording ten seconds late.
Frames and times stay the same, so the clips' truth files hold for these too.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

MEDIA = Path(__file__).resolve().parent.parent / "tests/media"
CAMERAS = {
    "or1-ceiling": ("crossing", "libx264", {"x264-params": "keyint=15:min-keyint=15:scenecut=0:open-gop=0"}),
    "or1-wall": (
        "still_patient",
        "libx265",
        {"x265-params": "keyint=15:min-keyint=15:scenecut=0:open-gop=0:log-level=none"},
    ),
}
FPS = 15


def main() -> None:
    """Write tests/media/cameras/*.mp4."""
    for name, (clip, encoder, options) in CAMERAS.items():
        target = MEDIA / "cameras" / f"{name}.mp4"
        with av.open(MEDIA / f"{clip}.mp4") as source, av.open(target, "w") as out:
            stream = out.add_stream(encoder, rate=FPS, options={"crf": "20", "preset": "medium", **options})
            stream.width, stream.height = 1280, 720
            stream.pix_fmt = "yuv420p"
            stream.time_base = Fraction(1, FPS)
            stream.max_b_frames = 0  # cameras send none, to keep the delay short
            for number, frame in enumerate(source.decode(video=0)):
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                frame.pict_type = av.video.frame.PictureType.NONE
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
        print(target.relative_to(MEDIA.parent.parent), target.stat().st_size)


if __name__ == "__main__":
    main()
