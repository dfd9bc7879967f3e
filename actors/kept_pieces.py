"""The finished pieces of one camera on disk: their names, their keys, and when one counts as finished.

Sealing is render_work.py's; what is written of a piece render_pieces.py's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from actors.render_pieces import Piece
from actors.render_work import RenderWork, result_key
from actors.result_pieces import piece_name
from orvault.errors import OrvaultError
from orvault.video.encoding import Sink

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptPieces:
    """Pieces of the segments in `spans`, whose `keys` these are, in so many `copies`.

    `result_of`: the request whose participants the last copy is for; "": for none.
    """

    camera_id: str
    work: RenderWork
    spans: Sequence[tuple[int, int]]
    keys: Sequence[bytes] = field(repr=False)
    copies: int
    result_of: str

    @contextmanager
    def writing(self, number: int, copy: int) -> Iterator[Sink]:
        """Takes a copy of a piece as it comes out, and keeps it, durably, when the context ends without an error.

        Where nothing was written nothing is kept.
        """
        place = (
            (piece_name(self.camera_id, number), self._result_key(number))
            if self.is_result(copy)
            else (self._name(number, f"copy{copy}"), self._key(number))
        )
        with self.work.putting(*place) as sink:
            yield sink

    def finish(self, number: int, piece: Piece) -> None:
        """The piece's record, with which it counts as finished; its copies are kept before."""
        self.work.put(self._name(number, "piece"), self._key(number), piece.to_bytes())

    def finished(self, number: int) -> Piece | None:
        """A piece that an earlier worker finished, with every copy of it."""
        data = self.work.get(self._name(number, "piece"), self._key(number))
        if data is None:
            return None
        try:
            piece = Piece.read(data)
        except OrvaultError as error:
            log.warning("a piece of a rendering is not usable and is made again: %s", error)
            return None
        copies = range(self.copies) if piece.frames else ()
        whole = all(
            self._has_result(number) if self.is_result(copy) else self.copy(number, copy) is not None
            for copy in copies
        )
        return piece if whole else None

    def copy(self, number: int, copy: int) -> bytes | None:
        """The video of one copy of a piece; None where it cannot be used."""
        return self.work.get(self._name(number, f"copy{copy}"), self._key(number))

    def is_result(self, copy: int) -> bool:
        """Whether this copy is for participants: it lies under a key that opens nothing but the result."""
        return bool(self.result_of) and copy == self.copies - 1

    def _has_result(self, number: int) -> bool:
        return self.work.get(piece_name(self.camera_id, number), self._result_key(number)) is not None

    def _result_key(self, number: int) -> bytes:
        first, end = self.spans[number]
        return result_key(self.result_of, self.work.made_by, self.keys[first:end])

    def _key(self, number: int) -> bytes:
        first, end = self.spans[number]
        return self.work.key(self.keys[first:end])

    def _name(self, number: int, what: str) -> str:
        return f"{self.camera_id}-{number:05d}-{what}"
