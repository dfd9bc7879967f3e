"""A day in the life of a recording, over HTTP on MariaDB: from the arming to the receipt of its destruction.

The client node and the export server are two Ray nodes, each started by its own command.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pymysql
import pytest

from cluster.client import ApiClient
from orvault.clock import US_PER_S
from orvault.container.canonical import encode
from orvault.container.files import write_private
from orvault.errors import OrvaultError
from tests.contract.mariadb import PASSWORD, MariaDb, missing_program, running_mariadb
from tests.e2e.conftest import CLIPS
from tests.e2e.nodes import CLIENT, HEAD, free_port, two_nodes
from tests.e2e.site import MODELS, Site, download, eventually, player, record_case, wish
from tests.rtsp import rtsp_cameras

LEDGER = "day"
ON_CLIENT = {"encryption:or-client-1", "camera:wall", "detection:1"}
ON_SERVER = {
    "keys", "index", "control", "witnessing", "export", "media", "viewing", "retention", "detection:0",
}  # fmt: skip
A_MONTH_US = 31 * 86_400 * US_PER_S
PAPER = hashlib.sha256(b"a signed paper").hexdigest()
ALTERED = 10


@dataclass
class Day:
    """The running site, its two people, and its database as the administrator of that sees it."""

    site: Site
    database: MariaDb
    asker: ApiClient
    approver: ApiClient

    @contextmanager
    def sql(self) -> Iterator[Callable[..., Any]]:
        with pymysql.connect(
            unix_socket=str(self.database.socket), user="root", database=LEDGER
        ) as connection:
            cursor = connection.cursor()

            def ask(statement: str, *values: object) -> Any:
                cursor.execute(statement, values)
                return cursor.fetchall()

            yield ask
            connection.commit()


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    if missing := missing_program():
        pytest.skip(f"not installed: {missing}")
    with running_mariadb() as database, rtsp_cameras({"wall": CLIPS["wall"]}) as server:
        folder, port = tmp_path_factory.mktemp("day"), free_port()
        site = Site(
            folder,
            [{"id": "wall", "source": server.url("wall")}],
            cluster={"address": f"127.0.0.1:{port}", "object_store_mb": 100},
            nodes=[
                {"name": HEAD, "roles": ["server", "detection"]},
                {"name": CLIENT, "roles": ["client", "detection"]},
            ],
            vision={"models": str(MODELS), "actors": 2, "threads": 1, "provider": "cpu"},
            ledger={
                "url": database.fresh(LEDGER).replace(f":{PASSWORD}@", "@"),
                "password_file": "secrets/ledger",
            },
            history={"checkpoint_minutes": 0.1},
        )
        write_private(site.data / "secrets/ledger", PASSWORD.encode())
        site.set_up()
        with two_nodes(site, port):
            site.up()
            try:
                yield Day(site, database, site.client("asker"), site.client("approver"))
            finally:
                site.down()


def consent(subject: str, name: str) -> dict[str, str]:
    return {"subject": subject, "name": name, "document_sha256": PAPER}


def refused(act: Callable[[], object]) -> str:
    """The HTTP status with which it is refused, and why."""
    with pytest.raises(OrvaultError) as caught:
        act()
    return f"{caught.value.where.rpartition(' ')[2]} {caught.value.message}"


def test_each_actor_runs_on_the_node_of_its_role_and_no_password_is_said(day: Day) -> None:
    places = dict(re.findall(r"^  (\S+) on (.+)$", day.site.output, re.MULTILINE))
    assert {name for name, place in places.items() if place == CLIENT} == ON_CLIENT
    assert {name for name, place in places.items() if place == HEAD} == ON_SERVER
    assert PASSWORD not in day.site.output


@pytest.mark.timeout(900)
def test_from_the_arming_to_the_receipt(day: Day) -> None:
    asker, approver, site = day.asker, day.approver, day.site
    case_id = record_case(asker, 6, ["wall"], "DAY-1")
    assert list((site.data / "segments" / CLIENT).rglob("*.seg"))

    # By consent: the patient's alone is not enough, and nobody approves before the last one is there.
    basis = {"kind": "consent", "consents": [consent("patient", "Kim Minji")]}
    body = wish(asker, site, case_id, basis=basis)
    request = asker.post("/exports", body)
    where = f"/exports/{request['id']}"
    assert request["state"] == "submitted"
    assert re.match("422 .*consent of Park Sora", refused(lambda: approver.post(f"{where}/approve")))
    complete = asker.post(f"{where}/consents", {"consents": [consent("staff", "Park Sora")]})
    assert complete["state"] == "satisfied"
    assert refused(lambda: asker.post(f"{where}/approve")).startswith("403 ")
    _ask_to_look(day, where)
    approver.post(f"{where}/approve")

    _look_and_agree(day, request["id"])
    assert asker.get(where)["state"] == "ready", asker.get(where)["failure"]
    package = download(asker, request["id"], site.folder / "day.orvault")
    assert asker.get(where)["state"] == "delivered"
    secret = ("--password-file", site.recipient_password_file)
    verdict = player("verify", package, "--root", site.data / "keys/root.pem", *secret)
    assert verdict.returncode == 0 and "Genuine" in verdict.stdout, verdict.stdout + verdict.stderr

    asked = {"case_id": case_id, "camera_id": "wall", "from": body["from"], "to": body["to"]}
    assert _watch(approver, "/views/stored", asked)["showing"] == "masked"
    seen = {"masked", "people-masked"}  # what was recorded, and the masked result
    eventually(lambda: {span["showing"] for span in _spans_seen(day, case_id)} == seen, 90)

    hold = approver.post(f"/cases/{case_id}/holds", {"reason": "Complaint", "document": "2026-77"})
    _a_month_passes(day, case_id)
    (stopped,) = approver.get("/retention/plan")["stopped"]
    assert [each["stop"] for each in stopped["stopped_by"]] == ["hold"]
    asker.post(f"/cases/{case_id}/holds/{hold['id']}/lift", {"reason": "Settled"})
    plan = approver.get("/retention/plan")
    assert [item["case_id"] for item in plan["due"]] == [case_id]
    approver.post("/retention/plan/approve", {"digest": plan["digest"]})
    _destroyed(day, case_id)

    intact = site.run("history", "verify")
    assert intact.returncode == 0, intact.stderr


def _ask_to_look(day: Day, where: str) -> None:
    """Have the nurse who took part look at the result before it leaves."""
    nurse = {"name": "nurse", "display_name": "Park Sora", "role": "clinical-staff"}
    day.site.client("admin").post(
        "/accounts", nurse | {"scopes": [{"kind": "site"}], "password": day.site.password}
    )
    told = day.asker.post(f"{where}/participants", {"participant": "Park Sora", "account": "nurse"})
    assert [each["participant"] for each in told["participants"]] == ["Park Sora"]


def _look_and_agree(day: Day, request_id: str) -> None:
    """She alone watches it, masked; nothing leaves before she has agreed."""
    where, nurse = f"/exports/{request_id}", day.site.client("nurse")
    eventually(lambda: day.asker.get(where)["state"] in {"review", "failed"}, 240)
    (waiting,) = nurse.get("/results")
    if not waiting["shown"]:  # what a second look finds in drawn people
        day.approver.post(f"{where}/release", {"reason": "Drawn people."})
    asked = {"request_id": request_id, "camera_id": "wall"}
    assert _watch(nurse, "/views/result", asked)["showing"] == "people-masked"
    assert refused(lambda: day.approver.post("/views/result", asked)).startswith("403 ")
    assert refused(lambda: day.asker.post(f"{where}/download-link")).startswith("409 ")
    nurse.post(f"{where}/answers", {"participant": "Park Sora", "agrees": True})


def _watch(viewer: ApiClient, path: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Look at the first seconds of a view, as a browser's player would."""
    view: dict[str, Any] = viewer.post(path, asked)
    with httpx.Client() as client:
        playlist = client.get(view["playlist"])
        assert playlist.status_code == 200, playlist.text
        pieces = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]
        assert client.get(str(playlist.url.join(pieces[0]))).status_code == 200
    return view


