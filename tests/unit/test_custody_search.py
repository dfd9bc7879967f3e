"""What of a search lies in reach, which acts are events, and places of pages: the pure part."""

from __future__ import annotations

import pytest

from orvault.custody.history import Act, make_entry
from orvault.custody.scope import EVERYTHING, Reach
from orvault.custody.search import (
    EventKind,
    Part,
    Wanted,
    event_of,
    parts_of,
    place_parts,
    place_text,
    rooms_of,
)
from orvault.errors import OrvaultError

PARTLY = Reach(rooms=frozenset({"OR 1", "OR 2"}), cameras=frozenset({"c7"}))


def test_without_limits_everything_asked_for_is_searched() -> None:
    assert parts_of(Wanted(), EVERYTHING) == (Part(),)
    assert parts_of(Wanted(rooms=("OR 9",)), EVERYTHING) == (Part(room="OR 9"),)
    both = Wanted(rooms=("OR 9",), camera_ids=("c1", "c2"))
    assert parts_of(both, EVERYTHING) == (Part(None, "c1", ("OR 9",)), Part(None, "c2", ("OR 9",)))
    assert rooms_of(Wanted(), EVERYTHING) is None
    assert rooms_of(Wanted(rooms=("OR 9",)), EVERYTHING) == ("OR 9",)


def test_account_searches_its_rooms_and_its_cameras() -> None:
    assert parts_of(Wanted(), PARTLY) == (Part("OR 1"), Part("OR 2"), Part(None, "c7"))
    assert rooms_of(Wanted(), PARTLY) == ("OR 1", "OR 2")


def test_foreign_rooms_and_cameras_are_left_out() -> None:
    assert parts_of(Wanted(rooms=("OR 2", "OR 9")), PARTLY) == (Part("OR 2"), Part(None, "c7", ("OR 9",)))
    assert rooms_of(Wanted(rooms=("OR 2", "OR 9")), PARTLY) == ("OR 2",)
    # A camera that is not in reach may have stood in a room that is.
    assert parts_of(Wanted(camera_ids=("c7", "c8")), PARTLY) == (
        Part(None, "c7"),
        Part(None, "c8", ("OR 1", "OR 2")),
    )
    elsewhere = Wanted(rooms=("OR 9",), camera_ids=("c7", "c8"))
    assert parts_of(elsewhere, PARTLY) == (Part(None, "c7", ("OR 9",)),)


def test_account_without_scopes_finds_nothing() -> None:
    for wanted in (Wanted(), Wanted(rooms=("OR 1",)), Wanted(camera_ids=("c1",))):
        assert parts_of(wanted, Reach()) == ()
        assert rooms_of(wanted, Reach()) == ()


def test_events_say_what_history_says_of_them() -> None:
    detail = {"camera": "c1", "run": "r", "reason": "because"}
    facts = event_of(make_entry(0, 1, "system", Act.RECORDING_STOP_ORDERED, "case:k", detail))
    assert facts is not None
    assert (facts.kind, facts.words, facts.camera_id, facts.case_id) == (
        EventKind.SWITCH,
        "because",
        "c1",
        "k",
    )
    assert event_of(make_entry(0, 1, "system", Act.HEADS_ANCHORED, "case:k", {})) is None
    lost = event_of(make_entry(0, 1, "system", Act.TRIGGERS_LOST, "triggers:OR 1", {"troubles": []}))
    assert lost is not None and (lost.kind, lost.room, lost.words) == (EventKind.ALARM, "OR 1", "")


def test_place_is_read_as_it_was_written_and_nothing_else_is() -> None:
    assert place_parts(place_text(5, "수술-1", 7), int, str, int) == (5, "수술-1", 7)
    for text, kinds in ((place_text(5), (str,)), (place_text(5, "x"), (int,)), (place_text(True), (int,))):
        with pytest.raises(OrvaultError):
            place_parts(text, *kinds)
