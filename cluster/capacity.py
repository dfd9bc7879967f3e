"""Foretells for how many days each node's disk keeps recordings, from what its cameras wrote and from what is free.

Nothing is ever removed to make room; the forecast says when the disk will be full if recording goes on as it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.camera_settings import CameraSettings
from cluster.settings import Settings
from cluster.storage_settings import RetentionSettings
from orvault.clock import US_PER_S
from orvault.custody.rows import UnitsOfWork
from orvault.recording.room import RESERVE_BYTES, free_bytes

DAY_US = 86_400 * US_PER_S
LOOK_BACK_DAYS = 7


@dataclass(frozen=True)
class Room:
    """What segments may still take on a disk, in bytes, and which disk that is."""

    free: int
    device: int


def room_of(folder: Path) -> Room | None:
    """The disk on which this folder lies; None if it does not lie here."""
    free = free_bytes(folder)
    try:
        return None if free is None else Room(max(0, free - RESERVE_BYTES), folder.stat().st_dev)
    except OSError:
        return None


@dataclass(frozen=True)
class CameraRate:
    """What one camera writes a day, in bytes; `mbit` while it records. `measured`: seen, not assumed."""

    camera_id: str
    mbit: float
    bytes_per_day: float
    measured: bool


@dataclass(frozen=True)
class NodeForecast:
    """One node's disk. `free` is what segments may take, None if the disk cannot be reached from here."""

    node: str
    free: int | None
    stored: int
    rates: tuple[CameraRate, ...]

    @property
    def bytes_per_day(self) -> float:
        """What its cameras write a day."""
        return sum(rate.bytes_per_day for rate in self.rates)

    @property
    def days(self) -> float | None:
        """For how many days of recordings there is room, those that lie there counted; None if not known."""
        if self.free is None or self.bytes_per_day <= 0:
            return None
        return (self.free + self.stored) / self.bytes_per_day


def assumed_rate(camera_id: str, policy: RetentionSettings) -> CameraRate:
    """Before anything was recorded."""
    seconds = policy.hours_per_day * 3600
    return CameraRate(camera_id, policy.assumed_mbit, policy.assumed_mbit * 1e6 / 8 * seconds, measured=False)


def measured_rates(uow: UnitsOfWork, now_us: int) -> dict[str, CameraRate]:
    """The cameras that recorded in the last seven days, by what the ledger has of them.

    A day counts from a camera's first recording in them on, and as one whole day at least.
    """
    with uow(read_only=True) as unit:
        volumes = unit.segments.volumes(now_us - LOOK_BACK_DAYS * DAY_US)
    rates = {}
    for seen in volumes:
        if seen.bytes and seen.recorded_us:
            days = max(1.0, (now_us - seen.since_us) / DAY_US)
            mbit = seen.bytes * 8 / seen.recorded_us  # bits a microsecond
            rates[seen.camera_id] = CameraRate(seen.camera_id, mbit, seen.bytes / days, measured=True)
    return rates


def stored_bytes(uow: UnitsOfWork) -> dict[str, int]:
    """How much the ledger knows of each camera, however old, in bytes."""
    with uow(read_only=True) as unit:
        return {seen.camera_id: seen.bytes for seen in unit.segments.volumes(0)}


def forecast(
    settings: Settings,
    stores: Mapping[str, Path],
    rates: Mapping[str, CameraRate],
    stored: Mapping[str, int],
    room: Callable[[Path], Room | None] = room_of,
) -> list[NodeForecast]:
    """Each client node. `stores`: where the disks lie that can be reached from here.

    Nodes on one disk share what is free there as their cameras' rates are.
    """
    found = []
    for node in settings.nodes:
        if "client" in node.roles:
            cameras = [camera for camera in settings.cameras if camera.node == node.name]
            there = room(stores[node.name]) if node.name in stores else None
            told = tuple(_rate(camera, rates, settings.retention) for camera in cameras)
            kept = sum(stored.get(camera.id, 0) for camera in cameras)
            found.append((NodeForecast(node.name, None, kept, told), there))
    busy: dict[int, float] = {}
    for each, there in found:
        if there is not None:
            busy[there.device] = busy.get(there.device, 0.0) + each.bytes_per_day
    return [
        each
        if there is None or not busy[there.device]
        else replace(each, free=round(there.free * each.bytes_per_day / busy[there.device]))
        for each, there in found
    ]


def _rate(camera: CameraSettings, rates: Mapping[str, CameraRate], policy: RetentionSettings) -> CameraRate:
    return rates.get(camera.id) or assumed_rate(camera.id, policy)
