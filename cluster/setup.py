"""Makes what a site needs once: root, server and node identities, the key store, secrets.

Nothing that exists is replaced: keys are never made twice over.
"""

from __future__ import annotations

import secrets
import string
from pathlib import Path

from cluster.custody import open_custody
from cluster.environment import write_token
from cluster.services import LINK_SECRET, TOKEN_SECRET, camera_ids, ledger_address, store_place
from cluster.settings import Settings
from orvault.clock import SystemClock
from orvault.container.authority import Authority
from orvault.container.files import write_private
from orvault.container.keystore import KeyStore
from orvault.container.trust import CertificateRole, Identity, fingerprint, load_pem, to_der
from orvault.custody.account import Role
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.migrate import migrate

SERVER_DAYS = 825
NODE_DAYS = 398
SECRET_BYTES = 32
PASSWORD_LENGTH = 20  # of 62 characters: 119 bits
_ALPHABET = string.ascii_letters + string.digits


def make_password() -> str:
    """A random password that can be typed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_LENGTH))


def root_fingerprint(settings: Settings) -> str:
    """SHA-256 of the root certificate, as it stands on paper."""
    return fingerprint(
        to_der(load_pem(settings.keys.root_certificate.read_bytes(), settings.keys.root_certificate)[0])
    )


def require_set_up(settings: Settings) -> None:
    """Errors: BAD_SETTINGS, with what to do, when the site has no keys yet."""
    if not is_set_up(settings):
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            "this site has no keys yet.",
            where=str(settings.data),
            advice="Run `orvault init`.",
        )


def is_set_up(settings: Settings) -> bool:
    """Whether `set_up` has run for these settings."""
    return settings.keys.root_certificate.exists()


def default_root_folder(settings: Settings) -> Path:
    """Where a site's root lies until it is carried to its safe."""
    return settings.data / "keys" / "root"


def set_up(
    settings: Settings, secret: str, root_passphrase: str | None = None, root_folder: Path | None = None
) -> Identity:
    """Make every key and secret of a site below its data folder; returns the root.

    `secret` opens the key store: a new passphrase, or the token's PIN. `root_folder` may hold a root already.
    1. the root (its private key goes to `root_folder`: to be kept off line);
    2. an identity for the server and for each client node, certified by it;
    3. the key store, and the passphrase file where the settings name one;
    4. the secrets of tokens, links and the cluster; 5. the ledger's tables;
    6. the root's public certificate and revocation list.
    Errors: CONFLICT when the site has a root already; WRONG_PASSPHRASE, BAD_REQUEST, UNAVAILABLE (the token).
    """
    if is_set_up(settings):
        raise OrvaultError(ErrorKind.CONFLICT, "this site has its keys already.", where=str(settings.data))
    authority = _authority(root_folder or default_root_folder(settings), settings.site, root_passphrase)
    authority.issue(settings.site, CertificateRole.EXPORT_SERVER, SERVER_DAYS).save(
        settings.keys.server_identity
    )
    for node in settings.nodes:
        if "client" in node.roles:
            made = authority.issue(node.name, CertificateRole.NODE, NODE_DAYS)
            made.save(settings.keys.node_identities / node.name)
    KeyStore.create(settings.keys.store, store_place(settings).source(secret))
    if settings.keys.kek == "passphrase" and settings.keys.passphrase_file is not None:
        write_private(settings.keys.passphrase_file, secret.encode())
    for name in (TOKEN_SECRET, LINK_SECRET):
        write_private(settings.data / "keys" / name, secrets.token_hex(SECRET_BYTES).encode())
    write_token(settings.cluster.token_file)
    migrate(ledger_address(settings).resolve())
    authority.revocations().save(settings.keys.revocation_list)
    # Last: its presence says that all the rest is there.
    write_private(settings.keys.root_certificate, authority.root.certificate_pem)
    return authority.root


def _authority(folder: Path, site: str, passphrase: str | None) -> Authority:
    if Authority.exists(folder):
        return Authority.open(folder, passphrase, SystemClock())
    return Authority.create(folder, site, passphrase, SystemClock())


def create_account(settings: Settings, name: str, role: Role, password: str) -> None:
    """Add an account, as a person at the server's own command line. Errors: BAD_REQUEST, CONFLICT."""
    custody = open_custody(ledger_address(settings), camera_ids(settings))
    custody.create_account(None, name, name, role, password)
