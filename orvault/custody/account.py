"""Accounts as values, and the rule for their names.

Sign-in sessions are in `session`, passwords in `passwords`, failed sign-ins in `throttle`; what an account may do
is in `access`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self

from orvault.custody.scope import Scope
from orvault.errors import ErrorKind, OrvaultError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{1,62})[a-z0-9]")
MAX_TYPED_CHARACTERS = 200  # of a name, before anything is done with it


class MachineActor(str):
    """How history names a machine, with the key (its session's id) that it came by: its entries say that too."""

    __slots__ = ("key_id",)
    key_id: str

    def __new__(cls, name: str, key_id: str) -> Self:
        """`name` as every account's; it is stored and compared like one."""
        actor = super().__new__(cls, name)
        actor.key_id = key_id
        return actor

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override] # str is made of one argument, this of two
        """What a copy in another process is made of."""
        return str(self), self.key_id


class Role(StrEnum):
    """What an account is for. No role includes seeing clear pictures: that takes an approved request."""

    SYSTEM_ADMINISTRATOR = "system-administrator"
    RECORDS_MANAGER = "records-manager"
    PRIVACY_OFFICER = "privacy-officer"
    CLINICAL_STAFF = "clinical-staff"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Account:
    """One person (or machine) that can sign in; `password_phc` is an Argon2id PHC string.

    `reset_us`: the password is one that somebody else gave it then, good for nothing but choosing another.
    `scopes`: how far it reaches; without any, it sees nothing. `must_enrol` is of the session that it came by, and is
    not kept: the password alone opened it, and the role needs more. A `machine` has no password, and comes by keys;
    `key_id` is the one that it came by now, and is not kept either.
    """

    account_id: str
    name: str
    display_name: str
    role: Role
    password_phc: str = field(repr=False)
    created_us: int
    created_by: str
    disabled_us: int | None = None
    reset_us: int | None = None
    scopes: tuple[Scope, ...] = ()
    must_enrol: bool = False
    machine: bool = False
    key_id: str = field(default="", compare=False)

    @property
    def disabled(self) -> bool:
        """Whether signing in and every right are off."""
        return self.disabled_us is not None

    @property
    def must_change(self) -> bool:
        """Whether its password has to be changed before anything else."""
        return self.reset_us is not None

    @property
    def actor(self) -> str:
        """How history names this account."""
        name = f"account:{self.account_id}"
        return MachineActor(name, self.key_id) if self.key_id else name


class AccountRows(Protocol):
    """Accounts."""

    def add(self, account: Account) -> None: ...
    def put(self, account: Account) -> None:
        """Write what may change: password, whether it was reset, whether the account is disabled."""
        ...

    def put_scopes(self, account: Account) -> None:
        """Write its scopes in place of those that it had."""
        ...

    def count_enabled(self, role: Role) -> int: ...
    def get(self, account_id: str) -> Account | None: ...
    def by_name(self, name: str) -> Account | None: ...
    def of_staff(self, display_name: str) -> Sequence[Account]:
        """Clinical staff of this display name, however it is spelt, whose accounts are open."""
        ...

    def page(self, limit: int, after: str) -> Sequence[Account]: ...
    def names(self, account_ids: Collection[str]) -> dict[str, str]: ...


def clean_name(text: str) -> str:
    """The one spelling under which an account name is kept and compared; anything, valid or not, has one."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def check_name(text: str) -> str:
    """The cleaned account name; BAD_REQUEST when it is not 3-64 of a-z 0-9 . _ @ -."""
    name = clean_name(text)
    if not _NAME.fullmatch(name):
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "The account name is not usable.",
            where="name",
            advice="Use 3 to 64 of the characters a-z 0-9 . _ @ -, with a letter or digit first and last.",
        )
    return name
