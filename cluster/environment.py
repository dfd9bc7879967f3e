"""What Ray must find in the environment before it is imported: token, loopback, no usage statistics.

Ray reads these once, when its module is loaded; so the command line calls `set_environment` first and imports after.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from orvault.container.files import write_private
from orvault.errors import ErrorKind, OrvaultError

INLINE_BYTES = (
    64 << 20
)  # a call's arguments up to this size travel in the call itself, never in the object store
LOOPBACK = "127.0.0.1"
TLS_FLOOR = Path(__file__).with_name("tls.cnf")
OUTLIVE_S = 14 * 24 * 3600  # so long a client node goes on without the head; in milliseconds still 31 bits
FREED = "165"  # glibc overwrites every block of memory with this byte when it is given back
NO_THREAD_CACHE = "glibc.malloc.tcache_count=0"  # what rests in that cache (up to 1 KiB) is not overwritten


def ray_environment(token_file: Path, several_nodes: bool) -> Mapping[str, str]:
    """The variables of every Ray process of the cluster.

    - token authentication: without it, whoever reaches a port runs code;
    - a single node keeps to loopback, whatever the machine's network is; several are told their address (bringup);
    - large arguments inline: a clear fragment must never lie in the object store, which spills to disk
      (docs/adr/0004);
    - freed memory is overwritten: a clear fragment would else lie in a recorder's memory long after it was sealed
      (Python and gRPC free their buffers, they do not wipe them; docs/THREAT_MODEL.md);
    - no statistics of tasks and event loops, and those of processes once a minute: nobody reads them, and every idle
      actor pays for them all the time (docs/perf, recording);
    - a node that is told to end does so at once: its actors are bound to it, nobody could take them over meanwhile;
    - Serve looks after its proxy every second: it replaces one after three looks in vain, and if left alone looks
      every ten seconds, which has the API away for half a minute;
    - the API's connections are bounded as the byte servers' are: Serve has no setting for it, but calls this;
    - TLS 1.3 at the least: Serve, which starts the API's server, has no setting for it. A machine that has an OpenSSL
      configuration of its own (FIPS) keeps that.
    """
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1" if several_nodes else "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_max_direct_call_object_size": str(INLINE_BYTES),
        "RAY_task_rpc_inlined_bytes_limit": str(INLINE_BYTES),
        "RAY_task_events_report_interval_ms": "0",
        "RAY_event_stats": "0",
        "REPORTER_UPDATE_INTERVAL_MS": "60000",
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "api.serving:bound_serve",
        "PYTHONDONTWRITEBYTECODE": "",
        "MALLOC_PERTURB_": FREED,
        "GLIBC_TUNABLES": NO_THREAD_CACHE,
        "OPENSSL_CONF": os.environ.get("OPENSSL_CONF", str(TLS_FLOOR)),
    }


def set_environment(token_file: Path, several_nodes: bool) -> None:
    """Set the environment of this process and of all it starts. Before `import ray`: it reads this once."""
    os.environ.update(ray_environment(token_file, several_nodes))


def outlive_head() -> None:
    """Let what a client node starts go on while Ray's head is away. Before `import ray`.

    Ray's daemons end themselves, and all that they started, after a minute without the head: a recording would end
    with it. With this they wait, the node goes on sealing to its disk, and joins the head anew when that is back.
    """
    os.environ.update({"RAY_gcs_rpc_server_reconnect_timeout_s": str(OUTLIVE_S)})


def keep_state(folder: Path) -> None:
    """Let Ray's head keep on disk what it knows, and go on from it when it is started again. Before `import ray`.

    Whoever can write there decides what the cluster runs; so it is open to this account only. Errors: STORAGE.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OrvaultError(ErrorKind.STORAGE, f"It cannot be used: {reason}.", where=str(folder)) from error
    os.environ.update({"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(folder)})


def write_token(token_file: Path) -> None:
    """Make the secret that every node of the cluster shows. Errors: CONFLICT, STORAGE."""
    write_private(token_file, secrets.token_hex(32).encode(), replace=False)
