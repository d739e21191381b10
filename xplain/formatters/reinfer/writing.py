"""Writing Re:infer's responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xplain.explanation import Explanation, Item, Prediction, Results, Source, Span
from xplain.formatters.core.wire import Reader, listing, problems, read
from xplain.formatters.reinfer.comments import encode_comment
from xplain.formatters.reinfer.responses import (
    ENTITY_ATTRIBUTES,
    FORMAT,
    FURTHER,
    LABEL_ATTRIBUTES,
    LABEL_PROPERTIES,
    MODEL,
    PREDICT,
    PREDICT_COMMENTS,
    SENTIMENT,
    UID,
    default_name,
)
from xplain.formatters.reinfer.spans import PLACE, Writer

_NOTHING = Explanation("text-classification", Source("text"))


@dataclass(frozen=True, slots=True)
class _Document:
    """An item that is written."""

    name: str
    explanation: Explanation
    own: dict[str, Any]
    writer: Writer

    @classmethod
    def of(cls, item: Item) -> _Document:
        explanation = item.explanation or _NOTHING
        return cls(item.name, explanation, _own(explanation.attributes), Writer(explanation.source))

    @property
    def entities(self) -> list[dict[str, Any]]:
        found = (_encode_entity(prediction, self.writer) for prediction in self.explanation.predictions)
        return [entity for entity in found if entity is not None]

    @property
    def labels(self) -> list[dict[str, Any]]:
        return [_encode_label(one) for one in self.explanation.predictions if not isinstance(one.region, Span)]

    @property
    def interpretations(self) -> list[dict[str, Any]]:
        return [self.writer.interpretation(attribution) for attribution in self.explanation.attributions]

    @property
    def uid(self) -> str:
        uid = self.own.get("uid")
        return uid if isinstance(uid, str) else self.name

    def kept(self, key: str, reader: Reader[Any]) -> Any:
        """Give what a document may say under a key, else None."""
        value = self.own.get(key)
        return None if value is None or problems(reader, value) else value


def _own(attributes: Mapping[str, Any]) -> dict[str, Any]:
    own = attributes.get(FORMAT)
    return dict(own) if isinstance(own, dict) else {}


def encode_response(results: Results) -> dict[str, Any]:
    """Turn fitted results into a response, by uid if their job says so and nothing more is known of the comments."""
    own = _own(results.attributes)
    if results.error is not None:
        job = {} if results.job == PREDICT else {"job": results.job}
        return _with({"status": "error", "message": results.error, **job}, own)
    documents = [_Document.of(item) for item in results.items]
    if results.job == PREDICT_COMMENTS and documents and all(map(_is_by_uid, documents)):
        return _with({"status": "ok", "predictions": [_encode_by_uid(one) for one in documents], **_model(own)}, own)
    response: dict[str, Any] = {"status": "ok", "predictions": [document.labels for document in documents]}
    response |= _listed(entities=[document.entities for document in documents])
    response |= _listed(
        label_properties=[document.kept("label_properties", LABEL_PROPERTIES) or [] for document in documents]
    )
    sentiment = [document.kept("sentiment", SENTIMENT) for document in documents]
    response |= _listed(sentiment=sentiment if None not in sentiment else [])
    if any(_has_comment(document, default_name(i)) for i, document in enumerate(documents)):
        response["comments"] = [
            encode_comment(document.explanation.source, document.own.get("comment"), document.name)
            for document in documents
        ]
    response |= _listed(interpretations=[document.interpretations for document in documents])
    job = {} if results.job == PREDICT else {"job": results.job}
    return _with({**response, **_model(own), **job}, own)


def _listed(**lists: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Leave out lists that say nothing of any document."""
    return {key: found for key, found in lists.items() if any(found)}


def _model(own: Mapping[str, Any]) -> dict[str, Any]:
    model = own.get("model")
    return {"model": None if problems(MODEL, model) else model}


