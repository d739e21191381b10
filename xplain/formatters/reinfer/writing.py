"""Writing the responses of Re:infer.

`encode_response` spreads the items of a job over the parallel lists of a response. Comments are written only where
something is known of them: names alone stand in ``names``. Attributes and extras are written only where a reader would
accept them, so that every document that we write is valid; `xplain.formatters.core.fit` reports the others as losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xplain.explanation import Explanation, Item, Prediction, Results, Source, Span
from xplain.formatters.core.extras import accepted, extras_of
from xplain.formatters.core.wire import Reader, listing, problems, read
from xplain.formatters.reinfer.comments import encode_comment
from xplain.formatters.reinfer.responses import (
    ENTITY_ATTRIBUTES,
    FORMAT,
    FURTHER_SPANS,
    LABEL_ATTRIBUTES,
    LABEL_PROPERTIES,
    MODEL,
    PREDICT,
    PREDICT_COMMENTS,
    SENTIMENT,
    UID_PATTERN,
    default_name,
)
from xplain.formatters.reinfer.spans import SPAN, SpanWriter

#: Stands for the explanation of an item that has none.
_EMPTY = Explanation("text-classification", Source("text"))

#: Fields of a response that extras never supply: they are written from values, or not at all.
_NEVER_EXTRA = {"entities", "sentiment", "comments", "interpretations", "job", "message", "names"}

_LABEL_FIELDS = {"name", "probability", "threshold", "id"}
_ENTITY_FIELDS = {*ENTITY_ATTRIBUTES, "name", "probability", "threshold", "id", "span", "spans"}


# Responses.


def encode_response(results: Results) -> dict[str, Any]:
    """Write fitted results as a response: by uid if the job is named so and only uids are known of the comments."""
    extras = extras_of(results.attributes, FORMAT)
    job = {} if results.job == PREDICT else {"job": results.job}
    if results.error is not None:
        return _with_extras({"status": "error", "message": results.error, **job}, extras)
    documents = [_ItemWriter.of(item) for item in results.items]
    if results.job == PREDICT_COMMENTS and documents and all(document.fits_uid for document in documents):
        predictions = [_encode_by_uid(document) for document in documents]
        return _with_extras({"status": "ok", "predictions": predictions, **_model(extras)}, extras)
    shared = {"label_properties": extras.get("label_properties")} if _has_shared_properties(extras) else None
    response = {"status": "ok", **_parallel_lists(documents, shared), **_model(extras), **job, **_names(documents)}
    return _with_extras(response, extras)


@dataclass(frozen=True, slots=True)
class _ItemWriter:
    """Writes the fields of one item's document."""

    name: str
    explanation: Explanation
    extras: dict[str, Any]
    spans: SpanWriter

    @classmethod
    def of(cls, item: Item) -> _ItemWriter:
        explanation = item.explanation or _EMPTY
        return cls(item.name, explanation, extras_of(explanation.attributes, FORMAT), SpanWriter(explanation.source))

    @property
    def entities(self) -> list[dict[str, Any]]:
        entities = (_encode_entity(prediction, self.spans) for prediction in self.explanation.predictions)
        return [entity for entity in entities if entity is not None]

    @property
    def labels(self) -> list[dict[str, Any]]:
        predictions = self.explanation.predictions
        return [_encode_label(prediction) for prediction in predictions if not isinstance(prediction.region, Span)]

    @property
    def interpretations(self) -> list[dict[str, Any]]:
        return [self.spans.interpretation(attribution) for attribution in self.explanation.attributions]

    @property
    def uid(self) -> str:
        uid = self.extras.get("uid")
        return uid if isinstance(uid, str) else self.name

    @property
    def fits_uid(self) -> bool:
        """Whether the uid says all that is known of the comment: such a document has neither text nor word scores."""
        explanation = self.explanation
        has_uid = bool(UID_PATTERN.fullmatch(self.uid))
        return has_uid and explanation.source.text is None and not explanation.attributions

    @property
    def has_comment(self) -> bool:
        """Whether anything is known of the comment."""
        return self.explanation.source.text is not None or "comment" in self.extras

    def extra(self, key: str, reader: Reader[Any]) -> Any:
        """Return an extra field if a reader accepts it, else None."""
        return accepted(self.extras, {key: reader}).get(key)


