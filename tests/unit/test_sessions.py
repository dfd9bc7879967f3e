"""Sessions: listed with when, from where and how; ended one by one; other people's are as if they were not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.clock import US_PER_S
from orvault.custody.access import AccessPolicy
from orvault.custody.account import Role
from orvault.custody.session import ENDED_TOLD_US
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD, World
from tests.unit.api_support import is_problem, make_api


def test_open_sessions_are_listed_with_when_from_where_and_how(world: World) -> None:
    auditor = world.accounts[Role.AUDITOR]
    first = world.custody.sign_in("auditor", PASSWORD, "192.0.2.1").session
    world.clock.us += 60 * US_PER_S
    second = world.custody.sign_in("auditor", PASSWORD, "192.0.2.2").session
    world.custody.sign_in("records-manager", PASSWORD)
    listed = world.custody.sessions(auditor, auditor.account_id)
    assert listed == [first, second]
    assert [(one.client, one.method.value) for one in listed] == [
        ("192.0.2.1", "password"),
        ("192.0.2.2", "password"),
    ]
    world.custody.sign_out(auditor, second.session_id)
    assert world.custody.sessions(None, auditor.account_id) == [first]
    world.clock.us = first.expires_us
    assert world.custody.sessions(auditor, auditor.account_id) == []


def test_a_revoked_session_opens_nothing_and_history_says_who_ended_whose(world: World) -> None:
    admin, auditor = world.accounts[Role.SYSTEM_ADMINISTRATOR], world.accounts[Role.AUDITOR]
    ended, kept = (world.custody.sign_in("auditor", PASSWORD, "192.0.2.1").session for _ in range(2))
    world.custody.revoke_session(admin, ended.session_id)
    with pytest.raises(OrvaultError, match="over"):
        world.custody.authenticate(ended.session_id, auditor.account_id)
    assert world.custody.authenticate(kept.session_id, auditor.account_id) == auditor
    entry = world.custody.history(auditor, limit=1, act="session-revoked")[0]
    assert (entry.actor, entry.act, entry.subject) == (admin.actor, "session-revoked", auditor.actor)
    assert ended.session_id in entry.detail and "192.0.2.1" in entry.detail
    with pytest.raises(OrvaultError) as caught:
        world.custody.revoke_session(admin, ended.session_id)
    assert caught.value.kind is ErrorKind.NOT_FOUND


def test_other_peoples_sessions_answer_like_unknown_ones(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    theirs = api.world.custody.sign_in("auditor", PASSWORD).session
    auditor = api.world.accounts[Role.AUDITOR]
    for role in Role:
        there = api.call("DELETE", f"sessions/{theirs.session_id}", role)
        if role in {Role.SYSTEM_ADMINISTRATOR, Role.AUDITOR}:
            assert there.status_code == 204
            theirs = api.world.custody.sign_in("auditor", PASSWORD).session
            continue
        not_there = api.call("DELETE", "sessions/unknown", role)
        assert is_problem(there, 404, "not-found") and is_problem(not_there, 404, "not-found")
        assert there.text.replace(theirs.session_id, "unknown") == not_there.text
        assert is_problem(api.get(f"sessions?account_id={auditor.account_id}", role), 404, "not-found")
    listed = api.get(f"sessions?account_id={auditor.account_id}", Role.SYSTEM_ADMINISTRATOR).json()
    assert theirs.session_id in [row["id"] for row in listed] and not any(row["current"] for row in listed)
    own = api.get("sessions", Role.CLINICAL_STAFF).json()
    assert [row["current"] for row in own].count(True) == 1


def _refused(world: World, session_id: str, account_id: str, client: str = "192.0.2.66") -> None:
    with pytest.raises(OrvaultError, match="over"):
        world.custody.authenticate(session_id, account_id, client)


def _told(world: World) -> list[str]:
    entries = world.custody.history(world.accounts[Role.AUDITOR], limit=50, act="ended-session-used")
    assert all(entry.actor == "anonymous" for entry in entries)
    return [entry.detail for entry in entries]


def test_who_comes_by_an_ended_session_stands_in_history_once_an_hour_for_each(world: World) -> None:
    officer = world.officer
    first, second = (world.custody.sign_in("privacy-officer", PASSWORD).session for _ in range(2))
    for session in (first, second):
        world.custody.sign_out(officer, session.session_id)
    for _ in range(3):
        _refused(world, first.session_id, officer.account_id)
        _refused(world, second.session_id, officer.account_id)
    assert len(_told(world)) == 2 and all("192.0.2.66" in detail for detail in _told(world))
    world.clock.us += ENDED_TOLD_US
    _refused(world, first.session_id, officer.account_id)
    assert len(_told(world)) == 3 and first.session_id in _told(world)[0]


def test_a_session_whose_time_ran_out_and_one_that_never_was_are_no_news(world: World) -> None:
    session = world.custody.sign_in("privacy-officer", PASSWORD).session
    _refused(world, session.session_id, world.manager.account_id)
    _refused(world, "0" * 36, world.officer.account_id)
    world.clock.us = session.expires_us
    _refused(world, session.session_id, world.officer.account_id)
    assert _told(world) == []


def test_a_session_lasts_as_long_as_the_site_says(world: World) -> None:
    world.custody._access = AccessPolicy(session_us=3600 * US_PER_S)
    session = world.custody.sign_in("auditor", PASSWORD).session
    assert session.expires_us - session.issued_us == 3600 * US_PER_S
    world.clock.us += 59 * 60 * US_PER_S
    assert world.custody.authenticate(session.session_id, session.account_id)
