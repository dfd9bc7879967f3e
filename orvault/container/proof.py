"""Merkle tree hashing and inclusion proofs as of RFC 6962 section 2.1, over SHA-256.

Used for the chunks of a package's media and for the entries of the history log; knows nothing of either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.constant_time import bytes_eq

HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(00 || data). The prefix keeps a leaf from passing for a node (second preimages)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right) of two 32-byte hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def merkle_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The tree hash over hashes made by `leaf_hash`; that of the empty list is SHA-256 of nothing.

    Works level by level: an odd last node moves up as it is, which gives RFC 6962's tree (split at the
    largest power of two) without recursion.
    """
    level = list(leaf_hashes)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings from leaf `index` up to the root, lowest first (RFC 6962 section 2.1.1).

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaf_hashes):
        raise IndexError(f"no leaf {index} in a tree of {len(leaf_hashes)}")
    path: list[bytes] = []
    level = list(leaf_hashes)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _next_level(level)
        index //= 2
    return path


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` (a leaf hash) is number `index` of the `size` leaves under `root`. Never raises.

    Follows the check of RFC 9162 section 2.1.3.2, which is defined over the same tree.
    """
    if not 0 <= index < size or any(len(step) != HASH_BYTES for step in path):
        return False
    position, last, current = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False  # the path is longer than the tree is high
        if position % 2 or position == last:
            current = node_hash(step, current)
            while position % 2 == 0 and position:
                position //= 2
                last //= 2
        else:
            current = node_hash(current, step)
        position //= 2
        last //= 2
    return last == 0 and bytes_eq(current, root)


def _next_level(level: list[bytes]) -> list[bytes]:
    pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + level[len(level) - len(level) % 2 :]
