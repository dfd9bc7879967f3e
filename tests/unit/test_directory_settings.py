"""The hospital's directory as a site sets it: what is refused, what reaches custody and the API, what people type."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import services
from cluster.settings import load_settings
from orvault.custody.account import Role
from orvault.custody.directory import GroupRule
from orvault.custody.scope import SITE, Scope, ScopeKind
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.test_accounts_cli import run
from tests.unit.test_settings import GOOD

LEAST = "directory:\n  issuer: https://login.hospital.test/realms/staff\n  client_id: orvault\n"
WHOLE = (
    "rooms:\n  - {name: OR-1, department: Surgery}\n"
    + LEAST
    + """
  client_secret_file: keys/directory-secret
  ca_file: keys/directory-ca.pem
  scopes: [openid, profile, groups]
  match: true
  provision: true
  groups:
    - {group: or-records, role: records-manager, department: Surgery}
    - {group: or-auditors, role: auditor}
  second_factor_roles: [auditor]
  second_factor_methods: [mfa]
  second_factor_levels: [gold]
  max_age_minutes: 60
  return_addresses: [https://portal.hospital.test/signed-in]
"""
)


PROJECT = Path(__file__).parents[2]


def settings_of(folder: Path, more: str) -> Path:
    path = folder / "ray_config.yaml"
    path.write_text(GOOD + more)
    return path


def test_a_directory_reaches_custody_and_the_api(tmp_path: Path) -> None:
    settings = load_settings(settings_of(tmp_path, WHOLE))
    policy = services.rules(settings).access.directory
    assert policy.issuer == "https://login.hospital.test/realms/staff" and policy.match and policy.provision
    assert policy.groups == (
        GroupRule("or-records", Role.RECORDS_MANAGER, Scope(ScopeKind.DEPARTMENT, "Surgery")),
        GroupRule("or-auditors", Role.AUDITOR, SITE),
    )
    assert policy.second_factor.roles == {Role.AUDITOR} and policy.second_factor.methods == {"mfa"}
    place = services.directory_place(settings)
    assert place is not None and place.client_secret_file == settings.data / "keys/directory-secret"
    assert place.redirect_uri.endswith(f":{settings.api.port}/api/v1/session/directory/callback")
    assert place.max_age_s == 3600 and place.levels == ("gold",) and place.ca_file is not None
    assert "HS256" not in place.algorithms and "none" not in place.algorithms


def test_a_site_has_none_unless_it_says_so(tmp_path: Path) -> None:
    settings = load_settings(settings_of(tmp_path, ""))
    assert services.directory_place(settings) is None
    assert services.rules(settings).access.directory.issuer == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("directory:\n  issuer: http://login.hospital.test\n  client_id: x\n", "not https"),
        ("directory:\n  issuer: https://u:p@login.hospital.test\n  client_id: x\n", "not https"),
        ("directory:\n  issuer: https://login.hospital.test/?a=b\n  client_id: x\n", "no ?"),
        ("directory:\n  issuer: https://login.hospital.test\n", "client_id"),
        (LEAST + "  scopes: [profile]\n", "openid"),
        (LEAST + "  provision: true\n", "needs groups"),
        (LEAST + "  algorithms: [HS256]\n", "algorithms"),
        (LEAST + "  algorithms: [none]\n", "algorithms"),
        (LEAST + "  algorithms: []\n", "algorithms"),
        (LEAST + "  second_factor_roles: [auditor]\n", "second_factor_methods"),
        (LEAST + "  return_addresses: ['http://portal.test/']\n", "return_addresses"),
        (LEAST + "  groups: [{group: a, role: auditor, room: OR-77}]\n", "OR-77"),
        (LEAST + "  groups: [{group: a, role: superuser}]\n", "role"),
        (LEAST + "  client_secret: hunter2\n", "unknown key"),
        (LEAST + "api:\n  port: 0\n", "fixed one"),
    ],
)
def test_what_is_not_safe_or_says_nothing_is_refused(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        load_settings(settings_of(tmp_path, more))
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_handbooks_example_is_one(tmp_path: Path) -> None:
    text = (PROJECT / "docs/OPERATIONS.md").read_text()
    example = text.split("<!-- tested: directory -->\n```yaml\n")[1].split("```")[0]
    rooms = "rooms:\n  - {name: OR-1, department: Surgery}\n"
    place = services.directory_place(load_settings(settings_of(tmp_path, rooms + example)))
    assert place is not None and place.client_id == "orvault"


def test_the_example_in_the_settings_is_one(tmp_path: Path) -> None:
    lines = (PROJECT / "ray_config.yaml").read_text().splitlines()
    begin = lines.index("# directory:")
    end = next(at for at in range(begin, len(lines)) if not lines[at].startswith("#"))
    example = "\n".join(line.removeprefix("# ") for line in lines[begin:end]) + "\n"
    assert services.directory_place(load_settings(settings_of(tmp_path, example))) is not None


def test_accounts_are_linked_and_unlinked_at_the_command_line(tmp_path: Path) -> None:
    from cluster.services import ledger_address
    from orvault.ledger.migrate import migrate

    config = settings_of(tmp_path, WHOLE)
    settings = load_settings(config)
    settings.data.mkdir()
    migrate(ledger_address(settings).resolve())
    assert run(config, "account", "kim.jiwon", "auditor", typed="Long-enough-pw-1\n" * 2)[0] == 0
    code, said = run(config, "accounts", "link", "kim.jiwon", "--subject", "s-1")
    assert code == 0 and "https://login.hospital.test/realms/staff: s-1" in said
    assert run(config, "accounts", "link", "kim.jiwon")[0] != 0
    assert run(config, "accounts", "unlink", "kim.jiwon")[0] == 0
    code, said = run(config, "accounts", "link", "kim.jiwon", "--username", "Kim")
    assert code == 0 and "comes as kim" in said
