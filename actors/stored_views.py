"""Opens what a stored view is made of, verified and on the key service's word, and has its segments made.

Keys come a minute's worth at a time, each time after history; they are asked for anew when more is to be shown than
they were opened for. Clear pictures exist here in memory only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from actors.render_tools import Segments
from orvault.container.enrolment import NodeTrust
from orvault.container.segment import open_segment, segment_digest, verify_segment
from orvault.custody.recorded import SegmentLike, StoredSegment
from orvault.custody.service import CustodyService, OpenedView
from orvault.custody.viewing import Showing, ViewDecision, least, shows_more
from orvault.errors import ErrorKind, OrvaultError
from orvault.viewing.board import Board
from orvault.viewing.seen import Seen
from orvault.viewing.stored import Box, StoredVideo

KEYS_AT_ONCE = 30  # segments: about a minute
STILL_US = 100_000  # what history counts for one picture


class ViewKeys(Protocol):
    """Opens segment keys for a view (actors/keys.py)."""

    def open_for_view(self, view_id: str, records: list[StoredSegment]) -> tuple[Showing, list[bytes]]:
        """How much the view may show, and the keys in the order of `records`."""
        ...

    def open_for_result(self, view_id: str, made_by: str, records: list[StoredSegment]) -> bytes:
        """What opens the piece of a masked result that was made of these segments."""
        ...


@dataclass(frozen=True)
class StoredTools:
    """Where recordings are read, what opens them, which nodes are believed, and where results are kept."""

    segments: Segments
    keys: ViewKeys
    nodes: NodeTrust
    packages: Path


class StoredView:
    """One view of a recording, from its first request on. One segment is made at a time."""

    def __init__(
        self, opened: OpenedView, custody: CustodyService, board: Board, tools: StoredTools, seen: Seen
    ) -> None:
        view = opened.view
        assert view.from_us is not None and view.to_us is not None, "a stored view has its period"
        self._opened, self._board, self._tools, self._seen = opened, board, tools, seen
        self._nodes = tools.nodes.load()
        self.video = StoredVideo(custody.view_segments(view.view_id), view.from_us, view.to_us)
        self._keys: dict[int, tuple[Showing, bytes]] = {}
        self._lock = threading.Lock()

    def segment(self, number: int) -> bytes:
        """The playlist's segment of this number, showing what the view shows now.

        1. what the board says now; 2. keys, opened for at least that, or for less: then less is shown; 3. verified,
        opened, made; 4. once more what the board says: what was masked meanwhile is made again.
        Errors: NOT_FOUND, FORBIDDEN (over), GRANT_MISSING, KEYS_LOCKED, ALTERED, DAMAGED, UNTRUSTED, UNAVAILABLE.
        """
        check_number(self.video, number)
        made, showing, grant_id = self._made(number, partial(self.video.segment, number))
        stretch = self.video.stretches[number]
        self._note(stretch.from_us, stretch.to_us, showing, grant_id)
        return made

    def still(self, at_us: int, box: Box) -> bytes:
        """One picture (JPEG) of this moment with a box (millionths of its sides) drawn in; as `segment` else."""
        number = self.video.at(at_us)

        def make(fragment: bytes, showing: Showing, name: str) -> bytes:
            return self.video.still(number, fragment, at_us, box, showing, name)

        made, showing, grant_id = self._made(number, make)
        self._note(at_us, at_us + STILL_US, showing, grant_id)
        return made

    def _made(self, number: int, make: Callable[[bytes, Showing, str], bytes]) -> tuple[bytes, Showing, str]:
        """The picture or segment, how much it shows, and by which viewing grant."""
        with self._lock:
            while True:
                wanted = allowed_now(self._board, self._opened).showing
                allowed, key = self._key(number, wanted)
                showing = least(wanted, allowed)
                made = make(self._fragment(number, key), showing, self._opened.viewer)
                now = allowed_now(self._board, self._opened)
                if not shows_more(showing, now.showing):
                    return made, showing, now.grant_id

    def _note(self, from_us: int, to_us: int, showing: Showing, grant_id: str) -> None:
        self._seen.add(from_us, to_us, self.told(showing), grant_id)

    def told(self, showing: Showing) -> Showing:
        """What it shows where the board says `showing`: people-masked pictures are made live and in exports only."""
        return Showing.CLEAR if showing is Showing.CLEAR else Showing.MASKED

    def _key(self, number: int, wanted: Showing) -> tuple[Showing, bytes]:
        held = self._keys.get(number)
        if held is not None and not shows_more(wanted, held[0]):
            return held
        some = range(number, min(number + KEYS_AT_ONCE, len(self.video.stretches)))
        records = [self.video.stretches[each].segment for each in some]
        showing, keys = self._tools.keys.open_for_view(self._opened.view.view_id, records)
        # Kept for the segments that follow; what was passed is opened anew.
        self._keys = {each: (showing, key) for each, key in zip(some, keys, strict=True)}
        return self._keys[number]

    def _fragment(self, number: int, key: bytes) -> bytes:
        segment = self.video.stretches[number].segment
        certificate = self._nodes.certificate_of(segment.header, segment.indexed_us)
        data = self._tools.segments.read(segment.header.meta.node_id, segment.path)
        header = verify_segment(data, certificate)
        if header != segment.header or segment_digest(data) != segment.digest:
            raise _altered(segment)
        return bytes(open_segment(data, key))


def allowed_now(board: Board, opened: OpenedView) -> ViewDecision:
    """What this view may show at this moment. Errors: FORBIDDEN (over)."""
    decision = board.decision(opened.view.view_id)
    if not decision.allowed:
        raise OrvaultError(ErrorKind.FORBIDDEN, decision.reason, advice="Ask for a new view.")
    return decision


def check_number(video: StoredVideo, number: int) -> None:
    """NOT_FOUND for a segment that the playlist does not have."""
    if not 0 <= number < len(video.stretches):
        raise OrvaultError(ErrorKind.NOT_FOUND, "The view has no such segment.", where=str(number))


def _altered(segment: SegmentLike) -> OrvaultError:
    words = f"segment {segment.header.meta.segment_id} is not the one that was indexed."
    return OrvaultError(ErrorKind.ALTERED, words, where=segment.path)
