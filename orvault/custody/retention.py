"""How long recordings are kept, what stops their destruction, and whether a case's are due: one pure decision.

Destroying them is `destruction` and its desk; keys and files are the actors'. The unit is a case: it has one key.
Source of the floor: Medical Service Act art. 38-2 (30 days from the end of the recording).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orvault.clock import US_PER_S
from orvault.container.canonical import encode
from orvault.custody.account import Account, Role
from orvault.custody.text import show_time
from orvault.errors import ErrorKind, OrvaultError

DAY_US = 86_400 * US_PER_S
FLOOR_DAYS = 30  # the law's; a site may raise it
MOST_AT_ONCE = 200  # cases in one plan


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """One rule for the whole site. Times in microseconds, `keep_us` and `ceiling_us` from the end of the recording.

    `keep_us`: until then nothing is destroyed; from then on what nothing stops is due. `ceiling_us`: no extension
    reaches further (a legal hold does). `approve`: a person says yes to the plan; without, `notice_us` after it was
    noticed that a case is due, its recordings are destroyed by themselves.
    """

    keep_us: int = FLOOR_DAYS * DAY_US
    ceiling_us: int = 90 * DAY_US
    approve: bool = True
    notice_us: int = 7 * DAY_US

    def __post_init__(self) -> None:
        if self.keep_us < FLOOR_DAYS * DAY_US:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                f"Recordings are kept for {FLOOR_DAYS} days at least; that may be raised, never lowered.",
                where="retention.floor_days",
            )
        if self.ceiling_us < self.keep_us:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS, "The ceiling lies below the floor.", where="retention.ceiling_days"
            )

    @property
    def rule(self) -> str:
        """The rule in words, as receipts name it."""
        return f"kept for {self.keep_us // DAY_US} days from the end of the recording"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger has of one case, summed up. `ended_us`: end of the last recording."""

    case_id: str
    number: str
    room: str
    closed_us: int | None
    runs: int
    open_runs: int
    ended_us: int
    from_us: int | None
    to_us: int | None
    segments: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold on a case; it stands until somebody lifts it."""

    hold_id: str
    case_id: str
    reason: str
    document: str
    put_by: str
    put_us: int
    lifted_by: str | None = None
    lifted_us: int | None = None
    lift_reason: str | None = None

    @property
    def stands(self) -> bool:
        """Whether nobody has lifted it."""
        return self.lifted_us is None


@dataclass(frozen=True, slots=True)
class Extension:
    """Somebody asked that a case be kept until then, at least."""

    extension_id: str
    case_id: str
    until_us: int
    reason: str
    document: str
    extended_by: str
    extended_us: int


def check_lift(hold: Hold, by: Account) -> None:
    """Four eyes: a hold is lifted by somebody other than who put it, or by a privacy officer.

    Errors: SELF_APPROVAL; CONFLICT for one that is lifted already.
    """
    if hold.lifted_us is not None:
        message = f"This hold was lifted on {show_time(hold.lifted_us)}."
        raise OrvaultError(ErrorKind.CONFLICT, message, where=hold.hold_id)
    if by.account_id == hold.put_by and by.role is not Role.PRIVACY_OFFICER:
        raise OrvaultError(
            ErrorKind.SELF_APPROVAL,
            "A hold is lifted by somebody other than the person who put it.",
            advice="Ask somebody else whose role includes it, or a privacy officer.",
        )


def check_yes(holds: Iterable[Hold], by: Account) -> None:
    """SELF_APPROVAL where this account lifted a hold of the case: evidence takes two to destroy."""
    if any(hold.lifted_by == by.account_id for hold in holds):
        raise OrvaultError(
            ErrorKind.SELF_APPROVAL,
            "The plan holds a case whose legal hold this account lifted.",
            advice="Have another privacy officer approve it.",
        )


class Stop(StrEnum):
    """What stops a destruction."""

    NOT_CLOSED = "not-closed"
    RECORDING = "recording"
    FLOOR = "floor"
    EXTENDED = "extended"
    HOLD = "hold"
    REQUEST = "request"
    VIEWING = "viewing"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why a case is not destroyed now; `until_us` where it passes by itself."""

    stop: Stop
    words: str
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """Everything that `judge` looks at. `requests`, `grants`: ids of those over this case that have not ended."""

    recorded: Recorded
    holds: tuple[Hold, ...] = ()
    extension: Extension | None = None
    requests: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a case's recordings are to be destroyed: from when on, under which rule, and all that stops it now."""

    due_us: int
    rule: str
    obstacles: tuple[Obstacle, ...]

    @property
    def due(self) -> bool:
        """Whether nothing stops it."""
        return not self.obstacles

    @property
    def words(self) -> str:
        """For a person."""
        if self.due:
            return f"due since {show_time(self.due_us)}: {self.rule}"
        return "; ".join(obstacle.words for obstacle in self.obstacles)


