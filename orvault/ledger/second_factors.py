"""Second factors and recovery codes in the ledger."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, insert, select

from orvault.custody.second_factor import SecondFactor
from orvault.ledger.tables_second_factors import recovery_codes, second_factors


class SecondFactors:
    """`SecondFactorRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def get(self, account_id: str) -> SecondFactor | None:
        """The account's second factor, confirmed or not."""
        query = select(second_factors).where(second_factors.c.account_id == account_id)
        row = self._db.execute(query).mappings().first()
        if row is None:
            return None
        return SecondFactor(
            account_id=row["account_id"],
            sealed=row["sealed"],
            begun_us=row["begun_us"],
            confirmed_us=row["confirmed_us"],
            last_step=row["last_step"],
        )

    def put(self, factor: SecondFactor) -> None:
        """Write it in place of what the account had."""
        self._drop(factor.account_id)
        self._db.execute(
            insert(second_factors).values(
                account_id=factor.account_id,
                sealed=factor.sealed,
                begun_us=factor.begun_us,
                confirmed_us=factor.confirmed_us,
                last_step=factor.last_step,
            )
        )

    def remove(self, account_id: str) -> bool:
        """Delete it with its recovery codes; whether there was one."""
        self.put_recovery_codes(account_id, ())
        return self._drop(account_id)

    def put_recovery_codes(self, account_id: str, digests: Collection[str]) -> None:
        """Write these in place of those that the account had."""
        self._db.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
        for digest in digests:
            self._db.execute(insert(recovery_codes).values(account_id=account_id, digest=digest))

    def use_recovery_code(self, account_id: str, digest: str) -> bool:
        """Delete one; whether it was there."""
        c = recovery_codes.c
        query = delete(recovery_codes).where(c.account_id == account_id, c.digest == digest)
        return self._db.execute(query).rowcount == 1

    def recovery_codes_left(self, account_id: str) -> int:
        """How many the account has."""
        query = select(func.count()).where(recovery_codes.c.account_id == account_id)
        return int(self._db.execute(query).scalar_one())

    def _drop(self, account_id: str) -> bool:
        query = delete(second_factors).where(second_factors.c.account_id == account_id)
        return self._db.execute(query).rowcount == 1
