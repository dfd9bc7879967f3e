"""Codes of the moment and recovery codes, as rules: each is good once, near its time, for its own account."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.clock import US_PER_S
from orvault.custody.second_factor import (
    FactorKey,
    SecondFactor,
    clean_code,
    is_of_the_moment,
    new_enrolment,
    new_recovery_codes,
    recovery_digest,
    step_of,
)
from orvault.errors import ErrorKind, OrvaultError

# RFC 6238, appendix B: the secret of its SHA-1 rows, and their codes' last six digits
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}
TIMES = st.sampled_from(sorted(VECTORS))


@pytest.mark.parametrize("at_s", VECTORS)
def test_the_vectors_of_the_rfc(at_s: int) -> None:
    assert step_of(SECRET, VECTORS[at_s], at_s * US_PER_S, None) == at_s // 30


@given(TIMES, st.integers(-200, 200))
def test_a_code_is_good_one_step_either_side_and_no_further(at_s: int, off_s: int) -> None:
    now_s = max(at_s + off_s, 0)
    found = step_of(SECRET, VECTORS[at_s], now_s * US_PER_S, None)
    assert found == (at_s // 30 if abs(now_s // 30 - at_s // 30) <= 1 else None)


@given(TIMES, st.integers(-3, 3))
def test_neither_a_used_step_nor_an_earlier_one_is_taken(at_s: int, ahead: int) -> None:
    step = at_s // 30
    found = step_of(SECRET, VECTORS[at_s], at_s * US_PER_S, step + ahead)
    assert found == (step if ahead < 0 else None)


@given(st.text(max_size=80))
def test_whatever_is_typed_is_a_code_or_none_and_never_an_error(typed: str) -> None:
    found = step_of(SECRET, typed, 59 * US_PER_S, None)
    assert (found is not None) == (clean_code(typed) in {"755224", "287082", "359152"})
    assert len(recovery_digest("a", typed)) == 64


def test_how_people_type_codes_changes_nothing() -> None:
    assert step_of(SECRET, " 287 082\n", 59 * US_PER_S, None) == 1
    assert step_of(SECRET, "２８７-０８２", 59 * US_PER_S, None) == 1  # full-width digits of an input method
    code = new_recovery_codes()[0]
    assert recovery_digest("a", code) == recovery_digest("a", f" {code.lower().replace('-', ' ')} ")


def test_recovery_codes_are_ten_unlike_ones_of_eighty_bits_each_for_one_account() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10 and not any(is_of_the_moment(code) for code in codes)
    assert all(len(clean_code(code)) == 16 and not set(code) & set("01IO") for code in codes)
    assert recovery_digest("a", codes[0]) != recovery_digest("b", codes[0])


def test_an_enrolment_says_whose_and_where_and_shows_its_secret_in_no_repr() -> None:
    made = new_enrolment("kim.jiwon", "서울병원: 본관")
    assert made.uri.startswith("otpauth://totp/") and made.secret in made.uri and "kim.jiwon" in made.uri
    assert (
        made.uri.split("?")[0].count("%3A") + made.uri.split("?")[0].count(":") == 2
    )  # scheme, and one more
    assert made.secret not in repr(made) and len(made.secret) == 32
    assert new_enrolment("kim.jiwon", "").secret != made.secret


def test_a_sealed_secret_opens_for_its_account_alone() -> None:
    key = FactorKey(lambda: b"f" * 32)
    factor = SecondFactor("a", key.seal(SECRET, "a"), 1)
    assert key.open(factor) == SECRET and factor.sealed not in repr(factor)
    for other, wrong in (
        (key, SecondFactor("b", factor.sealed, 1)),
        (FactorKey(lambda: b"g" * 32), factor),
    ):
        with pytest.raises(OrvaultError) as caught:
            other.open(wrong)
        assert caught.value.kind is ErrorKind.ALTERED
    with pytest.raises(OrvaultError) as caught:
        FactorKey(lambda: b"short").open(factor)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS
