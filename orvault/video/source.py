"""Opens whatever a camera's address names: a real camera or a file that plays one.

Opening again after a loss is `recording.reconnect`'s part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from orvault.clock import Clock
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.file import PacedFile
from orvault.video.pacing import Nap
from orvault.video.packet import PacketSource
from orvault.video.rtsp import DEFAULT_TIMEOUT_S, RtspSource, shown


@dataclass(frozen=True)
class CameraAddress:
    """Where a camera's pictures come from.

    `url` is rtsp://HOST:PORT/PATH, rtsps://..., or file:PATH (relative to the working directory, or
    absolute). User name and password never stand in it. `loop` and `speed` are for files only,
    `ca_file` for rtsps, `nap_s` for cameras: how long pictures may wait before they are read.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    loop: bool = True
    speed: float = 1.0
    ca_file: Path | None = None
    nap_s: float = Nap.most_s

    def __post_init__(self) -> None:
        if not self.url.startswith("file:"):
            shown(self.url)

    @property
    def shown(self) -> str:
        """The address as people may see it."""
        return f"file {self._path()}" if self.url.startswith("file:") else shown(self.url)

    def _path(self) -> Path:
        path = self.url.removeprefix("file:")
        if not path or (path.startswith("//") and not path.startswith("///")):
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                "The camera's address names no local file.",
                where=f"camera {self.url}",
                advice="Write it as file:PATH.",
            )
        return Path(path)


def open_source(address: CameraAddress, clock: Clock) -> PacketSource:
    """Connect to the camera, or open the file.

    Errors: those of `RtspSource` and `PacedFile`; BAD_SETTINGS for an address of another kind.
    """
    if address.url.startswith("file:"):
        return PacedFile(address._path(), clock, address.loop, address.speed)
    return RtspSource(
        address.url,
        address.username,
        address.password,
        address.timeout_s,
        address.ca_file,
        address.nap_s,
    )
