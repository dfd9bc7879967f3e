"""HTTP connections with bounds that uvicorn leaves out: how long a request may take, and how large its head may be.

h11 in place of httptools: that one keeps header lines in memory for as long as somebody sends them, before anybody is
asked who they are. How large a body may be, and how long an answer takes, is the apps' business.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0  # a request's head is there by then, or the connection is closed; one that is idle, too
BODY_S = 30.0  # and its body so long after
MOST_HEAD_BYTES = 16 << 10
MOST_CONNECTIONS = 1000  # of one byte server; who comes beyond is answered 503


class BoundedHttp(H11Protocol):
    """One connection."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait(HEAD_S, last=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._wait(HEAD_S, last=False)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """From here on the connection is another protocol's."""
        self._wait_no_more()
        super().handle_websocket_upgrade(event)

    def _wait(self, for_s: float, *, last: bool) -> None:
        self._wait_no_more()
        self._due = self.loop.call_later(for_s, self._look, last)

    def _wait_no_more(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _look(self, last: bool) -> None:
        """Close what has not come; an answer that is being made or fetched is left alone."""
        arrived = self.cycle is not None and not self.cycle.response_complete
        if arrived and not self.cycle.more_body:
            return
        if arrived and not last:
            self._wait(BODY_S, last=True)
        elif not self.transport.is_closing():
            self.transport.close()
