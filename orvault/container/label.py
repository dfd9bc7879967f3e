"""The clear, signed label of a package: what is in it, by whom, valid when; never who is in the pictures.

Parses and verifies the signature; whether the signer is believed, and whether now is the time,
package_reader.py asks.
Source: docs/format/package-v1.md sections 1 to 3.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from orvault.container import canonical, dsse
from orvault.container.activation import Activation
from orvault.container.canonical import Fields
from orvault.container.keys import Argon2idParams, KeySlot, take_password
from orvault.container.trust import Identity
from orvault.container.wire import HEADER_BYTES, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, TAG_BYTES
from orvault.errors import ErrorKind, OrvaultError

LABEL, SLOTS, MANIFEST = "label.json", "slots.json", "manifest.enc"
ACTIVATION = "activation"  # there only where the package asks for one
LABEL_TYPE = "application/vnd.orvault.label.v1+json"
MAX_LABEL_BYTES = 1 << 20
MAX_SLOTS_BYTES = 1 << 20
MAX_MANIFEST_BYTES = 64 << 20
MAX_LEAVES_BYTES = 1 << 20
MAX_MEDIA_BYTES = 1 << 40
MAX_CAMERAS = 64
MAX_SLOTS = 64
MAX_PASSWORD_SLOTS = 16
_CAMERA = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def leaves_name(camera_id: str) -> str:
    """Entry with the chunk hashes of a camera's video."""
    return f"media/{camera_id}.leaves"


def media_name(camera_id: str) -> str:
    """Entry with a camera's sealed video."""
    return f"media/{camera_id}.mp4.enc"


def check_camera_id(camera_id: str) -> None:
    """BAD_REQUEST unless the id can stand in an entry's name."""
    if not _CAMERA.fullmatch(camera_id):
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "A camera id in a package is 1 to 64 letters, digits, '-' and '_', first a letter or digit.",
            where=camera_id[:80],
        )


@dataclass(frozen=True)
class SmallEntry:
    """An entry that is read whole: the sealed manifest, or the hashes of a video's chunks."""

    name: str
    bytes: int
    crc32: int
    sha256: str

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {"bytes": self.bytes, "crc32": self.crc32, "name": self.name, "sha256": self.sha256}


