"""What a picture of explained texts shows, whatever it is drawn as: HTML, pixels, SVG or characters on a terminal.

`build` makes a `Scene`: an `ExplainedText` for each explanation, in it a `Section` for each attribution, all on one
scale. The modules that draw a scene only lay it out, so that all kinds of file show the same.

Documents locate scored words by range, by index or by spelling alone. `find_words` finds them all in the text;
`join_words` makes up a text where the document does not hold it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, Word, WordScores
from xplain.explanation.notes import Notes, NotesOf, remarks
from xplain.renderers.canvas.colours import MIDDLE, Cmap, Colour, colour_table
from xplain.renderers.canvas.scale import Extent, Scale, choose
from xplain.renderers.canvas.typography import PAPER
from xplain.renderers.targets import select_attributions
from xplain.renderers.text.entities import Entity, Passage, find_entities, passages
from xplain.renderers.text.style import Style

Range = tuple[int, int]  # half-open, in code points

# Opacity of the strongest words: text stays readable on it, black on white as well as white on black.
_MAX_OPACITY = 0.62
_DIGITS = 3  # of the largest score
_MAX_FLOAT32 = float(np.finfo(np.float32).max)
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Run:
    """A half-open range of code points and the word that it shows; None for what lies between words."""

    start: int
    stop: int
    word: Word | None


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
        vividness = np.ptp(colours.astype(np.int64), axis=1)
        # From the middle outwards, so that of equally vivid colours the one nearer to zero is taken.
        against = colours[1:MIDDLE][::-1][int(vividness[1:MIDDLE][::-1].argmax())]
        favour = colours[MIDDLE:][int(vividness[MIDDLE:].argmax())]
        return cls(_rgb(against), _rgb(favour), limit)

    def share(self, score: float) -> float:
        """|Score| as a share of the limit, 0..1."""
        return min(abs(score) / self.limit, 1.0)

    def opacity(self, score: float) -> float:
        """Opacity of a score's colour, 0..1 in steps of 0.01."""
        return round(_MAX_OPACITY * self.share(score), 2)

    def hue(self, score: float) -> Colour:
        """Colour of a score's sign."""
        return self.against if score < 0 else self.favour

    def on_paper(self, score: float) -> Colour:
        """Colour of a score, blended with white paper."""
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
        The text that was explained; the scored words alone if it is not known.
    has_text : bool
        Whether the text is known.
    runs : tuple of Run
        The text, divided into words and what lies between them.
    missing : tuple of Word
        Words that were not found in the text.
    extent : Extent
        Of the scores.
    """

    attribution: Attribution
    text: str
    has_text: bool
    runs: tuple[Run, ...]
    missing: tuple[Word, ...]
    extent: Extent

    @property
    def words(self) -> tuple[Word, ...]:
        """All scored words, found in the text or not."""
        assert isinstance(self.attribution.evidence, WordScores)
        return self.attribution.evidence.words

    def strongest(self, count: int) -> list[Word]:
        """Words by decreasing |score|, in the order of the document where that is equal; none that rounds to zero."""
        if self.blank_reason:
            return []
        words = (word for word in self.words if self.round_score(word.score))
        return sorted(words, key=lambda word: -abs(word.score))[:count]

    def round_score(self, score: float) -> float:
        """Round a score to the last of the three digits of the largest one."""
        largest = self.extent.largest
        return round(score, _DIGITS - 1 - math.floor(math.log10(largest))) if largest else 0.0

    @property
    def blank_reason(self) -> str:
        """Why there is nothing to see, or an empty string."""
        return self.extent.blank_reason if self.words else "no evidence: no word has a score"

    @property
    def remarks(self) -> list[str]:
        """What was noted about the scores when they were computed, without the reason above."""
        return [remark for remark in remarks(self.attribution) if remark != self.blank_reason]


@dataclass(frozen=True, slots=True)
class ExplainedText:
    """One explanation.

    Parameters
    ----------
    explanation : Explanation
        What is drawn.
    text : str or None
        The text that was explained, if it is known.
    sections : tuple of Section
        One for each attribution that is drawn.
    entities : tuple of Entity
        What predictions mark in the text.
    passages : tuple of Passage
        The text, divided by its named parts and by entities; empty if it is not known.
    notes : Notes
        Of the explanation.
    """

    explanation: Explanation
    text: str | None
    sections: tuple[Section, ...]
    entities: tuple[Entity, ...] = ()
    passages: tuple[Passage, ...] = ()
    notes: Notes = field(default_factory=Notes)

    @property
    def shows_text(self) -> bool:
        """Whether the text is shown by itself, beside its sections."""
        return bool(self.passages) and bool(self.entities or not self.sections)


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn, and a note below it; scale and tint are None if no section has anything to see."""

    texts: tuple[ExplainedText, ...]
    kind: str
    scale: Scale | None
    tint: Tint | None
    note: str = ""

    @property
    def sections(self) -> list[Section]:
        """The sections of all texts."""
        return [section for explained in self.texts for section in explained.sections]

    def tint_of(self, section: Section) -> Tint | None:
        """The tint, unless there is nothing to see in the section; the caller's own scale shows it as it is."""
        return self.tint if self.scale is not None and (self.scale.fixed or not section.blank_reason) else None


