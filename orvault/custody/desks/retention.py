"""Holds, extensions, the dry run of a destruction, and its approval, as people meet them.

What is due, `orvault.custody.retention` decides; carrying it out is `destroying`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import Case
from orvault.custody.desks.base import SYSTEM, Desk, not_found
from orvault.custody.destruction import Destruction, NodeFiles, Step, check_step, gone
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.retention import (
    MOST_AT_ONCE,
    CaseFacts,
    Extension,
    Hold,
    PlanItem,
    Recorded,
    RetentionPolicy,
    Verdict,
    check_extension,
    check_lift,
    check_yes,
    judge,
    plan_digest,
)
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import MAX_TIME_US, clean_text
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class Plan:
    """The dry run: `due` would go now, `stopped` would not and why; `under_way` have begun. Destroys nothing.

    `digest` names what is due, for the approval. `more_after`: the case id from behind which the rest of `stopped`
    follows, "" for none.
    """

    at_us: int
    policy: RetentionPolicy
    digest: str
    due: tuple[PlanItem, ...]
    stopped: tuple[PlanItem, ...]
    under_way: tuple[Destruction, ...]
    more_after: str = ""


@dataclass(frozen=True, slots=True)
class CaseRetention:
    """How it stands with one case's recordings. `recorded` is None where nothing was ever recorded."""

    case_id: str
    recorded: Recorded | None
    verdict: Verdict | None
    holds: tuple[Hold, ...]
    extension: Extension | None
    destruction: Destruction | None
    nodes: tuple[NodeFiles, ...]


