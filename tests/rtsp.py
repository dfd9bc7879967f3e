"""Starts and ends `rtsp_camera.py`, a real RTSP server, for tests that need cameras.

    with rtsp_cameras({"cam0": clip}, user="nurse", password="...") as cameras:
        cameras.url("cam0")          # rtsp://127.0.0.1:PORT/cam0, without the password
        cameras.freeze(); cameras.thaw(); cameras.kill()

Each server is one process of its own, ended by its pid. A server that is started on the port of one that was
killed is the same camera coming back.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

PYTHON = "/usr/bin/python3"  # the system's: GStreamer's bindings are Debian packages
PROGRAM = Path(__file__).with_name("rtsp_camera.py")
START_TIMEOUT_S = 30.0
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


class RtspCameras:
    """One running server with its mounts."""

    def __init__(self, process: subprocess.Popen[str], port: int, scheme: str = "rtsp") -> None:
        self._process, self.port, self._scheme = process, port, scheme

    def url(self, name: str) -> str:
        """A mount's address."""
        return f"{self._scheme}://127.0.0.1:{self.port}/{name}"

    def freeze(self) -> None:
        """Send nothing more, but keep the connections."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on sending."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Be gone at once, as by a power cut."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End in good order."""
        if self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()


def why_missing() -> str:
    """Why no RTSP server can be started here; empty if one can."""
    if not Path(PYTHON).exists():
        return f"{PYTHON} is missing"
    probe = subprocess.run([PYTHON, "-c", _PROBE], capture_output=True, check=False)
    return (
        "" if probe.returncode == 0 else "GStreamer's RTSP server is missing: run scripts/debian-packages.sh"
    )


def start(
    clips: Mapping[str, Path | str],
    *,
    mjpeg: Sequence[str] = (),
    sound: Sequence[str] = (),
    noise: Sequence[str] = (),
    once: Sequence[str] = (),
    wrap: Sequence[str] = (),
    jump_ms: Mapping[str, int] = MappingProxyType({}),
    digest: bool = False,
    user: str = "",
    password: str = "",
    port: int = 0,
    sent: Path | None = None,
    tls: Path | None = None,
) -> RtspCameras:
    """Start a server and wait until it serves; the test is skipped where there is none to start."""
    if reason := why_missing():
        pytest.skip(reason)
    command = [PYTHON, str(PROGRAM), "--port", str(port)]
    command += [part for name, clip in clips.items() for part in ("--mount", f"{name}={clip}")]
    command += [part for name in mjpeg for part in ("--mjpeg", name)]
    command += [part for name in sound for part in ("--sound", name)]
    command += [part for name in noise for part in ("--noise", name)]
    command += [part for name in once for part in ("--once", name)]
    command += [part for name in wrap for part in ("--wrap", name)]
    command += [part for name, ms in jump_ms.items() for part in ("--jump", f"{name}={ms}")]
    command += ["--digest"] if digest else []
    command += ["--sent", str(sent)] if sent is not None else []
    command += ["--tls", str(tls)] if tls is not None else []
    environment = dict(os.environ)
    if user:
        environment |= {"RTSP_CAMERA_USER": user, "RTSP_CAMERA_PASSWORD": password}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        return RtspCameras(process, _ready_port(process), "rtsps" if tls else "rtsp")
    except BaseException:
        process.kill()
        process.wait()
        raise


def _ready_port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        readable, _, _ = select.select([process.stdout], [], [], 0.1)
        if readable:
            line = process.stdout.readline()
            if line.startswith("ready "):
                return int(line.split()[1])
            raise AssertionError(
                f"the RTSP server ended while starting ({line!r}, exit code {process.poll()})"
            )
    raise AssertionError(f"the RTSP server was not ready within {START_TIMEOUT_S} s")


@contextmanager
def rtsp_cameras(clips: Mapping[str, Path | str], **options: object) -> Iterator[RtspCameras]:
    """`start` for the length of a with block."""
    cameras = start(clips, **options)  # type: ignore[arg-type]  # the options are start's own
    try:
        yield cameras
    finally:
        cameras.stop()
