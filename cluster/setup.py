"""Makes what a site needs once: root, server and node identities, the key store, secrets.

Nothing that exists is replaced: keys are never made twice over.
"""

from __future__ import annotations

import secrets
import string
from pathlib import Path

from cluster.settings import Settings
from orvault.clock import SystemClock
from orvault.container.keystore import KeyStore
from orvault.container.trust import Identity, create_root, issue
from orvault.durable import write_durably, write_secret
from orvault.errors import ErrorKind, OrvaultError

SERVER_DAYS = 825
NODE_DAYS = 398
SECRET_BYTES = 32
PASSWORD_LENGTH = 20  # of 62 characters: 119 bits
_ALPHABET = string.ascii_letters + string.digits


def make_password() -> str:
    """A random password that can be typed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_LENGTH))


def token_secret_file(settings: Settings) -> Path:
    """What bearer tokens are signed with."""
    return settings.data / "keys" / "token-secret"


def link_secret_file(settings: Settings) -> Path:
    """What download links are signed with."""
    return settings.data / "keys" / "link-secret"


def is_set_up(settings: Settings) -> bool:
    """Whether `set_up` has run for these settings."""
    return settings.keys.root_certificate.exists()


def set_up(settings: Settings, passphrase: str) -> Identity:
    """Make every key and secret of a site below its data folder; returns the root.

    1. the root (its private key goes to keys/root: to be kept off line) and its public certificate;
    2. an identity for the server and for each client node, certified by it;
    3. the key store under the passphrase, and the passphrase file where the settings name one;
    4. the secrets of tokens and links.
    Errors: CONFLICT when the site has a root already.
    """
    if is_set_up(settings):
        raise OrvaultError(ErrorKind.CONFLICT, "this site has its keys already.", where=str(settings.data))
    clock = SystemClock()
    root = create_root(settings.site, clock)
    server = next(node.name for node in settings.nodes if "server" in node.roles)
    issue(root, server, "export-server", clock, SERVER_DAYS).save(settings.keys.server_identity)
    for node in settings.nodes:
        if "client" in node.roles:
            issue(root, node.name, "node", clock, NODE_DAYS).save(settings.keys.node_identities / node.name)
    KeyStore.create(settings.keys.store, passphrase)
    if settings.keys.passphrase_file is not None:
        write_secret(settings.keys.passphrase_file, passphrase.encode())
    for path in (token_secret_file(settings), link_secret_file(settings)):
        write_secret(path, secrets.token_bytes(SECRET_BYTES))
    root.save(settings.data / "keys" / "root")
    # Last: its presence says that all the rest is there.
    write_durably(settings.keys.root_certificate, root.certificate_pem())
    return root
