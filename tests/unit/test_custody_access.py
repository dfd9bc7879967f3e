"""Rights: what each role has, and what no role has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.custody.access import Right, may, require, sees_only_own
from orvault.custody.account import Account, Role
from orvault.errors import ErrorKind, OrvaultError

EVERYBODY = "session camera-view live-view mask-set viewing-list"
GIVEN = {
    Role.SYSTEM_ADMINISTRATOR: "account-manage",
    Role.RECORDS_MANAGER: "case-view case-plan case-arm case-close recording-switch "
    "patient-find consent-take result-answer result-ask watermark-remove "
    "recording-list stored-view export-submit export-view export-download "
    "retention-view retention-extend hold-put hold-lift viewing-ask viewing-consent",
    Role.PRIVACY_OFFICER: "case-view recording-list stored-view export-submit export-view export-decide "
    "export-revoke consent-take result-answer result-ask answer-waive watermark-remove "
    "viewing-ask viewing-consent viewing-decide "
    "export-download history-view mask-lift retention-view retention-extend hold-put hold-lift destruction-approve",
    Role.CLINICAL_STAFF: "case-view case-arm case-close recording-switch mask-lift result-answer result-view",
    Role.AUDITOR: "case-view recording-list stored-view export-view history-view retention-view",
}


def _account(role: Role, account_id: str = "a") -> Account:
    return Account(account_id, "name", "Name", role, "phc", 0, "console")


@pytest.mark.parametrize("role", Role)
def test_each_role_has_these_rights_and_no_others(role: Role) -> None:
    has = {right.value for right in Right if may(_account(role), right).allowed}
    assert has == {*EVERYBODY.split(), *GIVEN[role].split()}


@pytest.mark.parametrize("right", [Right.EXPORT_DECIDE, Right.VIEWING_DECIDE, Right.VIEWING_CONSENT])
def test_nobody_has_these_over_what_is_its_own_whatever_its_role(right: Right) -> None:
    for role in Role:
        decision = may(_account(role), right, owner_id="a")
        assert not decision.allowed and decision.kind is ErrorKind.SELF_APPROVAL
    assert may(_account(Role.PRIVACY_OFFICER), right, owner_id="b").allowed


@pytest.mark.parametrize(
    ("role", "right", "own", "others"),
    [
        (Role.RECORDS_MANAGER, Right.EXPORT_VIEW, True, False),
        (Role.RECORDS_MANAGER, Right.EXPORT_DOWNLOAD, True, False),
        (Role.PRIVACY_OFFICER, Right.EXPORT_VIEW, True, True),
        (Role.PRIVACY_OFFICER, Right.EXPORT_DOWNLOAD, True, False),
        (Role.AUDITOR, Right.EXPORT_VIEW, True, True),
        (Role.AUDITOR, Right.EXPORT_DOWNLOAD, False, False),
        (Role.SYSTEM_ADMINISTRATOR, Right.EXPORT_VIEW, False, False),
        (Role.RECORDS_MANAGER, Right.VIEWING_LIST, True, False),
        (Role.CLINICAL_STAFF, Right.VIEWING_LIST, True, False),
        (Role.PRIVACY_OFFICER, Right.VIEWING_LIST, True, True),
        (Role.AUDITOR, Right.VIEWING_LIST, True, True),
    ],
)
def test_whose_requests_are_reached(role: Role, right: Right, own: bool, others: bool) -> None:
    assert may(_account(role), right, owner_id="a").allowed is own
    assert may(_account(role), right, owner_id="b").allowed is others
    if own:
        assert sees_only_own(_account(role), right) is not others


@pytest.mark.parametrize("role", Role)
def test_disabled_account_has_nothing(role: Role) -> None:
    account = replace(_account(role), disabled_us=1)
    assert not any(may(account, right).allowed for right in Right)


def test_refusal_says_why_and_whom_to_ask() -> None:
    with pytest.raises(OrvaultError) as caught:
        require(_account(Role.AUDITOR), Right.CASE_ARM)
    assert caught.value.kind is ErrorKind.FORBIDDEN
    assert "auditor" in caught.value.message and "case-arm" in caught.value.message and caught.value.advice
