"""What a site decides of its directory, in the tests of custody and of the API."""

from __future__ import annotations

from orvault.custody.access import AccessPolicy
from orvault.custody.account import Role
from orvault.custody.directory import DirectoryPolicy, GroupRule
from orvault.custody.scope import SITE, Scope, ScopeKind
from orvault.custody.service import CustodyService

VERIFIER = "v" * 43
ROOM = Scope(ScopeKind.ROOM, "OR 1")
GROUPS = (
    GroupRule("or-records", Role.RECORDS_MANAGER, ROOM),
    GroupRule("or-records-all", Role.RECORDS_MANAGER, SITE),
    GroupRule("or-auditors", Role.AUDITOR, SITE),
)


def set_policy(custody: CustodyService, policy: DirectoryPolicy) -> None:
    custody._access = AccessPolicy(directory=policy)
