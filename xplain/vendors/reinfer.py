"""Answers of any text classifier to the requests of Re:infer, in place of the service.

The documents of a request become comments for the classifier, its predictions are cut down to the labels and thresholds
that the request asks for, and the results can be written as a response. `validation_response` writes validation
statistics as the service gives them.

The API reference says that some user properties of raw e-mails are generated, but not which; those here (`_generated`)
are inferred from its examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check, formatters
from xplain.errors import DocumentError, InputError
from xplain.explanation import Explanation, Item, Prediction, Record, Results, Source
from xplain.explanation.hierarchy import with_parents
from xplain.formatters.core.places import At
from xplain.formatters.reinfer.formatter import cut_to_request
from xplain.formatters.reinfer.responses import FORMAT, PREDICT, PREDICT_COMMENTS, default_name

if TYPE_CHECKING:
    from xplain.models import Comment, PreparedText, TextClassifier
    from xplain.quality.validation import Validation

Label = tuple[str, ...]
#: By label: the numbers of its automatic thresholds, by their names.
AutoThresholds = Mapping[Label, Mapping[str, float]]

_REQUESTS = ("predict-request", "predict-raw-emails-request", "predict-comments-request")
_AUTO = "auto"
#: Name of an automatic threshold that is given as a number alone.
_BALANCED = "balanced"
_BATCH = 64  # texts of one length that the classifier scores at once


def answer(
    model: TextClassifier,
    request: Record | Mapping[str, Any],
    *,
    method: str | None = None,
    thresholds: Mapping[Any, Any] | None = None,
    comments: Mapping[str, Any] | None = None,
    version: int | None = None,
    time: str | None = None,
    **options: Any,
) -> Results:
    """Answer a Re:infer request for predictions with a text classifier.

    Parameters
    ----------
    model : TextClassifier
        The classifier. Labels that are paths are predicted with their parents, see `xplain.with_parents`.
    request : Record or dict
        A predict request, one with raw e-mails, which `xplain.comment_from_raw_email` reads, or one by uids.
    method : str, optional
        Attribution method by which each returned label that the model itself scores is explained; none by default.
    thresholds : mapping, optional
        What the threshold "auto" means: for each label (a str, or a path as a tuple) the probability 0..1 from which it
        is returned, or a mapping with several such numbers by their names ("high_recall", "balanced",
        "high_precision"), of which one must be reached. A parent that has none is returned with its children.
    comments : mapping, optional
        The stored comments that a request by uids may ask for: a Comment, a str or the document of a comment for each
        uid.
    version : int, optional
        Version of the model, for the response; needs ``time``.
    time : str, optional
        When the model was trained: an ISO 8601 time with a zone.
    **options
        As for `xplain.explain`: ``seed``, ``batch_size``, options of the method.

    Returns
    -------
    Results
        An item for each document, with the labels that the request asks for and whose thresholds are met. It can be
        written in the format ``"reinfer"``. Texts are included if the request includes comments or a method is given:
        word scores need the text that they are about.

    Raises
    ------
    DocumentError
        If the request is malformed or exceeds a limit, asks for a label or a comment that there is not, or has user
        properties that conflict with those generated from a mail (422 in the service); its ``$`` path says where.
    InputError
        If the request asks for automatic thresholds or comments that are not given.

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
    auto = _auto_thresholds(model, thresholds)
    _check_labels(model, record, auto)
    documents = _documents(record, comments)
    explanations = _explanations(model, [document.comment for document in documents], record, auto, method, options)
    include_comments = bool(record.fields.get("include_comments")) or method is not None
    names, are_ids = _names(documents)
    items = []
    for name, document, explanation in zip(names, documents, explanations, strict=True):
        extras: dict[str, Any] = {}
        if include_comments:
            extras["comment"] = _comment_fields(document.comment, keep_id=not are_ids)
        else:
            explanation = replace(explanation, source=Source("text"))
        if document.uid is not None and not are_ids:
            extras["uid"] = document.uid
        explanation = replace(explanation, attributes={FORMAT: extras} if extras else {})
        items.append(Item(name, "successful", explanation=explanation))
    job = PREDICT_COMMENTS if "uids" in record.fields else PREDICT
    return Results(job, tuple(items), attributes=_model(version, time))


