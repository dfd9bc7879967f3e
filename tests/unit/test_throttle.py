"""The back-off after failed sign-ins, as a rule over times: it grows, it ends, and it says exactly when."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.clock import US_PER_S
from orvault.custody.throttle import ADDRESS, NAME, PAIR, Keys, Rule, ThrottledError, check_wait

MINUTE, HOUR, DAY = 60 * US_PER_S, 3600 * US_PER_S, 86_400 * US_PER_S
NOW = 1_800_000_000 * US_PER_S
RULES = st.sampled_from([PAIR, NAME, ADDRESS])
TIMES = st.lists(st.integers(NOW - 3 * DAY, NOW), max_size=60)


def _waits(rule: Rule, count: int) -> int:
    return max(0, rule.free_us([NOW] * count) - NOW)


def test_the_wait_of_a_pair_begins_with_the_fifth_and_doubles_to_an_hour() -> None:
    minutes = [_waits(PAIR, count) // MINUTE for count in range(14)]
    assert minutes == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert _waits(PAIR, 100_000) == HOUR


def test_a_name_waits_a_minute_at_most_and_an_address_up_to_an_hour() -> None:
    assert [_waits(NAME, count) // MINUTE for count in (19, 20, 21, 500)] == [0, 1, 1, 1]
    assert [_waits(ADDRESS, count) // MINUTE for count in (29, 30, 31, 500)] == [0, 1, 2, 60]


@given(RULES, TIMES)
def test_no_wait_reaches_further_than_its_longest_behind_the_last_failure(
    rule: Rule, times: list[int]
) -> None:
    assert rule.free_us(times) <= max(times, default=0) + rule.longest_us


@given(RULES, TIMES.filter(bool))
def test_one_failure_more_never_frees(rule: Rule, times: list[int]) -> None:
    assert rule.free_us([*times, max(times)]) >= rule.free_us(times)


@given(RULES, TIMES)
def test_what_is_older_than_its_reach_changes_nothing_now(rule: Rule, times: list[int]) -> None:
    recent = [at for at in times if at > NOW - rule.reach_us]
    assert (rule.free_us(times) > NOW) == (rule.free_us(recent) > NOW)
    assert rule.free_us(times) <= NOW or rule.free_us(times) == rule.free_us(recent)


@pytest.mark.parametrize(("rule", "most"), [(PAIR, 40), (NAME, 1500), (ADDRESS, 720)])
def test_who_uses_every_moment_gets_few_guesses_a_day(rule: Rule, most: int) -> None:
    times, now, guesses = list[int](), NOW, 0
    while now < NOW + DAY:
        times = [at for at in times if at > now - rule.reach_us]
        now = max(now, rule.free_us(times)) + 1
        times.append(now)
        guesses += 1
        assert guesses <= most
    assert guesses > most / 2  # the bound is one, not a wish


@given(st.lists(st.integers(NOW - DAY, NOW + DAY), max_size=4), st.integers(NOW - DAY, NOW + DAY))
def test_the_time_that_is_told_is_the_time_at_which_it_is_over(waits: list[int], now: int) -> None:
    try:
        check_wait(waits, now)
    except ThrottledError as error:
        over = now + error.retry_after_s * US_PER_S
        check_wait(waits, over)
        with pytest.raises(ThrottledError):
            check_wait(waits, over - US_PER_S)
        assert pickle.loads(pickle.dumps(error)).retry_after_s == error.retry_after_s >= 1
    else:
        assert now >= max(waits, default=0)


def test_keys_tell_names_and_addresses_apart_and_say_neither() -> None:
    base, other = Keys.of("kim", "192.0.2.1"), Keys.of("kim", "192.0.2.2")
    assert base.name == other.name and base.pair != other.pair and base.address != other.address
    assert Keys.of("kim", "").address == "" and Keys.of("lee", "192.0.2.1").address == base.address
    assert Keys.of("kim\0x", "y").pair != Keys.of("kim", "x\0y").pair
    assert len({len(key) for key in (base.pair, base.name, base.address)}) == 1


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),  # one subscriber's
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("testclient", "other", False),
    ],
)
def test_an_address_is_the_network_that_one_person_has(one: str, another: str, same: bool) -> None:
    assert (Keys.of("kim", one) == Keys.of("kim", another)) is same


def test_where_an_account_is_at_home_only_its_own_failures_there_count() -> None:
    keys = Keys.of("kim", "192.0.2.1")
    assert [rule for _, rule in keys.rules()] == [PAIR, NAME, ADDRESS]
    assert [rule for _, rule in keys.rules(at_home=True)] == [PAIR]
