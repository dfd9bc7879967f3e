"""What staff must see in a room, in words, and what history keeps of the devices there that fail and come back.

When a case is late or a reason is due, `rooms` says; here are the devices: cameras, pedals, gestures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orvault.clock import US_PER_S
from orvault.container.canonical import Fields, decode
from orvault.custody.case import Run
from orvault.custody.desks.base import SYSTEM
from orvault.custody.history import Act, Detail, Entry
from orvault.custody.ports import CameraInfo, CameraStatus, TriggerReport, Trouble, TroubleKind
from orvault.custody.rows import UnitOfWork
from orvault.text import printable

_WELL = frozenset({"idle", "recording", "connecting"})  # what a camera says of itself when nothing is wrong
_DETAIL_BYTES = 8192
_WORD_CHARS, _DEVICE_CHARS, _WHY_CHARS = 64, 128, 300
_TROUBLES = 8  # a room has one pedal and one pair of eyes
_SETTLED_US = 3 * US_PER_S  # a pedal that is plugged into another socket is no alarm
_FOLLOWS_US = 15 * US_PER_S  # a camera that was told to start does so in a second; it is told again after 15
NOT_FOLLOWING = "not-following"
DISK_LOW = "disk-low"
_CAMERA_WORDS = {
    "frozen": "The camera {title} sends no pictures. What it misses is lost.",
    "refused": "The camera {title} refuses its user name or password, or knows no such stream. "
    "What it misses is lost.",
    "not-storing": "Nothing of the camera {title} is stored, although it is there. What it misses is lost. "
    "Call who keeps its recorder.",
    DISK_LOW: "The disk that the camera {title} records to is filling up. Call who keeps its recorder, "
    "before it has to stop.",
    NOT_FOLLOWING: "The camera {title} is to record and does not. It is told again until it follows; "
    "what it misses is lost.",
}
_CAMERA_AWAY = "The camera {title} cannot be reached. What it misses is lost."
_TRIGGER_WORDS = {
    TroubleKind.PEDAL_LOST: "The pedal {device} cannot be read. {why} "
    "Plug it in; until then use a gesture or the screen.",
    TroubleKind.GESTURES_BLIND: "Raised hands are not seen by {device}. {why} "
    "Look at the camera; until then use the pedal or the screen.",
    TroubleKind.GESTURES_FAILING: "Raised hands are not recognised on {device}. {why} "
    "Call who keeps the server; until then use the pedal or the screen.",
    TroubleKind.TRIGGERS_LOST: "Neither pedal nor gestures answer. {why} "
    "Look at the machine that they belong to; until then use the screen.",
}


class AlarmKind(StrEnum):
    """What may be wrong in a room; the last four are `TroubleKind`'s."""

    LATE_START = "late-start"
    STOP_LAPSED = "stop-lapsed"
    REASON_DUE = "reason-due"
    CAMERA_LOST = "camera-lost"
    PEDAL_LOST = "pedal-lost"
    GESTURES_BLIND = "gestures-blind"
    GESTURES_FAILING = "gestures-failing"
    TRIGGERS_LOST = "triggers-lost"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that staff must see; `text` says it to them, and what to do. `case_id` is empty without a case."""

    kind: AlarmKind
    room: str
    case_id: str
    since_us: int
    text: str


@dataclass(frozen=True, slots=True)
class News:
    """What history has yet to be told of a device."""

    act: Act
    subject: str
    detail: Detail

    def write(self, uow: UnitOfWork, at_us: int) -> None:
        """Put it there; the caller commits."""
        uow.history.append(at_us, SYSTEM, self.act, self.subject, self.detail)


def rooms_of(uow: UnitOfWork) -> list[str]:
    """The rooms in which a camera stands, by name."""
    return sorted({camera.room for camera in uow.cameras.all() if not camera.removed})


@dataclass(frozen=True, slots=True)
class Devices:
    """The cameras of some rooms, and what history was last told of them and of the rooms' triggers, by subject."""

    cameras: tuple[CameraInfo, ...]
    noted: Mapping[str, Entry]


def devices_in(uow: UnitOfWork, rooms: Collection[str]) -> Devices:
    """The devices of these rooms."""
    cameras = tuple(camera for camera in uow.cameras.all() if camera.room in rooms)
    subjects = {*map(_camera_subject, cameras), *map(_trigger_subject, rooms)}
    return Devices(cameras, uow.history.newest(subjects))


def camera_news(
    here: Devices,
    statuses: Mapping[str, CameraStatus],
    rooms: Collection[str],
    runs: Iterable[Run] = (),
    now_us: int = 0,
) -> list[News]:
    """Cameras of these rooms that were lost, or came back, since history was last told.

    `runs`: what is to record. A camera that does not follow its run for a while is lost too, however well it is.
    """
    due = {run.camera_id: run.run_id for run in runs if now_us - run.started_us > _FOLLOWS_US}
    news = []
    for camera in here.cameras:
        if camera.room not in rooms:
            continue
        state = _camera_trouble(statuses.get(camera.camera_id), due.get(camera.camera_id))
        if state != _noted_camera(here, camera)[0]:
            act, detail = (Act.CAMERA_LOST, {"state": state}) if state else (Act.CAMERA_BACK, {})
            news.append(News(act, _camera_subject(camera), detail))
    return news


