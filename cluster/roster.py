"""Which actors a site has, where each goes, and what it is given; `bringup` has them started.

Here the settings are taken apart: an actor gets the few plain values it needs, never the whole.
"""

from __future__ import annotations

from functools import partial

from actors import facades, handles
from actors.camera import CameraActor, CameraFeed
from actors.detection import DetectionActor
from actors.encryption import EncryptionActor
from actors.export import ExportActor
from actors.handles import Placed, Starting
from actors.index import IndexActor
from actors.keys import KeyActor
from actors.media import MediaActor
from actors.rendering import RenderTools
from cluster import services
from cluster.custody import LedgerAddress, open_custody
from cluster.placement import NodeFacts, Place, for_detection, on_node, on_server
from cluster.settings import CameraSettings, Settings
from orvault.clock import SystemClock

FRAGMENT_THREADS = 4  # of an encryption actor: cameras seal side by side, AES-GCM leaves the interpreter lock
SEGMENTS, ORDERS = "segments", "orders"  # folders below data


def actor_names(settings: Settings) -> list[str]:
    """Every actor of the site, in the order in which they start."""
    return [
        facades.KEYS,
        facades.INDEX,
        *(facades.encryption_name(node.name) for node in settings.nodes if "client" in node.roles),
        *(facades.camera_name(camera.id) for camera in settings.cameras),
        *(facades.detection_name(index) for index in range(settings.vision.actors)),
        facades.EXPORT,
        facades.MEDIA,
    ]


def start_actors(settings: Settings, facts: list[NodeFacts]) -> list[Starting]:
    """Begin starting all of them, side by side; each waits by itself for what it needs of another.

    Errors: NO_PLACE.
    """
    return [
        *_start_custody(settings, _placed(on_server(facts))),
        *_start_recording(settings, facts),
        *_start_detection(settings, facts),
    ]


def custody_at(settings: Settings) -> tuple[LedgerAddress, tuple[str, ...]]:
    """What `open_custody` needs: where the ledger is, and the cameras it speaks of."""
    return services.ledger_address(settings), services.camera_ids(settings)


def _start_custody(settings: Settings, server: Placed) -> list[Starting]:
    """Keys, index, export and downloads: what works on the ledger, on the export server."""
    data, api = settings.data, settings.api
    custody = partial(open_custody, *custody_at(settings))
    media = partial(services.build_media, *custody_at(settings), data)
    (data / services.PACKAGES).mkdir(parents=True, exist_ok=True, mode=0o700)
    return [
        handles.start(
            facades.KEYS,
            KeyActor,
            server,
            1,
            services.store_place(settings),
            services.secret_file(settings),
            custody,
            facades.SegmentsHandle(),
            settings.keys.kem,
        ),
        handles.start(facades.INDEX, IndexActor, server, 1, custody, services.camera_infos(settings)),
        handles.start(facades.EXPORT, ExportActor, server, 2, custody, _render_tools(settings)),
        handles.start(
            facades.MEDIA,
            MediaActor,
            server,
            2,
            media,
            api.host,
            api.media_port,
            services.tls_files(settings),
        ),
    ]


def _start_recording(settings: Settings, facts: list[NodeFacts]) -> list[Starting]:
    starting = []
    for node in settings.nodes:
        if "client" in node.roles:
            identity, store = settings.keys.node_identities / node.name, settings.data / SEGMENTS / node.name
            name, place = facades.encryption_name(node.name), _placed(on_node(node.name, facts))
            starting.append(
                handles.start(
                    name, EncryptionActor, place, FRAGMENT_THREADS, identity, store, facades.IndexHandle()
                )
            )
    for camera in settings.cameras:
        name, place = facades.camera_name(camera.id), _placed(on_node(camera.node, facts))
        sealer = facades.EncryptionHandle(camera.node)
        starting.append(
            handles.start(name, CameraActor, place, 2, _feed(camera, settings), sealer, SystemClock())
        )
    return starting


def _feed(camera: CameraSettings, settings: Settings) -> CameraFeed:
    return CameraFeed(
        camera_id=camera.id,
        node_id=camera.node,
        source=camera.source,
        username=camera.username,
        password_file=camera.password_file,
        timeout_s=camera.timeout_s,
        orders=settings.data / ORDERS / camera.node,
    )


def _start_detection(settings: Settings, facts: list[NodeFacts]) -> list[Starting]:
    vision = settings.vision
    return [
        handles.start(
            facades.detection_name(index),
            DetectionActor,
            _placed(place),
            1,
            vision.models,
            vision.provider,
            vision.threads,
        )
        for index, place in enumerate(for_detection(vision.actors, facts))
    ]


def _render_tools(settings: Settings) -> RenderTools:
    return RenderTools(
        segments=facades.SegmentsHandle(),
        keys=facades.KeysHandle(),
        detection=facades.DetectionHandle(settings.vision.actors),
        clock=SystemClock(),
        server_identity=settings.keys.server_identity,
        nodes=services.enrolment_files(settings),
        packages=settings.data / services.PACKAGES,
        preset=settings.export.encoder_preset,
        crf=settings.export.encoder_crf,
    )


def _placed(place: Place) -> Placed:
    return Placed(place.resources, place.num_gpus)
