"""Answers of a text classifier of our own to the requests that Re:infer's service takes."""

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
    from xplain.models import Comment, TextClassifier


def answer(
    model: TextClassifier, request: Record | Mapping[str, Any], *, method: str | None = None, **options: Any
) -> Results:
    """Answer a Re:infer request for predictions with a text classifier.

    Parameters
    ----------
    model : TextClassifier
        What classifies. Labels that are paths are predicted with their parents, see `xplain.with_parents`.
    request : Record or dict
        A predict request, or one with raw e-mails, which are read by `xplain.comment_from_raw_email`.
    method : str, optional
        Explain each returned label that the model itself scores, by this method. Left out: nothing is explained.
    **options
        As for `xplain.explain`: ``seed``, ``batch_size``, options of the method.

    Returns
    -------
    Results
        An item for each document, with the labels that the request's thresholds and labels let through, to be written
        in the format ``"reinfer"``. The texts are in it if the request includes comments, or if they are explained.

    Raises
    ------
    DocumentError
        If the request is malformed or exceeds a limit; its ``$`` path says where.
    InputError
        If the request asks for what a classifier alone cannot know: stored comments, optimal thresholds.

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
    record = request if isinstance(request, Record) else formatters.from_document(request, "reinfer")
    if not isinstance(record, Record) or record.kind not in ("predict-request", "predict-raw-emails-request"):
        kind = record.kind if isinstance(record, Record) else "a response"
        raise InputError(f"request must be a predict request or one with raw e-mails, got {kind}")
    if record.fields.get("threshold") == "auto" or any(
        one.get("threshold") == "auto" for one in record.fields.get("labels") or ()
    ):
        raise InputError("request must have numbers as thresholds, got 'auto'; a classifier knows no optimal ones")
    comments = [_comment(document) for document in record.fields["documents"]]
    known = bool(record.fields.get("include_comments")) or method is not None
    explanations = _explained(model, comments, record, method, options)
    ids = [comment.id or default_name(i) for i, comment in enumerate(comments)]
    named = len(set(ids)) == len(ids)
    items = [
        Item(
            ids[i] if named else default_name(i),
            "successful",
            explanation=_told(explanation, comment, known, named),
        )
        for i, (comment, explanation) in enumerate(zip(comments, explanations, strict=True))
    ]
    return Results(PREDICT, tuple(items))


def _comment(document: Mapping[str, Any]) -> Comment:
    from xplain.emails import Comment, Message
    from xplain.models import comment_from_raw_email

    properties = document.get("user_properties") or {}
    if "raw_email" in document:
        raw = document["raw_email"]
        return comment_from_raw_email(raw, comment_id=document.get("comment_id"), user_properties=properties)
    texts = ("body", "subject", "signature")
    lists = ("to", "cc", "bcc")
    messages = [
        Message(
            **{name: message[name]["text"] for name in texts if message.get(name)},
            **{name: message[name] for name in lists if message.get(name)},
            from_=message.get("from"),
            sent_at=message.get("sent_at"),
            language=message.get("language"),
        )
        for message in document["messages"]
    ]
    return Comment(tuple(messages), timestamp=document.get("timestamp"), user_properties=properties)


def _explained(
    model: TextClassifier, comments: list[Comment], record: Record, method: str | None, options: Mapping[str, Any]
) -> list[Explanation]:
    """Classify every comment and, if a method is given, explain the labels that are returned."""
    from xplain import attributions

    prepared = [model.prepare(comment) for comment in comments]
    if not prepared:
        return []
    scores = model.scores([one.text for one in prepared])
    found = []
    for one, row in zip(prepared, scores, strict=True):
        every = with_parents(replace(p, id=None) for p in model.predictions(row, top=len(row)))
        returned = cut_to_request(every, record.fields)
        explanation = Explanation(model.task, one.source, returned)
        targets = [i for i in range(len(row)) if model.prediction(row, i).label in {p.label for p in returned}]
        if method is not None and targets:
            (made,) = attributions.run(model, [one], [targets], method=method, **options)
            by_label = {prediction.label: prediction for prediction in returned}
            attributed = tuple(replace(a, target=by_label[a.target.label]) for a in made.attributions)
            explanation = replace(explanation, attributions=attributed, provenance=made.provenance)
        found.append(explanation)
    return found


def _told(explanation: Explanation, comment: Comment, known: bool, named: bool) -> Explanation:
    """Add what is known of the comment besides its text, or leave the text out, too."""
    if not known:
        return replace(explanation, source=Source("text"))
    said: dict[str, Any] = {
        "id": None if named else comment.id,
        "timestamp": _zoned(comment.timestamp),
        "thread_id": comment.thread_id,
        "user_properties": comment.user_properties,
        "attachments": [
            {"name": one.name, "size": one.size, "content_type": one.content_type} for one in comment.attachments
        ],
    }
    messages = [
        _present(
            **{"from": message.from_, "to": list(message.to), "cc": list(message.cc), "bcc": list(message.bcc)},
            sent_at=_zoned(message.sent_at),
            language=message.language,
        )
        for message in comment.messages
    ]
    if any(messages):
        said["messages"] = messages
    return replace(explanation, attributes={FORMAT: {"comment": _present(**said)}})


def _zoned(time: str | None) -> str | None:
    """Leave out a time of which the zone is not known: the format has none such."""
    return None if time is None or datetime.fromisoformat(time).tzinfo is None else time


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [], {})}
