"""before-after.png: frames as recorded beside the same frames as they leave the hospital.

For synthetic clips only: it writes clear pictures, which the product itself never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from cluster.settings import Settings
from orvault.clock import SystemClock
from orvault.container.certificates import load_pem, to_der
from orvault.container.package import PackageReader
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision.sheet import contact_sheet

THUMB = (32, 18)  # pixels, each about one cell of a mosaic
AT = 0.6  # of the way through the clip: people are in the picture by then


def require_clips(settings: Settings) -> None:
    """BAD_SETTINGS unless every camera of the site is a clip: what may be shown clear is synthetic."""
    real = [
        camera.id
        for camera in settings.cameras
        for source in (camera.source, camera.sub_source or camera.source)
        if not source.startswith("file:")
    ]
    if real:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            f"the demonstration writes clear pictures, and these cameras are real: {', '.join(dict.fromkeys(real))}.",
            where="cameras",
            advice="Run it with settings whose every source is file:CLIP, as the project's own ray_config.yaml.",
        )


def write_before_after(package: Path, password: str, settings: Settings, picture: Path) -> None:
    """One row per camera.

    Errors: BAD_SETTINGS unless all cameras are clips; those of the package; BAD_MEDIA when a clip cannot be read.
    """
    require_clips(settings)
    root = settings.keys.root_certificate
    roots = [to_der(certificate) for certificate in load_pem(root.read_bytes(), root)]
    rows = []
    with PackageReader.open(package) as reader:
        reader.verify_label(roots, SystemClock().now_us())
        reader.unlock(password)
        for camera in settings.cameras:
            with av.open(reader.media(camera.id), mode="r") as masked:
                after = _frame_at(masked, AT)
            with av.open(camera.source.removeprefix("file:"), mode="r") as clip:
                rows.append((_most_alike(_frames(clip), after), after))
    if not cv2.imwrite(str(picture), contact_sheet(rows)):
        raise OrvaultError(ErrorKind.STORAGE, "the picture could not be written.", where=str(picture))


def _frames(container: av.container.InputContainer) -> Iterator[Image]:
    for frame in container.decode(video=0):
        yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def _frame_at(container: av.container.InputContainer, share: float) -> Image:
    frames = list(_frames(container))
    return frames[int(share * (len(frames) - 1))]


def _most_alike(frames: Iterator[Image], wanted: Image) -> Image:
    """The clip's frame that shows the same moment. Cells of a mosaic keep their mean, so masked parts count too."""
    small = _thumb(wanted)
    return min(frames, key=lambda frame: float(np.abs(_thumb(frame) - small).mean()))


def _thumb(frame: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return cv2.resize(frame, THUMB, interpolation=cv2.INTER_AREA).astype(np.float32)
