"""The root certificates that this user pinned: one PEM file each, named by its fingerprint.

Lies in the user's configuration folder, or in ORVAULT_PLAYER_HOME. Whether a fingerprint is that of the hospital,
only a person can tell, by comparing it with paper.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from orvault.container.files import read_bounded, write_private
from orvault.container.trust import check_root, fingerprint, load_pem, to_der
from orvault.errors import ErrorKind, OrvaultError

HOME_VARIABLE = "ORVAULT_PLAYER_HOME"
MAX_PEM_BYTES = 64 << 10
MIN_PREFIX = 8


@dataclass(frozen=True)
class Root:
    """A pinned root: its certificate's subject, fingerprint (hexadecimal SHA-256 of the DER) and DER."""

    name: str
    fingerprint: str
    der: bytes


def folder() -> Path:
    """Where pinned roots lie."""
    home = os.environ.get(HOME_VARIABLE)
    return (
        Path(home) if home else platformdirs.user_config_path("orvault-player", appauthor=False)
    ) / "roots"


def read_root(path: Path) -> Root:
    """The one root in a PEM file.

    Raises:
        OrvaultError: NOT_FOUND, BAD_SETTINGS if it is no certificate, UNTRUSTED if it is no root.
    """
    certificate = _one(path)
    check_root(certificate)
    der = to_der(certificate)
    return Root(certificate.subject.rfc4514_string(), fingerprint(der), der)


def _one(path: Path) -> Certificate:
    certificates = load_pem(read_bounded(path, MAX_PEM_BYTES), path)
    if len(certificates) != 1:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, "Exactly one certificate was expected, the root's.", where=str(path)
        )
    return certificates[0]


def add(path: Path) -> Root:
    """Pin the root in a PEM file."""
    root = read_root(path)
    write_private(folder() / f"{root.fingerprint}.pem", _one(path).public_bytes(Encoding.PEM))
    return root


def pinned() -> list[Root]:
    """All pinned roots, by name."""
    return sorted(
        (read_root(path) for path in folder().glob("*.pem")), key=lambda root: (root.name, root.fingerprint)
    )


def remove(prefix: str) -> Root:
    """Unpin the root whose fingerprint begins so (at least 8 digits; spaces do not matter); NOT_FOUND otherwise."""
    wanted = prefix.replace(" ", "").lower()
    found = [root for root in pinned() if root.fingerprint.startswith(wanted)]
    if len(wanted) < MIN_PREFIX or len(found) != 1:
        raise OrvaultError(
            ErrorKind.NOT_FOUND,
            f"There is not exactly one pinned root whose fingerprint begins with {prefix!r}.",
        )
    (folder() / f"{found[0].fingerprint}.pem").unlink()
    return found[0]


def believed(extra: Sequence[Path]) -> list[bytes]:
    """DER of every pinned root, and of those given for this run."""
    return [root.der for root in pinned()] + [read_root(path).der for path in extra]