def validation_response(statistics: Validation, *, version: int) -> Record:
    """Turn validation statistics into the response of the service.

    Parameters
    ----------
    statistics : xplain.quality.validation.Validation
        As `xplain.quality.validation.validation_statistics` computes them.
    version : int
        Version of the model, >= 0.

    Returns
    -------
    Record
        It can be written in the format ``"reinfer"``. Parents of labels are listed as labels of their own, before their
        children, and count in ``num_labels``; warnings are those of the labels that the model predicts.

    Examples
    --------
    >>> from xplain.quality.validation import validation_statistics
    >>> labels = [("Order", "Late"), ("Order", "Lost")]
    >>> statistics = validation_statistics([labels[:1]], [[0.9, 0.2]], labels, [40, 5])
    >>> validation = validation_response(statistics, version=3).fields["validation"]
    >>> [label["name"] for label in validation["labels"]], validation["num_reviewed_comments"]
    (['Order', 'Order > Late', 'Order > Lost'], 1)
    """
    paths = [validated.label for validated in statistics.labels]
    listed = dict.fromkeys(path[:depth] for path in paths for depth in range(1, len(path) + 1))
    validation = {
        "mean_average_precision_safe": statistics.mean_average_precision_safe,
        "num_labels": len(listed),
        "labels": [{"name": " > ".join(path), "parts": list(path)} for path in listed],
        "num_reviewed_comments": statistics.num_reviewed,
        "version": _check.integer("version", version, least=0),
        "num_amber_labels": statistics.num_amber,
        "num_red_labels": statistics.num_red,
        "dataset_score": statistics.dataset_score,
        "dataset_quality": statistics.dataset_quality,
        "balance": statistics.balance,
        "balance_quality": statistics.balance_quality,
        "coverage": statistics.coverage,
        "coverage_quality": statistics.coverage_quality,
        "all_labels_quality": statistics.all_labels_quality,
        "underperforming_labels_quality": statistics.underperforming_labels_quality,
    }
    return Record(FORMAT, "validation", {"status": "ok", "validation": validation})


# The request.


@dataclass(frozen=True, slots=True)
class _Document:
    comment: Comment
    uid: str | None = None


def _checked_request(request: Record | Mapping[str, Any]) -> Record:
    """Return a request that a classifier can answer."""
    fields = request.fields if isinstance(request, Record) else request
    record = formatters.from_document(fields, FORMAT)
    if not isinstance(record, Record) or record.kind not in _REQUESTS:
        kind = record.kind if isinstance(record, Record) else "a response"
        raise InputError(f"request must be a predict request, one with raw e-mails or one by uids, got {kind}")
    return record


def _wrong(at: At, expected: str) -> DocumentError:
    problem = at.problem(expected)
    return DocumentError(problem.message, path=problem.path, format=FORMAT)


def _documents(record: Record, comments: Mapping[str, Any] | None) -> list[_Document]:
    """Return the comments of a request; the uids of stored ones."""
    request = At(record.fields)
    if "uids" not in record.fields:
        documents = request["documents"]
        return [_Document(_comment(documents[i])) for i in range(len(documents.value))]
    if comments is None:
        raise InputError("comments must be given for a request by uids, got none; pass comments={uid: comment}")
    if not isinstance(comments, Mapping):
        raise _check.wrong("comments", "a mapping of uids to comments", comments)
    stored = []
    for i, uid in enumerate(record.fields["uids"]):
        if uid not in comments:
            raise _wrong(request["uids"][i], "the uid of a stored comment")
        stored.append(_Document(_stored_comment(uid, comments[uid]), uid))
    return stored


