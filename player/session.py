"""One package being watched: verify, unlock, say what it holds.

Verification itself is orvault.container's; pictures are reel.py's, words and windows the callers'.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from orvault.clock import Clock
from orvault.container.activation import Activate
from orvault.container.certificates import Revocations
from orvault.container.keys import PrivateKey
from orvault.container.package import Manifest, MediaInfo, PackageReader
from orvault.container.trust import Issuer
from orvault.errors import ErrorKind, OrvaultError


class Session:
    """An opened package whose signature, issuer, validity and papers have been verified."""

    def __init__(self, reader: PackageReader, issuer: Issuer) -> None:
        self.reader = reader
        self.issuer = issuer

    @classmethod
    def open(
        cls,
        path: Path,
        roots: Sequence[bytes],
        clock: Clock,
        revocations: Revocations | None = None,
        *,
        partial: bool = False,
    ) -> Session:
        """Everything that can be checked fast and without a secret (package-v1, section 5, steps 1 to 6).

        With `partial`, a package whose tail is missing opens too: `damage` says so, and what is there plays.

        Raises:
            OrvaultError: NOT_FOUND, NOT_A_PACKAGE, DAMAGED, ALTERED, UNTRUSTED, NOT_YET_VALID, EXPIRED.
        """
        reader = PackageReader.open(path, partial=partial)
        try:
            return cls(reader, reader.verify_label(roots, clock.now_us(), revocations))
        except BaseException:
            reader.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reader.close()

    @property
    def damage(self) -> OrvaultError | None:
        """What is missing of a package opened with `partial`."""
        return self.reader.damage

    def unlock(self, secret: str | PrivateKey, activate: Activate | None = None) -> Manifest:
        """Steps 7 and 8; WRONG_PASSWORD, NOT_FOR_YOU, ALTERED; NOT_ACTIVATED, and what `activate` raises."""
        return self.reader.unlock(secret, activate)

    def cameras(self, only: str | None = None) -> list[MediaInfo]:
        """What the manifest says of each camera, or of one; NOT_FOUND if the package has none of that id."""
        media = self.reader.manifest.media
        if only is None:
            return list(media)
        found = [info for info in media if info.camera_id == only]
        if not found:
            known = ", ".join(info.camera_id for info in media)
            raise OrvaultError(
                ErrorKind.NOT_FOUND,
                "The package has no such camera.",
                where=only[:80],
                advice=f"It has: {known}.",
            )
        return found
