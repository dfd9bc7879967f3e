"""Who of the directory is let in as whom: links, accounts made and followed by groups, and no way around them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orvault.custody.account import Account, Role
from orvault.custody.directory import (
    ClaimNames,
    DirectoryPolicy,
    Identity,
    Refusal,
    SecondFactor,
    Standing,
    account_name,
    admission,
    challenge_of,
    identity_of,
    standing_of,
)
from orvault.custody.scope import SITE
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD, World, make_world, sqlite_url
from tests.unit.directory_rules import GROUPS, ROOM, VERIFIER, set_policy

ISSUER = "https://login.hospital.test"
KIM = Identity(ISSUER, "s-1", "kim.jiwon", "김지원", frozenset({"or-records", "staff"}))
POLICY = DirectoryPolicy(ISSUER, match=True, provision=True, groups=GROUPS)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(sqlite_url(tmp_path))
    set_policy(made.custody, POLICY)
    return made


_states = iter(range(1_000_000))


def sign_in(world: World, identity: Identity = KIM) -> Account:
    code = world.custody.admit(identity, f"state-{next(_states)}", challenge_of(VERIFIER), "192.0.2.1")
    return world.custody.directory_session(code, VERIFIER, "192.0.2.1").account


def kind_of(act: Any, *args: Any, **more: Any) -> ErrorKind:
    with pytest.raises(OrvaultError) as caught:
        act(*args, **more)
    return caught.value.kind


# --- the rules


@pytest.mark.parametrize(
    ("groups", "standing"),
    [
        ({"or-records"}, Standing(Role.RECORDS_MANAGER, (ROOM,))),
        ({"or-records", "or-records-all"}, Standing(Role.RECORDS_MANAGER, (ROOM, SITE))),
        ({"or-auditors", "or-records"}, Standing(Role.RECORDS_MANAGER, (ROOM,))),
        ({"or-auditors"}, Standing(Role.AUDITOR, (SITE,))),
        ({"OR-AUDITORS", "staff"}, None),
        (set(), None),
    ],
)
def test_first_rule_gives_the_role_and_its_rules_the_reach(
    groups: set[str], standing: Standing | None
) -> None:
    assert standing_of(frozenset(groups), GROUPS) == standing


def test_second_factor_is_what_the_directory_says_and_nothing_else() -> None:
    needs = SecondFactor(frozenset({Role.AUDITOR}), frozenset({"mfa"}), frozenset({"gold"}))
    assert needs.lacks(Role.AUDITOR, KIM)
    assert needs.lacks(Role.AUDITOR, replace(KIM, methods=frozenset({"pwd"}), level="silver"))
    assert not needs.lacks(Role.AUDITOR, replace(KIM, methods=frozenset({"pwd", "mfa"})))
    assert not needs.lacks(Role.AUDITOR, replace(KIM, level="gold"))
    assert not needs.lacks(Role.RECORDS_MANAGER, KIM)
    assert SecondFactor(frozenset({Role.AUDITOR})).lacks(Role.AUDITOR, KIM), (
        "without words for it, nobody is in"
    )


@pytest.mark.parametrize("ended_by", ["unlinked", "linked to somebody else", "closed and opened again"])
def test_a_code_that_nobody_fetched_ends_with_the_accounts_sessions(world: World, ended_by: str) -> None:
    account = sign_in(world)
    code = world.custody.admit(KIM, "on its way", challenge_of(VERIFIER), "192.0.2.1")
    if ended_by == "unlinked":
        world.custody.unlink_directory(None, account.account_id)
    elif ended_by == "closed and opened again":
        world.custody.disable_account(None, account.account_id)
        world.custody.enable_account(None, account.account_id)
    else:
        world.custody.link_directory(None, account.account_id, "s-2")
    assert kind_of(world.custody.directory_session, code, VERIFIER) is ErrorKind.UNAUTHENTICATED


def test_a_role_that_asks_for_a_second_factor_is_none_of_what_was_opened_without_one(world: World) -> None:
    needs = SecondFactor(frozenset({Role.AUDITOR}), frozenset({"mfa"}))
    set_policy(world.custody, replace(POLICY, second_factor=needs))
    first = world.custody.admit(KIM, "first", challenge_of(VERIFIER), "192.0.2.1")
    before = world.custody.directory_session(first, VERIFIER, "192.0.2.1").session
    waiting = world.custody.admit(KIM, "waiting", challenge_of(VERIFIER), "192.0.2.1")
    sign_in(world, replace(KIM, groups=frozenset({"or-auditors"}), methods=frozenset({"mfa"})))
    assert (
        kind_of(world.custody.authenticate, before.session_id, before.account_id) is ErrorKind.UNAUTHENTICATED
    )
    assert kind_of(world.custody.directory_session, waiting, VERIFIER) is ErrorKind.UNAUTHENTICATED


def test_a_second_factor_is_asked_for_before_anything_is_made(world: World) -> None:
    needs = SecondFactor(frozenset({Role.RECORDS_MANAGER}), frozenset({"mfa"}))
    set_policy(world.custody, replace(POLICY, second_factor=needs))
    before = len(world.custody.all_accounts())
    assert kind_of(sign_in, world) is ErrorKind.FORBIDDEN
    assert len(world.custody.all_accounts()) == before
    assert sign_in(world, replace(KIM, methods=frozenset({"mfa"}))).role is Role.RECORDS_MANAGER


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sub": "s-1", "groups": ["a", "b"]}, Identity("i", "s-1", groups=frozenset({"a", "b"}))),
        ({"sub": "s-1", "groups": "a"}, Identity("i", "s-1")),
        ({"sub": "s-1", "groups": {"a": 1}}, Identity("i", "s-1")),
        ({"sub": "s-1", "groups": [7, None, ["a"], "b", ""]}, Identity("i", "s-1", groups=frozenset({"b"}))),
        ({"sub": "s-1", "groups": ["x"] * 2001}, Identity("i", "s-1")),
        ({"sub": "s-1", "preferred_username": "KIM "}, Identity("i", "s-1", "kim")),
        ({"sub": "s-1", "preferred_username": 7, "name": ["x"]}, Identity("i", "s-1")),
        ({"sub": " s-1"}, Identity("i", " s-1")),
        (
            {"sub": "s-1", "amr": ["mfa"], "acr": "gold"},
            Identity("i", "s-1", methods=frozenset({"mfa"}), level="gold"),
        ),
        ({"sub": "s-1", "email": "root@hospital.test", "role": "auditor"}, Identity("i", "s-1")),
        ({"sub": ""}, None),
        ({"sub": None}, None),
        ({"sub": 7}, None),
        ({"sub": "s" * 256}, None),
        ({"sub": "s\n"}, None),
        ({}, None),
    ],
)
def test_claims_of_another_form_are_as_if_they_were_not_there(
    claims: dict[str, object], expected: Identity | None
) -> None:
    assert identity_of("i", claims, ClaimNames()) == expected


def test_claims_go_by_the_sites_names() -> None:
    names = ClaimNames("upn", "cn", "roles")
    claims: dict[str, object] = {"sub": "1", "upn": "Kim", "cn": "Kim Ji", "roles": ["a"], "groups": ["b"]}
    assert identity_of("i", claims, names) == Identity("i", "1", "kim", "Kim Ji", frozenset({"a"}))


def test_a_closed_account_stays_closed_whatever_the_groups_say() -> None:
    closed = Account("a", "kim", "Kim", Role.AUDITOR, "", 0, "console", disabled_us=5)
    for follows in (True, False):
        assert admission(KIM, POLICY, closed, follows=follows) is Refusal.CLOSED


# --- accounts that the groups make


def test_first_sign_in_makes_an_account_with_what_the_groups_give_and_no_password(world: World) -> None:
    account = sign_in(world)
    assert (account.name, account.display_name, account.role) == ("kim.jiwon", "김지원", Role.RECORDS_MANAGER)
    assert account.scopes == (ROOM,) and account.created_by == "directory" and account.password_phc == ""
    assert sign_in(world).account_id == account.account_id
    for password in ("", PASSWORD):
        assert kind_of(world.custody.sign_in, "kim.jiwon", password) is ErrorKind.UNAUTHENTICATED
    assert (
        kind_of(world.custody.change_password, account, "", "Another-password-77")
        is ErrorKind.UNAUTHENTICATED
    )


def test_an_account_of_that_name_is_never_taken_over(world: World) -> None:
    local = world.account(Role.SYSTEM_ADMINISTRATOR, "kim.jiwon")
    made = sign_in(world)
    assert made.account_id != local.account_id and made.name.startswith("directory-")
    assert made.role is Role.RECORDS_MANAGER
    assert world.custody.sign_in("kim.jiwon", PASSWORD).account.account_id == local.account_id


@pytest.mark.parametrize("username", ["", "김지원", "-x-", "a" * 65, "kim/../x"])
def test_a_user_name_that_is_no_account_name_is_replaced(username: str) -> None:
    name = account_name(replace(KIM, username=username), taken=False)
    assert name.startswith("directory-") and name == account_name(replace(KIM, username=""), taken=False)
    assert name != account_name(replace(KIM, subject="s-2", username=""), taken=False)


def test_another_person_with_the_same_user_name_is_another_account(world: World) -> None:
    first, second = sign_in(world), sign_in(world, replace(KIM, subject="s-2"))
    assert first.account_id != second.account_id


def test_the_same_subject_of_another_issuer_is_nobody(world: World) -> None:
    first = sign_in(world)
    other = "https://other.test"
    set_policy(world.custody, replace(POLICY, issuer=other))
    assert sign_in(world, replace(KIM, issuer=other)).account_id != first.account_id


def test_role_and_reach_follow_the_groups_at_every_sign_in(world: World) -> None:
    account = sign_in(world)
    followed = sign_in(world, replace(KIM, groups=frozenset({"or-auditors"})))
    assert (followed.account_id, followed.role, followed.scopes) == (
        account.account_id,
        Role.AUDITOR,
        (SITE,),
    )
    assert world.custody.account_named("kim.jiwon").role is Role.AUDITOR
    assert kind_of(sign_in, world, replace(KIM, groups=frozenset())) is ErrorKind.FORBIDDEN
    assert world.custody.account_named("kim.jiwon").role is Role.AUDITOR
    assert [act for act in world.acts() if act == "account-followed"] == ["account-followed"]


def test_a_closed_account_is_not_let_in_nor_made_anew(world: World) -> None:
    account = sign_in(world)
    world.custody.disable_account(None, account.account_id)
    assert kind_of(sign_in, world) is ErrorKind.FORBIDDEN
    assert world.custody.account_named("kim.jiwon").disabled
    entry = world.custody.history(world.accounts[Role.AUDITOR], limit=1)[0]
    assert (entry.act, json.loads(entry.detail)["why"]) == ("directory-refused", Refusal.CLOSED.value)


def test_without_provision_nobody_gets_an_account(world: World) -> None:
    set_policy(world.custody, replace(POLICY, provision=False))
    before = len(world.custody.all_accounts())
    assert kind_of(sign_in, world) is ErrorKind.FORBIDDEN
    assert len(world.custody.all_accounts()) == before


# --- links that administrators make


def test_a_link_ends_the_password_and_the_sessions(world: World) -> None:
    account = world.account(Role.AUDITOR, "lee")
    session = world.custody.sign_in("lee", PASSWORD).session
    link = world.custody.link_directory(None, account.account_id, subject="s-1")
    assert (link.subject, link.awaits, link.follows) == ("s-1", None, False)
    assert kind_of(world.custody.sign_in, "lee", PASSWORD) is ErrorKind.UNAUTHENTICATED
    ended = kind_of(world.custody.authenticate, session.session_id, account.account_id)
    assert ended is ErrorKind.UNAUTHENTICATED
    assert kind_of(world.custody.reset_password, None, account.account_id, PASSWORD) is ErrorKind.CONFLICT
    signed = sign_in(world)
    assert (signed.account_id, signed.role) == (account.account_id, Role.AUDITOR), "not what the groups say"


def test_a_user_name_counts_once_and_its_subject_from_then_on(world: World) -> None:
    account = world.account(Role.AUDITOR, "lee")
    link = world.custody.link_directory(None, account.account_id, username="KIM.Jiwon")
    assert (link.subject, link.awaits) == (None, "kim.jiwon")
    world.custody.sign_in("lee", PASSWORD)  # until then
    assert sign_in(world).account_id == account.account_id
    assert kind_of(world.custody.sign_in, "lee", PASSWORD) is ErrorKind.UNAUTHENTICATED
    renamed = replace(KIM, username="somebody.else")
    assert sign_in(world, renamed).account_id == account.account_id
    assert sign_in(world, replace(KIM, subject="s-2")).account_id != account.account_id


def test_where_names_are_not_matched_none_is(world: World) -> None:
    account = world.account(Role.AUDITOR, "lee")
    world.custody.link_directory(None, account.account_id, username="kim.jiwon")
    set_policy(world.custody, replace(POLICY, match=False, provision=False))
    assert kind_of(sign_in, world) is ErrorKind.FORBIDDEN
    refused = kind_of(world.custody.link_directory, None, account.account_id, username="kim")
    assert refused is ErrorKind.BAD_REQUEST


def test_an_identity_has_one_account_and_an_account_one_identity(world: World) -> None:
    first, second = world.account(Role.AUDITOR, "lee"), world.account(Role.AUDITOR, "park")
    link = world.custody.link_directory
    link(None, first.account_id, subject="s-1")
    assert kind_of(link, None, second.account_id, subject="s-1") is ErrorKind.CONFLICT
    link(None, first.account_id, subject="s-9")
    link(None, second.account_id, subject="s-1")
    assert sign_in(world).account_id == second.account_id
    for wrong in ({}, {"subject": "a", "username": "b"}, {"subject": "a\n\x00"}, {"subject": " "}):
        assert kind_of(link, None, first.account_id, **wrong) is ErrorKind.BAD_REQUEST
    assert kind_of(link, None, "nobody", subject="s-5") is ErrorKind.NOT_FOUND


def test_one_administrator_keeps_a_password(world: World) -> None:
    admin = world.accounts[Role.SYSTEM_ADMINISTRATOR]
    link = world.custody.link_directory
    for how in ({"subject": "s-1"}, {"username": "kim"}):
        assert kind_of(link, None, admin.account_id, **how) is ErrorKind.CONFLICT
    second = world.account(Role.SYSTEM_ADMINISTRATOR, "second-admin")
    link(None, admin.account_id, subject="s-1")
    assert kind_of(link, None, second.account_id, subject="s-2") is ErrorKind.CONFLICT


def test_only_who_manages_accounts_links_them(world: World) -> None:
    account = world.account(Role.AUDITOR, "lee")
    for role, by in world.accounts.items():
        if role is not Role.SYSTEM_ADMINISTRATOR:
            assert (
                kind_of(world.custody.link_directory, by, account.account_id, subject="s")
                is ErrorKind.FORBIDDEN
            )
            assert kind_of(world.custody.unlink_directory, by, account.account_id) is ErrorKind.FORBIDDEN
            assert kind_of(world.custody.directory_link, by, account.account_id) is ErrorKind.FORBIDDEN


def test_an_account_without_its_link_waits_for_a_password(world: World) -> None:
    account = world.account(Role.AUDITOR, "lee")
    world.custody.link_directory(None, account.account_id, subject="s-1")
    world.custody.unlink_directory(None, account.account_id)
    set_policy(world.custody, replace(POLICY, provision=False))
    assert kind_of(sign_in, world) is ErrorKind.FORBIDDEN
    assert kind_of(world.custody.sign_in, "lee", PASSWORD) is ErrorKind.UNAUTHENTICATED
    assert kind_of(world.custody.unlink_directory, None, account.account_id) is ErrorKind.NOT_FOUND
    world.custody.reset_password(None, account.account_id, PASSWORD)
    assert world.custody.sign_in("lee", PASSWORD).account.must_change
    acts = [act for act in world.acts() if "link" in act]
    assert acts == ["account-linked", "account-unlinked"]
