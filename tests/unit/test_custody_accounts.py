"""Accounts: passwords, sign-in, throttle, and that unknown names are not told apart."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from orvault.clock import US_PER_S
from orvault.custody.account import Role, check_name
from orvault.custody.passwords import Passwords
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD, World, cheap_passwords, kind_of_sign_in


def test_passwords_are_argon2id_with_a_salt_of_their_own() -> None:
    passwords = cheap_passwords()
    first, second = passwords.hash(PASSWORD), passwords.hash(PASSWORD)
    assert first.startswith("$argon2id$v=19$m=32,t=1,p=4$") and first != second
    assert passwords.matches(PASSWORD, first) and not passwords.matches(PASSWORD + "x", first)
    assert not passwords.matches(PASSWORD, None) and not passwords.matches(PASSWORD, "nonsense")


def test_default_cost_is_that_of_rfc_9106() -> None:
    assert "$m=65536,t=3,p=4$" in Passwords()._nobody


def test_same_password_typed_on_two_systems_is_the_same() -> None:
    passwords, word = cheap_passwords(), "수술실비밀번호는길어야한다"
    assert passwords.matches(unicodedata.normalize("NFD", word), passwords.hash(word))


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short-pw-11", "11 characters"),
        ("x" * 201, "201 characters"),
        ("my.account-2026", "names that everybody"),
        ("Seoul-General1", "names that everybody"),
        ("ababababababab", "Repeats"),
        ("password123456", "commonly used"),
        ("qwertyuiopasdf", "commonly used"),
        ("abcdefghijklmn", "Sequences"),
    ],
)
def test_weak_passwords_are_refused_with_what_is_wrong_and_without_repeating_them(
    password: str, said: str
) -> None:
    with pytest.raises(OrvaultError, match=said) as caught:
        cheap_passwords().check(password, ("my.account", "My Account", "Seoul General Hospital"))
    assert caught.value.kind is ErrorKind.BAD_REQUEST and caught.value.where == "password"
    assert caught.value.advice and password not in str(caught.value)


@pytest.mark.parametrize(
    "password", ["four uncommon nouns swimming", "수술실비밀번호는길어야한다", "x1!" * 3 + "kT9#wq-Zu"]
)
def test_passwords_that_are_hard_to_guess_are_taken_whatever_signs_they_have(password: str) -> None:
    cheap_passwords().check(password, ("my.account",))


def test_a_very_long_password_is_judged_by_its_beginning() -> None:
    with pytest.raises(OrvaultError):
        cheap_passwords().check("a" * 72 + "kT9#wq-Zu!m4$Pz")


def test_known_words_of_one_account_do_not_count_against_the_next() -> None:
    passwords, own = cheap_passwords(), "zyxgrobnitz-qq"
    with pytest.raises(OrvaultError, match="names"):
        passwords.check(own, (own,))
    passwords.check(own)


@pytest.mark.parametrize("name", ["ab", "-abc", "a b c", "x" * 65, "kim/../etc", "김지원"])
def test_odd_account_names_are_refused(name: str) -> None:
    with pytest.raises(OrvaultError, match="account name"):
        check_name(name)


def test_name_is_taken_in_any_spelling(world: World) -> None:
    world.account(Role.AUDITOR, "kim.jiwon")
    with pytest.raises(OrvaultError) as caught:
        world.account(Role.AUDITOR, " KIM.Jiwon ")
    assert caught.value.kind is ErrorKind.CONFLICT
    assert world.custody.sign_in("Kim.Jiwon", PASSWORD).account.name == "kim.jiwon"


def test_only_a_system_administrator_makes_accounts(world: World) -> None:
    custody = world.custody
    for role, account in world.accounts.items():
        if role is Role.SYSTEM_ADMINISTRATOR:
            made = custody.create_account(account, "new.one", "New", Role.AUDITOR, PASSWORD)
            assert made.created_by == account.actor
            continue
        with pytest.raises(OrvaultError) as caught:
            custody.create_account(account, "another", "New", Role.AUDITOR, PASSWORD)
        assert caught.value.kind is ErrorKind.FORBIDDEN


def test_first_account_is_made_at_the_console(world: World) -> None:
    assert world.manager.created_by == "console"
    assert PASSWORD not in repr(world.manager) and "argon2id" not in repr(world.manager)


def test_unknown_wrong_and_disabled_answer_alike_after_the_same_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.ledger.uow() as uow:
        uow.accounts.add(replace(world.manager, account_id="gone", name="left.us", disabled_us=1))
        uow.commit()
    computed: list[str] = []

    class Spy:
        @staticmethod
        def verify_phc_encoded(key_material: bytes, phc_encoded: str, secret: bytes | None = None) -> None:
            computed.append(phc_encoded.rsplit("$", 2)[0])
            Argon2id.verify_phc_encoded(key_material, phc_encoded, secret)

    monkeypatch.setattr("orvault.custody.passwords.Argon2id", Spy)
    answers = {
        kind_of_sign_in(world, "nobody.here", PASSWORD),
        kind_of_sign_in(world, "auditor", "wrong-wrong-wrong"),
        kind_of_sign_in(world, "left.us", PASSWORD),
        kind_of_sign_in(world, "", ""),
        kind_of_sign_in(world, "\x00", "\ud800"),
    }
    assert len(answers) == 1 and answers.pop().startswith("unauthenticated")
    assert computed == ["$argon2id$v=19$m=32,t=1,p=4"] * 5


def test_throttle_counts_names_that_do_not_exist_too(world: World) -> None:
    for name in ("auditor", "nobody.here"):
        for _ in range(5):
            assert kind_of_sign_in(world, name, "wrong").startswith("unauthenticated")
        assert kind_of_sign_in(world, name, PASSWORD).startswith("too-many-attempts")
    assert kind_of_sign_in(world, "records-manager", PASSWORD) == "in"
    world.clock.us += 60 * US_PER_S
    assert kind_of_sign_in(world, "auditor", PASSWORD) == "in"


def test_success_forgets_failures(world: World) -> None:
    for _ in range(3):
        for _ in range(4):
            kind_of_sign_in(world, "auditor", "wrong")
        assert kind_of_sign_in(world, "auditor", PASSWORD) == "in"


def test_history_has_every_sign_in_and_no_name_that_is_nobodys(world: World) -> None:
    for name in ("auditor", "a-password-in-the-name-field"):
        kind_of_sign_in(world, name, "wrong")
    world.custody.sign_in("auditor", PASSWORD, "192.0.2.1")
    auditor = world.accounts[Role.AUDITOR]
    entries = world.custody.history(auditor, limit=3)
    assert [(e.act, e.subject, e.detail) for e in entries] == [
        ("signed-in", auditor.actor, '{"from":"192.0.2.1","how":"password"}'),
        ("sign-in-failed", "account:unknown", "{}"),
        ("sign-in-failed", auditor.actor, "{}"),
    ]


def test_session_is_bound_to_its_account_and_ends(world: World) -> None:
    custody = world.custody
    signed = custody.sign_in("auditor", PASSWORD)
    session, auditor = signed.session, world.accounts[Role.AUDITOR]
    assert custody.authenticate(session.session_id, auditor.account_id) == auditor
    for session_id, account_id in ((session.session_id, world.manager.account_id), ("x", auditor.account_id)):
        with pytest.raises(OrvaultError, match="over"):
            custody.authenticate(session_id, account_id)
    custody.sign_out(world.manager, session.session_id)  # not its own: nothing happens
    assert custody.authenticate(session.session_id, auditor.account_id) == auditor
    custody.sign_out(auditor, session.session_id)
    with pytest.raises(OrvaultError, match="over"):
        custody.authenticate(session.session_id, auditor.account_id)
