"""Everything known of an open package, as sections of labelled lines: for the details and for the report.

Each value that a file brought passes `printable`; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orvault.container.certificates import fingerprint
from orvault.container.happened import Happened
from orvault.container.history import Proven
from orvault.container.package import Label, Manifest, MediaInfo, PackageTerms
from orvault.container.trust import Issuer
from orvault.text import grouped, printable
from player.window import words as w
from player.window.happenings import event_line
from player.window.times import HOSPITAL, date_time, zone_of
from player.window.verdicts import Shown
from player.window.words import Language, Text

MOST_GAPS = 12  # named one by one
MOST_EVENTS = 60  # the same; the package, and `orvault-player verify`, tell all


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Known:
    """What the window knows of a package by now; what it does not know yet is None."""

    file: Path
    shown: Shown
    label: Label | None = None
    issuer: Issuer | None = None
    manifest: Manifest | None = None
    proven: Proven | None = None
    for_this_run: bool = False  # the root is believed, but not pinned on this computer
    here: tuple[tuple[Text, str], ...] = ()  # of this computer: viewer, clock, screen capture


class _Sheet:
    """Collects rows in one language; times are told by one clock."""

    def __init__(self, language: Language, terms: PackageTerms | None = None) -> None:
        self.language, self.zone = language, HOSPITAL if terms is None else zone_of(terms)
        self.rows: list[tuple[str, str]] = []

    def add(self, label: Text, value: str | Text, **fields: object) -> None:
        told = value.of(self.language, **fields) if isinstance(value, Text) else value
        self.rows.append((label.of(self.language), printable(told, lines=True)))

    def time(self, us: int) -> str:
        return date_time(us, self.zone)

    def section(self, title: Text | str) -> Section:
        rows, self.rows = tuple(self.rows), []
        return Section(title if isinstance(title, str) else title.of(self.language), rows)


def sections(known: Known, language: Language) -> list[Section]:
    """All of it, in reading order."""
    sheet = _Sheet(language, None if known.manifest is None else known.manifest.terms)
    sheet.add(w.VERDICT, f"{known.shown.word}. {known.shown.sentence}")
    sheet.add(w.FILE, known.file.name)
    found = [sheet.section(w.VERDICT)]
    if known.label is not None:
        found.append(_package(sheet, known.label, known.issuer, known.for_this_run))
    if known.manifest is not None:
        found.append(_basis(sheet, known.manifest.terms))
        if known.manifest.terms.events:
            found.append(_events(sheet, known.manifest.terms.events))
        found += [_video(sheet, info) for info in known.manifest.media]
        found.append(_history(sheet, known.proven))
    for label, value in known.here:
        sheet.add(label, value)
    if sheet.rows:
        found.append(sheet.section(w.THIS_COMPUTER))
    return found


def terms_rows(terms: PackageTerms, language: Language) -> tuple[tuple[str, str], ...]:
    """What stands above the terms that are to be accepted."""
    return _basis(_Sheet(language, terms), terms).rows


def _package(sheet: _Sheet, label: Label, issuer: Issuer | None, for_this_run: bool) -> Section:
    sheet.add(w.PACKAGE_ID, label.package_id)
    sheet.add(w.ISSUED, sheet.time(label.issued_us))
    sheet.add(w.VALID, f"{sheet.time(label.not_before_us)} – {sheet.time(label.not_after_us)}")
    if issuer is not None:
        sheet.add(w.NAME, issuer.name)
        believed = w.FOR_THIS_RUN if for_this_run else w.PINNED
        pin = believed if issuer.pinned else w.NOT_PINNED
        sheet.add(w.ROOT, f"{issuer.root_name} ({pin.of(sheet.language)})")
        sheet.add(w.FINGERPRINT, grouped(issuer.fingerprint))
        sheet.add(w.SIGNATURE, w.SIGNATURE_OK, leaf=grouped(fingerprint(label.certificates[0])[:16]))
    return sheet.section(w.ISSUER)


def _basis(sheet: _Sheet, terms: PackageTerms) -> Section:
    sheet.add(w.REQUEST, terms.request_id)
    sheet.add(w.CASE, terms.case_id)
    sheet.add(w.RECIPIENTS, ", ".join(terms.recipients))
    sheet.add(w.LEGAL_BASIS, terms.legal_basis)
    sheet.add(w.PURPOSE, terms.purpose)
    sheet.add(w.MASKING, terms.masking)
    choice = terms.masking_choice
    if choice is not None:
        at, clear, drawn = sheet.time(choice.chosen_us), len(choice.clear), len(choice.drawn)
        sheet.add(w.MASKING_BY, w.CHOSEN, by=choice.by, time=at, clear=clear, drawn=drawn)
    sheet.add(w.WATERMARK, terms.watermark)
    sheet.add(w.OVERLAY, w.OVERLAY_ON if terms.overlay else w.OVERLAY_OFF)
    return sheet.section(w.BASIS)


def _events(sheet: _Sheet, events: Sequence[Happened]) -> Section:
    language = sheet.language
    lines = [event_line(event, language, sheet.zone) for event in events[:MOST_EVENTS]]
    if len(events) > MOST_EVENTS:
        lines.append(w.MORE.of(language, count=len(events) - MOST_EVENTS))
    sheet.add(w.EVENTS_TOLD, "\n".join(lines))
    return sheet.section(w.EVENTS)


def _video(sheet: _Sheet, info: MediaInfo) -> Section:
    sheet.add(w.PERIOD, f"{sheet.time(info.start_us)} – {sheet.time(info.end_us)}")
    size = {"width": info.width, "height": info.height, "fps": f"{info.fps:g}"}
    sheet.add(w.PICTURES, w.PICTURES_SAY, frames=f"{info.frames:,}", **size)
    sheet.add(w.GAPS, _gaps(sheet, info.gaps))
    sheet.add(w.SEGMENTS, w.SEGMENTS_SAY, count=f"{len(info.sources):,}")
    for source in _ends(info.sources):
        sheet.add(w.SEGMENT, f"{source['segment_id']}: {grouped(str(source['digest']))}")
    sheet.add(w.SIGNATURE, w.SEGMENTS_SIGNED)
    title = printable(f"{info.title} ({info.camera_id})")
    return sheet.section(w.CAMERA.of(sheet.language, title=title))


def _ends(sources: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    """The first and the last: an hour has thousands, and the signed manifest has them all."""
    return sources if len(sources) < 3 else (sources[0], sources[-1])


def _gaps(sheet: _Sheet, gaps: Sequence[tuple[int, int]]) -> str:
    if not gaps:
        return w.NO_GAPS.of(sheet.language)
    lines = [f"{sheet.time(from_us)} – {sheet.time(to_us)}" for from_us, to_us in gaps[:MOST_GAPS]]
    if len(gaps) > MOST_GAPS:
        lines.append(w.MORE.of(sheet.language, count=len(gaps) - MOST_GAPS))
    return "\n".join(lines)


def _history(sheet: _Sheet, proven: Proven | None) -> Section:
    if proven is None:
        sheet.add(w.CHECKPOINT, w.NO_PROOF)
        return sheet.section(w.HISTORY)
    sheet.add(w.CHECKPOINT, w.CHECKPOINT_SAYS, size=f"{proven.size:,}")
    sheet.add(w.APPROVAL, w.ENTRY_SAYS, seq=proven.approved_seq, time=sheet.time(proven.approved_us))
    sheet.add(w.SEALING, w.ENTRY_SAYS, seq=proven.sealed_seq, time=sheet.time(proven.sealed_us))
    return sheet.section(w.HISTORY)
