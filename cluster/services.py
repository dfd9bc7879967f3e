"""Turns settings into what actors are given. Loads no web framework and no Ray: every command needs this."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from actors.keys import StorePlace
from actors.witnessing import SignerFiles
from actors.workers import MediaHandle, ViewingHandle
from api.directory.place import ProviderPlace
from api.paths import DIRECTORY_CALLBACK, PREFIX
from cluster.custody import LedgerAddress
from cluster.settings import Settings
from orvault.container.enrolment import EnrolmentFiles
from orvault.custody.access import AccessPolicy
from orvault.custody.evidence import Evidence
from orvault.custody.ports import CameraInfo
from orvault.custody.site import Rules
from orvault.errors import ErrorKind, OrvaultError

PACKAGES = "packages"  # a folder below data


def ledger_address(settings: Settings) -> LedgerAddress:
    """The ledger that the settings name."""
    return LedgerAddress(settings.ledger.url, settings.ledger.password_file)


def camera_ids(settings: Settings) -> tuple[str, ...]:
    """All cameras of the site."""
    return tuple(camera.id for camera in settings.cameras)


def rules(settings: Settings) -> Rules:
    """What the site decides for custody."""
    return Rules(
        settings.control.policy(),
        settings.viewing.policy(),
        settings.retention.policy(),
        settings.export.policy(),
        evidence(settings),
        AccessPolicy(
            departments=settings.departments(),
            directory=settings.directory.policy(),
            second_factor=settings.access.second_factor,
            session_us=settings.access.session_us,
        ),
    )


def camera_infos(settings: Settings) -> list[CameraInfo]:
    """What the ledger knows of each camera."""
    return [CameraInfo(camera.id, camera.title, camera.room, camera.node) for camera in settings.cameras]


def signer_files(settings: Settings) -> SignerFiles:
    """What signs history's checkpoints."""
    return SignerFiles(settings.keys.server_identity, settings.keys.root_certificate)


def evidence(settings: Settings) -> Evidence:
    """What history is held against."""
    stamp = settings.history.time_stamp
    roots = None if stamp is None else stamp.ca_file
    return Evidence(settings.keys.root_certificate, settings.history.folder, roots)


def enrolment_files(settings: Settings) -> EnrolmentFiles:
    """Where the enrolled nodes' certificates and the revocation list lie; only public parts are read."""
    keys = settings.keys
    return EnrolmentFiles(keys.root_certificate, keys.node_identities, keys.revocation_list)


def store_place(settings: Settings) -> StorePlace:
    """The key store, and what opens it. Errors: BAD_SETTINGS when a token is wanted and not described."""
    keys = settings.keys
    if keys.kek == "passphrase":
        return StorePlace(keys.store, keys.anchor, backup=keys.backup)
    if keys.token_module is None or not keys.token_label:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, "kek: pkcs11 needs token_module and token_label.", where="keys"
        )
    from orvault.custody.token import TokenPlace  # only sites with a token load its library

    return StorePlace(keys.store, token=TokenPlace(keys.token_module, keys.token_label), backup=keys.backup)


def secret_file(settings: Settings) -> Path | None:
    """What unlocks the store at start: the passphrase's or the PIN's file; None when a person is asked."""
    keys = settings.keys
    return keys.passphrase_file if keys.kek == "passphrase" else keys.pin_file


def tls_files(settings: Settings) -> tuple[Path, Path] | None:
    """Certificate chain and key of both HTTP servers, if they speak TLS.

    Errors: BAD_SETTINGS for a key that other accounts may read, or files that are no pair.
    """
    certificate, key = settings.api.tls_certificate, settings.api.tls_key
    if certificate is None or key is None:
        return None
    try:
        if key.stat().st_mode & 0o077:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                "is open to other accounts.",
                where=f"api.tls_key {key}",
                advice=f"chmod 600 {key}",
            )
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or type(error).__name__
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, f"cannot be used: {reason}.", where=f"api.tls_certificate {certificate}"
        ) from None
    return certificate, key


def address(settings: Settings, port: int) -> str:
    """How a client reaches one of the servers."""
    return f"{_base(settings)}:{port}"


def _base(settings: Settings) -> str:
    scheme = "http" if settings.api.tls_certificate is None else "https"
    return f"{scheme}://{settings.api.name or settings.api.host}"


@dataclass(frozen=True)
class ByteServer:
    """Where downloads, or views, are served: at the port of the settings. One that takes a free port takes another
    when it is started again, and is asked.
    """

    actor: MediaHandle | ViewingHandle
    base: str  # SCHEME://HOST
    port: int

    def url(self) -> str:
        """Where it is now. Errors: UNAVAILABLE."""
        return f"{self.base}:{self.port or self.actor.port()}"


def byte_servers(settings: Settings) -> tuple[ByteServer, ByteServer]:
    """That of downloads, and that of views."""
    base, api = _base(settings), settings.api
    downloads = ByteServer(MediaHandle(), base, api.media_port)
    return downloads, ByteServer(ViewingHandle(), base, api.viewing_port)


def directory_place(settings: Settings) -> ProviderPlace | None:
    """The hospital's directory, if the site signs people in through one."""
    return settings.directory.place(f"{address(settings, settings.api.port)}{PREFIX}{DIRECTORY_CALLBACK}")
