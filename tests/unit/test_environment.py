"""What nodes are started with, so that a recording outlives the head."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster import cli, environment
from orvault.errors import ErrorKind, OrvaultError

STATE = "RAY_gcs_storage_path"
GIVES_UP = "RAY_gcs_rpc_server_reconnect_timeout_s"


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is put back after each test."""
    monkeypatch.setattr(os, "environ", dict(os.environ))


def test_a_client_node_does_not_give_up_with_its_head_and_the_head_itself_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster import bringup

    started: list[tuple[str, str | None, str | None]] = []

    def run_node(_settings: object, name: str, _head: int, _join: str) -> None:
        started.append((name, os.environ.get(GIVES_UP), os.environ.get(STATE)))

    monkeypatch.setattr(bringup, "run_node", run_node)
    config = tmp_path / "site.yaml"
    camera = "{id: a, title: A, room: OR-1, node: one, source: 'file:a.mp4'}"
    site = (
        "site: Test\nnodes: [{name: one, roles: [server, client, detection]}]\ncluster: {keep_state: true}\n"
    )
    config.write_text(f"{site}cameras: [{camera}]\n")
    for how in (["--head", "7777"], ["--join", "127.0.0.1:7777"]):
        run = CliRunner().invoke(cli.app, ["node", "one", *how, "--config", str(config)])
        assert run.exit_code == 0, run.output
    (_, head, state), (_, client, _) = started
    assert (head, client) == (None, str(environment.OUTLIVE_S))
    assert state is not None and Path(state).stat().st_mode & 0o077 == 0, "who writes there decides what runs"
    assert environment.OUTLIVE_S * 1000 < 2**31, "Ray counts it in milliseconds"


def test_a_place_that_cannot_hold_the_heads_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OrvaultError) as caught:
        environment.keep_state(tmp_path / "file" / "state")
    assert caught.value.kind is ErrorKind.STORAGE and "state" in caught.value.where
