"""Second factors, recovery codes and keys of machines on both databases: one of each, used once, gone with what they
belong to.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.api_key import ApiKey
from orvault.custody.second_factor import SecondFactor
from orvault.custody.session import Method, Session
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import World


def test_a_second_factor_is_kept_replaced_and_removed_with_its_codes(world: World) -> None:
    whose, other = (world.accounts[role].account_id for role in (Role.AUDITOR, Role.RECORDS_MANAGER))
    begun = SecondFactor(whose, "s" * 128, 5)
    counts = replace(begun, confirmed_us=6, last_step=60_000_000)
    with world.ledger.uow() as uow:
        rows = uow.second_factors
        assert rows.get(whose) is None and not rows.remove(whose)
        rows.put(begun)
        assert rows.get(whose) == begun and rows.get(other) is None
        rows.put(counts)
        rows.put_recovery_codes(whose, ["a" * 64, "b" * 64])
        rows.put_recovery_codes(other, ["a" * 64])
        uow.commit()
    with world.ledger.uow() as uow:
        rows = uow.second_factors
        assert rows.get(whose) == counts
        assert [rows.use_recovery_code(whose, "a" * 64) for _ in range(2)] == [True, False]
        assert not rows.use_recovery_code(whose, "B" * 64)
        assert (rows.recovery_codes_left(whose), rows.recovery_codes_left(other)) == (1, 1)
        assert rows.remove(whose) and rows.get(whose) is None
        assert (rows.recovery_codes_left(whose), rows.recovery_codes_left(other)) == (0, 1)
        uow.commit()


def test_a_second_factor_that_counts_has_been_used(world: World) -> None:
    factor = SecondFactor(world.accounts[Role.AUDITOR].account_id, "sealed", 5, confirmed_us=6)
    with pytest.raises(OrvaultError) as caught, world.ledger.uow() as uow:
        uow.second_factors.put(factor)
    assert caught.value.kind is ErrorKind.CONFLICT


def test_keys_are_found_by_their_digest_and_go_with_their_session(world: World) -> None:
    machine = world.custody.create_machine(None, "wall", "Wall", Role.AUDITOR)
    now = world.clock.us
    session = Session("k-1", machine.account_id, now, now + US_PER_S, method=Method.KEY)
    key = ApiKey(session, "d" * 64, "server")
    with world.ledger.uow() as uow:
        uow.sessions.add(session)
        uow.api_keys.add(key)
        uow.commit()
    with world.ledger.uow() as uow:
        assert uow.accounts.get(machine.account_id) == machine and machine.machine
        assert uow.api_keys.by_digest("d" * 64) == key and uow.api_keys.by_digest("D" * 64) is None
        uow.api_keys.note_use("k-1", now, "192.0.2.1")
        used = replace(key, used_us=now, used_from="192.0.2.1")
        assert list(uow.api_keys.open_of(machine.account_id, now)) == [used]
        assert not uow.api_keys.open_of(machine.account_id, session.expires_us)
        uow.sessions.drop(session.expires_us)
        assert uow.api_keys.by_digest("d" * 64) is not None
        uow.sessions.drop(session.expires_us + 1)
        assert uow.api_keys.by_digest("d" * 64) is None and uow.sessions.get("k-1") is None
        uow.commit()
