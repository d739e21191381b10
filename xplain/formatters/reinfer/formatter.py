"""Re:infer's predictions (UiPath Communications Mining): requests, responses and the figures of a validation.

::

    {"status": "ok",
     "predictions": [[{"name": ["Order", "Missing"], "probability": 0.8, "auto_thresholds": ["high_recall"]}]],
     "entities": [[{"id": "0f1e", "name": "order-id", "kind": "order-id", "formatted_value": "A-7",
                    "span": {...}, "spans": [{...}], "probability": null, "capture_ids": []}]],
     "comments": [{"id": "0001", "messages": [{"subject": {"text": "Order"}, "body": {"text": "Where is A-7?"}}], ...}],
     "model": {"version": 5, "time": "2026-02-06T20:42:58Z"}}

    {"status": "ok", "predictions": [{"uid": "18ba5ce699f8da1f.0001", "labels": [...]}], "model": null}

    {"status": "error", "message": "404 Not Found"}

A response is the results of a job, with one item for each document: named by its uid or the id of its comment or, if
there is none, ``documents[0]`` and so on. With ``comments``, the text of an item is that of the subject, body and
signature of each message, as parts named ``messages[0].body``. Labels are paths, also where they are spelt ``A > B``;
parents are predicted on their own, as a rule with a probability no smaller than their children's, which is not checked.
Labels and entities: `xplain.formatters.reinfer.responses`; places: `xplain.formatters.reinfer.spans`. Properties of
labels, the sentiment and what else is said of a document are in ``attributes["reinfer"]`` of its explanation.

A vendor's client ignores keys that it does not know, and these are ours: ``threshold`` and ``id`` of a label,
``threshold`` of an entity, ``job`` (the name of the job), and ``interpretations``, a list for each document with what
the words of its comment say for a label::

    {"name": ["Order", "Missing"], "scale": 4,
     "interpretation": [{"content_part": "body", "message_index": 0,
                         "spans": [{"char_start": 0, "char_end": 5, "utf16_byte_start": 0, "utf16_byte_end": 10,
                                    "importance": 0.25}]}]}

as the platform interprets themes: an importance from -1 to 1. Scores beyond that are divided by ``scale``, the least
power of two that is enough, so that the product is the score to the last bit.

Requests (`PredictRequest`, raw e-mails, comments by uid), comments, the interpretation of a theme and the figures of a
validation are records; every limit of the API reference is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from xplain.explanation import Explanation, Item, Prediction, Record, Results, Span, WordScores
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.places import At
from xplain.formatters.core.streaming import NO_ITEMS, no_head
from xplain.formatters.core.wire import mapping
from xplain.formatters.reinfer.comments import BODY
from xplain.formatters.reinfer.records import RECORDS, kind_of
from xplain.formatters.reinfer.responses import PREDICT, default_name, read_error, read_response
from xplain.formatters.reinfer.writing import encode_response

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "decode", "encode", "sniff"]

#: The format knows no jobs.
ITEMS, HEAD = NO_ITEMS, no_head

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
"""What counts where a request says nothing."""


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Re:infer's."""
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
    """Turn fitted results, or an explanation as the only item of some, into a response.

    Parameters
    ----------
    value : Explanation, Results or Record
        What to write. Results of a job named ``predict-comments`` whose items are named by uids, and of which neither
        texts nor words are known, are written by uid.

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
    """Read a response, a request, a comment or the figures of a validation."""
    document = mapping(at)
    kind = kind_of(document)
    if kind is not None:
        return RECORDS[kind](at)
    if document.get("status") == "error" or (set(document) & {"message", "predictions"}) == {"message"}:
        return read_error(at)
    if "status" in document or "predictions" in document:
        return read_response(at)
    raise at.rejected("a response, a request, a comment or the figures of a validation")


def cut_to_request(predictions: Iterable[Prediction], request: Mapping[str, Any]) -> tuple[Prediction, ...]:
    """Say which labels a request makes Re:infer return, each with the threshold that it meets.

    Parameters
    ----------
    predictions : iterable of Prediction
        Every label that is scored.
    request : mapping
        Fields of a request: ``threshold`` (0.25 if left out) and ``labels``, the only ones to be returned, each with a
        threshold of its own where it has one.

    Returns
    -------
    tuple of Prediction
        Those that are returned, in their order. Of a threshold ``"auto"`` no number is known; a label then meets it if
        any of its ``auto_thresholds`` is named, which is inferred: the reference does not say so.

    Examples
    --------
    >>> order, refund = Prediction("Order", 0.75), Prediction("Refund", 0.3)
    >>> [one.name for one in cut_to_request([order, refund], {"threshold": 0.5})]
    ['Order']
    >>> request = {"threshold": 0.5, "labels": [{"name": ["Refund"], "threshold": 0.25}]}
    >>> cut_to_request([order, refund], request)[0].threshold
    0.25
    """
    default = request.get("threshold")
    default = DEFAULT_THRESHOLD if default is None else default
    asked = request.get("labels")
    thresholds = None if asked is None else {tuple(one["name"]): one.get("threshold") for one in asked}
    found = []
    for prediction in predictions:
        if thresholds is not None and prediction.label not in thresholds:
            continue
        own = None if thresholds is None else thresholds[prediction.label]
        threshold = default if own is None else own
        if threshold == "auto":
            found += [prediction] if prediction.attributes.get("auto_thresholds") else []
        elif prediction.score >= threshold:
            found.append(replace(prediction, threshold=threshold))
    return tuple(found)
