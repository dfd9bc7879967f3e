"""Starts or joins Ray, puts every actor where placement says, and serves the API.

The composition root: the only place that knows the settings, all actors and Ray at once.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ray
from ray._private import services as ray_services
from ray.scripts.scripts import main as ray_command

from actors import handles
from actors.camera import CameraActor, CameraFeed
from actors.detection import DetectionActor
from actors.encryption import EncryptionActor
from actors.export import ExportActor
from actors.handles import Placed, Starting
from actors.index import IndexActor
from actors.keys import KeyActor
from actors.media import MediaActor
from actors.rendering import RenderTools
from api.app import start_api, stop_api
from cluster import services
from cluster.custody import LedgerAddress, open_custody
from cluster.environment import LOOPBACK, allow_joining
from cluster.placement import NodeFacts, Place, facts_of, for_detection, node_resources, on_node, on_server
from cluster.settings import CameraSettings, Settings
from orvault.clock import SystemClock
from orvault.errors import ErrorKind, OrvaultError

WATCH_S = 2.0  # how often the state of the cameras is looked at
FRAGMENT_THREADS = 4  # of an encryption actor: cameras seal side by side, AES-GCM leaves the interpreter lock
SEGMENTS, ORDERS = "segments", "orders"  # folders below data


@dataclass(frozen=True)
class Site:
    """A running site, as its command line sees it."""

    settings: Settings
    api_url: str
    media_url: str
    providers: tuple[str, ...]

    @property
    def unlocked(self) -> bool:
        """Whether the key store is open."""
        return handles.KeysHandle().unlocked()

    def unlock(self, passphrase: str) -> None:
        """Open the key store. Errors: WRONG_PASSPHRASE."""
        handles.KeysHandle().unlock(passphrase)

    def watch(self, say: Callable[[str], None]) -> None:
        """Tell every change of a camera's state, until interrupted."""
        known: dict[str, str] = {}
        pause = threading.Event()
        while True:
            for status in handles.CamerasHandle(services.camera_ids(self.settings)).statuses():
                line = f"{status.camera_id}: {status.state}" + (
                    f" ({status.detail})" if status.detail else ""
                )
                if known.get(status.camera_id) != line:
                    known[status.camera_id] = line
                    say(line)
            pause.wait(WATCH_S)


@contextmanager
def running(settings: Settings, say: Callable[[str], None] = lambda _line: None) -> Iterator[Site]:
    """The whole site, up; leaving the block ends what it started and nothing else.

    Errors: NO_PLACE, BAD_SETTINGS, PROVIDER_MISSING, UNAVAILABLE, WRONG_PASSPHRASE.
    """
    with _ray(settings):
        try:
            yield _start_all(settings, say)
        finally:
            if settings.cluster.address is not None:  # a cluster of our own ends with all that is in it
                stop_api()
                for name in reversed(_actor_names(settings)):
                    handles.stop(name)


@contextmanager
def _ray(settings: Settings) -> Iterator[None]:
    if settings.cluster.address is not None:
        with _joined(settings.cluster.address):
            yield
        return
    # A short folder: Ray's sockets live in it, and their paths may hold 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="orv-"))
    resources: dict[str, float] = {}
    for node in settings.nodes:
        resources |= node_resources(node.name, node.roles)
    try:
        ray.init(
            address="local",
            namespace=handles.NAMESPACE,
            num_cpus=settings.cluster.num_cpus,
            resources=resources,
            object_store_memory=settings.cluster.object_store_mb << 20,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address=LOOPBACK,
            _temp_dir=str(folder),
        )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(
            folder, ignore_errors=True
        )  # logs of a run that is over; sockets may still vanish by themselves


@contextmanager
def _joined(address: str) -> Iterator[None]:
    _stay_on_loopback(address)
    try:
        ray.init(address=address, namespace=handles.NAMESPACE, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise OrvaultError(
            ErrorKind.UNAVAILABLE,
            f"the cluster cannot be joined: {reason}",
            where=f"cluster.address {address}",
            advice="Start its head with `orvault node NAME --head PORT`, with the same token file.",
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def run_node(settings: Settings, name: str, head_port: int, join: str) -> None:
    """Be one node of a cluster, in this process and its children, until interrupted.

    Errors: BAD_SETTINGS for an unknown name, or when neither or both of head and join are given.
    """
    node = next((node for node in settings.nodes if node.name == name), None)
    if node is None:
        known = ", ".join(node.name for node in settings.nodes)
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, f"there is no node {name!r}; known: {known}.", where="nodes"
        )
    if bool(head_port) == bool(join):
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "give either --head PORT or --join HOST:PORT.")
    _stay_on_loopback(join)
    arguments = (
        [f"--address={join}"] if join else ["--head", f"--port={head_port}", "--include-dashboard=false"]
    )
    sys.argv = [
        "ray", "start", "--block", "--disable-usage-stats", *arguments,
        f"--node-ip-address={LOOPBACK}", "--dashboard-agent-listen-port=0",
        "--min-worker-port=0", "--max-worker-port=0",
        f"--object-store-memory={settings.cluster.object_store_mb << 20}",
        f"--resources={json.dumps(node_resources(node.name, node.roles))}",
    ]  # fmt: skip
    ray_command()  # type: ignore[no-untyped-call] # Ray's own lack