def lost_cameras(here: Devices, room: str, case_id: str) -> list[Alarm]:
    """Alarms for the cameras of a room that were lost when history was last told."""
    alarms = []
    for camera in here.cameras:
        state, since_us = _noted_camera(here, camera) if camera.room == room else ("", 0)
        if state:
            text = _CAMERA_WORDS.get(state, _CAMERA_AWAY).format(title=camera.title)
            alarms.append(Alarm(AlarmKind.CAMERA_LOST, room, case_id, since_us, text))
    return alarms


def trigger_news(
    here: Devices, rooms: Collection[str], reports: Sequence[TriggerReport], now_us: int
) -> list[News]:
    """Which of these rooms' pedals or gestures fail otherwise than history was last told; a room without a report has
    no trouble.
    """
    reported = {report.room: report.troubles for report in reports}
    news = []
    for room in sorted(rooms):
        troubles = [one for one in reported.get(room, ()) if _lasts(one, now_us)]
        if {(one.kind, one.device) for one in troubles} == {
            (one.kind, one.device) for one in _noted_troubles(here, room)
        }:
            continue
        act = Act.TRIGGERS_LOST if troubles else Act.TRIGGERS_BACK
        detail: Detail = {"troubles": [_written(one) for one in troubles[:_TROUBLES]]} if troubles else {}
        news.append(News(act, _trigger_subject(room), detail))
    return news


def lost_triggers(here: Devices, room: str, case_id: str) -> list[Alarm]:
    """Alarms for the pedal and the gestures of a room, as history was last told; also while no case is armed."""
    return [
        Alarm(
            AlarmKind(one.kind.value),
            room,
            case_id,
            one.since_us,
            _TRIGGER_WORDS[one.kind].format(device=one.device, why=one.detail),
        )
        for one in _noted_troubles(here, room)
    ]


def _camera_trouble(status: CameraStatus | None, run_id: str | None) -> str:
    """What is wrong with a camera that says this of itself and should record this run; empty if nothing is."""
    if status is None:
        return "lost"
    well = status.state in _WELL
    # Before the disk: that fills up some day, and this loses pictures now.
    if (well or status.state == DISK_LOW) and run_id is not None and status.run_id != run_id:
        return NOT_FOLLOWING
    return "" if well else status.state[:_WORD_CHARS]


def _noted_camera(here: Devices, camera: CameraInfo) -> tuple[str, int]:
    """What history says is wrong with the camera (empty: nothing), and since when."""
    entry = here.noted.get(_camera_subject(camera))
    if entry is None or entry.act != Act.CAMERA_LOST.value:
        return "", 0
    return _read(entry.detail, entry.seq).text("state", _WORD_CHARS), entry.at_us


def _noted_troubles(here: Devices, room: str) -> list[Trouble]:
    """What history says is wrong with the room's pedal and gestures."""
    entry = here.noted.get(_trigger_subject(room))
    if entry is None or entry.act != Act.TRIGGERS_LOST.value:
        return []
    written = _read(entry.detail, entry.seq)
    return [_trouble(Fields(item, written.where)) for item in written.items("troubles", 1, _TROUBLES)]


def _read(detail: str, seq: int) -> Fields:
    where = f"entry {seq} of history"
    return Fields(decode(detail.encode(), max_bytes=_DETAIL_BYTES, where=where), where)


def _written(trouble: Trouble) -> dict[str, object]:
    return {
        "kind": trouble.kind.value,
        "device": printable(trouble.device[:_DEVICE_CHARS]),
        "since_us": trouble.since_us,
        "detail": printable(trouble.detail[:_WHY_CHARS]),  # else nobody could read the entry again
    }


def _trouble(fields: Fields) -> Trouble:
    kind = fields.text("kind", _WORD_CHARS)
    if kind not in set(TroubleKind):
        raise fields.fail("kind", "is unknown")
    device, since_us = fields.text("device", _DEVICE_CHARS), fields.integer("since_us")
    return Trouble(TroubleKind(kind), device, since_us, fields.text("detail", _WHY_CHARS))


def _lasts(trouble: Trouble, now_us: int) -> bool:
    return trouble.kind is TroubleKind.TRIGGERS_LOST or now_us - trouble.since_us >= _SETTLED_US


def _camera_subject(camera: CameraInfo) -> str:
    return f"recorder:{camera.camera_id}"  # its own: views and the quick mask stand under camera:ID


def _trigger_subject(room: str) -> str:
    return f"triggers:{room}"
