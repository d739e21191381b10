"""HTML fragments built from untrusted text: names, labels and values of documents.

Everything that a document holds passes through `escaped`, which also makes control characters visible.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from xplain.explanation.characters import one_line, visible
from xplain.renderers.canvas.colours import Colour


def escaped(text: str, *, lines: bool = False) -> str:
    r"""Escape text for elements and quoted attributes; line breaks become spaces unless ``lines`` keeps them.

    Examples
    --------
    >>> escaped('<b title="x">\n')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return html.escape(visible(text) if lines else one_line(text))


def background(colour: Colour, opacity: float = 1.0) -> str:
    """CSS of a background; rgba blends with the light or dark page below, in notebooks too."""
    red, green, blue = colour
    return f"background-color: rgba({red}, {green}, {blue}, {opacity:g})"


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column heads its rows. A wide one scrolls, by keyboard too (hence the ``tabindex``)."""
    head = "".join(f'<th scope="col" dir="auto">{escaped(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row" dir="auto">{escaped(first)}</th>'
        + "".join(f"<td>{escaped(cell)}</td>" for cell in others)
        + "</tr>\n"
        for first, *others in rows
    )
    title = escaped(caption)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{title}"><table><caption>{title}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )
