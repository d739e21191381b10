"""Modzy's input items, batches and jobs.

What the values have no place for is kept under the document's own keys: of a job and of an item in their
``attributes["modzy"]``; of an item that is a document of its own in ``attributes["modzy"]["item"]`` of its explanation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Explanation, Item, Results
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
"""Modzy's statuses in their order, and ours."""

_OUTPUT = "results.json"
_NO_REASON = "no reason given"
_TIMES = {"started": "startTime", "updated": "updateTime", "ended": "endTime"}
#: What only a job or an item of Modzy Edge's protocol buffer has, besides what every one has.
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
    own = dict(results.attributes.get(FORMAT, {}))
    explained = any(item.explanation is not None and item.explanation.attributions for item in results.items)
    document = {
        "jobIdentifier": results.job,
        **_present(submittedAt=_time(results.submitted, edge), error=None if edge else results.error),
        "total": results.total,
        "completed": own.pop("completed", results.completed),
        "failed": own.pop("failed", results.failed),
        "finished": results.finished,
        "explained": own.pop("explained", explained),
        "results": {},
        "failures": {},
    }
    for item in results.items:
        home = "failures" if item.status == "failed" and not edge else "results"
        document[home][item.name] = _encode_item(item, edge)
    return _with(document, own, _EDGE_JOB if edge else None)


def encode_item(explanation: Explanation) -> dict[str, Any]:
    """Turn an explanation that was read from an item of a job into that item."""
    own = dict(explanation.attributes[FORMAT])
    metadata = dict(own.pop("item"))
    output = metadata.pop("output", _OUTPUT)
    plain = replace(explanation, attributes={FORMAT: own} if own else {})
    return {**metadata, output: {"data": encode_object(plain)}}


def _encode_item(item: Item, edge: bool) -> dict[str, Any]:
    own = dict(item.attributes.get(FORMAT, {}))
    output = own.pop("output", _OUTPUT)
    document: dict[str, Any] = {"status": next(name for name, ours in STATUSES.items() if ours == item.status)}
    document |= _present(engine=item.engine, **{key: _time(getattr(item, name), edge) for name, key in _TIMES.items()})
    if item.explanation is not None:
        document[_OUTPUT if edge else output] = {"data": encode_object(item.explanation)}
    elif item.error is not None and edge:
        document[_OUTPUT] = {"error": {"error_message": item.error}}
    if item.error is not None and not edge:
        document["error"] = item.error
    return _with(document, own, _EDGE_ITEM if edge else None)


def _with(document: dict[str, Any], others: Mapping[str, Any], known: Collection[str] | None) -> dict[str, Any]:
    """Add what a document of Modzy's said besides, or of that what is known."""
    kept = {key: value for key, value in others.items() if known is None or key in known}
    return {**document, **{key: value for key, value in kept.items() if key not in document}}


def _time(text: str | None, edge: bool) -> str | None:
    """Leave a time as it is or, for the strict parser, write it as RFC 3339 in UTC."""
    if text is None or not edge:
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None or text.endswith("Z"):
        return None if moment.tzinfo is None else text
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


# Reading.


@dataclass(frozen=True, slots=True)
class _Output:
    explanation: Explanation | None
    error: str | None = None


def _error(at: At) -> str:
    """Read why an item failed: the platform gives a string, a model an object."""
    return string(at["error_message"]) if isinstance(at.value, dict) else string(at)


def read_output(at: At) -> Explanation:
    """Read the object that an output holds."""
    mapping(at)
    return read_object(at["data"])


def _output(at: At) -> _Output:
    """Read the output of a model: the object in ``data``, or the error that a failing model leaves."""
    if "data" not in mapping(at) and "error" in at.value:
        return _Output(None, _error(at["error"]))
    return _Output(read_output(at))


def _output_key(item: dict[str, Any]) -> str | None:
    """Find the output among an item's fields; its name is that of a file, and models differ in it."""
    if _OUTPUT in item:
        return _OUTPUT
    outputs = [key for key, value in item.items() if isinstance(value, dict) and "data" in value]
    files = [key for key in item if "." in key]
    return next(iter(outputs + files), None)


_MILLISECONDS = nullable(between(0, 1e300))
_ITEM_EXTRAS = {
    "elapsedTime": _MILLISECONDS,
    "inputFetching": nullable(integer(0)),
    "outputUploading": nullable(integer(0)),
    "queueTime": nullable(integer(0)),
    "modelLatency": _MILLISECONDS,
    "voting": nullable(record(dict, up=nullable(integer(0)), down=nullable(integer(0)))),
}


