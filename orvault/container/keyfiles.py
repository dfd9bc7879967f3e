"""A recipient's key pair as two files: FILE (private, mode 0600) and FILE.pub (to hand out), canonical JSON.

The private file is not encrypted: whoever wants that uses a password recipient, or an encrypted disk.
"""

from __future__ import annotations

from pathlib import Path

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.files import read_bounded, write_private
from orvault.container.keys import Kem, PrivateKey, PublicKey, generate_private_key
from orvault.errors import ErrorKind, OrvaultError

MAX_BYTES = 16 << 10
PRIVATE_FORMAT = "orvault-private-key"
PUBLIC_FORMAT = "orvault-public-key"


def write_key_pair(path: Path, kem: Kem = Kem.MLKEM768_X25519) -> PublicKey:
    """Make a key pair; CONFLICT if a file is there, which may be the only key to something."""
    private = generate_private_key(kem)
    public = private.public()
    secret: dict[str, object] = {"kem": str(kem), "raw": canonical.to_base64(private.raw)}
    write_private(path, _file(PRIVATE_FORMAT, secret), replace=False)
    write_private(public_path(path), _file(PUBLIC_FORMAT, public.to_json()), replace=False)
    return public


def public_path(path: Path) -> Path:
    """Where the public half of a key file lies."""
    return path.with_name(path.name + ".pub")


def read_private_key(path: Path) -> PrivateKey:
    """NOT_FOUND if there is no such file, BAD_REQUEST if it is no private key file."""
    fields = _fields(path, PRIVATE_FORMAT)
    name = fields.text("kem", 32)
    kem = next((known for known in Kem if known == name), None)
    if kem is None:
        raise fields.fail("kem", "is unknown")
    raw = fields.data("raw", kem.private_bytes)
    fields.end()
    return PrivateKey(kem, raw)


def read_public_key(path: Path) -> PublicKey:
    """NOT_FOUND if there is no such file, BAD_REQUEST if it is no public key file."""
    fields = _fields(path, PUBLIC_FORMAT)
    key = PublicKey.from_json({name: fields.take(name) for name in ("kem", "raw")}, str(path))
    fields.end()
    return key


def _file(format_name: str, content: dict[str, object]) -> bytes:
    return canonical.encode({"format": format_name, "version": 1} | content)


def _fields(path: Path, format_name: str) -> Fields:
    data = read_bounded(path, MAX_BYTES)
    try:
        value = canonical.decode(
            data.strip(), max_bytes=MAX_BYTES, where=str(path), kind=ErrorKind.BAD_REQUEST
        )
        fields = Fields(value, str(path), ErrorKind.BAD_REQUEST)
        fields.constant("format", format_name)
        fields.constant("version", 1)
    except OrvaultError as error:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST, f"This is not an {format_name.replace('-', ' ')} file.", where=str(path)
        ) from error
    return fields
