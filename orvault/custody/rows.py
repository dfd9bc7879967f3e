"""What custody needs of the ledger, as protocols: rows of each kind, and the transaction that holds them together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from orvault.container.gap import Gap
from orvault.container.keys import KeySlot
from orvault.custody.account import AccountRows
from orvault.custody.activation import ActivationRows
from orvault.custody.api_key import ApiKeyRows
from orvault.custody.case import Case, CaseState, Run
from orvault.custody.checkpoints import CheckpointRows
from orvault.custody.destruction import DestructionRows
from orvault.custody.directory import DirectoryRows
from orvault.custody.history import Act, Detail, Entry
from orvault.custody.notices import NoticeRows
from orvault.custody.ports import CameraInfo
from orvault.custody.recorded import (
    RunSummary,
    RunsWanted,
    SegmentLike,
    Span,
    StoredGap,
    StoredSegment,
    Stretch,
    Volume,
)
from orvault.custody.request import ExportRequest
from orvault.custody.request_rows import RequestRows
from orvault.custody.retention import RetentionRows
from orvault.custody.scan import ScanRows
from orvault.custody.scope import Reach
from orvault.custody.search import SearchRows
from orvault.custody.second_factor import SecondFactorRows
from orvault.custody.session import SessionRows
from orvault.custody.signals import ReasonRows, SignalRows
from orvault.custody.throttle import SignInRows
from orvault.custody.viewing import MaskRows, ViewRows
from orvault.custody.viewing_request import ViewingRequestRows
from orvault.custody.watermark import WatermarkImageRows


class CameraRows(Protocol):
    """The cameras that the settings name or named."""

    def put(self, camera: CameraInfo, at_us: int) -> None: ...
    def get(self, camera_id: str) -> CameraInfo | None: ...
    def all(self) -> Sequence[CameraInfo]: ...
    def remove(self, camera_id: str) -> None:
        """Take its room away; the row stays, because recordings name it."""
        ...


class CaseRows(Protocol):
    """Cases with their participants."""

    def add(self, case: Case) -> None: ...
    def get(self, case_id: str) -> Case | None: ...
    def by_number(self, number: str) -> Case | None: ...
    def put_state(self, case: Case) -> None:
        """Write the state and what came with it; of the plan itself, participants alone change."""
        ...

    def add_participants(self, case: Case, names: Sequence[str]) -> None:
        """Write these behind those that the case has."""
        ...

    def page(self, reach: Reach, state: CaseState | None, limit: int, before: str) -> Sequence[Case]: ...
    def of_patient(self, reach: Reach, digest: str) -> Sequence[Case]:
        """Those in reach with this hash of the patient reference, the newest first."""
        ...

    def those(self, case_ids: Collection[str]) -> Mapping[str, Case]: ...
    def in_room(self, room: str) -> Case | None:
        """The room's armed or recording case; without one, the case closed there last."""
        ...

    def in_rooms(self, rooms: Sequence[str]) -> Mapping[str, Case]:
        """The same by room, of those that have one."""
        ...

    def armed(self) -> Sequence[Case]:
        """Every armed or recording case."""
        ...


class RunRows(Protocol):
    """Runs: at most one open per camera."""

    def add(self, run: Run) -> None: ...
    def get(self, run_id: str) -> Run | None: ...
    def put(self, run: Run) -> None: ...
    def of_case(self, case_id: str) -> Sequence[Run]: ...
    def of_cases(self, case_ids: Collection[str]) -> Mapping[str, Sequence[Run]]: ...
    def open_on(self, camera_id: str) -> Run | None: ...
    def recording(self) -> Sequence[Run]: ...
    def stopping(self) -> Sequence[Run]: ...
    def last_epoch(self, camera_id: str) -> int: ...
    def at_epoch(self, camera_id: str, epoch: int) -> Run | None: ...


