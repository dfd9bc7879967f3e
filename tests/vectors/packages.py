"""Packages: a good one, and what thieves, recipients and forgers could make of it. ZIP tricks are zip_tricks.py's."""

from __future__ import annotations

import base64
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from orvault.clock import US_PER_S
from orvault.container import canonical, dsse, frame
from orvault.container.activation import Activation
from orvault.container.frame_reader import read_frame
from orvault.container.keys import Argon2idParams, Recipient, password_recipient
from orvault.container.label import LABEL, LABEL_TYPE, MANIFEST, SLOTS
from orvault.container.package import MediaInfo, PackageBuilder, PackageTerms
from orvault.container.stream import seal_bytes
from orvault.container.trust import Identity
from orvault.container.unlocking import find_key
from tests.vectors.world import (
    CHUNK_BYTES,
    ENDED,
    FAR_US,
    FORGER,
    NODE,
    PASSWORD,
    RECIPIENT,
    ROOT,
    SERVER,
    START_US,
    Vectors,
    flipped,
    noise,
    places,
    repeatable,
)

CHEAP = Argon2idParams(memory_kib=8 * 1024, iterations=1, lanes=1)
VIDEO = {"or1": 9_000, "or2": 300}
MEDIA_1, LEAVES_1 = "media/or1.mp4.enc", "media/or1.leaves"


@dataclass(frozen=True)
class Built:
    """A package's bytes, its entries, and their contents."""

    data: bytes
    entries: dict[str, frame.Entry]
    contents: dict[str, bytes]


def terms(**changes: Any) -> PackageTerms:
    fields: dict[str, Any] = {
        "package_id": "pkg-vector", "request_id": "req-1", "case_id": "case-1", "purpose": "court order",
        "legal_basis": "court", "recipients": ("Kim 김", "Court"), "terms_text": "For this purpose only.",
        "masking": "head, solid", "watermark": "req-1", "not_before_us": START_US, "not_after_us": FAR_US,
        "issued_us": START_US,
    }  # fmt: skip
    return PackageTerms(**(fields | changes))


def build(
    salt: str = "",
    password: bool = True,
    by: Identity = SERVER,
    activation: Activation | None = None,
    kept: Callable[[bytes], None] = lambda _share: None,
    **changes: Any,
) -> Built:
    """A package of two cameras for a password and a key file, by the product's own builder.

    With `activation`, `kept` is given the hospital's share.
    """
    with repeatable(f"package {salt}"), tempfile.TemporaryDirectory() as folder:
        people = [Recipient("Court", RECIPIENT.public())]
        if password:
            people.insert(0, password_recipient("Kim 김", PASSWORD, CHEAP))
        out = Path(folder) / "package"
        with PackageBuilder(Path(folder), by, terms(**changes), CHUNK_BYTES, activation) as builder:
            if builder.halves is not None:
                kept(builder.halves[1])
            for camera, size in VIDEO.items():
                with builder.media_sink(camera) as sink:
                    sink.write(noise(f"video {camera} {salt}", size))
            builder.finish(out, [_info(camera) for camera in VIDEO], people)
        return taken_apart(out.read_bytes())


def _info(camera: str) -> MediaInfo:
    return MediaInfo(camera, camera, 1280, 720, 15.0, 30, START_US, START_US + 2 * US_PER_S)


def taken_apart(data: bytes) -> Built:
    entries = read_frame(BytesIO(data), partial=False).entries
    return Built(data, entries, {name: data[e.data_offset : e.end] for name, e in entries.items()})


def rebuilt(contents: dict[str, bytes]) -> bytes:
    """A well-formed frame around these entries."""
    entries = frame.lay_out((name, len(data), zlib.crc32(data)) for name, data in contents.items())
    parts = [frame.local_header(entry) + contents[entry.name] for entry in entries]
    return b"".join(parts) + frame.directory(entries)


def relabelled(built: Built, by: Identity, **changes: Any) -> bytes:
    """The label changed and signed again; without `certificates` among the changes it shows the signer's own."""
    own = [canonical.to_base64(der) for der in (by.certificate_der, *by.chain_ders)]
    payload = payload_of(built) | {"certificates": own} | changes
    label = dsse.seal_envelope(canonical.encode(payload), LABEL_TYPE, by)
    return rebuilt(built.contents | {LABEL: label})


def payload_of(built: Built) -> dict[str, Any]:
    """What the label states."""
    value: dict[str, Any] = json.loads(base64.b64decode(json.loads(built.contents[LABEL])["payload"]))
    return value


