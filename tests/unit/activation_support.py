"""A world in which packages are activated on line, and people who ask."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orvault.container.activation import ActivationAnswer, ActivationRequest, proof_key, split_key
from orvault.container.keys import PrivateKey, generate_private_key
from orvault.custody.activation import ActivationMode, ActivationPolicy, ActivationWish
from orvault.custody.export_policy import ExportPolicy
from orvault.custody.request import ExportRequest
from tests.fakes import NOTHING_LEFT, World

OFFERED = ActivationPolicy(ActivationMode.OFFERED)


@dataclass
class Held:
    """A package in a recipient's hands: the half of its key that its slots give, and what the hospital keeps."""

    world: World
    request: ExportRequest
    half: bytes
    share: bytes

    @property
    def package_id(self) -> str:
        assert self.request.package_id is not None
        return self.request.package_id

    def question(self, key: PrivateKey, half: bytes | None = None) -> ActivationRequest:
        return ActivationRequest.make(self.package_id, key.public(), half or self.half)

    def ask(self, client: str = "192.0.2.7") -> ActivationAnswer:
        """As a player does; the answer opens to the share."""
        key = generate_private_key()
        question = self.question(key)
        answer = self.world.custody.activate(question, client)
        assert answer.open(question, key) == self.share
        return answer


def allow(world: World, policy: ActivationPolicy = OFFERED) -> None:
    """The site's rules for activation."""
    world.custody._exports = replace(world.custody._exports or ExportPolicy(), activation=policy)


def handed_out(world: World, plays: int | None = None, number: str = "2026-1", **changes: object) -> Held:
    """A package that was made and is ready, with so many plays."""
    allow(world)
    wanted = ActivationWish(True, plays)
    wish = world.wish(world.recorded_case(number=number), activation=wanted, **changes)
    request = world.custody.submit_export(world.manager, wish)
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    package_id = job.request.package_id
    assert package_id is not None
    half, share = split_key()
    kept = share, proof_key(half, package_id)
    world.custody.keep_share(request.request_id, job.epoch, package_id, *kept)
    world.custody.finish_render(
        request.request_id, job.epoch, f"{number}.orvpkg", 1000, "f" * 64, second_look=NOTHING_LEFT
    )
    return Held(world, world.custody.export(world.manager, request.request_id), half, share)
