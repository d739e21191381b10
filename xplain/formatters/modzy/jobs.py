"""Modzy's input items, batches and jobs.

Fields without a place in xplain's values are kept under their own keys: those of a job or an item in its
``attributes["modzy"]``, those of an item that is a document of its own in ``attributes["modzy"]["item"]`` of its
explanation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Explanation, Item, Results
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.places import At
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    between,
    boolean,
    choice,
    integer,
    mapping,
    nullable,
    number,
    record,
    string,
    table,
    time,
)
from xplain.formatters.modzy.objects import FORMAT, encode_object, read_object

STATUSES = {
    "FETCHING_DATA": "waiting",
    "PROCESSING": "running",
    "SUCCESSFUL": "successful",
    "FAILED": "failed",
}
"""Modzy's statuses in the order an item goes through them, and ours."""

#: The usual name of an output.
_OUTPUT = "results.json"
_NO_REASON = "no reason given"
_TIMES = {"started": "startTime", "updated": "updateTime", "ended": "endTime"}
#: Further fields of a job and of an item that Modzy Edge's protocol buffer defines.
_EDGE_JOB = (
    "accountIdentifier",
    "team",
    "submittedByKey",
    "explained",
    "startingResultSummarizing",
    "elapsedTime",
    "averageModelLatency",
    "totalModelLatency",
    "initialQueueTime",
    "totalQueueTime",
    "resultSummarizing",
    "inputSize",
)
_EDGE_ITEM = ("inputFetching", "outputUploading", "modelLatency", "queueTime", "voting")
#: Further fields of a job that are integers from 0 on.
_COUNTS = (
    "initialQueueTime",
    "totalQueueTime",
    "resultSummarizing",
    "inputSize",
    "jobQueueTime",
    "jobProcessedTime",
    "jobElapsedTime",
)


# Writing.


def encode_job(results: Results, *, edge: bool) -> dict[str, Any]:
    """Turn fitted results into a job."""
    extras = extras_of(results.attributes, FORMAT)
    document = {
        "jobIdentifier": results.job,
        **_without_none(submittedAt=_encode_time(results.submitted, edge), error=None if edge else results.error),
        "total": results.total,
        "completed": extras.pop("completed", results.completed),
        "failed": extras.pop("failed", results.failed),
        "finished": results.finished,
        "explained": extras.pop("explained", _is_explained(results.items)),
        "results": {},
        "failures": {},
    }
    for item in results.items:
        key = "failures" if item.status == "failed" and not edge else "results"
        document[key][item.name] = _encode_item(item, edge)
    return _with_extras(document, extras, _EDGE_JOB if edge else None)


def _is_explained(items: Iterable[Item]) -> bool:
    return any(item.explanation is not None and item.explanation.attributions for item in items)


def encode_single_item(explanation: Explanation) -> dict[str, Any]:
    """Turn an explanation that was read from an item of a job into that item."""
    extras = extras_of(explanation.attributes, FORMAT)
    item_fields = dict(extras.pop("item"))
    output = _pop_output(item_fields)
    bare = replace(explanation, attributes=attributes_of(extras, FORMAT))
    return {**item_fields, output: {"data": encode_object(bare)}}


def _encode_item(item: Item, edge: bool) -> dict[str, Any]:
    extras = extras_of(item.attributes, FORMAT)
    output = _pop_output(extras)
    times = {theirs: _encode_time(getattr(item, ours), edge) for ours, theirs in _TIMES.items()}
    document: dict[str, Any] = {"status": next(theirs for theirs, ours in STATUSES.items() if ours == item.status)}
    document |= _without_none(engine=item.engine, **times)
    if item.explanation is not None:
        document[_OUTPUT if edge else output] = {"data": encode_object(item.explanation)}
    elif item.error is not None and edge:
        document[_OUTPUT] = {"error": {"error_message": item.error}}
    if item.error is not None and not edge:
        document["error"] = item.error
    return _with_extras(document, extras, _EDGE_ITEM if edge else None)


