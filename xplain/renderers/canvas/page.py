"""A page of headings, fields, tables and bars, written from top to bottom.

Jobs, records and comparisons are drawn on pages. Each method of `Page` draws below what is there and moves ``y`` on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.explanation.characters import one_line
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.canvas.surface import Recording
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, readable_on, wrapped

#: Width of a page, height of its text, and margin, in pixels.
WIDTH, SIZE, MARGIN = 960, 15, 24
_STRIPE: Colour = (246, 247, 249)
_BAR: Colour = (146, 154, 164)
_POSITIVE, _NEGATIVE = (178, 24, 44), (33, 102, 172)
# In heights of text.
_ROW = 1.6
_NAME_COLUMN = 17.0
_LEAST_COLUMN = 4.0  # of a table that is too wide
_LEAST_SEGMENT = 3.0  # pixels, so that small parts of a whole are seen


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stacked bar: its name, count and colour, and whether it is hatched."""

    name: str
    count: int
    colour: Colour
    hatched: bool = False


class Page:
    """Draws one thing below the other.

    Parameters
    ----------
    font : str, optional
        A font file.

    Attributes
    ----------
    sheet : Recording
        What is drawn on.
    y : float
        Where the next thing starts, in pixels.
    """

    def __init__(self, font: str | None = None) -> None:
        self.sheet = Recording(WIDTH, SIZE, font)
        self.y = float(MARGIN // 2)

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return what is drawn, as uint8 (height, width, 3)."""
        return self.sheet.pixels(round(self.y) + MARGIN)

    def space(self, heights: float = 0.8) -> None:
        """Leave a gap of some heights of text."""
        self.y += heights * SIZE

    def heading(self, text: str, scale: float = 1.25) -> None:
        """Write a line of larger letters."""
        self.y += 1.7 * scale * SIZE
        self.sheet.text((MARGIN, self.y), one_line(text), room=WIDTH - 2 * MARGIN, scale=scale)
        self.y += 0.35 * SIZE

    def line(self, text: str, *, indent: float = 0.0, colour: Colour = QUIET) -> None:
        """Write a line."""
        self.y += _ROW * SIZE
        left = MARGIN + indent * SIZE
        self.sheet.text((left, self.y - 0.35 * SIZE), one_line(text), room=WIDTH - MARGIN - left, colour=colour)

    def field(self, name: str, value: str, indent: float = 0.0) -> None:
        """Write a name, and its value beside it, wrapped to several lines if it is long."""
        left, column = MARGIN + indent * SIZE, MARGIN + max(_NAME_COLUMN, indent + 0.6 * _NAME_COLUMN) * SIZE
        for i, line in enumerate(wrapped(one_line(value), WIDTH - MARGIN - column, self._width)):
            self.y += _ROW * SIZE
            base = self.y - 0.45 * SIZE
            if i == 0:
                self.sheet.text((left, base), one_line(name), room=column - left - 0.6 * SIZE, colour=QUIET)
            self.sheet.text((column, base), line, room=WIDTH - MARGIN - column)

    def badge(self, name: str, value: str, colour: Colour) -> None:
        """Write a name, and a word on a coloured ground beside it."""
        self.y += 1.8 * SIZE
        base, column = self.y - 0.5 * SIZE, MARGIN + _NAME_COLUMN * SIZE
        self.sheet.text((MARGIN, base), one_line(name), room=_NAME_COLUMN * SIZE, colour=QUIET)
        width = self._width(value) + SIZE
        self.sheet.box(column, base - 1.05 * SIZE, column + width, base + 0.4 * SIZE, colour)
        self.sheet.text((column + width / 2, base), value, room=width, colour=readable_on(colour), anchor="ms")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, first: float | None = None) -> None:
        """Write a table: the first column aligned at the left, the others at the right.

        ``first`` is the width of the first column in heights of text; left out, it is as wide as its texts.
        """
        widths = self._column_widths(header, rows, first)
        self._row(header, widths, QUIET)
        self.sheet.box(MARGIN, self.y, MARGIN + sum(widths), self.y + 1, LINE)
        for i, row in enumerate(rows):
            if i % 2:
                self.sheet.box(MARGIN, self.y + 1, MARGIN + sum(widths), self.y + _ROW * SIZE, _STRIPE)
            self._row(row, widths, INK)

    def _column_widths(self, header: Sequence[str], rows: Sequence[Sequence[str]], first: float | None) -> list[float]:
        """As wide as the texts; where these are wider than the page, all columns but the first shrink in proportion."""
        widths = [
            max(self._width(text) for text in (header[i], *(row[i] for row in rows))) + 1.6 * SIZE
            for i in range(len(header))
        ]
        room = WIDTH - 2 * MARGIN
        widths[0] = min(widths[0] if first is None else first * SIZE, 0.6 * room)
        others = sum(widths[1:])
        if others > room - widths[0]:
            least = _LEAST_COLUMN * SIZE
            widths[1:] = [max(least, width * (room - widths[0]) / others) for width in widths[1:]]
        return widths

    def _row(self, cells: Sequence[str], widths: Sequence[float], colour: Colour) -> None:
        self.y += _ROW * SIZE
        base = self.y - 0.45 * SIZE
        self.sheet.text((MARGIN + 4, base), one_line(cells[0]), room=widths[0] - 0.8 * SIZE, colour=colour)
        right = MARGIN + widths[0]
        for cell, width in zip(cells[1:], widths[1:], strict=True):
            right += width
            room = width - 0.6 * SIZE
            self.sheet.text((right - 4, base), one_line(cell), room=room, colour=colour, anchor="rs")

    def stacked_bar(self, segments: Sequence[Segment], height: float = 1.9) -> None:
        """Draw a whole as one bar of its parts, each with its count if there is room; a legend stands below."""
        segments = [segment for segment in segments if segment.count]
        total = sum(segment.count for segment in segments)
        x, top = float(MARGIN), self.y + 0.4 * SIZE
        bottom = top + height * SIZE
        spare = WIDTH - 2 * MARGIN - _LEAST_SEGMENT * len(segments)
        for segment in segments:
            width = _LEAST_SEGMENT + spare * segment.count / total
            self._segment(segment, x, top, width, bottom)
            x += width
        self.y = bottom + 0.3 * SIZE
        self._swatches([(f"{segment.count:,} {segment.name}", segment.colour) for segment in segments])

    def _segment(self, segment: Segment, x: float, top: float, width: float, bottom: float) -> None:
        self.sheet.box(x, top, x + width - 1, bottom, segment.colour)
        if segment.hatched:
            self._hatch(x, top, x + width - 1, bottom)
        count = f"{segment.count:,}"
        if self._width(count) + SIZE > width:
            return
        middle = x + width / 2
        if segment.hatched:  # no lines behind the number
            half = self._width(count) / 2 + 0.3 * SIZE
            self.sheet.box(middle - half, top, middle + half, bottom, segment.colour)
        ink = readable_on(segment.colour)
        self.sheet.text((middle, top + 1.3 * SIZE), count, room=width, colour=ink, anchor="ms")

    def _hatch(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw fine vertical lines, by which a segment is told apart without its colour."""
        x = x0 + 6
        while x + 1 < x1:
            self.sheet.box(x, y0, x + 2, y1, PAPER)
            x += 8

    def _swatches(self, entries: Sequence[tuple[str, Colour]]) -> None:
        """Write a legend of coloured squares and names, as many on a line as fit."""
        x = float(MARGIN)
        self.y += _ROW * SIZE
        for text, colour in entries:
            width = 3 * SIZE + self._width(text)
            if x + width > WIDTH - MARGIN and x > MARGIN:
                x = float(MARGIN)
                self.y += _ROW * SIZE
            base = self.y - 0.35 * SIZE
            self.sheet.box(x, base - 0.85 * SIZE, x + SIZE, base + 0.15 * SIZE, colour)
            self.sheet.text((x + 1.5 * SIZE, base), text, room=WIDTH - MARGIN - x - 1.5 * SIZE)
            x += width

    def bars(self, rows: Sequence[tuple[str, float]], most: float = 0.0) -> None:
        """Draw numbers as bars from a common zero, on a scale up to ``most`` or the largest."""
        self._range_bars([(name, 0.0, value, number(value), _BAR) for name, value in rows], most)

    def waterfall(self, rows: Sequence[tuple[str, float]], total: tuple[str, float]) -> None:
        """Draw how contributions add up to a total: each bar starts where the one before it ends."""
        bars, start = [], 0.0
        for name, value in rows:
            bars.append((name, start, start + value, f"{value:+.3g}", _POSITIVE if value >= 0 else _NEGATIVE))
            start += value
        self._range_bars([*bars, (total[0], 0.0, total[1], number(total[1]), INK)])

    def _range_bars(self, bars: Sequence[tuple[str, float, float, str, Colour]], most: float = 0.0) -> None:
        """Draw bars from one number to another: (name, start, stop, text beside the bar, colour)."""
        room = WIDTH - 2 * MARGIN
        name_width = min(max(self._width(name) for name, *_ in bars) + SIZE, 0.42 * room)
        text_width = max(self._width(text) for *_, text, _ in bars) + SIZE
        left, right = MARGIN + name_width, WIDTH - MARGIN - text_width
        ends = [0.0, most, *(end for _, start, stop, *_ in bars for end in (start, stop))]
        low, high = min(ends), max(ends)
        zero = left + fraction(0.0, low, high) * (right - left)
        self.sheet.box(zero, self.y + 2, zero + 1, self.y + _ROW * SIZE * len(bars), LINE)
        for name, start, stop, text, colour in bars:
            self.y += _ROW * SIZE
            base = self.y - 0.45 * SIZE
            self.sheet.text((left - 0.6 * SIZE, base), one_line(name), room=name_width - SIZE, anchor="rs")
            x0, x1 = sorted(left + fraction(end, low, high) * (right - left) for end in (start, stop))
            self.sheet.box(x0, base - 0.8 * SIZE, max(x1, x0 + 1), base + 0.15 * SIZE, colour)
            self.sheet.text((max(x1, zero) + 0.4 * SIZE, base), text, room=text_width)

    def _width(self, text: str) -> float:
        return self.sheet.width_of(one_line(text))
