"""Links to the directory and proven sign-ins on both databases: one of each, and secrets that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.custody.account import Role
from orvault.custody.directory import DirectoryCode, DirectoryLink
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import World

LINK = DirectoryLink("", "https://login.test", "s-1", None, True, 5, "directory")
CODE = DirectoryCode("c" * 64, "d" * 64, "", "e" * 43, 7)


def test_links_are_kept_found_replaced_and_removed(world: World) -> None:
    auditor, manager = (world.accounts[role].account_id for role in (Role.AUDITOR, Role.RECORDS_MANAGER))
    link = replace(LINK, account_id=auditor)
    awaiting = replace(LINK, account_id=manager, subject=None, awaits="kim", follows=False)
    with world.ledger.uow() as uow:
        uow.directory.put_link(link)
        uow.directory.put_link(awaiting)
        uow.directory.put_role(manager, Role.AUDITOR)
        uow.commit()
    with world.ledger.uow() as uow:
        rows = uow.directory
        assert rows.link_of(auditor) == link == rows.by_subject(link.issuer, "s-1")
        assert rows.awaiting(link.issuer, "kim") == awaiting
        for nobody in ("S-1", "s-1 ", "kim"):
            assert rows.by_subject(link.issuer, nobody) is None
        assert rows.by_subject("https://login.test/", "s-1") is None
        rows.put_link(replace(link, subject="s-2"))
        assert rows.by_subject(link.issuer, "s-1") is None
        rows.remove_link(manager)
        assert rows.link_of(manager) is None
        found = uow.accounts.get(manager)
        assert found is not None and found.role is Role.AUDITOR
        uow.commit()


@pytest.mark.parametrize("wrong", [{"subject": "s-1"}, {"subject": None}, {"awaits": "kim"}])
def test_an_identity_is_linked_once_and_fully(world: World, wrong: dict[str, str | None]) -> None:
    link = replace(LINK, account_id=world.accounts[Role.AUDITOR].account_id)
    other = replace(LINK, account_id=world.accounts[Role.RECORDS_MANAGER].account_id, **wrong)  # type: ignore[arg-type]
    with pytest.raises(OrvaultError) as caught, world.ledger.uow() as uow:
        uow.directory.put_link(link)
        uow.directory.put_link(other)
    assert caught.value.kind is ErrorKind.CONFLICT


def test_administrators_by_password_are_those_in_use_without_a_link(world: World) -> None:
    first = world.accounts[Role.SYSTEM_ADMINISTRATOR]
    second = world.account(Role.SYSTEM_ADMINISTRATOR, "second-admin")
    third = world.account(Role.SYSTEM_ADMINISTRATOR, "third-admin")
    world.custody.disable_account(None, third.account_id)
    with world.ledger.uow() as uow:
        assert set(uow.directory.administrators_by_password()) == {first.account_id, second.account_id}
        uow.directory.put_link(replace(LINK, account_id=first.account_id))
        assert uow.directory.administrators_by_password() == [second.account_id]


def test_codes_are_used_counted_and_dropped(world: World) -> None:
    code = replace(CODE, account_id=world.manager.account_id)
    with world.ledger.uow() as uow:
        rows = uow.directory
        rows.add_code(code)
        rows.add_code(replace(code, code_digest="1" * 64, state_digest="2" * 64, made_us=9))
        assert rows.code(code.code_digest) == code and rows.code("0" * 64) is None
        assert rows.came_back(code.state_digest) and not rows.came_back("0" * 64)
        assert (rows.open_codes(code.account_id, 0), rows.open_codes(code.account_id, 7)) == (2, 1)
        rows.use_code(code.code_digest, 8)
        used = rows.code(code.code_digest)
        assert used is not None and used.used_us == 8 and rows.open_codes(code.account_id, 0) == 1
        rows.drop_codes(9)
        assert rows.code(code.code_digest) is None and rows.came_back("2" * 64)
        uow.commit()


def test_a_state_comes_back_once(world: World) -> None:
    code = replace(CODE, account_id=world.manager.account_id)
    with pytest.raises(OrvaultError) as caught, world.ledger.uow() as uow:
        uow.directory.add_code(code)
        uow.directory.add_code(replace(code, code_digest="1" * 64))
    assert caught.value.kind is ErrorKind.CONFLICT
