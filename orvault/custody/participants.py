"""Who has to agree to a masked result before it leaves: who is asked, what each said, what was waived.

Pure. Who may ask and waive is decided in `access`; who may look at the result, in `result_view`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Answer:
    """What a participant said of the masked result: by their own account, or on a paper that somebody took in."""

    participant: str
    agrees: bool
    taken_by: str
    at_us: int
    remark: str = ""
    document_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A participant whose answer is wanted; by whom (None: the site asks everybody) and since when (UTC us).

    `account_id` is theirs, where it was named; else it is known by its display name. `mail` is where they are told
    that the result is there; "" where nobody knows. A waived answer is not waited for.
    """

    participant: str
    asked_by: str | None
    asked_us: int
    mail: str = ""
    account_id: str | None = None
    waived_by: str | None = None
    waived_us: int | None = None
    waiver_reason: str = ""

    def of_another_result(self) -> Asked:
        """As it was before anybody waived: that was about a result that is made anew."""
        return replace(self, waived_by=None, waived_us=None, waiver_reason="")


def find(asked: Iterable[Asked], participant: str) -> Asked | None:
    """The one of this name, however it is spelt."""
    return next((each for each in asked if same(each.participant, participant)), None)


def same(name: str, other: str) -> bool:
    """Whether both are one participant's name."""
    return name.casefold() == other.casefold()


def put_in(asked: Sequence[Asked], one: Asked) -> tuple[Asked, ...]:
    """With `one` in place of the one of this name, or behind the others."""
    if find(asked, one.participant) is None:
        return (*asked, one)
    return tuple(one if same(each.participant, one.participant) else each for each in asked)


def with_all(asked: Sequence[Asked], names: Iterable[str], now_us: int) -> tuple[Asked, ...]:
    """With those of `names` behind that nobody named: the site asks them."""
    return (*asked, *(Asked(name, None, now_us) for name in names if find(asked, name) is None))


def outstanding(names: Iterable[str], asked: Sequence[Asked], answers: Sequence[Answer]) -> tuple[str, ...]:
    """Those of `names`, who are to answer, that have not agreed; who said no is waited for, waived, asked or not.

    `answers` holds the last of each participant.
    """
    said = {answer.participant.casefold(): answer.agrees for answer in answers}
    waived = {each.participant.casefold() for each in asked if each.waived_us is not None}
    waiting = [name for name in names if not said.get(name.casefold(), name.casefold() in waived)]
    known = {name.casefold() for name in waiting}
    refusing = (answer.participant for answer in answers if not answer.agrees)
    return (*waiting, *(name for name in refusing if name.casefold() not in known))
