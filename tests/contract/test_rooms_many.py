"""Many rooms at once: each is what it is by itself, and the ledger is not asked again for each."""

from __future__ import annotations

from collections.abc import Callable

from orvault.clock import US_PER_S
from orvault.custody.account import Account, Role
from orvault.custody.desks.rooms import RoomView
from orvault.custody.ports import CameraInfo
from tests.contract.rows_read import statements_of
from tests.fakes import CAMERAS, World

FEW, MANY = 3, 43


def rooms(world: World, count: int) -> None:
    """So many rooms, each with two cameras; one in three records, one in three had a case, one never did."""
    ids = [f"{n:02d}" for n in range(count)]
    world.custody.register_cameras(
        [
            *CAMERAS,
            *(CameraInfo(f"c{n}-{k}", f"{n} {k}", f"Room {n}", "node-1") for n in ids for k in range(2)),
        ]
    )
    for n in ids[::3]:
        if not world.custody.room_state(world.manager, f"Room {n}").case:
            world.custody.start_recording(
                world.manager, world.armed_case(f"A-{n}", f"Room {n}").case_id, [f"c{n}-0"]
            )
    for n in ids[1::3]:
        if not world.custody.room_state(world.manager, f"Room {n}").case:
            for number in (f"B-{n}", f"C-{n}"):
                case = world.armed_case(number, f"Room {n}")
                world.clock.us += US_PER_S
                world.custody.close_case(world.manager, case.case_id)


def one_by_one(world: World, by: Account) -> tuple[RoomView, ...]:
    names = [each.room for each in world.custody.room_states(by)]
    return tuple(world.custody.room_state(by, name) for name in names)


def test_each_room_is_what_it_is_by_itself(world: World) -> None:
    rooms(world, 6)
    world.recorders.unreachable.add("c00-1")
    world.clock.us += 3600 * US_PER_S
    world.custody.watch()
    found = world.custody.room_states(world.manager)
    assert found == one_by_one(world, world.manager)
    assert {each.room: each.case and each.case.number for each in found if each.room > "R"} == {
        "Room 00": "A-00",
        "Room 01": "C-01",
        "Room 02": None,
        "Room 03": "A-03",
        "Room 04": "C-04",
        "Room 05": None,
    }
    assert any(alarm.kind.value == "camera-lost" for alarm in found[2].alarms)


def test_the_ledger_is_not_asked_again_for_each_room(world: World) -> None:
    custody, auditor = world.custody, world.accounts[Role.AUDITOR]
    acts: dict[str, Callable[[], object]] = {
        "the rooms": lambda: custody.room_states(auditor),
        "the watch": custody.watch,
        "late starts": custody.retry_starts,
    }
    counts: dict[str, list[int]] = {ask: [] for ask in acts}
    for count in (FEW, MANY):
        rooms(world, count)
        for ask, act in acts.items():
            act()  # what is new is told to history once
            counts[ask].append(statements_of(world.ledger, act))
    for ask, (few, many) in counts.items():
        assert few == many <= 30, ask
