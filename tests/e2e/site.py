"""A whole site for tests: the real programs in processes of their own, driven as their users drive them.

Every process that is killed here is a child of the `orvault up` that this module started.
"""

from __future__ import annotations

import os
import re
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from cluster.client import ApiClient
from cluster.settings import load_settings
from cluster.setup import create_account
from orvault.custody.account import Role

PROJECT = Path(__file__).parents[2]
MODELS = PROJECT / "models"
UP_S = 180.0
RECIPIENT = "Seoul Central District Court"
WATERMARK = "COURT 2026-1234"


class Site:
    """Settings, keys, accounts, and (between `up` and `down`) a running `orvault up`."""

    def __init__(self, folder: Path, cameras: list[dict[str, Any]], **changes: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "ray_config.yaml"
        settings: dict[str, Any] = {
            "site": "Test Hospital",
            "data": "data",
            "nodes": [
                {"name": "export-server", "roles": ["server", "detection"]},
                {"name": "or-client-1", "roles": ["client"]},
            ],
            "cameras": [{"room": "OR-1", "node": "or-client-1", "title": c["id"]} | c for c in cameras],
            "keys": {"passphrase_file": "keys/passphrase"},
            "vision": {"models": str(MODELS), "actors": 1, "threads": 2, "provider": "cpu"},
            "api": {"port": 0, "media_port": 0, "viewing_port": 0},
        }
        self.config.write_text(yaml.safe_dump(settings | changes, allow_unicode=True))
        self.password = secrets.token_urlsafe(18)
        self.recipient_password_file = folder / "recipient-password"
        self.recipient_password_file.write_text(secrets.token_urlsafe(18))
        self.output = ""
        self._process: subprocess.Popen[str] | None = None
        self.api_url = ""

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """One `orvault` command to its end."""
        return subprocess.run(
            [
                sys.executable,
                "-c",
                "from cluster.cli import main; main()",
                *arguments,
                "--config",
                str(self.config),
            ],
            cwd=PROJECT,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=UP_S,
            env=os.environ | environment,
            start_new_session=True,  # no terminal: what it asks for comes from `stdin`
            umask=0,  # a careless shell's
        )

    def set_up(self) -> None:
        """Keys, ledger, and an account of each kind that tests need."""
        made = self.run("init")
        assert made.returncode == 0, made.stderr
        self.admin_password = re.search(r"password (\S+)", made.stdout).group(1)  # type: ignore[union-attr]
        settings = load_settings(self.config)
        for name, role in {"asker": Role.RECORDS_MANAGER, "approver": Role.PRIVACY_OFFICER}.items():
            create_account(settings, name, role, self.password)

    def up(self, secret: str = "", within_s: float = UP_S) -> None:
        """Start `orvault up` without a terminal and wait until it serves; `secret` then opens the key store."""
        command = [sys.executable, "-u", "-c", "from cluster.cli import main; main()", "up", "--config"]
        self._process = subprocess.Popen(
            [*command, str(self.config)],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            umask=0,
        )
        try:
            self._wait_until_it_runs(within_s)
        except AssertionError:
            if self._process.poll() is None:
                self._kill_all()
            raise
        self.api_url = re.search(r"API docs\s+(\S+)/docs", self.output).group(1)  # type: ignore[union-attr]
        if secret:
            opened = self.run("keys", "unlock", stdin=f"{secret}\n")
            assert opened.returncode == 0, opened.stderr

    def _wait_until_it_runs(self, within_s: float) -> None:
        assert self._process is not None and self._process.stdout is not None
        deadline = time.monotonic() + within_s
        while "Running." not in self.output:
            assert time.monotonic() < deadline, f"the site did not come up:\n{self.output}"
            assert self._process.poll() is None, (
                f"`orvault up` ended:\n{self.output}{self._process.stdout.read()}"
            )
            self._read(0.2)

    def _kill_all(self) -> None:
        for process in reversed(self.family()):
            process.kill()

    def ended(self) -> bool:
        """Whether `up` ended by itself; then it can be started again."""
        assert self._process is not None
        if self._process.poll() is None:
            return False
        self.output = ""
        return True

    def down(self) -> int:
        """Interrupt it, as a person at the keyboard would; its exit code."""
        assert self._process is not None
        # A shell starts work in the background with interrupts ignored, and that is inherited.
        deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        self._process.send_signal(signal.SIGTERM if deaf else signal.SIGINT)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._kill_all()
            raise
        self._read(0)
        return self._process.returncode

    def kill(self, title: str, many: bool = False) -> list[int]:
        """SIGKILL our child whose title begins so, e.g. `ray::ExportActor`; process ids. `many`: all of them."""
        found = [child for child in self._children() if _title(child).startswith(title)]
        assert len(found) == 1 or (many and found), f"{title}: {[_title(c) for c in self._children()]}"
        for child in found:
            child.kill()
        return [child.pid for child in found]

    def processes(self, title: str = "") -> list[psutil.Process]:
        """Our children whose title begins so, e.g. `ray::EncryptionActor`."""
        return [child for child in self._children() if _title(child).startswith(title)]

    def client(self, name: str) -> ApiClient:
        """A signed-in account: asker, approver, or admin."""
        return ApiClient(self.api_url, name, self.admin_password if name == "admin" else self.password)

    def http(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """A bare call, for looking at problem documents."""
        url = f"{self.api_url}/api/v1{path}"
        return httpx.request(method, url, timeout=60, trust_env=False, **arguments)

    def family(self) -> list[psutil.Process]:
        """The `orvault up` and everything that it started."""
        assert self._process is not None
        return [psutil.Process(self._process.pid), *self._children()]

    def _children(self) -> list[psutil.Process]:
        assert self._process is not None
        return psutil.Process(self._process.pid).children(recursive=True)

    def _read(self, wait_s: float) -> None:
        assert self._process is not None and self._process.stdout is not None
        stream = self._process.stdout
        while select.select([stream], [], [], wait_s)[0]:
            piece = os.read(stream.fileno(), 65536).decode(errors="replace")
            if not piece:
                return
            self.output += piece
            wait_s = 0


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def record_case(asker: ApiClient, seconds: float, camera_ids: list[str], number: str) -> str:
    """Plan, arm, record and close a case; its id."""
    case_id = armed_case(asker, number)
    asker.post(f"/cases/{case_id}/recording/start", {"camera_ids": camera_ids})
    time.sleep(seconds)
    asker.post(f"/cases/{case_id}/close")
    eventually(lambda: settled(asker, case_id, len(camera_ids)), 30)
    return case_id


def armed_case(asker: ApiClient, number: str, room: str = "OR-1") -> str:
    """A case that may be recorded."""
    case_id = planned_case(asker, number, room)
    asker.post(f"/cases/{case_id}/arm")
    return case_id


def planned_case(asker: ApiClient, number: str, room: str = "OR-1") -> str:
    """A case that may be armed."""
    plan = {
        "number": number,
        "room": room,
        "planned_at": "2026-11-22T09:00:00+09:00",
        "recording_request": "Form 1, patient",
        "participants": ["Park Sora"],
    }
    return str(asker.post("/cases", plan)["id"])


def settled(asker: ApiClient, case_id: str, cameras: int) -> bool:
    """Whether every camera's run has ended and is indexed up to its end."""
    runs = asker.get("/recordings", case_id=case_id)
    return len(runs) == cameras and not any(run["recording"] for run in runs)


def wish(asker: ApiClient, site: Site, case_id: str, **changes: Any) -> dict[str, Any]:
    """The body of a good export request for all that a case recorded."""
    runs = asker.get("/recordings", case_id=case_id)
    return {
        "case_id": case_id,
        "camera_ids": sorted({run["camera_id"] for run in runs}),
        "from": min(run["from"] for run in runs),
        "to": max(run["to"] for run in runs),
        "purpose": "Evidence in proceedings 2026-1234",
        "basis": {"kind": "court", "document_number": "2026-1234"},
        "recipients": [{"name": RECIPIENT, "password": site.recipient_password_file.read_text()}],
        "masking": {"mode": "body", "style": "mosaic"},
        "watermark": {"text": WATERMARK, "position": "top-left"},
    } | changes


def export(
    asker: ApiClient, approver: ApiClient, body: Mapping[str, Any], limit_s: float = 240
) -> dict[str, Any]:
    """Submit, approve, wait; the request as it ended."""
    request_id = asker.post("/exports", body)["id"]
    approver.post(f"/exports/{request_id}/approve")
    eventually(lambda: ended(asker, approver, request_id), limit_s)
    return dict(asker.get(f"/exports/{request_id}"))


def ended(asker: ApiClient, approver: ApiClient, request_id: str) -> bool:
    """Whether an export has come to its end; a second look's findings in drawn people are released on the way."""
    state = asker.get(f"/exports/{request_id}")["state"]
    if state == "review":
        approver.post(f"/exports/{request_id}/release", {"reason": "Drawn people."})
    return state in {"ready", "delivered", "failed", "expired"}


def download(asker: ApiClient, request_id: str, target: Path) -> Path:
    """Fetch a package by a fresh link."""
    asker.download(
        asker.post(f"/exports/{request_id}/download-link")["url"], target, lambda _done, _total: None
    )
    return target


def player(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The player's program to its end."""
    command = [sys.executable, "-m", "player", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)


def eventually(holds: Callable[[], object], limit_s: float) -> None:
    """Wait until it holds; fails when it does not within the limit."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {limit_s:g} s: {holds}"
        time.sleep(0.25)
