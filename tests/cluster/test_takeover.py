"""What a killed `orvault up` leaves running in a cluster: what is alike is taken over, the rest replaced."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

import pytest
import ray

from actors import handles
from actors.handles import Placed, Starting

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


def _process(_actor: object) -> int:
    import os

    return os.getpid()
