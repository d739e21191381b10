"""What a picture of texts shows, before it is known whether as HTML, pixels, SVG or letters on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, Word, WordScores, _check
from xplain.pictures import colormaps
from xplain.pictures._subject import chosen
from xplain.pictures._text_entities import Entity, Passage, found_in, passages
from xplain.pictures._text_place import Run, joined, place
from xplain.pictures._type import PAPER, Colour
from xplain.pictures.colormaps import Cmap
from xplain.pictures.scale import Extent, Scale, choose

__all__ = ["Part", "Scene", "Section", "Tint", "build"]

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
        colours = colormaps.colours(cmap)
        vivid = np.ptp(colours.astype(np.int64), axis=1)
        low = colours[1 : colormaps.MIDDLE][::-1][int(vivid[1 : colormaps.MIDDLE][::-1].argmax())]
        high = colours[colormaps.MIDDLE :][int(vivid[colormaps.MIDDLE :].argmax())]
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
        if self.nothing:
            return []
        words = (word for word in self.words if self.rounded(word.score))
        return sorted(words, key=lambda word: -abs(word.score))[:count]

    def rounded(self, score: float) -> float:
        """A score to the last of the three digits of the largest one."""
        largest = self.extent.largest
        return round(score, _DIGITS - 1 - math.floor(math.log10(largest))) if largest else 0.0

    @property
    def nothing(self) -> str:
        """Why there is nothing to see, or an empty string."""
        return self.extent.nothing if self.words else "no evidence: no word has a score"


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
        return self.tint if self.scale is not None and (self.scale.fixed or not section.nothing) else None


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
    sections = tuple(_section(attribution, text) for attribution in chosen(explanation.attributions, target))
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
