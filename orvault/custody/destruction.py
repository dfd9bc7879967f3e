"""The destruction of a case's recordings as a state machine: its steps, what each leaves behind, and the fence.

Whether a case is due is `retention`'s decision. Order: the key first, for then nothing opens any more; then packages,
then files. Each step may be done twice; the ledger says which are done.

    noticed -> approved -> begun -> key-destroyed -> packages-removed -> destroyed
    noticed -------------> begun                     (where the policy asks for nobody's yes)

Up to `begun` it can be withdrawn, and is as soon as something stops it; from `begun` on it is finished.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orvault.custody.retention import DAY_US, RetentionPolicy
from orvault.custody.text import show_time
from orvault.errors import ErrorKind, OrvaultError

NODES_PATIENCE_US = DAY_US  # so long a receipt waits for nodes that are away; then it names them


class Step(StrEnum):
    """How far it is."""

    NOTICED = "noticed"
    APPROVED = "approved"
    BEGUN = "begun"
    KEY_DESTROYED = "key-destroyed"
    PACKAGES_REMOVED = "packages-removed"
    DESTROYED = "destroyed"


_BEFORE = frozenset({Step.NOTICED, Step.APPROVED})
_NEXT = {
    Step.NOTICED: frozenset({Step.APPROVED, Step.BEGUN}),
    Step.APPROVED: frozenset({Step.BEGUN}),
    Step.BEGUN: frozenset({Step.KEY_DESTROYED}),
    Step.KEY_DESTROYED: frozenset({Step.PACKAGES_REMOVED}),
    Step.PACKAGES_REMOVED: frozenset({Step.DESTROYED}),
    Step.DESTROYED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """What one node had of the case; `removed_us` is None while it has not confirmed that it is gone."""

    node_id: str
    removed_us: int | None = None
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Destruction:
    """One case's destruction. `epoch` counts who took it up: a predecessor that is dead but still writing is refused.

    `receipt` is the signed receipt (docs/format/receipt-v1.md), from `destroyed` on.
    """

    case_id: str
    step: Step
    due_us: int
    rule: str
    noticed_us: int
    approved_by: str | None = None
    approved_us: int | None = None
    begun_us: int | None = None
    key_destroyed_us: int | None = None
    packages_removed_us: int | None = None
    destroyed_us: int | None = None
    epoch: int = 0
    receipt: bytes | None = field(default=None, repr=False)

    @property
    def begun(self) -> bool:
        """Whether it can no longer be withdrawn."""
        return self.step not in _BEFORE


def may_begin(destruction: Destruction, policy: RetentionPolicy, now_us: int) -> bool:
    """Whether somebody approved it, or the policy asks for nobody and the notice is over; not whether it is due."""
    if destruction.step is Step.APPROVED:
        return True
    noticed = destruction.step is Step.NOTICED
    return noticed and not policy.approve and now_us >= destruction.noticed_us + policy.notice_us


def check_step(destruction: Destruction, to: Step) -> None:
    """CONFLICT, saying how it stands, when it may not take this step."""
    if to not in _NEXT[destruction.step]:
        message = f"The destruction is {destruction.step.value} and cannot become {to.value}."
        raise OrvaultError(ErrorKind.CONFLICT, message, where=destruction.case_id)


def check_fence(destruction: Destruction | None, epoch: int) -> Destruction:
    """The destruction, if nobody took it up since; CONFLICT otherwise."""
    if destruction is None or destruction.epoch != epoch:
        raise OrvaultError(ErrorKind.CONFLICT, "Somebody else works at this destruction by now.")
    return destruction


def gone(destruction: Destruction, number: str) -> OrvaultError:
    """The answer to whoever asks for recordings that are destroyed, or are just being destroyed."""
    if destruction.destroyed_us is None:
        return OrvaultError(
            ErrorKind.DESTROYED,
            f"The recordings of case {number} are being destroyed since {show_time(destruction.begun_us or 0)}.",
            where="case_id",
        )
    return OrvaultError(
        ErrorKind.DESTROYED,
        f"The recordings of case {number} were destroyed on {show_time(destruction.destroyed_us)};"
        f" the receipt names case {destruction.case_id}.",
        where="case_id",
        advice="GET /cases/ID/receipt has the signed receipt.",
    )


class DestructionRows(Protocol):
    """Destructions, and the nodes that have files of them."""

    def add(self, destruction: Destruction) -> None: ...
    def put(self, destruction: Destruction) -> None: ...
    def withdraw(self, case_id: str) -> None:
        """Forget one that has not begun; history tells of it."""
        ...

    def get(self, case_id: str) -> Destruction | None: ...
    def of(self, case_ids: Collection[str]) -> Sequence[Destruction]:
        """Those of these cases, in no order."""
        ...

    def at(self, steps: Sequence[Step], limit: int = 1000) -> Sequence[Destruction]:
        """Those at one of these steps, the longest noticed first."""
        ...

    def add_nodes(self, case_id: str, node_ids: Sequence[str]) -> None:
        """Nodes that have, or may have, files of the case; those that are named already stay as they are."""
        ...

    def nodes(self, case_id: str) -> Sequence[NodeFiles]: ...
    def put_node(self, case_id: str, node: NodeFiles) -> None: ...
    def outstanding(self) -> Sequence[tuple[str, str]]:
        """(case, node) of destroyed cases of which a node has not confirmed that its files are gone."""
        ...

    def among(self, case_ids: Collection[str]) -> Mapping[str, int]:
        """Those of these cases whose key is destroyed, with when it was (UTC microseconds)."""
        ...

    def drop_slots(self, case_id: str) -> None:
        """Empty the key slots in the segments' rows; the rows themselves stay."""
        ...

    def drop_scans(self, case_id: str) -> None:
        """Forget what scans of the case's footage found."""
        ...
