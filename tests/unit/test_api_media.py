"""Downloads over a real socket: ranges, resuming, and every kind of link that must not open anything."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from api.media import build_media_app
from api.security import LinkSigner
from orvault.clock import US_PER_S
from orvault.custody.request import ExportRequest
from orvault.custody.steps import RequestState
from tests.fakes import NOTHING_LEFT, World, make_world, sqlite_url
from tests.unit.api_support import call, is_problem

CONTENT = os.urandom(300_000)


@dataclass
class Served:
    """A finished package behind the byte server."""

    world: World
    links: LinkSigner
    folder: Path
    request: ExportRequest
    base: str

    @property
    def package_id(self) -> str:
        assert self.request.package_id is not None
        return self.request.package_id

    def link(self) -> str:
        link, package = self.world.custody.issue_link(self.world.manager, self.request.request_id)
        return self.links.sign(package.package_id, link.link_id, link.expires_us)

    def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(method, self.base + path, headers=named)


def _prepare(folder: Path) -> tuple[World, LinkSigner, Path, ExportRequest]:
    world = make_world(sqlite_url(folder))
    packages = folder / "packages"
    (packages / "2027").mkdir(parents=True)
    (packages / "2027" / "p.orvault").write_bytes(CONTENT)
    request = world.approved(world.recorded_case())
    job = world.claimed()
    digest = hashlib.sha256(CONTENT).hexdigest()
    world.custody.finish_render(
        request.request_id, job.epoch, "2027/p.orvault", len(CONTENT), digest, second_look=NOTHING_LEFT
    )
    return world, LinkSigner(b"l" * 32, world.clock), packages, request


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real uvicorn on an ephemeral port of 127.0.0.1."""
    world, links, packages, request = _prepare(tmp_path_factory.mktemp("media"))
    app = build_media_app(links, packages, world.custody)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "uvicorn did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(world, links, packages, request, f"http://127.0.0.1:{port}")
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def test_whole_download(served: Served) -> None:
    answer = served.get(served.link())
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert (
        answer.headers["content-disposition"] == f'attachment; filename="orvault-{served.package_id}.orvault"'
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=1000-1999", 1000, 1999),
        ("bytes=299990-", 299_990, 299_999),
        ("bytes=-5", 299_995, 299_999),
    ],
)
def test_ranges(served: Served, asked: str, first: int, last: int) -> None:
    answer = served.get(served.link(), Range=asked)
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"


def test_download_is_resumed_in_pieces_with_one_entry_in_history(served: Served) -> None:
    link = served.link()
    before = served.world.acts().count("downloaded")
    head = served.get(link, "HEAD")
    assert head.status_code == 200 and int(head.headers["content-length"]) == len(CONTENT)
    etag, got = head.headers["etag"], b""
    while len(got) < len(CONTENT):
        piece = served.get(link, Range=f"bytes={len(got)}-{len(got) + 99_999}", If_Range=etag)
        assert piece.status_code == 206
        got += piece.content
    assert got == CONTENT
    assert served.world.acts().count("downloaded") == before + 1


def test_resuming_another_file_starts_over(served: Served) -> None:
    answer = served.get(served.link(), Range="bytes=5-", If_Range='"other"')
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=300000-", "bytes=999999-1000000", "bytes=-0"])
def test_range_behind_the_end(served: Served, asked: str) -> None:
    answer = served.get(served.link(), Range=asked)
    assert is_problem(answer, 416, answer.json()["type"].rsplit(":", 1)[-1])
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize(
    "asked", ["bytes=a-b", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=9-5", "x" * 999]
)
def test_unreadable_range(served: Served, asked: str) -> None:
    assert is_problem(served.get(served.link(), Range=asked), 400, "bad-request")


@pytest.fixture
def quiet(tmp_path: Path) -> Served:
    """The same without a socket, for a world that each test may spoil."""
    world, links, packages, request = _prepare(tmp_path)
    return Served(world, links, packages, request, "")


def _get(served: Served, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    app = build_media_app(served.links, served.folder, served.world.custody)
    return call(app, method, path, headers=headers)


def _state(served: Served) -> RequestState:
    return served.world.custody.export(served.world.manager, served.request.request_id).state


def test_only_a_download_that_sends_bytes_delivers(quiet: Served) -> None:
    link, file = quiet.link(), quiet.folder / "2027" / "p.orvault"
    assert _get(quiet, link, "HEAD").status_code == 200
    assert _get(quiet, link, range="bytes=300000-").status_code == 416
    assert _get(quiet, link, range="bytes=9-5").status_code == 400
    file.rename(file.with_suffix(".away"))
    assert _get(quiet, link).status_code == 507
    assert "downloaded" not in quiet.world.acts() and _state(quiet) is RequestState.READY
    file.with_suffix(".away").rename(file)
    assert _get(quiet, link).status_code == 200
    assert quiet.world.acts().count("downloaded") == 1 and _state(quiet) is RequestState.DELIVERED


def test_link_is_over_after_five_minutes(quiet: Served) -> None:
    link = quiet.link()
    quiet.world.clock.us += 299 * US_PER_S
    assert _get(quiet, link).status_code == 200
    quiet.world.clock.us += US_PER_S
    assert is_problem(_get(quiet, link), 410, "link-expired")


def test_forged_links(quiet: Served) -> None:
    forger = LinkSigner(b"f" * 32, quiet.world.clock)
    later = quiet.world.clock.us + 60 * US_PER_S
    real = quiet.link()
    for link in (
        forger.sign(quiet.package_id, "x", later),
        real[:-3],
        real.replace(quiet.package_id, "another"),
        f"/media/{quiet.package_id}",
        f"/media/{quiet.package_id}?token=",
    ):
        assert is_problem(_get(quiet, link), 401, "unauthenticated")
    unknown = quiet.links.sign(quiet.package_id, "no-such-link", later)
    assert is_problem(_get(quiet, unknown), 410, "link-expired")


def test_link_dies_with_the_validity_of_the_export(quiet: Served) -> None:
    quiet.world.clock.us = quiet.request.validity.until_us - US_PER_S
    link = quiet.link()
    quiet.world.clock.us += US_PER_S
    assert is_problem(_get(quiet, link), 410, "expired")


@pytest.mark.parametrize("harm", ["gone", "cut", "link"])
def test_file_that_is_not_as_it_was_made_is_not_served(quiet: Served, harm: str) -> None:
    file, link = quiet.folder / "2027" / "p.orvault", quiet.link()
    if harm == "gone":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(CONTENT[:-1])
    else:
        outside = quiet.folder.parent / "outside"
        file.rename(outside)
        file.symlink_to(outside)
    answer = _get(quiet, link)
    assert is_problem(answer, 507, "storage")
    assert str(quiet.folder) not in answer.text


@pytest.mark.parametrize(
    "path", ["/media/..%2f..%2fetc%2fpasswd?token=x", "/media/", "/", "/docs", "/openapi.json"]
)
def test_nothing_else_is_served(quiet: Served, path: str) -> None:
    assert _get(quiet, path).status_code in {401, 404}


def test_other_methods_are_refused(quiet: Served) -> None:
    assert is_problem(_get(quiet, quiet.link(), "POST"), 405, "method-not-allowed")
