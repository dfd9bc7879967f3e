"""What a segment says of itself in clear: the fields, their limits, and how they are written.

Signing, sealing and opening are segment.py's, whose names are public.
Source: docs/format/segment-v1.md section 3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from orvault.container.canonical import Fields
from orvault.container.wire import MAX_CHUNK_BYTES, MIN_CHUNK_BYTES

FORMAT = "orvault-segment"
MAX_PLAINTEXT_BYTES = 1 << 30
MAX_DIMENSION = 16_384
MAX_FRAMES = 1_000_000
CODECS = ("h264", "hevc")


@dataclass(frozen=True)
class SegmentMeta:
    """Which stretch of which recording this is.

    Times are UTC microseconds; `sequence` counts from 0 in a run.
    """

    segment_id: str
    node_id: str
    case_id: str
    camera_id: str
    run_id: str
    sequence: int
    epoch: int
    start_us: int
    end_us: int
    codec: str
    width: int
    height: int
    frames: int

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return asdict(self)

    @classmethod
    def read(cls, fields: Fields) -> SegmentMeta:
        """Check every field; raises with the kind of `fields`."""
        meta = cls(
            **{
                name: fields.identifier(name)
                for name in ("segment_id", "node_id", "case_id", "camera_id", "run_id")
            },
            sequence=fields.integer("sequence"),
            epoch=fields.integer("epoch"),
            start_us=fields.integer("start_us"),
            end_us=fields.integer("end_us"),
            codec=fields.text("codec", 16),
            width=fields.integer("width", 1, MAX_DIMENSION),
            height=fields.integer("height", 1, MAX_DIMENSION),
            frames=fields.integer("frames", 1, MAX_FRAMES),
        )
        fields.end()
        if meta.codec not in CODECS:
            raise fields.fail("codec", f"is not one of {', '.join(CODECS)}")
        if meta.end_us < meta.start_us:
            raise fields.fail("end_us", "lies before start_us")
        return meta


@dataclass(frozen=True)
class SegmentHeader:
    """What a segment says in clear and its node signed (segment-v1, section 3). Digests are hexadecimal."""

    meta: SegmentMeta
    previous: str
    key_commitment: str
    ciphertext_sha256: str
    plaintext_bytes: int
    chunk_bytes: int
    node_certificate: str
    key_thumbprint: str

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return asdict(self) | {"format": FORMAT, "version": 1}

    @classmethod
    def read(cls, fields: Fields) -> SegmentHeader:
        """Check every field; raises with the kind of `fields`."""
        fields.constant("format", FORMAT)
        fields.constant("version", 1)
        header = cls(
            meta=SegmentMeta.read(fields.child("meta")),
            previous=fields.digest("previous", empty=True),
            key_commitment=fields.digest("key_commitment"),
            ciphertext_sha256=fields.digest("ciphertext_sha256"),
            plaintext_bytes=fields.integer("plaintext_bytes", 1, MAX_PLAINTEXT_BYTES),
            chunk_bytes=fields.integer("chunk_bytes", MIN_CHUNK_BYTES, MAX_CHUNK_BYTES),
            node_certificate=fields.digest("node_certificate"),
            key_thumbprint=fields.digest("key_thumbprint"),
        )
        fields.end()
        if (header.meta.sequence == 0) != (header.previous == ""):
            raise fields.fail("previous", "must be empty for the first segment of a run and for no other")
        return header

    @classmethod
    def from_json(cls, value: object) -> SegmentHeader:
        """What `to_json` made, for example out of the ledger; ALTERED if it is anything else."""
        return cls.read(Fields(value, "segment header"))

    @property
    def where(self) -> str:
        """How errors name this segment."""
        return f"segment {self.meta.segment_id}"
