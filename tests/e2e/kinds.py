"""Every kind of process of a site: what to kill, and how somebody who uses the site sees that it is back.

They make one story: what is recorded after one was killed is exported, fetched and destroyed after others were.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any, TypeVar

import httpx
from websockets.sync.client import connect

from orvault.clock import US_PER_S
from orvault.errors import OrvaultError
from tests.e2e.killing import LEDGER
from tests.e2e.site import download, ended, eventually, planned_case, settled, wish
from tests.e2e.theatre import SPARE, SPARE_ROOM, Theatre

BACK_S = 120.0
A_MONTH_US = 31 * 86_400 * US_PER_S

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """One kind: the title of its processes, and a block in which it is killed; it ends when what it does was seen."""

    title: str
    seen: Callable[[Theatre], AbstractContextManager[None]]


def tried(ask: Callable[[], T], limit_s: float = BACK_S) -> T:
    """The answer of one who is told "try again", or finds nobody there, and asks again."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return ask()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        except OrvaultError as error:
            if not _away(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.25)


def _away(error: OrvaultError) -> bool:
    """Whether another try may help: also where Serve's proxy is new and does not know its routes yet."""
    status = error.where.rpartition(" ")[2]
    return status.startswith("5") or (status, error.message) == ("404", "Not Found")


@contextmanager
def control(theatre: Theatre) -> Iterator[None]:
    """A foot presses while recording control is away: its signal waits in the room."""
    yield
    theatre.press(b"1\n")
    eventually(lambda: theatre.phase() == "recording", BACK_S)


@contextmanager
def trigger(theatre: Theatre) -> Iterator[None]:
    """Until its reader is back nobody hears the foot; a release counts once its dwell is over."""
    yield
    feet = cycle((b"1\n", b"0\n", *[b""] * 10))

    def released() -> bool:
        theatre.press(next(feet))
        return theatre.phase() == "stopped"

    eventually(released, BACK_S)


@contextmanager
def notices(theatre: Theatre) -> Iterator[None]:
    """The outside recorder is told of a start that came when nobody could tell it."""

    def told() -> set[str]:
        return {line for line in theatre.recorder.lines if "|on|" in line}

    before = told()
    yield
    theatre.asker.post(f"/cases/{theatre.case_id}/recording/start", {"camera_ids": [SPARE]})
    eventually(lambda: len(told()) > len(before), BACK_S)


@contextmanager
def keys(theatre: Theatre) -> Iterator[None]:
    """A case is given its key."""
    asker = theatre.asker
    asker.post(f"/cases/{theatre.case_id}/close")
    case_id = planned_case(asker, "KILLED-KEYS", SPARE_ROOM)
    yield
    tried(lambda: asker.post(f"/cases/{case_id}/arm"))
    asker.post(f"/cases/{case_id}/close")


@contextmanager
def index(theatre: Theatre) -> Iterator[None]:
    """What was recorded meanwhile is listed."""
    before = len(theatre.watched.paths())
    yield
    case_id = theatre.watched.case_id
    eventually(lambda: theatre.asker.get("/recordings", case_id=case_id)[0]["segments"] >= before + 2, BACK_S)


def rendering(**changes: Any) -> Callable[[Theatre], AbstractContextManager[None]]:
    """An export that was under way is finished."""

    @contextmanager
    def seen(theatre: Theatre) -> Iterator[None]:
        asker, approver = theatre.asker, theatre.approver
        eventually(lambda: settled(asker, theatre.case_id, 2), BACK_S)
        body = wish(asker, theatre.site, theatre.case_id, **changes)
        request_id = str(asker.post("/exports", body)["id"])
        theatre.requests.append(request_id)
        approver.post(f"/exports/{request_id}/approve")
        eventually(lambda: asker.get(f"/exports/{request_id}")["state"] == "rendering", BACK_S)
        yield
        eventually(lambda: ended(asker, approver, request_id), BACK_S)
        request = asker.get(f"/exports/{request_id}")
        assert request["state"] == "ready", request["failure"]

    return seen


