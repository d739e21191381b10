"""Objects of Re:infer without results of a model: requests, comments, interpretations of themes, validation figures.

`kind_of` recognises an object by its keys, and `RECORDS` reads it as a `Record`: its fields are checked against the
limits of the API reference and kept unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Record
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.wire import (
    Reader,
    array,
    between,
    boolean,
    choice,
    either,
    exactly_one,
    integer,
    keep,
    listing,
    nullable,
    number,
    record,
    sized,
    string,
    table,
    time,
)
from xplain.formatters.reinfer.comments import MAX_BATCH, MAX_TEXT, attachments, messages, or_null, properties
from xplain.formatters.reinfer.responses import ENTITIES, FORMAT, LABELS, uid
from xplain.formatters.reinfer.spans import THEME_INTERPRETATION, read_label

# Limits of the API reference.
MAX_HTML = 33_554_432  # characters: 32 Mi
MAX_LEVELS = 64  # of a label
MAX_LEVEL = 64  # characters of one level

_TEXT_FORMAT = choice("plain", "markdown")
_FRACTION = between(0, 1)


# Requests for predictions.

#: Fields that all three kinds of request share.
_REQUEST: dict[str, Reader[Any]] = {
    "threshold": nullable(either("a number from 0 to 1 or 'auto'", _FRACTION, choice("auto"))),
    "labels": nullable(
        sized(
            array(
                keep(
                    {
                        "name": sized(array(sized(string, MAX_LEVEL, least=1)), MAX_LEVELS, least=1),
                        "threshold": nullable(_FRACTION),
                    }
                )
            ),
            MAX_BATCH,
        )
    ),
}


def _documents(**fields: Reader[Any]) -> Reader[Any]:
    return _some(sized(array(keep(fields)), MAX_BATCH))


def _some(read: Reader[Any]) -> Reader[Any]:
    """Make a reader of an array that is not empty."""

    def read_some(at: At) -> Any:
        if at.value == []:
            raise at.rejected("an array that is not empty")
        return read(at)

    return read_some


# Raw e-mails: the body and the headers each come in one of two forms.

_HEADER = either("a string or a non-empty array of strings", string, sized(array(string), MAX_BATCH, least=1))
_BODY = exactly_one({"plain": sized(string, MAX_TEXT), "html": sized(string, MAX_HTML)})
_HEADERS = exactly_one({"raw": sized(string, MAX_TEXT), "parsed": table(_HEADER)})
_RAW_EMAIL = keep({"body": _BODY, "headers": _HEADERS, "attachments": nullable(attachments)})

# Stored comments, and stored comments with the labels that people and the model gave them.

_ASSIGNED = keep({"name": read_label, "sentiment": nullable(choice("positive", "negative"))})
_CONTRIBUTIONS = array(keep({"name": read_label, "value": number}))
_BREAKDOWN = keep({"label_contributions": _CONTRIBUTIONS, "other_group_contributions": _CONTRIBUTIONS})
_COMMENT: dict[str, Reader[Any]] = {
    "id": string,
    "timestamp": time,
    "messages": messages(MAX_TEXT),
    "uid": nullable(uid),
    "source_id": nullable(string),
    "thread_id": nullable(string),
    "user_properties": nullable(properties),
    "text_format": nullable(_TEXT_FORMAT),
    "attachments": nullable(attachments),
    "created_at": nullable(time),
    "last_modified": nullable(time),
    "has_annotations": nullable(boolean),
}
_ANNOTATED: dict[str, Reader[Any]] = {
    "comment": keep(_COMMENT),
    "labelling": nullable(
        array(
            keep(
                {
                    "group": string,
                    "assigned": nullable(array(_ASSIGNED)),
                    "dismissed": nullable(array(_ASSIGNED)),
                    "predicted": nullable(LABELS),
                }
            )
        )
    ),
    "entities": nullable(
        keep({"assigned": nullable(listing), "dismissed": nullable(listing), "predicted": nullable(ENTITIES)})
    ),
    "label_properties": nullable(
        array(keep({"id": string, "name": string, "value": number, "breakdown": or_null(_BREAKDOWN)}))
    ),
}

# Figures of a validation.

_COUNT = integer(0)
_QUALITY = or_null(choice("none", "poor", "average", "good", "excellent"))
_FRACTION_OR_NULL = or_null(_FRACTION)


def _check_label(rest: dict[str, Any]) -> None:
    """Check that a label's name is its parts joined."""
    name = " > ".join(rest["parts"])
    if rest["name"] != name:
        raise DocumentError(f"must be the parts joined, {name!r:.60}, got {rest['name']!r:.60}", path="$.name")


