"""How long disks keep recordings: from what was measured, else assumed; warnings below the floor."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.capacity import DAY_US, Room, forecast, measured_rates, stored_bytes
from cluster.capacity_table import warnings
from cluster.cli import app
from cluster.settings import Settings, load_settings
from tests.fakes import make_world, sqlite_url

from .test_settings import GOOD

GB = 10**9
TWO = (
    GOOD
    + """\
  - {id: cam-2, title: Two, room: OR-1, node: client-1, source: "file:clip.mp4"}
retention: {floor_days: 30, assumed_mbit: 8, hours_per_day: 10}
"""
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "ray_config.yaml"
    path.write_text(TWO)
    return load_settings(path)


def disk(free: int, device: int = 1) -> object:
    return lambda _folder: Room(free, device)


def test_before_any_recording_days_follow_from_the_assumed_rate(settings: Settings, tmp_path: Path) -> None:
    # 8 Mbit/s for ten hours are 36 GB a day and camera
    (node,) = forecast(settings, {"client-1": tmp_path}, {}, {}, disk(720 * GB))  # type: ignore[arg-type]
    assert node.bytes_per_day == pytest.approx(72 * GB) and node.days == pytest.approx(10)
    assert not any(rate.measured for rate in node.rates)
    (warning,) = warnings([node], 30)
    assert "about 10 days, and 30 are required" in warning and "1440 GB more" in warning
    assert warnings([node], 10) == []


def test_what_was_measured_goes_before_what_is_assumed_and_what_lies_there_counts(tmp_path: Path) -> None:
    world = make_world(sqlite_url(tmp_path))
    world.recorded_case(5)  # of each camera of OR 1, five segments of 2 s and 2,048 bytes
    rates = measured_rates(world.ledger.uow, world.clock.now_us())
    assert sorted(rates) == ["or1-lamp", "or1-wall"]
    rate = rates["or1-wall"]
    assert rate.mbit == pytest.approx(5 * 2048 * 8 / 10 / 1e6) and rate.bytes_per_day == 5 * 2048
    assert stored_bytes(world.ledger.uow) == {"or1-lamp": 5 * 2048, "or1-wall": 5 * 2048}
    world.clock.us += 4 * DAY_US
    assert measured_rates(world.ledger.uow, world.clock.now_us())["or1-wall"].bytes_per_day == pytest.approx(
        5 * 2048 / 4, rel=0.01
    )
    world.clock.us += 4 * DAY_US
    assert measured_rates(world.ledger.uow, world.clock.now_us()) == {}, "that was longer ago than a week"


def test_a_disk_that_is_elsewhere_is_not_guessed(settings: Settings) -> None:
    (node,) = forecast(settings, {}, {}, {})
    assert node.free is None and node.days is None and warnings([node], 30) == []


def test_nodes_on_one_disk_share_what_is_free(tmp_path: Path) -> None:
    path = tmp_path / "ray_config.yaml"
    text = TWO.replace("cameras:", "  - {name: client-2, roles: [client]}\ncameras:", 1)
    path.write_text(text.replace('node: client-1, source: "file', 'node: client-2, source: "file'))
    stores = {"client-1": tmp_path, "client-2": tmp_path}
    nodes = forecast(load_settings(path), stores, {}, {}, disk(720 * GB))  # type: ignore[arg-type]
    assert [node.free for node in nodes] == [360 * GB, 360 * GB]


def test_check_shows_the_forecast_says_what_it_rests_on_and_makes_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    runner = CliRunner(env={"COLUMNS": "200"})
    result = runner.invoke(app, ["check", "--config", str(tmp_path / "ray_config.yaml")])
    assert result.exit_code == 0 and "days kept" in result.output and "assumed bit rates" in result.output
    assert not settings.data.exists()
