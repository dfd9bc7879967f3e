"""Builds an export package: seals the video as it is encoded, then papers, key slots, label and frame.

Nothing clear touches the disk. Who may have a package made, and of what, is custody's business.
Source: docs/format/package-v1.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType

from orvault.container import canonical, dsse
from orvault.container.activation import Activation, joined_key, split_key
from orvault.container.binding import (
    MANIFEST_CHUNK_BYTES,
    associated_data,
    commitment_context,
    package_slot_info,
)
from orvault.container.canonical import Fields
from orvault.container.files import storage_error
from orvault.container.frame_writer import Content, pieces_of, write_frame
from orvault.container.happened import Happened, in_order
from orvault.container.history import HistoryProof, content_digest
from orvault.container.keys import Recipient, key_commitment, wrap_key
from orvault.container.label import (
    LABEL,
    MANIFEST,
    MAX_CAMERAS,
    MAX_MANIFEST_BYTES,
    MAX_PASSWORD_SLOTS,
    MAX_SLOTS,
    SLOTS,
    CameraEntries,
    Label,
    MediaEntry,
    PackageSlot,
    SmallEntry,
    check_camera_id,
    leaves_name,
    media_name,
    write_slots,
)
from orvault.container.manifest import MANIFEST_TYPE, Manifest, MediaInfo, PackageTerms
from orvault.container.media_sink import MediaSink, SealedFile
from orvault.container.stream import CHUNK_BYTES, seal_bytes
from orvault.container.trust import CertificateRole, Identity, check_chain
from orvault.container.wire import KEY_BYTES, check_chunk_bytes
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True)
class PackageSummary:
    """A finished package; `sha256` is over the whole file."""

    path: Path
    bytes: int
    sha256: str
    package_id: str


class PackageBuilder:
    """Builds one package; as a context manager it leaves no work files behind, whatever happens.

    With `activation` its slots hold one half of its key, and whoever builds it keeps the other (`halves`).

    Raises:
        OrvaultError: BAD_REQUEST if terms or chunk size are outside the format, UNTRUSTED if this identity
        may not sign packages.
    """

    def __init__(
        self,
        workdir: Path,
        identity: Identity,
        terms: PackageTerms,
        chunk_bytes: int = CHUNK_BYTES,
        activation: Activation | None = None,
    ) -> None:
        check_chunk_bytes(chunk_bytes)
        PackageTerms.read(Fields(terms.to_json(), "terms of the package", ErrorKind.BAD_REQUEST))
        check_chain(
            identity.certificate_der, identity.chain_ders, (), CertificateRole.EXPORT_SERVER, terms.issued_us
        )
        self._workdir, self._identity, self._terms, self._chunk_bytes = workdir, identity, terms, chunk_bytes
        self._activation = activation
        self.halves = None if activation is None else split_key()
        self._key = (
            os.urandom(KEY_BYTES) if self.halves is None else joined_key(*self.halves, terms.package_id)
        )
        self._sinks: dict[str, MediaSink] = {}

    def __enter__(self) -> PackageBuilder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def discard(self) -> None:
        """Remove the work files and drop the keys."""
        self._key, self.halves = b"", None
        for sink in self._sinks.values():
            # It is being thrown away: that it cannot be flushed is no news.
            with contextlib.suppress(OrvaultError):
                sink.abort()
            sink.sealed.path.unlink(missing_ok=True)
        self._sinks.clear()

    def media_sink(self, camera_id: str) -> MediaSink:
        """Where one camera's fragmented MP4 goes; several may be open at once.

        Raises:
            OrvaultError: BAD_REQUEST for an unfit id, CONFLICT for a camera begun twice, STORAGE.
        """
        check_camera_id(camera_id)
        if not self._key or camera_id.lower() in {known.lower() for known in self._sinks}:
            raise OrvaultError(ErrorKind.CONFLICT, "This camera's video was begun already.", where=camera_id)
        if len(self._sinks) >= MAX_CAMERAS:
            raise OrvaultError(ErrorKind.BAD_REQUEST, f"A package holds at most {MAX_CAMERAS} cameras.")
        try:
            path = self._workdir / f"{camera_id}-{secrets.token_hex(8)}.mp4.enc"
            sink = MediaSink(path, self._key, self._aad(media_name(camera_id)), self._chunk_bytes)
        except OSError as error:
            raise storage_error(self._workdir, error) from error
        self._sinks[camera_id] = sink
        return sink

    def _aad(self, entry: str) -> bytes:
        return associated_data(self._terms.package_id, entry)

    def finish(
        self,
        out: Path,
        media: Sequence[MediaInfo],
        recipients: Sequence[Recipient],
        prove: Callable[[str], HistoryProof] | None = None,
    ) -> PackageSummary:
        """Write the package. `media` describes every sink, in the order the package shall have.

        `prove` has the package's content (history-v1, 5.3) written into history, and gives the proof of it.

        Raises:
            OrvaultError: CONFLICT if a sink is open or not described, BAD_REQUEST if there is no recipient
            or a description is outside the format, STORAGE.
        """
        # 1. Everything that was begun is whole and described.
        sinks = self._checked_sinks(media)
        # 2. The manifest, signed and sealed; history has it first.
        manifest = self._seal_manifest(media, None if prove is None else prove(self._content(media, sinks)))
        # 3. One slot per recipient.
        slots = self._wrap(recipients)
        # 4. The label over all of it.
        label = self._label(manifest, slots, sinks)
        # 5. The frame, durably.
        contents = [
            _in_memory(LABEL, label),
            _in_memory(SLOTS, write_slots(slots)),
            _in_memory(MANIFEST, manifest),
        ]
        for camera_id, sink in sinks.items():
            sealed, name = sink.sealed, media_name(camera_id)
            contents.append(_in_memory(leaves_name(camera_id), sealed.leaves))
            contents.append(Content(name, sealed.bytes, sealed.crc32, partial(pieces_of, sealed.path)))
        size, digest = write_frame(out, contents)
        # 6. Nothing is left behind.
        self.discard()
        return PackageSummary(out, size, digest, self._terms.package_id)

    def tell(self, events: Sequence[Happened]) -> None:
        """Further events, which showed while the video was made; before `finish`."""
        self._terms = replace(self._terms, events=in_order([*self._terms.events, *events]))

    def _checked_sinks(self, media: Sequence[MediaInfo]) -> dict[str, MediaSink]:
        if not media or sorted(info.camera_id for info in media) != sorted(self._sinks):
            raise OrvaultError(
                ErrorKind.CONFLICT, "The cameras described are not those whose video was sealed."
            )
        for camera_id, sink in self._sinks.items():
            if not sink.whole:
                raise OrvaultError(
                    ErrorKind.CONFLICT, "The camera's video was not finished.", where=camera_id
                )
        return {info.camera_id: self._sinks[info.camera_id] for info in media}

    def _content(self, media: Sequence[MediaInfo], sinks: dict[str, MediaSink]) -> str:
        roots = [sinks[info.camera_id].sealed.root for info in media]
        return content_digest(self._terms.to_json(), [info.to_json() for info in media], roots)

    def _seal_manifest(self, media: Sequence[MediaInfo], history: HistoryProof | None) -> bytes:
        manifest = Manifest(self._terms, tuple(media), history)
        payload = canonical.encode(manifest.to_json())
        Manifest.read(Fields(manifest.to_json(), "manifest", ErrorKind.BAD_REQUEST))
        envelope = dsse.seal_envelope(payload, MANIFEST_TYPE, self._identity)
        sealed = seal_bytes(envelope, self._key, self._aad(MANIFEST), MANIFEST_CHUNK_BYTES)
        if len(sealed) > MAX_MANIFEST_BYTES:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "The manifest is larger than the format allows.")
        return bytes(sealed)

    def _wrap(self, recipients: Sequence[Recipient]) -> tuple[PackageSlot, ...]:
        passwords = sum(recipient.password_salt is not None for recipient in recipients)
        if not 1 <= len(recipients) <= MAX_SLOTS or passwords > MAX_PASSWORD_SLOTS:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                f"A package has 1 to {MAX_SLOTS} recipients, {MAX_PASSWORD_SLOTS} at most with a password.",
            )
        info = package_slot_info(self._terms.package_id)
        wrapped = self._key if self.halves is None else self.halves[0]
        return tuple(
            PackageSlot(wrap_key(wrapped, each.public_key, info), each.password_salt, each.argon2id)
            for each in recipients
        )

    def _label(self, manifest: bytes, slots: Sequence[PackageSlot], sinks: dict[str, MediaSink]) -> bytes:
        terms = self._terms
        return Label(
            package_id=terms.package_id,
            issued_us=terms.issued_us,
            not_before_us=terms.not_before_us,
            not_after_us=terms.not_after_us,
            certificates=(self._identity.certificate_der, *self._identity.chain_ders),
            key_commitment=key_commitment(self._key, commitment_context(terms.package_id)).hex(),
            slots=tuple(slot.digest for slot in slots),
            manifest=_small_entry(MANIFEST, manifest),
            cameras=tuple(self._camera_entries(camera_id, sink.sealed) for camera_id, sink in sinks.items()),
            activation=self._activation,
        ).seal(self._identity)

    def _camera_entries(self, camera_id: str, sealed: SealedFile) -> CameraEntries:
        name = media_name(camera_id)
        media = MediaEntry(name, sealed.bytes, sealed.crc32, self._chunk_bytes, sealed.root)
        return CameraEntries(camera_id, _small_entry(leaves_name(camera_id), sealed.leaves), media)


def _small_entry(name: str, data: bytes) -> SmallEntry:
    return SmallEntry(name, len(data), zlib.crc32(data), hashlib.sha256(data).hexdigest())


def _in_memory(name: str, data: bytes) -> Content:
    return Content(name, len(data), zlib.crc32(data), lambda: (data,))