def build(subjects: Sequence[Explanation], style: Style, notes_of: NotesOf) -> Scene:
    """Pick the attributions, find their words in the texts and choose one scale for them.

    Parameters
    ----------
    subjects : sequence of Explanation
        What is drawn.
    style : Style
        What the caller asks for.
    notes_of : callable
        Gives the notes of an explanation.

    Raises
    ------
    InputError, UnknownNameError
        If a text does not fit, evidence is not of a text, or no attribution has this target.
    """
    explained_texts = tuple(
        _explained_text(explanation, notes_of(explanation), text, name, style.target)
        for explanation, (name, text) in zip(subjects, _texts_by_name(style.text, len(subjects)), strict=True)
    )
    extents = [section.extent for explained in explained_texts for section in explained.sections if section.words]
    chosen_scale = choose(extents, style.scale) if extents else None
    tint = None if chosen_scale is None else Tint.of(style.cmap, chosen_scale.limit)
    return Scene(explained_texts, style.kind, chosen_scale, tint)


def _texts_by_name(texts: Any, count: int) -> list[tuple[str, str | None]]:
    """For each of ``count`` explanations the name of the caller's text in messages, and the text."""
    if texts is None:
        return [("text", None)] * count
    several = isinstance(texts, (list, tuple))
    each = list(texts) if several else [texts] * count
    if len(each) != count:
        raise InputError(f"text must be one text, or one for each explanation ({count}), got {len(each)}")
    names = [f"text[{i}]" if several else "text" for i in range(len(each))]
    return [
        (name, None if text is None and several else _check.string(name, text))
        for name, text in zip(names, each, strict=True)
    ]


def _explained_text(
    explanation: Explanation, notes: Notes, callers_text: str | None, name: str, target: int | str | None
) -> ExplainedText:
    text = explanation.source.text if callers_text is None else callers_text
    sections = tuple(
        _section(attribution, text) for attribution in select_attributions(explanation.attributions, target)
    )
    for section in sections:
        if callers_text is not None and section.words and len(section.missing) == len(section.words):
            raise InputError(
                f"{name} must be the one that was explained, got one with none of the {len(section.words)} words, "
                f"such as {section.words[0].text!r}"
            )
    entities = find_entities(explanation, notes, text)
    return ExplainedText(explanation, text, sections, entities, passages(explanation.source, text, entities), notes)


def _section(attribution: Attribution, text: str | None) -> Section:
    evidence = attribution.evidence
    if not isinstance(evidence, WordScores):
        raise InputError(f"evidence must be WordScores to be drawn on a text, got {type(evidence).__name__}")
    scores = np.clip([word.score for word in evidence.words], -_MAX_FLOAT32, _MAX_FLOAT32)
    extent = Extent.of(scores.astype(np.float32)[np.newaxis], attribution.target.score)
    shown_text, words = join_words(evidence.words) if text is None else (text, evidence.words)
    return Section(attribution, shown_text, text is not None, *find_words(shown_text, words), extent)


def _rgb(row: npt.NDArray[np.uint8]) -> Colour:
    red, green, blue = (int(channel) for channel in row)
    return red, green, blue


