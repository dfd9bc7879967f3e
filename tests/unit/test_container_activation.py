"""Activation: halves, questions and answers, and a package that stays shut without the hospital's half."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orvault.container.activation import (
    Activation,
    ActivationAnswer,
    ActivationRequest,
    is_address,
    proof_key,
)
from orvault.container.canonical import Fields
from orvault.container.keys import generate_private_key
from orvault.container.package import PackageBuilder, PackageReader
from orvault.container.unlocking import find_key
from orvault.errors import ErrorKind, OrvaultError
from tests.unit.container_support import (
    CHUNK_BYTES,
    CLIP,
    NOW_US,
    PASSWORD,
    hospital,
    media_info,
    password_person,
    terms,
)

ASKED = Activation("https://vault.hospital.test:8000", b"a certificate")
HALF, SHARE = b"h" * 32, b"s" * 32


@dataclass
class Lent:
    share: bytes
    over: bool = False

    def check(self) -> None:
        if self.over:
            raise OrvaultError(ErrorKind.EXPIRED, "It is over.")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    """A package that asks for activation, with both halves of its key."""
    folder = tmp_path_factory.mktemp("activated")
    with PackageBuilder(folder, hospital()[1], terms(), CHUNK_BYTES, ASKED) as builder:
        assert builder.halves is not None
        half, share = builder.halves
        with builder.media_sink("or1") as sink:
            sink.write(CLIP.read_bytes())
        builder.finish(folder / "one.orvault", [media_info("or1", CLIP)], [password_person()])
        assert builder.halves is None
    return folder / "one.orvault", half, share


def test_it_opens_with_the_hospitals_half_and_reads_until_that_ends(made: tuple[Path, bytes, bytes]) -> None:
    path, half, share = made
    lent = Lent(share)
    asked: list[tuple[str, Activation, bytes]] = []
    with PackageReader.open(path) as reader:
        reader.verify_label([], NOW_US)
        reader.unlock(PASSWORD, lambda *what: (asked.append(what), lent)[1])
        assert asked == [("pkg-1", ASKED, half)]
        assert reader.media("or1").read() == CLIP.read_bytes()
        media = reader.media("or1")
        assert media.read(1000) == CLIP.read_bytes()[:1000]
        lent.over = True
        with pytest.raises(OrvaultError) as caught:
            media.seek(2 * CHUNK_BYTES)
            media.read(1000)
        assert caught.value.kind is ErrorKind.EXPIRED
        with pytest.raises(OrvaultError) as caught:
            reader.media("or1")
        assert caught.value.kind is ErrorKind.CONFLICT  # the key is gone


def test_the_slots_hold_a_half_that_opens_nothing(made: tuple[Path, bytes, bytes]) -> None:
    path, half, _ = made
    with PackageReader.open(path) as reader:
        assert find_key(reader.slots, PASSWORD, "pkg-1") == half
        reader.verify_label([], NOW_US)
        with pytest.raises(OrvaultError) as caught:
            reader.unlock(PASSWORD)
        assert caught.value.kind is ErrorKind.NOT_ACTIVATED
        with pytest.raises(OrvaultError) as caught:
            reader.unlock(PASSWORD, lambda *_: Lent(SHARE))
        assert caught.value.kind is ErrorKind.ALTERED and caught.value.where == "activation"
        reader.verify_all()  # what needs no secret needs no activation


def test_a_package_without_it_asks_nobody(tmp_path: Path) -> None:
    with PackageBuilder(tmp_path, hospital()[1], terms(), CHUNK_BYTES) as builder:
        assert builder.halves is None
        with builder.media_sink("or1") as sink:
            sink.write(CLIP.read_bytes())
        builder.finish(tmp_path / "plain.orvault", [media_info("or1", CLIP)], [password_person()])
    with PackageReader.open(tmp_path / "plain.orvault") as reader:
        assert reader.label.activation is None
        reader.verify_label([], NOW_US)
        reader.unlock(PASSWORD, lambda *_: pytest.fail("nobody was to be asked"))


def test_a_question_is_proven_by_the_half_and_bound_to_its_package_and_key() -> None:
    request = ActivationRequest.make("pkg-1", generate_private_key().public(), HALF)
    assert request.is_proven(proof_key(HALF, "pkg-1"))
    assert not request.is_proven(proof_key(SHARE, "pkg-1"))
    assert not replace(request, package_id="pkg-2").is_proven(proof_key(HALF, "pkg-2"))
    other = replace(request, ephemeral=generate_private_key().public())
    assert not other.is_proven(proof_key(HALF, "pkg-1")) and other.digest != request.digest


def test_an_answer_opens_as_it_was_given_and_not_otherwise() -> None:
    ephemeral = generate_private_key()
    request = ActivationRequest.make("pkg-1", ephemeral.public(), HALF)
    given = ActivationAnswer.make(request, SHARE, NOW_US, 3)
    read = ActivationAnswer.read(Fields(given.to_json(), "answer"))
    assert read.open(request, ephemeral) == SHARE
    foreign = ActivationRequest.make("pkg-2", ephemeral.public(), HALF)
    for answer, question in (
        (replace(read, until_us=NOW_US + 1), request),
        (replace(read, plays_left=None), request),
        (replace(read, sealed=bytes(len(read.sealed))), request),
        (read, foreign),
    ):
        with pytest.raises(OrvaultError) as caught:
            answer.open(question, ephemeral)
        assert caught.value.kind is ErrorKind.NOT_ACTIVATED


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("https://vault.hospital.test", True),
        ("https://192.0.2.7:8443", True),
        ("https://[2001:db8::7]:8443", True),
        ("http://vault.hospital.test", False),
        ("https://vault.hospital.test/", False),
        ("https://vault.hospital.test/api", False),
        ("https://user@vault.hospital.test", False),
        ("https://vault.hospital.test?x", False),
        ("https://vault.hospital.test#x", False),
        ("https://Vault.hospital.test", False),
        ("https://vault.hospital.test:99999", False),
        ("https://vault.hospital.test:", False),
        ("https://vault.hospital.test:0", False),
        ("https://vault..test", False),
        ("https://.vault.test", False),
        ("https://vault.test.", False),
        (f"https://{'v' * 63}.test", True),
        (f"https://{'v' * 64}.test", False),
        ("https://", False),
        ("https://a b", False),
        ("https://a\\b", False),
        ("https://병원.test", False),
        ("", False),
    ],
)
def test_an_address_names_a_server_and_nothing_else(address: str, usable: bool) -> None:
    assert is_address(address) is usable
    fields = Fields({"address": address, "ca": None}, "activation")
    if usable:
        assert Activation.read(fields) == Activation(address)
    else:
        with pytest.raises(OrvaultError):
            Activation.read(fields)
