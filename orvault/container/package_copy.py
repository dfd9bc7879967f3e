"""Copies a package without some recipients' key slots; the label's signature holds (package-v1, 3.2).

Needs no key: whoever has a package may drop what opens it for others, and can change nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from functools import partial
from pathlib import Path

from orvault.container.frame_reader import open_file, read_frame
from orvault.container.frame_writer import Content, pieces_of, write_frame
from orvault.container.label import SLOTS, write_slots
from orvault.errors import ErrorKind, OrvaultError


def copy_without(path: Path, out: Path, thumbprints: Collection[str]) -> None:
    """Write a copy of `path` to `out` without the slots of these keys.

    Raises:
        OrvaultError: NOT_FOUND if a key has no slot here, BAD_REQUEST if none would remain, what reading the
        frame finds, and STORAGE.
    """
    with open_file(path) as file:
        frame = read_frame(file, partial=False, name=str(path))
    missing = set(thumbprints) - {each.slot.key_thumbprint for each in frame.slots}
    if missing:
        raise OrvaultError(
            ErrorKind.NOT_FOUND, "The package has no slot for this key.", where=min(missing)[:16]
        )
    kept = tuple(each for each in frame.slots if each.slot.key_thumbprint not in thumbprints)
    if not kept:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "Nobody could open the copy: one recipient must remain.")
    slots = write_slots(kept)
    contents = [
        Content(SLOTS, len(slots), zlib.crc32(slots), lambda: (slots,))
        if entry.name == SLOTS
        else Content(
            entry.name, entry.bytes, entry.crc32, partial(pieces_of, path, entry.data_offset, entry.bytes)
        )
        for entry in frame.entries.values()
    ]
    write_frame(out, contents)