@contextmanager
def media(theatre: Theatre) -> Iterator[None]:
    """The packages are fetched, whole."""
    asker, target = theatre.asker, theatre.site.folder / "fetched.orvault"
    yield
    for request_id in theatre.requests:
        link = tried(partial(asker.post, f"/exports/{request_id}/download-link"))
        tried(partial(download, asker, request_id, target))
        assert hashlib.sha256(target.read_bytes()).hexdigest() == link["sha256"]


@contextmanager
def viewing(theatre: Theatre) -> Iterator[None]:
    """Live pictures come."""
    yield
    view = tried(lambda: theatre.asker.post("/views/live", {"camera_id": SPARE}))
    with connect(view["socket"]) as socket:
        said = json.loads(socket.recv(BACK_S))
        while said["type"] != "begin":
            said = json.loads(socket.recv(BACK_S))
        assert isinstance(socket.recv(BACK_S), bytes)


@contextmanager
def witnessing(theatre: Theatre) -> Iterator[None]:
    """What came into history meanwhile is signed."""
    officer = theatre.approver
    yield
    theatre.site.client("asker")  # a sign-in
    entries = officer.get("/history/verdict")["entries"]
    eventually(lambda: officer.get("/history/checkpoint")["size"] >= entries, BACK_S)


@contextmanager
def retention(theatre: Theatre) -> Iterator[None]:
    """What was approved for destruction is destroyed, and has its receipt."""
    officer, case_id = theatre.approver, theatre.case_id
    _a_month_passes(theatre)
    plan = officer.get("/retention/plan")
    assert [item["case_id"] for item in plan["due"]] == [case_id]
    officer.post("/retention/plan/approve", {"digest": plan["digest"]})
    yield
    where = f"/cases/{case_id}/retention"
    eventually(lambda: officer.get(where)["destruction"]["step"] == "destroyed", BACK_S)
    assert officer.get(f"/cases/{case_id}/receipt")["signatures"]
    assert not list((theatre.site.data / "segments").rglob(f"{case_id}/**/*.seg"))


def _a_month_passes(theatre: Theatre) -> None:
    """The floor is the law's and has no setting; so what the ledger knows of the spare case moves back in time."""
    with sqlite3.connect(theatre.site.data / LEDGER, timeout=30) as ledger:
        for table, key, columns in (
            ("cases", "id", ("created_us", "armed_us", "closed_us")),
            ("runs", "case_id", ("started_us", "stop_ordered_us", "stopped_us")),
            ("segments", "case_id", ("start_us", "end_us")),
            ("stretches", "case_id", ("start_us", "end_us")),
        ):
            moved = ", ".join(f"{column} = {column} - {A_MONTH_US}" for column in columns)
            ledger.execute(f"UPDATE {table} SET {moved} WHERE {key} = ?", (theatre.case_id,))


@contextmanager
def api(theatre: Theatre) -> Iterator[None]:
    """The API answers; what it says is read from the ledger."""
    yield
    cases = tried(lambda: theatre.asker.get("/cases"))
    assert theatre.watched.case_id in {case["id"] for case in cases}


@contextmanager
def recording(theatre: Theatre) -> Iterator[None]:
    """Its camera's pictures become durable again."""
    before = len(theatre.watched.paths())
    yield
    theatre.watched.goes_on(before, BACK_S)


KINDS = {
    "control": Kind("ray::ControlActor", control),
    "trigger": Kind("ray::TriggerActor", trigger),
    "notices": Kind("ray::NoticeActor", notices),
    "keys": Kind("ray::KeyActor", keys),
    "index": Kind("ray::IndexActor", index),
    "detection": Kind("ray::DetectionActor", rendering()),
    "export": Kind("ray::ExportActor", rendering(masking={"mode": "picture", "style": "solid"})),
    "media": Kind("ray::MediaActor", media),
    "viewing": Kind("ray::ViewingActor", viewing),
    "witnessing": Kind("ray::WitnessingActor", witnessing),
    "retention": Kind("ray::RetentionActor", retention),
    "API controller": Kind("ray::ServeController", api),
    "API replica": Kind("ray::ServeReplica", api),
    "API proxy": Kind("ray::ProxyActor", api),
    "camera": Kind("ray::CameraActor", recording),
    "encryption": Kind("ray::EncryptionActor", recording),
}
