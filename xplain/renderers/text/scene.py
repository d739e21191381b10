"""What a picture of texts shows, before it is known whether as HTML, pixels, SVG or letters on a terminal."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, Word, WordScores
from xplain.renderers.canvas.colours import MIDDLE, Cmap, Colour, colour_table
from xplain.renderers.canvas.scale import Extent, Scale, choose
from xplain.renderers.canvas.typography import PAPER
from xplain.renderers.targets import select_attributions
from xplain.renderers.text.entities import Entity, Passage, found_in, passages

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


#: Opacity of the strongest words: text stays readable on it, black on white as well as white on black.
_MOST_OPAQUE = 0.62
_DIGITS = 3
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Tint:
    """How scores colour words: one colour for each sign, the more opaque the larger the score.

    Parameters
    ----------
    against, favour : tuple of int
        RGB of negative and positive scores.
    limit : float
        |Score| from which on the colour is strongest.
    """

    against: Colour
    favour: Colour
    limit: float

    @classmethod
    def of(cls, cmap: Cmap, limit: float) -> Tint:
        """Take the most vivid colour of each half of a diverging map."""
        colours = colour_table(cmap)
        vivid = np.ptp(colours.astype(np.int64), axis=1)
        low = colours[1:MIDDLE][::-1][int(vivid[1:MIDDLE][::-1].argmax())]
        high = colours[MIDDLE:][int(vivid[MIDDLE:].argmax())]
        return cls(_colour(low), _colour(high), limit)

    def share(self, score: float) -> float:
        """|Score| as a share of the limit, 0..1."""
        return min(abs(score) / self.limit, 1.0)

    def opacity(self, score: float) -> float:
        """Opacity in steps of 0.01."""
        return round(_MOST_OPAQUE * self.share(score), 2)

    def hue(self, score: float) -> Colour:
        """Colour of a score's sign."""
        return self.against if score < 0 else self.favour

    def on_paper(self, score: float) -> Colour:
        """What a score looks like on white."""
        weight = self.opacity(score)
        red, green, blue = (round(p + (c - p) * weight) for p, c in zip(PAPER, self.hue(score), strict=True))
        return red, green, blue


@dataclass(frozen=True, slots=True)
class Section:
    """One attribution.

    Parameters
    ----------
    attribution : Attribution
        Its evidence is WordScores.
    text : str
        What was explained; if the document does not say, the scored words alone.
    known : bool
        Whether it does.
    runs : tuple of Run
        The text, divided.
    missing : tuple of Word
        Words that stand nowhere in the text.
    extent : Extent
        Of the scores.
    """

    attribution: Attribution
    text: str
    known: bool
    runs: tuple[Run, ...]
    missing: tuple[Word, ...]
    extent: Extent

    @property
    def words(self) -> tuple[Word, ...]:
        """All words, placed or not."""
        assert isinstance(self.attribution.evidence, WordScores)
        return self.attribution.evidence.words

    def strongest(self, count: int) -> list[Word]:
        """Words by decreasing |score|, in the order of the document where that is equal; none that rounds to zero."""
        if self.blank_reason:
            return []
        words = (word for word in self.words if self.rounded(word.score))
        return sorted(words, key=lambda word: -abs(word.score))[:count]

    def rounded(self, score: float) -> float:
        """A score to the last of the three digits of the largest one."""
        largest = self.extent.largest
        return round(score, _DIGITS - 1 - math.floor(math.log10(largest))) if largest else 0.0

    @property
    def blank_reason(self) -> str:
        """Why there is nothing to see, or an empty string."""
        return self.extent.blank_reason if self.words else "no evidence: no word has a score"


