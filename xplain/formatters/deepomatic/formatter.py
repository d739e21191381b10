"""Deepomatic's inferences and the tasks that hold some, its specifications and its versions.

::

    {"outputs": [{"labels": {
        "predicted": [{"label_id": 9, "label_name": "sunglasses", "score": 0.8, "threshold": 0.35,
                       "roi": {"region_id": 1, "bbox": {"xmin": 0.3, "ymin": 0.4, "xmax": 0.7, "ymax": 0.5}}}],
        "discarded": [{"label_id": 8, "label_name": "glasses", "score": 0.1, "threshold": 0.14, "roi": {...}}]}}]}

    {"id": 123, "status": "success", "error": null, "data": {...the inference...}}

    {"count": 1, "next": null, "previous": null, "results": [{...a task, specification or version...}]}

An inference is an explanation without attributions, of which there are none in these documents. Predictions are those
of each output in turn, first those that are predicted, then those that are discarded: a score that does not reach its
threshold tells them apart. ``attributes`` of a prediction hold its ``output`` if that is not the first, the
``region_id`` where the numbers say more than the boxes do (predictions of one number are alternatives for one region),
and ``sequence_index`` and ``sequence_time`` in a video. An explanation without a prediction is that of a detector.

A task alone is an explanation once it has data (its other fields are in ``attributes["deepomatic"]["task"]``) and a job
of one item before that. A page or an array of tasks is a job, with the tasks' numbers as names; so is an array of
inferences, of which the vendor's command line makes files. Specifications, versions, post_processings and pages of them
are records, kept as they stand.

Numbers of labels that are not known are made up when an explanation is written, and a threshold that is not known is 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xplain.errors import DocumentError, InputError
from xplain.explanation import Box, Explanation, Item, Record, Results
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.places import At
from xplain.formatters.core.streaming import NO_ITEMS, no_head
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    choice,
    either,
    integer,
    mapping,
    nullable,
    optional,
    read,
    record,
    string,
)
from xplain.formatters.deepomatic.inferences import ATTRIBUTES, FORMAT, encode_data, read_data, said
from xplain.formatters.deepomatic.objects import is_specification, is_version, read_page, read_record

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "decode", "encode", "sniff"]

#: The format knows no jobs.
ITEMS, HEAD = NO_ITEMS, no_head

CAPABILITIES = {
    "image-classification": Capabilities(source="image", threshold=True, ids=(int,), attributes=ATTRIBUTES),
    "object-detection": Capabilities(
        source="image", regions=(Box,), unit="fraction", threshold=True, ids=(int,), attributes=ATTRIBUTES
    ),
}

_STATUSES = {"pending": "waiting", "success": "successful", "error": "failed"}
_LISTS = {"predicted", "discarded"}
_NO_REASON = "no reason given"


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Deepomatic's."""
    if isinstance(document, list):
        return bool(document) and (_is_task(document[0]) or _is_inference(document[0]))
    if not isinstance(document, dict):
        return False
    return (
        _is_inference(document)
        or _is_task(document)
        or is_specification(document)
        or is_version(document)
        or (isinstance(document.get("results"), list) and {"count", "next", "previous"} <= document.keys())
    )


def _is_task(value: Any) -> bool:
    """Whether an object is a task, or the receipt for one."""
    if not isinstance(value, dict):
        return False
    named = "id" in value or "task_id" in value
    return set(value) == {"task_id"} or (named and value.get("status") in list(_STATUSES) and "data" in value)


def _is_inference(value: Any) -> bool:
    outputs = value.get("outputs") if isinstance(value, dict) else None
    if not isinstance(outputs, list) or "name" in value:
        return False
    kinds = {"text", "scalar", "tensors"}
    for output in filter(lambda output: isinstance(output, dict), outputs):
        labels = output.get("labels")
        if not kinds.isdisjoint(output) or (isinstance(labels, dict) and not _LISTS.isdisjoint(labels)):
            return True
    return False


# Tasks.


def _item(
    id: str, status: str, explanation: Explanation | None, error: str | None, rest: dict[str, Any] | None = None
) -> Item:
    if status == "error":
        error = error or _NO_REASON
    return Item(
        id,
        _STATUSES[status],
        explanation=explanation,
        error=error,
        attributes={FORMAT: rest} if rest else {},
    )


def _task_id(at: At) -> str:
    """Read the number of a task, which is text in some places."""
    return str(either("an integer >= 0 or a string", integer(0), string)(at))


