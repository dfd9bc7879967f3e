"""What holds for all tests, however many processes run them side by side."""

from __future__ import annotations

import os

# xdist tells its processes how wide the terminal is, and whoever prints a table then believes it for good.
os.environ.pop("COLUMNS", None)
