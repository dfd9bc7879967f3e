"""The revocation lists that this user was given: the newest of each root, one PEM file each, beside the roots.

A list counts only while the root that signed it is believed. None is looked for in the network or in a package: a
package that a thief signed would bring the list that suits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orvault.clock import utc_iso
from orvault.container.files import read_bounded
from orvault.container.revocation import (
    MAX_LIST_BYTES,
    PEM_MARK,
    RevocationList,
    RevocationLists,
    load_lists,
    read_list,
)
from orvault.container.trust import fingerprint
from orvault.errors import ErrorKind, OrvaultError
from player import roots


def folder() -> Path:
    """Where the lists lie."""
    return roots.folder().with_name("revoked")


def is_list(path: Path) -> bool:
    """Whether a file is a revocation list, by its first line. Errors: NOT_FOUND."""
    return read_bounded(path, MAX_LIST_BYTES).lstrip().startswith(PEM_MARK)


def add(path: Path, believed: Sequence[bytes]) -> RevocationList:
    """Keep a list signed by one of these roots (DER).

    Errors: UNTRUSTED, BAD_SETTINGS; CONFLICT for one that is older than what is held.
    """
    offered = read_list(read_bounded(path, MAX_LIST_BYTES), believed, str(path))
    target = folder() / f"{offered.root}.pem"
    held_now = _held_at(target, believed, offered.root)
    if held_now is not None and held_now.number > offered.number:
        raise OrvaultError(
            ErrorKind.CONFLICT,
            f"This is list {offered.number}; {held_now.number} is held already, and kept.",
            where=str(path),
        )
    offered.save(target)
    return offered


def held(believed: Sequence[bytes]) -> RevocationLists:
    """The lists of the roots that are believed (DER). Errors: BAD_SETTINGS for a file that is none."""
    found = []
    for der in believed:
        newest = load_lists(folder() / f"{fingerprint(der)}.pem", [der]).of(der)
        if newest is not None:
            found.append(newest)
    return RevocationLists(found)


def in_words(newest: RevocationList) -> str:
    """Number, date and size of a list."""
    return f"number {newest.number} of {utc_iso(newest.issued_us)[:10]}, {len(newest.entries)} revoked"


def _held_at(target: Path, believed: Sequence[bytes], root: str) -> RevocationList | None:
    der = next(each for each in believed if fingerprint(each) == root)
    return load_lists(target, [der]).of(der)
