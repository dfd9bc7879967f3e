"""What the API's document says is what the API does: made-up requests, by schemathesis, to every operation in it."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from orvault.custody.access import Right, may
from orvault.custody.account import Role
from tests.unit.api_support import Api, make_api

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PER_OPERATION = 10


def test_every_answer_is_one_that_the_document_lists(tmp_path: Any) -> None:
    api = make_api(tmp_path)
    api.world.recorded_case(number="schema")
    document = schemathesis.openapi.from_asgi("/api/v1/openapi.json", api.app)
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 50
    broken = [problem for operation in operations for problem in _problems(api, operation)]
    assert not broken, "\n\n".join(broken)


def _problems(api: Api, operation: Any) -> list[str]:
    right = operation.definition.raw.get("x-right", "")
    role = _allowed(api, right)
    account = api.world.accounts[role] if role is not None else None
    kept = api.bearer(account)

    # The same requests in every run: a fault is seen by whoever made it, not by the next one who comes along.
    @settings(
        max_examples=PER_OPERATION,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def answers_as_listed(case: Any) -> None:
        headers = api.bearer(account) if right == Right.SESSION else kept  # which such may end
        case.call_and_validate(headers=headers, checks=CHECKS)

    try:
        answers_as_listed()
    except FailureGroup as failures:
        return [f"{operation.label}: {failure}" for failure in failures.exceptions]
    return []


def _allowed(api: Api, right: str) -> Role | None:
    """A role that has the operation's right, so that its requests get beyond the guard; None: it needs no sign-in."""
    if right not in {each.value for each in Right}:
        return None
    return next(role for role, account in api.world.accounts.items() if may(account, Right(right)).allowed)
