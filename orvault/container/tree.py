"""Roots and proofs out of a Merkle tree of which complete subtrees are kept: O(log n) reads, however large it is.

Where leaves and nodes are kept is the caller's (`Subtrees`). The hashes and the checks are proof.py's.
Source: RFC 6962, section 2.1; docs/format/history-v1.md, 1.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orvault.container.proof import merkle_root, node_hash

BLOCK_LEVEL = 8
BLOCK = (
    1 << BLOCK_LEVEL
)  # leaves under the smallest node that is kept: appending a leaf writes no node, mostly


class Subtrees(Protocol):
    """The kept parts of a tree."""

    def leaves(self, begin: int, end: int) -> Sequence[bytes]:
        """The leaf hashes from `begin` up to, without, `end`, all of one block."""
        ...

    def node(self, level: int, index: int) -> bytes:
        """The hash over the 2^level leaves from index * 2^level on; level >= BLOCK_LEVEL."""
        ...


def root_at(tree: Subtrees, size: int) -> bytes:
    """The root of the tree's first `size` leaves."""
    return _hash(tree, 0, size)


def inclusion_path_at(tree: Subtrees, index: int, size: int) -> list[bytes]:
    """What proves leaf `index` under the root at `size` (RFC 6962 section 2.1.1), lowest first.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_hash(tree, middle, end))
            end = middle
        else:
            path.append(_hash(tree, begin, middle))
            begin = middle
    return path[::-1]


def consistency_path(tree: Subtrees, old_size: int, size: int) -> list[bytes]:
    """What proves that the tree at `size` begins with the one at `old_size` (RFC 6962 section 2.1.2).

    Raises:
        IndexError: the old tree is larger.
    """
    if not 0 <= old_size <= size:
        raise IndexError(f"a tree of {size} does not begin with one of {old_size}")
    if old_size in (0, size):
        return []
    path: list[bytes] = []
    begin, end = 0, size
    while end != old_size:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            path.append(_hash(tree, middle, end))
            end = middle
        else:
            path.append(_hash(tree, begin, middle))
            begin = middle
    if begin:  # else it is the old root, which the verifier has
        path.append(_hash(tree, begin, end))
    return path[::-1]


def nodes_of_block(tree: Subtrees, block: int) -> list[tuple[int, int, bytes]]:
    """The nodes that are complete once block number `block` is: (level, index, hash), the lowest first.

    All blocks before it have theirs already.
    """
    level, index = BLOCK_LEVEL, block
    node = merkle_root(tree.leaves(block * BLOCK, (block + 1) * BLOCK))
    nodes = [(level, index, node)]
    while index % 2:
        node = node_hash(tree.node(level, index - 1), node)
        level, index = level + 1, index // 2
        nodes.append((level, index, node))
    return nodes


def _hash(tree: Subtrees, begin: int, end: int) -> bytes:
    """The tree hash of the leaves from `begin`, which is where a subtree of this size can begin, up to `end`."""
    size = end - begin
    if size >= BLOCK and size & (size - 1) == 0:
        return tree.node(size.bit_length() - 1, begin // size)
    if size <= BLOCK:
        return merkle_root(tree.leaves(begin, end))
    middle = begin + _split(size)
    return node_hash(_hash(tree, begin, middle), _hash(tree, middle, end))


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
