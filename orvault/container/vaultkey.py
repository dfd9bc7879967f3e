"""What works while the key store is locked: the standing vault key's public half, and who was given it.

After an unattended restart a case can be armed and recorded with it; opening waits for the unlock, which re-wraps
what was sealed to it (actors/rewrapping.py). Nothing here needs or tells a secret, and nothing here proves that the
public key is ours: `KeyStore.unlock` does that.
Source: docs/format/keystore-v1.md section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.files import read_bounded, write_private
from orvault.container.keyring import entry_id
from orvault.container.keys import PublicKey
from orvault.errors import ErrorKind, OrvaultError

VAULT_FILE = "vault.json"
HANDED = "handed"
MAX_BYTES = 16 << 10


@dataclass(frozen=True)
class VaultUse:
    """A case that was given the vault key `thumbprint`; `settled` once all it recorded is re-wrapped."""

    case_id: str
    thumbprint: str
    settled: bool = False


def path_in(folder: Path) -> Path:
    """Where the public half lies in a store's folder."""
    return folder / VAULT_FILE


def publish(folder: Path, public: PublicKey) -> None:
    """Make this the vault key in use."""
    value: dict[str, object] = {"format": "orvault-vault-key", "public_key": public.to_json(), "version": 1}
    write_private(path_in(folder), canonical.encode(value))


def read(folder: Path) -> PublicKey:
    """The vault key in use. Errors: KEY_MISSING, DAMAGED."""
    fields = _fields(path_in(folder), "orvault-vault-key")
    public = PublicKey.from_json(fields.take("public_key"), fields.where, ErrorKind.DAMAGED)
    fields.end()
    return public


def hand_out(folder: Path, case_id: str) -> PublicKey:
    """The vault key for this case; that it was given is durable before it is told.

    Errors: BAD_REQUEST, KEY_MISSING (there is no key store), STORAGE.
    """
    if not canonical.is_identifier(case_id):
        raise OrvaultError(ErrorKind.BAD_REQUEST, "This is not a case id.", where=case_id[:80])
    public = read(folder)
    known = next((use for use in uses(folder) if use.case_id == case_id), None)
    if known is not None and known.thumbprint != public.thumbprint:
        # Asked again after an unlock and another lock: both vault keys are needed, and one mark names one.
        raise OrvaultError(
            ErrorKind.KEYS_LOCKED,
            "The case has been given another vault key before.",
            where=case_id,
            advice="Unlock the key store.",
        )
    mark(folder, VaultUse(case_id, public.thumbprint))
    return public


def mark(folder: Path, use: VaultUse) -> None:
    """Write down, durably, how it stands with a case."""
    value: dict[str, object] = {
        "case_id": use.case_id,
        "format": "orvault-vault-use",
        "settled": use.settled,
        "thumbprint": use.thumbprint,
        "version": 1,
    }
    write_private(_mark_path(folder, use.case_id), canonical.encode(value))


def uses(folder: Path) -> list[VaultUse]:
    """Every case that was given a vault key which is still here. Errors: DAMAGED."""
    return [_read_mark(path) for path in sorted((folder / HANDED).glob("*.json"))]


def marks_of(folder: Path, thumbprint: str) -> tuple[Path, ...]:
    """The files of the cases that were given this vault key."""
    return tuple(_mark_path(folder, use.case_id) for use in uses(folder) if use.thumbprint == thumbprint)


def _mark_path(folder: Path, case_id: str) -> Path:
    return folder / HANDED / f"{entry_id('vault-use', case_id).hex()}.json"


def _read_mark(path: Path) -> VaultUse:
    fields = _fields(path, "orvault-vault-use")
    settled = fields.take("settled")
    if not isinstance(settled, bool):
        raise fields.fail("settled", "is neither true nor false")
    use = VaultUse(fields.identifier("case_id"), fields.digest("thumbprint"), settled)
    fields.end()
    return use


def _fields(path: Path, format_name: str) -> Fields:
    data = read_bounded(path, MAX_BYTES, ErrorKind.KEY_MISSING)
    value = canonical.decode(data, max_bytes=MAX_BYTES, where=str(path), kind=ErrorKind.DAMAGED)
    fields = Fields(value, str(path), ErrorKind.DAMAGED)
    fields.constant("format", format_name)
    fields.constant("version", 1)
    return fields
