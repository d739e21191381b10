"""Several methods on one page: their maps side by side, and below them a table of their figures.

Methods have units of their own. So each map is divided by the value that gets the full colour when it is drawn alone,
and the maps share one scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xplain import _check
from xplain.explanation import Attribution, Comparison, Explanation, Heatmap
from xplain.explanation.comparison import align_columns, cell
from xplain.explanation.notes import no_notes
from xplain.renderers.canvas.page import Page
from xplain.renderers.canvas.picture import Picture, stack
from xplain.renderers.canvas.scale import Extent, choose
from xplain.renderers.explanations import make_style
from xplain.renderers.image import drawing as image_drawing
from xplain.renderers.image.style import Style

Note = tuple[str, str]

_FULL_COLOUR = "full colour"  # the column of each map's limit
_FULL_COLOUR_NOTE = (
    _FULL_COLOUR,
    "value that gets it; each map is divided by its own, so that one scale holds for all",
)
_TABLE_CHARACTERS = 84  # that fit on a page beside each other, with two between columns
_CSS = (
    "body { font: 15px/1.5 system-ui, sans-serif; margin: 24px; color: rgb(33, 37, 41) } "
    "table { border-collapse: collapse; margin: 16px 0 } "
    "th, td { padding: 2px 12px; text-align: right; border-bottom: 1px solid rgb(222, 226, 230) } "
    "th:first-child, td:first-child { text-align: left } img { max-width: 100%; height: auto }"
)


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonPicture(Picture):
    """A picture of maps above a table; in HTML the table is a real one.

    Parameters
    ----------
    pixels, alt
        As for `Picture`.
    maps : Picture
        The maps alone.
    header : tuple of str
        The table's headings.
    cells : tuple of tuple of str
        The table's rows.
    lines : tuple of str
        The table as aligned text.
    notes : tuple of (str, str)
        Headings and their meanings.
    """

    maps: Picture
    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]
    notes: tuple[Note, ...]

    def html(self) -> bytes:
        """Write one self-contained HTML page, without script: the maps, the table and its notes."""
        import html  # takes milliseconds that a PNG need not wait for

        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in self.header)
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>\n" for row in self.cells)
        notes = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(note)}</dd>\n" for name, note in self.notes)
        table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n<dl>\n{notes}</dl>\n"
        page = self.maps.html().decode("utf-8")
        page = page.replace("</head>", f"<style>{_CSS}</style>\n</head>", 1)
        before, _, after = page.rpartition("</body>")
        return f"{before}{table}</body>{after}".encode("utf-8", "replace")

    def text(self) -> bytes:
        """Write the text alternative of the maps, the table and its notes as UTF-8."""
        lines = [self.maps.alt, "", *self.lines, "", *_note_lines(self.notes)]
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def draw(comparison: Comparison, image: Any, options: Mapping[str, Any]) -> ComparisonPicture:
    """Draw explanations of one prediction and their figures.

    Parameters
    ----------
    comparison : Comparison
        Of explanations of one image, with one heat map each.
    image : uint8 array (height, width, 3), optional
        The photo; left out, the one that the explanations hold.
    options : mapping
        Those of `xplain.renderers.image.style.Style`; among them ``scale`` is a multiple of each map's own limit, 1 if
        left out. And ``time``: whether the table has the seconds that each method took.

    Returns
    -------
    ComparisonPicture
        Each map is divided by the value that would get the full colour in a picture of its own.

    Raises
    ------
    InputError
        If an explanation holds no heat map, or several.
    """
    options = {"scale": 1.0, **{name: option for name, option in options.items() if option is not None}}
    time = _check.boolean("time", options.pop("time", True))
    style = make_style(Style, options)
    explanations = comparison.explanations
    limits = [_limit(explanation) for explanation in explanations]
    scaled = [_divide(explanation, limit) for explanation, limit in zip(explanations, limits, strict=True)]
    maps = image_drawing.draw(scaled, image, style, no_notes)
    figures = [{**row, _FULL_COLOUR: limit} for row, limit in zip(comparison.rows(time=time), limits, strict=True)]
    header = tuple(figures[0])
    cells = tuple(tuple(cell(value) for value in row.values()) for row in figures)
    notes = (*comparison.remarks(), _FULL_COLOUR_NOTE)
    page = Page(style.font)
    for columns in _split_columns(header, cells):
        page.table([header[i] for i in columns], [[row[i] for i in columns] for row in cells])
        page.space()
    for name, note in notes:
        page.field(name, note)
    lines = tuple(align_columns(figures))
    table = Picture(page.pixels(), " ".join([*lines, *_note_lines(notes)]))
    picture = stack([maps, table])
    return ComparisonPicture(picture.pixels, picture.alt, maps, header, cells, lines, notes)


def _note_lines(notes: Sequence[Note]) -> list[str]:
    return [f"{name}: {note}" for name, note in notes]


def _split_columns(header: Sequence[str], cells: Sequence[Sequence[str]]) -> list[list[int]]:
    """Indices of columns for several tables, none of them wider than a page; each repeats the first column."""
    widths = [2 + max(len(row[i]) for row in [header, *cells]) for i in range(len(header))]
    tables = [[0]]
    for i in range(1, len(header)):
        if len(tables[-1]) > 1 and sum(widths[j] for j in tables[-1]) + widths[i] > _TABLE_CHARACTERS:
            tables.append([0])
        tables[-1].append(i)
    return tables


def _limit(explanation: Explanation) -> float | None:
    """The value that gets the full colour where a map is drawn alone; None if there is nothing to see in it."""
    attribution, heatmap = _single_heatmap(explanation)
    scale = choose([Extent.of(heatmap.values, attribution.target.score)], None)
    return None if scale is None else scale.limit


def _divide(explanation: Explanation, limit: float | None) -> Explanation:
    """The explanation with the values of its map as multiples of a limit."""
    if limit is None:
        return explanation
    attribution, heatmap = _single_heatmap(explanation)
    evidence = Heatmap(heatmap.values / np.float32(limit))
    return replace(explanation, attributions=(replace(attribution, evidence=evidence),))


def _single_heatmap(explanation: Explanation) -> tuple[Attribution, Heatmap]:
    heatmaps = [(a, a.evidence) for a in explanation.attributions if isinstance(a.evidence, Heatmap)]
    if len(heatmaps) != 1 or len(explanation.attributions) != 1:
        raise _check.wrong("explanations", "of one heat map each", list(explanation.attributions))
    return heatmaps[0]
