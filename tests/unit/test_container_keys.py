"""Keys, slots, passwords, commitments, the key store, key files."""

from __future__ import annotations

import stat
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from orvault.container.keyfiles import public_path, read_private_key, read_public_key, write_key_pair
from orvault.container.keys import (
    Argon2idParams,
    Kem,
    KeySlot,
    PublicKey,
    Recipient,
    decode_slots,
    encode_slots,
    generate_private_key,
    key_commitment,
    password_recipient,
    private_key_from_password,
    unwrap_key,
    wrap_key,
)
from orvault.container.keystore import KeyStore
from orvault.errors import ErrorKind, OrvaultError

from .container_support import CHEAP, PASSWORD, password_person

KEY = bytes(range(32))
INFO = b"orvault/test\nseg-1"
KEMS = list(Kem)


def _kind(error: pytest.ExceptionInfo[OrvaultError]) -> ErrorKind:
    return error.value.kind


@pytest.mark.parametrize("kem", KEMS)
def test_a_slot_opens_for_its_key_and_its_purpose_only(kem: Kem) -> None:
    private, stranger = generate_private_key(kem), generate_private_key(kem)
    slot = wrap_key(KEY, private.public(), INFO)
    assert unwrap_key(slot, private, INFO) == KEY
    with pytest.raises(OrvaultError) as caught:
        unwrap_key(slot, stranger, INFO)
    assert _kind(caught) is ErrorKind.NOT_FOR_YOU
    with pytest.raises(OrvaultError) as caught:
        unwrap_key(slot, private, b"another purpose")
    assert _kind(caught) is ErrorKind.ALTERED
    for altered in (
        replace(slot, sealed=slot.sealed[:-1] + bytes([slot.sealed[-1] ^ 1])),
        replace(slot, sealed=bytes([slot.sealed[0] ^ 1]) + slot.sealed[1:]),
        replace(slot, sealed=b""),
        replace(slot, sealed=bytes(len(slot.sealed))),
    ):
        with pytest.raises(OrvaultError) as caught:
            unwrap_key(altered, private, INFO)
        assert _kind(caught) is ErrorKind.ALTERED


@pytest.mark.parametrize("kem", KEMS)
def test_keys_and_slots_survive_json(kem: Kem) -> None:
    private = generate_private_key(kem)
    public = private.public()
    assert PublicKey.from_json(public.to_json()) == public
    slot = wrap_key(KEY, public, INFO)
    assert KeySlot.from_json(slot.to_json()) == slot
    assert slot.to_json()["kem"] == {Kem.MLKEM768_X25519: 0x647A, Kem.X25519: 0x20}[kem]
    assert decode_slots(encode_slots([slot, slot])) == (slot, slot)


def test_nothing_secret_shows_in_a_representation() -> None:
    private = generate_private_key()
    shown = repr(private) + repr(password_person()) + repr(wrap_key(KEY, private.public(), INFO))
    assert repr(private.raw)[2:20] not in shown
    assert "raw" not in repr(private)


def test_a_public_key_that_is_no_key_is_refused() -> None:
    for raw in (bytes(31), bytes(1216)[:-1]):
        with pytest.raises(OrvaultError) as caught:
            PublicKey(Kem.X25519, raw)
        assert _kind(caught) is ErrorKind.BAD_REQUEST
    with pytest.raises(OrvaultError) as caught:
        wrap_key(KEY, PublicKey(Kem.X25519, bytes(32)), INFO)  # the point of order one
    assert _kind(caught) is ErrorKind.BAD_REQUEST
    with pytest.raises(OrvaultError) as caught:
        wrap_key(KEY, PublicKey(Kem.MLKEM768_X25519, b"\xff" * 1216), INFO)  # coefficients out of range
    assert _kind(caught) is ErrorKind.BAD_REQUEST


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("aead", 1),
        ("kdf", True),
        ("kem", 0x21),
        ("kem", "32"),
        ("key_thumbprint", "00"),
        ("sealed", "AAAA"),
        ("sealed", "not base64!"),
        ("sealed", 5),
        ("info", "A"),
        ("extra", 1),
    ],
)
def test_a_slot_outside_the_format_is_refused_by_name(field: str, value: object) -> None:
    good = wrap_key(KEY, generate_private_key().public(), INFO).to_json()
    with pytest.raises(OrvaultError) as caught:
        KeySlot.from_json(good | {field: value})
    assert _kind(caught) is ErrorKind.ALTERED
    assert field in caught.value.message
    with pytest.raises(OrvaultError):
        KeySlot.from_json({name: good[name] for name in good if name != "aead"})


def test_a_password_always_gives_the_same_key_whatever_its_normal_form() -> None:
    composed = "가나다라 열 글자 이상"
    salt = bytes(16)
    one = private_key_from_password(composed, salt, CHEAP)
    assert private_key_from_password(unicodedata.normalize("NFD", composed), salt, CHEAP) == one
    assert private_key_from_password(composed + "!", salt, CHEAP) != one
    assert private_key_from_password(composed, bytes(15) + b"1", CHEAP) != one
    assert len(one.raw) == 96


def test_a_password_recipient_holds_nothing_that_opens() -> None:
    recipient = password_person()
    slot = wrap_key(KEY, recipient.public_key, INFO)
    assert recipient.password_salt is not None and recipient.argon2id is not None
    private = private_key_from_password(PASSWORD, recipient.password_salt, recipient.argon2id)
    assert unwrap_key(slot, private, INFO) == KEY
    assert PASSWORD not in str(recipient.to_json())
    assert Recipient.from_json(recipient.to_json()) == recipient
    by_key = Recipient("Court", generate_private_key().public())
    assert Recipient.from_json(by_key.to_json()) == by_key


