"""Errors keep what they say wherever they travel, and each kind has its place in the tables."""

from __future__ import annotations

import pickle

import pytest

from orvault.errors import EXIT_CODES, OTHER_FAILURE, ErrorKind, OrvaultError


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_error_survives_pickling(kind: ErrorKind) -> None:
    error = OrvaultError(kind, "what", where="place", advice="do this")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.kind, copy.message, copy.where, copy.advice) == (kind, "what", "place", "do this")
    assert str(copy) == "place: what do this"


def test_exit_codes_are_distinct_and_leave_room_for_usage_errors() -> None:
    codes = list(EXIT_CODES.values())
    assert len(set(codes)) == len(codes)
    assert not {0, OTHER_FAILURE, 2} & set(codes)
