"""Keeps packets coming from a camera that goes away and comes back, and tells of every time it was gone.

It opens and closes sources, nothing else; the camera's actor runs it in a thread of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import tenacity

from orvault.clock import US_PER_S, Clock
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.packet import Packet, PacketSource

# What can pass by itself. Refused is among them: a password is changed on the camera first and here later, or
# back.
PASSING = frozenset(
    {
        ErrorKind.CAMERA_UNREACHABLE,
        ErrorKind.CAMERA_REFUSED,
        ErrorKind.CAMERA_STALLED,
        ErrorKind.BAD_MEDIA,
    }
)
_NAP_S = 0.25  # how soon a waiting camera notices that it is to stop


def _never() -> bool:
    return False


@dataclass(frozen=True)
class ReconnectPolicy:
    """Waits between attempts grow from about `first_s` to `most_s`, each drawn at random below its bound.

    Drawn, because all cameras of a switch that was restarted would otherwise come back in the same instant,
    again and again. After a refused password `refused_s` pass: cameras lock out who tries too often.
    `stopping` is asked between attempts and packets. `on_failure` hears of a loss at once, before any
    waiting, and of each failed attempt: time to flush the cutter (what it holds is not durable yet) and to
    show the camera's status.
    """

    first_s: float = 0.5
    most_s: float = 15.0
    refused_s: float = 60.0
    stopping: Callable[[], bool] = _never
    on_failure: Callable[[OrvaultError], None] | None = None


def reconnecting(
    open_once: Callable[[], PacketSource],
    clock: Clock,
    on_gap: Callable[[int, int, str], None],
    policy: ReconnectPolicy | None = None,
) -> Iterator[Packet]:
    """Packets over any number of connections; the first of each carries `Packet.begins`.

    `on_gap(from_us, to_us, reason)` is called before the first packet after a loss (from the last packet's
    arrival, or from the call where none came yet), and at the end if the camera was away then. It ends when
    `stopping` says so, or when a file is over. Errors: what does not pass by itself (UNSUPPORTED_CODEC,
    BAD_SETTINGS, ...).
    """
    policy = policy or ReconnectPolicy()
    watch = _Watch(clock, on_gap)
    short_ones = 0  # connections in a row that broke soon: a camera may take one, send a picture, and hang up
    while not policy.stopping():
        if short_ones:
            _nap(_backoff_s(short_ones, policy), clock, policy)
        source = _open(open_once, clock, policy, watch)
        if source is None:
            break
        opened_us = clock.now_us()
        try:
            with closing(source):
                for packet in source:
                    watch.packet_came()
                    yield packet
                    if policy.stopping():
                        return
            return  # only a file ends by itself
        except OrvaultError as error:
            if error.kind not in PASSING:
                raise
            watch.failed(error, policy)
            lived_s = (clock.now_us() - opened_us) / US_PER_S
            short_ones = 0 if lived_s >= policy.most_s else short_ones + 1
    watch.close()


class _Watch:
    """Since when, and why, nothing came."""

    def __init__(self, clock: Clock, on_gap: Callable[[int, int, str], None]) -> None:
        self._clock, self._on_gap = clock, on_gap
        self._last_us = clock.now_us()
        self._reason = ""

    def packet_came(self) -> None:
        now_us = self._clock.now_us()
        if self._reason:
            self._on_gap(self._last_us, now_us, self._reason)
            self._reason = ""
        self._last_us = now_us

    def failed(self, error: OrvaultError, policy: ReconnectPolicy) -> None:
        # The first failure is the cause; those of the attempts after it are mostly its echo.
        self._reason = self._reason or error.message
        if policy.on_failure is not None:
            policy.on_failure(error)

    def close(self) -> None:
        if self._reason:
            self._on_gap(self._last_us, self._clock.now_us(), self._reason)


def _open(
    open_once: Callable[[], PacketSource], clock: Clock, policy: ReconnectPolicy, watch: _Watch
) -> PacketSource | None:
    """An open source, after as many attempts as it takes; None when told to stop."""

    def wait(state: tenacity.RetryCallState) -> float:
        error = _failure(state)
        refused = error is not None and error.kind is ErrorKind.CAMERA_REFUSED
        return policy.refused_s if refused else _backoff_s(state.attempt_number, policy)

    def tell(state: tenacity.RetryCallState) -> None:
        error = _failure(state)
        if error is not None:
            watch.failed(error, policy)

    attempts = tenacity.Retrying(
        wait=wait,
        sleep=lambda seconds: _nap(float(seconds), clock, policy),
        stop=lambda _state: policy.stopping(),
        retry=tenacity.retry_if_exception(_passes),
        before_sleep=tell,
        reraise=True,
    )
    try:
        return attempts(open_once)
    except OrvaultError as error:
        if policy.stopping() and _passes(error):
            return None
        raise


def _backoff_s(failures: int, policy: ReconnectPolicy) -> float:
    """A random time below a bound that doubles with each failure in a row."""
    bound = min(policy.most_s, policy.first_s * 2.0 ** min(failures, 32))
    return random.uniform(0, bound)  # noqa: S311 - it spreads load, it keeps no secret


def _nap(seconds: float, clock: Clock, policy: ReconnectPolicy) -> None:
    while seconds > 0 and not policy.stopping():
        clock.sleep(min(_NAP_S, seconds))
        seconds -= _NAP_S


def _passes(error: BaseException) -> bool:
    return isinstance(error, OrvaultError) and error.kind in PASSING


def _failure(state: tenacity.RetryCallState) -> OrvaultError | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, OrvaultError) else None
