"""Records as tables: requests, specifications, statistics and other objects of vendors that hold no results.

A record is JSON of any form, so it is drawn generically: names and values, with objects indented below their names and
arrays of similar objects as tables. Three kinds of record have charts above their table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from xplain.explanation import Record
from xplain.explanation.notes import Badge, Breakdown, Chart, Measure, NotesOf, Ranking, Shares, no_notes
from xplain.explanation.secrets import without_secrets
from xplain.renderers.canvas.colours import COLOURS, OTHERS
from xplain.renderers.canvas.page import Page, Segment
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.canvas.scale import number
from xplain.renderers.canvas.typography import INK

# Records are of any size; pictures are not.
_MOST_ROWS, _MOST_COLUMNS, _MOST_LISTED = 300, 7, 24
_MOST_LEVELS = 12  # of objects in objects
_MOST_CHARACTERS = 4000  # of a text alternative
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")
_BLUE, _ORANGE, _GREEN, _, _RED = COLOURS[:5]
#: Colours of the ranks of badges, from the worst to the best; the quality is written on its colour, so nothing depends
#: on telling colours apart.
_RANKS = (_RED, _ORANGE, _BLUE, _GREEN)


def draw(record: Record, font: str | None = None, notes: NotesOf = no_notes) -> Picture:
    """Draw a record as a table that people can read.

    Parameters
    ----------
    record : Record
        Fields whose names end in key, token, secret or password are left out.
    font : str, optional
        A TrueType or OpenType file.
    notes : callable
        Gives the charts of the record, see `xplain.renderers.draw`.

    Returns
    -------
    Picture
        960 pixels wide, at most some hundred rows; a note counts the rows left out.

    Examples
    --------
    >>> draw(Record("deepomatic", "specification", {"name": "cats", "apiKey": "x", "outputs": []})).alt
    'deepomatic specification: name: cats; outputs: none'
    """
    page = Page(font)
    fields = without_secrets(record.fields)
    alt = "; ".join(_sentences(fields))
    if len(alt) > _MOST_CHARACTERS:
        alt = f"{alt[:_MOST_CHARACTERS]}…"
    page.heading(f"{record.kind.replace('-', ' ')} ({record.format})")
    notes_of_record = notes(record)
    _draw_charts(page, notes_of_record.charts)
    remaining = notes_of_record.remaining
    table = _JsonTable(page)
    table.write(fields if remaining is None else without_secrets(remaining))
    if table.omitted:
        page.line(f"and {table.omitted:,} more")
    return Picture(page.pixels(), f"{record.format} {record.kind}: {alt}")


class _JsonTable:
    """Writes JSON on a page, up to a number of rows; counts the rows that it omits."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rows_left = _MOST_ROWS
        self.omitted = 0

    def write(self, value: Any, depth: int = 0) -> None:
        """Write the fields of an object, or the numbered items of an array."""
        for name, item in _pairs(value):
            self._write_field(_in_words(name), item, depth)

    def _write_field(self, name: str, value: Any, depth: int) -> None:
        if not self._take_row():
            return
        indent = 1.2 * depth
        if not isinstance(value, (Mapping, list)) or not value or _is_flat_list(value):
            self.page.field(name, _format_value(value), indent)
        elif depth >= _MOST_LEVELS:
            self.page.field(name, "…", indent)
        elif isinstance(value, list) and (columns := _columns(value)):
            self.page.line(name, indent=indent, colour=INK)
            self._write_table(columns, value)
        else:
            self.page.line(name, indent=indent, colour=INK)
            self.write(value, depth + 1)

    def _write_table(self, columns: Sequence[str], objects: Sequence[Mapping[str, Any]]) -> None:
        written = objects[: self.rows_left]
        header = [_in_words(column) for column in columns]
        self.page.table(header, [[_format_value(row.get(column)) for column in columns] for row in written])
        self.page.space(0.4)
        self.rows_left -= len(written)
        self.omitted += len(objects) - len(written)

    def _take_row(self) -> bool:
        """Count one more row, and tell whether there is room for it."""
        self.rows_left -= 1
        self.omitted += self.rows_left < 0
        return self.rows_left >= 0


def _pairs(value: Any) -> Iterable[tuple[str, Any]]:
    """Names and values of an object, or numbers (from 1) and items of an array."""
    return value.items() if isinstance(value, Mapping) else ((str(i), item) for i, item in enumerate(value, 1))


def _is_flat_list(value: Any) -> bool:
    """Whether a value is an array that holds no objects or arrays."""
    return isinstance(value, list) and not any(isinstance(item, (Mapping, list)) for item in value)


def _columns(items: Sequence[Any]) -> list[str]:
    """Names of the columns of an array of similar objects; none if it cannot be written as a table."""
    if not all(isinstance(item, Mapping) and item for item in items):
        return []
    names = list(dict.fromkeys(name for item in items for name in item))
    flat = all(
        not isinstance(value, Mapping) and (not isinstance(value, list) or _is_flat_list(value))
        for item in items
        for value in item.values()
    )
    return names if flat and len(names) <= _MOST_COLUMNS else []


def _format_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ([], {}, ""):
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        more = len(value) - _MOST_LISTED
        listed = ", ".join(_format_value(item) for item in value[:_MOST_LISTED])
        return listed + (f" and {more} more" if more > 0 else "")
    return str(value)


def _in_words(name: str) -> str:
    """``num_amber_labels`` and ``numAmberLabels`` as "num amber labels"; acronyms stay as they are."""
    words = (word for word in _WORD_BREAK.split(name) if word)
    return " ".join(word if word.isupper() else word[:1].lower() + word[1:] for word in words)


def _sentences(value: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """Each value in JSON with the path of names that leads to it, for the text alternative."""
    if not isinstance(value, (Mapping, list)) or not value or _is_flat_list(value) or depth >= _MOST_LEVELS:
        yield f"{path}: {_format_value(value)}" if path else _format_value(value)
        return
    for name, item in _pairs(value):
        yield from _sentences(item, f"{path} {_in_words(name)}".strip(), depth + 1)


# Charts.


def _draw_charts(page: Page, charts: Sequence[Chart]) -> None:
    """Draw badges, stacked bars, waterfalls and rankings; the bars of all rankings have one scale."""
    most = max((float(chart.measures[0].value) for chart in charts if isinstance(chart, Ranking)), default=0.0)
    for chart in charts:
        if isinstance(chart, Badge):
            page.badge(_in_words(chart.name), chart.value, OTHERS if chart.rank is None else _RANKS[chart.rank])
        elif isinstance(chart, Shares):
            page.line(chart.name, colour=INK)
            page.stacked_bar(
                [
                    Segment("without a warning", chart.good, _GREEN),
                    Segment("amber", chart.amber, _ORANGE),
                    Segment("red", chart.red, _RED, hatched=True),
                ]
            )
        elif isinstance(chart, Breakdown):
            name, total = _in_words(chart.total.name), float(chart.total.value)
            page.line(f"{name} = {number(total)}, by what contributes to it", colour=INK)
            page.waterfall(_pairs_of(chart.contributions), (name, total))
            page.space(0.4)
        else:
            page.line(chart.name, colour=INK)
            page.bars(_pairs_of(chart.measures[:_MOST_LISTED]), most)
            page.space(0.4)
    if any(isinstance(chart, (Badge, Shares)) for chart in charts):
        page.space()


def _pairs_of(measures: Sequence[Measure]) -> list[tuple[str, float]]:
    return [(measure.name, float(measure.value)) for measure in measures]
