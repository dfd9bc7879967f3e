"""Who is lent the hospital's half of a package's key, how often, until when, and what stands in history of it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace

import pytest

from orvault.clock import US_PER_S
from orvault.container.activation import ActivationRequest, split_key
from orvault.container.keys import generate_private_key
from orvault.custody.account import Role
from orvault.custody.activation import (
    NO_ACTIVATION,
    ActivationKey,
    ActivationMode,
    ActivationPolicy,
    ActivationWish,
)
from orvault.custody.desks import activating
from orvault.custody.destruction import Destruction, Step
from orvault.custody.gate import Gate
from orvault.custody.history import Act
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import NOTHING_LEFT, PASSWORD, World, consents_of
from tests.unit.activation_support import Held, allow, handed_out

HOUR_US = 3600 * US_PER_S
_OTHER_KEY = ActivationKey(lambda: b"b" * 32)


def _refused(
    held: Held, question: ActivationRequest | None = None, client: str = "192.0.2.7"
) -> OrvaultError:
    with pytest.raises(OrvaultError) as caught:
        held.world.custody.activate(question or held.question(generate_private_key()), client)
    return caught.value


def _guess(held: Held) -> ActivationRequest:
    """A question of who has not the recipients' half."""
    return held.question(generate_private_key(), split_key()[0])


def _last(world: World) -> tuple[str, str, dict[str, object]]:
    (entry,) = world.custody.history(world.accounts[Role.AUDITOR], limit=1)
    return entry.act, entry.subject, json.loads(entry.detail)


def test_a_recipient_is_lent_the_half_and_history_says_from_where(world: World) -> None:
    held = handed_out(world, plays=3)
    answer = held.ask()
    assert answer.plays_left == 2 and answer.until_us == world.clock.now_us() + 12 * HOUR_US
    assert _last(world) == (
        "package-activated",
        f"export:{held.request.request_id}",
        {
            "from": "192.0.2.7",
            "package": held.package_id,
            "plays_left": 2,
            "until_us": answer.until_us,
        },
    )
    access = world.custody.recording_access(world.accounts[Role.AUDITOR], held.request.wish.case_id)
    told = [copy for copy in access.copies if copy.act == "package-activated"]
    assert [(copy.account_id, copy.came_from, copy.recipients) for copy in told] == [
        ("anonymous", "192.0.2.7", tuple(each.name for each in held.request.copies[0].recipients))
    ]


def test_what_is_lent_ends_with_the_packages_validity(world: World) -> None:
    held = handed_out(world)
    world.clock.us = held.request.validity.until_us - HOUR_US
    answer = held.ask()
    assert answer.until_us == held.request.validity.until_us and answer.plays_left is None


def test_a_lost_answer_costs_no_play_and_one_that_is_over_is_not_repeated(world: World) -> None:
    held = handed_out(world, plays=1)
    question = held.question(generate_private_key())
    first = world.custody.activate(question)
    world.clock.us += HOUR_US
    again = world.custody.activate(question)
    assert (first.until_us, first.plays_left) == (again.until_us, again.plays_left)
    assert world.acts().count("package-activated") == 1
    world.clock.us = first.until_us
    assert _refused(held, question).kind is ErrorKind.NOT_ACTIVATED


def test_plays_end(world: World) -> None:
    held = handed_out(world, plays=2)
    assert [held.ask().plays_left for _ in range(2)] == [1, 0]
    refusal = _refused(held)
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "as often as" in refusal.message
    assert _last(world)[0] == "activation-refused" and _last(world)[2]["reason"] == refusal.message


