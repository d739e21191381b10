"""A page of headings, lines, tables and bars, written from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.explanation.characters import one_line
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.canvas.surface import Record
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, readable_on

WIDTH, SIZE, MARGIN = 960, 15, 24
_ROW = 1.6  # heights of text
_STRIPE: Colour = (246, 247, 249)
_BAR: Colour = (146, 154, 164)
_FOR, _AGAINST = (178, 24, 44), (33, 102, 172)
_LEAST_COLUMN = 4.0
_NAMES = 17.0  # column of names, in heights of text
_MOST_LINES = 6  # of one value


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a whole: what it is called, how much of it there is, its colour, and whether it is hatched."""

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
    """

    def __init__(self, font: str | None = None) -> None:
        self.record = Record(WIDTH, SIZE, font)
        self.y = float(MARGIN // 2)

    def pixels(self) -> npt.NDArray[np.uint8]:
        """What is drawn, as uint8 (height, width, 3)."""
        return self.record.pixels(round(self.y) + MARGIN)

    def space(self, heights: float = 0.8) -> None:
        """Leave some heights of text blank."""
        self.y += heights * SIZE

    def heading(self, text: str, scale: float = 1.25) -> None:
        """Write a line of larger letters."""
        self.y += 1.7 * scale * SIZE
        self.record.text((MARGIN, self.y), one_line(text), room=WIDTH - 2 * MARGIN, scale=scale)
        self.y += 0.35 * SIZE

    def line(self, text: str, *, indent: float = 0.0, colour: Colour = QUIET) -> None:
        """Write a line."""
        self.y += _ROW * SIZE
        left = MARGIN + indent * SIZE
        self.record.text((left, self.y - 0.35 * SIZE), one_line(text), room=WIDTH - MARGIN - left, colour=colour)

    def field(self, name: str, value: str, indent: float = 0.0) -> None:
        """Write a name and what it stands for, on as many lines as it takes."""
        left, column = MARGIN + indent * SIZE, MARGIN + max(_NAMES, indent + 0.6 * _NAMES) * SIZE
        for i, part in enumerate(self._broken(one_line(value), WIDTH - MARGIN - column)):
            self.y += _ROW * SIZE
            base = self.y - 0.45 * SIZE
            if not i:
                self.record.text((left, base), one_line(name), room=column - left - 0.6 * SIZE, colour=QUIET)
            self.record.text((column, base), part, room=WIDTH - MARGIN - column)

    def badge(self, name: str, value: str, colour: Colour) -> None:
        """Write a name and a word on a colour."""
        self.y += 1.8 * SIZE
        base, column = self.y - 0.5 * SIZE, MARGIN + _NAMES * SIZE
        self.record.text((MARGIN, base), one_line(name), room=_NAMES * SIZE, colour=QUIET)
        width = self._width(value) + SIZE
        self.record.box(column, base - 1.05 * SIZE, column + width, base + 0.4 * SIZE, colour)
        self.record.text((column + width / 2, base), value, room=width, colour=readable_on(colour), anchor="ms")

    def _broken(self, text: str, room: float) -> list[str]:
        """Parts of a text that fit on a line each; what is too long for some lines is shortened."""
        parts, words = [""], text.split()
        for word in words:
            longer = f"{parts[-1]} {word}".strip()
            if parts[-1] and self._width(longer) > room:
                if len(parts) == _MOST_LINES:
                    return [*parts[:-1], f"{parts[-1]} …"]
                parts.append(word)
            else:
                parts[-1] = longer
        return parts

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, first: float | None = None) -> None:
        """Write a table: the first column at the left, numbers below the right ends of their headings.

        ``first`` is the width of the first column in heights of text; as wide as it has to be if left out.
        """
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
        self._row(header, widths, QUIET)
        self.record.box(MARGIN, self.y, MARGIN + sum(widths), self.y + 1, LINE)
        for i, row in enumerate(rows):
            if i % 2:
                self.record.box(MARGIN, self.y + 1, MARGIN + sum(widths), self.y + _ROW * SIZE, _STRIPE)
            self._row(row, widths, INK)

    def _row(self, cells: Sequence[str], widths: Sequence[float], colour: Colour) -> None:
        self.y += _ROW * SIZE
        base = self.y - 0.45 * SIZE
        self.record.text((MARGIN + 4, base), one_line(cells[0]), room=widths[0] - 0.8 * SIZE, colour=colour)
        right = MARGIN + widths[0]
        for cell, width in zip(cells[1:], widths[1:], strict=True):
            right += width
            room = width - 0.6 * SIZE
            self.record.text((right - 4, base), one_line(cell), room=room, colour=colour, anchor="rs")

    def strip(self, segments: Sequence[Segment], height: float = 1.9) -> None:
        """Draw a whole as a strip of its parts, each with its count; names stand below it."""
        shown = [segment for segment in segments if segment.count]
        total = sum(segment.count for segment in shown)
        room = WIDTH - 2 * MARGIN
        x, top = float(MARGIN), self.y + 0.4 * SIZE
        bottom = top + height * SIZE
        least = 3.0
        spare = room - least * len(shown)
        for segment in shown:
            width = least + spare * segment.count / total
            self.record.box(x, top, x + width - 1, bottom, segment.colour)
            if segment.hatched:
                self._hatch(x, top, x + width - 1, bottom)
            text = f"{segment.count:,}"
            if self._width(text) + SIZE <= width:
                if segment.hatched:
                    half = self._width(text) / 2 + 0.3 * SIZE
                    self.record.box(x + width / 2 - half, top, x + width / 2 + half, bottom, segment.colour)
                ink = readable_on(segment.colour)
                self.record.text((x + width / 2, top + 1.3 * SIZE), text, room=width, colour=ink, anchor="ms")
            x += width
        self.y = bottom + 0.3 * SIZE
        self._swatches([(f"{segment.count:,} {segment.name}", segment.colour) for segment in shown])

    def _hatch(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Fine upright lines: told apart without colours."""
        x = x0 + 6
        while x + 1 < x1:
            self.record.box(x, y0, x + 2, y1, PAPER)
            x += 8

    def _swatches(self, entries: Sequence[tuple[str, Colour]]) -> None:
        x = float(MARGIN)
        self.y += _ROW * SIZE
        for text, colour in entries:
            width = 3 * SIZE + self._width(text)
            if x + width > WIDTH - MARGIN and x > MARGIN:
                x = float(MARGIN)
                self.y += _ROW * SIZE
            base = self.y - 0.35 * SIZE
            self.record.box(x, base - 0.85 * SIZE, x + SIZE, base + 0.15 * SIZE, colour)
            self.record.text((x + 1.5 * SIZE, base), text, room=WIDTH - MARGIN - x - 1.5 * SIZE)
            x += width

    def bars(self, rows: Sequence[tuple[str, float]], most: float = 0.0) -> None:
        """Draw numbers as bars from a common zero, on a scale up to ``most`` or the largest."""
        self._spread([(name, 0.0, value, number(value), _BAR) for name, value in rows], most)

    def waterfall(self, rows: Sequence[tuple[str, float]], total: tuple[str, float]) -> None:
        """Draw how contributions add up to a total: each bar starts where the one before it ends."""
        steps, at = [], 0.0
        for name, value in rows:
            steps.append((name, at, at + value, f"{value:+.3g}", _FOR if value >= 0 else _AGAINST))
            at += value
        self._spread([*steps, (total[0], 0.0, total[1], number(total[1]), INK)])

    def _spread(self, rows: Sequence[tuple[str, float, float, str, Colour]], most: float = 0.0) -> None:
        """Bars from one number to another, each with a name and what is written beside it."""
        room = WIDTH - 2 * MARGIN
        names = min(max(self._width(name) for name, *_ in rows) + SIZE, 0.42 * room)
        numbers = max(self._width(text) for *_, text, _ in rows) + SIZE
        left, right = MARGIN + names, WIDTH - MARGIN - numbers
        ends = [0.0, most, *(at for _, start, stop, *_ in rows for at in (start, stop))]
        low, high = min(ends), max(ends)
        zero = left + fraction(0.0, low, high) * (right - left)
        self.record.box(zero, self.y + 2, zero + 1, self.y + _ROW * SIZE * len(rows), LINE)
        for name, start, stop, text, colour in rows:
            self.y += _ROW * SIZE
            base = self.y - 0.45 * SIZE
            self.record.text((left - 0.6 * SIZE, base), one_line(name), room=names - SIZE, anchor="rs")
            x0, x1 = sorted(left + fraction(at, low, high) * (right - left) for at in (start, stop))
            self.record.box(x0, base - 0.8 * SIZE, max(x1, x0 + 1), base + 0.15 * SIZE, colour)
            self.record.text((max(x1, zero) + 0.4 * SIZE, base), text, room=numbers)

    def _width(self, text: str) -> float:
        return self.record.width_of(one_line(text))