class SegmentRows(Protocol):
    """Segments: an index over what lies on the nodes' disks."""

    def digest_of(self, segment_id: str) -> str | None: ...
    def digest_at(self, run_id: str, sequence: int) -> str | None: ...
    def add(self, segment: SegmentLike, at_us: int) -> None: ...
    def of(self, case_id: str, camera_id: str, from_us: int, to_us: int) -> Sequence[StoredSegment]:
        """Those that overlap from-to, in order of their start."""
        ...

    def spans(self, case_id: str, camera_id: str) -> Sequence[Span]: ...
    def known_in(self, request: ExportRequest, segment_ids: Sequence[str]) -> set[str]:
        """Those of the ids that belong to the request's case, cameras and period."""
        ...

    def sealed_to(self, case_id: str, thumbprint: str, after_id: str, limit: int) -> Sequence[StoredSegment]:
        """Segments of the case that have a slot for this key, by id, from behind `after_id` on."""
        ...

    def last(
        self, run_id: str, *, below: int | None = None, before_us: int | None = None
    ) -> StoredSegment | None:
        """The run's segment with the highest number; `below` a number, or that begins `before_us`."""
        ...

    def following(self, run_id: str, after: int, upto: int | None = None) -> Sequence[StoredSegment]:
        """The run's segments behind the number `after`, as far as the number `upto`; None: the next one."""
        ...

    def stretches_of(self, run_id: str) -> Sequence[Stretch]: ...
    def join_anew(self, run_id: str) -> None:
        """Make the run's stretches anew, from its segments."""
        ...

    def put_slots(self, segment_id: str, slots: Sequence[KeySlot]) -> bool:
        """Give a segment other key slots; False if it is not known."""
        ...

    def volumes(self, from_us: int) -> Sequence[Volume]:
        """How much each camera recorded from this time on."""
        ...

    def summaries(self, reach: Reach, wanted: RunsWanted) -> Sequence[RunSummary]: ...


class MovedRunRows(Protocol):
    """Runs that have segments which no anchor in history covers yet: a handful, however old the ledger is."""

    def note(self, run_id: str) -> None: ...
    def some(self, limit: int) -> Sequence[str]: ...
    def clear(self, run_ids: Sequence[str]) -> None: ...


class GapRows(Protocol):
    """Gaps, kept for ever: a hole in the evidence must stay explainable."""

    def add(self, gap: Gap, at_us: int) -> bool:
        """Keep it; False when it was known."""
        ...

    def of(self, case_id: str, camera_id: str, from_us: int, to_us: int) -> Sequence[StoredGap]:
        """Those that overlap from-to, in order of time."""
        ...


class HistoryRows(Protocol):
    """The append-only history; rows cannot be changed or removed."""

    def append(self, at_us: int, actor: str, act: Act, subject: str, detail: Detail) -> Entry: ...
    def size(self) -> int: ...
    def page(
        self, before_seq: int | None, limit: int, *, subject: str | None, actor: str | None, act: str | None
    ) -> Sequence[Entry]:
        """The newest first."""
        ...

    def newest(self, subjects: Collection[str]) -> Mapping[str, Entry]:
        """The newest entry about each of these, where there is one."""
        ...

    def seq_at(self, at_us: int) -> int:
        """The number of the first entry that is not older than this; the size if all are."""
        ...

    def span(self, subject: str, begin: int, end: int) -> Sequence[Entry]:
        """Entries about an object with numbers from `begin` up to, without, `end`, the oldest first."""
        ...

    def run_through(
        self, from_seq: int, limit: int, *, acts: Collection[Act] | None = None
    ) -> Sequence[Entry]:
        """The oldest first, for checking; or those of some acts."""
        ...


class UnitOfWork(Protocol):
    """One transaction. Leaving the block without `commit()` undoes everything.

    Writers take turns: between entering and leaving, no other process writes, so what was checked stays true.
    """

    @property
    def accounts(self) -> AccountRows: ...
    @property
    def sessions(self) -> SessionRows: ...
    @property
    def sign_ins(self) -> SignInRows: ...
    @property
    def second_factors(self) -> SecondFactorRows: ...
    @property
    def api_keys(self) -> ApiKeyRows: ...
    @property
    def activations(self) -> ActivationRows: ...
    @property
    def cameras(self) -> CameraRows: ...
    @property
    def cases(self) -> CaseRows: ...
    @property
    def runs(self) -> RunRows: ...
    @property
    def segments(self) -> SegmentRows: ...
    @property
    def moved_runs(self) -> MovedRunRows: ...
    @property
    def gaps(self) -> GapRows: ...
    @property
    def signals(self) -> SignalRows: ...
    @property
    def reasons(self) -> ReasonRows: ...
    @property
    def requests(self) -> RequestRows: ...
    @property
    def scans(self) -> ScanRows: ...
    @property
    def history(self) -> HistoryRows: ...
    @property
    def checkpoints(self) -> CheckpointRows: ...
    @property
    def notices(self) -> NoticeRows: ...
    @property
    def watermark_images(self) -> WatermarkImageRows: ...
    @property
    def masks(self) -> MaskRows: ...
    @property
    def views(self) -> ViewRows: ...
    @property
    def viewing_requests(self) -> ViewingRequestRows: ...
    @property
    def retention(self) -> RetentionRows: ...
    @property
    def destructions(self) -> DestructionRows: ...
    @property
    def directory(self) -> DirectoryRows: ...
    @property
    def search(self) -> SearchRows: ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def commit(self) -> None:
        """Make it durable."""
        ...


class UnitsOfWork(Protocol):
    """Opens transactions; a read-only one sees one moment and waits for nobody."""

    def __call__(self, *, read_only: bool = False) -> UnitOfWork: ...
