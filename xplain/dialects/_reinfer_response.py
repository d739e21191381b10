"""Re:infer's responses: what is predicted for each document or comment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from xplain.dialects._places import MISSING
from xplain.dialects._reinfer_comment import Comment, or_null, read_comment
from xplain.dialects._reinfer_predictions import (
    ENTITIES,
    LABEL_PROPERTIES,
    LABELS,
    MODEL,
    SENTIMENT,
    Entity,
    entity_prediction,
    matching,
)
from xplain.dialects._reinfer_spans import check_place, read_interpretations
from xplain.dialects._wire import At, Field, Reader, Rejected, array, choice, listing, nullable, record, string
from xplain.errors import DocumentError
from xplain.explanation import Attribution, Explanation, Item, Prediction, Results, Source

__all__ = [
    "FORMAT",
    "PREDICT",
    "PREDICT_COMMENTS",
    "UID",
    "default_name",
    "read_error",
    "read_response",
    "uid",
]

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
