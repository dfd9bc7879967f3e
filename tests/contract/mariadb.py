"""A private MariaDB for tests: unprivileged, on a temporary data folder and an ephemeral port of 127.0.0.1.

It is stopped by the process id it was started with; no service on the machine is touched.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

_SBIN = "/usr/sbin:/usr/local/sbin:"
_UP_S = 60
_IN_MEMORY = "/dev/shm"  # Linux's
USER, PASSWORD = "orvault", "Pw-of-the-ledger"


@dataclass(frozen=True)
class MariaDb:
    """A running server; `url` is that of one of its databases, made fresh."""

    port: int
    socket: Path

    def fresh(self, database: str) -> str:
        """Make an empty database; its URL."""
        with pymysql.connect(unix_socket=str(self.socket), user="root") as connection:
            cursor = connection.cursor()
            cursor.execute(f"DROP DATABASE IF EXISTS {database}")
            cursor.execute(f"CREATE DATABASE {database}")
            cursor.execute(f"GRANT ALL ON {database}.* TO {USER}@'127.0.0.1'")
        return f"mysql+pymysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def dump(self, database: str) -> bytes:
        """All of a database as statements, triggers with it."""
        return self._client(
            "mariadb-dump", "--skip-add-locks", "--skip-add-drop-table", "--triggers", database
        )

    def fill(self, database: str, dump: bytes) -> None:
        """Make an empty database what another was when it was dumped."""
        self._client("mariadb", database, given=dump)

    def _client(self, program: str, *arguments: str, given: bytes = b"") -> bytes:
        command = [program, "--no-defaults", "--socket", str(self.socket), "--user", "root", *arguments]
        done = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, timeout=60)
        return bytes(done.stdout)


def missing_program() -> str:
    """What is not installed, or nothing."""
    return (
        "" if _program("mariadbd") and _program("mariadb-install-db") else "mariadbd (Debian: mariadb-server)"
    )


@contextmanager
def running_mariadb(*options: str, on_disk: bool = False) -> Iterator[MariaDb]:
    """Start a server and stop it at the end; `options` come behind its own and overrule them.

    Its data lie in memory where the machine has a file system for that: every test makes its schema anew, and a disk
    has to write each statement of that through.
    """
    memory = None if on_disk or not os.access(_IN_MEMORY, os.W_OK) else _IN_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="orv-db-", dir=memory))
    identity: dict[str, str] = {}
    if os.geteuid() == 0:  # the server refuses to run as root, rightly
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        identity = {"user": "nobody"}
    try:
        _install(folder, identity)
        server, database = _start(folder, identity, options)
        try:
            _await(server, database, folder)
            yield database
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str | None:
    return shutil.which(name, path=_SBIN + os.environ.get("PATH", ""))


def _install(folder: Path, identity: dict[str, str]) -> None:
    subprocess.run(
        [
            _program("mariadb-install-db") or "",
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ],
        check=True,
        capture_output=True,
        timeout=120,
        **identity,  # type: ignore[call-overload]
    )


def _start(
    folder: Path, identity: dict[str, str], options: Sequence[str]
) -> tuple[subprocess.Popen[bytes], MariaDb]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = MariaDb(port, folder / "s.sock")
    command = [
        _program("mariadbd") or "",
        "--no-defaults",
        f"--datadir={folder / 'data'}",
        f"--socket={database.socket}",
        f"--pid-file={folder / 'pid'}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=0",
        f"--log-error={folder / 'error.log'}",
        *options,
    ]
    return subprocess.Popen(command, **identity), database  # type: ignore[call-overload]


def _await(server: subprocess.Popen[bytes], database: MariaDb, folder: Path) -> None:
    deadline = time.monotonic() + _UP_S
    while True:
        try:
            with pymysql.connect(unix_socket=str(database.socket), user="root") as connection:
                connection.cursor().execute(f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
            return
        except pymysql.err.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "error.log").read_text()[-2000:]) from None
            time.sleep(0.1)