def _stay_on_loopback(address: str) -> None:
    """Let several Ray nodes of one machine meet on 127.0.0.1; Ray would look up an address of the network instead."""
    if address and address.rpartition(":")[0] not in (LOOPBACK, "localhost"):
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            "nodes on several machines need TLS between them, which this version does not have.",
            where=f"cluster.address {address}",
        )
    allow_joining()
    ray_services.resolve_ip_for_localhost = lambda host: host


def unlock_running(settings: Settings, passphrase: str) -> None:
    """Open the key store of a site that runs in a cluster. Errors: UNAVAILABLE, WRONG_PASSPHRASE."""
    if settings.cluster.address is None:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE,
            "this site runs inside `orvault up`, which asks for the passphrase itself.",
            where="cluster.address",
        )
    with _joined(settings.cluster.address):
        handles.KeysHandle().unlock(passphrase)


def _actor_names(settings: Settings) -> list[str]:
    """Every actor of the site, in the order in which they start."""
    return [
        handles.KEYS,
        handles.INDEX,
        *(handles.encryption_name(node.name) for node in settings.nodes if "client" in node.roles),
        *(handles.camera_name(camera.id) for camera in settings.cameras),
        *(handles.detection_name(index) for index in range(settings.vision.actors)),
        handles.EXPORT,
        handles.MEDIA,
    ]


def _start_all(settings: Settings, say: Callable[[str], None]) -> Site:
    """Every actor where it belongs. They start side by side: each waits by itself for what it needs of another."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call] # Ray's own lack
    facts = [facts_of(node["NodeID"], node["Resources"]) for node in nodes if node["Alive"]]
    server = _placed(on_server(facts))
    starting = [
        *_start_custody(settings, server),
        *_start_recording(settings, facts),
        *_start_detection(settings, facts),
    ]
    for actor in starting:
        say(actor.name)
        actor.node_id()
    say("API")
    media_url = f"http://{handles.MediaHandle().address()}"
    api = partial(services.build_api, *_custody_at(settings), settings.data, media_url)
    api_url = start_api(api, settings.api.host, settings.api.port, server.resources)
    providers = handles.DetectionHandle(settings.vision.actors).providers()
    return Site(settings, api_url, media_url, tuple(providers))


def _custody_at(settings: Settings) -> tuple[LedgerAddress, tuple[str, ...]]:
    return services.ledger_address(settings), services.camera_ids(settings)


def _start_custody(settings: Settings, server: Placed) -> list[Starting]:
    """Keys, index, export and downloads: what works on the ledger, on the export server."""
    keys, data, api = settings.keys, settings.data, settings.api
    custody = partial(open_custody, *_custody_at(settings))
    media = partial(services.build_media, *_custody_at(settings), data)
    (data / services.PACKAGES).mkdir(parents=True, exist_ok=True, mode=0o700)
    return [
        handles.start(handles.KEYS, KeyActor, server, 1, keys.store, keys.passphrase_file, custody),
        handles.start(handles.INDEX, IndexActor, server, 1, custody, services.camera_infos(settings)),
        handles.start(handles.EXPORT, ExportActor, server, 2, custody, _render_tools(settings)),
        handles.start(handles.MEDIA, MediaActor, server, 2, media, api.host, api.media_port),
    ]


def _start_recording(settings: Settings, facts: list[NodeFacts]) -> list[Starting]:
    starting = []
    for node in settings.nodes:
        if "client" in node.roles:
            identity, store = settings.keys.node_identities / node.name, settings.data / SEGMENTS / node.name
            name, place = handles.encryption_name(node.name), _placed(on_node(node.name, facts))
            starting.append(
                handles.start(
                    name, EncryptionActor, place, FRAGMENT_THREADS, identity, store, handles.IndexHandle()
                )
            )
    for camera in settings.cameras:
        name, place = handles.camera_name(camera.id), _placed(on_node(camera.node, facts))
        sealer = handles.EncryptionHandle(camera.node)
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
            handles.detection_name(index),
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
        segments=handles.SegmentsHandle(),
        keys=handles.KeysHandle(),
        detection=handles.DetectionHandle(settings.vision.actors),
        clock=SystemClock(),
        server_identity=settings.keys.server_identity,
        node_certificates=services.node_certificates(settings),
        packages=settings.data / services.PACKAGES,
        preset=settings.export.encoder_preset,
        crf=settings.export.encoder_crf,
    )


def _placed(place: Place) -> Placed:
    return Placed(place.resources, place.num_gpus)
