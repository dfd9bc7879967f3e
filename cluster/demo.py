"""The demonstration: the whole path on the site's cameras, as its users would walk it.

Everything a hospital does goes over HTTP; everything a recipient does goes through the player's own program.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table

from cluster import setup
from cluster.bringup import running
from cluster.client import ApiClient
from cluster.console import out, progress
from cluster.settings import Settings
from cluster.sheet import require_clips, write_before_after
from orvault.clock import US_PER_S, SystemClock, from_iso, utc_iso
from orvault.container.files import write_private
from orvault.custody.account import Role
from orvault.errors import ErrorKind, OrvaultError

MARK = (
    ".orvault-demo"  # a data folder that holds it was made by a demonstration and may be replaced by the next
)
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
    """Walk the path and show table and picture.

    Errors: BAD_SETTINGS unless all cameras are clips; whatever failed on the way, in its own words.
    """
    require_clips(settings)
    people = _fresh_site(settings)
    result = Result()
    with progress() as bars:
        starting = bars.add_task("starting", total=None)
        with running(
            settings, lambda stage: bars.update(starting, advance=1, description=f"starting {stage}")
        ) as site:
            bars.update(starting, total=1, completed=1, description="started")
            asks = ApiClient(site.api_url, "kim.records", people["kim.records"])
            approves = ApiClient(site.api_url, "lee.privacy", people["lee.privacy"])
            case_id = _record(bars, asks, settings, seconds, result)
            package = _export(bars, asks, approves, settings, case_id, result)
    _play(settings, package, result)
    picture = settings.data / "before-after.png"
    write_before_after(package, _password_file(settings).read_text(), settings, picture)
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
    write_private(_password_file(settings), setup.make_password().encode())
    return passwords


def _password_file(settings: Settings) -> Path:
    """The recipient's password; in life it goes to the recipient another way than the package."""
    return settings.data / "recipient-password"


def _record(bars: Progress, api: ApiClient, settings: Settings, seconds: int, result: Result) -> str:
    cameras = [camera.id for camera in settings.cameras]
    case = api.post(
        "/cases",
        {
            "number": f"DEMO-{int(time.time())}",
            "room": settings.cameras[0].room,
            "planned_at": utc_iso(SystemClock().now_us()),
            "recording_request": "Form 1, patient, demonstration",
            "participants": ["Dr. Park Sora", "Nurse Choi Minsu"],
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
    result.export_frames = sum(int(run["frames"]) for run in runs)
    result.sealed_mb = sum(int(run["bytes"]) for run in runs) / 1e6
    return case_id


def _settled(api: ApiClient, case_id: str) -> list[dict[str, Any]]:
    """The recordings of a case once the ledger has stopped growing."""
    before = -1
    for _ in range(60):
        runs = api.get("/recordings", case_id=case_id)
        count = sum(int(run["segments"]) for run in runs)
        if runs and count == before and not any(run["recording"] for run in runs):
            return list(runs)
        before = count
        time.sleep(0.5)
    raise OrvaultError(ErrorKind.UNAVAILABLE, "the ledger did not receive what was recorded within 30 s.")


def _seconds(run: dict[str, Any]) -> float:
    return (from_iso(str(run["to"])) - from_iso(str(run["from"]))) / US_PER_S


def _export(
    bars: Progress, asks: ApiClient, approves: ApiClient, settings: Settings, case_id: str, result: Result
) -> Path:
    request = _submit(asks, settings, case_id)
    request_id = str(request["id"])
    approves.post(f"/exports/{request_id}/approve")
    task = bars.add_task("rendering", total=None)
    began = time.monotonic()
    while (state := asks.get(f"/exports/{request_id}"))["state"] in ("approved", "rendering"):
        at = state["progress"]
        bars.update(
            task, description=at["stage"] or "waiting", total=at["total"] or None, completed=at["done"]
        )
        if time.monotonic() - began > RENDER_LIMIT_S:
            raise OrvaultError(ErrorKind.UNAVAILABLE, f"rendering took longer than {RENDER_LIMIT_S:g} s.")
        time.sleep(0.5)
    result.export_s = time.monotonic() - began
    if state["state"] == "review":  # a second look found something: the demonstration's other account decides
        reason = {"reason": "Demonstration: drawn people, nobody real."}
        state = approves.post(f"/exports/{request_id}/release", reason)
    bars.update(task, description=f"package {state['state']}", total=1, completed=1)
    if state["state"] != "ready":
        raise OrvaultError(ErrorKind.UNAVAILABLE, f"the export is {state['state']}: {state.get('failure')}")
    link = asks.post(f"/exports/{request_id}/download-link")
    target = settings.data / "received.orvault"
    loading = bars.add_task("downloading", total=None)
    asks.download(link["url"], target, lambda done, total: bars.update(loading, completed=done, total=total))
    result.package_mb = target.stat().st_size / 1e6
    return target


def _submit(api: ApiClient, settings: Settings, case_id: str) -> dict[str, object]:
    runs = api.get("/recordings", case_id=case_id)
    body = {
        "case_id": case_id,
        "camera_ids": [camera.id for camera in settings.cameras],
        "from": min(run["from"] for run in runs),
        "to": max(run["to"] for run in runs),
        "purpose": "Evidence in proceedings 2026-1234",
        "basis": {"kind": "court", "document_number": "2026-1234"},
        "recipients": [{"name": RECIPIENT, "password": _password_file(settings).read_text()}],
        "masking": {"mode": "body", "style": "mosaic"},
        "watermark": {"text": f"{RECIPIENT} · 2026-1234", "position": "bottom-right"},
    }
    return dict(api.post("/exports", body))


def _play(settings: Settings, package: Path, result: Result) -> None:
    """As the recipient would: the player's own program, in a process of its own."""
    secret = ["--root", str(settings.keys.root_certificate), "--password-file", str(_password_file(settings))]
    result.verdict = str(_player("verify", str(package), "--json", *secret)["message"])
    played = _player("play", str(package), "--headless", "--accept-terms", "--json", *secret)["played"]
    frames, seconds = (sum(camera[what] for camera in played) for what in ("frames", "seconds"))
    result.played = f"{frames} frames, {seconds:.1f} s, every one decoded"


def _player(*arguments: str) -> dict[str, Any]:
    """What the player found; its progress bars go to this program's own standard error."""
    command = [sys.executable, "-m", "player", *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=RENDER_LIMIT_S)  # noqa: S603 - our program
    if run.returncode != 0:
        raise OrvaultError(
            ErrorKind.ALTERED,
            f"the player ended with {run.returncode}: {run.stdout.strip()}",
            where=arguments[0],
        )
    return dict(json.loads(run.stdout))


def _show(settings: Settings, result: Result, package: Path, picture: Path) -> None:
    table = Table("what", "seen", title=f"{settings.site}: the whole path")
    frames, seconds = result.export_frames, result.export_s
    rows = {
        "segments": f"{result.segments}",
        "recorded": f"{result.recorded_s:.1f} s on {len(settings.cameras)} cameras",
        "sealed": f"{result.sealed_mb:.2f} MB",
        "export": f"{frames} frames in {seconds:.1f} s, {frames / seconds:.1f} fps",
        "package": f"{result.package_mb:.2f} MB",
        "played": result.played,
        "verdict": result.verdict,
        "package file": str(package),
        "picture": str(picture),
    }
    for what, seen in rows.items():
        table.add_row(what, seen)
    out.print(table)