def test_a_short_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(OrvaultError) as caught:
        password_recipient("Kim", "short-pw", CHEAP)
    assert _kind(caught) is ErrorKind.BAD_REQUEST
    assert "short-pw" not in str(caught.value)
    with pytest.raises(OrvaultError) as caught:
        password_recipient("Kim", "lone surrogate \ud800", CHEAP)
    assert _kind(caught) is ErrorKind.BAD_REQUEST


@pytest.mark.parametrize("change", [{"memory_kib": 1 << 30}, {"iterations": 0}, {"lanes": 100}])
def test_costs_outside_the_bounds_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(OrvaultError):
        Argon2idParams(**change)
    value = password_person().to_json()
    password = value["password"]
    assert isinstance(password, dict)
    with pytest.raises(OrvaultError) as caught:
        Recipient.from_json(value | {"password": password | change})
    assert _kind(caught) is ErrorKind.BAD_REQUEST


def test_a_commitment_fixes_key_and_context() -> None:
    one = key_commitment(KEY, b"a")
    assert len(one) == 32 and one == key_commitment(KEY, b"a")
    assert len({one, key_commitment(KEY, b"b"), key_commitment(bytes(32), b"a")}) == 3


def test_key_files_are_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "court.key"
    public = write_key_pair(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_public_key(public_path(path)) == public == read_private_key(path).public()
    before = path.read_bytes()
    with pytest.raises(OrvaultError) as caught:
        write_key_pair(path)
    assert _kind(caught) is ErrorKind.CONFLICT and path.read_bytes() == before
    assert not list(tmp_path.glob(".*"))
    for wrong in (public_path(path), Path(__file__)):
        with pytest.raises(OrvaultError) as caught:
            read_private_key(wrong)
        assert _kind(caught) is ErrorKind.BAD_REQUEST
    with pytest.raises(OrvaultError) as caught:
        read_private_key(tmp_path / "none")
    assert _kind(caught) is ErrorKind.NOT_FOUND


PASSPHRASE = "a long passphrase"


def test_the_key_store_gives_each_case_one_key_for_good(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert not KeyStore.exists(folder)
    store = KeyStore.create(folder, PASSPHRASE, CHEAP)
    assert KeyStore.exists(folder)
    one, two = store.new_case_key("case-1"), store.new_case_key("CASE-1")
    assert one != two and store.new_case_key("case-1") == one
    again = KeyStore.unlock(folder, PASSPHRASE)
    assert again.new_case_key("case-1") == one
    slot = wrap_key(KEY, one, INFO)
    assert unwrap_key(slot, again.private_key(one.thumbprint), INFO) == KEY
    late = store.new_case_key("case-2")
    assert again.private_key(late.thumbprint).public() == late
    with pytest.raises(OrvaultError) as caught:
        again.private_key("0" * 64)
    assert _kind(caught) is ErrorKind.KEY_MISSING
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.rglob("*.json"))
    assert not list(folder.rglob("*.part"))


def test_the_key_store_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    with pytest.raises(OrvaultError) as caught:
        KeyStore.unlock(folder, PASSPHRASE)
    assert _kind(caught) is ErrorKind.KEY_MISSING
    KeyStore.create(folder, PASSPHRASE, CHEAP)
    with pytest.raises(OrvaultError) as caught:
        KeyStore.unlock(folder, "another passphrase")
    assert _kind(caught) is ErrorKind.WRONG_PASSPHRASE
    with pytest.raises(OrvaultError) as caught:
        KeyStore.create(folder, PASSPHRASE, CHEAP)
    assert _kind(caught) is ErrorKind.CONFLICT
    with pytest.raises(OrvaultError) as caught:
        KeyStore.create(tmp_path / "other", "short")
    assert _kind(caught) is ErrorKind.BAD_REQUEST


def test_nothing_in_the_key_store_can_be_swapped(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    store = KeyStore.create(folder, PASSPHRASE, CHEAP)
    key = store.new_case_key("case-1")
    path = next((folder / "cases").glob("*.json"))
    good = path.read_bytes()
    foreign = KeyStore.create(tmp_path / "foreign", PASSPHRASE, CHEAP)
    foreign_key = foreign.new_case_key("case-1")
    path.write_bytes((tmp_path / "foreign" / "cases" / path.name).read_bytes())
    for attempt in (lambda: store.new_case_key("case-1"), lambda: store.private_key(foreign_key.thumbprint)):
        with pytest.raises(OrvaultError) as caught:
            attempt()
        assert _kind(caught) is ErrorKind.DAMAGED
    for at in range(0, len(good), 97):
        altered = bytearray(good)
        altered[at] ^= 1
        path.write_bytes(altered)
        with pytest.raises(OrvaultError):
            store.new_case_key("case-1")
    path.write_bytes(good)
    assert store.new_case_key("case-1") == key
    kek = folder / "ring.json"
    kek.write_bytes(kek.read_bytes().replace(b'"iterations":1', b'"iterations":2'))
    with pytest.raises(OrvaultError) as caught:
        KeyStore.unlock(folder, PASSPHRASE)
    assert _kind(caught) is ErrorKind.WRONG_PASSPHRASE


@pytest.mark.parametrize("case_id", ["", "../etc", "a/b", "x" * 200])
def test_a_case_id_that_is_none_gets_no_key(tmp_path: Path, case_id: str) -> None:
    store = KeyStore.create(tmp_path / "keys", PASSPHRASE, CHEAP)
    with pytest.raises(OrvaultError) as caught:
        store.new_case_key(case_id)
    assert _kind(caught) is ErrorKind.BAD_REQUEST
