"""The format of Re:infer (UiPath Communications Mining): responses, requests, comments and validation figures.

::

    {"status": "ok",
     "predictions": [[{"name": ["Order", "Missing"], "probability": 0.8, "auto_thresholds": ["high_recall"]}]],
     "entities": [[{"id": "0f1e", "name": "order-id", "kind": "order-id", "formatted_value": "A-7",
                    "span": {...}, "spans": [{...}], "probability": null, "capture_ids": []}]],
     "comments": [{"id": "0001", "messages": [{"subject": {"text": "Order"}, "body": {"text": "Where is A-7?"}}], ...}],
     "model": {"version": 5, "time": "2026-02-06T20:42:58Z"}}

    {"status": "ok", "predictions": [{"uid": "18ba5ce699f8da1f.0001", "labels": [...]}], "model": null}

    {"status": "error", "message": "404 Not Found"}

A response is read as the `Results` of a job with one item for each document. An item's name is the document's uid or
the id of its comment or, if there is neither, ``documents[0]`` and so on. With ``comments``, the text of an item is the
subject, body and signature of each message, joined, as parts named ``messages[0].body``.

Labels are paths, also where a document spells them ``A > B``. A parent is a prediction of its own; that its probability
is at least those of its children is usual but not checked. Label properties, sentiment and other fields of a document
are kept in ``attributes["reinfer"]`` of its explanation.

Clients of the vendor ignore unknown keys, so we add some: ``threshold`` and ``id`` of a label, ``threshold`` of an
entity, ``job`` (the name of the job), ``names`` (of the documents, where there are no comments to name them), and
``interpretations``, a list for each document with the word scores of its
labels::

    {"name": ["Order", "Missing"], "scale": 4,
     "interpretation": [{"content_part": "body", "message_index": 0,
                         "spans": [{"char_start": 0, "char_end": 5, "utf16_byte_start": 0, "utf16_byte_end": 10,
                                    "importance": 0.25}]}]}

This is the platform's own form for themes, where importances are from -1 to 1. Larger scores are divided by ``scale``,
the least power of two that suffices: division by a power of two is exact, so scores come back to the last bit.

Requests (`PredictRequest`, raw e-mails, comments by uid), comments, interpretations of themes and validation figures
are records; every limit of the API reference is checked. The parts of the format: `xplain.formatters.reinfer.responses`
and `xplain.formatters.reinfer.writing`, `xplain.formatters.reinfer.comments`, `xplain.formatters.reinfer.spans`,
`xplain.formatters.reinfer.records`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from xplain.explanation import Explanation, Item, Prediction, Record, Results, Span, WordScores
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.own import Own
from xplain.formatters.core.places import At
from xplain.formatters.core.streaming import NO_ITEMS, no_head
from xplain.formatters.core.wire import listing, mapping, string
from xplain.formatters.reinfer.comments import BODY
from xplain.formatters.reinfer.notes import notes
from xplain.formatters.reinfer.records import RECORDS, kind_of
from xplain.formatters.reinfer.responses import (
    LABEL_PROPERTIES,
    MODEL,
    PREDICT,
    SENTIMENT,
    default_name,
    read_error,
    read_response,
)
from xplain.formatters.reinfer.writing import encode_response

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "OWN", "decode", "encode", "notes", "sniff"]

#: The format knows no jobs.
ITEMS, HEAD = NO_ITEMS, no_head

OWN: Own = {
    "model": MODEL,
    "uid": string,
    "comment": mapping,
    "label_properties": LABEL_PROPERTIES,
    "sentiment": SENTIMENT,
    "translations": listing,
}
"""Readers of our attributes."""

CAPABILITIES = {
    "text-classification": Capabilities(
        source="text",
        evidence=(WordScores,),
        explains="label",
        text=True,
        part=BODY,
        paths=True,
        regions=(Span,),
        threshold=True,
        ids=(str,),
        attributes=True,
    )
}

DEFAULT_THRESHOLD = 0.25
"""The vendor's default for a request without a threshold."""


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Re:infer."""
    if not isinstance(document, dict):
        return False
    kind, status = kind_of(document), document.get("status")
    if kind == "annotated-comment":
        return isinstance(document["comment"], dict) and "messages" in document["comment"]
    if kind == "validation":
        return status == "ok"
    return (
        kind is not None
        or (status == "ok" and "predictions" in document)
        or (status == "error" and "message" in document)
    )


def encode(value: Value) -> dict[str, Any]:
    """Write fitted results, or an explanation as a job of one item, as a response.

    Parameters
    ----------
    value : Explanation, Results or Record
        What to write. Results are written by uid if their job is named ``predict-comments``, their items are named by
        uids, and they hold neither texts nor word scores.

    Returns
    -------
    dict
        The document, of JSON values only.
    """
    if isinstance(value, Record):
        return value.fields
    if isinstance(value, Explanation):
        value = Results(PREDICT, (Item(default_name(0), "successful", explanation=value),))
    return encode_response(value)


def decode(at: At) -> Results | Record:
    """Read a response, or an object that is a record."""
    document = mapping(at)
    kind = kind_of(document)
    if kind is not None:
        return RECORDS[kind](at)
    has_message_only = "message" in document and "predictions" not in document
    if document.get("status") == "error" or has_message_only:
        return read_error(at)
    if "status" in document or "predictions" in document:
        return read_response(at)
    raise at.rejected("a response, a request, a comment or the figures of a validation")


def cut_to_request(predictions: Iterable[Prediction], request: Mapping[str, Any]) -> tuple[Prediction, ...]:
    """Return the labels that Re:infer would return for a request, each with the threshold that it meets.

    Parameters
    ----------
    predictions : iterable of Prediction
        All scored labels.
    request : mapping
        Fields of a request: ``threshold`` (0.25 if left out) and ``labels``, the only labels to be returned, each of
        which may have a threshold of its own.

    Returns
    -------
    tuple of Prediction
        The returned labels in their order. The number behind the threshold ``"auto"`` is unknown: a label meets it if
        it has any ``auto_thresholds``. This rule is inferred; the API reference does not give one.

    Examples
    --------
    >>> order, refund = Prediction("Order", 0.75), Prediction("Refund", 0.3)
    >>> [label.name for label in cut_to_request([order, refund], {"threshold": 0.5})]
    ['Order']
    >>> request = {"threshold": 0.5, "labels": [{"name": ["Refund"], "threshold": 0.25}]}
    >>> cut_to_request([order, refund], request)[0].threshold
    0.25
    """
    default = request.get("threshold")
    default = DEFAULT_THRESHOLD if default is None else default
    wanted = request.get("labels")
    thresholds = None if wanted is None else {tuple(label["name"]): label.get("threshold") for label in wanted}
    returned = []
    for prediction in predictions:
        if thresholds is not None and prediction.label not in thresholds:
            continue
        label_threshold = None if thresholds is None else thresholds[prediction.label]
        threshold = default if label_threshold is None else label_threshold
        if threshold == "auto":
            returned += [prediction] if prediction.attributes.get("auto_thresholds") else []
        elif prediction.score >= threshold:
            returned.append(replace(prediction, threshold=threshold))
    return tuple(returned)