class RetentionDesk(Desk):
    """How long cases are kept, by people's decisions."""

    def retention_plan(self, by: Account, after: str = "", limit: int = MOST_AT_ONCE) -> Plan:
        """What would be destroyed now, and what stops each of the others."""
        require(by, Right.RETENTION_VIEW, place=self._place())
        return self.dry_run(after, limit)

    def dry_run(self, after: str = "", limit: int = MOST_AT_ONCE) -> Plan:
        """`retention_plan` for whoever has a shell on the server."""
        now, limit = self._clock.now_us(), max(1, min(limit, MOST_AT_ONCE))
        with self._uow(read_only=True) as uow:
            due = self._due(uow, now)
            page = uow.retention.undestroyed(after, limit)
            items = self._items(uow, page, now)
            under_way = uow.destructions.at(
                (Step.BEGUN, Step.KEY_DESTROYED, Step.PACKAGES_REMOVED), MOST_AT_ONCE
            )
        busy = {destruction.case_id for destruction in under_way}
        stopped = [item for item in items if not item.verdict.due and item.recorded.case_id not in busy]
        more = page[-1].case_id if len(page) == limit else ""
        return Plan(
            now, self._retention, plan_digest(due), tuple(due), tuple(stopped), tuple(under_way), more
        )

    def approve_destruction(self, by: Account, digest: str) -> Sequence[Destruction]:
        """Say yes to the plan that `digest` names: exactly those cases, as they were shown, are destroyed next.

        Errors: FORBIDDEN; CONFLICT where the plan is another by now; SELF_APPROVAL, who lifted a hold of one of them.
        """
        require(by, Right.DESTRUCTION_APPROVE, place=self._place())
        now = self._clock.now_us()
        with self._uow() as uow:
            due = self._due(uow, now)
            if plan_digest(due) != digest:
                raise OrvaultError(
                    ErrorKind.CONFLICT,
                    "The plan is not the one that was looked at: something was added, held or changed since.",
                    where="digest",
                    advice="Look at the plan again, and approve that.",
                )
            for item in due:
                check_yes(uow.retention.holds(item.recorded.case_id), by)
            approved = [self._approved(uow, by, item, digest, now) for item in due]
            uow.commit()
        return approved

    def put_hold(self, by: Account, case_id: str, reason: str, document: str) -> Hold:
        """Put a legal hold on a case. Errors: NOT_FOUND, DESTROYED, BAD_REQUEST, FORBIDDEN."""
        require(by, Right.HOLD_PUT)
        reason = clean_text(reason, "reason", longest=500)
        document = clean_text(document, "document", longest=200)
        now = self._clock.now_us()
        hold = Hold(new_id(self._clock), case_id, reason, document, by.account_id, now)
        with self._uow() as uow:
            self._case_for(uow, by, Right.HOLD_PUT, case_id, "case_id")
            check_not_destroyed(uow, case_id)
            uow.retention.add_hold(hold)
            detail = {"hold": hold.hold_id, "reason": reason, "document": document}
            uow.history.append(now, by.actor, Act.HOLD_PUT, f"case:{case_id}", detail)
            withdraw_stopped(uow, case_id, self._retention, now)
            uow.commit()
        return hold

    def lift_hold(self, by: Account, case_id: str, hold_id: str, reason: str) -> Hold:
        """Lift a legal hold, by somebody else than who put it. Errors: NOT_FOUND, SELF_APPROVAL, CONFLICT."""
        require(by, Right.HOLD_LIFT)
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            self._case_for(uow, by, Right.HOLD_LIFT, case_id, "case_id")
            hold = uow.retention.hold(hold_id)
            if hold is None or hold.case_id != case_id:
                raise not_found("legal hold", hold_id)
            check_lift(hold, by)
            now = self._clock.now_us()
            lifted = replace(hold, lifted_by=by.account_id, lifted_us=now, lift_reason=reason)
            uow.retention.put_lift(lifted)
            detail = {"hold": hold_id, "reason": reason, "put_by": hold.put_by}
            uow.history.append(now, by.actor, Act.HOLD_LIFTED, f"case:{hold.case_id}", detail)
            uow.commit()
        return lifted

    def extend_retention(
        self, by: Account, case_id: str, until_us: int, reason: str, document: str
    ) -> Extension:
        """Keep a case longer, on request. Errors: NOT_FOUND, DESTROYED, BAD_REQUEST (the ceiling), FORBIDDEN."""
        require(by, Right.RETENTION_EXTEND)
        reason = clean_text(reason, "reason", longest=500)
        document = clean_text(document, "document", longest=200)
        if not 0 <= until_us <= MAX_TIME_US:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is no time to keep it until.", where="until")
        now = self._clock.now_us()
        made = Extension(new_id(self._clock), case_id, until_us, reason, document, by.account_id, now)
        with self._uow() as uow:
            self._case_for(uow, by, Right.RETENTION_EXTEND, case_id, "case_id")
            check_not_destroyed(uow, case_id)
            recorded = uow.retention.recorded(case_id)
            if recorded is None:
                raise not_found("recording of case", case_id)
            check_extension(facts_of(uow, recorded, now), until_us, self._retention, now)
            uow.retention.add_extension(made)
            detail = {"until_us": until_us, "reason": reason, "document": document}
            uow.history.append(now, by.actor, Act.RETENTION_EXTENDED, f"case:{case_id}", detail)
            withdraw_stopped(uow, case_id, self._retention, now)
            uow.commit()
        return made

    def case_retention(self, by: Account, case_id: str) -> CaseRetention:
        """Until when a case is kept and why, its holds, and how far its destruction is; NOT_FOUND."""
        require(by, Right.RETENTION_VIEW)
        now = self._clock.now_us()
        with self._uow(read_only=True) as uow:
            self._case_for(uow, by, Right.RETENTION_VIEW, case_id)
            recorded = uow.retention.recorded(case_id)
            verdict = None if recorded is None else judge(facts_of(uow, recorded, now), self._retention, now)
            return CaseRetention(
                case_id,
                recorded,
                verdict,
                tuple(uow.retention.holds(case_id)),
                uow.retention.extension(case_id),
                uow.destructions.get(case_id),
                tuple(uow.destructions.nodes(case_id)),
            )

    def receipt(self, by: Account, case_id: str) -> bytes:
        """The signed receipt of a case's destruction (receipt-v1). Errors: NOT_FOUND while there is none."""
        require(by, Right.RETENTION_VIEW)
        with self._uow(read_only=True) as uow:
            case = uow.cases.get(case_id)
            reached = case is not None and self._reaches(by, Right.RETENTION_VIEW, case.room)
            destruction = uow.destructions.get(case_id) if reached else None
        if destruction is None or destruction.receipt is None:
            raise not_found("receipt for case", case_id)
        return destruction.receipt

    def _due(self, uow: UnitOfWork, now_us: int, *, unnoticed: bool = False) -> list[PlanItem]:
        """What is due and has not begun, or was not even noticed, the first 200 by case id: a plan is for a person to
        read.
        """
        found: list[PlanItem] = []
        after = ""
        while len(found) < MOST_AT_ONCE:
            page = uow.retention.undestroyed(after, MOST_AT_ONCE, now_us - self._retention.keep_us)
            if not page:
                break
            known = uow.destructions.of([recorded.case_id for recorded in page])
            passed = {each.case_id for each in known if unnoticed or each.begun}
            fresh = [recorded for recorded in page if recorded.case_id not in passed]
            found += [item for item in self._items(uow, fresh, now_us) if item.verdict.due]
            after = page[-1].case_id
        return found[:MOST_AT_ONCE]

    def _items(self, uow: UnitOfWork, recorded: Sequence[Recorded], now_us: int) -> list[PlanItem]:
        policy = self._retention
        judged = [(each, judge(each, policy, now_us)) for each in uow.retention.facts(recorded, now_us)]
        return [
            PlanItem(
                facts.recorded,
                verdict,
                verdict.due and now_us >= facts.recorded.ended_us + policy.ceiling_us,
            )
            for facts, verdict in judged
        ]

    def _approved(
        self, uow: UnitOfWork, by: Account, item: PlanItem, digest: str, now_us: int
    ) -> Destruction:
        case_id, verdict = item.recorded.case_id, item.verdict
        known = uow.destructions.get(case_id)
        if known is not None and known.step is Step.APPROVED:
            return known  # somebody approved it before; it begins at the next round
        if known is None:
            known = Destruction(case_id, Step.NOTICED, verdict.due_us, verdict.rule, now_us)
            uow.destructions.add(known)
        check_step(known, Step.APPROVED)
        approved = replace(known, step=Step.APPROVED, approved_by=by.account_id, approved_us=now_us)
        uow.destructions.put(approved)
        detail = {"plan": digest, "due_us": verdict.due_us, "rule": verdict.rule}
        uow.history.append(now_us, by.actor, Act.DESTRUCTION_APPROVED, f"case:{case_id}", detail)
        return approved


