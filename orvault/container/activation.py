"""On-line activation: a package whose key has two halves, one in its slots and one that the hospital keeps.

Makes the halves, asks, proves, answers and opens. Who is answered, and how often, is custody's business; how the
question travels is the player's and the API's.
Source: docs/format/package-v1.md section 6.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.slots import KeySlot, PrivateKey, PublicKey, unwrap_key, wrap_key
from orvault.container.wire import KEY_BYTES
from orvault.errors import ErrorKind, OrvaultError

MAX_ADDRESS_CHARS = 200
MAX_LABEL_CHARS = 63  # RFC 1035, 2.3.4
MAX_CA_BYTES = 8 << 10
PROOF_BYTES = 32
_KEY = b"orvault/activation/v1\n"
_PROOF = b"orvault/activation-proof/v1\n"
_REQUEST = b"orvault/activation-request/v1\n"
_SHARE = b"orvault/activation-share/v1\n"


@dataclass(frozen=True)
class Activation:
    """Whom a package is activated by: an address (`https://HOST[:PORT]`), and the certificate (DER) of the authority
    that certifies the server there; None: one that the reader's system believes.
    """

    address: str
    ca: bytes | None = None

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {"address": self.address, "ca": None if self.ca is None else canonical.to_base64(self.ca)}

    @classmethod
    def read(cls, fields: Fields) -> Activation:
        """Out of an object with exactly these fields; an error of `fields` otherwise."""
        address = fields.text("address", MAX_ADDRESS_CHARS)
        if not is_address(address):
            raise fields.fail("address", "is not https://HOST or https://HOST:PORT")
        value = fields.take("ca")
        problem = fields.fail("ca", f"is neither null nor base64 of at most {MAX_CA_BYTES} bytes")
        if value is not None and not isinstance(value, str):
            raise problem
        fields.end()
        return cls(address, None if value is None else canonical.from_base64(value, MAX_CA_BYTES, problem))


def is_address(text: str) -> bool:
    """Whether this names a server and nothing more: no path, no user, no query, nothing but HTTPS."""
    if not text.isascii() or not text.isprintable() or any(sign in text for sign in " \\%"):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if port == 0 or not _is_host(parts.hostname or ""):
        return False
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return bool(host) and text == f"https://{host}" + ("" if port is None else f":{port}")


def _is_host(name: str) -> bool:
    """Whether a resolver takes it: an IPv6 address, or labels of 1 to 63 characters."""
    return ":" in name or all(1 <= len(part) <= MAX_LABEL_CHARS for part in name.split("."))


class Lease(Protocol):
    """A hospital's half for a while."""

    @property
    def share(self) -> bytes:
        """The half, 32 bytes."""
        ...

    def check(self) -> None:
        """EXPIRED once it may not be used any more."""
        ...


Activate = Callable[[str, Activation, bytes], Lease]  # package id, whom to ask, the recipient's half


def split_key() -> tuple[bytes, bytes]:
    """Two fresh halves of 32 bytes: the recipients', and the hospital's share."""
    return os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)


def joined_key(half: bytes, share: bytes, package_id: str) -> bytes:
    """The package key of 32 bytes (package-v1, 6.2). Without either half nothing is known of it."""
    return _derived(half + share, _KEY, package_id)


def proof_key(half: bytes, package_id: str) -> bytes:
    """What the hospital keeps to know a holder of the recipients' half by, 32 bytes; it does not give the half."""
    return _derived(half, _PROOF, package_id)


def _derived(secret: bytes, info: bytes, package_id: str) -> bytes:
    # HKDF with no salt: what goes in is random and 256 bits long or longer (RFC 5869, 3.1).
    bound = info + package_id.encode("ascii")
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=bound).derive(secret)


@dataclass(frozen=True)
class ActivationRequest:
    """What a player asks with (package-v1, 6.3). `ephemeral` is made for this one request and names it, too."""

    package_id: str
    ephemeral: PublicKey
    proof: bytes = field(repr=False)

    @classmethod
    def make(cls, package_id: str, ephemeral: PublicKey, half: bytes) -> ActivationRequest:
        """With its proof that the asker has the recipients' half."""
        return cls(package_id, ephemeral, _prove(proof_key(half, package_id), package_id, ephemeral))

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {
            "ephemeral": self.ephemeral.to_json(),
            "package_id": self.package_id,
            "proof": canonical.to_base64(self.proof),
        }

    @property
    def digest(self) -> str:
        """Names the request (hexadecimal): the same one sent twice is one."""
        return hashlib.sha256(_stated(self.package_id, self.ephemeral)).hexdigest()

    def is_proven(self, key: bytes) -> bool:
        """Whether whoever asks has the half that this key was made of; takes the same time either way."""
        return hmac.compare_digest(self.proof, _prove(key, self.package_id, self.ephemeral))


def _stated(package_id: str, ephemeral: PublicKey) -> bytes:
    return _REQUEST + canonical.encode({"ephemeral": ephemeral.to_json(), "package_id": package_id})


def _prove(key: bytes, package_id: str, ephemeral: PublicKey) -> bytes:
    return hmac.digest(key, _stated(package_id, ephemeral), "sha256")


@dataclass(frozen=True)
class ActivationAnswer:
    """The share, sealed to who asked; good until `until_us` (UTC microseconds). `plays_left` None: any number."""

    sealed: bytes = field(repr=False)
    until_us: int
    plays_left: int | None

    @classmethod
    def make(
        cls, request: ActivationRequest, share: bytes, until_us: int, plays_left: int | None
    ) -> ActivationAnswer:
        """BAD_REQUEST if the ephemeral key is none."""
        slot = wrap_key(share, request.ephemeral, _bound(request, until_us, plays_left))
        return cls(slot.sealed, until_us, plays_left)

    def open(self, request: ActivationRequest, ephemeral: PrivateKey) -> bytes:
        """The share; NOT_ACTIVATED unless it is the answer to this request, with this end and these plays."""
        info = _bound(request, self.until_us, self.plays_left)
        slot = KeySlot(request.ephemeral.thumbprint, request.ephemeral.kem, self.sealed, info)
        try:
            return unwrap_key(slot, ephemeral, info)
        except OrvaultError as error:
            raise OrvaultError(
                ErrorKind.NOT_ACTIVATED, "The hospital's answer is to another question."
            ) from error

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {
            "plays_left": self.plays_left,
            "sealed": canonical.to_base64(self.sealed),
            "until_us": self.until_us,
        }

    @classmethod
    def read(cls, fields: Fields) -> ActivationAnswer:
        """What `to_json` made; an error of `fields` otherwise."""
        sealed = fields.data("sealed", 2048)
        until_us = fields.integer("until_us")
        plays_left = fields.take("plays_left")
        if plays_left is not None and (type(plays_left) is not int or plays_left < 0):
            raise fields.fail("plays_left", "is neither null nor a number of plays")
        fields.end()
        return cls(sealed, until_us, plays_left)


def _bound(request: ActivationRequest, until_us: int, plays_left: int | None) -> bytes:
    # In HPKE's info: an end or a count that somebody changed on the way does not open.
    stated = {"plays_left": plays_left, "request": request.digest, "until_us": until_us}
    return _SHARE + canonical.encode(stated)
