"""One running site for most end-to-end tests: five cameras on a real RTSP server, three of them in trouble.

Tests that use it run last and it ends with them: while it runs it takes from everybody else.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster.client import ApiClient
from tests.e2e.site import Site, download, export, record_case, wish
from tests.rtsp import rtsp_cameras

MEDIA = Path(__file__).parents[1] / "media"
CLIPS = {"ceiling": MEDIA / "cameras/or1-ceiling.mp4", "wall": MEDIA / "cameras/or1-wall.mp4"}
CAMERA_PASSWORD = "right p@ss:word/%"
WRONG_PASSWORD = "wr0ng-and-secret"
RECORD_S = 7


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [n for n, item in enumerate(items) if Path(__file__).parent in item.path.parents]
    shared_last = sorted((items[n] for n in here), key=lambda item: "site" in item.fixturenames)  # type: ignore[attr-defined]
    for n, item in zip(here, shared_last, strict=True):
        items[n] = item


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with rtsp_cameras(CLIPS, mjpeg=["xray"], user="viewer", password=CAMERA_PASSWORD) as server:
        right = {"username": "viewer", "password_file": "secrets/right"}
        wrong = {"username": "viewer", "password_file": "secrets/wrong"}
        cameras: list[dict[str, Any]] = [
            {"id": "ceiling", "source": server.url("ceiling"), **right},
            {"id": "wall", "source": server.url("wall"), **right},
            {"id": "xray", "source": server.url("xray"), **right},
            {"id": "locked", "source": server.url("ceiling"), **wrong},
            {"id": "away", "source": f"rtsp://127.0.0.1:{_closed_port()}/none"},
        ]
        made = Site(tmp_path_factory.mktemp("site"), cameras)
        made.set_up()
        for name, password in {"right": CAMERA_PASSWORD, "wrong": WRONG_PASSWORD}.items():
            path = made.data / "secrets" / name
            path.parent.mkdir(exist_ok=True, mode=0o700)
            path.write_text(password)
            path.chmod(0o600)
        made.up()
        try:
            yield made
        finally:
            made.down()


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="package")
def asker(site: Site) -> ApiClient:
    return site.client("asker")


@pytest.fixture(scope="package")
def approver(site: Site) -> ApiClient:
    return site.client("approver")


@dataclass(frozen=True)
class Handed:
    """A finished package and what it was made of."""

    case_id: str
    request: dict[str, Any]
    package: Path


@pytest.fixture(scope="package")
def handed(site: Site, asker: ApiClient, approver: ApiClient) -> Handed:
    """Both working cameras recorded, exported and downloaded."""
    case_id = record_case(asker, RECORD_S, ["ceiling", "wall"], "E2E-1")
    request = export(asker, approver, wish(asker, site, case_id))
    assert request["state"] == "ready", request["failure"]
    return Handed(case_id, request, download(asker, request["id"], site.folder / "received.orvault"))
