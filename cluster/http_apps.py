"""Builds the HTTP apps, each in the process that serves it, which loads what its own app needs and no more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from api.directory.place import ProviderPlace
from api.security import LinkSigner, TokenSigner
from cluster.custody import LedgerAddress, open_custody
from cluster.services import PACKAGES, ByteServer
from cluster.site_secrets import LINK_SECRET, TOKEN_SECRET, activation_key, factor_key, patient_key, secret
from orvault import __version__
from orvault.clock import SystemClock
from orvault.custody.site import Rules, Secrets

if TYPE_CHECKING:
    from fastapi import FastAPI

    from actors.viewing import Viewing


def build_api(
    address: LedgerAddress,
    cameras: tuple[str, ...],
    rules: Rules,
    data: Path,
    media: ByteServer,
    viewing: ByteServer,
    hospital: str,
    directory: ProviderPlace | None = None,
    rooms_offset_min: int = 0,
) -> FastAPI:
    """The API, with its own ledger connection and secrets; called in the replica's process."""
    from api.app import build_app
    from api.directory.flow import Directory
    from api.services import Services

    tokens = secret(data, TOKEN_SECRET)
    secrets = Secrets(patient_key(data), factor_key(data), activation_key(data))
    return build_app(
        Services(
            custody=open_custody(address, cameras, rules, hospital, secrets),
            links=_link_signer(data),
            tokens=TokenSigner(tokens, SystemClock()),
            media_url=media.url,
            version=__version__,
            viewing_url=viewing.url,
            directory=None if directory is None else Directory.at(directory, tokens, SystemClock()),
            rooms_offset_min=rooms_offset_min,
        )
    )


def build_media(address: LedgerAddress, cameras: tuple[str, ...], rules: Rules, data: Path) -> FastAPI:
    """The byte server's app; called in the media actor's process."""
    from api.media import build_media_app

    return build_media_app(_link_signer(data), data / PACKAGES, open_custody(address, cameras, rules))


def build_viewing(data: Path, viewing: Viewing) -> FastAPI:
    """The viewing server's app; called in the viewing actor's process."""
    from api.viewing import build_viewing_app

    return build_viewing_app(_link_signer(data), SystemClock(), viewing)


def _link_signer(data: Path) -> LinkSigner:
    return LinkSigner(secret(data, LINK_SECRET), SystemClock())
