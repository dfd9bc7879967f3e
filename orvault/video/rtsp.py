"""Reads one camera over RTSP in TCP, packet by packet: H.264 or H.265, undecoded, sound never asked for.

It connects once and says why it ended; connecting again is `recording.reconnect`'s part.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from orvault.errors import ErrorKind, OrvaultError
from orvault.video import demux
from orvault.video.connection import connected_since, let_wait, open_sockets
from orvault.video.pacing import Nap, in_batches
from orvault.video.packet import Packet, StreamInfo
from orvault.video.silence import SilenceWatch

DEFAULT_TIMEOUT_S = 5.0
MAX_URL_CHARACTERS = 2_048
_NO_LIMIT = -1.0  # to PyAV

_PORTS = {"rtsp": 554, "rtsps": 322}

log = logging.getLogger(__name__)

_OPTIONS = {
    "rtsp_transport": "tcp",  # over UDP pictures get lost on the way
    "allowed_media_types": "video",  # sound is not even set up: it needs consents of its own
    "fpsprobesize": "0",  # measuring the frame rate would hold every connection back by 1.3 s
    "protocol_whitelist": "rtsp,rtp,tcp,tls",  # a redirecting camera cannot make FFmpeg open a file
}
_CHECK_PASSWORD = "Check the camera's user name and password in the configuration."  # noqa: S105 - advice
_CHECK_NETWORK = "Check its power, its network and the address in the configuration."


class RtspSource:
    """An open RTSP camera, a `PacketSource`.

    rtsps:// is TLS, and the camera's certificate is always verified: against `ca_file` (PEM), which is mostly the
    camera's own certificate or the hospital's authority, or else against the system's authorities.

    `url` is rtsp:// or rtsps:// without user name and password; those are fields of their own, so that no
    message, log or representation ever shows them. `timeout_s` is how long the camera may take to answer, and
    how long it may then send nothing. Pictures may wait for `nap_s` before they are read, many at a time (`pacing`).

    Errors: BAD_SETTINGS (url), CAMERA_UNREACHABLE, CAMERA_REFUSED (password, unknown path),
    UNSUPPORTED_CODEC, BAD_MEDIA; while iterating also CAMERA_STALLED.
    """

    def __init__(
        self,
        url: str,
        username: str = "",
        password: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        ca_file: Path | None = None,
        nap_s: float = Nap.most_s,
    ) -> None:
        self.where = shown(url)
        self._timeout_s = timeout_s
        limit = _ReadLimit(timeout_s)
        before = open_sockets()
        self._container = _open(
            _with_credentials(url, username, password), self.where, limit, _options(url, ca_file)
        )
        self._nap = Nap(nap_s)
        self._watch: SilenceWatch | None = None
        try:
            if (connection := _connection(url, before, self.where)) is not None:
                self._nap = Nap(nap_s, let_wait(connection))
                self._watch = SilenceWatch(connection, timeout_s)
                limit.watched = True
            self._stream = demux.video_stream(self._container, self.where)
            self._info = demux.stream_info(self._stream, self.where)
        except (
            BaseException
        ):  # also what nobody foresaw: the watch would hold the connection, and the camera its place
            self.close()
            raise

    def __repr__(self) -> str:
        return f"RtspSource({self.where})"

    @property
    def info(self) -> StreamInfo:
        """The stream, as the camera described it."""
        return self._info

    def __iter__(self) -> Iterator[Packet]:
        """Packets as they arrive; ends only by an OrvaultError that says why."""
        raw: Iterable[av.Packet[VideoStream]] = self._container.demux(self._stream)
        if self._watch is not None:
            raw = self._watch.over(raw)
        base = self._stream.time_base
        assert base is not None, "an RTSP stream always has a time base"
        try:
            yield from demux.packets(in_batches(raw, float(base), self._nap), base, self._info, self.where)
            failure = _ended(self.where)
        except (av.FFmpegError, OSError) as error:
            failure = _broken(error, self.where, self._timeout_s)
        if self._watch is not None and self._watch.hung_up:
            failure = _stalled(self.where, self._timeout_s)
        # Raised out here: FFmpeg's own error holds the URL with the password and must not travel along as
        # context.
        raise failure

    def close(self) -> None:
        """Hang up."""
        try:
            self._container.close()
        finally:
            if self._watch is not None:
                self._watch.close()


def shown(url: str) -> str:
    """The address as people may see it: without user name, password and query.

    Errors: BAD_SETTINGS for what is not an RTSP address, or holds a user name or password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = None, None
    if (
        parts is None
        or parts.scheme not in ("rtsp", "rtsps")
        or not parts.hostname
        or len(url) > MAX_URL_CHARACTERS
        or not url.isprintable()
    ):
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            "The camera's address is not an RTSP address.",
            where="camera",
            advice="Write it as rtsp://HOST:PORT/PATH or rtsps://HOST:PORT/PATH.",
        )
    if parts.username is not None or parts.password is not None:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            "The camera's address holds a user name or password.",
            where=f"camera {parts.hostname}",
            advice="Take them out of the address and write them in their own fields, where they stay secret.",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return (
        f"camera {urlunsplit((parts.scheme, host if port is None else f'{host}:{port}', parts.path, '', ''))}"
    )


