"""Who is looking and when, drawn into every picture where it was not a moment before.

It deters and tells copies apart; it stops nobody who films the screen. The pictures' own marks are the server's.
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import datetime

from orvault.clock import US_PER_S
from orvault.text import printable

MOVES_EVERY_S = 7
# Shares of the free width and height; no two places in a row are alike, and each part of the picture is met.
PLACES = (
    (0.06, 0.12),
    (0.88, 0.62),
    (0.42, 0.30),
    (0.10, 0.80),
    (0.80, 0.16),
    (0.50, 0.58),
    (0.24, 0.46),
    (0.70, 0.86),
)


def place_at(now_us: int) -> tuple[float, float]:
    """Where it stands now, as shares of the free width and height."""
    return PLACES[now_us // (MOVES_EVERY_S * US_PER_S) % len(PLACES)]


def who(recipients: Sequence[str], key_thumbprint: str) -> str:
    """By which key it was opened, the computer's user, and whom the package was made for.

    What tells two viewers of one package apart comes first: a long line is cut at its end.
    """
    parts = [f"key {key_thumbprint[:8].upper()}"] if key_thumbprint else []
    parts += [computer_user(), ", ".join(recipients)]
    return printable(" · ".join(part for part in parts if part))


def computer_user() -> str:
    """The name under which somebody uses this computer; empty where it tells none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # Windows without the variables, a user without an entry
        return ""


def lines(name: str, now_us: int) -> tuple[str, str]:
    """The two lines of the overlay: who, and the present time of this computer."""
    return name, datetime.fromtimestamp(now_us // US_PER_S).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
