"""What others published for the algorithms under the formats, run through the very calls that the product makes.

The vectors come with `cryptography-vectors`, a package of its own: HPKE (RFC 9180, and the hybrid's draft), AES-GCM
(NIST CAVP), HKDF (RFC 5869) and Argon2id. Wycheproof's are in test_wycheproof.py.
HPKE's published ciphertexts carry associated data, which the public call does not take and the product does not use:
these tests go through the library's private `_decrypt_with_aad`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryptography
import cryptography_vectors
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.container.keys import Argon2idParams, Kem, PrivateKey, PublicKey, derive
from orvault.container.slots import _suite
from orvault.container.wire import stream_cipher
from orvault.errors import OrvaultError

VECTORS = Path(cryptography_vectors.__file__).parent
TAG_BYTES = 16


def hpke_vectors(file: str, kem: Kem, aead: int) -> list[dict[str, Any]]:
    """Those in base mode of this KEM with HKDF-SHA-256 and this AEAD."""
    wanted = (0, kem.iana_id, 1, aead)
    found = json.loads((VECTORS / "HPKE" / file).read_text())
    return [v for v in found if (v["mode"], v["kem_id"], v["kdf_id"], v["aead_id"]) == wanted]


def test_the_vectors_are_those_of_the_library() -> None:
    assert cryptography_vectors.__version__ == cryptography.__version__


def opened(suite: hpke.Suite, private: PrivateKey, vector: dict[str, Any], first: dict[str, str]) -> bytes:
    sealed = bytes.fromhex(vector["enc"] + first["ct"])
    decrypt: Any = openssl.hpke._decrypt_with_aad
    info, aad = bytes.fromhex(vector["info"]), bytes.fromhex(first["aad"])
    return bytes(decrypt(suite, sealed, private._loaded(), info, aad))


def test_our_suite_with_x25519_opens_what_rfc_9180_sealed() -> None:
    (vector,) = hpke_vectors("test-vectors.json", Kem.X25519, 2)
    private = PrivateKey(Kem.X25519, bytes.fromhex(vector["skRm"]))
    assert private.public() == PublicKey(Kem.X25519, bytes.fromhex(vector["pkRm"]))
    # A single-shot ciphertext is the first of a context.
    first = vector["encryptions"][0]
    assert opened(_suite(Kem.X25519), private, vector, first).hex() == first["pt"]
    with pytest.raises(InvalidTag):
        opened(_suite(Kem.X25519), private, vector, first | {"aad": ""})


def test_the_hybrid_opens_what_its_draft_sealed() -> None:
    # Published with ChaCha20-Poly1305 only: KEM and key schedule are ours, the AEAD is not.
    (vector,) = hpke_vectors("hpke-pq-test-vectors.json", Kem.MLKEM768_X25519, 3)
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    private = hybrid_key(bytes.fromhex(vector["skRm"]))
    assert private.public().raw.hex() == vector["pkRm"]
    first = vector["encryptions"][0]
    assert opened(suite, private, vector, first) == bytes.fromhex(first["pt"])
    assert _suite(Kem.MLKEM768_X25519) != suite


def hybrid_key(seed: bytes) -> PrivateKey:
    """The draft keeps 32 bytes and stretches them; ours keeps the 96 (ML-KEM's seed, then X25519's key)."""
    return PrivateKey(Kem.MLKEM768_X25519, hashlib.shake_256(seed).digest(96))


def gcm_vectors(file: str) -> Iterator[dict[str, Any]]:
    """NIST's responses with the lengths of our streams: 96-bit nonce, 128-bit tag."""
    lengths: dict[str, int] = {}
    for block in (VECTORS / "ciphers/AES/GCM" / file).read_text().split("\n\n"):
        lengths |= {
            name: int(value) for name, value in re.findall(r"^\[(\w+) = (\d+)\]", block, re.MULTILINE)
        }
        fields = dict(re.findall(r"^(\w+) = ?(\w*)$", block, re.MULTILINE))
        if "Key" in fields and (lengths["IVlen"], lengths["Taglen"]) == (96, 128):
            yield {name: bytes.fromhex(value) for name, value in fields.items() if name != "Count"} | {
                "fails": bool(re.search(r"^FAIL", block, re.MULTILINE))
            }


def test_aes_256_gcm_seals_as_nist_says() -> None:
    count = 0
    for vector in gcm_vectors("gcmEncryptExtIV256.rsp"):
        target = bytearray(len(vector["PT"]) + TAG_BYTES)
        AESGCM(vector["Key"]).encrypt_into(vector["IV"], vector["PT"], vector["AAD"], target)
        assert target == vector["CT"] + vector["Tag"]
        count += 1
    assert count == 375


def test_aes_256_gcm_opens_and_refuses_as_nist_says() -> None:
    seen: Counter[bool] = Counter()
    for vector in gcm_vectors("gcmDecrypt256.rsp"):
        cipher, target = AESGCM(vector["Key"]), bytearray(len(vector["CT"]))
        sealed = vector["CT"] + vector["Tag"]
        if vector["fails"]:
            with pytest.raises(InvalidTag):
                cipher.decrypt_into(vector["IV"], sealed, vector["AAD"], target)
        else:
            cipher.decrypt_into(vector["IV"], sealed, vector["AAD"], target)
            assert target == vector["PT"]
        seen[vector["fails"]] += 1
    assert seen[True] > 100 and seen[False] > 100


def test_hkdf_derives_as_rfc_5869_says() -> None:
    text = (VECTORS / "KDF/rfc-5869-HKDF-SHA256.txt").read_text()
    cases = [dict(re.findall(r"^(\w+) *= *(\w*)$", part, re.MULTILINE)) for part in text.split("COUNT")[1:]]
    assert len(cases) == 3
    for case in cases:
        info, salt = bytes.fromhex(case["info"]), bytes.fromhex(case["salt"])
        hkdf = HKDF(algorithm=SHA256(), length=int(case["L"]), salt=salt, info=info)
        assert hkdf.derive(bytes.fromhex(case["IKM"])).hex() == case["OKM"]


def test_passwords_become_keys_as_argon2id_says() -> None:
    text = (VECTORS / "KDF/argon2id.txt").read_text()
    tried = 0
    for part in text.split("COUNT")[1:]:
        case = dict(re.findall(r"^(\w+) *= *(\w*)$", part, re.MULTILINE))
        try:
            params = Argon2idParams(int(case["memcost"]), int(case["iter"]), int(case["lanes"]))
        except OrvaultError:
            continue  # cheaper than a reader may accept
        if "secret" in case or "ad" in case:
            continue  # the product uses neither
        password, salt = bytes.fromhex(case["pass"]).decode(), bytes.fromhex(case["salt"])
        assert derive(password, salt, params, int(case["length"])).hex() == case["output"]
        tried += 1
    assert tried


def test_a_streams_cipher_is_hkdf_and_aes_gcm_and_nothing_else() -> None:
    key, salt, aad, nonce = bytes(range(32)), bytes(32), b"what it is", bytes(12)
    derived = HKDF(algorithm=SHA256(), length=32, salt=salt, info=aad).derive(key)
    assert stream_cipher(key, salt, aad).encrypt(nonce, b"x", None) == AESGCM(derived).encrypt(
        nonce, b"x", None
    )
