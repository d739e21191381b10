"""The words around an explained text: headings, scores, legend, notes, rows of bar charts and the text alternative.

HTML, pixels and terminal all take their words from here, so none of them says more or less than the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from xplain.explanation import Prediction, Span, Word
from xplain.explanation.characters import one_line
from xplain.renderers.canvas.scale import format_measure, meanings, number
from xplain.renderers.text.entities import Entity, shorten
from xplain.renderers.text.scene import ExplainedText, Scene, Section

_MAX_WORDS, _MAX_CHARTED_WORDS = 10, 30  # strongest words below a text, and in a chart without the text
_MAX_LABELS, _MAX_TREE_LABELS = 10, 40
_MAX_ENTITIES = 60
_MAX_NAMED = 5  # words in a sentence


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart.

    Parameters
    ----------
    label : str
        What the row is about.
    value : float
        The length of the bar.
    text : str
        The value as it is written beside the bar.
    emphasised : bool
        Whether the bar stands out: a label that is explained or reaches its threshold.
    depth : int
        Number of ancestors among the rows above.
    threshold : float, optional
        What the value should reach.
    badges : tuple of str
        Names of other thresholds that it reaches.
    """

    label: str
    value: float
    text: str
    emphasised: bool = True
    depth: int = 0
    threshold: float | None = None
    badges: tuple[str, ...] = ()

    @property
    def remarks(self) -> str:
        """Threshold and badges in words."""
        limit = ""
        if self.threshold is not None:
            limit = f"{'>=' if self.value >= self.threshold else '<'} {number(self.threshold)}"
        return ", ".join(filter(None, (limit, *self.badges)))


def axis_ends(bars: Sequence[Bar]) -> tuple[float, float]:
    """Return the least and the greatest number on the common axis of bars: values, thresholds and zero."""
    numbers = [0.0, *(end for bar in bars for end in (bar.value, bar.threshold or 0.0))]
    return min(numbers), max(numbers)


def format_score(score: float, section: Section) -> str:
    """Write a score with its sign, as precisely as the largest one; 0 if it is nothing beside that."""
    rounded = section.round_score(score)
    return f"{rounded:+.3g}" if rounded else "0"


def word_bars(scene: Scene, section: Section) -> list[Bar]:
    """The strongest words; those of one spelling are told apart by their index in the text."""
    words = section.strongest(_MAX_CHARTED_WORDS if scene.kind == "bars" else _MAX_WORDS)
    times = Counter(word.text for word in words)
    return [
        Bar(
            shorten(word.text) + (_ordinal(word) if times[word.text] > 1 else ""),
            word.score,
            format_score(word.score, section),
        )
        for word in words
    ]


def _ordinal(word: Word) -> str:
    return f" (word {word.index + 1})" if word.index is not None else ""


def label_bars(explained: ExplainedText, section: Section | None) -> list[Bar]:
    """The scores of the best labels, parents above their children.

    The label that the section explains is emphasised; without a section, those that reach their thresholds.
    """
    target = None if section is None else section.attribution.target
    return [
        Bar(
            one_line(" > ".join(p.label[len(parent) :])),
            p.score,
            number(p.score),
            p == target if target is not None else p.threshold is None or p.score >= p.threshold,
            depth,
            p.threshold,
            tuple(one_line(badge) for badge in explained.notes.of(p).badges),
        )
        for p, parent, depth in _tree(_labels(explained))[: _max_labels(explained)]
    ]


def _labels(explained: ExplainedText) -> list[Prediction]:
    """Predictions of the whole text."""
    return [p for p in explained.explanation.predictions if not isinstance(p.region, Span)]


def _max_labels(explained: ExplainedText) -> int:
    return _MAX_TREE_LABELS if any(len(p.label) > 1 for p in _labels(explained)) else _MAX_LABELS


def _tree(predictions: Sequence[Prediction]) -> list[tuple[Prediction, tuple[str, ...], int]]:
    """Predictions in the order of a tree, each with the label of its nearest predicted ancestor and its depth."""
    labels = {p.label for p in predictions}
    children: dict[tuple[str, ...], list[Prediction]] = {}
    for p in predictions:
        parent = next((p.label[:n] for n in range(len(p.label) - 1, 0, -1) if p.label[:n] in labels), ())
        children.setdefault(parent, []).append(p)
    ordered: list[tuple[Prediction, tuple[str, ...], int]] = []
    stack: list[tuple[Prediction, tuple[str, ...], int]] = [(p, (), 0) for p in reversed(children.get((), []))]
    while stack:
        p, parent, depth = stack.pop()
        ordered.append((p, parent, depth))
        # `pop`, so that the children of a label that is predicted twice come only once.
        stack += [(child, p.label, depth + 1) for child in reversed(children.pop(p.label, []))]
    return ordered