def _check_counts(rest: dict[str, Any]) -> None:
    """Check that amber and red labels are no more than all labels: no label is both."""
    total = rest["num_labels"]
    if total != len(rest["labels"]):
        raise DocumentError(f"must be {len(rest['labels'])}, the number of labels, got {total}", path="$.num_labels")
    for key, others in (("num_amber_labels", 0), ("num_red_labels", rest["num_amber_labels"])):
        if rest[key] + others > total:
            limit = f"num_labels, {total}" + (f", less num_amber_labels, {others}" if others else "")
            raise DocumentError(f"must be at most {limit}, got {rest[key]}", path=f"$.{key}")


_TAXONOMY_LABEL: Reader[None] = record(
    _check_label, rest={"name": string, "parts": sized(array(string), MAX_BATCH, least=1)}
)


def _taxonomy(at: At) -> None:
    """Read the labels of a taxonomy, each of which is listed once, and so are its parents."""
    array(_TAXONOMY_LABEL)(at)
    paths = [tuple(label["parts"]) for label in at.value]
    listed = set(paths)
    wrong: list[Problem] = []
    for i, path in enumerate(paths):
        if path in paths[:i]:
            wrong.append(at[i]["name"].problem("listed once"))
        elif len(path) > 1 and path[:-1] not in listed:
            parent = " > ".join(path[:-1])
            wrong.append(Problem(at.path, f"must list {parent!r:.60} too, the parent of {at.value[i]['name']!r:.60}"))
    if wrong:
        raise Rejected(wrong)


_FIGURES: Reader[None] = record(
    _check_counts,
    rest={
        "version": _COUNT,
        "labels": _taxonomy,
        "entities": nullable(array(keep({"name": string, "title": string}))),
        "num_labels": _COUNT,
        "num_amber_labels": _COUNT,
        "num_red_labels": _COUNT,
        "num_reviewed_comments": _COUNT,
        "mean_average_precision_safe": _FRACTION_OR_NULL,
        "dataset_score": integer(0, 100),
        "dataset_quality": _QUALITY,
        "balance": _FRACTION_OR_NULL,
        "balance_quality": _QUALITY,
        "coverage": _FRACTION_OR_NULL,
        "coverage_quality": _QUALITY,
        "all_labels_quality": _QUALITY,
        "underperforming_labels_quality": _QUALITY,
    },
)


# All kinds of objects.


def _record(kind: str, **fields: Reader[Any]) -> Reader[Record]:
    return record(lambda rest: Record(FORMAT, kind, rest), rest=fields)


RECORDS: Mapping[str, Reader[Record]] = {
    "predict-request": _record(
        "predict-request",
        documents=_documents(
            messages=messages(MAX_TEXT),
            timestamp=nullable(time),
            user_properties=nullable(properties),
            text_format=nullable(_TEXT_FORMAT),
        ),
        **_REQUEST,
    ),
    "predict-raw-emails-request": _record(
        "predict-raw-emails-request",
        documents=_documents(raw_email=_RAW_EMAIL, user_properties=nullable(properties), comment_id=nullable(string)),
        transform_tag=string,
        include_comments=nullable(boolean),
        **_REQUEST,
    ),
    "predict-comments-request": _record(
        "predict-comments-request", uids=_some(sized(array(uid), MAX_BATCH)), **_REQUEST
    ),
    "comment": _record("comment", **_COMMENT),
    "annotated-comment": _record("annotated-comment", **_ANNOTATED),
    "interpretation": _record("interpretation", **THEME_INTERPRETATION),
    "validation": _record("validation", status=choice("ok"), validation=_FIGURES),
}
"""Reader of each kind of object."""

#: Keys by which an object is recognised; the first kind counts of which a document has all keys.
_SIGNATURES = {
    "predict-comments-request": ("uids",),
    "validation": ("validation",),
    "annotated-comment": ("comment",),
    "comment": ("messages",),
    "interpretation": ("content_part", "spans"),
}


def kind_of(document: Mapping[str, Any]) -> str | None:
    """Return the kind of object that a document looks like, or None if it looks like none."""
    if "documents" in document:
        return "predict-raw-emails-request" if _has_raw_emails(document) else "predict-request"
    return next((kind for kind, keys in _SIGNATURES.items() if all(key in document for key in keys)), None)


def _has_raw_emails(request: Mapping[str, Any]) -> bool:
    """Whether a request is one with raw e-mails, by its tag or, if that is missing, by an e-mail."""
    documents = request["documents"] if isinstance(request["documents"], list) else []
    return "transform_tag" in request or any(isinstance(item, dict) and "raw_email" in item for item in documents)
