"""Makes what a site needs once: root, server and node identities, the key store, secrets.

Nothing that exists is replaced: keys are never made twice over, and what a crash left is finished.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from pathlib import Path

from actors.keys import read_secret
from cluster.custody import open_custody
from cluster.environment import write_token
from cluster.services import camera_ids, ledger_address, rules, store_place
from cluster.settings import Settings
from cluster.site_secrets import (
    ACTIVATION_SECRET,
    FACTOR_SECRET,
    LINK_SECRET,
    PATIENT_SECRET,
    TOKEN_SECRET,
    activation_key,
)
from orvault.clock import SystemClock
from orvault.container.authority import Authority
from orvault.container.files import write_private
from orvault.container.keystore import KeyStore
from orvault.container.trust import (
    KEY_FILE,
    CertificateRole,
    Identity,
    fingerprint,
    load_pem,
    to_der,
)
from orvault.custody.account import Role
from orvault.custody.activation import ActivationMode
from orvault.custody.scope import SITE, Scope
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.migrate import migrate

DAYS = {CertificateRole.EXPORT_SERVER: 825, CertificateRole.NODE: 398}  # that a certificate is good for
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


def check_activation(settings: Settings) -> None:
    """BAD_SETTINGS where packages may be activated and the secret that seals their shares cannot be used."""
    if settings.export.activation.mode is ActivationMode.NEVER:
        return
    try:
        activation_key(settings.data).check()
    except OrvaultError as error:
        advice = (
            "Bring it back from its back-up. Only a site that never had one makes it:"
            " `openssl rand -hex 32`, readable by the server alone."
        )
        where = str(settings.data / "keys" / ACTIVATION_SECRET)
        raise OrvaultError(error.kind, error.message, where=where, advice=advice) from error


def lacking_models(settings: Settings) -> str:
    """That the models are not on this machine, in words; "" where they are. Not every machine needs them."""
    folder = settings.vision.models
    if (folder / "SHA256SUMS").is_file():
        return ""
    return (
        f"vision.models {folder}: the models are not there; without them nobody is detected on this machine."
    )


def is_set_up(settings: Settings) -> bool:
    """Whether `set_up` has run for these settings."""
    return settings.keys.root_certificate.exists()


def default_root_folder(settings: Settings) -> Path:
    """Where a site's root lies until it is carried to its safe."""
    return settings.data / "keys" / "root"


def set_up(
    settings: Settings,
    secret: str,
    root_passphrase: str | None = None,
    root_folder: Path | None = None,
    node_keys: bool = True,
) -> Identity:
    """Make every key and secret of a site below its data folder; returns the root.

    `secret` opens the key store: a new passphrase, or the token's PIN. `root_folder` may hold a root already.
    1. the root (its private key goes to `root_folder`: to be kept off line);
    2. an identity for the server and, with `node_keys`, for each client node, certified by it;
    3. the passphrase file where the settings name one, then the key store;
    4. the secrets of tokens, links and the cluster; 5. the ledger's tables;
    6. the root's public certificate and revocation list.
    After a crash it is called again: every step takes what is there, above all the passphrase in its file.
    Errors: CONFLICT when the site has a root already; WRONG_PASSPHRASE, BAD_REQUEST, UNAVAILABLE (the token).
    """
    if is_set_up(settings):
        raise OrvaultError(ErrorKind.CONFLICT, "this site has its keys already.", where=str(settings.data))
    authority = _authority(root_folder or default_root_folder(settings), settings.site, root_passphrase)
    _identify(authority, settings.site, CertificateRole.EXPORT_SERVER, settings.keys.server_identity)
    for node in settings.nodes:
        if node_keys and "client" in node.roles:
            folder = settings.keys.node_identities / node.name
            _identify(authority, node.name, CertificateRole.NODE, folder)
    _make_store(settings, secret)
    for name in (TOKEN_SECRET, LINK_SECRET, PATIENT_SECRET, FACTOR_SECRET, ACTIVATION_SECRET):
        if not (settings.data / "keys" / name).exists():
            write_private(settings.data / "keys" / name, secrets.token_hex(SECRET_BYTES).encode())
    if not settings.cluster.token_file.exists():
        write_token(settings.cluster.token_file)
    migrate_ledger(settings)
    authority.revocations().save(settings.keys.revocation_list)
    # Last: its presence says that all the rest is there.
    write_private(settings.keys.root_certificate, authority.root.certificate_pem)
    return authority.root


def migrate_ledger(settings: Settings) -> tuple[str | None, str | None]:
    """Bring the ledger's tables to this version; which schema was found (None: no tables), and which is there now.

    One that was cut off goes on. Errors: BAD_SETTINGS, UNAVAILABLE.
    """
    return migrate(ledger_address(settings).resolve())


def _identify(authority: Authority, name: str, role: CertificateRole, folder: Path) -> None:
    if not (folder / KEY_FILE).exists():
        authority.issue(name, role, DAYS[role]).save(folder)


def _make_store(settings: Settings, secret: str) -> None:
    """1. the passphrase is durable in its file, if it has one; 2. only then something is sealed with it."""
    file = settings.keys.passphrase_file
    if settings.keys.kek == "passphrase" and file is not None:
        if file.exists():
            secret = read_secret(file)
        else:
            write_private(file, secret.encode())
    source = store_place(settings).source(secret)
    if KeyStore.exists(settings.keys.store):
        KeyStore.unlock(
            settings.keys.store, source
        )  # finishes what was begun, and shows that the secret is right
    else:
        KeyStore.create(settings.keys.store, source)


def _authority(folder: Path, site: str, passphrase: str | None) -> Authority:
    if Authority.exists(folder):
        return Authority.open(folder, passphrase, SystemClock())
    return Authority.create(folder, site, passphrase, SystemClock())


def create_account(
    settings: Settings, name: str, role: Role, password: str, scopes: Sequence[Scope] = (SITE,)
) -> None:
    """Add an account, as a person at the server's own command line. Errors: BAD_REQUEST, CONFLICT."""
    custody = open_custody(ledger_address(settings), camera_ids(settings), rules(settings), settings.site)
    custody.create_account(None, name, name, role, password, scopes)
