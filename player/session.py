"""One package being watched: verify, unlock, decode from memory. Nothing clear ever reaches a disk.

Verification itself is orvault.container's; words and windows are the callers'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from orvault.clock import Clock
from orvault.container.certificates import Revocations
from orvault.container.keys import PrivateKey
from orvault.container.package import Manifest, MediaInfo, PackageReader
from orvault.container.stream import OpeningReader
from orvault.container.trust import Issuer
from orvault.errors import ErrorKind, OrvaultError

CODECS = ("h264", "hevc")
# Only what the format calls for: an MP4 in memory, no references to other files, no network.
_DEMUXER_OPTIONS = {"enable_drefs": "0", "use_absolute_path": "0", "protocol_whitelist": ""}


@dataclass(frozen=True)
class Played:
    """What was decoded of one camera."""

    camera_id: str
    frames: int
    seconds: float


class Session:
    """An opened package whose signature, issuer, validity and papers have been verified."""

    def __init__(self, reader: PackageReader, issuer: Issuer) -> None:
        self.reader = reader
        self.issuer = issuer

    @classmethod
    def open(
        cls,
        path: Path,
        roots: Sequence[bytes],
        clock: Clock,
        revocations: Revocations | None = None,
        *,
        partial: bool = False,
    ) -> Session:
        """Everything that can be checked fast and without a secret (package-v1, section 5, steps 1 to 6).

        With `partial`, a package whose tail is missing opens too: `damage` says so, and what is there plays.

        Raises:
            OrvaultError: NOT_FOUND, NOT_A_PACKAGE, DAMAGED, ALTERED, UNTRUSTED, NOT_YET_VALID, EXPIRED.
        """
        reader = PackageReader.open(path, partial=partial)
        try:
            return cls(reader, reader.verify_label(roots, clock.now_us(), revocations))
        except BaseException:
            reader.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.close()

    @property
    def damage(self) -> OrvaultError | None:
        """What is missing of a package opened with `partial`."""
        return self.reader.damage

    def unlock(self, secret: str | PrivateKey) -> Manifest:
        """Steps 7 and 8; WRONG_PASSWORD, NOT_FOR_YOU, ALTERED."""
        return self.reader.unlock(secret)

    def cameras(self, only: str | None = None) -> list[MediaInfo]:
        """What the manifest says of each camera, or of one; NOT_FOUND if the package has none of that id."""
        media = self.reader.manifest.media
        if only is None:
            return list(media)
        found = [info for info in media if info.camera_id == only]
        if not found:
            known = ", ".join(info.camera_id for info in media)
            raise OrvaultError(
                ErrorKind.NOT_FOUND,
                "The package has no such camera.",
                where=only[:80],
                advice=f"It has: {known}.",
            )
        return found

    def frames(self, info: MediaInfo) -> Iterator[VideoFrame]:
        """Every picture of a camera, decoded from the decrypting stream in memory.

        Raises:
            OrvaultError: ALTERED or DAMAGED from the stream, BAD_MEDIA if it is no video of the kind promised.
        """
        where = f"camera {info.camera_id}"
        feed = _Feed(self.reader.media(info.camera_id))
        try:
            with av.open(feed, mode="r", format="mp4", options=dict(_DEMUXER_OPTIONS)) as container:
                for frame in container.decode(_video_stream(container, info, where)):
                    feed.check()
                    yield frame
        except av.error.FFmpegError as error:
            feed.check()
            raise OrvaultError(
                ErrorKind.BAD_MEDIA, f"The video cannot be decoded: {error.strerror}.", where=where
            ) from error
        feed.check()

    def play(self, info: MediaInfo, progress: Callable[[int], None]) -> Played:
        """Decode a camera from end to end and hold the count against the manifest; `progress(frames so far)`.

        Raises:
            OrvaultError: as `frames`, and DAMAGED if there are fewer or more frames than were signed.
        """
        count, first, last = 0, None, None
        for frame in self.frames(info):
            count += 1
            first = frame.time if first is None else first
            last = frame.time
            progress(count)
        if count != info.frames:
            raise OrvaultError(
                ErrorKind.DAMAGED,
                f"{count} frames could be played where the manifest has {info.frames}.",
                where=f"camera {info.camera_id}",
            )
        span = 0.0 if first is None or last is None else last - first
        return Played(info.camera_id, count, span + 1 / info.fps if count else 0.0)


class _Feed:
    """Gives the demuxer verified bytes; a failed verification looks like the end to it, and is kept for `check`.

    An exception inside a demuxer's callback is printed, retried and sometimes swallowed (seen in PyAV 18): so it
    is neither lost nor shown as a library's trace.
    """

    def __init__(self, reader: OpeningReader) -> None:
        self._reader = reader
        self._error: OrvaultError | None = None

    def read(self, count: int) -> bytes:
        """Up to `count` verified bytes."""
        if self._error is not None:
            return b""
        try:
            return self._reader.read(count) or b""
        except OrvaultError as error:
            self._error = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, as in a file."""
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._reader.tell()

    def check(self) -> None:
        """Raise what stopped the feed, if anything did."""
        if self._error is not None:
            raise self._error


def _video_stream(container: InputContainer, info: MediaInfo, where: str) -> VideoStream:
    streams = container.streams.video
    if len(streams) != 1 or len(container.streams) != 1:
        raise OrvaultError(ErrorKind.BAD_MEDIA, "It holds something else than one video track.", where=where)
    stream = streams[0]
    size = (stream.codec_context.width, stream.codec_context.height)
    if stream.codec_context.name not in CODECS or size != (info.width, info.height):
        raise OrvaultError(
            ErrorKind.BAD_MEDIA, "It is not the video that the manifest describes.", where=where
        )
    stream.thread_type = "AUTO"
    return stream
