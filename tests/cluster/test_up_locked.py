"""`orvault up` that nobody attends: it runs and records locked, says why, and is unlocked from beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.site import PROJECT, Site, eventually, record_case

CLIP = PROJECT / "tests/media/cameras/or1-ceiling.mp4"

pytestmark = pytest.mark.cluster


def test_a_wrong_passphrase_file_costs_no_recording_and_is_mended_beside_the_running_site(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, [{"id": "one", "source": f"file:{CLIP}"}])
    site.set_up()
    file = site.data / "keys/passphrase"
    right = file.read_text()
    assert "does not run" in " ".join(site.run("keys", "unlock", stdin="nobody\n").stderr.split())
    file.write_text("mistyped by somebody")
    site.up()
    try:
        said = " ".join(site.output.split())
        assert "did not open by itself" in said and "recording works, exports wait" in said
        case_id = record_case(site.client("asker"), 4.0, ["one"], "LOCKED")
        eventually(lambda: bool(site.client("asker").get("/recordings", case_id=case_id)), 30)
        assert site.run("keys", "unlock", stdin="still wrong\n").returncode == 21
        opened = site.run("keys", "unlock", stdin=f"{right}\n")
        assert opened.returncode == 0, opened.stderr
    finally:
        site.down()
    assert not (site.data / "cluster.address").exists()