def _item(at: At, failure: bool = False) -> Item:
    fields = mapping(at)
    name = str(at.key)
    if "status" not in fields and isinstance(fields.get(name), dict):
        at, fields = at[name], fields[name]
    key = _output_key(fields)
    found = _item_reader(key, failure)(at)
    status, output, error, own = found["status"], found["output"], found["error"], _known(found["rest"])
    if key not in (None, _OUTPUT):
        own["output"] = key
    failed = failure or status == "FAILED" or (output is not None and output.error is not None)
    reason = error or (output and output.error) or _NO_REASON
    if error is not None and not failed:
        own["error"] = error
    return Item(
        name,
        "failed" if failed else STATUSES[status],
        explanation=output and output.explanation,
        error=reason if failed else None,
        engine=found["engine"],
        attributes={FORMAT: own} if own else {},
        **{ours: found[ours] for ours in _TIMES},
    )


@lru_cache(maxsize=64)
def _item_reader(output: str | None, failure: bool) -> Reader[dict[str, Any]]:
    """Make the reader of items whose output has this name."""
    return record(
        dict,
        rest=_ITEM_EXTRAS,
        status=nullable(choice(*STATUSES), "FAILED") if failure else choice(*STATUSES),
        output=nullable(_output, key=output if output is not None else _OUTPUT),
        error=nullable(_error),
        engine=nullable(string),
        **{ours: nullable(time, key=theirs) for ours, theirs in _TIMES.items()},
    )


def _failure(at: At) -> Item:
    return _item(at, failure=True)


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null, which is the same as absent."""
    return {key: value for key, value in fields.items() if value is not None}


def read_item(at: At) -> Explanation | Results:
    """Read an item that is a document of its own."""
    item = _item(at)
    if item.status != "successful" or item.explanation is None:
        return Results("", (replace(item, name="input"),))
    metadata = {
        "status": "SUCCESSFUL",
        **_present(engine=item.engine, **{theirs: getattr(item, ours) for ours, theirs in _TIMES.items()}),
        **item.attributes.get(FORMAT, {}),
    }
    own = {**item.explanation.attributes.get(FORMAT, {}), "item": metadata}
    return replace(item.explanation, attributes={FORMAT: own})


def _batch(explanations: tuple[Explanation, ...]) -> Results:
    items = (Item(str(i), "successful", explanation=explanation) for i, explanation in enumerate(explanations))
    return Results("", tuple(items))


read_batch: Reader[Results] = record(_batch, explanations=Field(array(read_output), "predictions"))


def _job(
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
    own = _known(rest)
    if total is not None and (completed or 0) + (failed or 0) > total:
        raise DocumentError(f"must be at least completed + failed, got {total}", path="$.total")
    whole = total is None or total == len(items)
    plain = Results(job, items)
    for name, claim in (("completed", completed), ("failed", failed)):
        counted = getattr(plain, name)
        if claim is not None and (claim < counted or (whole and claim != counted)):
            raise DocumentError(f"must be {counted}, the number of such items, got {claim}", path=f"$.{name}")
        if claim is not None and claim != counted:
            own[name] = claim
    explained = any(item.explanation is not None and item.explanation.attributions for item in items)
    if own.get("explained") in (None, explained):
        own.pop("explained", None)
    own = {FORMAT: own} if own else {}
    return Results(job, items, total=total, finished=finished, attributes=own, **more)  # type: ignore[arg-type]


_COUNT = nullable(integer(0))
_HEAD: dict[str, Reader[Any]] = {
    "job": Field(string, "jobIdentifier"),
    "total": _COUNT,
    "finished": nullable(boolean),
    "submitted": nullable(time, key="submittedAt"),
    "error": nullable(string),
}
read_job: Reader[Results] = record(
    _job,
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
    # Left out where they are empty, zero or false.
    results=nullable(table(_item), {}),
    failures=nullable(table(_failure), {}),
    completed=_COUNT,
    failed=_COUNT,
)

ITEMS = {
    "results": ItemLayout(lambda job: _item, named=True),
    "failures": ItemLayout(lambda job: _failure, named=True),
}
HEAD: Reader[dict[str, Any]] = record(dict, rest=None, **_HEAD)
