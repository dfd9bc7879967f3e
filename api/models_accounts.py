"""Bodies of accounts and sessions, in and out."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SecretStr

from api.security import TokenSigner
from api.types import Model, TimeIn, TimeOut
from orvault.clock import US_PER_S
from orvault.custody.account import Account, Role
from orvault.custody.api_key import ApiKey
from orvault.custody.desks.second_factors import FactorState
from orvault.custody.directory import MAX_NAME_CHARACTERS, MAX_SUBJECT_CHARACTERS, DirectoryLink
from orvault.custody.scope import MAX_SCOPES, Scope, ScopeKind
from orvault.custody.second_factor import MAX_CODE_CHARACTERS, Enrolment
from orvault.custody.session import Method, Session


class Token(Model):
    """A bearer token; send it as `Authorization: Bearer TOKEN`."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - RFC 6749's word
    expires_in: int = Field(description="Seconds.")

    @classmethod
    def of(cls, session: Session, signer: TokenSigner) -> Token:
        """The token of a session."""
        life_s = (session.expires_us - session.issued_us) // US_PER_S
        return cls(access_token=signer.sign(session), expires_in=life_s)


class SessionOut(Model):
    """An open session."""

    id: str
    account_id: str
    how: Method = Field(description="How the account proved itself.")
    from_: str = Field(serialization_alias="from", description="Address; empty: not known.")
    issued_at: TimeOut
    expires_at: TimeOut
    current: bool = Field(description="Whether this request came by it.")

    @classmethod
    def of(cls, session: Session, current_id: str) -> SessionOut:
        """From custody's session."""
        return cls(
            id=session.session_id,
            account_id=session.account_id,
            how=session.method,
            from_=session.client,
            issued_at=session.issued_us,
            expires_at=session.expires_us,
            current=session.session_id == current_id,
        )


class ScopeIn(Model):
    """A part of the site that an account reaches."""

    kind: ScopeKind
    name: str = Field(
        default="",
        max_length=200,
        description="Of the department or room, or the camera's id; none for the site.",
        examples=["OR 3"],
    )
    from_: TimeIn | None = Field(default=None, alias="from", description="Counts from then on.")
    until: TimeIn | None = Field(default=None, description="Counts until then.")

    def scope(self) -> Scope:
        """As custody takes it."""
        return Scope(self.kind, self.name, self.from_, self.until)


class ScopesIn(Model):
    """How far an account reaches from now on."""

    scopes: list[ScopeIn] = Field(max_length=MAX_SCOPES)


class ScopeOut(Model):
    """A part of the site that an account reaches."""

    kind: ScopeKind
    name: str
    from_: TimeOut | None = Field(serialization_alias="from")
    until: TimeOut | None

    @classmethod
    def of(cls, scope: Scope) -> ScopeOut:
        """From custody's scope."""
        return cls(kind=scope.kind, name=scope.name, from_=scope.from_us, until=scope.until_us)


class AccountOut(Model):
    """An account; its password is never shown."""

    id: str
    name: str
    display_name: str
    role: Role
    scopes: list[ScopeOut] = Field(description="How far it reaches; without any, it sees nothing.")
    created_at: TimeOut
    disabled_at: TimeOut | None
    machine: bool = Field(description="It has no password, and comes by keys.")
    must_change_password: bool = Field(
        description="Somebody else set it; until then nothing else is allowed."
    )
    must_enrol_second_factor: bool = Field(
        description="The role needs a code, and this session came without; until then nothing else is allowed."
    )

    @classmethod
    def of(cls, account: Account) -> AccountOut:
        """From custody's account."""
        return cls(
            id=account.account_id,
            name=account.name,
            display_name=account.display_name,
            role=account.role,
            scopes=[ScopeOut.of(scope) for scope in account.scopes],
            created_at=account.created_us,
            disabled_at=account.disabled_us,
            machine=account.machine,
            must_change_password=account.must_change,
            must_enrol_second_factor=account.must_enrol,
        )


class MachineIn(Model):
    """A new account of a machine."""

    name: Annotated[str, Field(max_length=200, examples=["or-planning"])]
    display_name: Annotated[str, Field(max_length=200, examples=["Surgery planning"])]
    role: Role = Field(description="What it may, less what takes a person; not system-administrator.")
    scopes: list[ScopeIn] = Field(max_length=MAX_SCOPES, description="How far it reaches.")


class ApiKeyIn(Model):
    """A new key of a machine."""

    name: str = Field(max_length=200, description="What it is for.", examples=["planning server, 2027"])
    expires_at: TimeIn = Field(description="When it is over; within a year.")


