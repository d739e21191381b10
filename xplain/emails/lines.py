"""Lines of a mail's body, with what their markup says about them; and plain text as such lines."""

from __future__ import annotations

import re
from typing import NamedTuple

# "> > text", ">>text", " > text"; what follows a quoted mark may be indented.
_QUOTE = re.compile(r" ?(?:>[ \t]?)+")
_MBOX_FROM = re.compile(r">From \S")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Line(NamedTuple):
    """One line.

    Parameters
    ----------
    text : str
        Without marks of quoting and without its end.
    depth : int
        How many times it is quoted.
    signature : bool
        Whether markup says that it belongs to a signature.
    header : bool
        Whether markup says that a header of an earlier message begins here.
    """

    text: str
    depth: int = 0
    signature: bool = False
    header: bool = False


def clean(text: str) -> str:
    """Write line ends as a line feed, and halves of surrogate pairs as U+FFFD: no UTF encodes them."""
    return _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def plain_lines(text: str) -> list[Line]:
    r"""Split plain text into lines; a leading ``>`` quotes.

    Examples
    --------
    >>> [(line.depth, line.text) for line in plain_lines("No.\n> Yes?\n>> Maybe.\n>From now on")]
    [(0, 'No.'), (1, 'Yes?'), (2, 'Maybe.'), (0, 'From now on')]
    """
    found = []
    for line in text.split("\n"):
        if _MBOX_FROM.match(line):  # how mailboxes escape "From " at the start of a line
            found.append(Line(line[1:].rstrip()))
            continue
        mark = _QUOTE.match(line)
        found.append(Line(line[mark.end() :].rstrip(), mark[0].count(">")) if mark else Line(line.rstrip()))
    return found
