"""What people usually ask of the ledger: each question with a case, room and time drawn by chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.search_load import ROOMS, LoadedCase, cameras_of
from orvault.clock import US_PER_S
from orvault.custody.account import Account
from orvault.custody.search import EventKind, Item, Page, Wanted
from orvault.custody.service import CustodyService

HOUR_US = 3600 * US_PER_S
DAY_US = 24 * HOUR_US
_DEPARTMENT = 5  # rooms


@dataclass(frozen=True)
class Asker:
    """Somebody at a ledger of so many cases."""

    custody: CustodyService
    by: Account
    cases: int

    def a_case(self, chance: random.Random) -> LoadedCase:
        """Any case of the ledger."""
        return LoadedCase(chance.randrange(self.cases))

    def around(self, chance: random.Random, length_us: int) -> tuple[int, int]:
        """A period of this length that holds some case's beginning."""
        start = self.a_case(chance).begin_us - chance.randrange(length_us)
        return start, start + length_us


Question = Callable[[Asker, random.Random], object]


def _wanted(asker: Asker, chance: random.Random, length_us: int, **more: object) -> Wanted:
    start, end = asker.around(chance, length_us)
    return replace(Wanted(from_us=start, to_us=end), **more)  # type: ignore[arg-type]


def _department(chance: random.Random) -> tuple[str, ...]:
    first = chance.randrange(len(ROOMS) // _DEPARTMENT) * _DEPARTMENT
    return ROOMS[first : first + _DEPARTMENT]


def _room(chance: random.Random) -> tuple[str, ...]:
    return (chance.choice(ROOMS),)


def _camera(chance: random.Random) -> tuple[str, ...]:
    return (chance.choice(cameras_of(chance.choice(ROOMS))),)


def _second_page(ask: Callable[[Account, Wanted], Page[Item]], by: Account, wanted: Wanted) -> object:
    return ask(by, replace(wanted, after=ask(by, wanted).next))


QUESTIONS: dict[str, Question] = {
    "cases by number": lambda a, c: a.custody.search_cases(a.by, Wanted(a.a_case(c).number)),
    "cases by a number's beginning": lambda a, c: a.custody.search_cases(
        a.by, Wanted(a.a_case(c).number[:-2])
    ),
    "cases by a number's beginning, a room": lambda a, c: a.custody.search_cases(
        a.by, Wanted(a.a_case(c).number[:-4], rooms=_room(c))
    ),
    "cases of a room, a week": lambda a, c: a.custody.search_cases(
        a.by, _wanted(a, c, 7 * DAY_US, rooms=_room(c))
    ),
    "cases of a department, a month": lambda a, c: a.custody.search_cases(
        a.by, _wanted(a, c, 30 * DAY_US, rooms=_department(c))
    ),
    "newest cases": lambda a, _c: a.custody.search_cases(a.by, Wanted()),
    "recordings of a case": lambda a, c: a.custody.search_recordings(a.by, Wanted(a.a_case(c).number)),
    "recordings of a room, a day": lambda a, c: a.custody.search_recordings(
        a.by, _wanted(a, c, DAY_US, rooms=_room(c))
    ),
    "recordings of a camera, a month": lambda a, c: a.custody.search_recordings(
        a.by, _wanted(a, c, 30 * DAY_US, camera_ids=_camera(c))
    ),
    "recordings of a department, all years": lambda a, c: a.custody.search_recordings(
        a.by, Wanted(rooms=_department(c))
    ),
    "recordings of an hour, all rooms": lambda a, c: a.custody.search_recordings(
        a.by, _wanted(a, c, HOUR_US)
    ),
    "recordings of a room, second page": lambda a, c: _second_page(
        a.custody.search_recordings, a.by, Wanted(rooms=_room(c))
    ),
    "events of a case": lambda a, c: a.custody.search_events(a.by, Wanted(a.a_case(c).number)),
    "events of a room, a day": lambda a, c: a.custody.search_events(
        a.by, _wanted(a, c, DAY_US, rooms=_room(c))
    ),
    "events of a camera, a week": lambda a, c: a.custody.search_events(
        a.by, _wanted(a, c, 7 * DAY_US, camera_ids=_camera(c))
    ),
    "gaps of a month": lambda a, c: a.custody.search_events(
        a.by, _wanted(a, c, 30 * DAY_US, kinds=(EventKind.GAP,))
    ),
    "list of cases": lambda a, c: a.custody.cases(a.by, before=a.a_case(c).case_id),
    "list of a case's recordings": lambda a, c: a.custody.recordings(a.by, a.a_case(c).case_id),
    "list of a camera's recordings": lambda a, c: a.custody.recordings(a.by, camera_id=_camera(c)[0]),
    "list of recordings, a day": lambda a, c: a.custody.recordings(a.by, None, None, *a.around(c, DAY_US)),
}
