"""The words around a text: scores, headings, legend, notes, bars and the text alternative."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from xplain.explanation import Word
from xplain.pictures._text_characters import one_line
from xplain.pictures._text_scene import Part, Scene, Section
from xplain.pictures.scale import meanings, number

__all__ = [
    "Bar",
    "classes",
    "describe",
    "ends",
    "heading",
    "meanings_of",
    "more_classes",
    "notes",
    "rule",
    "signed",
    "strongest",
]

_LISTED, _CHARTED = 10, 30  # strongest words beside a text, and in a chart of their own
_CLASSES = 10
_NAMED = 5  # words in a sentence
_LONGEST = 60  # characters of a word in a list


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart. ``strong`` rows are those that the rest is about."""

    label: str
    value: float
    number: str
    strong: bool = True


def signed(score: float, section: Section) -> str:
    """A score with its sign, rounded as the largest one is; 0 if it is nothing beside that."""
    rounded = section.rounded(score)
    return f"{rounded:+.3g}" if rounded else "0"


def strongest(scene: Scene, section: Section) -> list[Bar]:
    """The strongest words; one that is listed twice with its place among the words of the text."""
    words = section.strongest(_CHARTED if scene.kind == "bars" else _LISTED)
    times = Counter(word.text for word in words)
    return [
        Bar(_short(word) + (_place(word) if times[word.text] > 1 else ""), word.score, signed(word.score, section))
        for word in words
    ]


def classes(part: Part, section: Section | None) -> list[Bar]:
    """The scores of the best classes; the one that the section explains is strong."""
    target = None if section is None else section.attribution.target
    return [
        Bar(one_line(p.name), p.score, number(p.score), target is None or p == target)
        for p in part.explanation.predictions[:_CLASSES]
    ]


def more_classes(part: Part) -> str:
    """How many classes have no bar."""
    more = len(part.explanation.predictions) - _CLASSES
    return f"and {more} more" if more > 0 else ""


def heading(part: Part) -> str:
    """What the source is called, or an empty string."""
    return one_line(part.explanation.source.name or "")


def meanings_of(scene: Scene) -> tuple[str, str]:
    """What the ends of the legend stand for."""
    methods = [section.attribution.method for section in scene.sections]
    return meanings(methods, scene.scale is not None and scene.scale.signed)


def ends(scene: Scene) -> tuple[str, str]:
    """What stands at the ends of the legend; the first is for zero if no score is negative."""
    scale = scene.scale
    if scale is None:
        return "", ""
    limit = number(scale.limit)
    low = f"<= -{limit}" if scale.clips_low else f"-{limit}"
    return low if scale.signed else "0", f">= +{limit}" if scale.clips_high else f"+{limit}"


def rule(scene: Scene) -> str:
    """How the scale came about, or why there is none."""
    if scene.scale is None:
        return next((section.nothing for section in scene.sections), "")
    return scene.scale.rule + (", one for all sections" if len(scene.sections) > 1 else "")


def notes(scene: Scene, section: Section) -> list[str]:
    """What a reader has to know about a section."""
    found = [section.nothing] if section.nothing and scene.scale is not None else []
    if scene.kind != "text":
        return found
    if not section.known:
        found.append("The text is not in the document: only the scored words are shown.")
    elif section.missing:
        listed = _listed(section.missing, section)
        more = len(section.missing) - _NAMED
        found.append(f"Not found in the text: {listed}{f' and {more} more' if more > 0 else ''}.")
    return found


def describe(scene: Scene) -> str:
    """The text alternative of a picture."""
    sentences = []
    for part in scene.parts:
        sentences.append(f"Explanation of {heading(part) or 'a text'}:")
        sentences += [_sentence(section) for section in part.sections]
        if not part.sections:
            scores = "; ".join(f"{bar.label} {bar.number}" for bar in classes(part, None))
            sentences.append(f"scores {scores}." if scores else "no scores.")
    if scene.scale is not None:
        of_all = " in all sections" if len(scene.sections) > 1 else ""
        sentences.append(f"Full colour stands for {number(scene.scale.limit)} or more{of_all}.")
    return " ".join(sentences)


def _sentence(section: Section) -> str:
    target, method = section.attribution.target, section.attribution.method
    by = f" by {one_line(method)}" if method else ""
    words = section.strongest(_NAMED)
    said = f"strongest {_listed(words, section)}" if words else section.nothing
    return f"words for {one_line(target.name)!r} (score {number(target.score)}){by}: {said}."


def _listed(words: Sequence[Word], section: Section) -> str:
    return ", ".join(f"{_short(word)!r} {signed(word.score, section)}" for word in words[:_NAMED])


def _short(word: Word) -> str:
    text = one_line(word.text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _place(word: Word) -> str:
    return f" (word {word.index + 1})" if word.index is not None else ""
