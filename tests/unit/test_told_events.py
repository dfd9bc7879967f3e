"""Events of the room in a package: which entries of history are told, how they are read, and how they are shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orvault.clock import US_PER_S
from orvault.container.canonical import Fields
from orvault.container.happened import MAX_EVENTS, EventKind, Happened, Means, read_events
from orvault.container.package import Manifest, PackageTerms
from orvault.custody.control import Signal, SignalKind, SignalSource
from orvault.custody.told_events import events_for
from orvault.errors import ErrorKind, OrvaultError
from player import show
from player.window import facts
from player.window.happenings import event_list, event_words
from player.window.marks import EDGE_US, Columns, Events, MarkKind, marks_of, next_mark, previous_mark, runs
from player.window.verdicts import Level, Shown
from player.window.words import Language
from tests.fakes import World

from .container_support import CLIP, NOW_US, media_info, terms

STARTED = Happened(NOW_US + 10, EventKind.RECORDING_STARTED, "or1", Means.PEDAL)


def give(world: World, kind: SignalKind, source: SignalSource, device: str, confidence: float = 1.0) -> None:
    name = f"s{world.custody.check_ledger()}"
    world.custody.signal(Signal(name, "OR 1", kind, source, device, world.clock.us, confidence))
    world.clock.us += US_PER_S


# --- from history ---


def test_what_happened_in_the_room_is_told_without_anybodys_name(world: World) -> None:
    case = world.armed_case()
    world.clock.us += US_PER_S
    give(world, SignalKind.START, SignalSource.GESTURE, "or1-wall", confidence=0.1)  # refused
    give(world, SignalKind.START, SignalSource.PEDAL, "left foot")
    world.custody.set_mask(world.manager, "or1-wall", "Dr. Kim asked")
    world.clock.us += 60 * US_PER_S
    give(world, SignalKind.STOP, SignalSource.PEDAL, "left foot")
    world.clock.us += 5 * US_PER_S
    world.custody.ripen_stops()
    world.custody.close_case(world.manager, case.case_id)
    wish = world.wish(case)
    with world.ledger.uow(read_only=True) as uow:
        told = events_for(uow, wish)
        both = events_for(uow, replace(wish, camera_ids=("or1-wall", "or1-lamp")))
        later = events_for(uow, replace(wish, from_us=wish.from_us + 30 * US_PER_S))
    assert [(event.kind, event.camera_id, event.by) for event in told] == [
        ("case-armed", None, Means.ACCOUNT),
        ("start-signal", None, Means.PEDAL),
        ("recording-started", "or1-wall", Means.PEDAL),
        ("mask-set", "or1-wall", Means.ACCOUNT),
        ("stop-signal", None, Means.PEDAL),
        ("recording-stopped", "or1-wall", Means.PEDAL),
        ("case-closed", None, Means.ACCOUNT),
    ]
    assert len(both) == len(told) + 2 and {event.camera_id for event in both} >= {"or1-lamp"}
    assert [event.kind for event in later] == ["stop-signal", "recording-stopped", "case-closed"]
    said = json.dumps([event.to_json() for event in both])
    for secret in (world.manager.account_id, world.manager.display_name, "Kim", "left foot"):
        assert secret not in said


# --- in the papers ---


def test_who_decides_sees_what_a_package_would_tell_and_nobody_else(world: World) -> None:
    case = world.recorded_case()
    request = world.custody.submit_export(world.manager, world.wish(case))
    shown = world.custody.package_events(world.officer, request.request_id)
    with world.ledger.uow(read_only=True) as uow:
        assert shown == events_for(uow, request.wish) and EventKind.CASE_CLOSED in {
            each.kind for each in shown
        }
    with pytest.raises(OrvaultError) as caught:
        world.custody.package_events(world.manager, request.request_id)
    assert caught.value.kind is ErrorKind.FORBIDDEN


def _read(events: object) -> tuple[Happened, ...]:
    return read_events(Fields({"events": events}, "manifest"), "events")


def test_events_come_back_as_they_were_and_packages_without_them_stay_as_they_are() -> None:
    told = terms(events=(STARTED, Happened(NOW_US + 11, "of-later-writers")))
    assert PackageTerms.read(Fields(told.to_json(), "terms")) == told
    assert "events" not in terms().to_json()


def test_the_overlay_and_the_rooms_clock_come_back_and_are_bounded() -> None:
    for told in (terms(), terms(overlay=False), terms(utc_offset_min=-840), terms(utc_offset_min=0)):
        assert PackageTerms.read(Fields(told.to_json(), "terms")) == told
    for bad in ({"overlay": True}, {"overlay": 0}, {"overlay": None}, {"utc_offset_min": 841}):
        with pytest.raises(OrvaultError, match=next(iter(bad))):
            PackageTerms.read(Fields(terms().to_json() | bad, "terms"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "Recording"}, "'kind'"),
        ({"kind": "a" * 33}, "'kind'"),
        ({"by": "somebody"}, "'by'"),
        ({"at_us": -1}, "'at_us'"),
        ({"at_us": 2**53}, "'at_us'"),
        ({"camera_id": "../x"}, "'camera_id'"),
        ({"camera_id": None}, "'camera_id'"),
        ({"words": "anything"}, "'words'"),
    ],
)
def test_an_event_outside_the_format_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(OrvaultError, match=words) as caught:
        _read([STARTED.to_json() | changes])
    assert caught.value.kind is ErrorKind.ALTERED


def test_events_are_bounded_and_in_order() -> None:
    many = [Happened(at, "mask-set").to_json() for at in range(MAX_EVENTS)]
    assert len(_read(many)) == MAX_EVENTS
    for bad in ([], [*many, many[-1]], [many[1], many[0]]):
        with pytest.raises(OrvaultError, match="'events'"):
            _read(bad)


def test_an_event_names_a_camera_of_the_package() -> None:
    info = media_info("or2", CLIP)
    with pytest.raises(OrvaultError, match="not in the package"):
        Manifest.read(Fields(Manifest(terms(events=(STARTED,)), (info,)).to_json(), "manifest"))


# --- shown ---


def _manifest(*events: Happened) -> Manifest:
    return Manifest(terms(events=events), (media_info("or1", CLIP, gaps=()),))


def test_events_are_marks_also_where_they_come_shortly_before_the_first_picture() -> None:
    info = media_info("or1", CLIP)
    shortly, long_before = info.start_us - EDGE_US, info.start_us - EDGE_US - 1
    later = Happened(info.start_us + US_PER_S, EventKind.MASK_SET)
    marks = marks_of(
        _manifest(
            Happened(long_before, EventKind.CASE_ARMED),
            Happened(shortly, EventKind.START_SIGNAL, None, Means.GESTURE),
            later,
        )
    )
    assert [(mark.kind, mark.from_us) for mark in marks] == [
        (MarkKind.EVENT, info.start_us),
        (MarkKind.EVENT, later.at_us),
    ]
    assert next_mark(marks, info.start_us) == marks[1] and previous_mark(marks, later.at_us) == marks[0]
    held = Columns(marks, info.start_us, info.start_us + 2 * US_PER_S).held(100, 3)
    assert runs(held[MarkKind.EVENT]) == [(0, 3), (50, 53)]


def test_many_events_at_one_place_are_named_up_to_a_number() -> None:
    start_us = media_info("or1", CLIP).start_us
    found = Events(marks_of(_manifest(*[Happened(start_us + n, EventKind.MASK_SET) for n in range(500)])))
    first, more = found.between(start_us + 10, start_us + 109, 5)
    assert [event.at_us for event in first] == [start_us + n for n in range(10, 15)] and more == 95
    assert event_list(first, more, Language.ENGLISH)[-1] == "95 more"
    assert found.between(start_us - 9, start_us - 1, 5) == ([], 0)


def test_events_are_worded_in_both_languages_and_unknown_ones_as_they_are() -> None:
    assert event_words(STARTED, Language.ENGLISH) == "Recording started (or1, by pedal)"
    assert event_words(STARTED, Language.KOREAN) == "녹화 시작 (or1, 발판)"
    assert event_words(Happened(1, "door-opened"), Language.KOREAN) == "기타: door-opened"
    for kind in EventKind:
        assert not event_words(Happened(1, kind), Language.KOREAN).startswith("기타"), kind


def test_details_name_some_and_the_command_line_all(capsys: pytest.CaptureFixture[str]) -> None:
    events = [Happened(NOW_US + n, EventKind.MASK_LIFTED) for n in range(facts.MOST_EVENTS + 2)]
    manifest = _manifest(STARTED, *[replace(event, at_us=event.at_us + 10) for event in events])
    shown = Shown(Level.GENUINE, "Genuine", "All of it.", "genuine")
    found = facts.sections(facts.Known(Path("x"), shown, manifest=manifest), Language.ENGLISH)
    (section,) = [each for each in found if each.title == "Recorded events"]
    lines = section.rows[0][1].splitlines()
    assert lines[0].endswith("(+09:00): Recording started (or1, by pedal)") and lines[-1] == "3 more"
    show.manifest_lines(manifest)
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Event:")]
    assert len(told) == len(events) + 1 and told[0].endswith(", recording-started, or1, by pedal")
    assert show.manifest_facts(manifest)["terms"]["events"][0] == STARTED.to_json()  # type: ignore[index]
