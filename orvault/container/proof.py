"""Merkle tree hashing, inclusion and consistency proofs as of RFC 6962 section 2.1, over SHA-256.

Used for the chunks of a package's media and for the entries of the history log; knows nothing of either. Proofs
out of a tree that is too large to hold are tree.py's.
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


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the tree of `new_size` leaves begins with the `old_size` leaves under `old_root`. Never raises.

    Follows the check of RFC 9162 section 2.1.4.2. Everything is consistent with the empty tree, by an empty path.
    """
    if not 0 <= old_size <= new_size or any(len(step) != HASH_BYTES for step in path):
        return False
    if old_size in (0, new_size):
        return not path and (old_size == 0 or bytes_eq(old_root, new_root))
    steps = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not steps:
        return False
    position, last = old_size - 1, new_size - 1
    while position % 2:
        position, last = position // 2, last // 2
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False  # the path is longer than the tree is high
        if position % 2 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while position % 2 == 0 and position:
                position, last = position // 2, last // 2
        else:
            new = node_hash(new, step)
        position, last = position // 2, last // 2
    return last == 0 and bytes_eq(old, old_root) and bytes_eq(new, new_root)


class GrowingRoot:
    """The root of a tree that leaf after leaf is added to, in memory that grows with its height alone."""

    def __init__(self) -> None:
        self.size = 0
        self._right_edge: list[tuple[int, bytes]] = []  # complete subtrees, the highest first: (level, hash)

    def append(self, leaf: bytes) -> None:
        """Add one more leaf (a leaf hash)."""
        level, node = 0, leaf
        while self._right_edge and self._right_edge[-1][0] == level:
            node = node_hash(self._right_edge.pop()[1], node)
            level += 1
        self._right_edge.append((level, node))
        self.size += 1

    def root(self) -> bytes:
        """The tree hash of the leaves so far."""
        hashes = [node for _, node in self._right_edge]
        if not hashes:
            return merkle_root([])
        root = hashes.pop()
        while hashes:
            root = node_hash(hashes.pop(), root)
        return root


def _next_level(level: list[bytes]) -> list[bytes]:
    pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + level[len(level) - len(level) % 2 :]
