r"""Texts of several parts, such as the subject, body and signature of each message of a conversation.

A classifier reads one text, and a document places words in one part. So parts are joined, and ranges are converted
between the whole text and a part. Empty parts are left out, and a blank line separates the others, so no word spans two
parts::

    text, parts = join([("messages[0].subject", "Order 7"), ("messages[0].body", "Where is it?")])
    source = Source("text", text=text, parts=parts)
    in_text(source, Span(0, 5, part="messages[0].body"))      # (9, 14)
    in_part(source.parts, 9, 14)                              # Span(0, 5, part="messages[0].body")
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from xplain.errors import InputError
from xplain.explanation.core import Source
from xplain.explanation.regions import Part, Span

SEPARATOR = "\n\n"
"""Stands between two parts of a joined text."""

#: Characters outside the basic plane, which take four bytes of UTF-16, not two.
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def join(texts: Iterable[tuple[str, str]]) -> tuple[str, tuple[Part, ...]]:
    r"""Join named texts to one text, and return where each of them is.

    Parameters
    ----------
    texts : iterable of (str, str)
        Name and text of each part; an empty text makes no part.

    Returns
    -------
    text : str
        The texts with `SEPARATOR` between them.
    parts : tuple of Part
        The range of each text that is not empty.

    Examples
    --------
    >>> join([("subject", "Order 7"), ("body", ""), ("signature", "Ann")])
    ('Order 7\n\nAnn', (Part(name='subject', start=0, stop=7), Part(name='signature', start=9, stop=12)))
    """
    not_empty: list[str] = []
    parts: list[Part] = []
    start = 0
    for name, text in texts:
        if text:
            not_empty.append(text)
            parts.append(Part(name, start, start + len(text)))
            start += len(text) + len(SEPARATOR)
    return SEPARATOR.join(not_empty), tuple(parts)


def in_text(source: Source, span: Span) -> tuple[int, int] | None:
    """Return the half-open range of code points that a span covers in the whole text.

    Parameters
    ----------
    source : Source
        A text, with its parts.
    span : Span
        A span in any unit, of the whole text or of a part.

    Returns
    -------
    (int, int) or None
        None if the text is unknown, has no such part, ends before the span, or if the span splits a character.

    Examples
    --------
    >>> source = Source("text", text="🙂 ok", parts=[Part("body", 0, 4)])
    >>> in_text(source, Span(6, 10, "utf16_byte", part="body"))
    (2, 4)
    """
    if source.text is None:
        return None
    start, stop = 0, len(source.text)
    if span.part is not None:
        part = next((part for part in source.parts if part.name == span.part), None)
        if part is None:
            return None
        start, stop = part.start, part.stop
    try:
        converted = span.to("codepoint", source.text[start:stop])
    except InputError:
        return None
    return (start + converted.start, start + converted.stop) if start + converted.stop <= stop else None


def in_part(parts: Sequence[Part], start: int, stop: int) -> Span | None:
    """Return a range of the whole text as a span of the part that holds it, in code points.

    Parameters
    ----------
    parts : sequence of Part
        In the order of the text.
    start, stop : int
        Half-open range of code points in the whole text.

    Returns
    -------
    Span or None
        None if no part holds the whole range.

    Examples
    --------
    >>> in_part([Part("subject", 0, 7), Part("body", 9, 21)], 9, 14)
    Span(start=0, stop=5, unit='codepoint', part='body')
    """
    index = bisect_right(parts, start, key=lambda part: part.start) - 1
    if index < 0 or stop > parts[index].stop:
        return None
    part = parts[index]
    return Span(start - part.start, stop - part.start, part=part.name)


class Utf16:
    """Offsets of the code points of a text in its UTF-16 encoding.

    A character outside the basic plane takes four bytes, any other takes two. Only the former are stored, so an offset
    is found in logarithmic time.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> utf16 = Utf16("a🙂b")
    >>> [utf16.byte(position) for position in range(4)]
    [0, 2, 6, 8]
    """

    def __init__(self, text: str) -> None:
        self._astral = [] if text.isascii() else [match.start() for match in _ASTRAL.finditer(text)]

    def byte(self, position: int) -> int:
        """Return the number of bytes before a code point."""
        return 2 * (position + bisect_left(self._astral, position))
