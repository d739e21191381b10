"""Several methods on one page: their maps on one scale, and below them a table of figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xplain import _check
from xplain.explanation import Attribution, Comparison, Explanation, Heatmap
from xplain.explanation.characters import one_line
from xplain.explanation.comparison import align_columns, cell
from xplain.renderers.canvas.page import Page
from xplain.renderers.canvas.picture import Picture, stacked
from xplain.renderers.canvas.scale import Extent, choose
from xplain.renderers.image import drawing as image_drawing

Note = tuple[str, str]

_FULL = "full colour"
_NOTE = (_FULL, "value that gets it; each map is divided by its own, so that one scale holds for all")
_ACROSS = 84  # characters of figures beside each other in pixels, with two between columns
_STYLE = (
    "body { font: 15px/1.5 system-ui, sans-serif; margin: 24px; color: rgb(33, 37, 41) } "
    "table { border-collapse: collapse; margin: 16px 0 } "
    "th, td { padding: 2px 12px; text-align: right; border-bottom: 1px solid rgb(222, 226, 230) } "
    "th:first-child, td:first-child { text-align: left } img { max-width: 100%; height: auto }"
)


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonPicture(Picture):
    """A picture of maps above a table, whose HTML page holds the table as one.

    Parameters
    ----------
    pixels, alt
        As for `Picture`.
    maps : Picture
        The maps alone.
    header : tuple of str
        The table's headings.
    cells : tuple of tuple of str
        Its rows.
    lines : tuple of str
        The table as aligned text.
    notes : tuple of (str, str)
        Headings and what they mean.
    """

    maps: Picture
    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]
    notes: tuple[Note, ...]

    def html(self) -> bytes:
        """Write one self-contained HTML page, without script: the maps, the table and its notes."""
        import html

        head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in self.header)
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(one)}</td>' for one in row)}</tr>\n" for row in self.cells)
        notes = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(note)}</dd>\n" for name, note in self.notes)
        said = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n<dl>\n{notes}</dl>\n"
        page = self.maps.html().decode("utf-8")
        page = page.replace("</head>", f"<style>{_STYLE}</style>\n</head>", 1)
        before, _, after = page.rpartition("</body>")
        return f"{before}{said}</body>{after}".encode("utf-8", "replace")

    def text(self) -> bytes:
        """Write the table as UTF-8 text."""
        lines = [self.maps.alt, "", *self.lines, "", *_lines(self.notes)]
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def draw(comparison: Comparison, image: Any = None, *, time: bool = True, **style: Any) -> ComparisonPicture:
    """Draw explanations of one prediction and their figures.

    Parameters
    ----------
    comparison : Comparison
        Its explanations are of one image, with a heat map each.
    image : uint8 array (height, width, 3), optional
        The photo; what the explanations hold of it if left out.
    time : bool
        Whether the seconds that each method took are in the table.
    **style
        As for `xplain.renderers.image.drawing.draw`; ``scale`` is the share of the full colour, 1 if left out.

    Returns
    -------
    ComparisonPicture
        Each map is divided by the value that would get the full colour in a picture of its own.

    Raises
    ------
    InputError
        If an explanation holds no heat map, or several.
    """
    explanations = comparison.explanations
    limits = [_limit(explanation) for explanation in explanations]
    scaled = [_divided(one, limit) for one, limit in zip(explanations, limits, strict=True)]
    maps = image_drawing.draw(scaled, image, **{"scale": 1.0, **style})
    figures = [{**row, _FULL: limit} for row, limit in zip(comparison.rows(time=time), limits, strict=True)]
    header = tuple(figures[0])
    cells = tuple(tuple(cell(value) for value in row.values()) for row in figures)
    refused = ((method, f"refused: {reason}") for method, reason in comparison.refused.items())
    said = tuple((one_line(name), one_line(note)) for name, note in [*comparison.notes, *refused, _NOTE])
    page = Page(style.get("font"))
    for columns in _parts(header, cells):
        page.table([header[i] for i in columns], [[row[i] for i in columns] for row in cells])
        page.space()
    for name, note in said:
        page.field(name, note)
    lines = tuple(align_columns(figures))
    below = Picture(page.pixels(), " ".join([*lines, *_lines(said)]))
    both = stacked([maps, below])
    return ComparisonPicture(both.pixels, both.alt, maps, header, cells, lines, said)


def _lines(notes: Sequence[Note]) -> list[str]:
    return [f"{name}: {note}" for name, note in notes]


def _parts(header: Sequence[str], cells: Sequence[Sequence[str]]) -> list[list[int]]:
    """Columns of the tables that figures are divided into, so that none is too wide; the first is in all."""
    widths = [2 + max(len(row[i]) for row in [header, *cells]) for i in range(len(header))]
    parts = [[0]]
    for i in range(1, len(header)):
        if len(parts[-1]) > 1 and sum(widths[j] for j in parts[-1]) + widths[i] > _ACROSS:
            parts.append([0])
        parts[-1].append(i)
    return parts


def _limit(explanation: Explanation) -> float | None:
    """The value that gets the full colour where a map is drawn alone; None for a map with nothing in it."""
    attribution, heatmap = _map_of(explanation)
    found = choose([Extent.of(heatmap.values, attribution.target.score)], None)
    return None if found is None else found.limit


def _divided(explanation: Explanation, limit: float | None) -> Explanation:
    if limit is None:
        return explanation
    attribution, heatmap = _map_of(explanation)
    return replace(
        explanation, attributions=(replace(attribution, evidence=Heatmap(heatmap.values / np.float32(limit))),)
    )


def _map_of(explanation: Explanation) -> tuple[Attribution, Heatmap]:
    found = [(one, one.evidence) for one in explanation.attributions if isinstance(one.evidence, Heatmap)]
    if len(found) != 1 or len(explanation.attributions) != 1:
        raise _check.wrong("explanations", "of one heat map each", list(explanation.attributions))
    return found[0]
