"""Re:infer's objects that hold no results of a model: requests, comments and the figures of a validation.

Each is checked and kept as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Record
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
from xplain.formatters.reinfer.spans import INTERPRETATION, read_label

MAX_HTML = 33_554_432  # characters

_FORMAT_OF_TEXT = choice("plain", "markdown")
_THRESHOLD = between(0, 1)
#: What requests for predictions have in common.
_ASKED: dict[str, Reader[Any]] = {
    "threshold": nullable(either("a number from 0 to 1 or 'auto'", _THRESHOLD, choice("auto"))),
    "labels": nullable(
        sized(
            array(
                keep(
                    {
                        "name": sized(array(sized(string, 64, least=1)), 64, least=1),
                        "threshold": nullable(_THRESHOLD),
                    }
                )
            ),
            MAX_BATCH,
        )
    ),
}


def _documents(**fields: Reader[Any]) -> Reader[Any]:
    return sized(array(keep(fields)), MAX_BATCH)


# Raw e-mails. Of a body and of headers there is one of two forms.

_HEADER = either("a string or a non-empty array of strings", string, sized(array(string), MAX_BATCH, least=1))
_BODY = exactly_one({"plain": sized(string, MAX_TEXT), "html": sized(string, MAX_HTML)})
_HEADERS = exactly_one({"raw": sized(string, MAX_TEXT), "parsed": table(_HEADER)})
_RAW_EMAIL = keep({"body": _BODY, "headers": _HEADERS, "attachments": nullable(attachments)})

# Comments as they are stored, and with what people and the model said of them.

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
    "text_format": nullable(_FORMAT_OF_TEXT),
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

# Validation.

_COUNT = integer(0)
_QUALITY = or_null(choice("none", "poor", "average", "good", "excellent"))
_PART = or_null(between(0, 1))


def _label(rest: dict[str, Any]) -> None:
    name = " > ".join(rest["parts"])
    if rest["name"] != name:
        raise DocumentError(f"must be the parts joined, {name!r:.60}, got {rest['name']!r:.60}", path="$.name")


def _figures(rest: dict[str, Any]) -> None:
    total = rest["num_labels"]
    for first, more in (("num_amber_labels", 0), ("num_red_labels", rest["num_amber_labels"])):
        if rest[first] + more > total:
            those = f"num_labels, {total}" + (f", less num_amber_labels, {more}" if more else "")
            raise DocumentError(f"must be at most {those}, got {rest[first]}", path=f"$.{first}")


_LABEL_OF_TAXONOMY: Reader[None] = record(
    _label, rest={"name": string, "parts": sized(array(string), MAX_BATCH, least=1)}
)
_FIGURES: Reader[None] = record(
    _figures,
    rest={
        "version": _COUNT,
        "labels": array(_LABEL_OF_TAXONOMY),
        "entities": nullable(array(keep({"name": string, "title": string}))),
        "num_labels": _COUNT,
        "num_amber_labels": _COUNT,
        "num_red_labels": _COUNT,
        "num_reviewed_comments": _COUNT,
        "mean_average_precision_safe": _PART,
        "dataset_score": integer(0, 100),
        "dataset_quality": _QUALITY,
        "balance": _PART,
        "balance_quality": _QUALITY,
        "coverage": _PART,
        "coverage_quality": _QUALITY,
        "all_labels_quality": _QUALITY,
        "underperforming_labels_quality": _QUALITY,
    },
)


def _record(kind: str, **fields: Reader[Any]) -> Reader[Record]:
    return record(lambda rest: Record(FORMAT, kind, rest), rest=fields)


RECORDS: Mapping[str, Reader[Record]] = {
    "predict-request": _record(
        "predict-request",
        documents=_documents(
            messages=messages(MAX_TEXT),
            timestamp=nullable(time),
            user_properties=nullable(properties),
            text_format=nullable(_FORMAT_OF_TEXT),
        ),
        **_ASKED,
    ),
    "predict-raw-emails-request": _record(
        "predict-raw-emails-request",
        documents=_documents(raw_email=_RAW_EMAIL, user_properties=nullable(properties), comment_id=nullable(string)),
        transform_tag=string,
        include_comments=nullable(boolean),
        **_ASKED,
    ),
    "predict-comments-request": _record("predict-comments-request", uids=sized(array(uid), MAX_BATCH), **_ASKED),
    "comment": _record("comment", **_COMMENT),
    "annotated-comment": _record("annotated-comment", **_ANNOTATED),
    "interpretation": _record("interpretation", **INTERPRETATION),
    "validation": _record("validation", status=choice("ok"), validation=_FIGURES),
}
"""Reader of each kind of object."""


def kind_of(document: Mapping[str, Any]) -> str | None:
    """Return the kind of object that a document looks like, None if it is none of them.

    A request for raw e-mails is told by them or by its tag.
    """
    documents = document.get("documents")
    if "documents" in document:
        found = documents if isinstance(documents, list) else []
        raw = "transform_tag" in document or any(isinstance(one, dict) and "raw_email" in one for one in found)
        return "predict-raw-emails-request" if raw else "predict-request"
    return next((kind for kind, keys in _TELLING.items() if all(key in document for key in keys)), None)


#: Keys that tell what an object is.
_TELLING = {
    "predict-comments-request": ("uids",),
    "validation": ("validation",),
    "annotated-comment": ("comment",),
    "comment": ("messages",),
    "interpretation": ("content_part", "spans"),
}
