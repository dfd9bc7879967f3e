"""Merkle proofs against the test vectors of Certificate Transparency and an independent recursive definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.container.proof import inclusion_path, leaf_hash, merkle_root, node_hash, verify_inclusion

LEAVES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
LEAVES.append(bytes(range(0x60, 0x70)))
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert merkle_root([leaf_hash(leaf) for leaf in LEAVES[:size]]).hex() == ROOTS[size]


def _recursive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1 as it is written."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(_recursive_root(leaves[:split]), _recursive_root(leaves[split:]))


@given(st.integers(1, 70))
def test_every_leaf_proves_itself_and_no_other(size: int) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    root = merkle_root(leaves)
    assert root == _recursive_root(leaves)
    for index, leaf in enumerate(leaves):
        path = inclusion_path(leaves, index)
        assert verify_inclusion(leaf, index, size, path, root)
        assert not verify_inclusion(leaf_hash(b"other"), index, size, path, root)
        assert not verify_inclusion(leaf, (index + 1) % size, size, path, root) or size == 1
        assert not verify_inclusion(leaf, index, size, [*path, root], root)
        if path:
            assert not verify_inclusion(leaf, index, size, path[:-1], root)


def test_nonsense_is_refused_without_an_exception() -> None:
    leaf = leaf_hash(b"x")
    assert not verify_inclusion(leaf, 0, 0, [], leaf)
    assert not verify_inclusion(leaf, -1, 1, [], leaf)
    assert not verify_inclusion(leaf, 0, 2, [b"short"], leaf)
    with pytest.raises(IndexError):
        inclusion_path([leaf], 1)
