"""Links to the hospital's directory, and proven sign-ins that wait for their program, in the ledger."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from orvault.custody.account import Role
from orvault.custody.directory import DirectoryCode, DirectoryLink
from orvault.ledger.rows import Row
from orvault.ledger.tables_accounts import accounts
from orvault.ledger.tables_directory import directory_codes, directory_links


class Directory:
    """`DirectoryRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def link_of(self, account_id: str) -> DirectoryLink | None:
        """The link of this account."""
        return self._link(directory_links.c.account_id == account_id)

    def by_subject(self, issuer: str, subject: str) -> DirectoryLink | None:
        """The link of this identity."""
        c = directory_links.c
        return self._link(c.issuer == issuer, c.subject == subject)

    def awaiting(self, issuer: str, username: str) -> DirectoryLink | None:
        """The link that waits for this user name."""
        c = directory_links.c
        return self._link(c.issuer == issuer, c.awaits == username)

    def put_link(self, link: DirectoryLink) -> None:
        """Write it in place of what the account had."""
        self.remove_link(link.account_id)
        self._db.execute(
            insert(directory_links).values(
                account_id=link.account_id,
                issuer=link.issuer,
                subject=link.subject,
                awaits=link.awaits,
                follows=link.follows,
                linked_us=link.linked_us,
                linked_by=link.linked_by,
            )
        )

    def remove_link(self, account_id: str) -> None:
        """Delete it."""
        self._db.execute(delete(directory_links).where(directory_links.c.account_id == account_id))

    def put_role(self, account_id: str, role: Role) -> None:
        """Give the account another role."""
        self._db.execute(update(accounts).where(accounts.c.id == account_id).values(role=role.value))

    def administrators_by_password(self) -> list[str]:
        """System administrators in use that have no link."""
        linked = select(directory_links.c.account_id)
        query = select(accounts.c.id).where(
            accounts.c.role == Role.SYSTEM_ADMINISTRATOR.value,
            accounts.c.disabled_us.is_(None),
            accounts.c.id.not_in(linked),
        )
        return list(self._db.execute(query).scalars())

    def add_code(self, code: DirectoryCode) -> None:
        """Insert one."""
        self._db.execute(
            insert(directory_codes).values(
                code_digest=code.code_digest,
                state_digest=code.state_digest,
                account_id=code.account_id,
                challenge=code.challenge,
                made_us=code.made_us,
                used_us=code.used_us,
            )
        )

    def code(self, code_digest: str) -> DirectoryCode | None:
        """The one with this digest."""
        c = directory_codes.c
        row = self._db.execute(select(directory_codes).where(c.code_digest == code_digest)).mappings().first()
        return None if row is None else _code(row)

    def came_back(self, state_digest: str) -> bool:
        """Whether a sign-in with this state was proven."""
        c = directory_codes.c
        return self._db.execute(select(c.made_us).where(c.state_digest == state_digest)).first() is not None

    def open_codes(self, account_id: str, made_after_us: int) -> int:
        """How many of the account nobody has brought yet."""
        c = directory_codes.c
        query = select(func.count()).where(
            c.account_id == account_id, c.made_us > made_after_us, c.used_us.is_(None)
        )
        return int(self._db.execute(query).scalar_one())

    def use_code(self, code_digest: str, at_us: int) -> None:
        """Mark it used."""
        c = directory_codes.c
        self._db.execute(update(directory_codes).where(c.code_digest == code_digest).values(used_us=at_us))

    def end_codes(self, account_id: str, at_us: int) -> None:
        """Mark those of the account used that nobody has brought yet."""
        c = directory_codes.c
        waiting = (c.account_id == account_id, c.used_us.is_(None))
        self._db.execute(update(directory_codes).where(*waiting).values(used_us=at_us))

    def drop_codes(self, made_before_us: int) -> None:
        """Drop those that no sign-in can meet any more."""
        self._db.execute(delete(directory_codes).where(directory_codes.c.made_us < made_before_us))

    def _link(self, *conditions: ColumnElement[bool]) -> DirectoryLink | None:
        row = self._db.execute(select(directory_links).where(*conditions)).mappings().first()
        return None if row is None else _link(row)


def _link(row: Row) -> DirectoryLink:
    return DirectoryLink(
        account_id=row["account_id"],
        issuer=row["issuer"],
        subject=row["subject"],
        awaits=row["awaits"],
        follows=row["follows"],
        linked_us=row["linked_us"],
        linked_by=row["linked_by"],
    )


def _code(row: Row) -> DirectoryCode:
    return DirectoryCode(
        code_digest=row["code_digest"],
        state_digest=row["state_digest"],
        account_id=row["account_id"],
        challenge=row["challenge"],
        made_us=row["made_us"],
        used_us=row["used_us"],
    )
