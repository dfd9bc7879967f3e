"""Which actors a site has, where each goes, and what it is given; `bringup` has them started.

Here the settings are taken apart: an actor gets the few plain values it needs, never the whole.
"""

from __future__ import annotations

from functools import partial

from actors import facades, handles, workers
from actors.camera import CameraActor
from actors.control import ControlActor
from actors.detection import DetectionActor
from actors.encryption import EncryptionActor
from actors.export import ExportActor
from actors.handles import Placed, Starting
from actors.index import IndexActor
from actors.keys import KeyActor
from actors.media import MediaActor
from actors.notice_targets import Target
from actors.notices import NoticeActor
from actors.render_tools import RenderTools
from actors.shared_detector import VisionPlan
from actors.stored_views import StoredTools
from actors.trigger import TriggerActor
from actors.viewing import ViewingActor
from actors.witnessing import WitnessingActor
from cluster import http_apps, services
from cluster.custody import LedgerAddress, open_custody
from cluster.destruction import start_retention
from cluster.feeds import SEGMENTS, camera_feed, live_feed, trigger_plan
from cluster.placement import NodeFacts, Place, for_detection, on_node, on_server
from cluster.settings import Settings
from cluster.site_secrets import activation_key
from orvault.clock import SystemClock
from orvault.container.enrolment import WatchedEnrolment
from orvault.custody.site import Rules, Secrets

FRAGMENT_THREADS = (
    4  # of an encryption actor: what one camera waits for on the disk does not keep the others waiting
)
SIGNAL_THREADS = 8  # of the control actor: a signal that waits for a camera must not hold up another room's


def actor_names(settings: Settings) -> list[str]:
    """Every actor of the site, in the order in which they start."""
    return [
        *(facades.detection_name(index) for index in range(settings.vision.actors)),
        facades.KEYS,
        facades.INDEX,
        facades.CONTROL,
        *([facades.NOTICES] if settings.events or settings.mail.host else []),
        facades.WITNESSING,
        *(facades.encryption_name(node.name) for node in settings.nodes if "client" in node.roles),
        *(facades.camera_name(camera.id) for camera in settings.cameras),
        *(facades.trigger_name(trigger.room) for trigger in settings.triggers),
        facades.EXPORT,
        facades.MEDIA,
        facades.VIEWING,
        facades.RETENTION,
    ]


def retire_others(settings: Settings) -> list[str]:
    """End what a killed `up` left running and the settings no longer name; what to tell of each.

    Before anything starts: an old room's trigger actor would keep the port of its pedal. Encryption actors last, and
    only when no such camera records: it needs its node's. Errors: UNAVAILABLE.
    """
    wanted, prefix = set(actor_names(settings)), facades.encryption_name("")
    others = [name for name in handles.running() if name not in wanted]
    cameras = [
        name for name in wanted if name.startswith(facades.camera_name("")) and name in handles.running()
    ]
    notes, recording = (
        [],
        any(map(handles.records, cameras)),
    )  # one may record on a node that the settings took away
    for name in sorted(others, key=lambda name: name.startswith(prefix)):
        if recording and name.startswith(prefix):
            continue
        notes.append(f"{name}: {handles.retire(name)}")
        recording |= name in handles.running()
    return notes


def start_actors(settings: Settings, facts: list[NodeFacts]) -> list[Starting]:
    """Begin starting all of them, side by side; each waits by itself for what it needs of another.

    Detection first: whoever waits for them in turn hears at once of a provider that is not there, the one mistake
    of a set-up that shows only here. Errors: NO_PLACE, UNAVAILABLE.
    """
    return [
        *_start_detection(settings, facts),
        *_start_custody(settings, _placed(on_server(facts))),
        *_start_handing_out(settings, _placed(on_server(facts))),
        *_start_recording(settings, facts),
        *_start_triggers(settings, facts),
        *_start_notices(settings, _placed(on_server(facts))),
        _start_witnessing(settings, _placed(on_server(facts))),
        _start_viewing(settings, _placed(on_server(facts))),
        start_retention(settings, partial(open_custody, *custody_at(settings)), _placed(on_server(facts))),
    ]


def custody_at(settings: Settings) -> tuple[LedgerAddress, tuple[str, ...], Rules]:
    """What `open_custody` needs: where the ledger is, the cameras it speaks of, the site's rules."""
    return services.ledger_address(settings), services.camera_ids(settings), services.rules(settings)


def _start_custody(settings: Settings, server: Placed) -> list[Starting]:
    """Keys, index and control: what opens, indexes and orders recordings, on the export server."""
    custody = partial(open_custody, *custody_at(settings))
    place, secret = services.store_place(settings), services.secret_file(settings)
    segments, nodes = facades.SegmentsHandle(), WatchedEnrolment(services.enrolment_files(settings))
    cameras, anchor_s = services.camera_infos(settings), 60.0 * settings.ledger.anchor_minutes
    return [
        handles.start(facades.KEYS, KeyActor, server, 1, place, secret, custody, segments, settings.keys.kem),
        handles.start(facades.INDEX, IndexActor, server, 1, custody, cameras, nodes, anchor_s),
        handles.start(facades.CONTROL, ControlActor, server, SIGNAL_THREADS, custody, _triggers(settings)),
    ]