class ApiKeyOut(Model):
    """A key that works; the key itself is shown once."""

    id: str = Field(description="Also the session's: `DELETE /sessions/ID` ends it.")
    name: str
    issued_at: TimeOut
    expires_at: TimeOut
    used_at: TimeOut | None = Field(description="Last, give or take a minute; none: never.")
    used_from: str = Field(description="Address; empty: not known.")

    @classmethod
    def of(cls, key: ApiKey) -> ApiKeyOut:
        """From custody's key."""
        return cls(**_kept(key))


class IssuedApiKeyOut(ApiKeyOut):
    """A new key."""

    key: str = Field(description="Shown this once; send it as `Authorization: Bearer KEY`.")

    @classmethod
    def issued(cls, secret: str, key: ApiKey) -> IssuedApiKeyOut:
        """From custody's key, with the key itself."""
        return cls(key=secret, **_kept(key))


def _kept(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.session.session_id,
        "name": key.name,
        "issued_at": key.session.issued_us,
        "expires_at": key.session.expires_us,
        "used_at": key.used_us,
        "used_from": key.used_from,
    }


class AccountIn(Model):
    """A new account."""

    name: Annotated[str, Field(max_length=200, examples=["kim.jiwon"])]
    display_name: Annotated[str, Field(max_length=200, examples=["김지원 (Records)"])]
    role: Role
    scopes: list[ScopeIn] = Field(max_length=MAX_SCOPES, description="How far it reaches.")
    password: SecretStr = Field(description="12 characters or more.", max_length=1000)


class PasswordIn(Model):
    """A password that an account has to change at its next sign-in."""

    password: SecretStr = Field(description="12 characters or more.", max_length=1000)


class OwnPasswordIn(Model):
    """One's own password, before and after."""

    old_password: SecretStr = Field(max_length=1000)
    new_password: SecretStr = Field(description="12 characters or more.", max_length=1000)


class EnrolmentIn(Model):
    """The password, again: a session alone is no proof of who sits there."""

    password: SecretStr = Field(max_length=1000)


class EnrolmentOut(Model):
    """A second factor's secret, shown this once."""

    secret: str = Field(description="Base32, to be typed into an authenticator app.")
    uri: str = Field(description="The same as an otpauth address: shown as a QR code, the app takes it.")

    @classmethod
    def of(cls, made: Enrolment) -> EnrolmentOut:
        """From custody's enrolment."""
        return cls(secret=made.secret, uri=made.uri)


class CodeIn(Model):
    """A code that the app shows now."""

    code: SecretStr = Field(max_length=MAX_CODE_CHARACTERS, description="Six digits.")


class RecoveryCodesOut(Model):
    """Codes for the day on which the device is gone, shown this once."""

    recovery_codes: list[str] = Field(description="Each signs in once, in place of a code.")


class RemovalIn(EnrolmentIn, CodeIn):
    """Password and a code, or a recovery code."""


class FactorStateOut(Model):
    """How one's own account stands."""

    needed: bool = Field(description="Its role can do nothing with the password alone.")
    enrolled_at: TimeOut | None = Field(description="Since when it signs in with a code; none: it does not.")
    recovery_codes_left: int

    @classmethod
    def of(cls, state: FactorState) -> FactorStateOut:
        """From custody's state."""
        return cls(
            needed=state.needed,
            enrolled_at=state.confirmed_us,
            recovery_codes_left=state.recovery_codes_left,
        )


class DirectoryLinkIn(Model):
    """Who of the directory signs in as an account: one of the two."""

    subject: str = Field(
        default="",
        max_length=MAX_SUBJECT_CHARACTERS,
        description="The directory's own identifier (`sub`); history has it once somebody was refused.",
        examples=["248289761001"],
    )
    username: str = Field(
        default="", max_length=MAX_NAME_CHARACTERS, description="The user name of the first who may come."
    )


class DirectoryLinkOut(Model):
    """Who of the directory signs in as an account."""

    issuer: str
    subject: str | None = Field(description="Nobody yet: none.")
    awaits: str | None = Field(description="The user name that the first sign-in is awaited from.")
    follows_groups: bool = Field(description="Role and scopes are what the directory's groups say.")
    linked_at: TimeOut
    linked_by: str

    @classmethod
    def of(cls, link: DirectoryLink) -> DirectoryLinkOut:
        """From custody's link."""
        return cls(
            issuer=link.issuer,
            subject=link.subject,
            awaits=link.awaits,
            follows_groups=link.follows,
            linked_at=link.linked_us,
            linked_by=link.linked_by,
        )
