"""The hospital's directory as custody sees it: who somebody is there, and what that comes to here. Pure.

How the directory proves it (OpenID Connect) is the API's; nothing here reads a token or a socket.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orvault.clock import US_PER_S
from orvault.custody.account import Account, Role, check_name, clean_name
from orvault.custody.scope import Scope
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import is_unseen

MAX_SUBJECT_CHARACTERS = 255  # OpenID Connect Core 1.0, section 2: sub has no more
MAX_NAME_CHARACTERS = 255
ATTEMPT_US = 10 * 60 * US_PER_S  # from the begin of a sign-in until it has to come back from the directory
CODE_US = 5 * 60 * US_PER_S  # for the code to be brought to the program, by hand at worst
MAX_OPEN_CODES = 10  # of one account
DIRECTORY = "directory"  # who, in history, makes accounts and changes them as the groups say
_DISPLAYED_CHARACTERS = 80
_MOST_GROUPS = 2000


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """What the site's directory calls the claims that say more than who it is."""

    username: str = "preferred_username"
    display_name: str = "name"
    groups: str = "groups"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as the directory has proven them.

    `issuer` and `subject` name them, for ever and alone; user name and groups are how things stand now, and belong to
    somebody else tomorrow. `methods` and `level` say how they proved themselves (amr, acr).
    """

    issuer: str
    subject: str
    username: str = ""
    display_name: str = ""
    groups: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    level: str = ""


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Members of this group have this role, and reach this."""

    group: str
    role: Role
    scope: Scope


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Accounts of these roles are let in only if the directory says that they showed a second factor.

    It says so by one of these methods (amr) or levels (acr); without any it cannot.
    """

    roles: frozenset[Role] = frozenset()
    methods: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()

    def lacks(self, role: Role, identity: Identity) -> bool:
        """Whether this identity is of a role that needs one, and showed none."""
        shown = not self.methods.isdisjoint(identity.methods) or identity.level in self.levels
        return role in self.roles and not shown


@dataclass(frozen=True, slots=True)
class DirectoryPolicy:
    """What a site decides of its directory; without an issuer it has none.

    `match`: administrators may link an account by a user name, which its first sign-in makes a subject. `provision`:
    who is in one of the groups gets an account at the first sign-in, and what the groups say at every one.
    """

    issuer: str = ""
    match: bool = False
    provision: bool = False
    groups: tuple[GroupRule, ...] = ()
    second_factor: SecondFactor = field(default_factory=SecondFactor)


@dataclass(frozen=True, slots=True)
class DirectoryLink:
    """Which identity signs in as which account: its subject, or the user name that a first sign-in is awaited from.

    `follows`: role and scopes are what the groups say, at every sign-in.
    """

    account_id: str
    issuer: str
    subject: str | None
    awaits: str | None
    follows: bool
    linked_us: int
    linked_by: str


@dataclass(frozen=True, slots=True)
class DirectoryCode:
    """A sign-in that the directory has proven, until a program fetches it; digests (SHA-256, hex) of its secrets."""

    code_digest: str
    state_digest: str
    account_id: str
    challenge: str
    made_us: int
    used_us: int | None = None


class DirectoryRows(Protocol):
    """Links to the directory, and sign-ins that wait for their program."""

    def link_of(self, account_id: str) -> DirectoryLink | None: ...
    def by_subject(self, issuer: str, subject: str) -> DirectoryLink | None: ...
    def awaiting(self, issuer: str, username: str) -> DirectoryLink | None: ...
    def put_link(self, link: DirectoryLink) -> None:
        """Write it in place of what the account had."""
        ...

    def remove_link(self, account_id: str) -> None: ...
    def put_role(self, account_id: str, role: Role) -> None: ...
    def administrators_by_password(self) -> Sequence[str]:
        """Ids of the system administrators in use that have no link."""
        ...

    def add_code(self, code: DirectoryCode) -> None: ...
    def code(self, code_digest: str) -> DirectoryCode | None: ...
    def came_back(self, state_digest: str) -> bool:
        """Whether the sign-in with this state has already come back from the directory."""
        ...

    def open_codes(self, account_id: str, made_after_us: int) -> int: ...
    def use_code(self, code_digest: str, at_us: int) -> None: ...
    def end_codes(self, account_id: str, at_us: int) -> None:
        """Have those of the account that nobody has brought yet open nothing."""
        ...

    def drop_codes(self, made_before_us: int) -> None: ...


class Refusal(StrEnum):
    """Why somebody whom the directory knows is not let in; the values stand in history."""

    NO_ACCOUNT = "no account is linked to this identity"
    NO_GROUP = "no group of this identity has a role here"
    CLOSED = "the account is closed"
    NO_SECOND_FACTOR = "the directory does not say that a second factor was shown"


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is let in as."""

    role: Role
    scopes: tuple[Scope, ...]


