"""Responses of Re:infer: what is predicted for each document or comment, from single labels to the whole response.

`read_response` and `read_error` read a response as the `Results` of a job. A response spreads what it says of one
document over parallel lists (predictions, entities, comments...), so each list is read and checked by itself first;
then the elements of one document are joined to an explanation. The readers of single fields are shared with
`xplain.formatters.reinfer.writing`, which drops what a document could not hold, and with
`xplain.formatters.reinfer.records`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Attribution, Explanation, Item, Prediction, Results, Source, Span
from xplain.formatters.core.extras import attributes_of
from xplain.formatters.core.places import MISSING, At, Problem, Rejected
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
from xplain.formatters.reinfer.comments import ParsedComment, or_null, read_comment
from xplain.formatters.reinfer.spans import SPAN, CommentSpan, check_span, read_interpretations, read_label

FORMAT = "reinfer"
PREDICT, PREDICT_COMMENTS = "predict", "predict-comments"
"""Names of the jobs of the two responses: for the documents of a request, and for stored comments by uid."""

UID_PATTERN = re.compile(r"[0-9a-f]{16}\..+", re.DOTALL)
_AUTO_THRESHOLD_PATTERN = re.compile("high_recall|balanced|high_precision|sampled_[0-9]+")
_PROPERTY_ID_PATTERN = re.compile("[0-9a-f]{16}")


def default_name(index: int) -> str:
    """Return the name of a document that has no name of its own."""
    return f"documents[{index}]"


def matching(pattern: re.Pattern[str], expected: str) -> Reader[str]:
    """Make a reader of a string that matches a pattern."""

    def read(at: At) -> str:
        if not pattern.fullmatch(string(at)):
            raise at.rejected(expected)
        return string(at)

    return read


uid = matching(UID_PATTERN, "the 16 hexadecimal digits of a source, a full stop and the id of a comment")
"""Read the uid of a comment."""

_FRACTION = between(0, 1)


# Labels.

LABEL_ATTRIBUTES: dict[str, Reader[Any]] = {
    "sentiment": between(-1, 1),
    "auto_thresholds": array(
        matching(_AUTO_THRESHOLD_PATTERN, "one of 'high_recall', 'balanced', 'high_precision', 'sampled_<number>'")
    ),
}
"""Readers of the attributes of a label that are checked; others are kept as they are."""


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
"""Read the labels of one document."""


# Entities.


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity as a document gives it, with every place where it occurs."""

    id: str
    name: str
    kind: str
    span: CommentSpan
    spans: tuple[CommentSpan, ...]
    value: str
    probability: float | None
    captures: tuple[int, ...]
    threshold: float | None
    rest: dict[str, Any]

    def __post_init__(self) -> None:
        if not self.spans:
            raise DocumentError("must hold a span, got none", path="$.spans")
        # The vendor replaced `span` by `spans`, and still sends both.
        if self.span != self.spans[0]:
            raise DocumentError("must be the first of spans, got another one", path="$.span")


ENTITIES: Reader[tuple[Entity, ...]] = array(
    record(
        Entity,
        rest={},
        id=string,
        name=string,
        kind=string,
        span=SPAN,
        spans=array(SPAN),
        value=Field(string, "formatted_value"),
        probability=or_null(_FRACTION),
        captures=Field(array(integer()), "capture_ids"),
        threshold=nullable(number),
    )
)
"""Read the entities of one document."""


def _further_span(part: str, start: int, stop: int, utf16_bytes: tuple[int, int] | None) -> tuple[Span, Any]:
    return Span(start, stop, part=part), utf16_bytes


_BYTE_RANGE: Reader[Any] = pair(integer(0))
FURTHER_SPANS: Reader[tuple[tuple[Span, Any], ...]] = array(
    record(_further_span, part=string, start=integer(0), stop=integer(0), utf16_bytes=optional(_BYTE_RANGE))
)
"""Read the attribute ``further_spans``: pairs of a span and its bytes of UTF-16, or None."""

ENTITY_ATTRIBUTES: dict[str, Reader[Any]] = {
    "kind": string,
    "formatted_value": string,
    "capture_ids": array(integer()),
    "unscored": boolean,
    "utf16_bytes": _BYTE_RANGE,
    "further_spans": FURTHER_SPANS,
}
"""Readers of the attributes of an entity that have a field in a document; others are kept as they are."""