def judge(facts: CaseFacts, policy: RetentionPolicy, now_us: int) -> Verdict:
    """Whether this case's recordings are due for destruction, with every reason against it. Raises nothing."""
    recorded, extension = facts.recorded, facts.extension
    floor_us = recorded.ended_us + policy.keep_us
    rule, due_us = policy.rule, floor_us
    if extension is not None and extension.until_us > floor_us:
        rule, due_us = f"{policy.rule}, extended on request ({extension.document})", extension.until_us
    return Verdict(
        due_us, rule, (*_unfinished(recorded), *_periods(facts, floor_us, now_us), *_claims(facts))
    )


def _unfinished(recorded: Recorded) -> Sequence[Obstacle]:
    if recorded.closed_us is None:
        return [Obstacle(Stop.NOT_CLOSED, "the case is not closed")]
    if recorded.open_runs:
        return [Obstacle(Stop.RECORDING, f"{recorded.open_runs} cameras have not confirmed their stop")]
    return []


def _periods(facts: CaseFacts, floor_us: int, now_us: int) -> Sequence[Obstacle]:
    found = []
    if now_us < floor_us:
        found.append(Obstacle(Stop.FLOOR, f"kept until {show_time(floor_us)}", floor_us))
    if (extension := facts.extension) is not None and now_us < extension.until_us:
        until = extension.until_us
        found.append(Obstacle(Stop.EXTENDED, f"extended on request until {show_time(until)}", until))
    return found


def _claims(facts: CaseFacts) -> Sequence[Obstacle]:
    holds = [
        Obstacle(Stop.HOLD, f"legal hold since {show_time(hold.put_us)} ({hold.document})")
        for hold in facts.holds
        if hold.stands
    ]
    requests = [Obstacle(Stop.REQUEST, f"request {each} has not ended") for each in facts.requests]
    grants = [Obstacle(Stop.VIEWING, f"viewing grant {each} has not ended") for each in facts.grants]
    return [*holds, *requests, *grants]


def check_extension(facts: CaseFacts, until_us: int, policy: RetentionPolicy, now_us: int) -> None:
    """BAD_REQUEST unless this keeps the case longer than it is kept now, and no longer than the ceiling allows."""
    ceiling_us = facts.recorded.ended_us + policy.ceiling_us
    if until_us > ceiling_us:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"No extension reaches beyond {show_time(ceiling_us)}, {policy.ceiling_us // DAY_US} days from the end of"
            " the recording.",
            where="until",
            advice="What has to be kept longer takes a legal hold.",
        )
    kept_us = judge(facts, policy, now_us).due_us
    if until_us <= max(kept_us, now_us):
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"It is kept until {show_time(kept_us)} without that.",
            where="until",
            advice="Give a later time; nothing shortens the time for which recordings are kept.",
        )


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One case of the dry run. `beyond_ceiling`: it is still here although nothing holds it and that is over."""

    recorded: Recorded
    verdict: Verdict
    beyond_ceiling: bool = False


def plan_digest(due: Sequence[PlanItem]) -> str:
    """Names what a plan would destroy: whoever approves it approves these cases, in this extent, and no others."""
    told = [
        [item.recorded.case_id, item.verdict.due_us, item.recorded.segments, item.recorded.bytes]
        for item in sorted(due, key=lambda item: item.recorded.case_id)
    ]
    return hashlib.sha256(
        encode({"cases": told, "format": "orvault-destruction-plan", "version": 1})
    ).hexdigest()


class RetentionRows(Protocol):
    """Holds, extensions, and what is recorded of cases that are not destroyed."""

    def recorded(self, case_id: str) -> Recorded | None:
        """None for an unknown case, and for one under which nothing was ever recorded."""
        ...

    def undestroyed(self, after: str, limit: int, ended_before_us: int | None = None) -> Sequence[Recorded]:
        """Cases that were recorded and are not destroyed, by id from behind `after` on; or those closed, with all
        cameras stopped before a time.
        """
        ...

    def add_hold(self, hold: Hold) -> None: ...
    def put_lift(self, hold: Hold) -> None: ...
    def hold(self, hold_id: str) -> Hold | None: ...
    def add_extension(self, extension: Extension) -> None: ...
    def holds(self, case_id: str) -> Sequence[Hold]: ...
    def extension(self, case_id: str) -> Extension | None:
        """The one that reaches furthest."""
        ...

    def facts(self, recorded: Sequence[Recorded], now_us: int) -> Sequence[CaseFacts]:
        """All that the verdict over each of these cases goes by, in their order; many take no more reads than one."""
        ...
