"""Finds the package key: which slot a password or a private key opens.

The caller has verified the label before, and checks the key against the label's commitment after.
Source: docs/format/package-v1.md section 3 and section 5, step 7.
"""

from __future__ import annotations

from collections.abc import Sequence

from orvault.container.binding import package_slot_info
from orvault.container.keys import PrivateKey, private_key_from_password, unwrap_key
from orvault.container.label import PackageSlot
from orvault.errors import ErrorKind, OrvaultError


def find_key(slots: Sequence[PackageSlot], secret: str | PrivateKey, package_id: str) -> bytes:
    """The package key, 32 bytes, for a password (text) or a private key.

    Raises:
        OrvaultError: WRONG_PASSWORD, NOT_FOR_YOU; ALTERED if the right slot does not open.
    """
    if isinstance(secret, str):
        return _by_password(slots, secret, package_id)
    return _by_key(slots, secret, package_id)


def _by_key(slots: Sequence[PackageSlot], private: PrivateKey, package_id: str) -> bytes:
    thumbprint = private.public().thumbprint
    for each in slots:
        if each.slot.key_thumbprint == thumbprint:
            return unwrap_key(each.slot, private, package_slot_info(package_id))
    raise OrvaultError(ErrorKind.NOT_FOR_YOU, "The package was not made for this key.")


def _by_password(slots: Sequence[PackageSlot], password: str, package_id: str) -> bytes:
    offered = False
    for each in slots:
        if each.password_salt is None or each.argon2id is None:
            continue
        offered = True
        private = private_key_from_password(password, each.password_salt, each.argon2id, each.slot.kem)
        if private.public().thumbprint == each.slot.key_thumbprint:
            return unwrap_key(each.slot, private, package_slot_info(package_id))
    if offered:
        raise OrvaultError(ErrorKind.WRONG_PASSWORD, "The password does not open the package.")
    raise OrvaultError(
        ErrorKind.NOT_FOR_YOU,
        "No password opens the package: it was made for key files.",
        advice="Use your key file.",
    )
