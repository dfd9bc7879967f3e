"""Rooms as the ledger has them: each one's case, its runs, and what was heard under it.

What that means for a signal, `orvault.custody.control` says; what people see of it, `rooms`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orvault.custody.case import Case, CaseState, Run
from orvault.custody.control import ControlPolicy, Phase, RoomState, Stop, phase_of
from orvault.custody.rows import UnitOfWork
from orvault.custody.signals import KeptSignal, Standing


@dataclass(frozen=True, slots=True)
class Room:
    """A room with its case (the armed one, else the one closed last) and what was heard under it."""

    name: str
    case: Case | None
    runs: tuple[Run, ...]
    state: RoomState


def room_in(uow: UnitOfWork, name: str, policy: ControlPolicy, now_us: int) -> Room:
    """As `rooms_in`, of one."""
    return rooms_in(uow, [name], policy, now_us)[0]


def rooms_in(uow: UnitOfWork, names: Sequence[str], policy: ControlPolicy, now_us: int) -> list[Room]:
    """The rooms as the ledger has them, asked as often for many as for one; their states name no ids heard, because
    the ledger is asked for each.
    """
    cases = uow.cases.in_rooms(names)
    runs = uow.runs.of_cases([case.case_id for case in cases.values()])
    open_cases = {case.case_id: case for case in cases.values() if case.state is not CaseState.CLOSED}
    heard = uow.signals.newest_starts(open_cases)
    started_us = {case_id: heard.get(case_id, _running_since(runs[case_id])) for case_id in open_cases}
    after_us = {
        case_id: (open_cases[case_id].armed_us or 0) - 1 if begun_us is None else begun_us
        for case_id, begun_us in started_us.items()
    }
    stops = uow.signals.stops(after_us, now_us - policy.memory_us)
    return [_room(name, cases.get(name), runs, started_us, stops) for name in names]


def _room(
    name: str,
    case: Case | None,
    all_runs: Mapping[str, Sequence[Run]],
    started_us: Mapping[str, int | None],
    stops: Iterable[KeptSignal],
) -> Room:
    if case is None:
        return Room(name, None, (), RoomState())
    runs, armed_us = tuple(all_runs[case.case_id]), case.armed_us or 0
    if case.state is CaseState.CLOSED:
        return Room(name, case, runs, RoomState(Phase.CLOSED, armed_us))
    own = tuple(
        Stop(one.signal_id, one.at_us, one.source, one.standing is Standing.EFFECTIVE)
        for one in stops
        if one.case_id == case.case_id
    )
    return Room(name, case, runs, RoomState(phase_of(case, runs), armed_us, started_us[case.case_id], own))


def _running_since(runs: Iterable[Run]) -> int | None:
    """Of a recording from before the ledger kept signals."""
    return min((run.started_us for run in runs if run.recording), default=None)
