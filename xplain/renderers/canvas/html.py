"""Pieces of HTML that hold what other people wrote."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from xplain.explanation.characters import one_line, visible
from xplain.renderers.canvas.colours import Colour


def escaped(text: str, *, lines: bool = False) -> str:
    r"""Make text harmless between tags and in quoted attributes; on one line unless its lines are wanted.

    Examples
    --------
    >>> escaped('<b title="x">\n')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(visible(text) if lines else one_line(text))


def background(colour: Colour, opacity: float = 1.0) -> str:
    """A style; notebooks and light or dark pages take rgba."""
    red, green, blue = colour
    return f"background-color: rgba({red}, {green}, {blue}, {opacity:g})"


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows; wider than the page, it is scrolled, with keys too."""
    head = "".join(f'<th scope="col" dir="auto">{escaped(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row" dir="auto">{escaped(first)}</th>'
        + "".join(f"<td>{escaped(cell)}</td>" for cell in others)
        + "</tr>\n"
        for first, *others in rows
    )
    named = escaped(caption)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{named}"><table><caption>{named}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )
