"""One transaction over the ledger with its repositories: the `UnitOfWork` that custody asks for.

Writers take turns: SQLite by BEGIN IMMEDIATE, MariaDB by locking the row of `history_head`. What a use case
has checked therefore stays true until it commits, and history gets its numbers without holes.
"""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError, TimeoutError

from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.accounts import Accounts
from orvault.ledger.activations import Activations
from orvault.ledger.api_keys import ApiKeys
from orvault.ledger.cases import Cameras, Cases, Runs
from orvault.ledger.checkpoints import Checkpoints
from orvault.ledger.control import Reasons, Signals
from orvault.ledger.destructions import Destructions
from orvault.ledger.directory import Directory
from orvault.ledger.gaps import Gaps
from orvault.ledger.history import History
from orvault.ledger.moved_runs import MovedRuns
from orvault.ledger.notices import Notices
from orvault.ledger.recordings import Segments
from orvault.ledger.requests import Requests
from orvault.ledger.retention import Retention
from orvault.ledger.scans import Scans
from orvault.ledger.search import Searches
from orvault.ledger.second_factors import SecondFactors
from orvault.ledger.sessions import Sessions
from orvault.ledger.sign_ins import SignIns
from orvault.ledger.tables_exports import history_head
from orvault.ledger.viewing import Masks, Views
from orvault.ledger.viewing_requests import ViewingRequests
from orvault.ledger.watermark_images import WatermarkImages


class SqlUnitOfWork:
    """A transaction on one connection; read-only ones see one moment and hold nobody up.

    Database errors leave the block as OrvaultError: CONFLICT (a constraint), UNAVAILABLE (no answer, lock
    waited for in vain), INTERNAL (a statement the database does not take).
    """

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        self._engine = engine
        self._read_only = read_only
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        try:
            connection = self._engine.connect()
            self._connection = connection
            self._begin(connection)
        except SQLAlchemyError as error:
            self._close()
            raise translate(error, self._name) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close()
        except SQLAlchemyError as closing:
            if error is None:
                raise translate(closing, self._name) from closing
        if isinstance(error, SQLAlchemyError):
            raise translate(error, self._name) from error

    def commit(self) -> None:
        """Make the transaction durable; it cannot be used afterwards."""
        if self._read_only:
            raise OrvaultError(ErrorKind.INTERNAL, "A read-only transaction was asked to commit.")
        self._here.commit()

    @cached_property
    def accounts(self) -> Accounts:
        """Accounts."""
        return Accounts(self._here)

    @cached_property
    def sessions(self) -> Sessions:
        """Sign-in sessions."""
        return Sessions(self._here)

    @cached_property
    def sign_ins(self) -> SignIns:
        """Failed sign-ins, and where accounts are at home."""
        return SignIns(self._here)

    @cached_property
    def cameras(self) -> Cameras:
        """Cameras."""
        return Cameras(self._here)

    @cached_property
    def cases(self) -> Cases:
        """Cases."""
        return Cases(self._here)

    @cached_property
    def runs(self) -> Runs:
        """Runs."""
        return Runs(self._here)

    @cached_property
    def segments(self) -> Segments:
        """Segments."""
        return Segments(self._here)

    @cached_property
    def moved_runs(self) -> MovedRuns:
        """Runs whose head is not anchored yet."""
        return MovedRuns(self._here)

    @cached_property
    def gaps(self) -> Gaps:
        """Gaps."""
        return Gaps(self._here)

    @cached_property
    def signals(self) -> Signals:
        """Start and stop signals."""
        return Signals(self._here)

    @cached_property
    def reasons(self) -> Reasons:
        """Reasons that stops owe."""
        return Reasons(self._here)

    @cached_property
    def requests(self) -> Requests:
        """Export requests."""
        return Requests(self._here)

    @cached_property
    def scans(self) -> Scans:
        """Scans of drafts."""
        return Scans(self._here)

    @cached_property
    def history(self) -> History:
        """The history of acts."""
        return History(self._here)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """Checkpoints of history."""
        return Checkpoints(self._here)

    @cached_property
    def notices(self) -> Notices:
        """How far outside targets have taken events."""
        return Notices(self._here)

    @cached_property
    def watermark_images(self) -> WatermarkImages:
        """Images for visible watermarks."""
        return WatermarkImages(self._here)

    @cached_property
    def masks(self) -> Masks:
        """The quick mask."""
        return Masks(self._here)

    @cached_property
    def views(self) -> Views:
        """Views."""
        return Views(self._here)

    @cached_property
    def viewing_requests(self) -> ViewingRequests:
        """Requests to view, and the grants that approved ones are."""
        return ViewingRequests(self._here)

    @cached_property
    def retention(self) -> Retention:
        """Holds, extensions, and what is recorded of cases that are not destroyed."""
        return Retention(self._here)

    @cached_property
    def destructions(self) -> Destructions:
        """Destructions."""
        return Destructions(self._here)

    @cached_property
    def second_factors(self) -> SecondFactors:
        """Second factors."""
        return SecondFactors(self._here)

    @cached_property
    def activations(self) -> Activations:
        """Hospital's halves of packages' keys, and counted activations."""
        return Activations(self._here)

    @cached_property
    def api_keys(self) -> ApiKeys:
        """Keys of machines."""
        return ApiKeys(self._here)

    @cached_property
    def directory(self) -> Directory:
        """Links to the hospital's directory."""
        return Directory(self._here)

    @cached_property
    def search(self) -> Searches:
        """Searches."""
        return Searches(self._here)

    @property
    def _here(self) -> Connection:
        if self._connection is None:
            raise OrvaultError(ErrorKind.INTERNAL, "A transaction was used outside its block.")
        return self._connection

    @property
    def _name(self) -> str:
        return self._engine.url.render_as_string(hide_password=True)

    def _begin(self, connection: Connection) -> None:
        mariadb = connection.dialect.name != "sqlite"
        if self._read_only:
            connection.begin()
            if (
                mariadb
            ):  # of this transaction alone: the session's own would take four journeys to set and set back
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return
        connection.execution_options(writes=True)
        connection.begin()
        if mariadb:
            connection.execute(select(history_head.c.id).with_for_update())

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()  # rolls back what was not committed