def _spans_seen(day: Day, case_id: str) -> list[dict[str, Any]]:
    return [span for view in day.approver.get(f"/cases/{case_id}/access")["seen"] for span in view["spans"]]


def _a_month_passes(day: Day, case_id: str) -> None:
    """The floor is the law's and has no setting; so what the ledger knows of this case moves back in time."""
    with day.sql() as ask:
        for table, columns in {
            "cases": ("created_us", "armed_us", "closed_us"),
            "runs": ("started_us", "stop_ordered_us", "stopped_us"),
            "segments": ("start_us", "end_us"),
            "stretches": ("start_us", "end_us"),
        }.items():
            moved = ", ".join(f"{column} = {column} - {A_MONTH_US}" for column in columns)
            key = "id" if table == "cases" else "case_id"
            ask(f"UPDATE {table} SET {moved} WHERE {key} = %s", case_id)


def _destroyed(day: Day, case_id: str) -> None:
    site, officer = day.site, day.approver
    eventually(lambda: officer.get(f"/cases/{case_id}/retention")["destruction"]["step"] == "destroyed", 180)
    assert not list((site.data / "segments").rglob(f"{case_id}/**/*.seg"))
    receipt = site.folder / "receipt.json"
    receipt.write_bytes(encode(officer.get(f"/cases/{case_id}/receipt")))
    checked = site.run("retention", "verify", str(receipt))
    assert checked.returncode == 0 and case_id in checked.stdout, checked.stdout + checked.stderr