def entity_prediction(entity: Entity, comment: ParsedComment | None) -> Prediction:
    """Return an entity as a prediction at its first span, without the attributes that its name or text implies."""
    text_known = comment is not None and comment.has_messages
    first = entity.spans[0]
    covered = comment.texts[first.part][first.start : first.stop] if comment is not None and text_known else ""
    optional_attributes = {
        "kind": None if entity.kind == entity.name else entity.kind,
        "formatted_value": None if entity.value == covered else entity.value,
        "capture_ids": list(entity.captures) or None,
        "unscored": True if entity.probability is None else None,
        "utf16_bytes": _bytes_to_keep(first, text_known),
        "further_spans": [_span_attribute(span, text_known) for span in entity.spans[1:]] or None,
    }
    attributes = {key: value for key, value in entity.rest.items() if key not in ENTITY_ATTRIBUTES}
    attributes |= {key: value for key, value in optional_attributes.items() if value is not None}
    return Prediction(
        (entity.name,),
        1.0 if entity.probability is None else entity.probability,
        region=first.span,
        threshold=entity.threshold,
        id=None if entity.id == entity.name else entity.id,
        attributes=attributes,
    )


def _bytes_to_keep(span: CommentSpan, text_known: bool) -> list[int] | None:
    """Return the bytes of UTF-16 if writing could not tell them, neither from the text nor as two a code point."""
    return None if text_known or span.utf16 == (2 * span.start, 2 * span.stop) else list(span.utf16)


def _span_attribute(span: CommentSpan, text_known: bool) -> dict[str, Any]:
    utf16_bytes = _bytes_to_keep(span, text_known)
    attribute = {"part": span.part, "start": span.start, "stop": span.stop}
    return attribute if utf16_bytes is None else {**attribute, "utf16_bytes": utf16_bytes}


# Other fields of a document and of a response.

LABEL_PROPERTIES: Reader[tuple[dict[str, Any], ...]] = array(
    keep(
        {
            "property_id": matching(_PROPERTY_ID_PATTERN, "16 hexadecimal digits"),
            "property_name": string,
            "value": number,
        }
    )
)
SENTIMENT = keep({"total": number})
MODEL = keep({"version": integer(0), "time": time})


# One document.


@dataclass(slots=True)
class _Document:
    """The predictions for one document; what the lists beside the predictions say of it is added later."""

    labels: tuple[Prediction, ...]
    entities: tuple[Entity, ...] = ()
    extras: dict[str, Any] = field(default_factory=dict)
    comment: ParsedComment | None = None

    def explanation(self, entities_at: At, interpretations_at: At) -> Explanation:
        """Return the explanation of the document, checked against its text if that is known."""
        self._check_entities(entities_at)
        predictions = (*self.labels, *(entity_prediction(entity, self.comment) for entity in self.entities))
        attributions: tuple[Attribution, ...] = ()
        if interpretations_at.value is not MISSING:
            attributions = read_interpretations(interpretations_at, self.comment, predictions)
        source = Source("text") if self.comment is None else self.comment.source
        attributes = attributes_of(self.extras, FORMAT)
        return Explanation("text-classification", source, predictions, attributions, attributes=attributes)

    def _check_entities(self, at: At) -> None:
        if self.comment is None or not self.comment.has_messages:
            return
        for i, entity in enumerate(self.entities):
            for k, span in enumerate(entity.spans):
                check_span(at[i]["spans"][k], span, self.comment)


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}


def _labels_only(at: At) -> _Document:
    return _Document(LABELS(at))


def _document_by_uid(
    labels: tuple[Prediction, ...],
    entities: tuple[Entity, ...],
    properties: tuple[dict[str, Any], ...],
    sentiment: dict[str, Any] | None,
    rest: dict[str, Any],
) -> _Document:
    extras = {**rest, **_without_empty(label_properties=list(properties), sentiment=sentiment)}
    return _Document(labels, entities, extras)


_DOCUMENT_BY_UID: Reader[_Document] = record(
    _document_by_uid,
    rest={"uid": uid, "translations": nullable(listing)},
    labels=LABELS,
    entities=nullable(ENTITIES, ()),
    properties=nullable(LABEL_PROPERTIES, (), key="label_properties"),
    sentiment=nullable(SENTIMENT),
)


# The response.


def _is_by_uid(predictions: list[Any]) -> bool:
    """Whether predictions are those of stored comments: objects with a uid, where others are lists of labels."""
    return any(isinstance(prediction, dict) for prediction in predictions)


def _predictions(at: At) -> tuple[_Document, ...]:
    return array(_DOCUMENT_BY_UID if _is_by_uid(listing(at)) else _labels_only)(at)


def _is_flat(properties: Sequence[Any] | None) -> bool:
    """Whether label properties are one list, not one for each document."""
    return properties is not None and any(isinstance(element, dict) for element in properties)


def _label_properties(at: At) -> tuple[Any, ...]:
    """Read the properties of each document, or one flat list of properties, as in the API reference."""
    return (LABEL_PROPERTIES if _is_flat(listing(at)) else array(LABEL_PROPERTIES))(at)