def admission(
    identity: Identity, policy: DirectoryPolicy, account: Account | None, *, follows: bool
) -> Standing | Refusal:
    """Whether an identity is let in, and as what; `account` is the one that it is linked to, if there is one.

    A linked account keeps the role and scopes that administrators gave it, unless it `follows` the groups.
    """
    if account is None and not policy.provision:
        return Refusal.NO_ACCOUNT
    if account is not None and account.disabled:
        return Refusal.CLOSED
    given = None if account is None or follows else Standing(account.role, account.scopes)
    standing = given or standing_of(identity.groups, policy.groups)
    if standing is None:
        return Refusal.NO_GROUP
    if policy.second_factor.lacks(standing.role, identity):
        return Refusal.NO_SECOND_FACTOR
    return standing


def standing_of(groups: frozenset[str], rules: Sequence[GroupRule]) -> Standing | None:
    """The role of the first rule that one of the groups meets, with all that its rules for that role reach."""
    met = [rule for rule in rules if rule.group in groups]
    if not met:
        return None
    role = met[0].role
    return Standing(role, tuple(dict.fromkeys(rule.scope for rule in met if rule.role is role)))


def identity_of(issuer: str, claims: Mapping[str, object], names: ClaimNames) -> Identity | None:
    """The identity that the claims of a checked ID token describe; None where they name nobody.

    What is not of the expected form is as if it were not there: nobody gains a right by it.
    """
    subject = _text(claims.get("sub"), MAX_SUBJECT_CHARACTERS)
    if not subject:
        return None
    return Identity(
        issuer=issuer,
        subject=subject,
        username=clean_name(_text(claims.get(names.username), MAX_NAME_CHARACTERS)),
        display_name=_text(claims.get(names.display_name), MAX_NAME_CHARACTERS)[
            :_DISPLAYED_CHARACTERS
        ].strip(),
        groups=_texts(claims.get(names.groups)),
        methods=_texts(claims.get("amr")),
        level=_text(claims.get("acr"), MAX_NAME_CHARACTERS),
    )


def account_name(identity: Identity, taken: bool) -> str:
    """The name of an account that is made for this identity; `taken`: another one has the user name."""
    try:
        name = check_name(identity.username)
    except OrvaultError:
        taken = True
    named = f"{identity.issuer}\0{identity.subject}".encode()
    return f"directory-{hashlib.sha256(named).hexdigest()[:16]}" if taken else name


def digest_of(secret: str) -> str:
    """As what a code or a state is kept."""
    return hashlib.sha256(b"orvault directory sign-in\0" + secret.encode()).hexdigest()


def challenge_of(verifier: str) -> str:
    """What a program shows of its verifier at the begin (RFC 7636, section 4.2: S256)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def no_directory() -> OrvaultError:
    """The error of a site without one."""
    message = "This site has no directory to sign in through."
    return OrvaultError(ErrorKind.NOT_FOUND, message, advice="Sign in with a password, at POST /session.")


def _text(value: object, longest: int) -> str:
    """The value exactly as it is, if it is a text that can be shown: trimmed, two subjects could become one."""
    if not isinstance(value, str) or len(value) > longest or any(map(is_unseen, value)):
        return ""
    return value


def _texts(value: object) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > _MOST_GROUPS:
        return frozenset()
    return frozenset(text for each in value if (text := _text(each, MAX_NAME_CHARACTERS)))
