"""Where scored words stand in a text.

Documents place a word by its code points, by its position among the words between white space, or not at all. A place
counts if the word stands there but for case; if not, the next way is tried.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from xplain.explanation import Word

__all__ = ["Run", "joined", "place"]

Range = tuple[int, int]

_GAP = "…"


@dataclass(frozen=True, slots=True)
class Run:
    """A half-open range of code points and the word that it shows; None for what lies between words."""

    start: int
    stop: int
    word: Word | None


def place(text: str, words: Sequence[Word]) -> tuple[tuple[Run, ...], tuple[Word, ...]]:
    """Divide a text into words and what lies between them.

    Parameters
    ----------
    text : str
        The text that was explained.
    words : sequence of Word
        With start and stop, or index, or neither: then the only word of its spelling is at all its occurrences, and the
        first of several at the first one.

    Returns
    -------
    runs : tuple of Run
        They follow each other from 0 to ``len(text)``. Where words overlap, the one with the larger |score| shows.
    missing : tuple of Word
        Words that stand nowhere in the text.

    Examples
    --------
    >>> runs, missing = place("so good!", [Word("good", 0.5, index=1), Word("bad", -0.5)])
    >>> [("so good!"[run.start : run.stop], run.word and run.word.score) for run in runs]
    [('so ', None), ('good', 0.5), ('!', None)]
    >>> [word.text for word in missing]
    ['bad']
    """
    found = _Places(text).of(words)
    owner = np.full(len(text), -1, dtype=np.int64)
    for i in sorted(range(len(words)), key=lambda i: abs(words[i].score)):
        for start, stop in found[i]:
            owner[start:stop] = i
    edges = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(text)] if text else []
    runs = tuple(
        Run(start, stop, words[owner[start]] if owner[start] >= 0 else None) for start, stop in pairwise(edges)
    )
    return runs, tuple(word for word, ranges in zip(words, found, strict=True) if not ranges)


def joined(words: Iterable[Word]) -> tuple[str, tuple[Word, ...]]:
    """Put words in their order where the text is not known, with an ellipsis for what is missing between them.

    Examples
    --------
    >>> joined([Word("saved", 0.5, index=7), Word("not", -0.5, index=3), Word("good,", 0.1, index=4)])[0]
    '… not good, … saved'
    """
    ordered = sorted(words, key=_position)
    parts: list[str] = []
    placed = []
    length = 0
    before: Word | None = None
    for word in ordered:
        between = _between(before, word)
        parts += [between, word.text]
        start = length + len(between)
        length = start + len(word.text)
        placed.append(replace(word, start=start, stop=length))
        before = word
    return "".join(parts), tuple(placed)


class _Places:
    """Finds words in one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._used: dict[int, int] = {}  # where the last piece of a word between white space ended
        self._inside: dict[str, list[Range]] = {}

    def of(self, words: Sequence[Word]) -> list[list[Range]]:
        entries = Counter(word.text for word in words if word.index is None and word.start is None)
        seen: Counter[str] = Counter()
        found = []
        for word in words:
            ranges = self._by_range(word) or self._by_index(word)
            if not ranges and word.index is None:
                ranges = self._occurrences(word.text)
                if entries[word.text] > 1:
                    ranges = ranges[seen[word.text] : seen[word.text] + 1]
                    seen[word.text] += 1
            found.append(ranges)
        return found

    def _by_range(self, word: Word) -> list[Range]:
        if word.start is None or word.stop is None:
            return []
        there = self._text[word.start : word.stop]
        return [(word.start, word.stop)] if there and there.casefold() == word.text.casefold() else []

    def _by_index(self, word: Word) -> list[Range]:
        """In the word of this position; where another stands there, the index counts the occurrences of the word."""
        if word.index is None or not word.text:
            return []
        if word.index < len(self._split):
            start, stop = self._split[word.index]
            at = self._text.find(word.text, max(start, self._used.get(word.index, 0)), stop)
            if at >= 0:
                self._used[word.index] = at + len(word.text)
                return [(at, at + len(word.text))]
            if _bare(self._text, start, stop)[0] == _bare(word.text)[0]:
                return [(start, stop)]
        return self._occurrences(word.text)[word.index : word.index + 1]

    def _occurrences(self, word: str) -> list[Range]:
        if not word or unicodedata.east_asian_width(word[0]) not in "WF":
            return self._whole.get(_bare(word)[0], [])
        if word not in self._inside:  # no spaces around words
            self._inside[word] = [match.span() for match in re.finditer(re.escape(word), self._text)]
        return self._inside[word]

    @cached_property
    def _split(self) -> list[Range]:
        return [match.span() for match in re.finditer(r"\S+", self._text)]

    @cached_property
    def _whole(self) -> dict[str, list[Range]]:
        whole: dict[str, list[Range]] = {}
        for start, stop in self._split:
            name, *range_ = _bare(self._text, start, stop)
            whole.setdefault(name, []).append((range_[0], range_[1]))
        return whole


def _bare(text: str, start: int = 0, stop: int | None = None) -> tuple[str, int, int]:
    """A word without case and without the punctuation around it, and its range."""
    first, last = start, len(text) if stop is None else stop
    while first < last and not text[first].isalnum():
        first += 1
    while last > first and not text[last - 1].isalnum():
        last -= 1
    if first == last:
        first, last = start, len(text) if stop is None else stop
    return text[first:last].casefold(), first, last


def _position(word: Word) -> tuple[float, float]:
    unknown = float("inf")
    return (
        unknown if word.index is None else word.index,
        unknown if word.start is None else word.start,
    )


def _between(before: Word | None, word: Word) -> str:
    """What to write before a word: nothing or a space where that is known, else an ellipsis."""
    if word.start is not None:
        stop = 0 if before is None else before.stop
        if stop is not None and word.start - stop <= (before is not None):
            return " " * max(0, word.start - stop)
    elif word.index is not None:
        index = -1 if before is None else before.index
        if index is not None and word.index - index <= 1:
            return "" if before is None or word.index == index else " "
    return f"{_GAP} " if before is None else f" {_GAP} "
