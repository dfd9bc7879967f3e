"""What recording costs: sealed recording of many cameras against one `ffmpeg -c copy` per camera on the same streams.

The site is the real one: `orvault node` twice, `orvault up`, cameras over RTSP, started over HTTP, while readers open
stored footage. What is compared is processor time per camera, and whether a single picture is missing.

    python -m benchmarks.recording [--cameras 25] [--seconds 120] [--curve]

`--seconds 600` is a soak: only the stated number of cameras records so long, what it is compared with a minute.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import report
from benchmarks.recording_load import CpuSpan, Readers, ffmpeg_peers, make_clip, missing, pause
from benchmarks.recording_site import RecordingSite
from tests.rtsp import RtspCameras, start

TEMPLATE = Path(__file__).parents[1] / "tests/media/raise_right.mp4"
MBIT_S = 4.0  # what a ward's 1080p30 camera usually sends
READERS, READER_FPS = 16, 30
WARM_S = 15.0  # stored first: what the readers read; also the time in which start-up costs fade
IDLE_S = 30.0
COMPARED_S = 60.0  # what only serves comparison is measured for no longer: a soak is of one number of cameras
STRETCH = 50  # cameras the curve goes to beyond what a client node is asked for: reported, not judged
TOTAL_GOAL, NET_GOAL, GROWTH_GOAL, MB_GOAL = 2.5, 2.0, 1.1, 120.0
GOAL = (
    f"packets_lost 0, ratio_total <= {TOTAL_GOAL}, ratio_net <= {NET_GOAL}, cost_growth <= {GROWTH_GOAL}, "
    f"mb_per_camera <= {MB_GOAL:g}, reader_fps {READERS * READER_FPS}"
)


@dataclass(frozen=True)
class Figures:
    """One run with a number of cameras; cores are processor seconds per second."""

    cameras: int
    packets_sent: int
    packets_lost: int
    ffmpeg_cores: float
    client_cores: float
    idle_cores: float
    server_cores: float
    mb_per_camera: float
    reader_fps: float

    @property
    def ratio_total(self) -> float:
        """All processes of the client node, Ray's included, against ffmpeg."""
        return self.client_cores / self.ffmpeg_cores

    @property
    def ratio_net(self) -> float:
        """The same without what Ray's daemons and as many idle actors cost."""
        return (self.client_cores - self.idle_cores) / self.ffmpeg_cores

    @property
    def cores_per_camera(self) -> float:
        """What one camera costs, all in all."""
        return self.client_cores / self.cameras


def measure(cameras: int, seconds: float, streams: RtspCameras, folder: Path) -> Figures:
    """One site with this many cameras, from nothing to its end."""
    urls = [streams.url(f"cam{number}") for number in range(cameras)]
    with RecordingSite(folder, urls) as site:
        with report.stage(f"{cameras} cameras: idle actors"):
            idle_cores = site.idle_cores(cameras + 1, IDLE_S)
        with report.stage(f"{cameras} cameras: the site comes up"):
            site.up()
            stored = site.record("STORED")
            pause(WARM_S)
            stored.end()
        read = stored.folders[0]
        reading = Readers(read, site.certificate, site.case_key(read), READERS)
        try:
            with report.stage(f"{cameras} cameras: ffmpeg"), ffmpeg_peers(urls, folder) as peers:
                pause(WARM_S)
                span = CpuSpan(peers)
                pause(min(seconds / 2, COMPARED_S))
                ffmpeg_cores = span.cores()
            with report.stage(f"{cameras} cameras: recording {seconds:g} s"):
                measured = site.record("MEASURED")
                pause(WARM_S)
                client, server = CpuSpan(site.client_processes()), CpuSpan(site.server_processes())
                pause(seconds)
                client_cores, server_cores = client.cores(), server.cores()
                mb = site.client_mb()
                measured.end()
        finally:
            reader_fps = reading.end()
        pictures = [site.pictures(measured, camera) for camera in range(cameras)]
    lost = sum(missing(each) for each in pictures)
    return Figures(
        cameras=cameras,
        packets_sent=sum(map(len, pictures)) + lost,
        packets_lost=lost,
        ffmpeg_cores=ffmpeg_cores,
        client_cores=client_cores,
        idle_cores=idle_cores,
        server_cores=server_cores,
        mb_per_camera=mb / cameras,
        reader_fps=reader_fps,
    )


@contextmanager
def _streams(cameras: int, folder: Path) -> Iterator[RtspCameras]:
    with report.stage("a clip of 1080p30 with numbered pictures"):
        clip = make_clip(TEMPLATE, folder / "clip.mp4", MBIT_S)
    server = start({f"cam{number}": clip for number in range(cameras)})
    try:
        yield server
    finally:
        server.stop()


def main() -> int:
    """Measure, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cameras", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--curve", action="store_true", help="also 1, 5, 10, 25 and 50 cameras")
    options = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        parser.error("ffmpeg is not installed; it is the peer (Debian: apt-get install ffmpeg)")
    few = max(1, options.cameras // 5)
    counts = sorted({few, options.cameras} | ({1, 5, 10, 25, 50} if options.curve else set()))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orb-")))
        streams = stack.enter_context(_streams(max(counts), folder))
        curve: dict[int, Figures] = {}
        for count in counts:
            lasting = options.seconds if count == options.cameras else min(options.seconds, COMPARED_S)
            curve[count] = measure(count, lasting, streams, folder / str(count))
            report.note(f"{count} cameras: {_rounded(curve[count])}")
    return _report(curve, curve[options.cameras], curve[few], options.seconds)


def _report(curve: dict[int, Figures], full: Figures, few: Figures, seconds: float) -> int:
    growth = full.cores_per_camera / few.cores_per_camera
    fields: dict[str, object] = {
        **_rounded(full),
        "ratio_total": round(full.ratio_total, 2),
        "ratio_net": round(full.ratio_net, 2),
        "cost_growth": round(growth, 2),
        "seconds": seconds,
        "mbit_s_per_camera": MBIT_S,
        "curve": {count: _point(each) for count, each in curve.items()},
    }
    ok = (
        all(each.packets_lost == 0 for count, each in curve.items() if count < STRETCH or each is full)
        and full.reader_fps >= READERS * READER_FPS * 0.95
        and full.ratio_total <= TOTAL_GOAL
        and full.ratio_net <= NET_GOAL
        and growth <= GROWTH_GOAL
        and full.mb_per_camera <= MB_GOAL
    )
    return report.finish("recording", fields, GOAL, ok, libraries=["ray", "av", "cryptography"])


def _point(figures: Figures) -> dict[str, object]:
    return {
        "cores_per_camera": round(figures.cores_per_camera, 4),
        "ratio_total": round(figures.ratio_total, 2),
        "ratio_net": round(figures.ratio_net, 2),
        "mb_per_camera": round(figures.mb_per_camera, 1),
        "packets_lost": figures.packets_lost,
        "reader_fps": round(figures.reader_fps, 1),
    }


def _rounded(figures: Figures) -> dict[str, object]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(figures).items()
    }


if __name__ == "__main__":
    sys.exit(main())