def _pop_output(extras: dict[str, Any]) -> str:
    """Take the name of an item's output from its extras."""
    output = extras.pop("output", _OUTPUT)
    return output if isinstance(output, str) else _OUTPUT


def _with_extras(
    document: dict[str, Any], extras: Mapping[str, Any], allowed: Collection[str] | None
) -> dict[str, Any]:
    """Add the extras that a document has not set itself; of these only the allowed ones (None is all)."""
    added = {key: value for key, value in extras.items() if key not in document and (allowed is None or key in allowed)}
    return {**document, **added}


def _encode_time(text: str | None, edge: bool) -> str | None:
    """Return a time as it is or, for Modzy Edge, as RFC 3339 in UTC (None if it has no zone)."""
    if text is None or not edge:
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None or text.endswith("Z"):
        return None if moment.tzinfo is None else text
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


# Reading.


@dataclass(frozen=True, slots=True)
class _Output:
    explanation: Explanation | None
    error: str | None = None


def _read_error(at: At) -> str:
    """Read why an item failed: the platform writes a string, a model an object."""
    return string(at["error_message"]) if isinstance(at.value, dict) else string(at)


def read_output(at: At) -> Explanation:
    """Read an output that holds an explainability object."""
    mapping(at)
    return read_object(at["data"])


def _read_output_or_error(at: At) -> _Output:
    """Read an output: an explainability object in ``data``, or the error of a failed model."""
    if "data" not in mapping(at) and "error" in at.value:
        return _Output(None, _read_error(at["error"]))
    return _Output(read_output(at))


def _output_key(item: dict[str, Any]) -> str | None:
    """Find the output among an item's fields: its key is a file name, which differs between models."""
    if _OUTPUT in item:
        return _OUTPUT
    outputs = [key for key, value in item.items() if isinstance(value, dict) and "data" in value]
    files = [key for key in item if "." in key]
    return next(iter(outputs + files), None)


_MILLISECONDS = nullable(between(0, 1e300))  # any number that is not negative
_ITEM_EXTRAS = {
    "elapsedTime": _MILLISECONDS,
    "inputFetching": nullable(integer(0)),
    "outputUploading": nullable(integer(0)),
    "queueTime": nullable(integer(0)),
    "modelLatency": _MILLISECONDS,
    "voting": nullable(record(dict, up=nullable(integer(0)), down=nullable(integer(0)))),
}


def _read_item(at: At, is_failure: bool = False) -> Item:
    """Read an item of a job, whose key is its name."""
    fields = mapping(at)
    name = str(at.key)
    if "status" not in fields and isinstance(fields.get(name), dict):  # nested under its name once more
        at, fields = at[name], fields[name]
    key = _output_key(fields)
    values = _item_reader(key, is_failure)(at)
    output, error = values["output"], values["error"]
    extras = _without_null(values["rest"])
    if key not in (None, _OUTPUT):
        extras["output"] = key
    has_failed = is_failure or values["status"] == "FAILED" or (output is not None and output.error is not None)
    if error is not None and not has_failed:
        extras["error"] = error
    reason = error or (output and output.error) or _NO_REASON
    return Item(
        name,
        "failed" if has_failed else STATUSES[values["status"]],
        explanation=output and output.explanation,
        error=reason if has_failed else None,
        engine=values["engine"],
        attributes=attributes_of(extras, FORMAT),
        **{ours: values[ours] for ours in _TIMES},
    )


def _read_failure(at: At) -> Item:
    return _read_item(at, is_failure=True)


@lru_cache(maxsize=64)  # a job has few names of outputs
def _item_reader(output: str | None, is_failure: bool) -> Reader[dict[str, Any]]:
    """Make the reader of items whose output has this key."""
    return record(
        dict,
        rest=_ITEM_EXTRAS,
        status=nullable(choice(*STATUSES), "FAILED") if is_failure else choice(*STATUSES),
        output=nullable(_read_output_or_error, key=output if output is not None else _OUTPUT),
        error=nullable(_read_error),
        engine=nullable(string),
        **{ours: nullable(time, key=theirs) for ours, theirs in _TIMES.items()},
    )


