"""Re:infer's responses: what is predicted for each document or comment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Attribution, Explanation, Item, Prediction, Results, Source, Span
from xplain.formatters.core.places import MISSING, At, Rejected
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    between,
    boolean,
    choice,
    integer,
    keep,
    listing,
    nullable,
    number,
    optional,
    pair,
    record,
    string,
    time,
)
from xplain.formatters.reinfer.comments import Comment, or_null, read_comment
from xplain.formatters.reinfer.spans import PLACE, Place, check_place, read_interpretations, read_label

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


FORMAT = "reinfer"
PREDICT, PREDICT_COMMENTS = "predict", "predict-comments"
"""Names of the jobs of the two responses."""

UID = re.compile(r"[0-9a-f]{16}\..+", re.DOTALL)
uid = matching(UID, "the 16 hexadecimal digits of a source, a full stop and the id of a comment")
"""Read the uid of a comment."""


@dataclass(slots=True)
class _Document:
    """What is said of one document."""

    labels: tuple[Prediction, ...]
    entities: tuple[Entity, ...] = ()
    own: dict[str, Any] = field(default_factory=dict)
    comment: Comment | None = None

    def explanation(self, entities: At, interpretations: At) -> Explanation:
        """Give what is said, checked against the text if it is known."""
        if self.comment is not None and self.comment.known:
            for k, entity in enumerate(self.entities):
                for m, place in enumerate(entity.spans):
                    check_place(entities[k]["spans"][m], place, self.comment)
        predictions = (*self.labels, *(entity_prediction(entity, self.comment) for entity in self.entities))
        attributions: tuple[Attribution, ...] = ()
        if interpretations.value is not MISSING:
            attributions = read_interpretations(interpretations, self.comment, predictions)
        source = Source("text") if self.comment is None else self.comment.source
        own = {FORMAT: self.own} if self.own else {}
        return Explanation("text-classification", source, predictions, attributions, attributes=own)


def _told(**said: Any) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value}


def _of_comment(
    labels: tuple[Prediction, ...],
    entities: tuple[Entity, ...],
    properties: tuple[dict[str, Any], ...],
    sentiment: dict[str, Any] | None,
    rest: dict[str, Any],
) -> _Document:
    own = {**rest, **_told(label_properties=list(properties), sentiment=sentiment)}
    return _Document(labels, entities, own)


_COMMENT_PREDICTION: Reader[_Document] = record(
    _of_comment,
    rest={"uid": uid, "translations": nullable(listing)},
    labels=LABELS,
    entities=nullable(ENTITIES, ()),
    properties=nullable(LABEL_PROPERTIES, (), key="label_properties"),
    sentiment=nullable(SENTIMENT),
)


def _of_document(at: At) -> _Document:
    return _Document(LABELS(at))


def _is_by_uid(predictions: list[Any]) -> bool:
    return any(isinstance(prediction, dict) for prediction in predictions)


def _predictions(at: At) -> tuple[_Document, ...]:
    """Read the predictions of documents, which are labels, or of comments, which say what they are."""
    return array(_COMMENT_PREDICTION if _is_by_uid(listing(at)) else _of_document)(at)


def _properties(at: At) -> tuple[Any, ...]:
    """Read properties of each document or, as the reference has it, those of the only one."""
    if any(isinstance(one, dict) for one in listing(at)):
        return LABEL_PROPERTIES(at)
    return array(LABEL_PROPERTIES)(at)


@dataclass(frozen=True, slots=True)
class _Response:
    """A response, of which the lists with something for each document are as long as that of the predictions."""

    job: str | None
    documents: tuple[_Document, ...]
    entities: tuple[tuple[Entity, ...], ...] | None
    properties: tuple[Any, ...] | None
    sentiment: tuple[dict[str, Any], ...] | None
    comments: tuple[Comment, ...] | None
    interpretations: tuple[Any, ...] | None
    rest: dict[str, Any]

    def __post_init__(self) -> None:
        for key in ("entities", "sentiment", "comments", "interpretations"):
            said = getattr(self, key)
            self._check_length(key, said)
        if not self.is_flat:
            self._check_length("label_properties", self.properties)

    def _check_length(self, key: str, said: tuple[Any, ...] | None) -> None:
        count = len(self.documents)
        if said is not None and len(said) != count:
            raise DocumentError(
                f"must be an array of {count}, as many as predictions, got an array of {len(said)}", path=f"$.{key}"
            )

    @property
    def is_flat(self) -> bool:
        """Whether properties do not say of which document they are."""
        return self.properties is not None and any(isinstance(one, dict) for one in self.properties)


_RESPONSE: Reader[_Response] = record(
    lambda status, **said: _Response(**said),
    rest={"model": or_null(MODEL)},
    status=choice("ok"),
    job=nullable(string),
    documents=Field(_predictions, "predictions"),
    entities=nullable(array(ENTITIES)),
    properties=nullable(_properties, key="label_properties"),
    sentiment=nullable(array(SENTIMENT)),
    comments=nullable(array(read_comment)),
    interpretations=nullable(array(listing)),
)


def read_response(at: At) -> Results:
    """Read a response to a request for predictions."""
    found = _RESPONSE(at)
    by_uid = _is_by_uid(at.value["predictions"])
    rest = {key: value for key, value in found.rest.items() if value is not None or key != "model"}
    properties = found.properties
    if found.is_flat and len(found.documents) > 1:
        rest["label_properties"], properties = list(found.properties or ()), None
    elif found.is_flat:
        properties = (found.properties,)
    for i, document in enumerate(found.documents):
        document.comment = None if found.comments is None else found.comments[i]
        document.entities += () if found.entities is None else found.entities[i]
        document.own |= _told(
            label_properties=list(properties[i]) if properties else None,
            sentiment=found.sentiment[i] if found.sentiment else None,
            comment=document.comment and document.comment.rest,
        )
    names = _names(found.documents)
    entities = [at["predictions"][i]["entities"] if by_uid else at["entities"][i] for i in range(len(names))]
    items, wrong = [], []
    for i, (name, document) in enumerate(zip(names, found.documents, strict=True)):
        try:
            explanation = document.explanation(entities[i], at["interpretations"][i])
            items.append(Item(name, "successful", explanation=explanation))
        except Rejected as rejected:
            wrong += rejected.problems
    if wrong:
        raise Rejected(wrong)
    default = PREDICT_COMMENTS if by_uid else PREDICT
    return Results(default if found.job is None else found.job, tuple(items), attributes={FORMAT: rest} if rest else {})


def _names(documents: Sequence[_Document]) -> list[str]:
    """Name each document by its uid or the id of its comment, if all have one of their own; else by its number."""
    said = [document.own.get("uid", document.comment and document.comment.id) for document in documents]
    names = [name for name in said if name is not None]
    if len(set(names)) == len(documents):
        for document in documents:
            document.own.pop("uid", None)
        return names
    for document in documents:
        if document.comment is not None:
            document.own["comment"] = {**document.own.get("comment", {}), "id": document.comment.id}
    return [default_name(i) for i in range(len(documents))]


def default_name(index: int) -> str:
    """Return what a document is called that has no name."""
    return f"documents[{index}]"


def _failed(message: str, job: str, rest: dict[str, Any]) -> Results:
    return Results(job, (), error=message, attributes={FORMAT: rest} if rest else {})


read_error: Reader[Results] = record(
    lambda status, **said: _failed(**said),
    rest={},
    status=choice("error"),
    message=string,
    job=nullable(string, PREDICT),
)
"""Read a response to a request that failed."""
