"""Somebody carries the server's disk away, without the passphrase (test_stolen_client.py: the recorder).

What must not be found is searched for byte by byte, together with something that must be.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from orvault.clock import SystemClock
from orvault.container.package import PackageReader
from orvault.errors import ErrorKind, OrvaultError
from tests.e2e.conftest import Handed
from tests.e2e.searching import in_files, samples, spelled
from tests.e2e.site import Site
from tests.e2e.test_stolen_client import case_store, opened_segments, private_key


@pytest.fixture(scope="module")
def server_disk(site: Site, handed: Handed) -> list[Path]:
    """Everything on the server but the passphrase; the ledger also as a dump."""
    dump = site.folder / "stolen-dump"
    dump.mkdir(exist_ok=True)
    with sqlite3.connect(f"file:{site.data}/ledger.sqlite?mode=ro", uri=True) as ledger:
        (dump / "ledger.sql").write_text("\n".join(ledger.iterdump()))
    passphrase = site.data / "keys/passphrase"
    return [dump, *(path for path in site.data.rglob("*") if path.is_file() and path != passphrase)]


def test_a_stolen_server_disk_and_database_open_nothing(
    site: Site, handed: Handed, server_disk: list[Path]
) -> None:
    store, password = case_store(site), site.recipient_password_file.read_text()
    with PackageReader.open(handed.package) as package:
        package.verify_label([], SystemClock().now_us())
        package.unlock(password)
        wanted = spelled("package key", package._key)
        wanted |= samples("masked pictures", package.media("ceiling").read(), 4)
    segments = opened_segments(site, handed.case_id)
    wanted |= {"recipient's password": password.encode(), "account's password": site.password.encode()}
    wanted |= {"passphrase": (site.data / "keys/passphrase").read_bytes().strip()}
    private = private_key(store, segments[0].header)
    wanted |= spelled("case key, lattice", private.raw[:64]) | spelled("case key, curve", private.raw[-32:])
    for segment in segments[:3]:
        wanted |= spelled(f"{segment.name} DEK", segment.dek) | samples(
            f"{segment.name} pictures", segment.clear, 3
        )
    control = {"thumbprint": private.public().thumbprint.encode(), "sealed": segments[0].sealed[-200:]}
    found = in_files(server_disk, wanted | control)
    assert found.keys() == control.keys(), found


def test_a_stolen_key_store_opens_with_its_passphrase_only(site: Site) -> None:
    for guess in ("not the passphrase", site.password, site.admin_password):
        with pytest.raises(OrvaultError) as caught:
            case_store(site, guess)
        assert caught.value.kind is ErrorKind.WRONG_PASSPHRASE