def test_the_same_history_is_found_broken(day: Day, tmp_path: Path) -> None:
    dump = tmp_path / "old.sql"
    server = ["--socket", str(day.database.socket), "--user", "root"]
    with dump.open("wb") as file:
        subprocess.run(["mariadb-dump", *server, "--triggers", LEDGER], stdout=file, check=True, timeout=60)
    folder = _grown(day)
    site = day.site
    with day.sql() as ask:
        (row,) = ask("SELECT seq, actor FROM history WHERE act = 'export-approved'")
        ask("DROP TRIGGER history_no_update")
        ask("UPDATE history SET actor = 'account:nobody' WHERE seq = %s", row[0])
    changed = site.run("history", "verify")
    assert changed.returncode == ALTERED and f" {row[0]}" in changed.stderr, changed.stderr
    with day.sql() as ask:
        ask("UPDATE history SET actor = %s WHERE seq = %s", row[1], row[0])
    assert site.run("history", "verify").returncode == 0

    with day.sql() as ask:
        ask("DROP TRIGGER history_no_delete")
        ask("DELETE FROM history WHERE seq = %s", row[0])
    deleted = site.run("history", "verify")
    assert deleted.returncode == ALTERED and f" {row[0]}" in deleted.stderr, deleted.stderr

    with dump.open("rb") as file:
        subprocess.run(["mariadb", *server, LEDGER], stdin=file, check=True, timeout=60)
    old = site.run("history", "verify", "--folder", str(folder))
    said = " ".join(old.stderr.split())
    # Shorter than what was signed, or grown again since into another history: the folder's checkpoints tell either.
    assert old.returncode == ALTERED and "in the folder" in said, old.stdout + old.stderr


def _grown(day: Day) -> Path:
    """History goes on, and a checkpoint of that is kept outside; a copy of the folder in which it is."""
    entries = day.approver.get("/history/verdict")["entries"]
    day.site.client("asker")  # a sign-in
    kept = day.site.data / "checkpoints"
    eventually(lambda: day.approver.get("/history/checkpoint")["size"] > entries, 90)
    copy = day.site.folder / "elsewhere"
    shutil.copytree(kept, copy)
    return copy
