"""The lines of a mail's body: how deep each is quoted, and whether markup makes it part of a signature or a header.

Plain text and HTML (`xplain.emails.html`) become the same lines, so that `xplain.emails.thread` splits both alike.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# "> > text", ">>text", " > text"; only one space after a mark belongs to it: the quoted text may be indented.
_QUOTE_MARKS = re.compile(r" ?(?:>[ \t]?)+")
_MBOX_FROM = re.compile(r">From \S")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Line(NamedTuple):
    """One line of a body.

    Parameters
    ----------
    text : str
        Without quote marks and without its line end.
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
    """Normalise line ends to a line feed, and replace unpaired surrogates by U+FFFD: no UTF encodes them."""
    return _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def plain_lines(text: str) -> list[Line]:
    r"""Split plain text into lines; each leading ``>`` quotes a line once more.

    Examples
    --------
    >>> [(line.depth, line.text) for line in plain_lines("No.\n> Yes?\n>> Maybe.\n>From now on")]
    [(0, 'No.'), (1, 'Yes?'), (2, 'Maybe.'), (0, 'From now on')]
    """
    lines = []
    for line in text.split("\n"):
        if _MBOX_FROM.match(line):  # how mailboxes escape "From " at the start of a line
            lines.append(Line(line[1:].rstrip()))
            continue
        marks = _QUOTE_MARKS.match(line)
        lines.append(Line(line[marks.end() :].rstrip(), marks[0].count(">")) if marks else Line(line.rstrip()))
    return lines
