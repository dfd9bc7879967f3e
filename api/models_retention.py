"""Bodies of retention: the plan of destruction, holds, extensions, how it stands with a case."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.types import Model, TimeIn, TimeOut
from orvault.custody.destruction import Destruction, NodeFiles, Step
from orvault.custody.retention import DAY_US, Extension, Hold, Obstacle, PlanItem, RetentionPolicy, Stop
from orvault.custody.service import CaseRetention, Plan

Words = Annotated[str, Field(max_length=1000)]
Document = Annotated[str, Field(max_length=400, description="The paper it stands on.")]


class ObstacleOut(Model):
    """One reason why a case is not destroyed now."""

    stop: Stop
    words: str
    until: TimeOut | None

    @classmethod
    def of(cls, obstacle: Obstacle) -> ObstacleOut:
        """From custody's obstacle."""
        return cls(stop=obstacle.stop, words=obstacle.words, until=obstacle.until_us)


class PlanItemOut(Model):
    """One case of the dry run."""

    case_id: str
    number: str
    room: str
    recorded_from: TimeOut | None
    recorded_to: TimeOut | None
    ended_at: TimeOut
    due_at: TimeOut
    rule: str
    segments: int
    bytes: int
    beyond_ceiling: bool
    stopped_by: list[ObstacleOut]

    @classmethod
    def of(cls, item: PlanItem) -> PlanItemOut:
        """From custody's item."""
        recorded, verdict = item.recorded, item.verdict
        return cls(
            case_id=recorded.case_id,
            number=recorded.number,
            room=recorded.room,
            recorded_from=recorded.from_us,
            recorded_to=recorded.to_us,
            ended_at=recorded.ended_us,
            due_at=verdict.due_us,
            rule=verdict.rule,
            segments=recorded.segments,
            bytes=recorded.bytes,
            beyond_ceiling=item.beyond_ceiling,
            stopped_by=[ObstacleOut.of(each) for each in verdict.obstacles],
        )


class NodeFilesOut(Model):
    """What one node removed."""

    node: str
    removed_at: TimeOut | None
    files: int
    bytes: int

    @classmethod
    def of(cls, node: NodeFiles) -> NodeFilesOut:
        """From custody's value."""
        return cls(node=node.node_id, removed_at=node.removed_us, files=node.files, bytes=node.bytes)


class DestructionOut(Model):
    """How far a case's destruction is."""

    case_id: str
    step: Step
    due_at: TimeOut
    rule: str
    noticed_at: TimeOut
    approved_by: str | None
    approved_at: TimeOut | None
    begun_at: TimeOut | None
    key_destroyed_at: TimeOut | None
    destroyed_at: TimeOut | None

    @classmethod
    def of(cls, destruction: Destruction) -> DestructionOut:
        """From custody's destruction."""
        return cls(
            case_id=destruction.case_id,
            step=destruction.step,
            due_at=destruction.due_us,
            rule=destruction.rule,
            noticed_at=destruction.noticed_us,
            approved_by=destruction.approved_by,
            approved_at=destruction.approved_us,
            begun_at=destruction.begun_us,
            key_destroyed_at=destruction.key_destroyed_us,
            destroyed_at=destruction.destroyed_us,
        )


class PolicyOut(Model):
    """The site's rule."""

    floor_days: int
    ceiling_days: int
    approve: bool = Field(description="Whether a person has to approve.")
    notice_days: int

    @classmethod
    def of(cls, policy: RetentionPolicy) -> PolicyOut:
        """From custody's policy."""
        return cls(
            floor_days=policy.keep_us // DAY_US,
            ceiling_days=policy.ceiling_us // DAY_US,
            approve=policy.approve,
            notice_days=policy.notice_us // DAY_US,
        )


class PlanOut(Model):
    """The dry run: what would be destroyed now, what stops each of the others, and what has begun."""

    at: TimeOut
    policy: PolicyOut
    digest: str = Field(description="Names what is due; the approval sends it back.")
    due: list[PlanItemOut]
    stopped: list[PlanItemOut]
    under_way: list[DestructionOut]
    more_after: str = Field(
        description="Ask again with this as `after` for more of `stopped`; empty: that was all."
    )

    @classmethod
    def of(cls, plan: Plan) -> PlanOut:
        """From custody's plan."""
        return cls(
            at=plan.at_us,
            policy=PolicyOut.of(plan.policy),
            digest=plan.digest,
            due=[PlanItemOut.of(item) for item in plan.due],
            stopped=[PlanItemOut.of(item) for item in plan.stopped],
            under_way=[DestructionOut.of(each) for each in plan.under_way],
            more_after=plan.more_after,
        )


class ApprovalIn(Model):
    """A person's yes to a plan."""

    digest: str = Field(pattern="^[0-9a-f]{64}$", description="Of the plan that was looked at.")


class HoldIn(Model):
    """A legal hold."""

    reason: Words
    document: Document


class LiftHoldIn(Model):
    """Why a hold is lifted."""

    reason: Words


class ExtensionIn(Model):
    """How long a case is to be kept, and on whose request."""

    until: TimeIn
    reason: Words
    document: Document


class ExtensionOut(Model):
    """Until when a case is kept on request."""

    until: TimeOut
    reason: str
    document: str
    extended_by: str
    extended_at: TimeOut

    @classmethod
    def of(cls, extension: Extension) -> ExtensionOut:
        """From custody's extension."""
        return cls(
            until=extension.until_us,
            reason=extension.reason,
            document=extension.document,
            extended_by=extension.extended_by,
            extended_at=extension.extended_us,
        )


class HoldOut(Model):
    """A legal hold; it stands while `lifted_at` is null."""

    id: str
    case_id: str
    reason: str
    document: str
    put_by: str
    put_at: TimeOut
    lifted_by: str | None
    lifted_at: TimeOut | None
    lift_reason: str | None

    @classmethod
    def of(cls, hold: Hold) -> HoldOut:
        """From custody's hold."""
        return cls(
            id=hold.hold_id,
            case_id=hold.case_id,
            reason=hold.reason,
            document=hold.document,
            put_by=hold.put_by,
            put_at=hold.put_us,
            lifted_by=hold.lifted_by,
            lifted_at=hold.lifted_us,
            lift_reason=hold.lift_reason,
        )


class CaseRetentionOut(Model):
    """How it stands with one case's recordings; `due_at` is null where nothing was recorded."""

    case_id: str
    due_at: TimeOut | None
    rule: str
    words: str
    stopped_by: list[ObstacleOut]
    holds: list[HoldOut]
    extension: ExtensionOut | None
    destruction: DestructionOut | None
    nodes: list[NodeFilesOut]

    @classmethod
    def of(cls, found: CaseRetention) -> CaseRetentionOut:
        """From custody's value."""
        verdict = found.verdict
        return cls(
            case_id=found.case_id,
            due_at=None if verdict is None else verdict.due_us,
            rule="" if verdict is None else verdict.rule,
            words="nothing was recorded" if verdict is None else verdict.words,
            stopped_by=[] if verdict is None else [ObstacleOut.of(each) for each in verdict.obstacles],
            holds=[HoldOut.of(hold) for hold in found.holds],
            extension=None if found.extension is None else ExtensionOut.of(found.extension),
            destruction=None if found.destruction is None else DestructionOut.of(found.destruction),
            nodes=[NodeFilesOut.of(node) for node in found.nodes],
        )
