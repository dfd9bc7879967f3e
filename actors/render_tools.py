"""What a rendering works with: segments, keys and detection as it sees them, and where its package goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from actors.second_looking import LookAnswer, LookOrder
from orvault.clock import Clock
from orvault.container.activation import Activation
from orvault.container.enrolment import NodeTrust
from orvault.custody.recorded import SegmentLike
from orvault.marks.keys import MarkKey
from orvault.vision.mask import FrameDetections
from orvault.vision.site import SiteMasking


class Segments(Protocol):
    """Reads sealed segments where they lie."""

    def read(self, node_id: str, path: str) -> bytes:
        """The sealed bytes. Errors: UNAVAILABLE, NOT_FOUND, STORAGE."""
        ...


class RenderKeys(Protocol):
    """Opens segment keys on a render grant (actors/keys.py)."""

    def open_for_render(self, request_id: str, records: Sequence[SegmentLike]) -> list[bytes]:
        """Segment keys in the order of `records`."""
        ...

    def mark_keys(self, request_id: str, camera_id: str, copy_ids: Sequence[str]) -> list[MarkKey]:
        """What marks a camera's pictures in each of these copies."""
        ...

    def unlocked(self) -> bool:
        """Whether keys can be opened now."""
        ...


class Answer(Protocol):
    """A detection that is under way."""

    def result(self) -> list[FrameDetections]:
        """Wait for it."""
        ...


class Looking(Protocol):
    """A second look that is under way."""

    def result(self) -> LookAnswer:
        """Wait for it."""
        ...


class Detection(Protocol):
    """The detection actors."""

    def width(self) -> int:
        """How many fragments they work on at once."""
        ...

    def models(self) -> str:
        """What tells their models from others: a digest of them. UNAVAILABLE: one of the actors is away."""
        ...

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> Answer:
        """Begin detecting in one clear fragment; `thorough_s` as for `orvault.vision.looking.detect_fragment`."""
        ...

    def look_again(self, order: LookOrder) -> Looking:
        """Begin the second look at a piece of the output."""
        ...


@dataclass(frozen=True)
class RenderTools:
    """What a rendering works with; plain fields, so that tests hand in their own."""

    segments: Segments
    keys: RenderKeys
    detection: Detection
    clock: Clock
    server_identity: Path
    nodes: NodeTrust
    packages: Path
    preset: str
    crf: int
    masking: SiteMasking = field(default_factory=SiteMasking)
    activation: Activation | None = None  # where packages that ask for it are activated
    overlay: bool = True  # whether players draw who is watching
    utc_offset_min: int = 540  # of the clocks in the rooms
    cores: int | None = None  # that a rendering may use; None: those of the machine that it runs on
