"""A site whose one case is due for destruction, and who destroys it when a test says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from actors.keys import KeyActor
from actors.retention import DestructionTools, RetentionActor
from orvault.container.receipt import Receipt, verify_receipt
from orvault.custody.account import Account
from orvault.custody.case import Case
from orvault.custody.destruction import Step
from orvault.custody.history import Entry
from orvault.custody.retention import DAY_US
from orvault.custody.service import CustodyService
from orvault.recording.destroying import DestroyedCases, Erased
from tests.unit.actors_support import Site, away, make_site
from tests.unit.container_support import hospital


@dataclass
class Disks:
    """The nodes' disks over a line that may be down."""

    roots: dict[str, Path]
    down: set[str] = field(default_factory=set)
    told: list[tuple[str, str, int]] = field(default_factory=list)

    def stored_cases(self, node_id: str) -> Sequence[str]:
        return self._of(node_id).present()

    def destroy_case(self, node_id: str, case_id: str, epoch: int) -> Erased:
        self.told.append((node_id, case_id, epoch))
        return self._of(node_id).erase(case_id, epoch)

    def _of(self, node_id: str) -> DestroyedCases:
        if node_id in self.down:
            raise away("The node")
        return DestroyedCases(self.roots[node_id])


class Called(RetentionActor):
    """Works when the test says so."""

    def round(self) -> None:
        return

    def now(self) -> None:
        super().round()


@dataclass
class Dead:
    """A site whose one case is due, and what is called on it."""

    site: Site
    case: Case
    disks: Disks
    actor: Called

    @property
    def custody(self) -> CustodyService:
        return self.site.world.custody

    def approve(self, officer: Account | None = None) -> None:
        officer = officer or self.site.world.officer
        self.custody.approve_destruction(officer, self.custody.retention_plan(officer).digest)

    def step(self) -> Step | None:
        found = self.custody.destruction_of(self.case.case_id)
        return None if found is None else found.step

    def receipt(self) -> Receipt:
        sealed = self.custody.receipt(self.site.world.officer, self.case.case_id)
        receipt, issuer = verify_receipt(sealed, [hospital()[0].certificate_der])
        assert issuer.pinned
        return receipt

    def entries(self, act: str) -> list[Entry]:
        with self.site.world.ledger.uow(read_only=True) as uow:
            found = uow.history.page(None, 200, subject=f"case:{self.case.case_id}", actor=None, act=act)
        return list(reversed(found))


def tools_of(folder: Path, keys: KeyActor, disks: Disks) -> DestructionTools:
    return DestructionTools(keys, disks, ("node-1",), folder / "packages", folder / "server")


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def make_dead(folder: Path) -> Dead:
    """A case that was recorded, its site a month later."""
    site = make_site(folder)
    case = site.record()
    site.world.clock.us += 31 * DAY_US
    disks = Disks({"node-1": site.node.root})
    actor = Called(lambda: site.world.custody, tools_of(folder, site.keys, disks))
    return Dead(site, case, disks, actor)
