"""Turns settings into what actors are given, and builds the two HTTP apps in the processes that serve them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from actors.keys import StorePlace, read_secret
from actors.viewing import Viewing
from actors.witnessing import SignerFiles
from actors.workers import MediaHandle, ViewingHandle
from api.app import build_app
from api.directory.flow import Directory
from api.directory.place import ProviderPlace
from api.media import build_media_app
from api.routes.directory import CALLBACK
from api.security import LinkSigner, TokenSigner
from api.services import PREFIX, Services
from api.viewing import build_viewing_app
from cluster.custody import LedgerAddress, Rules, open_custody
from cluster.settings import Settings
from orvault import __version__
from orvault.clock import SystemClock
from orvault.container.enrolment import EnrolmentFiles
from orvault.custody.access import AccessPolicy
from orvault.custody.activation import ActivationKey
from orvault.custody.evidence import Evidence
from orvault.custody.patients import PatientKey
from orvault.custody.ports import CameraInfo
from orvault.custody.second_factor import FactorKey
from orvault.errors import ErrorKind, OrvaultError

# files below data/keys
TOKEN_SECRET, LINK_SECRET = "token-secret", "link-secret"
PATIENT_SECRET, FACTOR_SECRET = "patient-secret", "second-factor-secret"
ACTIVATION_SECRET = "activation-secret"  # noqa: S105 - a file's name
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
    return settings.directory.place(f"{address(settings, settings.api.port)}{PREFIX}{CALLBACK}")


def build_api(
    address: LedgerAddress,
    cameras: tuple[str, ...],
    rules: Rules,
    data: Path,
    media: ByteServer,
    viewing: ByteServer,
    hospital: str,
    directory: ProviderPlace | None = None,
) -> FastAPI:
    """The API, with its own ledger connection and secrets; called in the replica's process."""
    tokens = _secret(data, TOKEN_SECRET)
    return build_app(
        Services(
            custody=open_custody(
                address, cameras, rules, hospital, _patients(data), _factors(data), activation_key(data)
            ),
            links=_link_signer(data),
            tokens=TokenSigner(tokens, SystemClock()),
            media_url=media.url,
            version=__version__,
            viewing_url=viewing.url,
            directory=None if directory is None else Directory.at(directory, tokens, SystemClock()),
        )
    )


def build_media(address: LedgerAddress, cameras: tuple[str, ...], rules: Rules, data: Path) -> FastAPI:
    """The byte server's app; called in the media actor's process."""
    return build_media_app(_link_signer(data), data / PACKAGES, open_custody(address, cameras, rules))


def build_viewing(data: Path, viewing: Viewing) -> FastAPI:
    """The viewing server's app; called in the viewing actor's process."""
    return build_viewing_app(_link_signer(data), SystemClock(), viewing)


def _link_signer(data: Path) -> LinkSigner:
    return LinkSigner(_secret(data, LINK_SECRET), SystemClock())


def _patients(data: Path) -> PatientKey:
    return PatientKey(partial(_secret, data, PATIENT_SECRET))  # read at its first use: older sites have none


def _factors(data: Path) -> FactorKey:
    return FactorKey(partial(_secret, data, FACTOR_SECRET))


def activation_key(data: Path) -> ActivationKey:
    """What the hospital's halves of packages' keys are sealed with."""
    return ActivationKey(partial(_secret, data, ACTIVATION_SECRET))


def _secret(data: Path, name: str) -> bytes:
    path = data / "keys" / name
    try:
        return bytes.fromhex(read_secret(path))
    except ValueError:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "is not hexadecimal.", where=str(path)) from None
