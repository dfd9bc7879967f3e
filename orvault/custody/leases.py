"""How long workers hold what they claimed, and how long what was given back waits."""

from __future__ import annotations

from orvault.clock import US_PER_S

LEASE_US = 120 * US_PER_S  # without a sign of life; then another worker takes over
FIRST_PAUSE_US, LONGEST_PAUSE_US = 60 * US_PER_S, 15 * 60 * US_PER_S


def pause_us(given_back: int) -> int:
    """How long work waits that was given back so often before: a minute, and each time twice as long, to 15."""
    return min(FIRST_PAUSE_US << min(given_back, 10), LONGEST_PAUSE_US)
