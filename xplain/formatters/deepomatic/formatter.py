"""The format of Deepomatic: inferences, tasks that hold an inference, specifications and versions.

::

    {"outputs": [{"labels": {
        "predicted": [{"label_id": 9, "label_name": "sunglasses", "score": 0.8, "threshold": 0.35,
                       "roi": {"region_id": 1, "bbox": {"xmin": 0.3, "ymin": 0.4, "xmax": 0.7, "ymax": 0.5}}}],
        "discarded": [{"label_id": 8, "label_name": "glasses", "score": 0.1, "threshold": 0.14, "roi": {...}}]}}]}

    {"id": 123, "status": "success", "error": null, "data": {...the inference...}}

    {"count": 1, "next": null, "previous": null, "results": [{...a task, specification or version...}]}

An inference is read as an explanation without attributions, since these documents hold none. Its predictions are those
of each output in turn, first the predicted, then the discarded ones, whose scores are below their thresholds. The
``attributes`` of a prediction hold the index of its ``output`` unless that is 0, the ``region_id`` if it says more than
the boxes do (predictions with one region id are alternatives for one region), and ``sequence_index`` and
``sequence_time`` in a video. An inference without predictions is taken for a detector's.

A task that is a document of its own is an explanation if it has data, with its other fields in
``attributes["deepomatic"]["task"]``, and a job of one item otherwise, as is the receipt for a task,
``{"task_id": "123"}``. A page or an array of tasks is a job whose items are named by the ids of the tasks. An array of
inferences, as the vendor's command line writes them to files, is a job too. Requests for an inference, specifications,
versions, post_processings and pages of them are records with unchanged fields.

On writing, labels without an id get one, and an unknown threshold becomes 0. The id of a task is of the type that was
read; one of our own is a number if the item's name spells one. Unknown fields are kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Explanation, Item, Record, Results
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.own import Own
from xplain.formatters.core.places import At
from xplain.formatters.core.streaming import NO_ITEMS, no_head
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    choice,
    either,
    integer,
    listing,
    mapping,
    nullable,
    optional,
    record,
    string,
)
from xplain.formatters.deepomatic.inferences import ATTRIBUTES, FORMAT, encode_data, read_data
from xplain.formatters.deepomatic.notes import notes
from xplain.formatters.deepomatic.objects import (
    is_request,
    is_specification,
    is_version,
    page_url,
    read_page,
    read_record,
    read_request,
)

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "OWN", "decode", "encode", "notes", "sniff"]

#: The format knows no jobs.
ITEMS, HEAD = NO_ITEMS, no_head

OWN: Own = {
    "next": string,
    "previous": string,
    "task": record(dict, id=either("an integer or a string", integer(), string)),
    "outputs": listing,
    "id": string,
    "single": choice("receipt", "task"),
    "more": mapping,
    "extra": mapping,
}
"""Readers of our attributes."""

CAPABILITIES = {
    "image-classification": Capabilities(source="image", threshold=True, ids=(int,), attributes=ATTRIBUTES),
    "object-detection": Capabilities(
        source="image", regions=(Box,), unit="fraction", threshold=True, ids=(int,), attributes=ATTRIBUTES
    ),
}

#: The vendor's statuses of a task, and ours of an item.
_STATUSES = {"pending": "waiting", "success": "successful", "error": "failed"}
_STATUS_OF_TASK = {ours: theirs for theirs, ours in _STATUSES.items()} | {"running": "pending"}
_PREDICTION_LISTS = {"predicted", "discarded"}
_OTHER_OUTPUTS = {"text", "scalar", "tensors"}
_NO_REASON = "no reason given"
#: Key of our attributes of a job that was read from a task, or a receipt, that was a document of its own.
_SINGLE = "single"
_MAX_DIGITS = 19  # of an integer of 64 bits


# Recognising documents.


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Deepomatic."""
    if isinstance(document, list):
        return bool(document) and (_is_task(document[0]) or _is_inference(document[0]))
    if not isinstance(document, dict):
        return False
    return (
        _is_inference(document)
        or _is_task(document)
        or is_specification(document)
        or is_version(document)
        or is_request(document)
        or (isinstance(document.get("results"), list) and {"count", "next", "previous"} <= document.keys())
    )


def _is_task(value: Any) -> bool:
    """Whether an object is a task, or the receipt for one: its ``task_id`` alone."""
    if not isinstance(value, dict):
        return False
    has_id = "id" in value or "task_id" in value
    # A list compares a status of any type, which need not be hashable.
    return set(value) == {"task_id"} or (has_id and value.get("status") in list(_STATUSES) and "data" in value)


def _is_inference(value: Any) -> bool:
    outputs = value.get("outputs") if isinstance(value, dict) else None
    if not isinstance(outputs, list) or "name" in value:  # a specification has a name
        return False
    for output in filter(lambda output: isinstance(output, dict), outputs):
        labels = output.get("labels")
        has_predictions = isinstance(labels, dict) and not _PREDICTION_LISTS.isdisjoint(labels)
        if has_predictions or not _OTHER_OUTPUTS.isdisjoint(output):
            return True
    return False


# Reading.


def _item(id: int | str, status: str, explanation: Explanation | None, error: str | None, rest: dict[str, Any]) -> Item:
    if status == "error":
        error = error or _NO_REASON
    # A string that spells a number stays one.
    extras = {**rest, "id": id} if _number_or_name(str(id)) != id else rest
    return Item(
        str(id),
        _STATUSES[status],
        explanation=explanation,
        error=error,
        attributes=attributes_of(extras, FORMAT),
    )


_task_id = either("an integer >= 0 or a string", integer(0), string)


