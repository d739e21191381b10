"""The words around a text: scores, headings, legend, notes, bars and the text alternative."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from xplain.explanation import Prediction, Span, Word
from xplain.explanation.characters import one_line
from xplain.renderers.canvas.scale import meanings, number
from xplain.renderers.notes import badges, properties
from xplain.renderers.text.entities import Entity
from xplain.renderers.text.scene import Part, Scene, Section

_LISTED, _CHARTED = 10, 30  # strongest words beside a text, and in a chart of their own
_CLASSES, _TREE = 10, 40
_ENTITIES = 60
_NAMED = 5  # words in a sentence
_LONGEST = 60  # characters of a word in a list


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart.

    Parameters
    ----------
    label, value, number
        Its name, how long it is, and what is written beside it.
    strong : bool
        Whether it is one of those that the rest is about.
    depth : int
        How many rows above it are its ancestors.
    tick : float, optional
        The threshold that the value should reach.
    badges : tuple of str
        What it has reached besides.
    """

    label: str
    value: float
    number: str
    strong: bool = True
    depth: int = 0
    tick: float | None = None
    badges: tuple[str, ...] = ()

    @property
    def remarks(self) -> str:
        """Threshold and badges in words."""
        limit = "" if self.tick is None else f"{'>=' if self.value >= self.tick else '<'} {number(self.tick)}"
        return ", ".join(filter(None, (limit, *self.badges)))


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
    """The scores of the best labels, parents above their children; the one that the section explains is strong."""
    target = None if section is None else section.attribution.target
    return [
        Bar(
            one_line(" > ".join(p.label[len(parent) :])),
            p.score,
            number(p.score),
            p == target if target is not None else p.threshold is None or p.score >= p.threshold,
            depth,
            p.threshold,
            tuple(one_line(badge) for badge in badges(p)),
        )
        for p, parent, depth in _tree(_labels(part))[: _most(part)]
    ]


def _labels(part: Part) -> list[Prediction]:
    """Predictions of the whole text."""
    return [p for p in part.explanation.predictions if not isinstance(p.region, Span)]


def _most(part: Part) -> int:
    return _TREE if any(len(p.label) > 1 for p in _labels(part)) else _CLASSES


def _tree(predictions: Sequence[Prediction]) -> list[tuple[Prediction, tuple[str, ...], int]]:
    """Predictions with their nearest predicted ancestors and the number of these, in the order of a tree."""
    labels = {p.label for p in predictions}
    below: dict[tuple[str, ...], list[Prediction]] = {}
    for p in predictions:
        parent = next((p.label[:n] for n in range(len(p.label) - 1, 0, -1) if p.label[:n] in labels), ())
        below.setdefault(parent, []).append(p)
    found: list[tuple[Prediction, tuple[str, ...], int]] = []
    stack: list[tuple[Prediction, tuple[str, ...], int]] = [(p, (), 0) for p in reversed(below.get((), []))]
    while stack:
        p, parent, depth = stack.pop()
        found.append((p, parent, depth))
        # A label that is there twice has its children once.
        stack += [(child, p.label, depth + 1) for child in reversed(below.pop(p.label, []))]
    return found


def blank_reason(part: Part) -> str:
    """That nothing is predicted of the text, or an empty string."""
    return "" if part.sections or part.explanation.predictions else "nothing is predicted"


def more_classes(part: Part) -> str:
    """How many labels have no bar."""
    more = len(_labels(part)) - _most(part)
    return f"and {more} more" if more > 0 else ""


def qualities(part: Part) -> list[Bar]:
    """What the text is like, such as its tone."""
    found = properties(part.explanation)
    return [Bar(one_line(name).replace("_", " "), value, number(value)) for name, value in found]


def heading(part: Part) -> str:
    """What the source is called, or an empty string."""
    return one_line(part.explanation.source.name or "")


def entities(part: Part) -> list[tuple[Entity, str]]:
    """What is found in the text, each with what is said of it."""
    return [(entity, one_line(", ".join(entity.facts))) for entity in part.entities[:_ENTITIES]]


def more_entities(part: Part) -> str:
    """How many of them are not listed."""
    more = len(part.entities) - _ENTITIES
    return f"and {more} more" if more > 0 else ""


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
        return next((section.blank_reason for section in scene.sections), "")
    return scene.scale.rule + (", one for all sections" if len(scene.sections) > 1 else "")


def notes(scene: Scene, section: Section) -> list[str]:
    """What a reader has to know about a section."""
    found = [section.blank_reason] if section.blank_reason and scene.scale is not None else []
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
            scores = "; ".join(_row(bar) for bar in classes(part, None))
            sentences.append(f"scores {scores}." if scores else f"{blank_reason(part) or 'no scores'}.")
        if part.entities:
            listed = "; ".join(f"{entity.name} {facts}" for entity, facts in entities(part))
            more = more_entities(part)
            sentences.append(f"Found in it: {listed}{'; ' + more if more else ''}.")
        if bars := qualities(part):
            sentences.append(f"Properties: {'; '.join(_row(bar) for bar in bars)}.")
    if scene.scale is not None:
        of_all = " in all sections" if len(scene.sections) > 1 else ""
        sentences.append(f"Full colour stands for {number(scene.scale.limit)} or more{of_all}.")
    return " ".join(filter(None, (*sentences, scene.note)))


def _row(bar: Bar) -> str:
    return f"{bar.label} {bar.number}" + (f" ({bar.remarks})" if bar.remarks else "")


def _sentence(section: Section) -> str:
    target, method = section.attribution.target, section.attribution.method
    by = f" by {one_line(method)}" if method else ""
    words = section.strongest(_NAMED)
    said = f"strongest {_listed(words, section)}" if words else section.blank_reason
    return f"words for {one_line(target.name)!r} (score {number(target.score)}){by}: {said}."


def _listed(words: Sequence[Word], section: Section) -> str:
    return ", ".join(f"{_short(word)!r} {signed(word.score, section)}" for word in words[:_NAMED])


def _short(word: Word) -> str:
    text = one_line(word.text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _place(word: Word) -> str:
    return f" (word {word.index + 1})" if word.index is not None else ""
