"""What ties a package's sealed parts to it and to each other: contexts, associated data, Merkle roots.

Source: docs/format/package-v1.md, 2.3, 2.4, 3.1 and 4.1.
"""

from __future__ import annotations

from orvault.container.proof import HASH_BYTES, leaf_hash, merkle_root

PACKAGE_CONTEXT = b"orvault/package/v1\n"
SLOT_CONTEXT = b"orvault/package-key/v1\n"
MANIFEST_CHUNK_BYTES = 1 << 16


def commitment_context(package_id: str) -> bytes:
    """Context of the package key's commitment (package-v1, 2.4)."""
    return PACKAGE_CONTEXT + package_id.encode("ascii")


def package_slot_info(package_id: str) -> bytes:
    """HPKE info of a package key's slot (package-v1, 3.1)."""
    return SLOT_CONTEXT + package_id.encode("ascii")


def associated_data(package_id: str, entry: str) -> bytes:
    """Associated data of a sealed entry (package-v1, 4.1): with it each entry has a key of its own."""
    return PACKAGE_CONTEXT + package_id.encode("ascii") + b"\n" + entry.encode("ascii")


def root_of_leaves(leaves: bytes) -> str:
    """Merkle root (hexadecimal) over a leaves file: 32 bytes per chunk (package-v1, 2.3)."""
    return merkle_root(
        [leaf_hash(leaves[i : i + HASH_BYTES]) for i in range(0, len(leaves), HASH_BYTES)]
    ).hex()