def _with_credentials(url: str, username: str, password: str) -> str:
    if not username:
        return url
    parts = urlsplit(url)
    secret = f"{quote(username, safe='')}:{quote(password, safe='')}@"
    return urlunsplit(parts._replace(netloc=secret + parts.netloc))


def _options(url: str, ca_file: Path | None) -> dict[str, str]:
    if not url.startswith("rtsps:"):
        return dict(_OPTIONS)
    if ca_file is None:
        return _OPTIONS | {"tls_verify": "1"}
    if not ca_file.is_file():
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            "There is no such file of certificates.",
            where=str(ca_file),
            advice="Name the PEM file with the camera's certificate or its authority's.",
        )
    return _OPTIONS | {"tls_verify": "1", "ca_file": str(ca_file)}


class _ReadLimit:
    """PyAV's own limit for a read, as long as nobody else watches; PyAV asks for the number when reading begins."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.watched = False

    def __float__(self) -> float:
        # A read that times out is tried once more inside FFmpeg, so each gets half of the time.
        return _NO_LIMIT if self.watched else self.timeout_s / 2


def _connection(url: str, before: Container[int], where: str) -> socket.socket | None:
    """The camera's connection that FFmpeg has made; None where it is not found."""
    parts = urlsplit(url)
    found = connected_since(before, str(parts.hostname), parts.port or _PORTS[parts.scheme])
    if found is None:
        log.info("%s: its connection is not known for certain, so reading it costs a little more", where)
    return found


def _open(secret_url: str, where: str, limit: _ReadLimit, options: dict[str, str]) -> InputContainer:
    started_s = time.monotonic()
    try:
        timeout: Any = (limit.timeout_s, limit)  # typed as plain numbers, but only ever made one by float()
        return av.open(secret_url, mode="r", options=options, timeout=timeout)
    except (av.FFmpegError, OSError) as error:
        # FFmpeg reports its own time limit as "invalid data" here.
        if time.monotonic() - started_s >= limit.timeout_s:
            failure = _silent(where, limit.timeout_s)
        else:
            failure = _not_opened(error, where)
    raise failure


def _not_opened(error: av.FFmpegError | OSError, where: str) -> OrvaultError:
    if isinstance(error, (av.HTTPUnauthorizedError, av.HTTPForbiddenError)):
        kind, message = ErrorKind.CAMERA_REFUSED, "The camera refused the user name or password."
        advice = _CHECK_PASSWORD
    elif isinstance(error, av.HTTPNotFoundError):
        kind, message = ErrorKind.CAMERA_REFUSED, "The camera answers, but knows no stream at this path."
        advice = "Check the path in the camera's address; the maker's manual names it."
    elif isinstance(error, av.InvalidDataError):
        kind, message = (
            ErrorKind.CAMERA_UNREACHABLE,
            "What answers there does not speak RTSP as a camera does.",
        )
        advice = "Check host and port in the camera's address."
    elif "rtsps:" in where and error.errno == errno.EIO:
        kind, message = ErrorKind.CAMERA_UNREACHABLE, "No secure connection to the camera could be made."
        advice = "Check that ca_file holds the camera's certificate or its authority's, and that it is valid."
    else:
        kind, message = ErrorKind.CAMERA_UNREACHABLE, f"The camera cannot be reached ({_reason(error)})."
        advice = _CHECK_NETWORK
    return OrvaultError(kind, message, where=where, advice=advice)


def _silent(where: str, timeout_s: float) -> OrvaultError:
    message = f"The camera did not answer within {timeout_s:g} s."
    return OrvaultError(ErrorKind.CAMERA_UNREACHABLE, message, where=where, advice=_CHECK_NETWORK)


def _ended(where: str) -> OrvaultError:
    # FFmpeg's iterator just ends when the other side is gone, as if a file were over.
    message = "The camera closed the connection."
    return OrvaultError(ErrorKind.CAMERA_UNREACHABLE, message, where=where, advice=_CHECK_NETWORK)


def _broken(error: av.FFmpegError | OSError, where: str, timeout_s: float) -> OrvaultError:
    if isinstance(error, (av.ExitError, TimeoutError)):
        return _stalled(where, timeout_s)
    message = f"The connection to the camera broke ({_reason(error)})."
    return OrvaultError(ErrorKind.CAMERA_UNREACHABLE, message, where=where, advice=_CHECK_NETWORK)


def _stalled(where: str, timeout_s: float) -> OrvaultError:
    message = f"The camera is connected but sent no picture for {timeout_s:g} s."
    return OrvaultError(
        ErrorKind.CAMERA_STALLED, message, where=where, advice="Restart the camera if it stays so."
    )


def _reason(error: av.FFmpegError | OSError) -> str:
    """The error's plain words; never its full text, which holds the URL with the password."""
    return str(error.strerror or type(error).__name__)
