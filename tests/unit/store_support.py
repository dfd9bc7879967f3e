"""A chain of three segments, and where it is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orvault.clock import FakeClock
from orvault.container.keys import Kem, PrivateKey, generate_private_key
from orvault.container.segment import (
    SealedSegment,
    SegmentMeta,
    SegmentSigner,
    seal_content,
)
from orvault.container.trust import create_root, issue
from tests.unit.container_support import hospital

META = SegmentMeta("run-1.000000", "node-1", "case-1", "cam-1", "run-1", 0, 1, 10, 20, "h264", 320, 240, 30)
RUN = ("case-1", "cam-1", "run-1")
NODE = hospital()[2]


@pytest.fixture(scope="module")
def case_key() -> PrivateKey:
    return generate_private_key(Kem.X25519)


@pytest.fixture(scope="module")
def sealed(case_key: PrivateKey) -> list[SealedSegment]:
    """A chain of three."""
    clock = FakeClock()
    signer = SegmentSigner(issue(create_root("hospital", clock), "node-1", "node", clock, 30))
    chain: list[SealedSegment] = []
    for number in range(3):
        meta = replace(
            META,
            segment_id=f"run-1.{number:06d}",
            sequence=number,
            start_us=10 + 10 * number,
            end_us=20 + 10 * number,
        )
        previous = chain[-1].digest if chain else ""
        content = seal_content(meta, b"fragment %d" % number * 1000, case_key.public())
        chain.append(signer.sign(content, previous))
    return chain


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def everything_below(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