def add_packages(vectors: Vectors) -> Built:
    """All but the ZIP tricks; returns the good package."""
    good = build()
    name = vectors.file("package/good.orvault", good.data)
    for secret in ("password", "recipient"):
        vectors.add(f"package/good-{secret}", "package", "genuine", "", "nothing", file=name, secret=secret)
    _add_secrets(vectors, name)
    _add_flips(vectors, good)
    _add_forgeries(vectors, good)
    _add_signers(vectors, good)
    for number, cut in enumerate(places(len(good.data)), 1):
        about = f"cut off after {cut} of {len(good.data)} bytes"
        vectors.add(
            f"package/cut-{number:02d}", "package", "damaged", "ends after", about, file=name, bytes=cut
        )
    return good


def _add_secrets(vectors: Vectors, good: str) -> None:
    keys_only = vectors.file("package/keys-only.orvault", build("keys only", password=False).data)
    for name, file, secret, expected, words, about in (
        ("wrong-password", good, "wrong password", "wrong-password", "does not open", "a wrong password"),
        ("foreign-key", good, "foreign", "not-for-you", "not made for this key", "a foreign key"),
        (
            "no-password",
            keys_only,
            "password",
            "not-for-you",
            "No password opens",
            "a password, where none opens",
        ),
    ):
        vectors.add(f"package/{name}", "package", expected, words, about, file=file, secret=secret)
    vectors.add(
        "package/wrong-root", "package", "intact, issuer unknown", "", "another root is pinned", file=good,
        root="forger-root",
    )  # fmt: skip
    day = 86_400 * US_PER_S
    past = build("past", not_after_us=START_US + day).data
    future = build("future", not_before_us=FAR_US - day).data
    for name, data, expected, words in (
        ("expired", past, "expired", "could be opened until"),
        ("not-yet", future, "not-yet-valid", "may be opened from"),
    ):
        file = vectors.file(f"package/{name}.orvault", data)
        vectors.add(f"package/{name}", "package", expected, words, "its time is not now", file=file)


