"""Gap records: good ones, and each way to tell of a gap that nobody signed so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from orvault.clock import US_PER_S
from orvault.container import canonical
from orvault.container.dsse import seal_envelope
from orvault.container.gap import MAX_GAP_BYTES, PAYLOAD_TYPE, Gap, signed_gap
from orvault.container.trust import Identity
from tests.vectors.world import (
    FORGER_NODE,
    NODE,
    OTHER_NODE,
    SERVER,
    START_US,
    STOLEN_NODE,
    STOLEN_US,
    Vectors,
    flipped,
)

GAP = Gap(
    "or1-ceiling",
    "case-1",
    "run-1",
    START_US + 2 * US_PER_S,
    START_US + 5 * US_PER_S,
    "The camera sends nothing.",
)
ENROLLED = ["node", "other-node", "stolen-node"]


def add_gaps(vectors: Vectors) -> None:
    """Records, each with the gap that its reader was told of."""
    good = signed_gap(GAP, NODE).envelope
    for name, told, words, about in (
        ("good", GAP, "", "nothing"),
        ("told-longer", replace(GAP, to_us=GAP.to_us + 1), "not the gap that its node signed", "told a bit longer"),
        ("told-reason", replace(GAP, reason="x"), "not the gap that its node signed", "told with another reason"),
        ("told-camera", replace(GAP, camera_id="or2-ceiling"), "not the gap", "told of another camera"),
        ("told-run", replace(GAP, run_id="run-2"), "not the gap", "told of another run"),
    ):  # fmt: skip
        _add(vectors, name, "altered" if words else "good", words, about, good, told, file="good")
    _add_changed(vectors, good)
    _add_signed(vectors)
    _add_strangers(vectors, good)


def _add_changed(vectors: Vectors, good: bytes) -> None:
    """Without the node's key."""
    envelope = json.loads(good)
    payload = canonical.from_base64(envelope["payload"], MAX_GAP_BYTES, ValueError())  # type: ignore[arg-type]
    longer = payload.replace(str(GAP.to_us).encode(), str(GAP.to_us + US_PER_S).encode())
    forged = canonical.encode(envelope | {"payload": canonical.to_base64(longer)})
    typed = canonical.encode(envelope | {"payloadType": "application/vnd.orvault.label+json"})
    for name, data, words, about in (
        (
            "signature",
            flipped(good, good.index(b'"sig":"') + 20),
            "not what was signed",
            "a bit of the signature",
        ),
        ("longer", forged, "not what was signed", "a second more in the record, under the old signature"),
        ("type", typed, "'payloadType' is not", "another payloadType"),
        ("json", good.replace(b'","', b'", "', 1), "canonical", "a space more in the envelope"),
        ("size", good + b" " * MAX_GAP_BYTES, "at most 8192", "longer than 8 KiB"),
        ("empty", b"{}", "'payloadType' is missing", "an empty object"),
    ):
        _add(vectors, name, "altered", words, about, data)


def _add_signed(vectors: Vectors) -> None:
    """By someone who holds the node's signing key."""
    for name, change, words, about in (
        ("field", {"extra": 1}, "'extra' is unknown", "a field that the format does not have"),
        ("version", {"version": 2}, "'version' is not 1", "another version"),
        ("format", {"format": "orvault-label"}, "'format' is not", "another format"),
        ("id", {"run_id": "../run"}, "'run_id' is not an id", "an id that leads out of a folder"),
        ("backwards", {"to_us": GAP.from_us}, "'to_us' is not after", "it ends where it begins"),
        ("before-time", {"from_us": -1}, "'from_us' is not an integer", "it begins before 1970"),
    ):
        _add(vectors, name, "altered", words, f"signed by the node: {about}", record(change))


def record(change: dict[str, Any], by: Identity = NODE, gap: Gap = GAP) -> bytes:
    """What `by` signs of the gap, with some members changed."""
    members = json.loads(
        canonical.from_base64(
            json.loads(signed_gap(gap, by).envelope)["payload"], MAX_GAP_BYTES, ValueError()
        )
    )  # type: ignore[arg-type]
    return seal_envelope(canonical.encode(members | change), PAYLOAD_TYPE, by)


def _add_strangers(vectors: Vectors, good: bytes) -> None:
    """By nodes that are not believed."""
    late = replace(GAP, from_us=STOLEN_US - US_PER_S, to_us=STOLEN_US)
    early = signed_gap(GAP, STOLEN_NODE).envelope
    for name, data, told, seen_us, expected, words, about in (
        ("unsigned", b"", GAP, START_US, "untrusted", "No node has signed it", "no record at all"),
        ("unknown", good, GAP, START_US, "untrusted", "not enrolled here", "signed by a node that nobody enrolled"),
        ("forger", signed_gap(GAP, FORGER_NODE).envelope, GAP, START_US, "untrusted", "not enrolled here",
         "signed by a certificate of the same name"),
        ("for-another", record({"node_id": "node-1"}, OTHER_NODE), GAP, START_US, "untrusted", "'node-2' sealed it",
         "signed by another node of the hospital"),
        ("server", signed_gap(GAP, SERVER).envelope, GAP, START_US, "untrusted", "not that of a recording node",
         "signed by the export server"),
        ("stolen-before", early, GAP, STOLEN_US - 1, "good", "", "nothing: signed and seen before the theft"),
        ("stolen-backdated", early, GAP, STOLEN_US, "untrusted", "first saw it",
         "seen first after its node was revoked; it says that it is older"),
        ("stolen-late", signed_gap(late, STOLEN_NODE).envelope, late, STOLEN_US - 1, "untrusted", "revoked",
         "of the moment from which on its node is revoked"),
    ):  # fmt: skip
        enrolled = {"unknown": ["other-node"], "server": ["server"]}.get(name, ENROLLED)
        _add(vectors, name, expected, words, about, data, told, seen_us=seen_us, enrolled=enrolled)


def _add(
    vectors: Vectors,
    name: str,
    expected: str,
    words: str,
    about: str,
    data: bytes,
    told: Gap = GAP,
    file: str = "",
    **how: Any,
) -> None:
    written = vectors.file(f"gap/{file or name}.json", data)
    members = {key: value for key, value in vars(told).items() if key != "envelope"}
    how = {"enrolled": ENROLLED, "list": "certificates/revoked.crl", "seen_us": START_US} | how
    vectors.add(f"gap/{name}", "gap", expected, words, about, file=written, told=members, **how)
