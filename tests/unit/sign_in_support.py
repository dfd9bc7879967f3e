"""A site with a real provider on loopback, and a sign-in there that works but for what a test changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orvault.custody.directory import DirectoryPolicy
from tests.unit.api_support import Api, make_api
from tests.unit.directory_rules import GROUPS
from tests.unit.directory_support import (
    Browser,
    place,
    shown_code,
    told,
    with_directory,
)
from tests.unit.oidc_provider import CLIENT_SECRET, Provider, running


@pytest.fixture
def plain(tmp_path: Path) -> Api:
    return make_api(tmp_path)


@pytest.fixture
def provider(plain: Api) -> Iterator[Provider]:
    with running(plain.world.clock) as found:
        yield found


@pytest.fixture
def api(plain: Api, provider: Provider, tmp_path: Path) -> Api:
    return site_with(plain, provider, tmp_path)


def site_with(plain: Api, provider: Provider, folder: Path, **changes: Any) -> Api:
    secret = folder / "client-secret"
    secret.write_text(CLIENT_SECRET)
    secret.chmod(0o600)
    policy = DirectoryPolicy(provider.issuer, match=True, provision=True, groups=GROUPS)
    return with_directory(plain, place(provider.issuer, client_secret_file=secret, **changes), policy)


def code_of(api: Api, provider: Provider, **claims: Any) -> str:
    """The code of a sign-in that works, but for what these claims, or the provider, change."""
    browser = Browser(api.app)
    asked = browser.begin()
    code = provider.issue(asked, **claims)
    return shown_code(browser.come_back(state=asked["state"], code=code, iss=provider.issuer))


def refused_because(api: Api, provider: Provider, why: str, **claims: Any) -> None:
    browser = Browser(api.app)
    asked = browser.begin()
    code = provider.issue(asked, **claims)
    page = browser.come_back(state=asked["state"], code=code, iss=provider.issuer)
    assert page.status_code == 401 and why in page.text and "<code>" not in page.text, page.text
    act, detail = told(api)[0]
    assert act == "directory-refused" and why in detail
