"""What goes wrong is told for what it is, in words of its own, and without a secret."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

from cluster.client import ApiClient
from tests.e2e.conftest import CAMERA_PASSWORD, WRONG_PASSWORD, Handed
from tests.e2e.site import MODELS, Site, armed_case, eventually, player, wish
from tests.e2e.test_no_plaintext import ray_of


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert {"type", "title", "status", "detail"} <= body.keys()
    return f"{body['type']} {body['detail']} {body.get('where', '')} {body.get('errors', '')}"


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def bearer(client: ApiClient) -> dict[str, str]:
    return {"Authorization": client._http.headers["Authorization"]}


def camera(asker: ApiClient, camera_id: str) -> dict[str, object]:
    return next(camera for camera in asker.get("/cameras") if camera["id"] == camera_id)


@pytest.mark.parametrize(
    ("camera_id", "state", "words"),
    [
        ("away", "unreachable", "127.0.0.1"),
        ("locked", "refused", "password"),
        ("xray", "unreachable", "mjpeg"),
        ("ceiling", "idle", ""),
    ],
)
def test_each_camera_says_what_is_wrong_with_it(
    site: Site, asker: ApiClient, camera_id: str, state: str, words: str
) -> None:
    eventually(lambda: camera(asker, camera_id)["state"] not in ("connecting", "recording"), 30)
    seen = camera(asker, camera_id)
    assert seen["state"] == state
    assert words in str(seen["detail"]).lower()


def test_starting_a_camera_that_is_away_is_told_and_the_other_records(site: Site, asker: ApiClient) -> None:
    case_id = armed_case(asker, "E2E-AWAY")
    asker.post(f"/cases/{case_id}/recording/start", {"camera_ids": ["away", "ceiling"]})
    eventually(lambda: asker.get("/recordings", case_id=case_id), 20)
    asker.post(f"/cases/{case_id}/close")
    eventually(lambda: len(asker.get("/recordings", case_id=case_id)) == 2, 20)
    runs = {run["camera_id"]: run for run in asker.get("/recordings", case_id=case_id)}
    assert runs["ceiling"]["segments"] > 0
    assert runs["away"]["segments"] == 0
    assert "127.0.0.1" in runs["away"]["gaps"][0]["reason"] or "reach" in runs["away"]["gaps"][0]["reason"]


def test_no_camera_password_is_written_anywhere(site: Site, asker: ApiClient) -> None:
    asker.get("/cameras")
    shown = [site.output, str(asker.get("/cameras"))]
    for secret in (CAMERA_PASSWORD, WRONG_PASSWORD):
        assert not [text for text in shown if secret in text]
        titles = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        assert secret not in titles
        for path in site.data.rglob("*"):
            if path.is_file() and path.parent.name != "secrets":
                assert secret.encode() not in path.read_bytes(), path


def test_nothing_that_the_site_writes_is_open_to_other_accounts(site: Site, handed: Handed) -> None:
    there = [site.data, *site.data.rglob("*")]
    assert [path for path in there if path.lstat().st_mode & 0o077] == []
    ray, _ = ray_of(site)
    assert ray.stat().st_mode & 0o077 == 0, "Ray opens what lies below to everybody"


def test_nothing_listens_beyond_this_machine(site: Site) -> None:
    here = {
        place.laddr.ip
        for process in site.family()
        for place in process.net_connections("inet")
        if place.status == psutil.CONN_LISTEN
    }
    assert here <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, here


def test_requester_cannot_approve_its_own_request(site: Site, asker: ApiClient, handed: Handed) -> None:
    request_id = asker.post("/exports", wish(asker, site, handed.case_id))["id"]
    answer = site.http("POST", f"/exports/{request_id}/approve", headers=bearer(asker))
    assert "self-approval" in problem(answer, 403)
    link = site.http("POST", f"/exports/{request_id}/download-link", headers=bearer(asker))
    assert "not-approved" in problem(link, 409)


def test_empty_time_range_says_what_was_recorded(site: Site, asker: ApiClient, handed: Handed) -> None:
    body = wish(asker, site, handed.case_id) | {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z"}
    answer = site.http("POST", "/exports", json=body, headers=bearer(asker))
    told = problem(answer, 422)
    assert "empty-range" in told
    assert "20" in told


def test_garbage_json_names_the_place(site: Site, asker: ApiClient) -> None:
    headers = bearer(asker) | {"Content-Type": "application/json"}
    told = problem(site.http("POST", "/cases", content=b'{"number": "X", oops', headers=headers), 400)
    assert "JSON" in told


def test_without_a_token_nothing_is_shown(site: Site) -> None:
    assert "unauthenticated" in problem(site.http("GET", "/exports"), 401)


def test_a_forged_download_link_is_refused(site: Site, asker: ApiClient, handed: Handed) -> None:
    url = asker.post(f"/exports/{handed.request['id']}/download-link")["url"]
    answer = httpx.get(url[:-2] + ("AA" if url[-2:] != "AA" else "BB"), trust_env=False)
    assert "unauthenticated" in problem(answer, 401)


def test_a_download_can_be_resumed(site: Site, asker: ApiClient, handed: Handed) -> None:
    url = asker.post(f"/exports/{handed.request['id']}/download-link")["url"]
    answer = httpx.get(url, headers={"Range": "bytes=100-199"}, trust_env=False)
    assert answer.status_code == 206
    assert answer.content == handed.package.read_bytes()[100:200]


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (lambda data: flipped(data, 5000), 10, "Altered"),
        (lambda data: flipped(data, len(data) // 2), 10, "Altered"),
        (lambda data: data[:-1000], 11, "Damaged"),
        (lambda data: b"not a package at all", 17, "Not a package"),
    ],
)  # fmt: skip
def test_the_player_tells_what_was_done_to_a_package(
    site: Site, handed: Handed, tmp_path: Path, damage: object, code: int, words: str
) -> None:
    spoilt = tmp_path / "spoilt.orvault"
    spoilt.write_bytes(damage(handed.package.read_bytes()))  # type: ignore[operator]
    secret = ("--password-file", site.recipient_password_file)
    run = player("verify", spoilt, "--root", site.data / "keys/root.pem", *secret)
    assert run.returncode == code, run.stdout + run.stderr
    assert words in run.stdout + run.stderr
    assert "Traceback" not in run.stderr


def test_a_wrong_password_is_told_as_such(site: Site, handed: Handed, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password at all")
    run = player("verify", handed.package, "--root", site.data / "keys/root.pem", "--password-file", wrong)
    assert run.returncode == 15
    assert "password" in (run.stdout + run.stderr).lower()


def test_the_ledger_holds_nothing_that_opens_a_package(site: Site, handed: Handed) -> None:
    dump = "\n".join(sqlite3.connect(f"file:{site.data}/ledger.sqlite?mode=ro", uri=True).iterdump())
    assert site.recipient_password_file.read_text() not in dump
    assert site.password not in dump


def test_cuda_is_an_error_where_there_is_none(tmp_path: Path) -> None:
    other = Site(
        tmp_path,
        [{"id": "one", "source": "file:none.mp4"}],
        vision={"models": str(MODELS), "provider": "cuda"},
        cluster={"num_cpus": 2},
    )
    assert other.run("init").returncode == 0
    run = other.run("up")
    assert run.returncode == 23, run.stdout + run.stderr
    assert "cuda" in run.stderr.lower()


def test_a_bad_settings_file_ends_the_program_with_its_place(tmp_path: Path) -> None:
    other = Site(tmp_path, [{"id": "one", "source": "file:none.mp4", "colour": "red"}])
    run = other.run("check")
    assert run.returncode == 20
    assert "cameras.0.colour" in run.stderr
    assert "Traceback" not in run.stderr