@dataclass(frozen=True, slots=True)
class _Response:
    """A response; its lists with an element for each document are as long as that of the predictions."""

    job: str | None
    documents: tuple[_Document, ...]
    entities: tuple[tuple[Entity, ...], ...] | None
    properties: tuple[Any, ...] | None
    sentiment: tuple[dict[str, Any], ...] | None
    comments: tuple[ParsedComment, ...] | None
    interpretations: tuple[Any, ...] | None
    names: tuple[str, ...] | None
    rest: dict[str, Any]

    def __post_init__(self) -> None:
        for key in ("entities", "sentiment", "comments", "interpretations", "names"):
            self._check_length(key, getattr(self, key))
        if not _is_flat(self.properties):
            self._check_length("label_properties", self.properties)

    def _check_length(self, key: str, elements: tuple[Any, ...] | None) -> None:
        count = len(self.documents)
        if elements is not None and len(elements) != count:
            raise DocumentError(
                f"must be an array of {count}, as many as predictions, got an array of {len(elements)}", path=f"$.{key}"
            )

    @property
    def has_shared_properties(self) -> bool:
        """Whether the label properties are not those of one document: there are several documents, or none."""
        return _is_flat(self.properties) and len(self.documents) != 1

    @property
    def extras(self) -> dict[str, Any]:
        """Fields of the response as a whole that are kept."""
        extras = {key: value for key, value in self.rest.items() if value is not None or key != "model"}
        if self.has_shared_properties:
            extras["label_properties"] = list(self.properties or ())
        return extras

    def properties_of(self, index: int) -> list[dict[str, Any]]:
        """Return the label properties of one document."""
        if not self.properties or self.has_shared_properties:
            return []
        return list(self.properties if _is_flat(self.properties) else self.properties[index])

    def join_lists(self) -> None:
        """Give each document its elements of the lists beside the predictions."""
        for i, document in enumerate(self.documents):
            document.comment = self.comments[i] if self.comments else None
            document.entities += self.entities[i] if self.entities else ()
            document.extras |= _without_empty(
                label_properties=self.properties_of(i),
                sentiment=self.sentiment[i] if self.sentiment else None,
                comment=document.comment and document.comment.extras,
            )


def _names_of_all(at: At) -> tuple[str, ...]:
    """Read a name for each document, each another one."""
    names = array(string)(at)
    for i, name in enumerate(names):
        if name in names[:i]:
            raise at[i].rejected("a name of its own")
    return names


_RESPONSE: Reader[_Response] = record(
    lambda status, **fields: _Response(**fields),
    rest={"model": or_null(MODEL)},
    status=choice("ok"),
    job=nullable(string),
    documents=Field(_predictions, "predictions"),
    entities=nullable(array(ENTITIES)),
    properties=nullable(_label_properties, key="label_properties"),
    sentiment=nullable(array(SENTIMENT)),
    comments=nullable(array(read_comment)),
    interpretations=nullable(array(listing)),
    names=nullable(_names_of_all),
)


def read_response(at: At) -> Results:
    """Read a response to a request for predictions."""
    response = _RESPONSE(at)
    by_uid = _is_by_uid(at.value["predictions"])
    response.join_lists()
    items = _items(at, response.documents, response.names, by_uid)
    default_job = PREDICT_COMMENTS if by_uid else PREDICT
    job = default_job if response.job is None else response.job
    return Results(job, items, attributes=attributes_of(response.extras, FORMAT))


def _items(at: At, documents: Sequence[_Document], names: Sequence[str] | None, by_uid: bool) -> tuple[Item, ...]:
    """Make an item of each document; the problems of all documents are raised together."""
    items: list[Item] = []
    wrong: list[Problem] = []
    for i, (name, document) in enumerate(zip(names or _names(documents), documents, strict=True)):
        entities_at = at["predictions"][i]["entities"] if by_uid else at["entities"][i]
        try:
            explanation = document.explanation(entities_at, at["interpretations"][i])
        except Rejected as rejected:
            wrong += rejected.problems
        else:
            items.append(Item(name, "successful", explanation=explanation))
    if wrong:
        raise Rejected(wrong)
    return tuple(items)


def _names(documents: Sequence[_Document]) -> list[str]:
    """Name documents by their uids or the ids of their comments, or by number unless every one has its own.

    A uid or id that is not the name stays among the document's extras, and one that is the name is not kept twice.
    """
    ids = [document.extras.get("uid", document.comment and document.comment.id) for document in documents]
    names = [id for id in ids if id is not None]
    if len(set(names)) == len(documents):
        for document in documents:
            document.extras.pop("uid", None)
        return names
    for document in documents:
        if document.comment is not None:
            document.extras["comment"] = {**document.extras.get("comment", {}), "id": document.comment.id}
    return [default_name(i) for i in range(len(documents))]


def _failed_job(message: str, job: str, rest: dict[str, Any]) -> Results:
    return Results(job, (), error=message, attributes=attributes_of(rest, FORMAT))


read_error: Reader[Results] = record(
    lambda status, **fields: _failed_job(**fields),
    rest={},
    status=choice("error"),
    message=string,
    job=nullable(string, PREDICT),
)
"""Read a response to a request that failed."""
