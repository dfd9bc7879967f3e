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
from actors.handles import Placed
from actors.rendering import RenderTools
from api.app import ApiPlan, start_api, stop_api
from api.media import build_media_app
from cluster import services, setup
from cluster.environment import LOOPBACK, allow_joining
from cluster.placement import NodeFacts, Place, facts_of, for_detection, node_resources, on_node, on_server
from cluster.settings import CameraSettings, Settings
from orvault.clock import SystemClock
from orvault.errors import ErrorKind, OrvaultError

WATCH_S = 2.0  # how often the state of the cameras is looked at
FRAGMENT_THREADS = 4  # of an encryption actor: cameras seal side by side, AES-GCM leaves the interpreter lock
MEDIA_FOLDER, SEGMENT_FOLDER, ORDER_FOLDER = "packages", "segments", "orders"


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
                line = f"{status.camera_id}: {status.state}" + (f" ({status.detail})" if status.detail else "")
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
        shutil.rmtree(folder, ignore_errors=True)  # logs of a run that is over; sockets may still vanish by themselves


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
        raise OrvaultError(ErrorKind.BAD_SETTINGS, f"there is no node {name!r}; known: {known}.", where="nodes")
    if bool(head_port) == bool(join):
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "give either --head PORT or --join HOST:PORT.")
    _stay_on_loopback(join)
    arguments = [f"--address={join}"] if join else ["--head", f"--port={head_port}", "--include-dashboard=false"]
    sys.argv = [
        "ray", "start", "--block", "--disable-usage-stats", *arguments,
        f"--node-ip-address={LOOPBACK}", "--dashboard-agent-listen-port=0",
        "--min-worker-port=0", "--max-worker-port=0",
        f"--object-store-memory={settings.cluster.object_store_mb << 20}",
        f"--resources={json.dumps(node_resources(node.name, node.roles))}",
    ]  # fmt: skip
    ray_command()


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
    """Each actor where it belongs; what a later one needs is up before it."""
    facts = [facts_of(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    server = _placed(on_server(facts))
    custody = partial(services.open_custody, services.ledger_address(settings), services.camera_ids(settings))
    say("keys and index")
    handles.start(
        handles.KEYS, handles.KeyActor, server, 1, settings.keys.store, settings.keys.passphrase_file, custody
    )
    handles.start(handles.INDEX, handles.IndexActor, server, 1, custody, services.camera_infos(settings))
    say("cameras")
    _start_recording(settings, facts)
    say("detection")
    detection = _start_detection(settings, facts)
    say("export and downloads")
    links = setup.link_signer(settings)
    packages = settings.data / MEDIA_FOLDER
    packages.mkdir(parents=True, exist_ok=True)
    handles.start(handles.EXPORT, handles.ExportActor, server, 2, custody, _render_tools(settings, detection, packages))
    media_app = partial(build_media_app, custody, links, packages)
    handles.start(handles.MEDIA, handles.MediaActor, server, 2, media_app, settings.api.host, settings.api.media_port)
    media_url = f"http://{handles.MediaHandle().address()}"
    say("API")
    plan = ApiPlan(custody, setup.token_signer(settings), links, media_url, settings.site)
    api_url = start_api(plan, settings.api.host, settings.api.port, dict(server.resources))
    return Site(settings, api_url, media_url, tuple(detection.providers()))


def _start_recording(settings: Settings, facts: list[NodeFacts]) -> None:
    for node in settings.nodes:
        if "client" not in node.roles:
            continue
        handles.start(
            handles.encryption_name(node.name),
            handles.EncryptionActor,
            _placed(on_node(node.name, facts)),
            FRAGMENT_THREADS,
            settings.keys.node_identities / node.name,
            settings.data / SEGMENT_FOLDER / node.name,
            handles.IndexHandle(),
        )
    for camera in settings.cameras:
        handles.start(
            handles.camera_name(camera.id),
            handles.CameraActor,
            _placed(on_node(camera.node, facts)),
            2,
            _feed(camera, settings),
            handles.EncryptionHandle(camera.node),
            SystemClock(),
        )


def _feed(camera: CameraSettings, settings: Settings) -> handles.CameraFeed:
    return handles.CameraFeed(
        camera_id=camera.id,
        node_id=camera.node,
        source=camera.source,
        username=camera.username,
        password_file=camera.password_file,
        timeout_s=camera.timeout_s,
        orders=settings.data / ORDER_FOLDER / camera.node,
    )


def _start_detection(settings: Settings, facts: list[NodeFacts]) -> handles.DetectionHandle:
    vision = settings.vision
    for index, place in enumerate(for_detection(vision.actors, facts)):
        handles.start(
            handles.detection_name(index),
            handles.DetectionActor,
            _placed(place),
            1,
            vision.models,
            vision.provider,
            vision.threads,
        )
    return handles.DetectionHandle(vision.actors)


def _render_tools(settings: Settings, detection: handles.DetectionHandle, packages: Path) -> RenderTools:
    return RenderTools(
        segments=handles.SegmentsHandle(),
        keys=handles.KeysHandle(),
        detection=detection,
        clock=SystemClock(),
        server_identity=settings.keys.server_identity,
        node_certificates=services.node_certificates(settings),
        packages=packages,
        preset=settings.export.encoder_preset,
        crf=settings.export.encoder_crf,
    )


def _placed(place: Place) -> Placed:
    return Placed(place.resources, place.num_gpus)
