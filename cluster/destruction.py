"""What the retention actor is given of a site."""

from __future__ import annotations

from collections.abc import Callable

from actors import facades, handles
from actors.handles import Placed, Starting
from actors.retention import DestructionTools, RetentionActor
from cluster import services
from cluster.settings import Settings
from orvault.custody.service import CustodyService


def start_retention(settings: Settings, custody: Callable[[], CustodyService], server: Placed) -> Starting:
    """Begin starting it, on the export server. Errors: UNAVAILABLE."""
    tools = DestructionTools(
        keys=facades.KeysHandle(),
        disks=facades.SegmentsHandle(),
        nodes=tuple(node.name for node in settings.nodes if "client" in node.roles),
        packages=settings.data / services.PACKAGES,
        server_identity=settings.keys.server_identity,
    )
    return handles.start(facades.RETENTION, RetentionActor, server, 1, custody, tools)
