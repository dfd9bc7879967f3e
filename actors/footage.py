"""One camera's footage of a request: checked, then opened segment by segment, each verified first.

Clear pictures exist in memory only. What may be opened was decided before; the key service asks again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from actors.render_tools import RenderTools
from orvault.clock import US_PER_S
from orvault.container.gap import check_gap
from orvault.container.segment import open_segment, segment_digest, verify_segment
from orvault.custody.recorded import SegmentLike, StoredSegment
from orvault.custody.stretches import Track, check_gap_node, check_track
from orvault.custody.text import show_time
from orvault.errors import ErrorKind, OrvaultError

KEYS_AT_ONCE = 1_000  # segment keys per history entry; two days of a camera are 86 400


class Step(Protocol):
    """One unit of work is done; `advanced`: for good."""

    def __call__(self, stage: str, *, advanced: bool = False) -> None: ...


class Footage:
    """A camera's segments in a period (UTC microseconds). Nothing is opened before `open_keys`.

    Errors at the making: DAMAGED for what is missing, ALTERED for what does not belong where it stands.
    """

    def __init__(self, track: Track, period_us: tuple[int, int], tools: RenderTools) -> None:
        self.track = track
        self._tools = tools
        self._nodes = tools.nodes.load()
        self._first_seen = check_track(track, *period_us)
        self.keys: list[bytes] = []

    @property
    def title(self) -> str:
        """As people call the camera."""
        return self.track.camera.title

    @property
    def fps(self) -> float:
        """Pictures per second as recorded, over all segments."""
        metas = [segment.header.meta for segment in self.track.segments]
        length_us = sum(meta.end_us - meta.start_us for meta in metas)
        return sum(meta.frames for meta in metas) * US_PER_S / max(1, length_us)

    def sizes(self) -> list[tuple[int, int]]:
        """The one size (pixels) of all pictures; none of no pictures. BAD_MEDIA where it changes."""
        metas = [segment.header.meta for segment in self.track.segments]
        sizes = list(dict.fromkeys((meta.width, meta.height) for meta in metas))
        if len(sizes) > 1:
            (wide, high), (width, height) = sizes[:2]
            raise OrvaultError(
                ErrorKind.BAD_MEDIA,
                f"The camera's picture size changed from {wide}x{high} to {width}x{height}.",
                where=f"camera {self.title}",
                advice="Export the times before and after the change apart.",
            )
        return sizes

    def check_gaps(self) -> None:
        """Gap records are their nodes': a forged one would excuse what was removed."""
        for gap in self.track.gaps:
            check_gap_node(self.track, gap, check_gap(gap, self._nodes, gap.recorded_us))

    def open_keys(self, request_id: str) -> None:
        """Ask for the keys of all segments, for this request."""
        segments = self.track.segments
        for first in range(0, len(segments), KEYS_AT_ONCE):
            self.keys += self._tools.keys.open_for_render(request_id, segments[first : first + KEYS_AT_ONCE])

    def opened(self, first: int, end: int) -> Iterator[tuple[SegmentLike, bytes]]:
        """Each of the segments `first` up to, without, `end` with its clear fragment, verified first.

        1. the node's certificate, as it stood when the server first saw the segment; 2. the signature and the
        ciphertext's digest; 3. that it is the segment the ledger means, whose place in its run was checked; 4. the
        chunks, while opening.
        """
        for segment, key in zip(self.track.segments[first:end], self.keys[first:end], strict=True):
            certificate = self._nodes.certificate_of(segment.header, self._first_seen(segment))
            data = self._read(segment)
            header = verify_segment(data, certificate)
            if header != segment.header or segment_digest(data) != segment.digest:
                raise _altered(segment, "is not the one that was indexed")
            yield segment, open_segment(data, key)

    def _read(self, segment: StoredSegment) -> bytes:
        meta = segment.header.meta
        try:
            return self._tools.segments.read(meta.node_id, segment.path)
        except OrvaultError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            raise OrvaultError(
                ErrorKind.DAMAGED,
                f"Segment {meta.sequence} of run {meta.run_id} ({show_time(meta.start_us)}) was indexed on"
                f" {show_time(segment.indexed_us)} and is not on this node's disk any more.",
                where=f"node {meta.node_id}, {segment.path}",
                advice="Look for it in a copy of that disk. A period that leaves it out can still be asked for.",
            ) from error


def _altered(segment: SegmentLike, what: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.ALTERED, f"segment {segment.header.meta.segment_id} {what}.", where=segment.path
    )
