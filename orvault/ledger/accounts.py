"""Accounts in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from orvault.custody.account import Account, Role
from orvault.custody.scope import Scope, ScopeKind
from orvault.ledger import tables_accounts as t
from orvault.ledger.rows import Row


class Accounts:
    """`AccountRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, account: Account) -> None:
        """Insert an account; its name must be free."""
        self._db.execute(
            insert(t.accounts).values(
                id=account.account_id,
                name=account.name,
                display_name=account.display_name,
                role=account.role.value,
                password_phc=account.password_phc,
                created_us=account.created_us,
                created_by=account.created_by,
                disabled_us=account.disabled_us,
                reset_us=account.reset_us,
                machine=account.machine,
            )
        )
        self._add_scopes(account)

    def put(self, account: Account) -> None:
        """Write what may change of an account."""
        changes = {
            "password_phc": account.password_phc,
            "disabled_us": account.disabled_us,
            "reset_us": account.reset_us,
        }
        self._db.execute(update(t.accounts).where(t.accounts.c.id == account.account_id).values(changes))

    def put_scopes(self, account: Account) -> None:
        """Write its scopes in place of those that it had."""
        self._db.execute(delete(t.account_scopes).where(t.account_scopes.c.account_id == account.account_id))
        self._add_scopes(account)

    def _add_scopes(self, account: Account) -> None:
        for position, scope in enumerate(account.scopes):
            self._db.execute(
                insert(t.account_scopes).values(
                    account_id=account.account_id,
                    position=position,
                    kind=scope.kind.value,
                    name=scope.name,
                    from_us=scope.from_us,
                    until_us=scope.until_us,
                )
            )

    def count_enabled(self, role: Role) -> int:
        """How many accounts of this role may sign in."""
        a = t.accounts.c
        query = select(func.count()).where(a.role == role.value, a.disabled_us.is_(None))
        return int(self._db.execute(query).scalar_one())

    def get(self, account_id: str) -> Account | None:
        """The account with this id."""
        return self._one(t.accounts.c.id == account_id)

    def by_name(self, name: str) -> Account | None:
        """The account with this cleaned name."""
        return self._one(t.accounts.c.name == name)

    def of_staff(self, display_name: str) -> Sequence[Account]:
        """Clinical staff of this display name, however it is spelt, whose accounts are open."""
        a = t.accounts.c
        query = select(a.id, a.display_name).where(
            a.role == Role.CLINICAL_STAFF.value, a.disabled_us.is_(None)
        )
        # Compared here: databases differ in which letters are the same.
        ids = [row[0] for row in self._db.execute(query) if row[1].casefold() == display_name.casefold()]
        rows = self._db.execute(select(t.accounts).where(a.id.in_(ids))).mappings()
        return self._with_scopes(list(rows))

    def page(self, limit: int, after: str) -> Sequence[Account]:
        """In order of the id, from behind `after`."""
        query = select(t.accounts).where(t.accounts.c.id > after).order_by(t.accounts.c.id).limit(limit)
        return self._with_scopes(list(self._db.execute(query).mappings()))

    def names(self, account_ids: Collection[str]) -> dict[str, str]:
        """Display names of those of the ids that exist."""
        query = select(t.accounts.c.id, t.accounts.c.display_name).where(t.accounts.c.id.in_(account_ids))
        return {str(row[0]): str(row[1]) for row in self._db.execute(query)}

    def _one(self, condition: ColumnElement[bool]) -> Account | None:
        row = self._db.execute(select(t.accounts).where(condition)).mappings().first()
        return None if row is None else self._with_scopes([row])[0]

    def _with_scopes(self, rows: Sequence[Row]) -> list[Account]:
        s = t.account_scopes.c
        scopes: dict[str, list[Scope]] = {row["id"]: [] for row in rows}
        query = select(t.account_scopes).where(s.account_id.in_(scopes)).order_by(s.account_id, s.position)
        for row in self._db.execute(query).mappings():
            scope = Scope(ScopeKind(row["kind"]), row["name"], row["from_us"], row["until_us"])
            scopes[row["account_id"]].append(scope)
        return [_account(row, tuple(scopes[row["id"]])) for row in rows]


def _account(row: Row, scopes: tuple[Scope, ...]) -> Account:
    return Account(
        account_id=row["id"],
        name=row["name"],
        display_name=row["display_name"],
        role=Role(row["role"]),
        password_phc=row["password_phc"],
        created_us=row["created_us"],
        created_by=row["created_by"],
        disabled_us=row["disabled_us"],
        reset_us=row["reset_us"],
        scopes=scopes,
        machine=row["machine"],
    )