def _stored_comment(uid: str, comment: Any) -> Comment:
    from xplain.emails import Comment, Message

    if isinstance(comment, Comment):
        return comment
    if isinstance(comment, str):
        return Comment((Message(comment),))
    fields = comment.fields if isinstance(comment, Record) else comment
    if not isinstance(fields, Mapping) or "messages" not in fields:
        raise _check.wrong(f"comments[{uid!r}]", "a Comment, a str or the document of a comment", comment)
    try:
        _checked_request({"documents": [dict(fields)]})
    except DocumentError as error:
        place = error.path.removeprefix("$.documents[0]")
        raise InputError(f"comments[{uid!r}]{place} {error.message}") from error
    return _comment(At(dict(fields)))


def _comment(at: At) -> Comment:
    """Turn a document of a request into a comment."""
    from xplain.emails import Comment, Message
    from xplain.models import comment_from_raw_email

    document = at.value
    properties = document.get("user_properties") or {}
    if "raw_email" in document:
        comment = comment_from_raw_email(document["raw_email"], comment_id=document.get("comment_id"))
        generated = _generated(comment)
        for key, value in properties.items():
            if generated.get(key, value) != value:
                expected = f"{generated[key]!r:.80}, which is generated from the mail (422 Unprocessable Entity)"
                raise _wrong(at["user_properties"][key], expected)
        return replace(comment, user_properties={**generated, **properties})
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


def _generated(comment: Comment) -> dict[str, Any]:
    """Return the user properties that follow from a mail."""
    newest = comment.messages[0]
    sender = (newest.from_ or "").rpartition("<")[2].rstrip("> ")
    return _without_empty(
        **{
            "number:Messages": float(len(comment.messages)),
            "string:Has Signature": "Yes" if newest.signature else "No",
            "string:Message ID": comment.id,
            "string:Sender": sender,
            "string:Sender Domain": sender.rpartition("@")[2] if "@" in sender else "",
            "string:Thread": comment.thread_id,
        }
    )


def _names(documents: Sequence[_Document]) -> tuple[list[str], bool]:
    """Name documents by their uids or the ids of their comments, or by number unless every one has its own."""
    names = [
        document.uid or document.comment.id or default_name(i) if document.uid is None else document.uid
        for i, document in enumerate(documents)
    ]
    if len(set(names)) == len(names):
        return names, True
    return [default_name(i) for i in range(len(documents))], False


def _model(version: int | None, time: str | None) -> dict[str, Any]:
    """Return the attributes that describe the model."""
    if (version is None) != (time is None):
        raise InputError(f"version and time must be given together, got {version!r} and {time!r}")
    if version is None:
        return {}
    moment = _check.string("time", time)
    try:
        zone = datetime.fromisoformat(moment).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise _check.wrong("time", "an ISO 8601 time with a zone", time)
    return {FORMAT: {"model": {"version": _check.integer("version", version, least=0), "time": moment}}}


# Labels and thresholds.


def _auto_thresholds(model: TextClassifier, thresholds: Mapping[Any, Any] | None) -> AutoThresholds:
    if thresholds is None:
        return {}
    if not isinstance(thresholds, Mapping):
        raise _check.wrong("thresholds", "a mapping of labels to numbers", thresholds)
    named = {" > ".join(path): path for path in _known_labels(model.labels or ())}
    return {
        named.get(label) or _check.label_path("thresholds", label): {
            _check.string(f"thresholds[{label!r}]", name): _probability(f"thresholds[{label!r}]", limit)
            for name, limit in (limits if isinstance(limits, Mapping) else {_BALANCED: limits}).items()
        }
        for label, limits in thresholds.items()
    }


def _probability(name: str, value: Any) -> float:
    if not 0 <= _check.number(name, value) <= 1:
        raise _check.wrong(name, "between 0 and 1", value)
    return float(value)


def _known_labels(labels: Iterable[Label]) -> set[Label]:
    """Return the labels of a model and their parents."""
    return {path[:depth] for path in labels for depth in range(1, len(path) + 1)}


