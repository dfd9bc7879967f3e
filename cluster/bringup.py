"""Starts or joins Ray, puts every actor where placement says, and serves the API.

The composition root: the only place that knows the settings, all actors and Ray at once.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ray
from ray._private import services as ray_services
from ray.scripts.scripts import main as ray_command

from actors import facades, handles, workers
from api.app import start_api, stop_api
from cluster import http_apps, roster, services
from cluster.alone import alone
from cluster.environment import LOOPBACK
from cluster.placement import facts_of, node_resources, on_server
from cluster.settings import Settings
from orvault.container.files import write_private
from orvault.errors import ErrorKind, OrvaultError

HEAD_S = 5.0  # for a head to take a connection
_OURS = Path(__file__).parents[1]  # its processes import from where Ray is started before anything else
_RAYS = "r"  # below a folder that is closed to other accounts
WATCH_S = 2.0  # how often the state of the cameras is looked at


@dataclass(frozen=True)
class Site:
    """A running site, as its command line sees it."""

    settings: Settings
    api_url: str
    media_url: str
    providers: tuple[str, ...]
    places: Mapping[str, str]  # actor -> the node that it runs on
    notes: tuple[str, ...] = ()  # of actors that ran already

    @property
    def unlocked(self) -> bool:
        """Whether the key store is open."""
        return facades.KeysHandle().unlocked()

    @property
    def locked_because(self) -> str:
        """Why the key store did not open by itself; empty where nothing was to open it."""
        return facades.KeysHandle().locked_because()

    def unlock(self, passphrase: str) -> None:
        """Open the key store. Errors: WRONG_PASSPHRASE."""
        facades.KeysHandle().unlock(passphrase)

    def watch(self, say: Callable[[str], None]) -> None:
        """Tell every change of a camera's state, until interrupted."""
        known: dict[str, str] = {}
        pause = threading.Event()
        while True:
            for status in facades.CamerasHandle(services.camera_ids(self.settings)).statuses():
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

    Errors: NO_PLACE, BAD_SETTINGS, PROVIDER_MISSING, UNAVAILABLE, CONFLICT (another process runs it already).
    """
    with _ray(settings):
        # As Ctrl-C does: Ray's own handler ends its processes first, and then cannot shut down in order.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        site = _start_all(settings, say)  # where it fails, what an earlier `up` left goes on: it may record
        try:
            yield site
        finally:
            if settings.cluster.address is not None:  # a cluster of our own ends with all that is in it
                stop_api()
                for name in reversed(roster.actor_names(settings)):
                    handles.stop(name)


@contextmanager
def _ray(settings: Settings) -> Iterator[None]:
    if settings.cluster.address is not None:
        with joined(settings.cluster.address):
            yield
        return
    with alone(settings.data), _cluster_of_its_own(settings):
        yield


@contextmanager
def _cluster_of_its_own(settings: Settings) -> Iterator[None]:
    folder = _private_folder()
    resources: dict[str, float] = {}
    for node in settings.nodes:
        resources |= node_resources(node.name, node.roles)
    try:
        with chdir(_OURS):
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
                _temp_dir=str(folder / _RAYS),
            )
        _write_address(settings)
        yield
    finally:
        _address_file(settings).unlink(missing_ok=True)
        ray.shutdown()
        shutil.rmtree(
            folder, ignore_errors=True
        )  # logs of a run that is over; sockets may still vanish by themselves


def _private_folder() -> Path:
    """Where Ray may have a folder: it opens its own to every account (mode 0777), sockets and logs in it.

    A short name: Ray's sockets live below, and their paths may hold 107 bytes.
    """
    return Path(tempfile.mkdtemp(prefix="orv-"))


def _address_file(settings: Settings) -> Path:
    """Where a site that runs in its own cluster says how to reach it; the token is still needed."""
    return settings.data / "cluster.address"


def _write_address(settings: Settings) -> None:
    write_private(_address_file(settings), ray.get_runtime_context().gcs_address.encode())


def _address_of(settings: Settings) -> str:
    """HOST:PORT of the running site's cluster. Errors: UNAVAILABLE."""
    if settings.cluster.address is not None:
        return settings.cluster.address
    try:
        return _address_file(settings).read_text()
    except OSError:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE,
            "this site does not run.",
            where=str(settings.data),
            advice="`orvault up` starts it, and asks for what opens the key store.",
        ) from None


@contextmanager
def joined(address: str) -> Iterator[None]:
    """This process in the cluster at HOST:PORT. Errors: UNAVAILABLE, BAD_SETTINGS."""
    _stay_on_loopback(address)
    _require_head(address)
    try:
        with chdir(_OURS):
            ray.init(
                address=address, namespace=handles.NAMESPACE, log_to_driver=False, configure_logging=False
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_cluster(address, str(error).splitlines()[0]) from None
    try:
        yield
    finally:
        ray.shutdown()


def _require_head(address: str) -> None:
    """Ray would knock at a closed port for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=HEAD_S).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str, reason: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.UNAVAILABLE,
        f"the cluster cannot be joined: {reason}.",
        where=f"cluster.address {address}",
        advice="Start its head with `orvault node NAME --head PORT`, with the same token file.",
    )


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
        [f"--address={join}"]
        if join
        else [
            "--head",
            f"--port={head_port}",
            "--include-dashboard=false",
            f"--temp-dir={_private_folder() / _RAYS}",
        ]
    )
    sys.argv = [
        "ray", "start", "--block", "--disable-usage-stats", "--include-log-monitor=false", *arguments,
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
    ray_services.resolve_ip_for_localhost = lambda host: host


def unlock_running(settings: Settings, passphrase: str) -> None:
    """Open the key store of a running site. Errors: UNAVAILABLE, WRONG_PASSPHRASE."""
    with joined(_address_of(settings)):
        facades.KeysHandle().unlock(passphrase)


def rotate_running(settings: Settings, passphrase: str | None) -> int:
    """Give the key store of a running site a new KEK; its generation. Errors: UNAVAILABLE, KEYS_LOCKED."""
    assert settings.cluster.address is not None, "asked for a site in a cluster only"
    with joined(settings.cluster.address):
        return facades.KeysHandle().rotate(passphrase)


def _start_all(settings: Settings, say: Callable[[str], None]) -> Site:
    """Every actor where it belongs. They start side by side: each waits by itself for what it needs of another."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call] # Ray's own lack
    facts = [facts_of(node["NodeID"], node["Resources"]) for node in nodes if node["Alive"]]
    names = {node.node_id: " + ".join(sorted(node.names)) for node in facts}
    # A cluster of our own is as new as this process.
    places, notes = {}, roster.retire_others(settings) if settings.cluster.address is not None else []
    for actor in roster.start_actors(settings, facts):
        say(actor.name)
        places[actor.name] = names[actor.node_id()]
        if actor.note:
            notes.append(f"{actor.name}: {actor.note}")
    say("API")
    media, viewing = services.byte_servers(settings)
    api = partial(
        http_apps.build_api,
        *roster.custody_at(settings),
        settings.data,
        media,
        viewing,
        settings.site,
        services.directory_place(settings),
        settings.export.utc_offset_min,
    )
    tls = services.tls_files(settings)
    if settings.cluster.address is not None:
        stop_api()  # one that a killed `up` left would keep its port, its certificate and its program
    port = start_api(api, settings.api.host, settings.api.port, on_server(facts).resources, tls)
    api_url = services.address(settings, port)
    providers = workers.DetectionHandle(settings.vision.actors).providers()
    return Site(settings, api_url, media.url(), tuple(providers), places, tuple(notes))
