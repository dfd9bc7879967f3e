"""What Ray must find in the environment before it is imported: token, loopback, no usage statistics.

Ray reads these once, when its module is loaded; so the command line calls `set_environment` first and imports after.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from orvault.container.files import write_private

INLINE_BYTES = (
    64 << 20
)  # a call's arguments up to this size travel in the call itself, never in the object store
LOOPBACK = "127.0.0.1"
TLS_FLOOR = Path(__file__).with_name("tls.cnf")
FREED = "165"  # glibc overwrites every block of memory with this byte when it is given back


def ray_environment(token_file: Path, several_nodes: bool) -> Mapping[str, str]:
    """The variables of every Ray process of the cluster.

    - token authentication: without it, whoever reaches a port runs code;
    - a single node keeps to loopback, whatever the machine's network is; several are told their address (bringup);
    - large arguments inline: a clear fragment must never lie in the object store, which spills to disk
      (docs/adr/0004);
    - freed memory is overwritten: a clear fragment would else lie in a recorder's memory long after it was sealed
      (Python and gRPC free their buffers, they do not wipe them; docs/THREAT_MODEL.md);
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
        "RAY_DEDUP_LOGS": "0",
        "PYTHONDONTWRITEBYTECODE": "",
        "MALLOC_PERTURB_": FREED,
        "OPENSSL_CONF": os.environ.get("OPENSSL_CONF", str(TLS_FLOOR)),
    }


def set_environment(token_file: Path, several_nodes: bool) -> None:
    """Set the environment of this process and of all it starts. Before `import ray`: it reads this once."""
    os.environ.update(ray_environment(token_file, several_nodes))


def write_token(token_file: Path) -> None:
    """Make the secret that every node of the cluster shows. Errors: CONFLICT, STORAGE."""
    write_private(token_file, secrets.token_hex(32).encode(), replace=False)