def _parallel_lists(documents: Sequence[_ItemWriter], shared: dict[str, Any] | None) -> dict[str, Any]:
    """Write the lists with an element for each document; ``shared`` are the label properties of all together."""
    has_comments = any(document.has_comment for document in documents)
    lists: dict[str, Any] = {}
    if has_comments:
        lists["comments"] = [
            encode_comment(document.explanation.source, document.extras.get("comment"), document.name)
            for document in documents
        ]
    lists["predictions"] = [document.labels for document in documents]
    lists["entities"] = [document.entities for document in documents]
    properties = [document.extra("label_properties", LABEL_PROPERTIES) or [] for document in documents]
    lists |= shared or {"label_properties": properties}
    sentiment = [document.extra("sentiment", SENTIMENT) for document in documents]
    # The list has no place for an unknown sentiment.
    lists |= _unless_empty("sentiment", sentiment if None not in sentiment else [])
    lists |= _unless_empty("interpretations", [document.interpretations for document in documents])
    return lists


def _names(documents: Sequence[_ItemWriter]) -> dict[str, Any]:
    """Write the names of documents that no comment tells."""
    names = [document.name for document in documents]
    is_told = any(document.has_comment for document in documents) or names == list(map(default_name, range(len(names))))
    return {} if is_told else {"names": names}


def _has_shared_properties(extras: Mapping[str, Any]) -> bool:
    return "label_properties" in extras and not problems(LABEL_PROPERTIES, extras["label_properties"])


def _unless_empty(key: str, elements: Sequence[Any]) -> dict[str, Any]:
    return {key: elements} if any(elements) else {}


def _model(extras: Mapping[str, Any]) -> dict[str, Any]:
    model = extras.get("model")
    return {"model": None if problems(MODEL, model) else model}


def _with_extras(response: dict[str, Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    """Add the extra fields of the response as a whole."""
    further = {key: value for key, value in extras.items() if key not in response and key not in _NEVER_EXTRA}
    if not _has_shared_properties(further):
        further.pop("label_properties", None)
    return {**response, **further}


def _encode_by_uid(document: _ItemWriter) -> dict[str, Any]:
    optional_fields = {
        "entities": document.entities,
        "label_properties": document.extra("label_properties", LABEL_PROPERTIES) or [],
        "sentiment": document.extra("sentiment", SENTIMENT),
        "translations": document.extra("translations", listing),
    }
    entry = {"uid": document.uid, "labels": document.labels}
    entry |= {key: value for key, value in optional_fields.items() if value is not None}
    written = {*entry, *optional_fields}
    return {**entry, **{key: value for key, value in document.extras.items() if key not in written}}


# Labels and entities.


def _encode_label(prediction: Prediction) -> dict[str, Any]:
    entry = {"name": list(prediction.label), "probability": _clip(prediction.score), **_threshold(prediction)}
    if isinstance(prediction.id, str):
        entry["id"] = prediction.id
    written = {*LABEL_ATTRIBUTES, *_LABEL_FIELDS}
    others = {key: value for key, value in prediction.attributes.items() if key not in written}
    return {**entry, **accepted(prediction.attributes, LABEL_ATTRIBUTES), **others}


def _encode_entity(prediction: Prediction, spans: SpanWriter) -> dict[str, Any] | None:
    """Write a prediction of a span, or return None if it is none or has no place in the comment."""
    if not isinstance(prediction.region, Span):
        return None
    attributes = accepted(prediction.attributes, ENTITY_ATTRIBUTES)
    first = _encode_span(spans, prediction.region, attributes.get("utf16_bytes"))
    if first is None:
        return None
    further_spans = read(FURTHER_SPANS, attributes.get("further_spans", []))
    further = [_encode_span(spans, span, utf16_bytes) for span, utf16_bytes in further_spans]
    unscored = attributes.get("unscored") is True and prediction.score == 1
    name = prediction.name
    entry = {
        "id": prediction.id if isinstance(prediction.id, str) else name,
        "name": name,
        "kind": attributes.get("kind", name),
        "span": first,
        "spans": [first, *filter(None, further)],
        "formatted_value": attributes.get("formatted_value", spans.text_of(prediction.region)),
        "probability": None if unscored else _clip(prediction.score),
        "capture_ids": attributes.get("capture_ids", []),
        **_threshold(prediction),
    }
    return {**entry, **{key: value for key, value in prediction.attributes.items() if key not in _ENTITY_FIELDS}}


def _encode_span(spans: SpanWriter, span: Span, utf16_bytes: Any) -> dict[str, Any] | None:
    """Write a span, with the bytes of UTF-16 that were kept unless they cannot be right."""
    written = spans.write(span, utf16_bytes)
    return spans.write(span) if written is not None and problems(SPAN, written) else written


def _threshold(prediction: Prediction) -> dict[str, float]:
    return {} if prediction.threshold is None else {"threshold": prediction.threshold}


def _clip(score: float) -> float:
    return min(max(score, 0.0), 1.0)
