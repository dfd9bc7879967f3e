"""What a hospital's own server may sign into a package's papers, and what a reader must not take even from it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zlib
from dataclasses import replace
from typing import Any

from orvault.container import canonical, dsse
from orvault.container.binding import MANIFEST_CHUNK_BYTES, associated_data
from orvault.container.frame_reader import read_frame
from orvault.container.happened import EventKind, Happened, Means
from orvault.container.label import MANIFEST
from orvault.container.manifest import MANIFEST_TYPE
from orvault.container.stream import open_bytes, seal_bytes
from orvault.container.unlocking import find_key
from tests.vectors.packages import Built, build, payload_of, relabelled
from tests.vectors.world import RECIPIENT, SERVER, START_US, Vectors, repeatable

PACKAGE_ID = "pkg-vector"
EVENTS = (
    Happened(START_US, EventKind.CASE_ARMED, None, Means.ACCOUNT),
    Happened(START_US + 10, EventKind.RECORDING_STARTED, "or1", Means.PEDAL),
    Happened(START_US + 10, "something-later-writers-know", "or2"),
)


def add_papers(vectors: Vectors) -> None:
    """Terms with what may be there or not, well made and badly."""
    told = build("events", events=EVENTS)
    file = vectors.file("package/events.orvault", told.data)
    vectors.add(
        "package/events", "package", "genuine", "", "events, one of a kind that nobody knows yet", file=file
    )
    first, second, third = (event.to_json() for event in EVENTS)
    for name, events, words, about in (
        ("events-none", [], "'events'", "a list of events without any"),
        ("events-disordered", [second, first], "order of time", "events out of order"),
        ("events-kind", [first | {"kind": "<b>"}], "'kind'", "an event whose kind is no name"),
        ("events-by", [first | {"by": "Dr. Kim"}], "'by'", "an event that names a person"),
        ("events-camera", [first, second | {"camera_id": "or9"}], "not in the package", "an event of no camera"),
        ("events-more", [first | {"text": "x"}, third], "'text'", "an event with more to it"),
    ):  # fmt: skip
        _add_bad(vectors, told, name, {"events": events}, words, about)
    shown = build("shown otherwise", overlay=False, utc_offset_min=-210)
    file = vectors.file("package/shown-otherwise.orvault", shown.data)
    vectors.add("package/shown-otherwise", "package", "genuine", "", "no overlay, a room's clock", file=file)
    for name, terms, words, about in (
        ("overlay-on", {"overlay": True}, "'overlay'", "an overlay where none is to be said"),
        ("clock-off", {"utc_offset_min": 841}, "'utc_offset_min'", "a clock of no place on earth"),
    ):
        _add_bad(vectors, shown, name, terms, words, about)


def _add_bad(
    vectors: Vectors, built: Built, name: str, terms: dict[str, Any], words: str, about: str
) -> None:
    file = vectors.file(f"package/{name}.orvault", with_terms(built, name, terms))
    about = f"signed by the server: {about}"
    vectors.add(f"package/{name}", "package", "altered", words, about, file=file)


def with_terms(built: Built, salt: str, terms: dict[str, Any]) -> bytes:
    """The package with these terms in place of its own, sealed and signed as if they had always been there."""
    key = find_key(read_frame(io.BytesIO(built.data), partial=False).slots, RECIPIENT, PACKAGE_ID)
    aad = associated_data(PACKAGE_ID, MANIFEST)
    envelope = json.loads(open_bytes(built.contents[MANIFEST], key, aad, MANIFEST_CHUNK_BYTES))
    value = json.loads(base64.b64decode(envelope["payload"]))
    changed = canonical.encode(value | {"terms": value["terms"] | terms})
    with repeatable(f"terms {salt}"):
        papers = seal_bytes(
            dsse.seal_envelope(changed, MANIFEST_TYPE, SERVER), key, aad, MANIFEST_CHUNK_BYTES
        )
    entries = payload_of(built)["entries"]
    entries[0] |= {
        "bytes": len(papers),
        "crc32": zlib.crc32(papers),
        "sha256": hashlib.sha256(papers).hexdigest(),
    }
    again = replace(built, contents=built.contents | {MANIFEST: bytes(papers)})
    return relabelled(again, SERVER, entries=entries)
