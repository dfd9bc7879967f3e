"""What holds for all tests, however many processes run them side by side."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Whole sites wait more than they work, but each takes a core when it comes up: so two at a time, and tests of parts
# beside them. Two processes have sites, one after the other; the last of the one is that which most tests share.
SITES, NO_SITES = ("tests/cluster/", "tests/e2e/"), ("tests/e2e/test_rtsp_",)
OF_TWO_NODES = (
    "tests/cluster/",
    "tests/e2e/test_day_in_the_life.py",
    "tests/e2e/test_every_process_killed.py",
)

# xdist tells its processes how wide the terminal is, and whoever prints a table then believes it for good.
os.environ.pop("COLUMNS", None)


def pytest_collection_finish() -> None:
    """All that is loaded by now stays to the end: no later search for garbage has to go through it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Which tests one process gets together: those of a file share what is dear to make."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return together(nodeid.partition("::")[0])

    return Scheduling(config, log)


def together(file: str) -> str:
    """Whatever has the same name runs in the same process."""
    if not file.startswith(SITES) or file.startswith(NO_SITES):
        return file
    return "sites of two nodes" if file.startswith(OF_TWO_NODES) else "sites of one, the shared one last"
