"""Shows a masked result to a participant, piece by piece: the playlist, the switch and the notes of a stored view.

No segment is opened here: the key service gives out what opens a piece of this result, and nothing else.
"""

from __future__ import annotations

import threading

from actors.render_work import work_folder
from actors.result_pieces import ResultPieces, opened_piece, piece_name
from actors.stored_views import StoredTools, allowed_now, check_number
from orvault.custody.service import CustodyService, OpenedView
from orvault.custody.viewing import Showing, shows_more
from orvault.errors import ErrorKind, OrvaultError
from orvault.viewing.board import Board
from orvault.viewing.results import ResultPiece
from orvault.viewing.seen import Seen
from orvault.viewing.stored import Box, StoredVideo
from orvault.vision.watermark import Anchor

BESIDE_WATERMARKS = Anchor.TOP_RIGHT  # where a watermark lies only if it was asked for there


class ResultView:
    """One view of a result, from its first request on. One segment is made at a time."""

    def __init__(
        self, opened: OpenedView, custody: CustodyService, board: Board, tools: StoredTools, seen: Seen
    ) -> None:
        view = opened.view
        assert view.from_us is not None and view.to_us is not None, "a stored view has its period"
        self._opened, self._board, self._tools, self._seen = opened, board, tools, seen
        self._folder = work_folder(tools.packages, view.request_id or "")
        self._list = ResultPieces.read(self._folder)
        self._spans = self._list.cameras.get(view.camera_id, ())
        # What was indexed since is not in the result.
        self._piece_of = {each: number for number, span in enumerate(self._spans) for each in span}
        recorded = {each.header.meta.segment_id: each for each in custody.view_segments(view.view_id)}
        self._records = {each: found for each, found in recorded.items() if each in self._piece_of}
        self.video = StoredVideo(tuple(self._records.values()), view.from_us, view.to_us)
        self._held: tuple[int, ResultPiece] | None = None
        self._lock = threading.Lock()

    def segment(self, number: int) -> bytes:
        """The playlist's segment of this number: the result with the viewer's name in it, or a mosaic of it.

        1. what the board says now; 2. the piece, opened on the key service's word; 3. made; 4. once more what the
        board says: what was masked meanwhile is made again.
        Errors: NOT_FOUND, FORBIDDEN (over), GRANT_MISSING, KEYS_LOCKED, DAMAGED, ALTERED, UNAVAILABLE.
        """
        check_number(self.video, number)
        stretch = self.video.stretches[number]
        with self._lock:
            while True:
                showing = allowed_now(self._board, self._opened).showing
                pictures = self._piece(number).pictures(stretch.from_us, stretch.to_us)
                name = self._opened.viewer if showing is not Showing.MASKED else None
                made = self.video.dressed(number, pictures, name, BESIDE_WATERMARKS)
                if not shows_more(showing, allowed_now(self._board, self._opened).showing):
                    break
        self._seen.add(stretch.from_us, stretch.to_us, self.told(showing))
        return made

    def still(self, _at_us: int, _box: Box) -> bytes:
        """Stills are for choosing masks; of a result there are none. NOT_FOUND."""
        raise OrvaultError(ErrorKind.NOT_FOUND, "Of a result there are no stills.")

    def told(self, showing: Showing) -> Showing:
        """What it shows where the board says `showing`."""
        return Showing.MASKED if showing is Showing.MASKED else Showing.PEOPLE

    def _piece(self, number: int) -> ResultPiece:
        piece = self._piece_of[self.video.stretches[number].segment.header.meta.segment_id]
        if self._held is None or self._held[0] != piece:
            wanted = self._spans[piece]
            records = [self._records[each] for each in wanted if each in self._records]
            view_id, made_by = self._opened.view.view_id, self._list.made_by
            key = self._tools.keys.open_for_result(view_id, made_by, records)
            name = piece_name(self._opened.view.camera_id, piece)
            self._held = piece, opened_piece(self._folder, made_by, name, key)
        return self._held[1]