_TASK = {
    "explanation": nullable(read_data, key="data"),
    "error": nullable(string),
}
_READ_TASK = record(_item, rest={}, id=_task_id, status=choice(*_STATUSES), **_TASK)
_READ_RECEIPT = record(
    _item, rest={}, id=Field(_task_id, "task_id"), status=optional(choice(*_STATUSES), "pending"), **_TASK
)


def _read_item(at: At) -> Item:
    """Read one of several: a task, or an inference whose name is that of its file or its number in the list."""
    fields = mapping(at)
    if "outputs" in fields and "status" not in fields:
        name = str(at.key) if fields.get("location") is None else string(at["location"])
        return Item(name, "successful", explanation=read_data(at))
    return (_READ_RECEIPT if "task_id" in fields and "id" not in fields else _READ_TASK)(at)


def _read_task(at: At) -> Explanation | Results:
    """Read a task that is a document of its own."""
    item = _read_item(at)
    if item.status != "successful" or item.explanation is None:
        return Results("", (item,))
    task = {"id": _written_id(item.name), **said(item.attributes)}
    return replace(item.explanation, attributes={FORMAT: {**said(item.explanation.attributes), "task": task}})


def _results(items: tuple[Item, ...], place: str, **more: Any) -> Results:
    seen: set[str] = set()
    for i, item in enumerate(items):
        if item.name in seen:
            raise DocumentError(f"must be named unlike those before, got {item.name!r}", path=f"{place}[{i}]")
        seen.add(item.name)
    return Results("", items, **more)


def _page(results: tuple[Item, ...], count: int, next: str | None, previous: str | None) -> Results:
    if count < len(results):
        raise DocumentError(f"must be at least {len(results)}, the number of results, got {count}", path="$.count")
    own = {name: url for name, url in (("next", next), ("previous", previous)) if url is not None}
    return _results(results, "$.results", total=count, attributes={FORMAT: own} if own else {})


_READ_PAGE: Reader[Results] = record(
    _page, results=array(_read_item), count=integer(0), next=nullable(string), previous=nullable(string)
)


def _read_list(at: At) -> Results:
    return at.build(_results, array(_read_item)(at), "$")


def decode(at: At) -> Value:
    """Read an inference, a task, several of them, a specification, a version or a page."""
    if isinstance(at.value, list):
        return _read_list(at)
    fields = mapping(at)
    if "results" in fields:
        items = fields["results"] if isinstance(fields["results"], list) else []
        return read_page(at) if any(_is_listed(item) for item in items) else _READ_PAGE(at)
    if is_version(fields) or is_specification(fields):
        return read_record(at)
    if "status" in fields or "task_id" in fields:
        return _read_task(at)
    if "outputs" in fields:
        return read_data(at)
    raise at.rejected("an inference, a task, a specification, a version or a page of them")


def _is_listed(item: Any) -> bool:
    """Whether an element of a page is a specification or version."""
    return isinstance(item, dict) and "status" not in item and (is_version(item) or "name" in item)


# Writing.


def encode(value: Value) -> dict[str, Any]:
    """Turn a fitted explanation into an inference or its task, and results into a page of tasks.

    Raises
    ------
    DocumentError, InputError
        If a record is not what it claims to be.
    """
    if isinstance(value, Record):
        found = read(decode, value.fields, FORMAT)
        if not isinstance(found, Record) or found.kind != value.kind:
            raise InputError(f"Record.kind must be that of its fields, got {value.kind!r}")
        return value.fields
    if isinstance(value, Explanation):
        task = said(value.attributes).get("task")
        if not isinstance(task, dict) or not isinstance(task.get("id"), (int, str)):
            return encode_data(value)
        return {**task, "status": "success", "error": None, "data": encode_data(value)}
    own = said(value.attributes)
    urls = {key: url if isinstance(url := own.get(key), str) else None for key in ("next", "previous")}
    return {"count": value.total, **urls, "results": [_encode_task(item) for item in value.items]}


def _encode_task(item: Item) -> dict[str, Any]:
    status = {"running": "pending", **{ours: theirs for theirs, ours in _STATUSES.items()}}[item.status]
    own = {
        "id": _written_id(item.name),
        "status": status,
        "error": item.error,
        "data": None if item.explanation is None else encode_data(item.explanation),
    }
    return {**said(item.attributes), **own}


def _written_id(name: str) -> int | str:
    """Return the number that a name is, or the name."""
    return int(name) if name.isascii() and name.isdigit() and len(name) < 20 and str(int(name)) == name else name