def facts_of(uow: UnitOfWork, recorded: Recorded, now_us: int) -> CaseFacts:
    """What the ledger has for `judge`."""
    return uow.retention.facts([recorded], now_us)[0]


def stopped_by(uow: UnitOfWork, case_id: str, policy: RetentionPolicy, now_us: int) -> str:
    """What stops the destruction of a case now, in words; "" if nothing does."""
    recorded = uow.retention.recorded(case_id)
    if recorded is None:
        return "nothing is recorded any more"
    verdict = judge(facts_of(uow, recorded, now_us), policy, now_us)
    return "" if verdict.due else verdict.words


def withdraw_stopped(uow: UnitOfWork, case_id: str, policy: RetentionPolicy, now_us: int) -> bool:
    """Withdraw a destruction that has not begun if anything stops it now, with the reason; whether it was.

    Whatever stops one calls this in its own transaction: an approval never outlives what came in between, not even
    if that is gone again before the next round.
    """
    known = uow.destructions.get(case_id)
    reason = "" if known is None or known.begun else stopped_by(uow, case_id, policy, now_us)
    if reason:
        withdraw(uow, case_id, reason, now_us)
    return bool(reason)


def withdraw(uow: UnitOfWork, case_id: str, reason: str, now_us: int) -> None:
    """Take back a destruction that has not begun, and say why."""
    uow.destructions.withdraw(case_id)
    detail = {"reason": reason[:500]}
    uow.history.append(now_us, SYSTEM, Act.DESTRUCTION_WITHDRAWN, f"case:{case_id}", detail)


def check_not_destroyed(uow: UnitOfWork, case_id: str) -> Case:
    """The case, before anything of it is asked for. Errors: DESTROYED (also while that is under way), NOT_FOUND."""
    case = uow.cases.get(case_id)
    if case is None:
        raise not_found("case", case_id, "case_id")
    destruction = uow.destructions.get(case_id)
    if destruction is not None and destruction.begun:
        raise gone(destruction, case.number)
    return case
