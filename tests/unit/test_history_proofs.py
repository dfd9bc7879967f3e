"""Roots and proofs out of a kept tree, and signed notes, against published values and the definitions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from orvault.clock import US_PER_S
from orvault.container.checkpoint import Checkpoint, CheckpointCheck, HistoryTrust, log_key, sign_checkpoint
from orvault.container.note import COSIGNATURE, ED25519, NoteKey, parse_note, sign_line
from orvault.container.proof import (
    GrowingRoot,
    inclusion_path,
    leaf_hash,
    merkle_root,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from orvault.container.tree import (
    BLOCK,
    BLOCK_LEVEL,
    consistency_path,
    inclusion_path_at,
    nodes_of_block,
    root_at,
)
from orvault.errors import ErrorKind, OrvaultError

from .container_support import NOW_US, hospital
from .test_container_proof import LEAVES, ROOTS

CT = [leaf_hash(leaf) for leaf in LEAVES]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
E = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"


class Kept:
    """A tree whose nodes were put away block by block, as the ledger does it; counts what is read of it."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves
        self._nodes: dict[tuple[int, int], bytes] = {}
        self.reads = 0
        for block in range(len(leaves) // BLOCK):
            for level, index, node in nodes_of_block(self, block):
                assert (level, index) not in self._nodes
                self._nodes[level, index] = node
        self.reads = 0

    def leaves(self, begin: int, end: int) -> Sequence[bytes]:
        assert 0 <= begin < end <= len(self._leaves) or begin == end
        assert end - begin <= BLOCK and begin // BLOCK == max(begin, end - 1) // BLOCK
        return self._leaves[begin:end]

    def node(self, level: int, index: int) -> bytes:
        assert level >= BLOCK_LEVEL
        self.reads += 1
        return self._nodes[level, index]


def _leaves(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


MANY = _leaves(5 * BLOCK + 77)
KEPT = Kept(MANY)


def _proof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2, as it is written."""
    if m == len(leaves):
        return [] if whole else [merkle_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*_proof(m, leaves[:k], whole), merkle_root(leaves[k:])]
    return [*_proof(m - k, leaves[k:], False), merkle_root(leaves[:k])]


@pytest.mark.parametrize(
    ("old", "new", "path"), [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, D, ROOTS[4]]), (2, 5, [B, E])]
)
def test_consistency_is_that_of_certificate_transparency(old: int, new: int, path: list[str]) -> None:
    steps = [bytes.fromhex(step) for step in path]
    assert consistency_path(Kept(CT), old, new) == steps
    assert verify_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), steps)


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [(0, 8, [A, B, C]), (5, 8, [E, D, ROOTS[4]]), (2, 3, [ROOTS[2]]), (1, 5, [ROOTS[1], B, E])],
)
def test_inclusion_is_that_of_certificate_transparency(index: int, size: int, path: list[str]) -> None:
    assert [step.hex() for step in inclusion_path_at(Kept(CT), index, size)] == path


@given(st.integers(0, len(MANY)))
@settings(max_examples=60, deadline=None)
def test_roots_out_of_kept_nodes_are_the_defined_ones(size: int) -> None:
    assert root_at(KEPT, size) == merkle_root(MANY[:size])


def test_a_growing_root_is_right_at_every_size() -> None:
    growing = GrowingRoot()
    for size in range(300):
        assert (growing.size, growing.root()) == (size, merkle_root(MANY[:size]))
        growing.append(MANY[size])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_inclusion_out_of_kept_nodes(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(MANY)))
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path_at(KEPT, index, size)
    assert path == inclusion_path(MANY[:size], index)
    assert verify_inclusion(MANY[index], index, size, path, merkle_root(MANY[:size]))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_consistency_out_of_kept_nodes_and_nothing_else_passes(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, len(MANY)))
    old = data.draw(st.integers(1, new))
    path, old_root, new_root = (
        consistency_path(KEPT, old, new),
        merkle_root(MANY[:old]),
        merkle_root(MANY[:new]),
    )
    assert path == _proof(old, MANY[:new], True)
    assert verify_consistency(old, old_root, new, new_root, path)
    assert not verify_consistency(old, leaf_hash(b"other"), new, new_root, path)
    assert not verify_consistency(old, old_root, new, leaf_hash(b"other"), path)
    assert not verify_consistency(old, old_root, new, new_root, [*path, new_root])
    if path:
        assert not verify_consistency(old, old_root, new, new_root, path[:-1])
        assert not verify_consistency(old, old_root, new, new_root, [leaf_hash(b"x"), *path[1:]])
    if old > 1:
        assert not verify_consistency(old - 1, old_root, new, new_root, path)


def test_odd_sizes_are_refused_without_an_exception() -> None:
    root = merkle_root(MANY[:3])
    assert verify_consistency(0, b"", 3, root, []) and not verify_consistency(0, b"", 3, root, [root])
    assert not verify_consistency(4, root, 3, root, []) and not verify_consistency(-1, root, 3, root, [])
    assert not verify_consistency(1, root, 3, root, [b"short"]) and not verify_consistency(
        2, root, 3, root, []
    )
    with pytest.raises(IndexError):
        consistency_path(KEPT, 4, 3)
    with pytest.raises(IndexError):
        inclusion_path_at(KEPT, 3, 3)


def test_a_proof_reads_little_of_a_large_tree() -> None:
    """2^40 entries: made up, since only what is read has to be there."""

    class Endless:
        reads = 0

        def leaves(self, begin: int, end: int) -> Sequence[bytes]:
            self.reads += 1
            return [leaf_hash(b"")] * (end - begin)

        def node(self, level: int, index: int) -> bytes:
            self.reads += 1
            return node_hash(bytes([level]) * 32, index.to_bytes(32, "big"))

    tree = Endless()
    inclusion_path_at(tree, 2**39 + 5, 2**40 + 77)
    consistency_path(tree, 2**39 + 5, 2**40 + 77)
    assert tree.reads < 200


# ---- signed notes


PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PROBLEM = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\N{EM DASH} PeterNeumann"
    " x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_SUM = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
BEHIND_THE_SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\N{EM DASH} example.com/behind-the-sofa"
    " Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\N{EM DASH} witness.example.com/w1"
    " jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_published_notes_and_keys_are_read_and_verified() -> None:
    key = NoteKey.parse(PETER)
    note = parse_note(PROBLEM)
    assert (key.text, note.whole) == (PETER, PROBLEM)
    assert note.signed_at(key) == 0
    assert NoteKey.parse(GO_SUM).text == GO_SUM
    assert note.signed_at(NoteKey.parse(GO_SUM)) is None
    with pytest.raises(OrvaultError, match="does not hold"):
        parse_note(PROBLEM.replace("answer", "question")).signed_at(key)


def test_the_published_checkpoint_is_read() -> None:
    checkpoint = Checkpoint.parse(BEHIND_THE_SOFA)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.whole == BEHIND_THE_SOFA
    log, witness = checkpoint.note.signatures
    assert (log.name, len(log.data), len(witness.data)) == ("example.com/behind-the-sofa", 64, 72)
    assert int.from_bytes(witness.data[:8], "big") == 1679315147


def test_a_cosignature_covers_its_time() -> None:
    private = Ed25519PrivateKey.generate()
    key = NoteKey("witness.example/w", COSIGNATURE, private.public_key().public_bytes_raw())
    note = parse_note(PROBLEM)
    signed = note.also(sign_line(note.text, key, private, 1_700_000_000))
    assert parse_note(signed.whole).signed_at(NoteKey.parse(key.text)) == 1_700_000_000
    line = signed.signatures[1]
    later = type(line)(line.name, line.key_id, (1_700_000_001).to_bytes(8, "big") + line.data[8:])
    with pytest.raises(OrvaultError, match="does not hold"):
        note.also(later).signed_at(key)
    assert len(signed.also(sign_line(note.text, key, private, 1_700_000_009)).signatures) == 2


@pytest.mark.parametrize(
    "text",
    ["", "\n", "a\n", "a\n\n", "a\n\n- x AAAAAAAA\n", "a\n\n\N{EM DASH} x AAAAAAAA", "a\n\n\N{EM DASH} x AAAA\n",
     "a\n\n\N{EM DASH} x\tAAAAAAAA\n", "a\r\n\n\N{EM DASH} x AAAAAAAA\n", "a\n\n\N{EM DASH} x+ AAAAAAAA\n",
     "a\n\n" + "\N{EM DASH} x AAAAAAAA\n" * 17, "a" * 20_000 + "\n\n\N{EM DASH} x AAAAAAAA\n"],
)  # fmt: skip
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        parse_note(text)
    assert caught.value.kind is ErrorKind.ALTERED


@given(st.text(max_size=300))
def test_nothing_but_our_own_error_leaves_the_readers(text: str) -> None:
    for read in (parse_note, Checkpoint.parse, NoteKey.parse):
        try:
            read(text)
        except OrvaultError:
            continue


@pytest.mark.parametrize("size", ["01", "-1", "+1", "1.0", " 1", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 17, ""])
def test_a_size_has_one_spelling(size: str) -> None:
    with pytest.raises(OrvaultError):
        Checkpoint.parse(BEHIND_THE_SOFA.replace("20852163", size))


def test_who_may_sign_checkpoints() -> None:
    root, server, node = hospital()
    stranger, strange_server, _ = hospital("Other")
    trust = HistoryTrust((root.certificate_der,))
    chains = [(each.certificate_der, *each.chain_ders) for each in (server, node, strange_server)]
    check = CheckpointCheck(trust, chains)

    def signed(by: object = server, origin: str = trust.origin) -> Checkpoint:
        return sign_checkpoint(origin, 3, merkle_root(CT[:3]), log_key(origin, by.certificate_der), by)  # type: ignore[attr-defined]

    good = Checkpoint.parse(signed().whole)
    check.check(good, NOW_US)
    check.check(good, NOW_US - US_PER_S)
    other_origin = HistoryTrust((stranger.certificate_der,)).origin
    refused = [
        (signed(node), ErrorKind.UNTRUSTED),
        (signed(strange_server), ErrorKind.UNTRUSTED),
        (signed(root), ErrorKind.UNTRUSTED),
        (signed(server, other_origin), ErrorKind.ALTERED),
        (Checkpoint.parse(good.whole.replace("\n3\n", "\n4\n")), ErrorKind.ALTERED),
    ]
    for checkpoint, kind in refused:
        with pytest.raises(OrvaultError) as caught:
            check.check(checkpoint, NOW_US)
        assert caught.value.kind is kind
    with pytest.raises(OrvaultError, match="not valid"):
        check.check(good, 0)
    assert log_key(trust.origin, server.certificate_der).kind == ED25519
