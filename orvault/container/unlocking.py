"""Finds the package key: which slot a password or a private key opens, and what the hospital adds to it.

The caller has verified the label before.
Source: docs/format/package-v1.md section 3, section 5, step 7, and section 6.
"""

from __future__ import annotations

from collections.abc import Sequence

from orvault.container.activation import Activate, Lease, joined_key
from orvault.container.binding import commitment_context, package_slot_info
from orvault.container.keys import PrivateKey, check_commitment, private_key_from_password, unwrap_key
from orvault.container.label import SLOTS, Label, PackageSlot
from orvault.errors import ErrorKind, OrvaultError


def package_key(
    label: Label, slots: Sequence[PackageSlot], secret: str | PrivateKey, activate: Activate | None
) -> tuple[bytes, Lease | None]:
    """The package key, 32 bytes, that the label committed to; and for how long, where the hospital was asked for it.

    Raises:
        OrvaultError: as `find_key`; NOT_ACTIVATED without an `activate` that the label wants, or what it raises;
        ALTERED for another key than was signed.
    """
    package_id = label.package_id
    key, where, lease = find_key(slots, secret, package_id), SLOTS, None
    if label.activation is not None:
        if activate is None:
            raise OrvaultError(
                ErrorKind.NOT_ACTIVATED,
                "The package opens only after its hospital was asked, and nobody asks here.",
                advice="Open it with a player that activates packages, on a computer with a network.",
            )
        lease = activate(package_id, label.activation, key)
        key, where = joined_key(key, lease.share, package_id), "activation"
    check_commitment(key, commitment_context(package_id), label.key_commitment, where)
    return key, lease


def find_key(slots: Sequence[PackageSlot], secret: str | PrivateKey, package_id: str) -> bytes:
    """What the slots wrap for a password (text) or a private key, 32 bytes: the package key, or the recipients' half.

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
