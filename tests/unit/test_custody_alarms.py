"""Pedals and gestures that fail: shown in their room until they are back, with since when and what to do."""

from __future__ import annotations

import pytest

from orvault.clock import US_PER_S
from orvault.custody.desks.alarms import AlarmKind
from orvault.custody.ports import TriggerReport, Trouble, TroubleKind
from tests.fakes import World


def lost(kind: TroubleKind, since_us: int, detail: str = "It is not plugged in.") -> TriggerReport:
    return TriggerReport("OR 1", (Trouble(kind, "foot-1", since_us, detail),))


def test_an_unplugged_pedal_is_an_alarm_of_its_room_until_it_is_back_also_without_a_case(
    world: World,
) -> None:
    since_us = world.clock.us - 5 * US_PER_S
    for _ in range(3):
        (alarm,) = world.custody.watch([lost(TroubleKind.PEDAL_LOST, since_us)])
        assert (alarm.kind, alarm.since_us, alarm.case_id) == (AlarmKind.PEDAL_LOST, since_us, "")
        world.clock.us += 15 * US_PER_S
    assert "foot-1" in alarm.text and "not plugged in" in alarm.text and "Plug it in" in alarm.text
    assert world.custody.room_state(world.manager, "OR 1").alarms == (alarm,)
    assert world.custody.room_state(world.manager, "OR 2").alarms == ()
    case = world.armed_case()
    assert world.custody.room_state(world.manager, "OR 1").alarms[0].case_id == case.case_id
    assert world.custody.watch([TriggerReport("OR 1")]) == ()
    assert world.custody.room_state(world.manager, "OR 1").alarms == ()
    assert [act for act in world.acts() if act.startswith("triggers")] == ["triggers-lost", "triggers-back"]


def test_what_is_lost_for_a_moment_only_is_no_alarm(world: World) -> None:
    assert world.custody.watch([lost(TroubleKind.PEDAL_LOST, world.clock.us - US_PER_S)]) == ()
    assert "triggers-lost" not in world.acts()


def test_an_actor_that_does_not_answer_is_lost_since_the_first_time(world: World) -> None:
    first = world.clock.us
    for _ in range(3):
        (alarm,) = world.custody.watch([lost(TroubleKind.TRIGGERS_LOST, world.clock.us)])
        world.clock.us += 15 * US_PER_S
        assert (alarm.kind, alarm.since_us) == (AlarmKind.TRIGGERS_LOST, first)


def test_a_room_whose_triggers_left_the_settings_has_no_alarm(world: World) -> None:
    assert world.custody.watch([lost(TroubleKind.PEDAL_LOST, 0)])
    assert world.custody.watch([]) == ()


@pytest.mark.parametrize("kind", list(TroubleKind))
def test_every_trouble_is_an_alarm_that_says_what_to_do(world: World, kind: TroubleKind) -> None:
    (alarm,) = world.custody.watch([lost(kind, 0, "Broken\x1b[2J {why} \n" + "x" * 5000)])
    assert alarm.kind.value == kind.value and "until then" in alarm.text
    assert alarm.text.isprintable() and len(alarm.text) < 600


def test_a_second_trouble_is_told_beside_the_first(world: World) -> None:
    pedal = lost(TroubleKind.PEDAL_LOST, 0).troubles[0]
    eye = Trouble(TroubleKind.GESTURES_BLIND, "or1-wall", 7, "The camera sends no pictures.")
    assert len(world.custody.watch([TriggerReport("OR 1", (pedal,))])) == 1
    alarms = world.custody.watch([TriggerReport("OR 1", (pedal, eye))])
    assert [(alarm.kind, alarm.since_us) for alarm in alarms] == [
        (AlarmKind.PEDAL_LOST, 0),
        (AlarmKind.GESTURES_BLIND, 7),
    ]
    assert "or1-wall" in alarms[1].text
