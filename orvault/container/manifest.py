"""The sealed part of a package's papers: terms, recipients, and where the pictures came from.

Sealing, signature and the agreement with the label are package_writer.py's and package_reader.py's.
Source: docs/format/package-v1.md, 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.chosen import ToldChoice
from orvault.container.happened import Happened, read_events
from orvault.container.history import HistoryProof

MANIFEST_TYPE = "application/vnd.orvault.manifest.v1+json"
MICRO = 1_000_000
MAX_SOURCES = 1 << 20
MAX_GAPS = 1 << 16
MAX_RECIPIENTS = 64
MAX_TERMS_CHARS = 100_000
MAX_DIMENSION = 16_384
CHOICE = "masking_choice"  # there only where one was made
EVENTS = "events"  # there only where any are told
OVERLAY = "overlay"  # there only where none is wanted
UTC_OFFSET, LARGEST_OFFSET_MIN = "utc_offset_min", 14 * 60


@dataclass(frozen=True)
class PackageTerms:
    """On what terms a package was made. Times are UTC microseconds; from `not_after_us` on it is expired.

    `overlay`: who watches is drawn over the pictures. `utc_offset_min`: the operating room's clock; None: not known.
    """

    package_id: str
    request_id: str
    case_id: str
    purpose: str
    legal_basis: str
    recipients: tuple[str, ...]
    terms_text: str
    masking: str
    watermark: str
    not_before_us: int
    not_after_us: int
    issued_us: int
    masking_choice: ToldChoice | None = None
    events: tuple[Happened, ...] = field(default=(), repr=False)
    overlay: bool = True
    utc_offset_min: int | None = None

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        more: dict[str, object] = {}
        if self.masking_choice is not None:
            more[CHOICE] = self.masking_choice.to_json()
        if self.events:
            more[EVENTS] = [event.to_json() for event in self.events]
        if not self.overlay:
            more[OVERLAY] = False
        if self.utc_offset_min is not None:
            more[UTC_OFFSET] = self.utc_offset_min
        return more | {
            "case_id": self.case_id,
            "issued_us": self.issued_us,
            "legal_basis": self.legal_basis,
            "masking": self.masking,
            "not_after_us": self.not_after_us,
            "not_before_us": self.not_before_us,
            "package_id": self.package_id,
            "purpose": self.purpose,
            "recipients": list(self.recipients),
            "request_id": self.request_id,
            "terms_text": self.terms_text,
            "watermark": self.watermark,
        }

    @classmethod
    def read(cls, fields: Fields) -> PackageTerms:
        """Check every field; raises with the kind of `fields`."""
        terms = cls(
            package_id=fields.identifier("package_id"),
            request_id=fields.identifier("request_id"),
            case_id=fields.identifier("case_id"),
            purpose=fields.text("purpose", 2000, lines=True),
            legal_basis=fields.text("legal_basis", 2000, lines=True),
            recipients=fields.texts("recipients", 1, MAX_RECIPIENTS),
            terms_text=fields.text("terms_text", MAX_TERMS_CHARS, lines=True),
            masking=fields.text("masking", 200),
            watermark=fields.text("watermark", 500),
            not_before_us=fields.integer("not_before_us"),
            not_after_us=fields.integer("not_after_us"),
            issued_us=fields.integer("issued_us"),
            masking_choice=ToldChoice.read(fields.child(CHOICE)) if fields.has(CHOICE) else None,
            events=read_events(fields, EVENTS) if fields.has(EVENTS) else (),
            overlay=not fields.has(OVERLAY),
            utc_offset_min=fields.integer(UTC_OFFSET, -LARGEST_OFFSET_MIN, LARGEST_OFFSET_MIN)
            if fields.has(UTC_OFFSET)
            else None,
        )
        if not terms.overlay:
            fields.constant(OVERLAY, False)
        fields.end()
        if not terms.not_before_us < terms.not_after_us:
            raise fields.fail("not_after_us", "does not lie after not_before_us")
        return terms


@dataclass(frozen=True)
class MediaInfo:
    """One camera's video in a package. Times are UTC microseconds; `gaps` are stretches without pictures.

    Each of `sources` names at least `segment_id` and `digest` of a sealed segment the pictures came from.
    """

    camera_id: str
    title: str
    width: int
    height: int
    fps: float
    frames: int
    start_us: int
    end_us: int
    gaps: tuple[tuple[int, int], ...] = ()
    sources: tuple[Mapping[str, object], ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {
            "camera_id": self.camera_id,
            "end_us": self.end_us,
            "fps_micro": round(self.fps * MICRO),
            "frames": self.frames,
            "gaps": [list(gap) for gap in self.gaps],
            "height": self.height,
            "sources": [dict(source) for source in self.sources],
            "start_us": self.start_us,
            "title": self.title,
            "width": self.width,
        }

    @classmethod
    def read(cls, fields: Fields) -> MediaInfo:
        """Check every field; raises with the kind of `fields`."""
        info = cls(
            camera_id=fields.identifier("camera_id"),
            title=fields.text("title", 200),
            width=fields.integer("width", 1, MAX_DIMENSION),
            height=fields.integer("height", 1, MAX_DIMENSION),
            fps=fields.integer("fps_micro", 1, 1000 * MICRO) / MICRO,
            frames=fields.integer("frames", 0),
            start_us=fields.integer("start_us"),
            end_us=fields.integer("end_us"),
            gaps=_gaps(fields),
            sources=_sources(fields),
        )
        fields.end()
        if info.end_us < info.start_us:
            raise fields.fail("end_us", "lies before start_us")
        return info


def _gaps(fields: Fields) -> tuple[tuple[int, int], ...]:
    gaps = []
    for item in fields.items("gaps", 0, MAX_GAPS):
        match item:
            case [int(from_us), int(to_us)] if 0 <= from_us <= to_us:
                gaps.append((from_us, to_us))
            case _:
                raise fields.fail("gaps", "is not a list of [from, to] in microseconds")
    return tuple(gaps)


def _sources(fields: Fields) -> tuple[Mapping[str, object], ...]:
    sources = []
    for item in fields.items("sources", 0, MAX_SOURCES):
        if (
            not isinstance(item, Mapping)
            or not canonical.is_digest(item.get("digest"))
            or not canonical.is_identifier(item.get("segment_id"))
        ):
            raise fields.fail("sources", "holds an element without segment_id and digest")
        sources.append(dict(item))
    return tuple(sources)


@dataclass(frozen=True)
class Manifest:
    """What the holder of a key may read about a package."""

    terms: PackageTerms
    media: tuple[MediaInfo, ...]
    history: HistoryProof | None = None  # None: made before packages carried one

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        history = {} if self.history is None else {"history": self.history.to_json()}
        return {
            "format": "orvault-manifest",
            "media": [info.to_json() for info in self.media],
            "terms": self.terms.to_json(),
            "version": 1,
            **history,
        }

    @classmethod
    def read(cls, fields: Fields) -> Manifest:
        """Check every field; raises with the kind of `fields`."""
        fields.constant("format", "orvault-manifest")
        fields.constant("version", 1)
        media = tuple(
            MediaInfo.read(Fields(item, f"{fields.where}, media", fields.kind))
            for item in fields.items("media", 1, 64)
        )
        terms = PackageTerms.read(fields.child("terms"))
        history = HistoryProof.read(fields.child("history")) if fields.has("history") else None
        fields.end()
        if not {event.camera_id for event in terms.events} <= {None, *(info.camera_id for info in media)}:
            raise fields.fail(EVENTS, "names a camera that is not in the package")
        return cls(terms, media, history)
