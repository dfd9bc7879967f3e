"""The demonstration: the whole path on the site's cameras, as its users would walk it.

Everything a hospital does goes over HTTP; everything a recipient does goes through the player's own program.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from cluster import setup
from cluster.client import ApiClient
from cluster.console import err, out, progress
from cluster.environment import prepare
from cluster.settings import Settings
from cluster.sheet import write_before_after
from orvault.clock import US_PER_S, SystemClock, from_iso, utc_iso
from orvault.custody.access import Role
from orvault.durable import write_secret
from orvault.errors import ErrorKind, OrvaultError

MARK = ".orvault-demo"  # a data folder that holds it was made by a demonstration and may be replaced by the next
RENDER_LIMIT_S = 900.0
RECIPIENT = "Seoul Central District Court"


@dataclass
class Result:
    """What the demonstration ends with."""

    segments: int = 0
    recorded_s: float = 0.0
    sealed_mb: float = 0.0
    export_frames: int = 0
    export_s: float = 0.0
    package_mb: float = 0.0
    played: str = ""
    verdict: str = ""


def run_demo(settings: Settings, seconds: int) -> None:
    """Walk the path and show table and picture. Errors: whatever failed on the way, in its own words."""
    people = _fresh_site(settings)
    prepare(settings.cluster.token_file)
    from cluster.bringup import running  # noqa: PLC0415 - Ray reads the environment when it is imported

    result = Result()
    with progress() as bars:
        starting = bars.add_task("starting", total=6)
        with running(settings, lambda stage: bars.update(starting, advance=1, description=f"starting {stage}")) as site:
            bars.update(starting, completed=6, description="started")
            asks = ApiClient(site.api_url, "kim.records", people["kim.records"])
            approves = ApiClient(site.api_url, "lee.privacy", people["lee.privacy"])
            case_id = _record(bars, asks, settings, seconds, result)
            package = _export(bars, asks, approves, settings, case_id, result)
    _play(settings, package, result)
    picture = settings.data / "before-after.png"
    write_before_after(package, _password_file(settings), settings, picture)
    _show(settings, result, package, picture)


def _fresh_site(settings: Settings) -> dict[str, str]:
    """A new data folder with keys, ledger and two accounts; returns their passwords."""
    data = settings.data
    if data.exists() and any(data.iterdir()):
        if not (data / MARK).exists():
            raise OrvaultError(
                ErrorKind.CONFLICT,
                "holds a site that no demonstration made; it stays as it is.",
                where=str(data),
                advice="Name another folder: ORVAULT_DATA=demo-2 make demo",
            )
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    (data / MARK).touch()
    setup.set_up(settings, setup.make_password())
    accounts = {"kim.records": Role.RECORDS_MANAGER, "lee.privacy": Role.PRIVACY_OFFICER}
    passwords = {name: setup.make_password() for name in accounts}
    for name, role in accounts.items():
        setup.create_account(settings, name, role, passwords[name])
    write_secret(_password_file(settings), setup.make_password().encode())
    return passwords


def _password_file(settings: Settings) -> Path:
    """The recipient's password; in life it goes to the recipient another way than the package."""
    return settings.data / "recipient-password"


def _record(bars: Progress, api: ApiClient, settings: Settings, seconds: int, result: Result) -> str:
    rooms = {camera.room for camera in settings.cameras}
    cameras = [camera.id for camera in settings.cameras]
    case = api.post(
        "/cases",
        {
            "number": f"DEMO-{int(time.time())}",
            "room": rooms.pop(),
            "planned_start": utc_iso(SystemClock().now_us()),
            "participants": [{"name": "Dr. Park", "duty": "surgeon"}, {"name": "Nurse Choi", "duty": "scrub nurse"}],
            "camera_ids": cameras,
        },
    )
    case_id = str(case["id"])
    api.post(f"/cases/{case_id}/arm")
    api.post(f"/cases/{case_id}/recording/start")
    task = bars.add_task(f"recording {len(cameras)} cameras", total=seconds)
    for second in range(seconds):
        time.sleep(1)
        bars.update(task, completed=second + 1)
    api.post(f"/cases/{case_id}/close")
    runs = _settled(api, case_id)
    result.segments = sum(int(run["segments"]) for run in runs)
    result.recorded_s = sum(_seconds(run) for run in runs)
    result.sealed_mb = sum(int(run["bytes"]) for run in runs) / 1e6
    return case_id


def _settled(api: ApiClient, case_id: str) -> list[dict[str, object]]:
    """The recordings of a case once the ledger has stopped growing."""
    before = -1
    for _ in range(60):
        runs = api.get("/recordings", case_id=case_id)["items"]
        count = sum(int(run["segments"]) for run in runs)
        if runs and count == before and not any(run["recording"] for run in runs):
            return list(runs)
        before = count
        time.sleep(0.5)
    raise OrvaultError(ErrorKind.UNAVAILABLE, "the ledger did not receive what was recorded within 30 s.")


def _seconds(run: dict[str, object]) -> float:
    return (from_iso(str(run["to"])) - from_iso(str(run["from"]))) / US_PER_S
