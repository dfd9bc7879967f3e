"""The settings of the hospital's directory: where it is, what it calls things, and what its groups come to here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.directory.place import ProviderPlace, is_safe
from cluster.access_settings import PartSettings, check_part
from orvault.custody.account import Role
from orvault.custody.directory import ClaimNames, DirectoryPolicy, GroupRule, SecondFactor

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Word = Annotated[str, Field(min_length=1, max_length=255)]
Claim = Annotated[str, Field(min_length=1, max_length=128)]


class GroupSettings(PartSettings):
    """What members of a group are here; without a part of the site they reach all of it."""

    group: Word = Field(description="As the directory names it.")
    role: Role = Field(description="The role of its members; the first entry that somebody meets gives it.")

    def rule(self) -> GroupRule:
        """The rule as custody takes it."""
        return GroupRule(self.group, self.role, self.scope())


class DirectorySettings(BaseModel):
    """Signing in through the hospital's directory (OpenID Connect); without an issuer there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(
        default="", max_length=255, description="The directory's issuer, https://...; empty: none."
    )
    client_id: str = Field(default="", max_length=255, description="What this site is called there.")
    client_secret_file: Path | None = Field(
        default=None, description="A file that holds nothing but the secret; empty: a public client."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM that the directory is believed by; empty: the system's."
    )
    scopes: tuple[Word, ...] = Field(default=("openid", "profile"), description="What is asked for.")
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "PS256", "ES256", "EdDSA"),
        min_length=1,
        description="Signatures that are believed.",
    )
    username_claim: Claim = Field(default="preferred_username", description="Where the user name stands.")
    name_claim: Claim = Field(default="name", description="Where the person's name stands.")
    groups_claim: Claim = Field(default="groups", description="Where the groups stand, as a list.")
    match: bool = Field(
        default=False,
        description="Accounts may be linked by a user name, which the first sign-in makes a subject.",
    )
    provision: bool = Field(
        default=False,
        description="Members of `groups` get an account at their first sign-in, and follow them.",
    )
    groups: tuple[GroupSettings, ...] = Field(default=(), max_length=200)
    second_factor_roles: frozenset[Role] = Field(
        default=frozenset(), description="Let in only if the directory says that a second factor was shown."
    )
    second_factor_methods: tuple[Word, ...] = Field(
        default=(), description="It says so by one of these in `amr`, e.g. mfa."
    )
    second_factor_levels: tuple[Word, ...] = Field(
        default=(), description="Or by one of these as `acr`, which it is asked for."
    )
    max_age_minutes: int | None = Field(
        default=None, ge=1, le=1440, description="Who signed in there longer ago does so again; empty: never."
    )
    return_addresses: tuple[str, ...] = Field(
        default=(), max_length=20, description="Where programs on the network may wait for their code."
    )
    timeout_s: float = Field(default=5.0, gt=0, le=30, description="For each step of asking it.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.issuer:
            return self
        _check_url("issuer", self.issuer)
        if urlsplit(self.issuer).query or urlsplit(self.issuer).fragment:
            raise ValueError("an issuer has no ? and no #")
        if not self.client_id:
            raise ValueError("a directory needs client_id")
        if "openid" not in self.scopes:
            raise ValueError("scopes: openid has to be among them")
        if self.provision and not self.groups:
            raise ValueError("provision needs groups: without them nobody gets a role")
        if self.second_factor_roles and not (self.second_factor_methods or self.second_factor_levels):
            raise ValueError("second_factor_roles need second_factor_methods or second_factor_levels")
        for address in self.return_addresses:
            _check_url("return_addresses", address)
        return self

    def check_site(
        self, cameras: Mapping[str, tuple[str, str]], departments: Mapping[str, str], api_port: int
    ) -> None:
        """ValueError for parts of the site that are none, and for an API whose address is not known beforehand."""
        for group in self.groups:
            check_part("directory.groups", group, cameras, departments)
        if self.issuer and api_port == 0:
            raise ValueError("directory: it sends browsers to the API, so api.port has to be a fixed one")

    def policy(self) -> DirectoryPolicy:
        """What custody decides by."""
        return DirectoryPolicy(
            issuer=self.issuer,
            match=self.match,
            provision=self.provision,
            groups=tuple(group.rule() for group in self.groups),
            second_factor=SecondFactor(
                self.second_factor_roles,
                frozenset(self.second_factor_methods),
                frozenset(self.second_factor_levels),
            ),
        )

    def place(self, redirect_uri: str) -> ProviderPlace | None:
        """What the API asks it by; None: there is none."""
        if not self.issuer:
            return None
        return ProviderPlace(
            issuer=self.issuer,
            client_id=self.client_id,
            redirect_uri=redirect_uri,
            algorithms=self.algorithms,
            client_secret_file=self.client_secret_file,
            ca_file=self.ca_file,
            scopes=self.scopes,
            claims=ClaimNames(self.username_claim, self.name_claim, self.groups_claim),
            max_age_s=None if self.max_age_minutes is None else self.max_age_minutes * 60,
            levels=self.second_factor_levels,
            timeout_s=self.timeout_s,
            return_addresses=self.return_addresses,
        )


def _check_url(what: str, url: str) -> None:
    if not is_safe(url, loopback=True) or "#" in url:
        # Not the address itself: it may hold a password.
        raise ValueError(f"{what}: it is not https (or http on this machine) without @ and #")
