"""How the tests are shared out between processes (`make test` runs two side by side).

The tests of a file stay together, because they share what is dear to make; so do all that use the one running site.
"""

from __future__ import annotations

import os

import pytest

# xdist tells its processes how wide the terminal is, and whoever prints a table then believes it for good.
os.environ.pop("COLUMNS", None)


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        of_site = item.path.parent.name == "e2e" and "site" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("site" if of_site else item.path.stem))
