"""A client node and the export server as two Ray nodes, each started by its own command, over a ledger in MariaDB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orvault.container.files import write_private
from tests.contract.mariadb import PASSWORD, MariaDb, missing_program, running_mariadb
from tests.e2e.nodes import free_port, two_nodes
from tests.e2e.site import MODELS, PROJECT, Site, record_case

CLIP = PROJECT / "tests/media/cameras/or1-ceiling.mp4"
ON_CLIENT = {"encryption:or-client-1", "camera:one", "detection:1"}
ON_SERVER = {
    "keys", "index", "control", "witnessing", "export", "media", "viewing", "retention", "detection:0",
}  # fmt: skip

pytestmark = pytest.mark.cluster


@pytest.fixture
def mariadb() -> Iterator[MariaDb]:
    if missing := missing_program():
        pytest.skip(f"not installed: {missing}")
    with running_mariadb() as server:
        yield server


def test_each_actor_runs_on_the_node_of_its_role(tmp_path: Path, mariadb: MariaDb) -> None:
    port = free_port()
    camera = {"id": "one", "source": f"file:{CLIP}"}
    site = Site(
        tmp_path,
        [camera],
        cluster={"address": f"127.0.0.1:{port}", "object_store_mb": 100},
        nodes=[
            {"name": "export-server", "roles": ["server", "detection"]},
            {"name": "or-client-1", "roles": ["client", "detection"]},
        ],
        vision={"models": str(MODELS), "actors": 2, "threads": 1, "provider": "cpu"},
        ledger={
            "url": mariadb.fresh("site").replace(f":{PASSWORD}@", "@"),
            "password_file": "secrets/ledger",
        },
    )
    write_private(site.data / "secrets/ledger", PASSWORD.encode())
    site.set_up()
    with two_nodes(site, port):
        site.up()
        places = dict(re.findall(r"^  (\S+) on (.+)$", site.output, re.MULTILINE))
        assert {name for name, place in places.items() if place == "or-client-1"} == ON_CLIENT
        assert {name for name, place in places.items() if place == "export-server"} == ON_SERVER
        record_case(site.client("asker"), 4, ["one"], "TWO-NODES")
        assert list((site.data / "segments/or-client-1").rglob("*.seg"))
        assert PASSWORD not in site.output
        site.down()


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path, [{"id": "one", "source": f"file:{CLIP}"}], cluster={"address": "127.0.0.1:7299"})
    assert site.run("init").returncode == 0
    run = site.run("up")
    assert run.returncode != 0
    assert "127.0.0.1:7299" in run.stderr
    assert "orvault node" in run.stderr
