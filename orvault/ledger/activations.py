"""Shares of packages' keys and counted activations in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from orvault.custody.activation import PackageShare, Play
from orvault.ledger.rows import Row
from orvault.ledger.tables_activation import package_plays as p
from orvault.ledger.tables_activation import package_shares as s


class Activations:
    """`ActivationRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def put(self, share: PackageShare) -> None:
        """Write it in place of what was kept for the package, and of what was counted."""
        self._db.execute(delete(p).where(p.c.package_id == share.package_id))
        self._db.execute(delete(s).where(s.c.package_id == share.package_id))
        self._db.execute(
            insert(s).values(
                package_id=share.package_id,
                request_id=share.request_id,
                sealed=share.sealed,
                proof_key=share.proof_key,
                plays=share.plays,
                used=share.used,
            )
        )

    def get(self, package_id: str) -> PackageShare | None:
        """The package's share, deleted or not."""
        row = self._db.execute(select(s).where(s.c.package_id == package_id)).mappings().first()
        return None if row is None else _share(row)

    def of_request(self, request_id: str) -> Sequence[PackageShare]:
        """Those of a request's packages."""
        query = select(s).where(s.c.request_id == request_id).order_by(s.c.package_id)
        return [_share(row) for row in self._db.execute(query).mappings()]

    def add_play(self, play: Play) -> None:
        """Insert it and count it."""
        self._db.execute(
            insert(p).values(
                package_id=play.package_id,
                request_digest=play.request_digest,
                at_us=play.at_us,
                until_us=play.until_us,
                plays_left=play.plays_left,
            )
        )
        self._db.execute(update(s).where(s.c.package_id == play.package_id).values(used=s.c.used + 1))

    def play(self, package_id: str, request_digest: str) -> Play | None:
        """The one that this question was counted as."""
        query = select(p).where(p.c.package_id == package_id, p.c.request_digest == request_digest)
        row = self._db.execute(query).mappings().first()
        if row is None:
            return None
        return Play(package_id, request_digest, row["at_us"], row["until_us"], row["plays_left"])

    def drop_shares(self, request_id: str) -> int:
        """Delete the halves that are still there."""
        here = (s.c.request_id == request_id, s.c.sealed.is_not(None))
        return int(self._db.execute(update(s).where(*here).values(sealed=None)).rowcount)


def _share(row: Row) -> PackageShare:
    return PackageShare(
        row["package_id"], row["request_id"], row["sealed"], row["proof_key"], row["plays"], row["used"]
    )
