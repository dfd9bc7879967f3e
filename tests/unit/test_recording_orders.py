"""Recording orders on disk: the old one or the new one after a power cut, and never a damaged one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orvault.container.keys import PrivateKey
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.orders import OrderStore
from orvault.recording.recorder import RecordingOrder
from tests.unit.power_cut import each_power_cut
from tests.unit.store_support import case_key

__all__ = ["case_key"]


def test_power_cut_leaves_the_old_order_or_the_new_one(tmp_path: Path, case_key: PrivateKey) -> None:
    old = RecordingOrder("run-1", "case-1", "cam-1", case_key.public(), 1)
    new = replace(old, run_id="run-2", epoch=2)
    for returned in each_power_cut(
        lambda disk: OrderStore(tmp_path, disk).save(new), lambda: OrderStore(tmp_path).save(old)
    ):
        kept = OrderStore(tmp_path).load("cam-1")
        assert kept in ((new,) if returned else (old, new))


def test_an_order_is_forgotten_only_for_its_own_run(tmp_path: Path, case_key: PrivateKey) -> None:
    store = OrderStore(tmp_path / "orders")
    assert store.load("cam-1") is None and store.remove("cam-1", "run-1") is False
    order = RecordingOrder("run-1", "case-1", "cam-1", case_key.public(), 1)
    store.save(order)
    assert store.remove("cam-1", "run-0") is False and store.load("cam-1") == order
    assert store.remove("cam-1", "run-1") is True and store.load("cam-1") is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"version":1}', b"x" * 100_000])
def test_a_damaged_order_is_told_not_ignored(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "cam-1.json").write_bytes(data)
    with pytest.raises(OrvaultError) as caught:
        OrderStore(tmp_path).load("cam-1")
    assert caught.value.kind is ErrorKind.DAMAGED and "cam-1.json" in str(caught.value)


def test_an_order_lying_under_another_cameras_name_is_damaged(tmp_path: Path, case_key: PrivateKey) -> None:
    store = OrderStore(tmp_path)
    store.save(RecordingOrder("run-1", "case-1", "cam-1", case_key.public(), 1))
    (tmp_path / "cam-1.json").rename(tmp_path / "cam-2.json")
    with pytest.raises(OrvaultError) as caught:
        store.load("cam-2")
    assert caught.value.kind is ErrorKind.DAMAGED