def _check_labels(model: TextClassifier, record: Record, auto: AutoThresholds) -> None:
    """Refuse labels that the model has not, and automatic thresholds that are not known."""
    labels = model.labels
    asked = record.fields.get("labels")
    if labels is None:
        return
    known = _known_labels(labels)
    for label in auto:
        if label not in known:
            raise InputError(f"thresholds must be of labels of the model, got {' > '.join(label)!r}")
    for i, entry in enumerate(asked or ()):
        if tuple(entry["name"]) not in known:
            at = At(record.fields)["labels"][i]["name"]
            message = f"must be a label of the model, got {' > '.join(entry['name'])!r:.80}"
            raise DocumentError(message, path=at.path, format=FORMAT)
    default = record.fields.get("threshold")
    entries = [(path, None) for path in labels] if asked is None else [(e["name"], e.get("threshold")) for e in asked]
    for path, threshold in entries:
        is_auto = (default if threshold is None else threshold) == _AUTO
        of_leaves = [leaf for leaf in labels if leaf[: len(path)] == tuple(path)]
        if is_auto and tuple(path) not in auto and not any(leaf in auto for leaf in of_leaves):
            name = " > ".join(path)
            raise InputError(
                f"thresholds must hold one for {name!r}, which is asked for by 'auto', got none; "
                "pass thresholds={label: number}"
            )


def _with_auto_thresholds(predictions: Sequence[Prediction], auto: AutoThresholds) -> list[Prediction]:
    """Name the automatic thresholds that each label reaches: its own, or else those of its children."""
    reached = {
        prediction.label: [name for name, limit in auto[prediction.label].items() if prediction.score >= limit]
        for prediction in predictions
        if prediction.label in auto
    }

    def names(label: Label) -> Iterable[str]:
        if label in reached:
            return reached[label]
        return dict.fromkeys(name for child in reached if child[: len(label)] == label for name in reached[child])

    return [
        replace(prediction, attributes={"auto_thresholds": found})
        if (found := list(names(prediction.label)))
        else prediction
        for prediction in predictions
    ]


# Predictions.


def _explanations(
    model: TextClassifier,
    comments: Sequence[Comment],
    record: Record,
    auto: AutoThresholds,
    method: str | None,
    options: Mapping[str, Any],
) -> list[Explanation]:
    """Classify every comment and, if a method is given, explain the labels that are returned."""
    prepared = [model.prepare(comment) for comment in comments]
    explanations = []
    for text, row in zip(prepared, _scores(model, prepared), strict=True):
        read = model.as_read(row, text)
        # Numbers of labels are the classifier's own, and mean nothing to the vendor.
        predictions = with_parents(replace(p, id=None) for p in read.predictions(row, top=len(row)))
        returned = cut_to_request(_with_auto_thresholds(predictions, auto) if auto else predictions, record.fields)
        explanation = Explanation(model.task, text.source, returned)
        labels = {prediction.label for prediction in returned}
        # A parent that was added has no score of the model, so there is nothing to explain.
        targets = [i for i in range(len(row)) if model.prediction(row, i).label in labels]
        if method is not None and targets:
            explanation = _with_attributions(explanation, model, text, targets, method, options)
        explanations.append(explanation)
    return explanations


def _scores(model: TextClassifier, prepared: Sequence[PreparedText]) -> npt.NDArray[np.float64]:
    """Score texts that are split into tokens already, each text once: (texts, classes)."""
    texts = {text.text: text for text in prepared}
    rows = {name: row for row, name in enumerate(texts)}
    if model.module is None:
        scores = model.scores(list(texts))
    else:
        windows = [text.windows for text in texts.values()]
        of_windows = model.token_scores([window.ids for each in windows for window in each], _BATCH)
        ends = np.cumsum([len(each) for each in windows])
        scores = np.stack([of_text.mean(axis=0) for of_text in np.split(of_windows, ends[:-1])])
    return scores[[rows[text.text] for text in prepared]]


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


# Comments of the response.


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
