"""Reads an export package, distrusting every byte until it is verified.

Steps are numbered as in docs/format/package-v1.md, section 5. Shows nothing (player), and does not decide
which roots are believed: callers bring the pinned ones.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from orvault.clock import utc_iso
from orvault.container import canonical, dsse
from orvault.container.activation import Activate, Lease
from orvault.container.binding import (
    MANIFEST_CHUNK_BYTES,
    associated_data,
    root_of_leaves,
)
from orvault.container.canonical import Fields
from orvault.container.certificates import CertificateRole, Issuer, Revocations, check_chain
from orvault.container.frame_reader import Frame, open_file, read_frame
from orvault.container.history import Proven, check_history, content_digest
from orvault.container.keys import PrivateKey
from orvault.container.label import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    CameraEntries,
    Label,
    PackageSlot,
    SmallEntry,
)
from orvault.container.manifest import MANIFEST_TYPE, Manifest
from orvault.container.package_video import PackageVideo
from orvault.container.stream import OpeningReader, open_bytes
from orvault.container.unlocking import package_key
from orvault.container.wire import FileSource
from orvault.errors import ErrorKind, OrvaultError

Progress = Callable[[int, int], None]


class PackageReader:
    """One package file. Use: `open`, `verify_label`, `unlock`, then `manifest`, `media`, `verify_all`.

    The order is enforced: no secret is taken before everything that needs none has been checked.
    """

    def __init__(self, file: BinaryIO, frame: Frame) -> None:
        self._file = file
        self._frame = frame
        self._lock = threading.Lock()
        self._leaves: dict[str, bytes] = {}
        self._issuer: Issuer | None = None
        self._key = b""
        self._lease: Lease | None = None
        self._manifest: Manifest | None = None
        self._proven: Proven | None = None

    @classmethod
    def open(cls, path: Path, *, partial: bool = False) -> PackageReader:
        """Steps 1 to 3: frame, label and its signature, headers and directory. Reads only those.

        With `partial`, a file whose tail is missing is opened all the same: `damage` says what is missing,
        and what is there can be used.

        Raises:
            OrvaultError: NOT_FOUND, NOT_A_PACKAGE, DAMAGED (it ends too soon, and where), ALTERED (what).
        """
        file = open_file(path)
        try:
            return cls(file, read_frame(file, partial=partial, name=str(path)))
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Close the file and drop the key; readers from `media` stop working."""
        self._key, self._lease = b"", None
        self._file.close()

    def __enter__(self) -> PackageReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def label(self) -> Label:
        """The label; its signature is verified, its signer only by `verify_label`."""
        return self._frame.label

    @property
    def damage(self) -> OrvaultError | None:
        """What is missing of a file opened with `partial`."""
        return self._frame.damage

    @property
    def slots(self) -> tuple[PackageSlot, ...]:
        """The key slots that are in this copy."""
        return self._frame.slots

    @property
    def wants_password(self) -> bool:
        """Whether some recipient opens this package with a password."""
        return any(slot.password_salt is not None for slot in self.slots)

    def verify_label(
        self, roots: Sequence[bytes], now_us: int, revocations: Revocations | None = None
    ) -> Issuer:
        """Steps 4 to 6: who issued it, is it valid now, are the papers whole; `roots` are pinned, as DER.

        Raises:
            OrvaultError: UNTRUSTED (bad chain, or its signer was revoked before it was issued; an unknown root is
            no error but `Issuer.pinned` False), NOT_YET_VALID, EXPIRED, ALTERED, DAMAGED.
        """
        issuer = self.check_issuer(roots, revocations)
        self.check_time(now_us)
        self._check_papers()
        self._issuer = issuer
        return issuer

    def check_issuer(self, roots: Sequence[bytes], revocations: Revocations | None = None) -> Issuer:
        """Step 4 alone."""
        leaf, *chain = self.label.certificates
        at_us = self.label.issued_us
        return check_chain(leaf, chain, roots, CertificateRole.EXPORT_SERVER, at_us, revocations)

    def check_time(self, now_us: int) -> None:
        """Step 5 alone."""
        if now_us < self.label.not_before_us:
            raise OrvaultError(
                ErrorKind.NOT_YET_VALID, f"It may be opened from {utc_iso(self.label.not_before_us)} on."
            )
        if now_us >= self.label.not_after_us:
            raise OrvaultError(
                ErrorKind.EXPIRED, f"It could be opened until {utc_iso(self.label.not_after_us)}."
            )

    def _check_papers(self) -> None:
        """Step 6: the sealed manifest and the chunk hashes are those that the label names."""
        if self._frame.has(MANIFEST):
            self._read_small(self.label.manifest)
        for camera in self.label.cameras:
            if not self._frame.has(camera.leaves.name):
                continue
            leaves = self._read_small(camera.leaves)
            if root_of_leaves(leaves) != camera.media.merkle_root:
                raise OrvaultError(ErrorKind.ALTERED, "Its hashes do not add up.", where=camera.leaves.name)
            self._leaves[camera.camera_id] = leaves

    def _read_small(self, entry: SmallEntry) -> bytes:
        data = bytes(self._source(entry.name).read_at(0, entry.bytes))
        if len(data) < entry.bytes:
            raise self.damage or OrvaultError(ErrorKind.DAMAGED, "It ends too soon.", where=entry.name)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise OrvaultError(ErrorKind.ALTERED, "It is not what was signed.", where=entry.name)
        return data

    def _source(self, name: str) -> FileSource:
        entry = self._frame.entries[name]
        return FileSource(self._file, entry.data_offset, entry.bytes, self._lock)

    def unlock(self, secret: str | PrivateKey, activate: Activate | None = None) -> Manifest:
        """Steps 7 and 8: find the slot for a password or a private key, check the key, open the manifest.

        `activate` asks the hospital for its half, where the package wants that (`label.activation`).

        Raises:
            OrvaultError: WRONG_PASSWORD, NOT_FOR_YOU, ALTERED; NOT_ACTIVATED without an `activate` that is wanted, or
            what it raises; CONFLICT if `verify_label` has not passed.
        """
        if self._issuer is None:
            raise OrvaultError(ErrorKind.CONFLICT, "The label is to be verified before a key is used.")
        key, lease = package_key(self.label, self.slots, secret, activate)
        self._manifest = self._open_manifest(key)
        self._key, self._lease = key, lease
        return self._manifest

    def check_lease(self) -> None:
        """EXPIRED, and the key is gone, once what the hospital allowed is over."""
        if self._lease is None:
            return
        try:
            self._lease.check()
        except OrvaultError:
            self._key = b""
            raise

    def _open_manifest(self, key: bytes) -> Manifest:
        label = self.label
        if not self._frame.has(MANIFEST):
            raise self.damage or OrvaultError(ErrorKind.DAMAGED, "It is missing.", where=MANIFEST)
        sealed = self._read_small(label.manifest)
        opened = open_bytes(sealed, key, associated_data(label.package_id, MANIFEST), MANIFEST_CHUNK_BYTES)
        envelope = dsse.read_envelope(opened, MANIFEST_TYPE, MANIFEST, MAX_MANIFEST_BYTES)
        envelope.verify(label.certificates[0])
        value = canonical.decode(envelope.payload, max_bytes=MAX_MANIFEST_BYTES, where=MANIFEST)
        manifest = Manifest.read(Fields(value, MANIFEST))
        terms = manifest.terms
        stated = (terms.package_id, terms.issued_us, terms.not_before_us, terms.not_after_us)
        if stated != (label.package_id, label.issued_us, label.not_before_us, label.not_after_us) or [
            info.camera_id for info in manifest.media
        ] != [camera.camera_id for camera in label.cameras]:
            raise OrvaultError(ErrorKind.ALTERED, "It does not agree with the label.", where=MANIFEST)
        self._proven = self._check_history(manifest)
        return manifest

    def _check_history(self, manifest: Manifest) -> Proven | None:
        """Step 8, its last part: what the manifest proves of history fits this package (history-v1, 5.2)."""
        if manifest.history is None:
            return None
        roots = [camera.media.merkle_root for camera in self.label.cameras]
        terms = manifest.terms
        content = content_digest(terms.to_json(), [info.to_json() for info in manifest.media], roots)
        return check_history(
            manifest.history, self.label.certificates, terms.request_id, terms.package_id, content
        )

    @property
    def proven(self) -> Proven | None:
        """What is proven of the hospital's history; None for a package without a proof, and before `unlock`."""
        return self._proven

    @property
    def manifest(self) -> Manifest:
        """The manifest; CONFLICT before `unlock`."""
        if self._manifest is None:
            raise OrvaultError(ErrorKind.CONFLICT, "The package was not unlocked.")
        return self._manifest

    def media(self, camera_id: str) -> OpeningReader:
        """Step 9: a camera's video as a seekable file that verifies each chunk before it gives a byte of it.

        Raises:
            OrvaultError: NOT_FOUND if there is no such camera, CONFLICT before `unlock`; reading: ALTERED,
            DAMAGED, EXPIRED (of an activation).
        """
        camera = self._camera(camera_id)
        if not self._key:
            raise OrvaultError(ErrorKind.CONFLICT, "The package was not unlocked.")
        return self._video(camera).open(self._key, self.label.package_id)

    def _camera(self, camera_id: str) -> CameraEntries:
        for camera in self.label.cameras:
            if camera.camera_id == camera_id:
                return camera
        known = ", ".join(camera.camera_id for camera in self.label.cameras)
        raise OrvaultError(
            ErrorKind.NOT_FOUND,
            "The package has no such camera.",
            where=camera_id[:80],
            advice=f"It has: {known}.",
        )

    def _video(self, camera: CameraEntries) -> PackageVideo:
        leaves = self._leaves.get(camera.camera_id)
        if leaves is None:
            raise self.damage or OrvaultError(ErrorKind.CONFLICT, "The label was not verified.")
        source = self._source(camera.media.name)
        return PackageVideo(camera.media, source, leaves, self.check_lease, self.damage)

    def verify_all(self, progress: Progress | None = None) -> None:
        """Check every chunk of every video: its signed hash, and, once unlocked, that it opens.

        `progress(done, total)` is called after each chunk, in bytes.

        Raises:
            OrvaultError: ALTERED, DAMAGED; CONFLICT before `verify_label`.
        """
        total = sum(camera.media.bytes for camera in self.label.cameras)
        before = 0
        for camera in self.label.cameras:
            done, video, key = before, self._video(camera), self._key
            for size in video.opened_sizes(key, self.label.package_id) if key else video.checked_sizes():
                done += size
                if progress is not None:
                    progress(done, total)
            before += camera.media.bytes
        if progress is not None:
            progress(total, total)
