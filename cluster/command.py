"""What the commands of `orvault` share: the option that names the settings, and reading them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.environment import set_environment
from cluster.settings import Settings, load_settings

if TYPE_CHECKING:
    from orvault.custody.service import CustodyService

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The site's settings.")]
DEFAULT_CONFIG = Path("ray_config.yaml")


def settings_of(config: Path, several_nodes: bool = False) -> Settings:
    """The settings, with the environment set that Ray reads when it is imported. Errors: BAD_SETTINGS."""
    settings = load_settings(config)
    set_environment(settings.cluster.token_file, several_nodes or settings.cluster.address is not None)
    return settings


def open_ledger_of(config: Path) -> CustodyService:
    """Custody over the site's ledger, for a person at its command line. Errors: BAD_SETTINGS, UNAVAILABLE."""
    settings = settings_of(config)
    from cluster import services
    from cluster.custody import open_custody

    return open_custody(
        services.ledger_address(settings), services.camera_ids(settings), hospital=settings.site
    )


def ready(config: Path) -> Settings:
    """The settings of a site that has its keys. Errors: BAD_SETTINGS."""
    settings = settings_of(config)
    from cluster import setup

    setup.require_set_up(settings)
    return settings