def test_an_unknown_package_and_a_wrong_proof_are_answered_alike(world: World) -> None:
    held = handed_out(world)
    key = generate_private_key()
    wrong = _refused(held, held.question(key, split_key()[0]))
    assert _last(world)[:2] == ("activation-refused", f"export:{held.request.request_id}")
    unknown = _refused(held, ActivationRequest.make("a name typed", key.public(), held.half))
    assert _last(world)[:2] == ("activation-refused", "package:unknown")
    assert "a name typed" not in json.dumps(_last(world)[2])
    foreign = _refused(held, replace(held.question(key), ephemeral=generate_private_key().public()))
    assert str(wrong) == str(unknown) == str(foreign) and wrong.kind is ErrorKind.NOT_ACTIVATED
    (kept,) = world.custody.shares_of(world.officer, held.request.request_id)
    assert kept.used == 0


def test_whoever_guesses_waits_and_the_recipient_behind_the_same_proxy_does_not(world: World) -> None:
    held = handed_out(world)
    for _ in range(5):
        _refused(held, _guess(held), "198.51.100.9")
    assert _refused(held, _guess(held), "198.51.100.9").kind is ErrorKind.TOO_MANY_ATTEMPTS
    for number in range(30):
        key = generate_private_key().public()
        _refused(held, ActivationRequest.make(f"pkg-{number}", key, held.half), "198.51.100.9")
    held.ask("198.51.100.9")
    assert _refused(held, _guess(held), "198.51.100.9").kind is ErrorKind.TOO_MANY_ATTEMPTS
    world.clock.us += HOUR_US
    assert _refused(held, _guess(held), "198.51.100.9").kind is ErrorKind.NOT_ACTIVATED


def test_a_recipient_who_is_refused_waits_for_this_package_and_no_other(world: World) -> None:
    held, other = handed_out(world, plays=1), handed_out(world, number="2026-2")
    held.ask()
    for _ in range(5):
        assert _refused(held).kind is ErrorKind.NOT_ACTIVATED
    assert _refused(held).kind is ErrorKind.TOO_MANY_ATTEMPTS
    assert _refused(held, client="192.0.2.8").kind is ErrorKind.NOT_ACTIVATED
    assert _refused(held, _guess(held)).kind is ErrorKind.NOT_ACTIVATED
    other.ask()


def test_who_has_to_wait_takes_no_lock(world: World) -> None:
    held = handed_out(world)
    for _ in range(5):
        _refused(held, _guess(held))
    taken: list[bool] = []
    open_uow = world.custody._uow
    world.custody._uow = lambda *, read_only=False: (taken.append(read_only), open_uow(read_only=read_only))[
        1
    ]
    assert _refused(held, _guess(held)).kind is ErrorKind.TOO_MANY_ATTEMPTS
    assert taken == [True]


def test_only_so_many_are_answered_at_once(world: World) -> None:
    held = handed_out(world)
    for gate, places in ((activating._DOOR, 8), (activating._RECIPIENTS, 4)):
        with ExitStack() as others:
            for _ in range(places):
                others.enter_context(gate.place())
            assert _refused(held).kind is ErrorKind.TOO_MANY_ATTEMPTS
        held.ask()


def test_a_flood_of_strangers_takes_no_recipients_place(world: World) -> None:
    held = handed_out(world)
    with activating._STRANGERS.place():  # one is being refused: that takes the ledger's lock
        for number in range(40):
            key = generate_private_key().public()
            question = ActivationRequest.make(f"pkg-{number}", key, held.half)
            assert _refused(held, question, f"203.0.113.{number}").kind is ErrorKind.TOO_MANY_ATTEMPTS
        held.ask()


def test_of_the_places_an_address_and_a_package_have_a_share_each() -> None:
    gate = Gate(4, 0, "busy", share=2)
    with gate.place("one"), gate.place("one", "first"):
        for holders in (("one",), ("other", "one")):
            with pytest.raises(OrvaultError, match="busy"), gate.place(*holders):
                pass
        full = pytest.raises(OrvaultError, match="busy")
        with gate.place("other", "first"), gate.place(), full, gate.place("third"):
            pass
        with gate.place("other"):
            pass
    with gate.place("one"), gate.place("one"):
        assert gate._held == {"one": 2}
    assert not gate._held