_TASK_FIELDS = {
    "explanation": nullable(read_data, key="data"),
    "error": nullable(string),
}
_READ_TASK = record(_item, rest={}, id=_task_id, status=choice(*_STATUSES), **_TASK_FIELDS)
_READ_RECEIPT = record(
    _item, rest={}, id=Field(_task_id, "task_id"), status=optional(choice(*_STATUSES), "pending"), **_TASK_FIELDS
)


def _read_item(at: At) -> Item:
    """Read an element of a list: a task, or an inference, which is named by its file or else by its index."""
    fields = mapping(at)
    if "outputs" in fields and "status" not in fields:
        name = str(at.key) if fields.get("location") is None else string(at["location"])
        return Item(name, "successful", explanation=read_data(At(_without_location(fields), at.parent, at.key)))
    return (_READ_RECEIPT if "task_id" in fields and "id" not in fields else _READ_TASK)(at)


def _is_receipt(fields: dict[str, Any]) -> bool:
    return "task_id" in fields and "id" not in fields and "status" not in fields


def _without_location(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != "location"}


def _read_task(at: At) -> Explanation | Results:
    """Read a task that is a whole document, or the receipt for one."""
    item = _read_item(at)
    if item.status != "successful" or item.explanation is None:
        return Results("", (item,), attributes={FORMAT: {_SINGLE: "receipt" if _is_receipt(at.value) else "task"}})
    task = {"id": _number_or_name(item.name), **extras_of(item.attributes, FORMAT)}
    extras = {**extras_of(item.explanation.attributes, FORMAT), "task": task}
    return replace(item.explanation, attributes=attributes_of(extras, FORMAT))


def _results(items: tuple[Item, ...], path: str, **fields: Any) -> Results:
    """Make the job of some items, after a check that their names differ."""
    names: set[str] = set()
    for i, item in enumerate(items):
        if item.name in names:
            raise DocumentError(f"must be named unlike those before, got {item.name!r}", path=f"{path}[{i}]")
        names.add(item.name)
    return Results("", items, **fields)


def _page(
    results: tuple[Item, ...], count: int, next: str | None, previous: str | None, rest: dict[str, Any]
) -> Results:
    if count < len(results):
        raise DocumentError(f"must be at least {len(results)}, the number of results, got {count}", path="$.count")
    urls = {name: url for name, url in (("next", next), ("previous", previous)) if url is not None}
    return _results(results, "$.results", total=count, attributes=attributes_of({**rest, **urls}, FORMAT))


_READ_PAGE: Reader[Results] = record(
    _page, rest={}, results=array(_read_item), count=integer(0), next=nullable(page_url), previous=nullable(page_url)
)


def decode(at: At) -> Value:
    """Read an inference, a task, several of them, a specification, a version or a page."""
    if isinstance(at.value, list):
        return at.build(_results, array(_read_item)(at), "$")
    fields = mapping(at)
    if "results" in fields:
        elements = fields["results"] if isinstance(fields["results"], list) else []
        return read_page(at) if any(_is_record(element) for element in elements) else _READ_PAGE(at)
    if is_version(fields) or is_specification(fields):
        return read_record(at)
    if "status" in fields or "task_id" in fields:
        return _read_task(at)
    if is_request(fields):
        return read_request(at)
    if "outputs" in fields:
        return read_data(at)
    raise at.rejected("an inference, a task, a specification, a version or a page of them")


def _is_record(element: Any) -> bool:
    """Whether an element of a page is a specification or version."""
    return isinstance(element, dict) and "status" not in element and (is_version(element) or "name" in element)


# Writing.


def encode(value: Value) -> dict[str, Any]:
    """Write a fitted explanation as an inference or its task, and results as a page of tasks."""
    if isinstance(value, Record):
        return value.fields
    if isinstance(value, Explanation):
        task = extras_of(value.attributes, FORMAT).get("task")
        if not isinstance(task, dict) or not isinstance(task.get("id"), (int, str)):
            return encode_data(value)
        return {**task, "status": "success", "error": None, "data": encode_data(value)}
    extras = extras_of(value.attributes, FORMAT)
    if len(value.items) == 1 and extras.get(_SINGLE) in ("receipt", "task"):
        (item,) = value.items
        is_receipt = extras[_SINGLE] == "receipt" and item.status == "waiting"
        return _encode_receipt(item) if is_receipt else _encode_task(item)
    extras.pop(_SINGLE, None)
    urls = {key: url if isinstance(url := extras.pop(key, None), str) else None for key in ("next", "previous")}
    return {**extras, "count": value.total, **urls, "results": [_encode_task(item) for item in value.items]}


def _encode_receipt(item: Item) -> dict[str, Any]:
    more = {key: value for key, value in extras_of(item.attributes, FORMAT).items() if key != "id"}
    return {"task_id": _id_of(item), **more}


def _id_of(item: Item) -> int | str:
    """Return the id of a task, of the type that was read."""
    id = extras_of(item.attributes, FORMAT).get("id")
    return id if isinstance(id, str) and id == item.name else _number_or_name(item.name)


def _encode_task(item: Item) -> dict[str, Any]:
    fields = {
        "id": _id_of(item),
        "status": _STATUS_OF_TASK[item.status],
        "error": item.error,
        "data": None if item.explanation is None else encode_data(item.explanation),
    }
    return {**extras_of(item.attributes, FORMAT), **fields}


def _number_or_name(name: str) -> int | str:
    """Return the id of a task by the name of its item: a number if the name spells one, else the name."""
    is_number = name.isascii() and name.isdigit() and len(name) <= _MAX_DIGITS and str(int(name)) == name
    return int(name) if is_number else name
