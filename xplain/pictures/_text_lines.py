"""Lines of a text: where each piece of a word stands, as wide as its letters."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from xplain.pictures._text_characters import HIDDEN
from xplain.pictures._text_place import Run
from xplain.pictures._type import fitted

__all__ = ["Line", "Piece", "Setting", "wrapped"]

# Scripts that write no spaces, after whose characters a line may end: kana, Han.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    "(?P<end>\r\n|[\n\x85\u2028\u2029])|"
    f"(?P<hidden>{HIDDEN.pattern})|"
    f"(?P<space>\\s)|(?P<word>[{_UNSPACED}]|(?:(?!{HIDDEN.pattern})[^\\s{_UNSPACED}])+)"
)
_TAB = 4  # spaces
_LETTER = 0.6  # width of a letter that the font lacks, in heights of text


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters of one run, without white space.

    Parameters
    ----------
    text : str
        The characters.
    run : int
        Index of the run that they are in.
    width : float
        In pixels.
    boxed : bool
        Whether they are one character that is drawn as a box with its code point.
    x : float
        In pixels from the start of the line.
    """

    text: str
    run: int
    width: float
    boxed: bool
    x: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces from left to right, and the position in the text after the last character."""

    pieces: tuple[Piece, ...]
    stop: int


@dataclass(frozen=True, slots=True)
class Setting:
    """How text is set.

    Parameters
    ----------
    size : int
        Height of text in pixels.
    font : str or None
        A font file.
    letters : bool
        Whether the viewer has letters for the characters that fonts lack here; else they become boxes.
    """

    size: int
    font: str | None
    letters: bool

    @property
    def space(self) -> float:
        """Width of a space."""
        return fitted("a a", self.size, self.font)[2] - fitted("aa", self.size, self.font)[2]

    def box_width(self, character: str) -> float:
        """Width of a box with a code point of two, four or six digits in two rows."""
        return self.size * (0.7 if ord(character) < 0x100 else 0.9 if ord(character) < 0x10000 else 1.2)


def wrapped(text: str, runs: Sequence[Run], room: float, setting: Setting) -> Iterator[Line]:
    """Break a text that runs cover into lines, ``room`` pixels wide."""
    starts = [run.start for run in runs]
    space = setting.space
    line: list[Piece] = []
    x = 0.0
    for match in _TOKEN.finditer(text):
        if match["end"]:
            yield Line(tuple(line), match.end())
            line, x = [], 0.0
            continue
        if match["space"]:
            x += space * (_TAB if match[0] == "\t" else 1)
            continue
        pieces = list(_pieces(match, starts, runs, setting))
        width = sum(piece.width for piece in pieces)
        if width > room:  # even on a line of its own
            pieces = [part for piece in pieces for part in _characters(piece, setting)]
        at = match.start()
        for piece in pieces:
            # A word that fits on a line stays whole.
            if line and x + (piece.width if width > room or at > match.start() else width) > room:
                yield Line(tuple(line), at)
                line, x = [], 0.0
            line.append(replace(piece, x=x))
            x += piece.width
            at += len(piece.text)
    if line:
        yield Line(tuple(line), len(text))


def _pieces(match: re.Match[str], starts: Sequence[int], runs: Sequence[Run], setting: Setting) -> Iterator[Piece]:
    """Divide a token by runs, and the characters that have letters from those that have not."""
    start, run = match.start(), bisect_right(starts, match.start()) - 1
    while start < match.end():
        stop = min(match.end(), runs[run].stop)
        for part, width, boxed in _measured(match.string[start:stop], bool(match["hidden"]), setting):
            yield Piece(part, run, width, boxed)
        start, run = stop, run + 1


def _characters(piece: Piece, setting: Setting) -> Iterator[Piece]:
    if piece.boxed:
        yield piece
        return
    for character in piece.text:
        for part, width, boxed in _measured(character, False, setting):
            yield Piece(part, piece.run, width, boxed)


@lru_cache(maxsize=4096)
def _measured(text: str, hidden: bool, setting: Setting) -> tuple[tuple[str, float, bool], ...]:
    """Parts of a text with their widths, and whether each is one character in a box."""
    if hidden:
        return ((text, setting.box_width(text), True),)
    parts: list[tuple[str, float, bool]] = []
    for lacking, group in groupby(zip(text, fitted(text, setting.size, setting.font)[1], strict=True), _lacks):
        part = "".join(character for character, _ in group)
        if not lacking:
            parts.append((part, fitted(part, setting.size, setting.font)[2], False))
        elif setting.letters:
            parts.append((part, sum(map(_letter_width, part)) * setting.size, False))
        else:
            parts += [(c, setting.box_width(c), True) for c in part if not _is_invisible(c)]
    if setting.letters:  # whole, since letters may join
        return ((text, sum(width for _, width, _ in parts), False),)
    return tuple(parts)


def _lacks(pair: tuple[str, str]) -> bool:
    """Whether a character would be replaced by more than a letter without its accents."""
    character, written = pair
    return written != character and unicodedata.normalize("NFD", character)[0] != written


def _letter_width(character: str) -> float:
    if _is_invisible(character) or unicodedata.combining(character):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else _LETTER


def _is_invisible(character: str) -> bool:
    """Joiners, marks of direction and variation selectors."""
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"
