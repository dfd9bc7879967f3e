"""What ZIP readers have fallen for: two answers to what is in a file, depending on who asks. Here there is one."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from orvault.container import frame
from orvault.container.label import LABEL, MANIFEST, SLOTS
from tests.vectors.packages import MEDIA_1, Built, rebuilt
from tests.vectors.world import Vectors, noise

EVIL = b'{"evil":true}'


def add_zip_tricks(vectors: Vectors, good: Built) -> None:
    for name, data, expected, words, about in (*_whole(good), *_headers(good), *_directories(good)):
        file = vectors.file(f"zip/{name}.orvault", data)
        vectors.add(f"zip/{name}", "package", expected, words, about, file=file)


Trick = tuple[str, bytes, str, str, str]


def _entry(name: str, data: bytes, offset: int) -> frame.Entry:
    return frame.Entry(name, len(data), zlib.crc32(data), offset)


def _around(good: Built, entries: list[frame.Entry], extra: bytes = b"") -> bytes:
    """The good entries' bytes, something after them, and a directory over `entries`."""
    body = good.data[: _end(good)] + extra
    listed = [*entries[:-1], replace(entries[-1], bytes=len(body) - entries[-1].data_offset)]
    tail = frame.directory(listed)  # the directory begins where the last listed entry ends
    return body + tail


def _end(good: Built) -> int:
    return max(entry.end for entry in good.entries.values())


def _whole(good: Built) -> list[Trick]:
    """Something before, after, or between."""
    at = _end(good)
    twice = _entry(LABEL, EVIL, at)
    outside = _entry("../../evil.sh", EVIL, at)
    absolute = _entry("/etc/evil", EVIL, at)
    hidden = frame.local_header(_entry("hidden.txt", EVIL, at)) + EVIL
    media = good.entries[MEDIA_1]
    between = good.data[: media.offset] + hidden + good.data[media.offset :]
    listed = list(good.entries.values())
    second = rebuilt({"readme.txt": EVIL})
    return [
        ("prepended", b"#!/bin/sh\nexit\n" + good.data, "not-a-package", "not an OR Vault package",
         "a script before it"),
        ("concatenated", good.data + second, "altered", "were appended", "a second ZIP file after it"),
        ("duplicate-name", _around(good, [*listed, twice], frame.local_header(twice) + EVIL), "altered",
         "ZIP directory", "a second label.json, listed after all others"),
        ("traversal", _around(good, [*listed, outside], frame.local_header(outside) + EVIL), "altered",
         "ZIP directory", "an entry named ../../evil.sh"),
        ("absolute", _around(good, [*listed, absolute], frame.local_header(absolute) + EVIL), "altered",
         "ZIP directory", "an entry named /etc/evil"),
        ("hidden", between, "altered", MEDIA_1, "an entry that no directory lists, between two others"),
        ("comment", good.data[:-2] + struct.pack("<H", len(EVIL)) + EVIL, "altered", "ZIP directory",
         "a comment at the end"),
    ]  # fmt: skip


