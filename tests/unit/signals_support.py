"""Signals as tests give them to a room, and what became of it."""

from __future__ import annotations

from dataclasses import replace

from orvault.clock import US_PER_S
from orvault.custody.case import Case, CaseState
from orvault.custody.control import Phase, Signal, SignalKind, SignalSource
from orvault.custody.service import SignalOutcome
from tests.fakes import World

START, STOP = SignalKind.START, SignalKind.STOP
GESTURE, PEDAL = SignalSource.GESTURE, SignalSource.PEDAL
ROOM_1 = {"or1-wall", "or1-lamp"}


def give(
    world: World, kind: SignalKind, source: SignalSource = PEDAL, name: str = "", **more: object
) -> SignalOutcome:
    """A signal given and heard now; each has an id of its own unless it is named."""
    name = name or f"s{world.custody.check_ledger()}"
    made = Signal(name, "OR 1", kind, source, f"{source}-1", world.clock.us, 0.9, {"track": 3})
    return world.custody.signal(replace(made, **more))  # type: ignore[arg-type]


def wait(world: World, seconds: float) -> None:
    """Time passes, and what it brings about happens."""
    world.clock.us += round(seconds * US_PER_S)
    world.custody.ripen_stops()


def phase(world: World) -> Phase:
    return world.custody.room_state(world.manager, "OR 1").phase


def recorded(world: World, case: Case) -> CaseState:
    return world.custody.case(world.manager, case.case_id).case.state


def stopped_by_pedal(world: World) -> Case:
    case = world.armed_case()
    give(world, START)
    world.clock.us += 60 * US_PER_S
    give(world, STOP)
    wait(world, 3)
    return case
