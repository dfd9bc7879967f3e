"""Goes the way of a first start before anybody waits for it, and takes it back.

What is made on first use (statements, connections, plans of the database) costs a foot some tens of milliseconds.
"""

from __future__ import annotations

from dataclasses import replace

from orvault.custody.case import Case
from orvault.custody.control import Signal, SignalKind, SignalSource, decide
from orvault.custody.desks.base import SYSTEM
from orvault.custody.desks.control import Cause, ControlDesk, detail_of, kept_signal, subject_of
from orvault.custody.desks.room_state import room_in
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.rows import UnitOfWork
from orvault.custody.scope import EVERYTHING


class RehearsalDesk(ControlDesk):
    """Signals, and the rehearsal of one."""

    def rehearse(self) -> bool:
        """Hear a start, begin the runs it asks for, and undo all of it; whether there was a case to do so with.

        Nothing is committed, and no recorder is told. Until there is a case, nobody waits for it.

        Errors: UNAVAILABLE.
        """
        with self._uow(read_only=True) as uow:
            case = _rehearsed_with(uow)
        if case is None:
            return False
        with self._uow() as uow:  # left without a commit
            now_us = self._clock.now_us()
            here = room_in(uow, case.room, self._control, now_us)
            signal = Signal(
                new_id(self._clock), here.name, SignalKind.START, SignalSource.PEDAL, "rehearsal", now_us
            )
            uow.signals.get(signal.signal_id)
            decision = decide(here.state, signal, self._control, now_us)
            kept = kept_signal(signal, here.case, decision, now_us)
            uow.signals.add(kept)
            uow.history.append(now_us, SYSTEM, Act.SIGNAL_HEARD, subject_of(kept), detail_of(signal, kept))
            self._follow(uow, here, decision, Cause(SYSTEM))
            as_armed = replace(case, closed_us=None, closed_by=None)
            self._start_room(uow, here, as_armed, Cause(SYSTEM, case.armed_by))
        return True


def _rehearsed_with(uow: UnitOfWork) -> Case | None:
    """An armed case, or the newest one if it was armed once."""
    cases = (*uow.cases.armed(), *uow.cases.page(EVERYTHING, None, 1, ""))
    return next((case for case in cases if case.armed_by is not None), None)
