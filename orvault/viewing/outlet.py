"""One viewer's way out: what it is sent next. A switch empties it first, and nothing leaves that shows more than now.

Filled from a camera's thread, emptied from whichever loop the viewer's connection lives in.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from orvault.custody.viewing import Showing

MOST_PIECES = 60  # a few seconds; a viewer who takes them slower than they come starts anew


@dataclass(frozen=True, slots=True)
class Begin:
    """Another stream begins: forget what is buffered. `init` is the first data of it (docs/format/view-v1.md)."""

    showing: Showing
    reason: str
    codec: str
    init: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture: an MP4 fragment."""

    showing: Showing
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """Words to the viewer; `blank`: show nothing meanwhile, `over`: nothing more comes."""

    words: str
    blank: bool = True
    over: bool = False


Message = Begin | Shown | Notice


class Outlet:
    """A queue that forgets rather than grows. `notify` is called when something is in it."""

    def __init__(self, view_id: str, name: str, notify: Callable[[], None]) -> None:
        self.view_id, self.name = view_id, name
        self._notify = notify
        self._lock = threading.Lock()
        self._queue: deque[Message] = deque()
        self.source: object = None  # whose stream it gets now; None: the next picture begins one

    def begin(self, source: object, begin: Begin) -> None:
        """From here on another stream; what of the last one waits is dropped."""
        self._replace(source, begin)

    def put(self, shown: Shown) -> None:
        """One more picture. A viewer who is too slow loses what waits, and gets a new beginning with the next."""
        with self._lock:
            if len(self._queue) >= MOST_PIECES:
                self._queue.clear()
                self.source = None
                return
            self._queue.append(shown)
        self._notify()

    def tell(self, notice: Notice) -> None:
        """Words instead of pictures; what waits is dropped."""
        self._replace(None, notice)

    def take(self) -> Message | None:
        """The next message, None if there is none."""
        with self._lock:
            return self._queue.popleft() if self._queue else None

    def _replace(self, source: object, message: Message) -> None:
        with self._lock:
            self._queue.clear()
            self._queue.append(message)
            self.source = source
        self._notify()
