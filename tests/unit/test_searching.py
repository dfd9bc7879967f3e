"""The search for what must be nowhere in memory (tests/e2e/searching.py) finds what is there, wherever it stands."""

from __future__ import annotations

import os

import pytest

from tests.e2e.searching import OVERLAP, WORD, search

BYTES = 4096


@pytest.mark.parametrize("length", [2 * WORD - 1, 32, OVERLAP])
def test_a_needle_is_found_at_every_place_of_a_piece(length: int) -> None:
    needles = {"one": os.urandom(length), "other": os.urandom(length)}
    places = [*range(3 * WORD), *range(BYTES - length - 2 * WORD, BYTES - length + 1)]
    for place in places:
        piece = bytearray(os.urandom(BYTES))
        piece[place : place + length] = needles["one"]
        assert search([bytes(piece)], needles) == {"one"}, place
        odd = bytes(piece[: place + length])  # it ends within a word, at the last byte of the piece
        assert search([odd], needles) == {"one"}, place


def test_needles_that_begin_alike_are_told_apart() -> None:
    begin, ends = os.urandom(20), (os.urandom(12), os.urandom(12), os.urandom(12))
    needles = {str(n): begin + end for n, end in enumerate(ends)}
    found = search([os.urandom(100) + needles["0"], needles["2"] + os.urandom(5)], needles)
    assert found == {"0", "2"}


def test_a_cut_needle_is_not_found_and_one_too_short_is_refused() -> None:
    needle = os.urandom(32)
    assert search([needle[:-1], needle[1:], b"", b"abc"], {"needle": needle}) == set()
    with pytest.raises(AssertionError, match="too short"):
        search([], {"needle": needle[:14]})
