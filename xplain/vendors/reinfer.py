"""Answers of any text classifier to the requests of Re:infer, in place of the service.

The documents of a request become comments for the classifier, its predictions are cut down to the labels and thresholds
that the request asks for, and the results can be written as a response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from xplain import formatters
from xplain.errors import InputError
from xplain.explanation import Explanation, Item, Record, Results, Source
from xplain.explanation.hierarchy import with_parents
from xplain.formatters.reinfer.formatter import cut_to_request
from xplain.formatters.reinfer.responses import FORMAT, PREDICT, default_name

if TYPE_CHECKING:
    from xplain.models import Comment, PreparedText, TextClassifier


def answer(
    model: TextClassifier, request: Record | Mapping[str, Any], *, method: str | None = None, **options: Any
) -> Results:
    """Answer a Re:infer request for predictions with a text classifier.

    Parameters
    ----------
    model : TextClassifier
        The classifier. Labels that are paths are predicted with their parents, see `xplain.with_parents`.
    request : Record or dict
        A predict request, or one with raw e-mails, which `xplain.comment_from_raw_email` reads.
    method : str, optional
        Attribution method by which each returned label that the model itself scores is explained; none by default.
    **options
        As for `xplain.explain`: ``seed``, ``batch_size``, options of the method.

    Returns
    -------
    Results
        An item for each document, with the labels that the request asks for and whose thresholds are met. It can be
        written in the format ``"reinfer"``. Texts are included if the request includes comments or a method is given.

    Raises
    ------
    DocumentError
        If the request is malformed or exceeds a limit; its ``$`` path says where.
    InputError
        If the request asks for what only the service knows: stored comments or automatic thresholds.

    Examples
    --------
    >>> import numpy as np, xplain
    >>> def lost(texts):
    ...     return np.array([[0.9 if "lost" in text else 0.1] for text in texts])
    >>> model = xplain.TextClassifier(lost, labels=[("Order", "Lost")], output="probability")
    >>> request = {"documents": [{"messages": [{"body": {"text": "It is lost."}}]}], "threshold": 0.5}
    >>> [prediction.name for prediction in answer(model, request).items[0].explanation.predictions]
    ['Order', 'Order > Lost']
    """
    record = _checked_request(request)
    comments = [_comment(document) for document in record.fields["documents"]]
    include_comments = bool(record.fields.get("include_comments")) or method is not None
    explanations = _explanations(model, comments, record, method, options)
    names = [comment.id or default_name(i) for i, comment in enumerate(comments)]
    has_unique_ids = len(set(names)) == len(names)
    if not has_unique_ids:
        names = [default_name(i) for i in range(len(comments))]
    items = []
    for name, comment, explanation in zip(names, comments, explanations, strict=True):
        if include_comments:
            fields = _comment_fields(comment, keep_id=not has_unique_ids)
            explanation = replace(explanation, attributes={FORMAT: {"comment": fields}})
        else:
            explanation = replace(explanation, source=Source("text"))
        items.append(Item(name, "successful", explanation=explanation))
    return Results(PREDICT, tuple(items))


def _checked_request(request: Record | Mapping[str, Any]) -> Record:
    """Return a request that a classifier can answer."""
    record = request if isinstance(request, Record) else formatters.from_document(request, "reinfer")
    if not isinstance(record, Record) or record.kind not in ("predict-request", "predict-raw-emails-request"):
        kind = record.kind if isinstance(record, Record) else "a response"
        raise InputError(f"request must be a predict request or one with raw e-mails, got {kind}")
    labels = record.fields.get("labels") or ()
    if any(asked.get("threshold") == "auto" for asked in (record.fields, *labels)):
        raise InputError("request must have numbers as thresholds, got 'auto'; a classifier knows no optimal ones")
    return record


def _comment(document: Mapping[str, Any]) -> Comment:
    """Turn a document of a request into a comment."""
    from xplain.emails import Comment, Message
    from xplain.models import comment_from_raw_email

    properties = document.get("user_properties") or {}
    if "raw_email" in document:
        raw = document["raw_email"]
        return comment_from_raw_email(raw, comment_id=document.get("comment_id"), user_properties=properties)
    parts = ("body", "subject", "signature")
    addresses = ("to", "cc", "bcc")
    messages = [
        Message(
            **{name: message[name]["text"] for name in parts if message.get(name)},
            **{name: message[name] for name in addresses if message.get(name)},
            from_=message.get("from"),
            sent_at=message.get("sent_at"),
            language=message.get("language"),
        )
        for message in document["messages"]
    ]
    return Comment(tuple(messages), timestamp=document.get("timestamp"), user_properties=properties)


def _explanations(
    model: TextClassifier, comments: list[Comment], record: Record, method: str | None, options: Mapping[str, Any]
) -> list[Explanation]:
    """Classify every comment and, if a method is given, explain the labels that are returned."""
    prepared = [model.prepare(comment) for comment in comments]
    if not prepared:
        return []
    scores = model.scores([text.text for text in prepared])
    explanations = []
    for text, row in zip(prepared, scores, strict=True):
        read = model.as_read(row, text)
        # Numbers of labels are the classifier's own, and mean nothing to the vendor.
        predictions = with_parents(replace(p, id=None) for p in read.predictions(row, top=len(row)))
        returned = cut_to_request(predictions, record.fields)
        explanation = Explanation(model.task, text.source, returned)
        labels = {prediction.label for prediction in returned}
        # A parent that was added has no score of the model, so there is nothing to explain.
        targets = [i for i in range(len(row)) if model.prediction(row, i).label in labels]
        if method is not None and targets:
            explanation = _with_attributions(explanation, model, text, targets, method, options)
        explanations.append(explanation)
    return explanations


def _with_attributions(
    explanation: Explanation,
    model: TextClassifier,
    text: PreparedText,
    targets: list[int],
    method: str,
    options: Mapping[str, Any],
) -> Explanation:
    """Explain some labels of a text, as the predictions that the explanation has of them."""
    from xplain import attributions

    (computed,) = attributions.run(model, [text], [targets], method=method, **options)
    by_label = {prediction.label: prediction for prediction in explanation.predictions}
    attributed = tuple(
        replace(attribution, target=by_label[attribution.target.label]) for attribution in computed.attributions
    )
    return replace(explanation, attributions=attributed, provenance=computed.provenance)


def _comment_fields(comment: Comment, *, keep_id: bool) -> dict[str, Any]:
    """Return the fields of a comment in a response, without its texts; its id only if that is not the item's name."""
    fields: dict[str, Any] = {
        "id": comment.id if keep_id else None,
        "timestamp": _with_zone(comment.timestamp),
        "thread_id": comment.thread_id,
        "user_properties": comment.user_properties,
        "attachments": [
            {"name": file.name, "size": file.size, "content_type": file.content_type} for file in comment.attachments
        ],
    }
    messages = [
        _without_empty(
            **{"from": message.from_, "to": list(message.to), "cc": list(message.cc), "bcc": list(message.bcc)},
            sent_at=_with_zone(message.sent_at),
            language=message.language,
        )
        for message in comment.messages
    ]
    if any(messages):
        fields["messages"] = messages
    return _without_empty(**fields)


def _with_zone(time: str | None) -> str | None:
    """Return a time if its zone is known: the format holds no other."""
    return None if time is None or datetime.fromisoformat(time).tzinfo is None else time


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [], {})}
