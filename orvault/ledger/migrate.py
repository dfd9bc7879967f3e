"""Brings a ledger's schema up (or down) with Alembic, from code and without a settings file.

Run once before the actors and the API open the ledger; running it again changes nothing. One that was cut
off goes on (resuming.py).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.engine import open_engine, parse_url
from orvault.ledger.resuming import resumable
from orvault.ledger.unit_of_work import translate

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK_S = 60
_NO_SUPER = 1419  # MariaDB: triggers need a privilege while the binary log is on


def migrate(url: str, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring the schema up to `revision`; the SQLite file and its folder are made if missing.

    Returns the schema that was found (None: no tables) and the one that is there now.
    Errors: BAD_SETTINGS (URL, missing privilege, a schema of a later version), UNAVAILABLE.
    """
    return _run(url, revision, up=True)


def downgrade(url: str, revision: str) -> None:
    """Take the schema back down to `revision` ("base": everything goes, with all data). Errors as for
    `migrate`.
    """
    _run(url, revision, up=False)


def check_revision(connection: Connection, name: str) -> None:
    """Raise BAD_SETTINGS unless the schema is the one that this version was written for."""
    found, wanted = _revision(connection), _newest()
    if found != wanted:
        state = "has no schema yet" if found is None else f"has the schema {found}"
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            f"The ledger {state}; this version needs {wanted}.",
            where=name,
            advice="Run `orvault migrate`, and this same version everywhere.",
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _require_known(found: str | None, name: str) -> None:
    if found is not None and found not in _known():
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            f"The ledger has the schema {found}, which this version does not know: a later one made it.",
            where=name,
            advice="Install that later version; a schema is not taken back on its own.",
        )


@cache
def _known() -> tuple[str, ...]:
    """Every revision, the newest first; finding them loads all, and they stay what they are while this runs."""
    return tuple(script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions())


def _newest() -> str:
    return _known()[0]


def _run(url: str, revision: str, *, up: bool) -> tuple[str | None, str | None]:
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        _make_private(Path(parsed.database))
    engine = open_engine(url)
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    try:
        with engine.connect() as connection:
            connection.execution_options(writes=True)
            with connection.begin():
                _take_turn(connection)
                config.attributes["connection"] = connection
                found = _revision(connection)
                _require_known(found, engine.url.render_as_string(hide_password=True))
                with resumable(connection):
                    (command.upgrade if up else command.downgrade)(config, revision)
                return found, _revision(connection)
    except SQLAlchemyError as error:
        name = engine.url.render_as_string(hide_password=True)
        raise _explain(error, name) from error
    finally:
        engine.dispose()


def _make_private(file: Path) -> None:
    # Password hashes and patients' papers stand in it; its -wal and -shm files take over its permissions.
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600, exist_ok=True)


def _take_turn(connection: Connection) -> None:
    # SQLite's write lock is held already; MariaDB commits at every DDL statement, so it needs a lock of its
    # own. It is given back when the connection closes.
    if connection.dialect.name == "sqlite":
        return
    got = connection.execute(text("SELECT GET_LOCK('orvault-migrate', :wait)"), {"wait": _LOCK_S}).scalar()
    if got != 1:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE,
            "Another process is migrating the ledger.",
            advice="Try again when it ended.",
        )


def _explain(error: SQLAlchemyError, name: str) -> OrvaultError:
    arguments = getattr(getattr(error, "orig", None), "args", ())
    if arguments and arguments[0] == _NO_SUPER:
        return OrvaultError(
            ErrorKind.BAD_SETTINGS,
            "MariaDB lets this account make no triggers while its binary log is on; history needs two.",
            where=name,
            advice="Set log_bin_trust_function_creators=1 on the server, then migrate again.",
        )
    return translate(error, name)
