"""Entities: what predictions with spans mark in a text, such as names, amounts and dates; they may overlap.

`find_entities` locates them, `passages` divides a text where they begin and end, so that whatever draws the text goes
through it once from start to end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xplain.explanation import Explanation, Part, Prediction, Source, Span
from xplain.explanation.characters import one_line
from xplain.explanation.notes import Notes, PredictionNotes
from xplain.explanation.parts import in_text
from xplain.renderers.canvas.colours import Colour, colours_of
from xplain.renderers.canvas.scale import number

#: Opacity of an entity's colour behind its text.
ENTITY_OPACITY = 0.3

_MAX_LENGTH = 60  # characters of a word or an entity in a list


@dataclass(frozen=True, slots=True)
class Entity:
    """What one prediction marks in a text.

    Parameters
    ----------
    name : str
        Its label.
    facts : tuple of str
        What it reads, where it is if that is not in the text, and its score.
    ranges : tuple of (int, int)
        Half-open ranges of code points in the whole text; empty if they are not known.
    colour : tuple of int
        RGB of its label.
    """

    name: str
    facts: tuple[str, ...]
    ranges: tuple[tuple[int, int], ...]
    colour: Colour


@dataclass(frozen=True, slots=True)
class Stretch:
    """A half-open range of code points, the entities that cover it, and those of them that end with it."""

    start: int
    stop: int
    covering: tuple[Entity, ...]
    ending: tuple[Entity, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A named part of the text; the name is empty if it is the whole text."""

    name: str
    start: int
    stretches: tuple[Stretch, ...]


def find_entities(explanation: Explanation, notes: Notes, text: str | None) -> tuple[Entity, ...]:
    """Return what predictions with spans mark in a text, in the order of the text; those that are not in it last."""
    source = explanation.source
    if text != source.text:  # the caller's own text: the document's division into parts need not fit it
        source = replace(source, text=text, parts=())
    marking = [prediction for prediction in explanation.predictions if isinstance(prediction.region, Span)]
    colours = colours_of(one_line(prediction.name) for prediction in marking)
    entities = [_entity(prediction, notes.of(prediction), source, colours) for prediction in marking]
    end = len(text or "")
    return tuple(sorted(entities, key=lambda entity: entity.ranges[:1] or ((end, 0),)))


def _entity(prediction: Prediction, notes: PredictionNotes, source: Source, colours: dict[str, Colour]) -> Entity:
    ranges = _ranges(prediction, notes, source)
    covered = source.text[slice(*ranges[0])] if source.text is not None and ranges else ""
    name = one_line(prediction.name)
    facts = tuple(_facts(prediction, notes, covered, located=bool(ranges)))
    return Entity(name, facts, tuple((start, stop) for start, stop in ranges if start < stop), colours[name])


def _ranges(prediction: Prediction, notes: PredictionNotes, source: Source) -> list[tuple[int, int]]:
    """Where a prediction's span and its further spans are in the text, each once."""
    spans = [prediction.region, *notes.further_spans]
    ranges = (in_text(source, span) for span in spans if isinstance(span, Span))
    return list(dict.fromkeys(range_ for range_ in ranges if range_ is not None))


def _facts(prediction: Prediction, notes: PredictionNotes, covered: str, *, located: bool) -> Iterator[str]:
    """An entity's kind, the text that it covers, its value, its span if that is not in the text, and its score."""
    if notes.kind:
        yield notes.kind
    if covered:
        yield f"{shorten(covered)!r}"
    if notes.value is not None and notes.value != covered:
        yield f"= {shorten(notes.value)}"
    if not located and isinstance(span := prediction.region, Span):
        yield f"{span.part or 'text'} {span.start} to {span.stop}"
    if not notes.unscored:
        yield number(prediction.score)


def passages(source: Source, text: str | None, entities: Sequence[Entity]) -> tuple[Passage, ...]:
    """Divide a text by its named parts, and these where entities begin and end."""
    if text is None:
        return ()
    parts = source.parts if text == source.text and source.parts else (Part("", 0, len(text)),)
    return tuple(_passage(part, entities) for part in parts)


def _passage(part: Part, entities: Sequence[Entity]) -> Passage:
    clipped = [
        (max(start, part.start), min(stop, part.stop), entity)
        for entity in entities
        for start, stop in entity.ranges
        if start < part.stop and stop > part.start
    ]
    edges = sorted({part.start, part.stop, *(edge for start, stop, _ in clipped for edge in (start, stop))})
    stretches = []
    for start, stop in itertools.pairwise(edges):
        covering = tuple(entity for first, last, entity in clipped if first <= start and stop <= last)
        ending = tuple(entity for _, last, entity in clipped if last == stop and entity in covering)
        stretches.append(Stretch(start, stop, covering, ending))
    return Passage(one_line(part.name), part.start, tuple(stretches))


def shorten(text: str) -> str:
    """Write a text on one line of at most 60 characters."""
    line = one_line(text)
    return line if len(line) <= _MAX_LENGTH else line[: _MAX_LENGTH - 1] + "…"