@dataclass(frozen=True, slots=True)
class Part:
    """One explanation.

    Parameters
    ----------
    explanation : Explanation
        Where it comes from.
    text : str or None
        If it is known.
    sections : tuple of Section
        One for each attribution that is drawn.
    entities : tuple of Entity
        What predictions find in the text.
    passages : tuple of Passage
        The text, divided by its parts and by entities; empty if it is not known.
    """

    explanation: Explanation
    text: str | None
    sections: tuple[Section, ...]
    entities: tuple[Entity, ...] = ()
    passages: tuple[Passage, ...] = ()

    @property
    def shows_text(self) -> bool:
        """Whether there is something to show of the text beside its sections."""
        return bool(self.passages) and bool(self.entities or not self.sections)


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn, and a note below it. Without a scale there is nothing to see in any section, and no tint."""

    parts: tuple[Part, ...]
    kind: str
    scale: Scale | None
    tint: Tint | None
    note: str = ""

    @property
    def sections(self) -> list[Section]:
        """The sections of all parts."""
        return [section for part in self.parts for section in part.sections]

    def tint_of(self, section: Section) -> Tint | None:
        """The tint, unless there is nothing to see in the section; the caller's own scale shows it as it is."""
        return self.tint if self.scale is not None and (self.scale.fixed or not section.blank_reason) else None


def build(
    subjects: Sequence[Explanation], texts: Any, kind: str, target: int | str | None, cmap: Cmap, scale: Any
) -> Scene:
    """Choose the attributions, place their words and give them one scale.

    Raises
    ------
    InputError, UnknownNameError
        If a text does not fit, evidence is not of a text, or no attribution has this target.
    """
    parts = tuple(
        _part(explanation, text, name, target)
        for explanation, (name, text) in zip(subjects, _texts(texts, subjects), strict=True)
    )
    extents = [section.extent for part in parts for section in part.sections if section.words]
    chosen_scale = choose(extents, scale) if extents else None
    tint = None if chosen_scale is None else Tint.of(cmap, chosen_scale.limit)
    return Scene(parts, kind, chosen_scale, tint)


def _texts(texts: Any, subjects: Sequence[Explanation]) -> list[tuple[str, str | None]]:
    """For each explanation the text that the caller gave, and what messages call it."""
    if texts is None:
        return [("text", None)] * len(subjects)
    several = isinstance(texts, (list, tuple))
    given = list(texts) if several else [texts] * len(subjects)
    if len(given) != len(subjects):
        raise InputError(f"text must be one text, or one for each explanation ({len(subjects)}), got {len(given)}")
    names = [f"text[{i}]" if several else "text" for i in range(len(given))]
    return [
        (name, None if text is None and several else _check.string(name, text))
        for name, text in zip(names, given, strict=True)
    ]


def _part(explanation: Explanation, given: str | None, name: str, target: int | str | None) -> Part:
    text = explanation.source.text if given is None else given
    sections = tuple(
        _section(attribution, text) for attribution in select_attributions(explanation.attributions, target)
    )
    for section in sections:
        if given is not None and section.words and len(section.missing) == len(section.words):
            raise InputError(
                f"{name} must be the one that was explained, got one with none of the {len(section.words)} words, "
                f"such as {section.words[0].text!r}"
            )
    entities = found_in(explanation, text)
    return Part(explanation, text, sections, entities, passages(explanation.source, text, entities))


def _section(attribution: Attribution, text: str | None) -> Section:
    evidence = attribution.evidence
    if not isinstance(evidence, WordScores):
        raise InputError(f"evidence must be WordScores to be drawn on a text, got {type(evidence).__name__}")
    scores = np.clip([word.score for word in evidence.words], -_LARGEST, _LARGEST).astype(np.float32)[np.newaxis]
    extent = Extent.of(scores, attribution.target.score)
    shown, words = joined(evidence.words) if text is None else (text, evidence.words)
    return Section(attribution, shown, text is not None, *place(shown, words), extent)


def _colour(row: npt.NDArray[np.uint8]) -> Colour:
    red, green, blue = (int(channel) for channel in row)
    return red, green, blue