def _without_null(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out fields that are null, which means absent."""
    return {key: value for key, value in fields.items() if value is not None}


def read_single_item(at: At) -> Explanation | Results:
    """Read an item that is a document of its own: as an explanation, or as a job of one item if it has none."""
    item = _read_item(at)
    if item.status != "successful" or item.explanation is None:
        return Results("", (replace(item, name="input"),))
    item_fields = {
        "status": "SUCCESSFUL",
        **_without_none(engine=item.engine, **{theirs: getattr(item, ours) for ours, theirs in _TIMES.items()}),
        **extras_of(item.attributes, FORMAT),
    }
    extras = {**extras_of(item.explanation.attributes, FORMAT), "item": item_fields}
    return replace(item.explanation, attributes=attributes_of(extras, FORMAT))


def _make_batch(explanations: tuple[Explanation, ...]) -> Results:
    items = (Item(str(i), "successful", explanation=explanation) for i, explanation in enumerate(explanations))
    return Results("", tuple(items))


read_batch: Reader[Results] = record(_make_batch, explanations=Field(array(read_output), "predictions"))
"""Read a batch of outputs as a job whose items are named by their index."""


def _make_job(
    job: str,
    results: dict[str, Item],
    failures: dict[str, Item],
    total: int | None,
    completed: int | None,
    failed: int | None,
    finished: bool | None,
    rest: dict[str, Any],
    **more: Any,
) -> Results:
    items = (*results.values(), *failures.values())
    extras = _without_null(rest)
    if total is not None and (completed or 0) + (failed or 0) > total:
        raise DocumentError(f"must be at least completed + failed, got {total}", path="$.total")
    # A job may be listed in part: then more items may be done than are listed.
    lists_all = total is None or total == len(items)
    listed = Results(job, items)
    for name, claimed in (("completed", completed), ("failed", failed)):
        count = getattr(listed, name)
        if claimed is not None and (claimed < count or (lists_all and claimed != count)):
            raise DocumentError(f"must be {count}, the number of such items, got {claimed}", path=f"$.{name}")
        if claimed is not None and claimed != count:
            extras[name] = claimed
    if extras.get("explained") in (None, _is_explained(items)):
        extras.pop("explained", None)
    return Results(
        job,
        items,
        total=total,  # type: ignore[arg-type]
        finished=finished,  # type: ignore[arg-type]
        attributes=attributes_of(extras, FORMAT),
        **more,
    )


_COUNT = nullable(integer(0))
_HEAD: dict[str, Reader[Any]] = {
    "job": Field(string, "jobIdentifier"),
    "total": _COUNT,
    "finished": nullable(boolean),
    "submitted": nullable(time, key="submittedAt"),
    "error": nullable(string),
}
read_job: Reader[Results] = record(
    _make_job,
    rest={
        "submittedByKey": nullable(string),
        "accountIdentifier": nullable(string),
        "team": nullable(record(dict, identifier=nullable(string))),
        "explained": nullable(boolean),
        "startingResultSummarizing": nullable(time),
        "elapsedTime": nullable(number),
        "averageModelLatency": nullable(number),
        "totalModelLatency": nullable(number),
        **dict.fromkeys(_COUNTS, _COUNT),
    },
    **_HEAD,
    # proto3 leaves these out where they are empty or zero.
    results=nullable(table(_read_item), {}),
    failures=nullable(table(_read_failure), {}),
    completed=_COUNT,
    failed=_COUNT,
)
"""Read a job."""

ITEMS = {
    "results": ItemLayout(lambda job: _read_item, named=True),
    "failures": ItemLayout(lambda job: _read_failure, named=True),
}
HEAD: Reader[dict[str, Any]] = record(dict, rest=None, **_HEAD)
