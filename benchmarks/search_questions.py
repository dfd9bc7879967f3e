"""What people usually ask of the ledger, over HTTP: each question with a case, room and time drawn by chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.search_load import ROOMS, LoadedCase, cameras_of
from orvault.clock import US_PER_S, utc_iso

HOUR_US = 3600 * US_PER_S
DAY_US = 24 * HOUR_US
_DEPARTMENT = 5  # rooms


@dataclass(frozen=True)
class Asker:
    """Two people signed in at the API of a ledger of so many cases: one reaches the site, one a single room."""

    officer: httpx.Client
    auditor: httpx.Client
    cases: int

    def get(self, path: str, **asked: Any) -> Any:
        """The API's answer to whoever reaches the site."""
        return _answer(self.officer, path, asked)

    def narrow(self, path: str, **asked: Any) -> Any:
        """The API's answer to whoever reaches one room."""
        return _answer(self.auditor, path, asked)

    def second_page(self, path: str, **asked: Any) -> Any:
        """The answer behind the first page of a search."""
        return self.get(path, **asked, after=self.get(path, **asked)["next"])

    def a_case(self, chance: random.Random) -> LoadedCase:
        """Any case of the ledger."""
        return LoadedCase(chance.randrange(self.cases))

    def around(self, chance: random.Random, length_us: int) -> dict[str, str]:
        """A period of this length that holds some case's beginning."""
        start = self.a_case(chance).begin_us - chance.randrange(length_us)
        return {"from": utc_iso(start), "to": utc_iso(start + length_us)}


Question = Callable[[Asker, random.Random], object]


def _answer(client: httpx.Client, path: str, asked: dict[str, Any]) -> Any:
    answer = client.get(path, params=asked)
    answer.raise_for_status()
    return answer.json()


def _department(chance: random.Random) -> tuple[str, ...]:
    first = chance.randrange(len(ROOMS) // _DEPARTMENT) * _DEPARTMENT
    return ROOMS[first : first + _DEPARTMENT]


def _room(chance: random.Random) -> str:
    return chance.choice(ROOMS)


def _camera(chance: random.Random) -> str:
    return chance.choice(cameras_of(_room(chance)))


QUESTIONS: dict[str, Question] = {
    "cases by number": lambda a, c: a.get("search/cases", number=a.a_case(c).number),
    "cases by a number's beginning": lambda a, c: a.get("search/cases", number=a.a_case(c).number[:-2]),
    "cases by a number's beginning, a room": lambda a, c: a.get(
        "search/cases", number=a.a_case(c).number[:-4], room=_room(c)
    ),
    "cases of a room, a week": lambda a, c: a.get("search/cases", room=_room(c), **a.around(c, 7 * DAY_US)),
    "cases of a department, a month": lambda a, c: a.get(
        "search/cases", room=_department(c), **a.around(c, 30 * DAY_US)
    ),
    "newest cases": lambda a, _c: a.get("search/cases"),
    "recordings of a case": lambda a, c: a.get("search/recordings", number=a.a_case(c).number),
    "recordings of a room, a day": lambda a, c: a.get(
        "search/recordings", room=_room(c), **a.around(c, DAY_US)
    ),
    "recordings of a camera, a month": lambda a, c: a.get(
        "search/recordings", camera_id=_camera(c), **a.around(c, 30 * DAY_US)
    ),
    "recordings of a department, all years": lambda a, c: a.get("search/recordings", room=_department(c)),
    "recordings of an hour, all rooms": lambda a, c: a.get("search/recordings", **a.around(c, HOUR_US)),
    "recordings of a room, second page": lambda a, c: a.second_page("search/recordings", room=_room(c)),
    "events of a case": lambda a, c: a.get("search/events", number=a.a_case(c).number),
    "events of a room, a day": lambda a, c: a.get("search/events", room=_room(c), **a.around(c, DAY_US)),
    "events of a camera, a week": lambda a, c: a.get(
        "search/events", camera_id=_camera(c), **a.around(c, 7 * DAY_US)
    ),
    "gaps of a month": lambda a, c: a.get("search/events", kind="gap", **a.around(c, 30 * DAY_US)),
    "list of cases": lambda a, c: a.get("cases", before=a.a_case(c).case_id),
    "list of a case's recordings": lambda a, c: a.get("recordings", case_id=a.a_case(c).case_id),
    "list of a camera's recordings": lambda a, c: a.get("recordings", camera_id=_camera(c)),
    "list of recordings, a day": lambda a, c: a.get("recordings", **a.around(c, DAY_US)),
    "list of cases, to a room's auditor": lambda a, c: a.narrow("cases", before=a.a_case(c).case_id),
    "list of recordings, to a room's auditor": lambda a, c: a.narrow("recordings", **a.around(c, 7 * DAY_US)),
}
# Not searches, but none of them may grow with the years either.
OTHERS: dict[str, Question] = {
    "plan of destruction": lambda a, _c: a.get("retention/plan"),
    "how long a case is kept": lambda a, c: a.get(f"cases/{a.a_case(c).case_id}/retention"),
    "newest of history": lambda a, _c: a.get("history"),
    "history of an act": lambda a, _c: a.get("history", act="case-closed"),
    "history of a case": lambda a, c: a.get("history", subject=f"case:{a.a_case(c).case_id}"),
    "who has seen a case": lambda a, c: a.get(f"cases/{a.a_case(c).case_id}/access"),
    "rooms": lambda a, _c: a.get("rooms"),
}
