"""What a killed `orvault up` leaves running in a cluster: what is alike is taken over, the rest replaced."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import yaml

from actors import facades, handles
from actors.handles import Placed, Starting
from cluster import roster
from cluster.settings import Settings, load_settings
from orvault.errors import OrvaultError

HERE = Placed({})

pytestmark = pytest.mark.cluster


class Plain:
    """An actor that says what it was given."""

    def __init__(self, word: str) -> None:
        self._word = word

    def word(self) -> str:
        return self._word


class Busy(Plain):
    """One that records until it is told otherwise."""

    recording = True

    def rest(self) -> None:
        self.recording = False

    def idle(self) -> bool:
        return not self.recording


class Broken(Plain):
    """One that nobody foresaw cannot start."""

    def __init__(self, word: str) -> None:
        raise ValueError(word)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    folder = tempfile.mkdtemp(prefix="orv-")
    ray.init(
        address="local",
        namespace=handles.NAMESPACE,
        num_cpus=1,
        object_store_memory=100 << 20,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=folder,
        _node_ip_address="127.0.0.1",
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def start(name: str, kind: type[Plain], word: str) -> Starting:
    starting = handles.start(name, kind, HERE, 1, word)
    starting.node_id()
    return starting


def test_one_that_is_alike_is_taken_over_and_another_replaced() -> None:
    assert start("plain", Plain, "old").note == ""
    first = handles.call("plain", "__ray_call__", _process)
    assert start("plain", Plain, "old").note == ""
    assert handles.call("plain", "__ray_call__", _process) == first
    assert "was replaced" in start("plain", Plain, "new").note
    assert handles.call("plain", "word") == "new"
    assert handles.call("plain", "__ray_call__", _process) != first


def test_one_that_records_is_left_until_it_rests() -> None:
    start("busy", Busy, "old")
    assert "It records" in start("busy", Busy, "new").note
    assert handles.call("busy", "word") == "old"
    handles.call("busy", "rest")
    assert "was replaced" in start("busy", Busy, "new").note
    assert handles.call("busy", "word") == "new"


def test_why_one_cannot_start_is_said_at_once_without_what_it_was_given() -> None:
    with pytest.raises(
        OrvaultError, match=r"^broken could not start: ValueError at .*test_takeover"
    ) as caught:
        start("broken", Broken, "a secret")
    assert "secret" not in str(caught.value)


def settings(folder: Path, *cameras: str) -> Settings:
    """A site with these cameras, in a cluster that outlives its `up`."""
    node = {"name": "one", "roles": ["server", "client", "detection"]}
    path = folder / "site.yaml"
    listed = [{"id": c, "title": c, "room": "OR-1", "node": "one", "source": "file:x"} for c in cameras]
    path.write_text(yaml.safe_dump({"site": "Test", "nodes": [node], "cameras": listed}))
    return load_settings(path)


def test_what_the_settings_no_longer_name_is_ended_unless_it_records(tmp_path: Path) -> None:
    for name in handles.running():  # of the tests above
        handles._end(name)
    kept, gone, busy = (facades.camera_name(name) for name in ("kept", "gone", "busy"))
    start(kept, Plain, "old"), start(gone, Plain, "old"), start(busy, Busy, "old")
    start(facades.trigger_name("OR-9"), Plain, "old")
    start(facades.encryption_name("elsewhere"), Plain, "old")
    notes = roster.retire_others(settings(tmp_path, "kept"))
    told = {note.split(": It")[0]: note for note in notes}
    assert set(told) == {gone, busy, facades.trigger_name("OR-9")}
    assert "was ended" in told[gone] and "records: it was left" in told[busy]
    # The camera that still records needs its node's encryption.
    assert handles.running() == sorted([kept, busy, facades.encryption_name("elsewhere")])
    handles.call(busy, "rest")
    assert len(roster.retire_others(settings(tmp_path, "kept"))) == 2
    assert handles.running() == [kept]
    assert roster.retire_others(settings(tmp_path, "kept")) == []


def _process(_actor: object) -> int:
    import os

    return os.getpid()