_MARIADB_CHECK = 4025  # ER_CONSTRAINT_FAILED


def translate(error: SQLAlchemyError, name: str) -> OrvaultError:
    """The product's error for a database error; the statement's values are never in it."""
    if isinstance(error, IntegrityError) or _fails_check(error):
        return OrvaultError(
            ErrorKind.CONFLICT,
            "The ledger refused this because it contradicts what is recorded.",
            where=_constraint(error),
            advice="Look at the current state and try again.",
        )
    if isinstance(error, OperationalError | TimeoutError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        return OrvaultError(
            ErrorKind.UNAVAILABLE,
            "The ledger's database did not answer, or refused access.",
            where=name,
            advice="Check that it runs, its address and its password; then try again.",
        )
    return OrvaultError(ErrorKind.INTERNAL, "The ledger's database did not take a statement.", where=name)


def _fails_check(error: SQLAlchemyError) -> bool:
    """Whether a CHECK of MariaDB's refused it: its driver calls that operational, as if the server were away."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "args", ())[:1] == (_MARIADB_CHECK,)


def _constraint(error: SQLAlchemyError) -> str:
    # "UNIQUE constraint failed: cases.number", "(1062, \"Duplicate entry ... for key 'uq_cases_number'\")":
    # the entry itself stays out, because it may be personal.
    words = (
        str(getattr(error, "orig", ""))
        .replace("'", " ")
        .replace("`", " ")
        .replace('"', " ")
        .replace(")", " ")
        .split()
    )
    named = [
        word for word in words if word.startswith(("uq_", "ck_", "fk_", "pk_")) or "." in word.strip(".")
    ]
    return named[-1][:80] if named else ""
