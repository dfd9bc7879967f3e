"""`orvault up` that was killed in a cluster leaves its actors; the next one says which of them it replaces."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.e2e.nodes import free_port, two_nodes
from tests.e2e.site import PROJECT, Site, record_case

CLIP = PROJECT / "tests/media/cameras/or1-ceiling.mp4"

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.long,
    pytest.mark.timeout(900),
]  # a loaded machine starts a site in minutes


def test_what_is_alike_is_taken_over_and_what_differs_is_replaced_and_named(tmp_path: Path) -> None:
    port = free_port()
    site = Site(
        tmp_path,
        [{"id": "one", "source": f"file:{CLIP}"}],
        cluster={"address": f"127.0.0.1:{port}", "object_store_mb": 100},
    )
    site.set_up()
    with two_nodes(site, port):
        site.up()
        killed(site)
        settings = yaml.safe_load(site.config.read_text())
        site.config.write_text(yaml.safe_dump(settings | {"export": {"encoder_crf": 31}}))
        site.up()
        try:
            told = " ".join(site.output.split())
            assert told.count("It ran already") == 1 and "export: It ran already, with other settings" in told
            record_case(site.client("asker"), 4.0, ["one"], "AFTER")
        finally:
            site.down()


def killed(site: Site) -> None:
    """SIGKILL to the `orvault up` itself: nothing of it ends its actors."""
    up = site.family()[0]
    up.kill()
    up.wait(30)
    site.output = ""
