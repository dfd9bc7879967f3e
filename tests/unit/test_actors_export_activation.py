"""A request that wants activation, rendered: its package opens with what the ledger keeps, and not without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orvault.container.activation import Activation, ActivationRequest
from orvault.container.keys import generate_private_key
from orvault.container.package import PackageReader
from orvault.custody.activation import NO_ACTIVATION, ActivationWish
from orvault.custody.request import ExportRequest, RequestState
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.activation_support import allow
from tests.unit.actors_support import WALL, Site, make_site
from tests.unit.container_support import hospital, recipient_key

ASKED = Activation("https://vault.hospital.test", b"a certificate")


@dataclass
class Lent:
    share: bytes

    def check(self) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_site(tmp_path)
    allow(made.world)
    return replace(made, tools=replace(made.tools, activation=ASKED))


def _rendered(site: Site) -> ExportRequest:
    request = site.approved(site.record(cameras=(WALL,), count=1), activation=ActivationWish(True, 1))
    site.worker().work_off()
    return site.request(request.request_id)


def test_its_package_opens_with_what_the_ledger_keeps(site: Site) -> None:
    request = _rendered(site)
    assert request.state is RequestState.READY and request.package is not None, request.failure

    def activate(package_id: str, asked: Activation, half: bytes) -> Lent:
        assert asked == ASKED
        key = generate_private_key()
        question = ActivationRequest.make(package_id, key.public(), half)
        return Lent(site.world.custody.activate(question).open(question, key))

    with PackageReader.open(site.packages / request.package.path) as reader:
        assert reader.label.activation == ASKED
        reader.verify_label([hospital()[0].certificate_der], site.world.clock.now_us())
        with pytest.raises(OrvaultError) as caught:
            reader.unlock(recipient_key())
        assert caught.value.kind is ErrorKind.NOT_ACTIVATED
        reader.unlock(recipient_key(), activate)
        reader.verify_all()
        with pytest.raises(OrvaultError) as caught:
            reader.unlock(recipient_key(), activate)  # its one play is used
        assert caught.value.kind is ErrorKind.NOT_ACTIVATED


def test_a_missing_secret_is_told_before_anything_is_rendered(site: Site) -> None:
    site.world.custody._activation = NO_ACTIVATION
    request = _rendered(site)
    assert request.state is RequestState.FAILED and "no secret for activation" in (request.failure or "")
    assert "keys-opened" not in site.world.acts()


def test_where_the_site_offers_it_no_more_the_request_fails_and_says_so(site: Site) -> None:
    request = _rendered(replace(site, tools=replace(site.tools, activation=None)))
    assert request.state is RequestState.FAILED and "does not offer any more" in (request.failure or "")