def test_a_fault_of_the_server_is_not_the_recipients(world: World) -> None:
    held = handed_out(world)
    before = world.acts()
    for key, kind in ((NO_ACTIVATION, ErrorKind.BAD_SETTINGS), (_OTHER_KEY, ErrorKind.ALTERED)):
        own, world.custody._activation = world.custody._activation, key
        for _ in range(6):
            assert _refused(held).kind is kind
        world.custody._activation = own
    assert world.acts() == before
    held.ask()


def test_guesses_at_packages_do_not_make_sign_ins_wait(world: World) -> None:
    held = handed_out(world)
    for number in range(30):
        key = generate_private_key().public()
        _refused(held, ActivationRequest.make(f"pkg-{number}", key, held.half), "198.51.100.9")
    assert _refused(held, _guess(held), "198.51.100.9").kind is ErrorKind.TOO_MANY_ATTEMPTS
    world.custody.sign_in(world.manager.name, PASSWORD, "198.51.100.9")


def test_a_revoked_package_opens_nowhere_any_more(world: World) -> None:
    held = handed_out(world)
    held.ask()
    world.custody.revoke_export(world.officer, held.request.request_id, "the wrong recipient")
    act, _, detail = _last(world)
    assert act == "export-revoked" and detail["activation_shares_deleted"] == 1
    (kept,) = world.custody.shares_of(world.officer, held.request.request_id)
    assert kept.sealed is None and kept.used == 1
    refusal = _refused(held)
    assert refusal.kind is ErrorKind.NOT_ACTIVATED and "taken this package back" in refusal.message
    # who has no proof is told what he was told before
    stranger = _refused(held, held.question(generate_private_key(), split_key()[0]))
    assert "no such package" in stranger.message


def test_an_expired_package_is_refused_and_its_half_deleted(world: World) -> None:
    held = handed_out(world)
    world.clock.us = held.request.validity.until_us
    assert _refused(held).kind is ErrorKind.EXPIRED
    world.custody.expire_due()
    assert _last(world)[2] == {"activation_shares_deleted": 1}
    assert _refused(held).kind is ErrorKind.EXPIRED


def test_a_consent_withdrawn_before_delivery_reaches_a_copy_that_left(world: World) -> None:
    held = handed_out(world, basis=consents_of("Lee", "Park"))
    held.ask()
    world.custody.withdraw_consent(world.manager, held.request.request_id, 1, "He thought it over.")
    (kept,) = world.custody.shares_of(world.officer, held.request.request_id)
    assert kept.sealed is None and _refused(held).kind is ErrorKind.NOT_ACTIVATED


def test_the_destruction_of_its_case_ends_a_package_that_asks(world: World) -> None:
    held = handed_out(world)
    case_id, now = held.request.wish.case_id, world.clock.now_us()
    with world.ledger.uow() as uow:
        uow.destructions.add(Destruction(case_id, Step.BEGUN, now, "a rule", now, begun_us=now))
        uow.history.append(now, "system", Act.DESTRUCTION_BEGUN, f"case:{case_id}", {})
        uow.commit()
    assert _refused(held).kind is ErrorKind.DESTROYED
    world.custody.key_destroyed(case_id, world.custody.take_up(case_id).epoch)
    (kept,) = world.custody.shares_of(world.officer, held.request.request_id)
    assert kept.sealed is None
    act, _, detail = _last(world)
    assert act == "case-key-destroyed" and detail["activation_shares_deleted"] == 1


def test_a_package_that_is_not_valid_yet_costs_no_play(world: World) -> None:
    allow(world)
    held = handed_out(world, plays=1)
    world.clock.us = held.request.validity.from_us - 1
    assert _refused(held).kind is ErrorKind.NOT_YET_VALID
    world.clock.us += 1
    assert held.ask().plays_left == 0


