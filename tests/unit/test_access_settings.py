"""Departments of rooms, and who sees live pictures, as a site sets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.services import rules
from cluster.settings import load_settings
from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.scope import SITE, Scope, ScopeKind
from orvault.errors import OrvaultError
from tests.unit.test_settings import GOOD

ROOMS = "rooms:\n  - {name: OR-1, department: Surgery}\n"


def written(folder: Path, more: str) -> Path:
    path = folder / "ray_config.yaml"
    path.write_text(GOOD + more)
    return path


def test_departments_and_live_rules_reach_custody(tmp_path: Path) -> None:
    live = "viewing:\n  live:\n    - {role: clinical-staff, department: Surgery}\n    - {role: auditor}\n"
    found = rules(load_settings(written(tmp_path, ROOMS + live)))
    assert found.access.departments == {"OR-1": "Surgery"}
    assert [(rule.role, rule.scope) for rule in found.viewing.live] == [
        (Role.CLINICAL_STAFF, Scope(ScopeKind.DEPARTMENT, "Surgery")),
        (Role.AUDITOR, SITE),
    ]


@pytest.mark.parametrize(
    "part", ["department: Surgry", "room: OR-77", "camera: nope", "department: Surgery, room: OR-1"]
)
def test_a_part_that_is_none_is_refused(tmp_path: Path, part: str) -> None:
    live = f"viewing:\n  live:\n    - {{role: clinical-staff, {part}}}\n"
    with pytest.raises(OrvaultError):
        load_settings(written(tmp_path, ROOMS + live))


def test_roles_that_need_a_second_factor_reach_custody_and_misspelt_ones_are_refused(tmp_path: Path) -> None:
    assert rules(load_settings(written(tmp_path, ""))).access.second_factor == frozenset()
    needed = "access:\n  second_factor: [auditor, privacy-officer]\n"
    found = rules(load_settings(written(tmp_path, needed)))
    assert found.access.second_factor == {Role.AUDITOR, Role.PRIVACY_OFFICER}
    with pytest.raises(OrvaultError, match=r"access\.second_factor"):
        load_settings(written(tmp_path, "access:\n  second_factor: [officer]\n"))


def test_how_long_a_session_lasts_reaches_custody_within_bounds(tmp_path: Path) -> None:
    assert rules(load_settings(written(tmp_path, ""))).access.session_us == 15 * 60 * US_PER_S
    found = rules(load_settings(written(tmp_path, "access:\n  session_minutes: 480\n")))
    assert found.access.session_us == 480 * 60 * US_PER_S
    for minutes in (4, 721):
        with pytest.raises(OrvaultError, match=r"access\.session_minutes"):
            load_settings(written(tmp_path, f"access:\n  session_minutes: {minutes}\n"))


def test_second_factors_that_differ_by_the_way_in_are_warned_of(tmp_path: Path) -> None:
    here = "access:\n  second_factor: [auditor, privacy-officer]\n"
    assert load_settings(written(tmp_path, here)).warnings() == [], "there is no directory"
    directory = "directory:\n  issuer: https://login.test/r\n  client_id: orvault\n"
    there = "  second_factor_roles: [auditor, records-manager]\n  second_factor_methods: [mfa]\n"
    alike = "  second_factor_roles: [auditor, privacy-officer]\n  second_factor_methods: [mfa]\n"
    assert load_settings(written(tmp_path, here + directory + alike)).warnings() == []
    first, second = load_settings(written(tmp_path, here + directory + there)).warnings()
    assert first.startswith("privacy-officer:") and "needed by access.second_factor" in first
    assert second.startswith("records-manager:") and "needed by directory.second_factor_roles" in second
