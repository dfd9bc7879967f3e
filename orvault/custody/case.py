"""A case (one operation of one patient) and the recordings made under it: values and the states they may
take.

A recording is lawful only under an armed case (Medical Service Act art. 38-2), so every run hangs on one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orvault.container.keys import PublicKey
from orvault.custody.intake import Intake, Refusal
from orvault.custody.patients import SealedPatient
from orvault.custody.text import clean_text, show_time
from orvault.errors import ErrorKind, OrvaultError

MAX_PARTICIPANTS = 60
MAX_CAMERAS = 32


class CaseState(StrEnum):
    """Where a case stands; recording falls back to armed when the last camera stops before the close."""

    PLANNED = "planned"
    ARMED = "armed"
    RECORDING = "recording"
    CLOSED = "closed"


_NEXT: dict[CaseState, frozenset[CaseState]] = {
    CaseState.PLANNED: frozenset({CaseState.ARMED, CaseState.CLOSED}),
    CaseState.ARMED: frozenset({CaseState.RECORDING, CaseState.CLOSED}),
    CaseState.RECORDING: frozenset({CaseState.RECORDING, CaseState.ARMED, CaseState.CLOSED}),
    CaseState.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `recording_request` names the patient's (or guardian's) request that makes recording
    lawful.
    """

    case_id: str
    number: str
    room: str
    planned_us: int
    recording_request: str
    participants: tuple[str, ...]
    state: CaseState
    created_us: int
    created_by: str
    case_key: PublicKey | None = None
    armed_us: int | None = None
    armed_by: str | None = None
    closed_us: int | None = None
    closed_by: str | None = None
    intake: Intake | None = None
    refusal: Refusal | None = None
    patient: SealedPatient | None = None


@dataclass(frozen=True, slots=True)
class CasePlan:
    """What is needed to plan a case; `checked` returns it cleaned or raises BAD_REQUEST."""

    number: str
    room: str
    planned_us: int
    recording_request: str
    participants: tuple[str, ...] = ()
    intake: Intake | None = None
    patient_reference: str = field(default="", repr=False)

    def checked(self, now_us: int) -> CasePlan:
        """The plan with every text cleaned and bounded."""
        return replace(
            self,
            number=clean_text(self.number, "number", longest=64),
            room=clean_text(self.room, "room", longest=64),
            recording_request=clean_text(self.recording_request, "recording_request", longest=200),
            participants=check_participants(self.participants),
            intake=None if self.intake is None else self.intake.checked(now_us),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """One camera recording under one case from a start to a stop.

    `epoch` counts the runs of the camera: whatever carries an older one is from a recorder that was replaced.
    A stop is first ordered, then confirmed by the recorder; in between the camera counts as occupied.
    """

    run_id: str
    case_id: str
    camera_id: str
    epoch: int
    started_us: int
    started_by: str
    stop_ordered_us: int | None = None
    stop_ordered_by: str | None = None
    stop_reason: str | None = None
    stopped_us: int | None = None

    @property
    def open(self) -> bool:
        """Whether the recorder has not confirmed that it stopped."""
        return self.stopped_us is None

    @property
    def recording(self) -> bool:
        """Whether nobody has ordered it to stop."""
        return self.stop_ordered_us is None


def check_participants(names: Sequence[str], known: Sequence[str] = ()) -> tuple[str, ...]:
    """The names, cleaned, as they come to those that are `known`; BAD_REQUEST for too many or one named twice."""
    clean = tuple(clean_text(name, f"participants[{i}]", longest=80) for i, name in enumerate(names))
    together = [*known, *clean]
    if len(together) > MAX_PARTICIPANTS:
        message = f"{len(together)} participants are named; at most {MAX_PARTICIPANTS} are kept."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="participants")
    if len({name.casefold() for name in together}) != len(together):
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "A participant is named twice.",
            where="participants",
            advice="Tell two people of the same name apart, for instance by department.",
        )
    return clean


def check_step(case: Case, to: CaseState) -> None:
    """Raise CONFLICT or NOT_ARMED, saying how the case stands, when it may not take this step."""
    if to in _NEXT[case.state]:
        return
    if to is CaseState.RECORDING:
        raise OrvaultError(
            ErrorKind.NOT_ARMED,
            f"Case {case.number} is {case.state.value}; cameras record only under an armed case.",
            advice="Arm the case first." if case.state is CaseState.PLANNED else "Plan a new case.",
        )
    since = f" since {show_time(case.closed_us)}" if case.closed_us is not None else ""
    message = f"Case {case.number} is {case.state.value}{since} and cannot become {to.value}."
    raise OrvaultError(ErrorKind.CONFLICT, message, advice="Look at the case's state before the next step.")


def check_stop_reason(reason: str) -> str:
    """The cleaned reason for a stop before the close; BAD_REQUEST when none was given."""
    if not reason.strip():
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "Stopping before the case is closed needs a reason.",
            where="reason",
            advice="Say why the recording ends now, or close the case instead.",
        )
    return clean_text(reason, "reason", longest=500)