def find_words(text: str, words: Sequence[Word]) -> tuple[tuple[Run, ...], tuple[Word, ...]]:
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
        Words that were not found in the text.

    Examples
    --------
    >>> runs, missing = find_words("so good!", [Word("good", 0.5, index=1), Word("bad", -0.5)])
    >>> [("so good!"[run.start : run.stop], run.word and run.word.score) for run in runs]
    [('so ', None), ('good', 0.5), ('!', None)]
    >>> [word.text for word in missing]
    ['bad']
    """
    ranges_of_words = _WordFinder(text).find(words)
    owner = np.full(len(text), -1, dtype=np.int64)  # index of the word that shows at each code point
    for i in sorted(range(len(words)), key=lambda i: abs(words[i].score)):  # the strongest last: it stays
        for start, stop in ranges_of_words[i]:
            owner[start:stop] = i
    edges = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(text)] if text else []
    runs = tuple(
        Run(start, stop, words[owner[start]] if owner[start] >= 0 else None) for start, stop in pairwise(edges)
    )
    return runs, tuple(word for word, ranges in zip(words, ranges_of_words, strict=True) if not ranges)


class _WordFinder:
    """Finds words in one text: by range, else by index, else by spelling."""

    def __init__(self, text: str) -> None:
        self._text = text
        # Where the last word found in a token ended: several words of one index follow each other in it.
        self._searched: dict[int, int] = {}
        self._unspaced: dict[str, list[Range]] = {}

    def find(self, words: Sequence[Word]) -> list[list[Range]]:
        """The ranges of each word; none if it is not in the text."""
        times = Counter(word.text for word in words if word.index is None and word.start is None)
        found_so_far: Counter[str] = Counter()
        ranges_of_words = []
        for word in words:
            ranges = self._by_range(word) or self._by_index(word)
            if not ranges and word.index is None:
                ranges = self._occurrences(word.text)
                if times[word.text] > 1:
                    ranges = ranges[found_so_far[word.text] : found_so_far[word.text] + 1]
                    found_so_far[word.text] += 1
            ranges_of_words.append(ranges)
        return ranges_of_words

    def _by_range(self, word: Word) -> list[Range]:
        if word.start is None or word.stop is None:
            return []
        covered = self._text[word.start : word.stop]
        return [(word.start, word.stop)] if covered and covered.casefold() == word.text.casefold() else []

    def _by_index(self, word: Word) -> list[Range]:
        """In the token of this index; if that is another word, the index counts the occurrences of the word."""
        if word.index is None or not word.text:
            return []
        if word.index < len(self._tokens):
            start, stop = self._tokens[word.index]
            position = self._text.find(word.text, max(start, self._searched.get(word.index, 0)), stop)
            if position >= 0:
                self._searched[word.index] = position + len(word.text)
                return [(position, position + len(word.text))]
            if _bare(self._text, start, stop)[0] == _bare(word.text)[0]:
                return [(start, stop)]
        return self._occurrences(word.text)[word.index : word.index + 1]

    def _occurrences(self, word: str) -> list[Range]:
        # Scripts of wide characters write no spaces between words: there a word may be anywhere.
        if not word or unicodedata.east_asian_width(word[0]) not in "WF":
            return self._bare_tokens.get(_bare(word)[0], [])
        if word not in self._unspaced:
            self._unspaced[word] = [match.span() for match in re.finditer(re.escape(word), self._text)]
        return self._unspaced[word]

    @cached_property
    def _tokens(self) -> list[Range]:
        """What white space separates."""
        return [match.span() for match in re.finditer(r"\S+", self._text)]

    @cached_property
    def _bare_tokens(self) -> dict[str, list[Range]]:
        """The ranges of each spelling, see `_bare`."""
        ranges: dict[str, list[Range]] = {}
        for start, stop in self._tokens:
            spelling, first, last = _bare(self._text, start, stop)
            ranges.setdefault(spelling, []).append((first, last))
        return ranges


def _bare(text: str, start: int = 0, stop: int | None = None) -> tuple[str, int, int]:
    """A word without case and without the punctuation around it, and its range; punctuation alone stays."""
    first, last = start, len(text) if stop is None else stop
    while first < last and not text[first].isalnum():
        first += 1
    while last > first and not text[last - 1].isalnum():
        last -= 1
    if first == last:
        first, last = start, len(text) if stop is None else stop
    return text[first:last].casefold(), first, last


def join_words(words: Iterable[Word]) -> tuple[str, tuple[Word, ...]]:
    """Make a text of words alone, in their order, with an ellipsis for what is missing between them.

    Returns
    -------
    text : str
        The words, with spaces and ellipses between them.
    words : tuple of Word
        The words in their order, with their start and stop in that text.

    Examples
    --------
    >>> join_words([Word("saved", 0.5, index=7), Word("not", -0.5, index=3), Word("good,", 0.1, index=4)])[0]
    '… not good, … saved'
    """
    strings: list[str] = []
    located = []
    length = 0
    before: Word | None = None
    for word in sorted(words, key=_position):
        separator = _separator(before, word)
        strings += [separator, word.text]
        start = length + len(separator)
        length = start + len(word.text)
        located.append(replace(word, start=start, stop=length))
        before = word
    return "".join(strings), tuple(located)


def _position(word: Word) -> tuple[float, float]:
    """Sorting key: index, then start; a word without one of them comes last."""
    unknown = math.inf
    return (
        unknown if word.index is None else word.index,
        unknown if word.start is None else word.start,
    )


def _separator(before: Word | None, word: Word) -> str:
    """What to write before a word: nothing or a space where that is known, else an ellipsis."""
    if word.start is not None:
        stop = 0 if before is None else before.stop
        # One character apart is a space; more than that, and before the first word anything, is text that is missing.
        if stop is not None and word.start - stop <= (before is not None):
            return " " * max(0, word.start - stop)
    elif word.index is not None:
        index = -1 if before is None else before.index
        if index is not None and word.index - index <= 1:
            return "" if before is None or word.index == index else " "
    return f"{_ELLIPSIS} " if before is None else f" {_ELLIPSIS} "
