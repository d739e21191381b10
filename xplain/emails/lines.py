"""The lines of a mail's body: how deep each is quoted, and what markup says of it.

Plain text and HTML (`xplain.emails.html`) become the same lines, so that `xplain.emails.thread` splits both alike.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# "> > text", ">>text", " > text"; only one space after a mark belongs to it: the quoted text may be indented.
_QUOTE_MARKS = re.compile(r" ?(?:>[ \t]?)+")
_MBOX_FROM = re.compile(r">From \S")
#: Characters without width, most of which set the direction of the text beside them.
DIRECTION_MARKS = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OPEN_LINK = re.compile(r"<(?:https?://|mailto:)[^<>\s]*+$")
_MAX_LINK = 2_000  # characters of a link
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
    attribution : bool
        Whether markup says that it belongs to the line that introduces a quote ("On Monday, Ann wrote:").
    """

    text: str
    depth: int = 0
    signature: bool = False
    header: bool = False
    attribution: bool = False


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
    new = tuple.__new__  # a third of the time of Line(...), for bodies of a million lines
    for line in text.split("\n"):
        if not line.startswith((">", " >")):
            lines.append(new(Line, (line.rstrip(), 0, False, False, False)))
        elif _MBOX_FROM.match(line):  # how mailboxes escape "From " at the start of a line
            lines.append(Line(line[1:].rstrip()))
        elif line.rstrip().endswith("<<"):  # an ornament
            lines.append(Line(line.rstrip()))
        elif lines and lines[-1].text and not lines[-1].depth and _OPEN_LINK.search(lines[-1].text[-_MAX_LINK:]):
            lines[-1] = Line(lines[-1].text + line.strip())  # the client broke the line within "<http://a.org>"
        elif marks := _QUOTE_MARKS.match(line):
            lines.append(Line(line[marks.end() :].rstrip(), marks[0].count(">")))
    return lines


def flowed_lines(text: str, joined_words: bool) -> list[Line]:
    r"""Split text of ``format=flowed`` into lines, and join those that were broken (RFC 3676).

    A line that ends in a space goes on in the next one of its depth. With ``joined_words`` (``delsp=yes``) that space
    is none of the text's.

    Examples
    --------
    >>> [(line.depth, line.text) for line in flowed_lines("> One  \n> two.\nThr \nee", joined_words=True)]
    [(1, 'One two.'), (0, 'Three')]
    """
    lines: list[Line] = []
    pieces: list[str] = []  # of the line that is being joined
    depth = 0
    for source in text.split("\n"):
        if _MBOX_FROM.match(source):
            source = source[1:]
        content = source.lstrip(">")
        marks = len(source) - len(content)
        content = content.removeprefix(" ")  # a space may be stuffed before any line
        if quoted := _QUOTE_MARKS.match(content):  # "> > text" and " > text", of clients that do not know better
            marks, content = marks + quoted[0].count(">"), content[quoted.end() :]
        is_dashes = content == "-- "
        if pieces and (marks != depth or is_dashes):
            lines.append(Line("".join(pieces).rstrip(), depth))
            pieces = []
        depth = marks
        if content.endswith(" ") and not is_dashes:
            pieces.append(content[:-1] if joined_words else content)
        else:
            lines.append(Line("".join([*pieces, content]).rstrip(), depth))
            pieces = []
    return [*lines, Line("".join(pieces).rstrip(), depth)] if pieces else lines
