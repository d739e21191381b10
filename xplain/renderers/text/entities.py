"""What predictions find in a text: names, amounts, dates; they may overlap."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from xplain.explanation import Explanation, Part, Source, Span
from xplain.explanation.characters import one_line
from xplain.explanation.parts import in_text
from xplain.renderers import notes
from xplain.renderers.canvas.colours import Colour, colours_of
from xplain.renderers.canvas.scale import number

_LONGEST = 60  # characters of what is found, in a list


@dataclass(frozen=True, slots=True)
class Entity:
    """Something that is found.

    Parameters
    ----------
    name : str
        Its label.
    facts : tuple of str
        What it reads, where, and how sure that is.
    ranges : tuple of (int, int)
        Where it stands, in code points of the whole text; empty if that is not known.
    colour : tuple of int
        Of its label.
    """

    name: str
    facts: tuple[str, ...]
    ranges: tuple[tuple[int, int], ...]
    colour: Colour


@dataclass(frozen=True, slots=True)
class Stretch:
    """A range of the text, the entities that cover it, and those that end with it."""

    start: int
    stop: int
    over: tuple[Entity, ...]
    ending: tuple[Entity, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A named part of the text; the name is empty if it is the whole text."""

    name: str
    start: int
    stretches: tuple[Stretch, ...]


def found_in(explanation: Explanation, text: str | None) -> tuple[Entity, ...]:
    """Return what predictions with spans find, in the order of the text."""
    known = explanation.source.text
    source = explanation.source if text == known else replace(explanation.source, text=text, parts=())
    found = [prediction for prediction in explanation.predictions if isinstance(prediction.region, Span)]
    colours = colours_of(one_line(prediction.name) for prediction in found)
    entities = []
    for prediction in found:
        span = prediction.region
        assert isinstance(span, Span)
        spans = [span, *(Span(start, stop, part=part) for part, start, stop in notes.spans(prediction))]
        ranges = dict.fromkeys(place for one in spans if (place := in_text(source, one)) is not None)
        covered = text[slice(*next(iter(ranges)))] if text is not None and ranges else ""
        said = [notes.text_at(prediction.attributes, "kind"), f"{_short(covered)!r}" if covered else None]
        value = notes.text_at(prediction.attributes, "formatted_value")
        said.append(f"= {_short(value)}" if value is not None and value != covered else None)
        if not ranges:
            said.append(f"{span.part or 'text'} {span.start} to {span.stop}")
        if prediction.attributes.get("unscored") is not True:
            said.append(number(prediction.score))
        name = one_line(prediction.name)
        facts = tuple(fact for fact in said if fact)
        entities.append(Entity(name, facts, tuple(place for place in ranges if place[0] < place[1]), colours[name]))
    return tuple(sorted(entities, key=lambda entity: entity.ranges[:1] or ((len(text or ""), 0),)))


def passages(source: Source, text: str | None, entities: Sequence[Entity]) -> tuple[Passage, ...]:
    """Divide a text by its parts, and these where entities begin and end."""
    if text is None:
        return ()
    named = source.parts if text == source.text and source.parts else (Part("", 0, len(text)),)
    return tuple(_passage(part, entities) for part in named)


def _passage(part: Part, entities: Sequence[Entity]) -> Passage:
    inside = [
        (max(start, part.start), min(stop, part.stop), entity)
        for entity in entities
        for start, stop in entity.ranges
        if start < part.stop and stop > part.start
    ]
    edges = sorted({part.start, part.stop, *(at for start, stop, _ in inside for at in (start, stop))})
    stretches = []
    for start, stop in itertools.pairwise(edges):
        over = tuple(entity for first, last, entity in inside if first <= start and stop <= last)
        ending = tuple(entity for _, last, entity in inside if last == stop and entity in over)
        stretches.append(Stretch(start, stop, over, ending))
    return Passage(one_line(part.name), part.start, tuple(stretches))


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