def test_the_ledger_alone_gives_no_half(world: World) -> None:
    held = handed_out(world)
    with world.ledger.uow(read_only=True) as uow:
        kept = uow.activations.get(held.package_id)
    assert kept is not None and kept.sealed is not None
    assert kept.proof_key not in repr(kept)
    assert ActivationKey(lambda: b"a" * 32).open(kept.sealed, held.package_id) == held.share
    for key, package_id in (
        (ActivationKey(lambda: b"b" * 32), held.package_id),
        (ActivationKey(lambda: b"a" * 32), "x"),
    ):
        with pytest.raises(OrvaultError) as caught:
            key.open(kept.sealed, package_id)
        assert caught.value.kind is ErrorKind.ALTERED
    with pytest.raises(OrvaultError) as caught:
        NO_ACTIVATION.open(kept.sealed, held.package_id)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS


def test_only_who_renders_it_keeps_a_share(world: World) -> None:
    held = handed_out(world)
    with pytest.raises(OrvaultError) as caught:
        world.custody.keep_share(held.request.request_id, 1, held.package_id, b"s" * 32, b"p" * 32)
    assert caught.value.kind is ErrorKind.CONFLICT
    plain = world.custody.submit_export(world.manager, world.wish(world.recorded_case(number="2")))
    world.custody.approve_export(world.officer, plain.request_id)
    job = world.claimed()
    with pytest.raises(OrvaultError) as caught:
        world.custody.keep_share(
            plain.request_id, job.epoch, str(job.request.package_id), b"s" * 32, b"p" * 32
        )
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_no_copy_is_handed_out_whose_share_was_not_kept(world: World) -> None:
    allow(world)
    wish = world.wish(world.recorded_case(), activation=ActivationWish(True))
    request = world.custody.submit_export(world.manager, wish)
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    made = request.request_id, job.epoch, "2026-1.orvault", 1000, "f" * 64
    with pytest.raises(OrvaultError) as caught:
        world.custody.finish_render(*made, second_look=NOTHING_LEFT)
    assert caught.value.kind is ErrorKind.BAD_REQUEST and caught.value.where == "activation"
    world.custody.keep_share(request.request_id, job.epoch, str(job.request.package_id), b"s" * 32, b"p" * 32)
    world.custody.finish_render(*made, second_look=NOTHING_LEFT)


@pytest.mark.parametrize(
    ("policy", "wish", "rule"),
    [
        (ActivationPolicy(), ActivationWish(True), "export.activation.mode"),
        (ActivationPolicy(ActivationMode.ALWAYS), ActivationWish(), "export.activation.mode"),
        (
            ActivationPolicy(ActivationMode.OFFERED, plays=5),
            ActivationWish(True, 6),
            "export.activation.plays",
        ),
        (ActivationPolicy(ActivationMode.OFFERED, plays=5), ActivationWish(True), "export.activation.plays"),
        (ActivationPolicy(ActivationMode.OFFERED, plays=5), ActivationWish(True, 5), ""),
        (ActivationPolicy(ActivationMode.OFFERED), ActivationWish(), ""),
        (ActivationPolicy(ActivationMode.ALWAYS), ActivationWish(True), ""),
    ],
)
def test_a_site_says_what_requests_may_choose(
    world: World, policy: ActivationPolicy, wish: ActivationWish, rule: str
) -> None:
    allow(world, policy)
    asked = world.wish(world.recorded_case(), activation=wish)
    if not rule:
        assert world.custody.submit_export(world.manager, asked).wish.activation == wish
        return
    with pytest.raises(OrvaultError) as caught:
        world.custody.submit_export(world.manager, asked)
    assert caught.value.kind is ErrorKind.FORBIDDEN and caught.value.where == rule


@pytest.mark.parametrize(
    "wish", [ActivationWish(True, 0), ActivationWish(True, 10_001), ActivationWish(False, 1)]
)
def test_a_number_of_plays_is_one(wish: ActivationWish) -> None:
    with pytest.raises(OrvaultError) as caught:
        wish.checked()
    assert caught.value.kind is ErrorKind.BAD_REQUEST