#: What a response says that is checked; of what is kept it is written in one place only.
_CHECKED = {"entities", "sentiment", "comments", "interpretations", "job", "message"}


def _with(response: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Add what a response said besides."""
    rest = {key: value for key, value in own.items() if key not in response and key not in _CHECKED}
    if "label_properties" in rest and problems(LABEL_PROPERTIES, rest["label_properties"]):
        del rest["label_properties"]
    return {**response, **rest}


def _is_by_uid(document: _Document) -> bool:
    explanation = document.explanation
    return bool(UID.fullmatch(document.uid)) and explanation.source.text is None and not explanation.attributions


def _has_comment(document: _Document, name: str) -> bool:
    return document.explanation.source.text is not None or "comment" in document.own or document.name != name


def _encode_by_uid(document: _Document) -> dict[str, Any]:
    said = {
        "entities": document.entities or None,
        "label_properties": document.kept("label_properties", LABEL_PROPERTIES),
        "sentiment": document.kept("sentiment", SENTIMENT),
        "translations": document.kept("translations", listing),
    }
    entry = {"uid": document.uid, "labels": document.labels}
    entry |= {key: value for key, value in said.items() if value is not None}
    return {**entry, **{key: value for key, value in document.own.items() if key not in {*entry, *said}}}


_LABEL_KEYS = {"name", "probability", "threshold", "id"}
_ENTITY_KEYS = {*ENTITY_ATTRIBUTES, "name", "probability", "threshold", "id", "span", "spans"}


def _encode_label(prediction: Prediction) -> dict[str, Any]:
    entry = {"name": list(prediction.label), "probability": _fraction(prediction.score), **_threshold(prediction)}
    if isinstance(prediction.id, str):
        entry["id"] = prediction.id
    checked = _accepted(prediction.attributes, LABEL_ATTRIBUTES)
    rest = {key: value for key, value in prediction.attributes.items() if key not in {*LABEL_ATTRIBUTES, *_LABEL_KEYS}}
    return {**entry, **checked, **rest}


def _encode_entity(prediction: Prediction, writer: Writer) -> dict[str, Any] | None:
    if not isinstance(prediction.region, Span):
        return None
    said = _accepted(prediction.attributes, ENTITY_ATTRIBUTES)
    place = _place(writer, prediction.region, said.get("utf16_bytes"))
    if place is None:
        return None
    further = [_place(writer, *one) for one in read(FURTHER, said.get("further_spans", []))]
    unscored = said.get("unscored") is True and prediction.score == 1
    name = prediction.name
    entry = {
        "id": prediction.id if isinstance(prediction.id, str) else name,
        "name": name,
        "kind": said.get("kind", name),
        "span": place,
        "spans": [place, *filter(None, further)],
        "formatted_value": said.get("formatted_value", writer.covered(prediction.region)),
        "probability": None if unscored else _fraction(prediction.score),
        "capture_ids": said.get("capture_ids", []),
        **_threshold(prediction),
    }
    return {**entry, **{key: value for key, value in prediction.attributes.items() if key not in _ENTITY_KEYS}}


def _place(writer: Writer, span: Span, utf16: Any = None) -> dict[str, Any] | None:
    """Write a span, with UTF-16 bytes that are kept if they can be those."""
    place = writer.place(span, utf16)
    return writer.place(span) if place is not None and problems(PLACE, place) else place


def _accepted(attributes: Mapping[str, Any], readers: Mapping[str, Reader[Any]]) -> dict[str, Any]:
    """Give those of some attributes that a document may hold."""
    return {
        key: attributes[key] for key in readers if key in attributes and not problems(readers[key], attributes[key])
    }


def _threshold(prediction: Prediction) -> dict[str, float]:
    return {} if prediction.threshold is None else {"threshold": prediction.threshold}


def _fraction(score: float) -> float:
    return min(max(score, 0.0), 1.0)
