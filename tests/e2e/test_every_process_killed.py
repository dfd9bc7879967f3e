"""SIGKILL to a process of every kind while a camera records: each comes back and works, and nothing durable is lost.

One site of two nodes goes through all of it; the story that is told on the way is in `kinds`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orvault.clock import US_PER_S, SystemClock
from tests.e2e.kinds import BACK_S, KINDS
from tests.e2e.site import eventually, settled
from tests.e2e.theatre import Theatre, theatre

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with theatre(tmp_path_factory.mktemp("theatre")) as made:
        made.watched.goes_on(0, BACK_S)
        yield made


@pytest.mark.parametrize("name", KINDS)
def test_it_comes_back_and_works_and_the_recording_goes_on(running: Theatre, name: str) -> None:
    kind, watched = KINDS[name], running.watched
    with kind.seen(running):
        killed = watched.kill(kind.title)
        killed_us = SystemClock().now_us()
    eventually(lambda: {process.pid for process in watched.processes(kind.title)} - killed, BACK_S)
    watched.recorded_past(killed_us + US_PER_S, BACK_S)


def test_the_clients_daemon_is_killed_and_in_the_end_all_is_there_once(running: Theatre) -> None:
    watched, asker = running.watched, running.asker
    watched.kill_client()
    watched.goes_on(len(watched.paths()), BACK_S)
    assert set(watched.kept) < set(watched.paths())

    asker.post(f"/cases/{watched.case_id}/close")
    eventually(lambda: settled(asker, watched.case_id, 1), BACK_S)
    eventually(lambda: watched.rows() == list(range(len(watched.paths()))), BACK_S)
    watched.check(asker)
    checked = watched.site.run("fsck", "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