def _start_handing_out(settings: Settings, server: Placed) -> list[Starting]:
    """Export and downloads: what makes packages and gives them out, on the export server."""
    data, api, tls = settings.data, settings.api, services.tls_files(settings)
    (data / services.PACKAGES).mkdir(parents=True, exist_ok=True, mode=0o700)
    secrets = Secrets(activation=activation_key(data))
    custody = partial(open_custody, *custody_at(settings), secrets=secrets)
    media = partial(http_apps.build_media, *custody_at(settings), data)
    return [
        handles.start(facades.EXPORT, ExportActor, server, 2, custody, _render_tools(settings)),
        handles.start(facades.MEDIA, MediaActor, server, 2, media, api.host, api.media_port, tls),
    ]


def _triggers(settings: Settings) -> facades.TriggersHandle:
    return facades.TriggersHandle(tuple(trigger.room for trigger in settings.triggers))


def _start_recording(settings: Settings, facts: list[NodeFacts]) -> list[Starting]:
    starting, limits = [], settings.storage.limits()
    for node in settings.nodes:
        if "client" in node.roles:
            identity, store = settings.keys.node_identities / node.name, settings.data / SEGMENTS / node.name
            name, place = facades.encryption_name(node.name), _placed(on_node(node.name, facts))
            starting.append(
                handles.start(
                    name,
                    EncryptionActor,
                    place,
                    FRAGMENT_THREADS,
                    identity,
                    store,
                    facades.IndexHandle(),
                    limits,
                )
            )
    for camera in settings.cameras:
        name, place = facades.camera_name(camera.id), _placed(on_node(camera.node, facts))
        sealer = facades.EncryptionHandle(camera.node)
        starting.append(
            handles.start(name, CameraActor, place, 2, camera_feed(camera, settings), sealer, SystemClock())
        )
    return starting


def _start_triggers(settings: Settings, facts: list[NodeFacts]) -> list[Starting]:
    return [
        handles.start(
            facades.trigger_name(trigger.room),
            TriggerActor,
            _placed(on_node(trigger.home(settings.places()), facts)),
            1,
            trigger_plan(trigger, settings),
            facades.ControlHandle(),
            SystemClock(),
        )
        for trigger in settings.triggers
    ]


def _start_notices(settings: Settings, server: Placed) -> list[Starting]:
    targets: list[Target] = [target.target(settings.site, SystemClock()) for target in settings.events]
    post = settings.mail.post()
    if not targets and post is None:
        return []
    custody = partial(open_custody, *custody_at(settings), settings.site)
    return [handles.start(facades.NOTICES, NoticeActor, server, 1, custody, targets, SystemClock(), post)]


def _start_witnessing(settings: Settings, server: Placed) -> Starting:
    history = settings.history
    return handles.start(
        facades.WITNESSING,
        WitnessingActor,
        server,
        1,
        partial(open_custody, *custody_at(settings)),
        services.signer_files(settings),
        history.places(),
        60.0 * history.checkpoint_minutes,
        60.0 * history.alarm_minutes,
        SystemClock(),
    )


def _start_viewing(settings: Settings, server: Placed) -> Starting:
    api, vision = settings.api, settings.vision
    return handles.start(
        facades.VIEWING,
        ViewingActor,
        server,
        2,
        partial(open_custody, *custody_at(settings)),
        tuple(live_feed(camera, settings) for camera in settings.cameras),
        VisionPlan(vision.models, vision.provider, vision.threads, settings.masking.site()),
        StoredTools(
            facades.SegmentsHandle(),
            facades.KeysHandle(),
            services.enrolment_files(settings),
            settings.data / services.PACKAGES,
        ),
        SystemClock(),
        settings.viewing.most_named,
        partial(http_apps.build_viewing, settings.data),
        api.host,
        api.viewing_port,
        services.tls_files(settings),
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
            settings.masking.objects,
            vision.batch,
        )
        for index, place in enumerate(for_detection(vision.actors, facts))
    ]


def _render_tools(settings: Settings) -> RenderTools:
    return RenderTools(
        segments=facades.SegmentsHandle(),
        keys=facades.KeysHandle(),
        detection=workers.DetectionHandle(settings.vision.actors),
        clock=SystemClock(),
        server_identity=settings.keys.server_identity,
        nodes=services.enrolment_files(settings),
        packages=settings.data / services.PACKAGES,
        preset=settings.export.encoder_preset,
        crf=settings.export.encoder_crf,
        masking=settings.masking.site(),
        activation=settings.export.activation.place(),
        overlay=settings.export.overlay,
        utc_offset_min=settings.export.utc_offset_min,
    )


def _placed(place: Place) -> Placed:
    return Placed(place.resources, place.num_gpus)
