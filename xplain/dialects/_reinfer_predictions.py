"""Re:infer's labels and entities.

A label is a prediction of its path; its ``sentiment`` and ``auto_thresholds`` are attributes. An entity is a prediction
with a span; attributes say what its span and label do not: ``kind`` if it is not the name, ``formatted_value`` if it is
not the text, ``capture_ids``, ``further_spans`` (its other places), ``utf16_bytes`` where the text is not known and the
code points do not tell them, and ``unscored`` if it has no probability.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from xplain.dialects._reinfer_comment import Comment, or_null
from xplain.dialects._reinfer_spans import PLACE, Place, read_label
from xplain.dialects._wire import (
    At,
    Field,
    Reader,
    array,
    between,
    boolean,
    integer,
    keep,
    nullable,
    number,
    optional,
    pair,
    record,
    string,
    time,
)
from xplain.errors import DocumentError
from xplain.explanation import Prediction, Span

__all__ = [
    "ENTITIES",
    "ENTITY_ATTRIBUTES",
    "FURTHER",
    "LABELS",
    "LABEL_ATTRIBUTES",
    "LABEL_PROPERTIES",
    "MODEL",
    "SENTIMENT",
    "Entity",
    "entity_prediction",
    "matching",
]

_THRESHOLD = re.compile("high_recall|balanced|high_precision|sampled_[0-9]+")
_PROPERTY = re.compile("[0-9a-f]{16}")


# Reading.


def matching(pattern: re.Pattern[str], expected: str) -> Reader[str]:
    """Make a reader of a string that matches a pattern."""

    def read(at: At) -> str:
        if not pattern.fullmatch(string(at)):
            raise at.rejected(expected)
        return string(at)

    return read


_FRACTION = between(0, 1)
LABEL_ATTRIBUTES: dict[str, Reader[Any]] = {
    "sentiment": between(-1, 1),
    "auto_thresholds": array(
        matching(_THRESHOLD, "one of 'high_recall', 'balanced', 'high_precision', 'sampled_<number>'")
    ),
}


def _label(label: tuple[str, ...], score: float, threshold: float | None, rest: dict[str, Any]) -> Prediction:
    attributes = {key: value for key, value in rest.items() if value is not None or key not in LABEL_ATTRIBUTES}
    id = attributes.pop("id") if isinstance(attributes.get("id"), str) else None
    return Prediction(label, score, threshold=threshold, id=id, attributes=attributes)


LABELS: Reader[tuple[Prediction, ...]] = array(
    record(
        _label,
        rest={key: nullable(read) for key, read in LABEL_ATTRIBUTES.items()},
        label=Field(read_label, "name"),
        score=Field(_FRACTION, "probability"),
        threshold=nullable(number),
    )
)


@dataclass(frozen=True, slots=True)
class Entity:
    id: str
    name: str
    kind: str
    span: Place
    spans: tuple[Place, ...]
    value: str
    probability: float | None
    captures: tuple[int, ...]
    threshold: float | None
    rest: dict[str, Any]

    def __post_init__(self) -> None:
        if not self.spans:
            raise DocumentError("must hold a span, got none", path="$.spans")
        if self.span != self.spans[0]:
            raise DocumentError("must be the first of spans, got another one", path="$.span")


ENTITIES: Reader[tuple[Entity, ...]] = array(
    record(
        Entity,
        rest={},
        id=string,
        name=string,
        kind=string,
        span=PLACE,
        spans=array(PLACE),
        value=Field(string, "formatted_value"),
        probability=or_null(_FRACTION),
        captures=Field(array(integer()), "capture_ids"),
        threshold=nullable(number),
    )
)


def _further_span(part: str, start: int, stop: int, utf16_bytes: tuple[int, int] | None) -> tuple[Span, Any]:
    return Span(start, stop, part=part), utf16_bytes


_BYTES: Reader[Any] = pair(integer(0))
FURTHER: Reader[tuple[tuple[Span, Any], ...]] = array(
    record(_further_span, part=string, start=integer(0), stop=integer(0), utf16_bytes=optional(_BYTES))
)
#: Attributes of an entity that are ours or have a field of the document's; anything else is kept as it stands.
ENTITY_ATTRIBUTES: dict[str, Reader[Any]] = {
    "kind": string,
    "formatted_value": string,
    "capture_ids": array(integer()),
    "unscored": boolean,
    "utf16_bytes": _BYTES,
    "further_spans": FURTHER,
}


def entity_prediction(found: Entity, comment: Comment | None) -> Prediction:
    """Give an entity as a prediction at its first place; what follows from its name or its text is left out."""
    known = comment is not None and comment.known
    first = found.spans[0]
    value = comment.texts[first.part][first.start : first.stop] if comment is not None and known else ""
    said = {
        "kind": None if found.kind == found.name else found.kind,
        "formatted_value": None if found.value == value else found.value,
        "capture_ids": list(found.captures) or None,
        "unscored": True if found.probability is None else None,
        "utf16_bytes": _untold(first, known),
        "further_spans": [_as_attribute(place, known) for place in found.spans[1:]] or None,
    }
    attributes = {key: value for key, value in found.rest.items() if key not in ENTITY_ATTRIBUTES}
    attributes |= {key: value for key, value in said.items() if value is not None}
    return Prediction(
        (found.name,),
        1.0 if found.probability is None else found.probability,
        region=first.span,
        threshold=found.threshold,
        id=None if found.id == found.name else found.id,
        attributes=attributes,
    )


def _untold(place: Place, known: bool) -> list[int] | None:
    """Give UTF-16 bytes that neither the text nor the code points tell."""
    return None if known or place.utf16 == (2 * place.start, 2 * place.stop) else list(place.utf16)


def _as_attribute(place: Place, known: bool) -> dict[str, Any]:
    untold = _untold(place, known)
    said = {"part": place.part, "start": place.start, "stop": place.stop}
    return said if untold is None else {**said, "utf16_bytes": untold}


LABEL_PROPERTIES: Reader[tuple[dict[str, Any], ...]] = array(
    keep({"property_id": matching(_PROPERTY, "16 hexadecimal digits"), "property_name": string, "value": number})
)
SENTIMENT = keep({"total": number})
MODEL = keep({"version": integer(0), "time": time})
