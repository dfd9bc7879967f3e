"""Where downloads and views are said to be: at the port of the settings, or where their server is now."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from actors import workers
from cluster import services
from cluster.settings import Settings, load_settings
from tests.unit.test_settings import GOOD


def settings(folder: Path, api: str) -> Settings:
    path = folder / "ray_config.yaml"
    path.write_text(GOOD + f"\napi: {{host: 127.0.0.1, {api}}}\n")
    return load_settings(path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Actors that answer from another port each time; which were asked."""
    names: list[str] = []
    ports = count(50001)

    def call(name: str, method: str) -> str:
        assert method == "address"
        names.append(name)
        return f"127.0.0.1:{next(ports)}"

    monkeypatch.setattr(workers, "call", call)
    return names


def test_a_server_with_a_port_of_its_own_is_not_asked(tmp_path: Path, asked: list[str]) -> None:
    downloads, views = services.byte_servers(settings(tmp_path, "media_port: 8441, viewing_port: 8442"))
    assert (downloads.url(), views.url()) == ("http://127.0.0.1:8441", "http://127.0.0.1:8442")
    assert asked == []


def test_one_that_takes_a_free_port_is_asked_each_time(tmp_path: Path, asked: list[str]) -> None:
    downloads, views = services.byte_servers(settings(tmp_path, "media_port: 0, viewing_port: 0"))
    told = [downloads.url(), downloads.url(), views.url()]
    assert told == ["http://127.0.0.1:50001", "http://127.0.0.1:50002", "http://127.0.0.1:50003"]
    assert asked == ["media", "media", "viewing"]
