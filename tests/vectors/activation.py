"""Packages that ask for activation: opened with the hospital's share, with a wrong one, and without any."""

from __future__ import annotations

import json

from orvault.container.activation import (
    Activation,
    ActivationAnswer,
    ActivationRequest,
    joined_key,
    proof_key,
)
from tests.vectors.packages import build
from tests.vectors.world import Vectors, noise, private_key

ADDRESS = Activation("https://127.0.0.1:9", noise("activation's authority", 40))
HALF, SHARE = noise("recipients' half", 32), noise("hospital's share", 32)
PACKAGE_ID = "pkg-vector"


def add_activated(vectors: Vectors) -> None:
    """One package three ways, and what is derived from two halves."""
    data, share = _built()
    file = vectors.file("activation/good.orvault", data)
    for name, given, expected, words, about in (
        ("good", share, "genuine", "", "nothing"),
        ("wrong-share", SHARE, "altered", "another key than was signed", "the share is another package's"),
        ("not-asked", None, "not-activated", "opens only after its hospital was asked", "nobody asks"),
    ):
        told = None if given is None else given.hex()
        vectors.add(f"activation/{name}", "activation", expected, words, about, file=file, share=told)
    vectors.file("activation/keys.json", (json.dumps(_derived(), indent=1) + "\n").encode())


def _built() -> tuple[bytes, bytes]:
    shares: list[bytes] = []
    built = build("activation", activation=ADDRESS, kept=shares.append)
    return built.data, shares[0]


def _derived() -> dict[str, object]:
    ephemeral = private_key("ephemeral")
    request = ActivationRequest.make(PACKAGE_ID, ephemeral.public(), HALF)
    answer = ActivationAnswer.make(request, SHARE, 1_800_000_000_000_000, 3)
    return {
        "package_id": PACKAGE_ID,
        "half": HALF.hex(),
        "share": SHARE.hex(),
        "package_key": joined_key(HALF, SHARE, PACKAGE_ID).hex(),
        "proof_key": proof_key(HALF, PACKAGE_ID).hex(),
        "ephemeral_private_key": {"kem": str(ephemeral.kem), "raw": ephemeral.raw.hex()},
        "request": request.to_json(),
        "request_digest": request.digest,
        "answer": answer.to_json(),
    }