def _add_flips(vectors: Vectors, good: Built) -> None:
    data, entries = good.data, good.entries

    def middle(name: str) -> int:
        return entries[name].data_offset + entries[name].bytes // 2

    media = entries[MEDIA_1]
    begin = data.index(b'"sig":"') + 20
    # The signature is another at every run: a bit that leaves base64 what it is.
    signature = next(at for at in range(begin, begin + 60) if chr(data[at] ^ 1).isalnum())
    for name, at, words, about in (
        ("label", data.index(b'"payload":"') + 400, LABEL, "the label"),
        ("signature", signature, "not what was signed", "the label's signature"),
        ("slots", middle(SLOTS), SLOTS, "a key slot"),
        ("manifest", middle(MANIFEST), MANIFEST, "the sealed manifest"),
        ("leaves", middle(LEAVES_1), LEAVES_1, "the list of chunk hashes"),
        ("chunk", media.data_offset + 5000, "Chunk 2 of 3", "a video's second chunk"),
        ("tag", media.end - 1, "Chunk 3 of 3", "the tag of a video's last chunk"),
        ("header", media.offset + 8, MEDIA_1, "a local ZIP header"),
        ("directory", len(data) - 60, "ZIP directory", "the ZIP directory"),
    ):
        # A check sum is for accidents: whoever flips a bit of the slots sets it right.
        changed = flipped(data, at)
        if name == "slots":
            changed = rebuilt(
                good.contents | {SLOTS: flipped(good.contents[SLOTS], entries[SLOTS].bytes // 2)}
            )
        file = vectors.file(f"package/flip-{name}.orvault", changed)
        vectors.add(f"package/flip-{name}", "package", "altered", words, f"a bit of {about}", file=file)


def _add_forgeries(vectors: Vectors, good: Built) -> None:
    """By a recipient, who has the package key, and by mixing packages."""
    other = build("other")
    key = find_key(read_frame(BytesIO(good.data), partial=False).slots, RECIPIENT, "pkg-vector")
    with repeatable("forged video"):
        aad = f"orvault/package/v1\npkg-vector\n{MEDIA_1}".encode()
        video = seal_bytes(noise("forged video", VIDEO["or1"]), key, aad, CHUNK_BYTES)
    media = good.entries[MEDIA_1]
    in_place = good.data[: media.data_offset] + video + good.data[media.end :]
    slots = json.loads(good.contents[SLOTS])
    first, second = slots["slots"]
    kept = {name: data for name, data in good.contents.items() if "or2" not in name}
    dropped = rebuilt(good.contents | {SLOTS: canonical.encode(slots | {"slots": [second]})})
    file = vectors.file("package/recipient-dropped.orvault", dropped)
    vectors.add(
        "package/recipient-dropped", "package", "genuine", "", "a copy without the other recipient's slot",
        file=file, secret="recipient",
    )  # fmt: skip
    for name, data, words, about in (
        ("rewritten", in_place, "Chunk 1 of 3", "other pictures, sealed under the right key"),
        ("rewritten-frame", rebuilt(good.contents | {MEDIA_1: video}), MEDIA_1,
         "the same with a check sum that fits"),
        ("rewritten-leaves", rebuilt(good.contents | {LEAVES_1: other.contents[LEAVES_1]}), LEAVES_1,
         "other chunk hashes, with a check sum that fits"),
        ("other-manifest", rebuilt(good.contents | {MANIFEST: other.contents[MANIFEST]}), MANIFEST,
         "another package's manifest"),
        ("other-slots", rebuilt(good.contents | {SLOTS: other.contents[SLOTS]}), "not one that was issued",
         "another package's slots"),
        ("slots-swapped", rebuilt(good.contents | {SLOTS: canonical.encode(slots | {"slots": [second, first]})}),
         "not one that was issued", "the slots in another order"),
        ("slot-added", rebuilt(good.contents | {SLOTS: canonical.encode(slots | {"slots": [first, second, second]})}),
         "not one that was issued", "a slot added"),
        ("no-slots", rebuilt(good.contents | {SLOTS: canonical.encode(slots | {"slots": []})}), "'slots'",
         "all slots dropped"),
        ("camera-dropped", rebuilt(kept), "ZIP", "a camera dropped"),
        ("appended", good.data + b"more", "4 bytes were appended", "four bytes more"),
        ("cut-and-closed", rebuilt(good.contents | {MEDIA_1: good.contents[MEDIA_1][: 2 * CHUNK_BYTES]}), MEDIA_1,
         "a video shortened by a chunk, in a frame that fits"),
    ):  # fmt: skip
        file = vectors.file(f"package/{name}.orvault", data)
        vectors.add(f"package/{name}", "package", "altered", words, about, file=file)


def _add_signers(vectors: Vectors, good: Built) -> None:
    """Labels that somebody signed, rightly or not."""
    chain = [canonical.to_base64(each.certificate_der) for each in (FORGER, ROOT)]
    entries = payload_of(good)["entries"]
    huge = [*entries[:2], entries[2] | {"bytes": 1 << 41}, *entries[3:]]
    outside = [entries[0], entries[1] | {"name": "media/../../x.leaves"}, *entries[2:]]
    again = [*entries[:3], entries[1], entries[2]]
    for name, data, expected, words, about in (
        ("forger", build("forger", by=FORGER).data, "intact, issuer unknown", "",
         "a package by a forger under a root of his own that has the hospital's name"),
        ("forger-chain", relabelled(good, FORGER, certificates=chain), "untrusted", "not issued by the root",
         "the forger shows the hospital's root"),
        ("node-signed", relabelled(good, NODE), "untrusted", "not that of an export server",
         "signed by a recording node"),
        ("root-signed", relabelled(good, ROOT, certificates=[canonical.to_base64(ROOT.certificate_der)] * 2),
         "untrusted", "not one that may sign data", "signed by the root itself"),
        ("ended", relabelled(good, ENDED), "untrusted", "was not valid on", "signed after the certificate's end"),
        ("stolen-certificate", relabelled(good, NODE, certificates=payload_of(good)["certificates"]), "altered",
         "label.json", "signed by another key than the certificate's"),
        ("commitment", relabelled(good, SERVER, key_commitment="ab" * 32), "altered", "another key than was signed",
         "signed by the server: a commitment to another key"),
        ("longer", relabelled(good, SERVER, not_after_us=FAR_US + 1), "altered", "does not agree with the label",
         "signed by the server: a label that is valid longer than its manifest"),
        ("oversized", relabelled(good, SERVER, entries=huge), "altered", "'bytes'",
         "signed by the server: a video of two terabytes"),
        ("outside", relabelled(good, SERVER, entries=outside), "altered", "do not belong together",
         "signed by the server: an entry that leads out of the folder"),
        ("twice", relabelled(good, SERVER, entries=again), "altered", "names a camera twice",
         "signed by the server: a camera named twice"),
        ("newer", relabelled(good, SERVER, version=2), "newer-format", "newer format",
         "signed by the server: a later version"),
    ):  # fmt: skip
        file = vectors.file(f"package/{name}.orvault", data)
        vectors.add(f"package/{name}", "package", expected, words, about, file=file)


def add_no_packages(vectors: Vectors) -> None:
    """Files that are something else."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as other:
        other.writestr(zipfile.ZipInfo("readme.txt"), "hello")
    for name, data, about in (
        ("text", b"This is not a package.\n" * 20, "a text"),
        ("zip", archive.getvalue(), "another ZIP file"),
        ("segment", (vectors.folder / "segment/good-1.seg").read_bytes(), "a segment"),
    ):
        file = vectors.file(f"package/none-{name}.orvault", data)
        vectors.add(
            f"package/none-{name}", "package", "not-a-package", "not an OR Vault package", about, file=file
        )
