"""Processes of their own that tests kill: forked from one that has loaded what they need, so they start at once.

A process of tests has one such server, with what it loaded first: so all tests share one list. A process that is
spawned loads two seconds' worth of modules, on a busy machine twenty, while the test waits for its work.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext

LOADED = [
    "tests.contract.test_ledger_work",
    "tests.unit.test_actors_mail",
    "tests.unit.test_actors_notices",
    "tests.unit.test_container_keystore",
    "tests.unit.test_destruction",
]


def ready_made() -> ForkServerContext:
    """Starts processes that have loaded the modules that they run already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context