def more_labels(explained: ExplainedText) -> str:
    """How many labels have no bar, or an empty string."""
    return _and_more(len(_labels(explained)) - _max_labels(explained))


def property_bars(explained: ExplainedText) -> list[Bar]:
    """Properties of the text, such as its tone."""
    return [
        Bar(one_line(measure.name).replace("_", " "), float(measure.value), format_measure(measure))
        for measure in explained.notes.properties
    ]


def listed_entities(explained: ExplainedText) -> list[tuple[Entity, str]]:
    """The first entities, each with its facts on one line."""
    return [(entity, one_line(", ".join(entity.facts))) for entity in explained.entities[:_MAX_ENTITIES]]


def more_entities(explained: ExplainedText) -> str:
    """How many entities are not listed, or an empty string."""
    return _and_more(len(explained.entities) - _MAX_ENTITIES)


def _and_more(count: int) -> str:
    return f"and {count} more" if count > 0 else ""


def heading(explained: ExplainedText) -> str:
    """Name of the source, or an empty string."""
    return one_line(explained.explanation.source.name or "")


def blank_reason(explained: ExplainedText) -> str:
    """That nothing is predicted of the text, or an empty string."""
    return "" if explained.sections or explained.explanation.predictions else "nothing is predicted"


def section_notes(scene: Scene, section: Section) -> list[str]:
    """Why a section is blank, what was noted about its scores, and which words are not shown in the text."""
    notes = [section.blank_reason] if section.blank_reason and scene.scale is not None else []
    notes += section.remarks
    if scene.kind != "text":
        return notes
    if not section.has_text:
        notes.append("The text is not in the document: only the scored words are shown.")
    elif section.missing:
        more = len(section.missing) - _MAX_NAMED
        notes.append(
            f"Not found in the text: {_list_words(section.missing, section)}{f' and {more} more' if more > 0 else ''}."
        )
    return notes


def legend_meanings(scene: Scene) -> tuple[str, str]:
    """What the two ends of the legend stand for."""
    methods = [section.attribution.method for section in scene.sections]
    signed = scene.scale is not None and scene.scale.signed
    return meanings(methods, signed, signed)


def legend_ends(scene: Scene) -> tuple[str, str]:
    """The numbers at the two ends of the legend; the first is for zero if no score is negative."""
    scale = scene.scale
    if scale is None:
        return "", ""
    limit = number(scale.limit)
    low = f"<= -{limit}" if scale.clips_low else f"-{limit}"
    return low if scale.signed else "0", f">= +{limit}" if scale.clips_high else f"+{limit}"


def scale_rule(scene: Scene) -> str:
    """How the scale was chosen, or why there is none."""
    if scene.scale is None:
        return next((section.blank_reason for section in scene.sections), "")
    return scene.scale.rule + (", one for all sections" if len(scene.sections) > 1 else "")


def describe(scene: Scene) -> str:
    """The text alternative of a picture."""
    sentences = [sentence for explained in scene.texts for sentence in _sentences(explained)]
    if scene.scale is not None:
        everywhere = " in all sections" if len(scene.sections) > 1 else ""
        sentences.append(f"Full colour stands for {number(scene.scale.limit)} or more{everywhere}.")
    return " ".join(filter(None, (*sentences, scene.note)))


def _sentences(explained: ExplainedText) -> list[str]:
    sentences = [f"Explanation of {heading(explained) or 'a text'}:"]
    sentences += [_evidence_sentence(section) for section in explained.sections]
    if not explained.sections:
        scores = "; ".join(_bar_in_words(bar) for bar in label_bars(explained, None))
        sentences.append(f"scores {scores}." if scores else f"{blank_reason(explained) or 'no scores'}.")
    if explained.entities:
        listed = "; ".join(f"{entity.name} {facts}" for entity, facts in listed_entities(explained))
        more = more_entities(explained)
        sentences.append(f"Found in it: {listed}{'; ' + more if more else ''}.")
    if bars := property_bars(explained):
        sentences.append(f"Properties: {'; '.join(_bar_in_words(bar) for bar in bars)}.")
    return sentences


def _bar_in_words(bar: Bar) -> str:
    return f"{bar.label} {bar.text}" + (f" ({bar.remarks})" if bar.remarks else "")


def _evidence_sentence(section: Section) -> str:
    target, method = section.attribution.target, section.attribution.method
    by = f" by {one_line(method)}" if method else ""
    words = section.strongest(_MAX_NAMED)
    evidence = f"strongest {_list_words(words, section)}" if words else section.blank_reason
    noted = "".join(f"; {remark}" for remark in section.remarks)
    return f"words for {one_line(target.name)!r} (score {number(target.score)}){by}: {evidence}{noted}."


def _list_words(words: Sequence[Word], section: Section) -> str:
    return ", ".join(f"{shorten(word.text)!r} {format_score(word.score, section)}" for word in words[:_MAX_NAMED])
