"""One paper as PDF (A4): headings, labelled fields, tables, lines to sign on; the same bytes each time.

What stands in it is each document's own module's; nothing here knows custody. fpdf2 sets it, in a font of our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import as_file, files

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont
from fpdf.util import Padding

from orvault.clock import US_PER_S
from orvault.papers.language import Language

_FAMILY = "Nanum"
_MISSING = "□"  # stands for a character that the font lacks
_MARGIN_MM, _LABEL_MM = 18, 46
_GREY, _PALE, _INK = (110, 110, 110), (242, 244, 246), (20, 20, 20)
_LINE = 1.45  # of the letters' size
_PT_MM = 25.4 / 72
_CELL_MM = 1  # round what stands in a table's cell
_MOST_LINES = 24  # in one row of a table: with its heads it fits on any page


class Paper:
    """A paper that is written from top to bottom; `pdf` ends it.

    `utc_offset_min`: how far the times in it are from UTC; the offset is printed with them.
    """

    def __init__(
        self,
        title: str,
        issuer: str,
        printed_us: int,
        language: Language = Language.KOREAN,
        *,
        utc_offset_min: int = 540,
        landscape: bool = False,
    ) -> None:
        self.language = language
        self._zone = timezone(timedelta(minutes=utc_offset_min)) if utc_offset_min else UTC
        self._sheet = _Sheet("L" if landscape else "P", self.time(printed_us), issuer)
        self._sheet.set_title(title)
        self._sheet.set_author(issuer)
        self._sheet.set_lang(language.value)
        self._sheet.set_creation_date(datetime.fromtimestamp(printed_us // US_PER_S, UTC))
        self._sheet.add_page()
        self._write(title, 17)
        self._sheet.ln(3)

    def time(self, us: int | None) -> str:
        """A time as the paper shows it, e.g. 2026-11-22 18:30 (+09:00); "-" for none."""
        return "-" if us is None else self._shown(us, "%Y-%m-%d %H:%M")

    def period(self, from_us: int, to_us: int) -> str:
        """A period of footage, to the second: a minute holds several of them."""
        return f"{self.second(from_us)} - {self.second(to_us)}"

    def second(self, us: int) -> str:
        """A time as the paper shows it, to the second."""
        return self._shown(us, "%Y-%m-%d %H:%M:%S")

    def _shown(self, us: int, form: str) -> str:
        moment = datetime.fromtimestamp(us // US_PER_S, self._zone)
        offset = moment.strftime("%z")
        return f"{moment:{form}} ({offset[:3]}:{offset[3:]})"

    def either(self, korean: str, english: str) -> str:
        """The one of the two that the paper is written in."""
        return korean if self.language is Language.KOREAN else english

    def heading(self, text: str) -> None:
        """Begin a part; never alone at the foot of a page."""
        if self._sheet.will_page_break(24):
            self._sheet.add_page()
        self._sheet.ln(3)
        self._write(text, 11.5)
        self._sheet.set_draw_color(*_GREY)
        self._sheet.line(_MARGIN_MM, self._sheet.get_y(), self._sheet.w - _MARGIN_MM, self._sheet.get_y())
        self._sheet.ln(1.5)

    def paragraph(self, text: str) -> None:
        """Running text; line breaks in it stay."""
        self._write(text, 9.5)
        self._sheet.ln(1)

    def fields(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Labels with what stands behind them; an empty value is a dash."""
        for label, value in pairs:
            self._row(label, value or "-")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
        """A table; its heads stand again on each page. `widths`: each column's share.

        A row that would be too high for a page goes on in further rows.
        """
        with (
            self._font(8.5),
            self._sheet.table(
                col_widths=tuple(widths),
                borders_layout=TableBordersLayout.HORIZONTAL_LINES,
                headings_style=FontFace(fill_color=_PALE),
                line_height=8.5 * _PT_MM * _LINE,
                padding=_CELL_MM,
                text_align="LEFT",
            ) as table,
        ):
            table.row([self._sheet.shown(head) or "-" for head in heads])
            columns_mm = [self._sheet.epw * width / sum(widths) for width in widths]
            for cells in rows:
                shown = [self._sheet.shown(cell) or "-" for cell in cells]
                for piece in self._sheet.pieces(shown, columns_mm):
                    table.row(piece)
        self._sheet.ln(2)

    def signatures(self, labels: Sequence[str]) -> None:
        """A line to sign on for each, all on one page."""
        if self._sheet.will_page_break(16 * len(labels)):
            self._sheet.add_page()
        for label in labels:
            self._sheet.ln(9)
            self._row(label, "")
            y = self._sheet.get_y() - 0.5
            self._sheet.line(_MARGIN_MM + _LABEL_MM, y, self._sheet.w - _MARGIN_MM, y)

    def pdf(self) -> bytes:
        """The file's bytes."""
        return bytes(self._sheet.output())

    def _row(self, label: str, value: str) -> None:
        size = 9.5
        height = size * _PT_MM * _LINE
        with self._font(size):
            shown = self._sheet.shown(value)
            if self._sheet.will_page_break(2 * height):
                self._sheet.add_page()
            self._sheet.set_text_color(*_GREY)
            self._sheet.cell(_LABEL_MM, height, self._sheet.shown(label))
            self._sheet.set_text_color(*_INK)
            self._sheet.multi_cell(0, height, shown, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self._sheet.ln(0.8)

    def _write(self, text: str, size: float) -> None:
        with self._font(size):
            height = size * _PT_MM * _LINE
            self._sheet.multi_cell(
                0, height, self._sheet.shown(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
            )

    @contextmanager
    def _font(self, size: float) -> Iterator[None]:
        self._sheet.set_font(_FAMILY, size=size)
        self._sheet.set_text_color(*_INK)
        yield


class _Sheet(FPDF):
    """fpdf2's document with our font, and a foot on each page."""

    def __init__(self, orientation: str, printed: str, issuer: str) -> None:
        super().__init__(orientation=orientation, format="A4")
        with as_file(files("orvault.vision") / "fonts" / "NanumBarunGothicBold.ttf") as font:
            self.add_font(_FAMILY, fname=font)
        self._foot = printed, issuer
        self.set_margin(_MARGIN_MM)
        self.set_auto_page_break(True, margin=_MARGIN_MM + 4)

    def shown(self, text: str) -> str:
        """The text with a box for each character that the font lacks."""
        font = self.fonts[_FAMILY.lower()]
        known = font.cmap if isinstance(font, TTFFont) else {}
        return "".join(c if c in "\n\t" or ord(c) in known else _MISSING for c in text.replace("\r", ""))

    def pieces(self, cells: Sequence[str], columns_mm: Sequence[float]) -> Iterator[Sequence[str]]:
        """A table's row as rows of at most so many lines as a page takes; what ended is empty in the later ones."""
        if not any(len(cell) > _MOST_LINES for cell in cells):  # cannot have more lines than characters
            yield cells
            return
        columns = [self._lines(*each) for each in zip(cells, columns_mm, strict=True)]
        if max(map(len, columns)) <= _MOST_LINES:
            yield cells
            return
        for first in range(0, max(map(len, columns)), _MOST_LINES):
            yield ["\n".join(lines[first : first + _MOST_LINES]) for lines in columns]

    def _lines(self, text: str, width_mm: float) -> list[str]:
        """The text as it is broken into lines in a cell of this width."""
        padding = Padding.new(_CELL_MM)
        lines = self.multi_cell(width_mm, text=text, padding=padding, dry_run=True, output="LINES")
        assert isinstance(lines, list)
        return lines

    def footer(self) -> None:
        """Issuer, when it was printed, page and pages."""
        printed, issuer = self._foot
        self.set_y(-_MARGIN_MM)
        self.set_font(_FAMILY, size=7.5)
        self.set_text_color(*_GREY)
        self.cell(self.epw * 0.8, 5, self.shown(f"{issuer} · {printed}"))
        self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")
