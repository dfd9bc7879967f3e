"""What each actor of a site is given: the same for the same settings, and another only where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors import facades, handles
from actors.camera import CameraFeed
from actors.fingerprint import fingerprint
from actors.handles import Starting
from cluster import roster
from cluster.placement import facts_of, node_resources
from cluster.settings import load_settings

from .test_settings import GOOD


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = GOOD) -> dict[str, str]:
    """The fingerprint of every actor of these settings, in the order in which they are begun and waited for."""
    found: dict[str, str] = {}

    def start(name: str, *made_of: Any, **named: Any) -> Starting:
        found[name] = fingerprint(*made_of, named)
        return Starting(name, None)

    monkeypatch.setattr(handles, "start", start)
    config = folder / "ray_config.yaml"
    config.write_text(text)
    settings = load_settings(config)
    facts = [facts_of(node.name, node_resources(node.name, node.roles)) for node in settings.nodes]
    started = roster.start_actors(settings, facts)
    assert [each.name for each in started] == list(found) and set(found) == set(roster.actor_names(settings))
    return found


def test_detection_is_waited_for_first_and_ended_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(made(tmp_path, monkeypatch)))
    assert first == facades.detection_name(0)
    assert roster.actor_names(load_settings(tmp_path / "ray_config.yaml"))[0] == first


def test_the_same_settings_make_the_same_actors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(tmp_path, monkeypatch) == made(tmp_path, monkeypatch)


def test_another_setting_makes_another_actor_and_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made(tmp_path, monkeypatch)
    after = made(tmp_path, monkeypatch, GOOD + "\nexport:\n  encoder_crf: 31\n")
    assert {name for name in before if before[name] != after[name]} == {facades.EXPORT}


def test_who_looks_gets_the_smaller_stream_and_who_records_the_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, smaller = "rtsp://camera.example/stream", "rtsp://camera.example/small"
    given: dict[str, tuple[object, ...]] = {}

    def start(name: str, *made_of: object, **_named: object) -> Starting:
        given[name] = made_of
        return Starting(name, None)

    monkeypatch.setattr(handles, "start", start)
    config = tmp_path / "ray_config.yaml"
    config.write_text(GOOD.replace(f"source: {source}", f"source: {source}\n    sub_source: {smaller}"))
    settings = load_settings(config)
    roster.start_actors(settings, [facts_of(n.name, node_resources(n.name, n.roles)) for n in settings.nodes])
    (recording,) = (each for each in given[facades.camera_name("cam-1")] if isinstance(each, CameraFeed))
    (feeds,) = (each for each in given[facades.VIEWING] if isinstance(each, tuple))
    assert recording.source == source and [feed.source for feed in feeds] == [smaller]
