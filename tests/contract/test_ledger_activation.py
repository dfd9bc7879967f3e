"""Shares and plays on both databases: counted once, never beyond what was allowed, and deleted for good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.container.keys import generate_private_key
from orvault.custody.activation import ActivationWish, Play
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import World
from tests.unit.activation_support import handed_out


def test_a_share_is_kept_counted_and_deleted(world: World) -> None:
    held = handed_out(world, plays=2)
    request_id = held.request.request_id
    with world.ledger.uow() as uow:
        kept = uow.activations.get(held.package_id)
        assert kept is not None and uow.activations.of_request(request_id) == [kept]
        assert (kept.plays, kept.used, kept.plays_left) == (2, 0, 2)
        assert kept.sealed is not None and held.share.hex() not in kept.sealed
        uow.activations.add_play(Play(held.package_id, "a" * 64, 1, 5, 1))
        assert uow.activations.play(held.package_id, "a" * 64) == Play(held.package_id, "a" * 64, 1, 5, 1)
        assert uow.activations.play(held.package_id, "A" * 64) is None
        assert uow.activations.get(held.package_id) == replace(kept, used=1)
        assert uow.activations.drop_shares(request_id) == 1
        assert uow.activations.drop_shares(request_id) == 0
        assert uow.activations.get(held.package_id) == replace(kept, used=1, sealed=None)
        uow.activations.put(kept)  # a package made anew: nothing of it was counted
        assert uow.activations.get(held.package_id) == kept
        assert uow.activations.play(held.package_id, "a" * 64) is None
        uow.commit()


@pytest.mark.parametrize("digests", [("a" * 64, "b" * 64), ("a" * 64, "a" * 64)])
def test_neither_a_play_too_many_nor_one_question_twice_gets_in(
    world: World, digests: tuple[str, str]
) -> None:
    held = handed_out(world, plays=1 if digests[0] != digests[1] else None)
    with pytest.raises(OrvaultError) as caught, world.ledger.uow() as uow:
        for digest in digests:
            uow.activations.add_play(Play(held.package_id, digest, 1, 5, None))
    assert caught.value.kind is ErrorKind.CONFLICT


def test_what_a_request_asks_for_is_read_back(world: World) -> None:
    held = handed_out(world, plays=3)
    assert held.request.wish.activation == ActivationWish(True, 3)
    plain = world.custody.submit_export(world.manager, world.wish(world.recorded_case(number="2026-2")))
    assert not world.custody.export(world.manager, plain.request_id).wish.activation.wanted


def test_a_play_is_counted_and_told_in_one_transaction(world: World) -> None:
    held = handed_out(world, plays=2)
    key = generate_private_key()
    first = world.custody.activate(held.question(key))
    again = world.custody.activate(held.question(key))
    assert (first.until_us, first.plays_left) == (again.until_us, again.plays_left) and first.plays_left == 1
    (kept,) = world.custody.shares_of(world.officer, held.request.request_id)
    assert kept.used == 1 and world.acts().count("package-activated") == 1
