"""The root certificates that this user pinned: one PEM file each, named by its fingerprint.

Lies in the user's configuration folder, or in ORVAULT_PLAYER_HOME. Whether a fingerprint is that of the hospital,
only a person can tell, by comparing it with paper.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from cryptography.x509.oid import NameOID

from orvault.container.certificates import (
    MAX_PEM_BYTES,
    attribute,
    check_root,
    fingerprint,
    load_pem,
    to_der,
)
from orvault.container.files import read_bounded, storage_error, write_private
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import is_name

PINNED = "is pinned here"  # why a root is believed, as verdicts say it
GIVEN = "was given on the command line and is not pinned here"
HOME_VARIABLE = "ORVAULT_PLAYER_HOME"
MIN_PREFIX = 8


@dataclass(frozen=True)
class Root:
    """A pinned root: common name (1 to 64 printable characters), fingerprint (hexadecimal SHA-256 of the DER), DER.

    Whoever made the certificate chose the name: where it is shown, it is text and no markup.
    """

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
        OrvaultError: NOT_FOUND, BAD_SETTINGS if it is no certificate, UNTRUSTED if it is no root or has no
            name that can be shown.
    """
    certificates = load_pem(read_bounded(path, MAX_PEM_BYTES), path)
    if len(certificates) != 1:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, "Exactly one certificate was expected, the root's.", where=str(path)
        )
    (certificate,) = certificates
    check_root(certificate)
    name = attribute(certificate, NameOID.COMMON_NAME)
    if not is_name(name):
        raise OrvaultError(
            ErrorKind.UNTRUSTED,
            "The root certificate's name is not 1 to 64 printable characters.",
            where=str(path),
            advice="Ask the hospital for the certificate that its system wrote.",
        )
    der = to_der(certificate)
    return Root(name, fingerprint(der), der)


def add(path: Path) -> Root:
    """Pin the root in a PEM file: what was checked is what is written."""
    return pin(read_root(path))


def pin(root: Root) -> Root:
    """Believe this root from now on. Errors: STORAGE."""
    pem = load_der_x509_certificate(root.der).public_bytes(Encoding.PEM)
    write_private(folder() / f"{root.fingerprint}.pem", pem)
    return root


def _files() -> Iterator[tuple[Path, Root | OrvaultError]]:
    """Each file among the pinned roots, with the root in it or why there is none."""
    for path in sorted(folder().glob("*.pem")):
        try:
            yield path, read_root(path)
        except OrvaultError as error:
            yield path, error


def pinned(skipped: Callable[[OrvaultError], None]) -> list[Root]:
    """All pinned roots, by name. A file that is no root is not believed, and given to `skipped`."""
    found = []
    for _, root in _files():
        if isinstance(root, Root):
            found.append(root)
        else:
            skipped(root)
    return sorted(found, key=lambda root: (root.name, root.fingerprint))


def is_pinned(fingerprint: str) -> bool:
    """Whether this user pinned the root, whatever else is believed for a run."""
    return any(root.fingerprint == fingerprint for root in pinned(lambda told_elsewhere: None))


def belief(fingerprint: str) -> str:
    """Why this root is believed, if it is: PINNED, or GIVEN for this run."""
    return PINNED if is_pinned(fingerprint) else GIVEN


def remove(prefix: str) -> str:
    """Unpin the root whose fingerprint begins so (at least 8 digits; spaces do not matter); its name, or its file's
    where that cannot be read (a file is called by its fingerprint). NOT_FOUND otherwise; STORAGE.
    """
    wanted = prefix.replace(" ", "").lower()
    found = {
        path: root.name if isinstance(root, Root) else path.name
        for path, root in _files()
        if (root.fingerprint if isinstance(root, Root) else path.stem).startswith(wanted)
    }
    if len(wanted) < MIN_PREFIX or len(found) != 1:
        raise OrvaultError(
            ErrorKind.NOT_FOUND,
            f"There is not exactly one pinned root whose fingerprint begins with {prefix!r}.",
            advice=f"Give {MIN_PREFIX} or more of its digits; `orvault-player trust list` shows them.",
        )
    ((path, name),) = found.items()
    try:
        path.unlink()
    except OSError as error:
        raise storage_error(path, error) from error
    return name


def believed(extra: Sequence[Path], skipped: Callable[[OrvaultError], None]) -> list[bytes]:
    """DER of every pinned root, and of those given for this run: of these, one that is no root is an error."""
    return [root.der for root in pinned(skipped)] + [read_root(path).der for path in extra]
