"""`orvault witness`: keeps other machines' checkpoints, on a machine that has nothing else to do with them.

Needs no settings, no ledger and no key of the hospital.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from cluster.console import errors_in_words, out
from orvault.clock import SystemClock
from orvault.container.files import storage_error, write_private
from orvault.container.note import COSIGNATURE, NoteKey
from orvault.container.trust import KEY_FILE, load_private_key
from orvault.custody.witness import Witness
from orvault.errors import ErrorKind, OrvaultError

MAX_LOGS_BYTES = 64 << 10


def witness(
    store: Annotated[
        Path, typer.Option("--store", help="Where checkpoints and this witness's key are kept.")
    ],
    log: Annotated[
        Path, typer.Option("--log", help="Keys of the logs to believe, one a line (`orvault history key`).")
    ],
    token_file: Annotated[Path, typer.Option("--token-file", help="Holds the token that callers show.")],
    certificate: Annotated[Path, typer.Option("--certificate", help="PEM chain of this machine.")],
    key: Annotated[Path, typer.Option("--key", help="Its private key, PEM, mode 600.")],
    name: Annotated[str, typer.Option("--name", help="This witness's name, e.g. witness.example.org/1.")],
    listen: Annotated[
        str, typer.Option("--listen", help="HOST:PORT; port 0 takes a free one.")
    ] = "127.0.0.1:8450",
) -> None:
    """Take and cosign checkpoints of other machines' histories, until interrupted."""
    with errors_in_words():
        from actors.keys import read_secret
        from actors.media import MediaActor
        from api.witness import build_witness_app

        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise OrvaultError(ErrorKind.BAD_SETTINGS, "expected HOST:PORT.", where=f"--listen {listen}")
        lock = _lock(store)
        signer = own_key(store)
        own = NoteKey(name, COSIGNATURE, signer.public_key().public_bytes_raw())
        logs = partial(read_logs, log)
        logs()
        app = build_witness_app(Witness(store, own, signer, logs, SystemClock()), read_secret(token_file))
        server = MediaActor(lambda: app, host.strip("[]"), int(port), (certificate, key))
        out.print(f"Key        {own.text}", markup=False, soft_wrap=True)
        out.print(f"Listening  https://{server.address()}", markup=False, soft_wrap=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        lock.close()


def own_key(store: Path) -> Ed25519PrivateKey:
    """This witness's key, made at the first start. Errors: STORAGE, BAD_SETTINGS."""
    if not (store / KEY_FILE).exists():
        made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(store / KEY_FILE, made, replace=False)
    return load_private_key(store)


def read_logs(file: Path) -> Mapping[str, Sequence[NoteKey]]:
    """The keys to believe, by origin; read anew for each checkpoint, so that a renewed key needs no restart.

    Errors: BAD_SETTINGS.
    """
    try:
        lines = file.read_text("utf-8")[:MAX_LOGS_BYTES].splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "cannot be read.", where=f"--log {file}") from error
    logs: dict[str, list[NoteKey]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            key = NoteKey.parse(line, f"{file}, line {number}")
            logs.setdefault(key.name, []).append(key)
    return logs


def _lock(store: Path) -> IO[bytes]:
    """Two processes over one store could each take another history. Errors: CONFLICT, STORAGE."""
    try:
        store.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (store / ".lock").open("wb")
    except OSError as error:
        raise storage_error(store, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        message = "Another witness works on this store."
        raise OrvaultError(ErrorKind.CONFLICT, message, where=str(store)) from None
    return lock
