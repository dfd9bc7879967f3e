"""A site whose cluster is not there says so, and how to start it."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.site import PROJECT, Site

CLIP = PROJECT / "tests/media/cameras/or1-ceiling.mp4"


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path, [{"id": "one", "source": f"file:{CLIP}"}], cluster={"address": "127.0.0.1:7299"})
    assert site.run("init").returncode == 0
    run = site.run("up")
    assert run.returncode != 0
    assert "127.0.0.1:7299" in run.stderr
    assert "orvault node" in run.stderr