def _headers(good: Built) -> list[Trick]:
    """Local headers that say something else."""
    media, slots, label = good.entries[MEDIA_1], good.entries[SLOTS], good.entries[LABEL]

    def put(entry: frame.Entry, at: int, data: bytes) -> bytes:
        start = entry.offset + at
        return good.data[:start] + data + good.data[start + len(data) :]

    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = squeezed.compress(noise("manifest", 100)) + squeezed.flush()
    deflated = put(media, 8, struct.pack("<H", 8))
    manifest = good.entries[MANIFEST]
    inner = manifest.data_offset
    deflated_small = put(manifest, 8, struct.pack("<H", 8))
    deflated_small = deflated_small[:inner] + packed + deflated_small[inner + len(packed) :]
    zip64 = put(media, 4, struct.pack("<H", 45))
    full = struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF)
    large = frame.local_header(replace(media, bytes=frame.FULL))
    inserted = good.data[: media.offset] + large + good.data[media.data_offset :]
    return [
        ("compressed", deflated, "altered", MEDIA_1, "the video's method is deflate"),
        ("compressed-manifest", deflated_small, "altered", MANIFEST, "a deflated manifest"),
        ("encrypted", put(media, 6, b"\x01\x00"), "altered", MEDIA_1, "the flag of ZIP encryption"),
        ("descriptor", put(media, 6, b"\x08\x00"), "altered", MEDIA_1, "sizes in a data descriptor"),
        ("zip64-version", zip64, "altered", MEDIA_1, "ZIP64 where none is needed"),
        ("zip64-sizes", put(media, 18, full), "altered", MEDIA_1, "sizes 'see ZIP64', and no extra field"),
        ("zip64-extra", inserted, "altered", MEDIA_1, "a ZIP64 field that tells another size"),
        ("renamed", put(media, 30, b"media/../x"), "altered", MEDIA_1, "a local name that leads out"),
        ("size", put(media, 18, struct.pack("<II", media.bytes - 1, media.bytes - 1)), "altered", MEDIA_1,
         "a local size one too small"),
        ("sizes-differ", put(slots, 18, struct.pack("<I", slots.bytes - 1)), "altered", "stated wrongly",
         "two sizes that differ"),
        ("slots-huge", put(slots, 18, struct.pack("<II", 1 << 31, 1 << 31)), "altered", "stated wrongly",
         "slots of 2 GiB announced"),
        ("label-huge", put(label, 18, struct.pack("<II", 1 << 31, 1 << 31)), "altered", "stated wrongly",
         "a label of 2 GiB announced"),
        ("time", put(media, 10, b"\x21\x43"), "altered", MEDIA_1, "a time of day in a header"),
    ]  # fmt: skip


def _directories(good: Built) -> list[Trick]:
    """A directory that disagrees with what lies in the file."""
    entries = list(good.entries.values())
    body = good.data[: _end(good)]
    swapped = [replace(entries[0], name="slots.json"), replace(entries[1], name="label.json"), *entries[2:]]
    overlapping = [*entries[:3], replace(entries[3], offset=entries[2].offset), *entries[4:]]
    smaller = [replace(entries[0], bytes=entries[0].bytes - 1), *entries[1:]]
    wrong_sum = [replace(entries[0], crc32=entries[0].crc32 ^ 1), *entries[1:]]
    doubled = [entries[0], *entries]
    missing = [*entries[:3], *entries[4:]]
    end = bytearray(good.data)
    struct.pack_into("<HH", end, len(end) - 14, 1, 1)
    start = bytearray(good.data)
    struct.pack_into("<I", start, len(start) - 6, 0)
    full = bytearray(good.data)
    struct.pack_into("<I", full, len(full) - 6, 0xFFFFFFFF)
    zip64 = body + frame.directory(entries)[:-22]
    locator = frame.END64.pack(frame.END64_SIGNATURE, 44, 0x32D, 45, 0, 0, 0, 0, 0, 0)
    locator += frame.LOCATOR64.pack(frame.LOCATOR64_SIGNATURE, 0, len(zip64), 1)
    said = "ZIP directory"
    return [
        ("directory-swapped", body + frame.directory(swapped), "altered", said, "two names swapped in the directory"),
        ("overlapping", body + frame.directory(overlapping), "altered", said, "two entries over the same bytes"),
        ("directory-size", body + frame.directory(smaller), "altered", said, "another size in the directory"),
        ("directory-sum", body + frame.directory(wrong_sum), "altered", said, "another check sum in the directory"),
        ("directory-doubled", body + frame.directory(doubled), "altered", said, "an entry listed twice"),
        ("directory-missing", body + frame.directory(missing), "altered", said, "an entry not listed"),
        ("end-count", bytes(end), "altered", said, "one entry, says the end record"),
        ("end-offset", bytes(start), "altered", said, "the directory at 0, says the end record"),
        ("end-zip64", bytes(full), "altered", said, "'see ZIP64', says the end record, and there is none"),
        ("zip64-end", zip64 + locator + good.data[-22:], "altered", said, "a ZIP64 end record that nothing needs"),
    ]  # fmt: skip
