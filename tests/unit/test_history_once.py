"""Checking history reads all of it: one such check is under way at a time, and the others are told so at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orvault.custody.account import Role
from orvault.custody.evidence import Evidence
from orvault.custody.history_check import Witnessed
from orvault.custody.service import CustodyService
from orvault.custody.site import Rules
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import make_world, sqlite_url


@dataclass(frozen=True)
class Meanwhile(Evidence):
    """Evidence that has something else done while it is read."""

    does: Callable[[], object] = list

    def kept(self) -> Iterator[Witnessed]:
        self.does()
        return iter(())


def test_one_check_of_history_is_under_way_at_a_time(tmp_path: Path) -> None:
    world = make_world(sqlite_url(tmp_path))
    auditor = world.accounts[Role.AUDITOR]
    refused: list[OrvaultError] = []

    def ask_again() -> None:
        with pytest.raises(OrvaultError) as caught:
            custody.history_verdict(auditor)
        refused.append(caught.value)

    evidence = Meanwhile(tmp_path / "no-root", tmp_path, does=ask_again)
    custody = CustodyService(
        world.ledger.uow,
        world.clock,
        world.recorders,
        world.case_keys,
        world.renderers,
        rules=Rules(evidence=evidence),
    )
    assert custody.history_verdict(auditor).intact
    assert custody.history_verdict(auditor).intact, "it is over: the next one is let in"
    assert [error.kind for error in refused] == [ErrorKind.TOO_MANY_ATTEMPTS] * 2