@dataclass(frozen=True)
class MediaEntry:
    """A sealed video; `merkle_root` is over the hashes of its ciphertext chunks."""

    name: str
    bytes: int
    crc32: int
    chunk_bytes: int
    merkle_root: str

    @property
    def chunks(self) -> int:
        """How many chunks of ciphertext."""
        return -(-self.bytes // self.chunk_bytes)

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {
            "bytes": self.bytes,
            "chunk_bytes": self.chunk_bytes,
            "crc32": self.crc32,
            "merkle_root": self.merkle_root,
            "name": self.name,
        }


@dataclass(frozen=True)
class CameraEntries:
    """The two entries of one camera."""

    camera_id: str
    leaves: SmallEntry
    media: MediaEntry


@dataclass(frozen=True)
class Label:
    """The label's statements (package-v1, 2.1). Times are UTC microseconds.

    `activation`: whom the other half of the key is asked of; None: the slots hold the key.
    """

    package_id: str
    issued_us: int
    not_before_us: int
    not_after_us: int
    certificates: tuple[bytes, ...]
    key_commitment: str
    slots: tuple[str, ...]
    manifest: SmallEntry
    cameras: tuple[CameraEntries, ...]
    activation: Activation | None = None

    @property
    def entries(self) -> tuple[SmallEntry | MediaEntry, ...]:
        """All that is signed, in the order of the file."""
        pairs = [entry for camera in self.cameras for entry in (camera.leaves, camera.media)]
        return (self.manifest, *pairs)

    def seal(self, identity: Identity) -> bytes:
        """The bytes of `label.json`."""
        payload: dict[str, object] = {
            "certificates": [canonical.to_base64(der) for der in self.certificates],
            "entries": [entry.to_json() for entry in self.entries],
            "format": "orvault-package",
            "issued_us": self.issued_us,
            "key_commitment": self.key_commitment,
            "not_after_us": self.not_after_us,
            "not_before_us": self.not_before_us,
            "package_id": self.package_id,
            "slots": list(self.slots),
            "version": 1,
        }
        if self.activation is not None:
            payload[ACTIVATION] = self.activation.to_json()
        return dsse.seal_envelope(canonical.encode(payload), LABEL_TYPE, identity)


def read_label(data: bytes) -> Label:
    """The label in `label.json`, its signature verified by the leaf certificate inside it; ALTERED otherwise.

    The certificate comes from the unverified payload: that proves only that one key made the whole label.
    Whose key that is comes from the chain, later.
    """
    envelope = dsse.read_envelope(data, LABEL_TYPE, LABEL, MAX_LABEL_BYTES)
    fields = Fields(canonical.decode(envelope.payload, max_bytes=MAX_LABEL_BYTES, where=LABEL), LABEL)
    certificates = tuple(
        canonical.from_base64(text, 16 << 10, fields.fail("certificates", "holds something else than base64"))
        for text in fields.texts("certificates", 2, 2, 32 << 10)
    )
    envelope.verify(certificates[0])
    fields.constant("format", "orvault-package")
    if fields.integer("version", 1) != 1:
        raise OrvaultError(
            ErrorKind.NEWER_FORMAT,
            "It is a package of a newer format.",
            where=LABEL,
            advice="Use a newer player.",
        )
    manifest, cameras = _read_entries(fields)
    label = Label(
        package_id=fields.identifier("package_id"),
        issued_us=fields.integer("issued_us"),
        not_before_us=fields.integer("not_before_us"),
        not_after_us=fields.integer("not_after_us"),
        certificates=certificates,
        key_commitment=fields.digest("key_commitment"),
        slots=_slot_digests(fields),
        manifest=manifest,
        cameras=cameras,
        activation=Activation.read(fields.child(ACTIVATION)) if fields.has(ACTIVATION) else None,
    )
    fields.end()
    return label


def _slot_digests(fields: Fields) -> tuple[str, ...]:
    digests = fields.texts("slots", 1, MAX_SLOTS, 64)
    if not all(canonical.is_digest(digest) for digest in digests) or len(set(digests)) != len(digests):
        raise fields.fail("slots", "is not a list of different digests")
    return digests


def _read_entries(fields: Fields) -> tuple[SmallEntry, tuple[CameraEntries, ...]]:
    items = fields.items("entries", 3, 1 + 2 * MAX_CAMERAS)
    manifest = _small(items[0], MAX_MANIFEST_BYTES)
    if manifest.name != MANIFEST or len(items) % 2 == 0:
        raise fields.fail("entries", "does not list a manifest and then two entries per camera")
    cameras = tuple(_camera(items[i], items[i + 1]) for i in range(1, len(items), 2))
    if len({camera.camera_id.lower() for camera in cameras}) != len(cameras):
        raise fields.fail("entries", "names a camera twice")
    return manifest, cameras


def _small(item: object, most: int) -> SmallEntry:
    fields = Fields(item, f"{LABEL}, entries")
    entry = SmallEntry(
        fields.text("name", 80),
        fields.integer("bytes", 1, most),
        fields.integer("crc32", 0, 0xFFFFFFFF),
        fields.digest("sha256"),
    )
    fields.end()
    return entry


def _camera(leaves_item: object, media_item: object) -> CameraEntries:
    leaves = _small(leaves_item, MAX_LEAVES_BYTES)
    fields = Fields(media_item, f"{LABEL}, entries")
    media = MediaEntry(
        fields.text("name", 80),
        fields.integer("bytes", HEADER_BYTES + TAG_BYTES, MAX_MEDIA_BYTES),
        fields.integer("crc32", 0, 0xFFFFFFFF),
        fields.integer("chunk_bytes", MIN_CHUNK_BYTES, MAX_CHUNK_BYTES),
        fields.digest("merkle_root"),
    )
    fields.end()
    camera_id = leaves.name.removeprefix("media/").removesuffix(".leaves")
    named_well = leaves.name == leaves_name(camera_id) and media.name == media_name(camera_id)
    if not named_well or not _CAMERA.fullmatch(camera_id) or leaves.bytes != 32 * media.chunks:
        raise fields.fail("entries", "holds a pair of entries that do not belong together")
    return CameraEntries(camera_id, leaves, media)


@dataclass(frozen=True)
class PackageSlot:
    """A wrapped package key; for a password recipient with what turns the password into the key."""

    slot: KeySlot
    password_salt: bytes | None = None
    argon2id: Argon2idParams | None = None

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields (package-v1, 3.1); no name: `slots.json` is clear."""
        password: dict[str, object] | None = None
        if self.password_salt is not None and self.argon2id is not None:
            password = self.argon2id.to_json() | {"salt": canonical.to_base64(self.password_salt)}
        return {"password": password, "slot": self.slot.to_json()}

    @property
    def digest(self) -> str:
        """SHA-256 of its canonical JSON, by which the label knows it."""
        return hashlib.sha256(canonical.encode(self.to_json())).hexdigest()


def write_slots(slots: tuple[PackageSlot, ...]) -> bytes:
    """The bytes of `slots.json`."""
    items = [slot.to_json() for slot in slots]
    return canonical.encode({"format": "orvault-package-slots", "slots": items, "version": 1})


def read_slots(data: bytes) -> tuple[PackageSlot, ...]:
    """What `write_slots` made; ALTERED otherwise."""
    fields = Fields(canonical.decode(data, max_bytes=MAX_SLOTS_BYTES, where=SLOTS), SLOTS)
    fields.constant("format", "orvault-package-slots")
    fields.constant("version", 1)
    slots = []
    for item in fields.items("slots", 1, MAX_SLOTS):
        inner = Fields(item, SLOTS)
        salt, params = take_password(inner)
        slots.append(PackageSlot(KeySlot.from_json(inner.take("slot"), SLOTS), salt, params))
        inner.end()
    fields.end()
    if sum(slot.password_salt is not None for slot in slots) > MAX_PASSWORD_SLOTS:
        raise fields.fail("slots", f"holds more than {MAX_PASSWORD_SLOTS} password recipients")
    return tuple(slots)


def check_issued(label: Label, slots: tuple[PackageSlot, ...]) -> None:
    """ALTERED unless every slot present was issued, each once and in the label's order (package-v1, 3.2)."""
    remaining = iter(label.slots)
    for slot in slots:
        if slot.digest not in remaining:  # `in` consumes up to the match: order and uniqueness in one
            raise OrvaultError(ErrorKind.ALTERED, "A key slot is not one that was issued.", where=SLOTS)
