"""Modzy's input items, batches and jobs.

Statuses, times and flags that contradict each other are refused. ``elapsedTime`` follows from the start and the end of
an item where these are known.

Fields without a place in xplain's values are kept under their own keys: those of a job or an item in its
``attributes["modzy"]``, those of an item that is a document of its own in ``attributes["modzy"]["item"]`` of its
explanation. A name of the output other than ``results.json`` is kept as ``output``, its spelling, if that is not
``data``, as ``spelling``, and what stands beside ``data`` as ``beside``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Explanation, Item, Results
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.own import Own
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    between,
    boolean,
    choice,
    integer,
    keep,
    mapping,
    nullable,
    number,
    record,
    string,
    table,
    time,
)
from xplain.formatters.modzy.objects import FORMAT
from xplain.formatters.modzy.outputs import (
    DATA,
    OUTPUT,
    OWN_OF_OUTPUT,
    UNFINISHED,
    Output,
    encode_output,
    output_key,
    pop_output,
    read_error,
    read_item_output,
    read_output,
)

STATUSES = {
    "FETCHING_DATA": "waiting",
    "PROCESSING": "running",
    "SUCCESSFUL": "successful",
    "FAILED": "failed",
}
"""Modzy's statuses in the order an item goes through them, and ours."""

_MILLISECOND = timedelta(milliseconds=1)
#: Milliseconds by which an elapsed time may differ from its ends, which may be rounded to seconds.
_ROUNDING = 1000
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
    if extras.pop("items", None) is True and not edge:
        return {item.name: _encode_item(item, edge) for item in results.items}
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
    beside, (output, spelling) = item_fields.pop("beside", None), pop_output(item_fields)
    bare = replace(explanation, attributes=attributes_of(extras, FORMAT))
    return {**item_fields, output: encode_output(bare, spelling, beside)}


def _encode_item(item: Item, edge: bool) -> dict[str, Any]:
    extras = extras_of(item.attributes, FORMAT)
    beside, (output, spelling) = extras.pop("beside", None), pop_output(extras)
    times = _encode_times(item, edge)
    document: dict[str, Any] = {"status": next(theirs for theirs, ours in STATUSES.items() if ours == item.status)}
    document |= _without_none(engine=item.engine, **times)
    if not edge and "elapsedTime" not in extras:
        document |= _without_none(elapsedTime=_elapsed(times["startTime"], times["endTime"]))
    if item.explanation is not None and item.status == "successful":
        how = (DATA,) if edge else (spelling, beside)
        document[OUTPUT if edge else output] = encode_output(item.explanation, *how)
    elif item.error is not None and edge:
        document[OUTPUT] = {"error": {"error_message": item.error}}
    if item.error is not None and not edge:
        document["error"] = item.error
    return _with_extras(document, extras, _EDGE_ITEM if edge else None)


def _encode_times(item: Item, edge: bool) -> dict[str, str | None]:
    """Write the times of an item; those before its start are left out."""
    times = {theirs: _encode_time(getattr(item, ours), edge) for ours, theirs in _TIMES.items()}
    start = _moment(times["startTime"])
    return {
        name: None if start is not None and (moment := _moment(time)) is not None and moment < start else time
        for name, time in times.items()
    }


def _elapsed(start: str | None, end: str | None) -> float | None:
    """Return the milliseconds between two times; None if one of them is not known."""
    started, ended = _moment(start), _moment(end)
    if started is None or ended is None:
        return None
    milliseconds = (ended - started) / _MILLISECOND
    return int(milliseconds) if milliseconds.is_integer() else milliseconds


def _moment(text: str | None) -> datetime | None:
    """Return a time; None if it is not known, or its zone is not."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment


def _with_extras(
    document: dict[str, Any], extras: Mapping[str, Any], allowed: Collection[str] | None
) -> dict[str, Any]:
    """Add the extras that a document has not set itself; of these only the allowed ones (None is all)."""
    added = {key: value for key, value in extras.items() if key not in document and (allowed is None or key in allowed)}
    return {**document, **added}


def _encode_time(text: str | None, edge: bool) -> str | None:
    """Return a time as it is or, for Modzy Edge, as RFC 3339 in UTC; None if it is no time or has no zone."""
    moment = _moment(text)
    if text is None or moment is None:
        return None
    if not edge or text.endswith("Z"):
        return text
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


# Reading.


_MILLISECONDS = nullable(between(0, 1e300))  # any number that is not negative
_ITEM_EXTRAS = {
    "elapsedTime": _MILLISECONDS,
    "inputFetching": nullable(integer(0)),
    "outputUploading": nullable(integer(0)),
    "queueTime": nullable(integer(0)),
    "modelLatency": _MILLISECONDS,
    "voting": nullable(record(dict, up=nullable(integer(0)), down=nullable(integer(0)))),
}
#: Fields of an item that are no outputs.
_KNOWN = {"status", "engine", "error", *_TIMES.values(), *_ITEM_EXTRAS}


def is_item(value: Any) -> bool:
    """Whether a value looks like an item of a job: a status, and something that goes with one."""
    if not isinstance(value, dict) or not isinstance(value.get("status"), str):
        return False
    return value["status"] in STATUSES or not {"engine", "updateTime", "endTime"}.isdisjoint(value)


def _read_item(at: At, is_failure: bool = False) -> Item:
    """Read an item of a job, whose key is its name."""
    fields = mapping(at)
    name = str(at.key)
    if "status" not in fields and isinstance(fields.get(name), dict):  # nested under its name once more
        at, fields = at[name], fields[name]
    key = output_key(fields, _KNOWN)
    values = _item_reader(key, is_failure)(at)
    output, error, status = values["output"] or Output(), values["error"], values["status"]
    has_failed = status == "FAILED" or output.error is not None
    _check_item(at, key, output, status, values, is_failure)
    extras = _without_null(values["rest"])
    if extras.get("elapsedTime") == _elapsed(values["started"], values["ended"]):
        extras.pop("elapsedTime", None)
    if output.other is not None and key is not None:
        extras[key] = output.other
    elif key != OUTPUT and output.explanation is not None:
        extras["output"] = key
    if output.spelling != DATA:
        extras["spelling"] = output.spelling
    if output.beside:
        extras["beside"] = output.beside
    if error is not None and not has_failed:
        extras["error"] = error
    reason = error or output.error or _NO_REASON
    return Item(
        name,
        "failed" if has_failed else STATUSES[status],
        explanation=output.explanation,
        error=reason if has_failed else None,
        engine=values["engine"],
        attributes=attributes_of(extras, FORMAT),
        **{ours: values[ours] for ours in _TIMES},
    )


def _check_item(
    at: At, key: str | None, output: Output, status: str, values: Mapping[str, Any], is_failure: bool
) -> None:
    """Refuse a status, an output and times that contradict each other."""
    wrong: list[Problem] = []
    if is_failure and status != "FAILED":
        wrong.append(at["status"].problem("'FAILED', as the item is one of the failures"))
    elif output.explanation is not None and status != "SUCCESSFUL":
        wrong.append(at["status"].problem(f"'SUCCESSFUL', as there is an output, {key!r:.60}"))
    elif output.error is not None and status in UNFINISHED:
        wrong.append(at["status"].problem("'FAILED', as the output is an error"))
    elif output.other and status in UNFINISHED:
        wrong.append(at["status"].problem(f"'SUCCESSFUL' or 'FAILED', as there is an output, {key!r:.60}"))
    start = _moment(values["started"])
    for name in ("updated", "ended"):
        moment = _moment(values[name])
        if start is not None and moment is not None and moment < start:
            wrong.append(at[_TIMES[name]].problem(f"at least startTime, {values['started']}"))
    claimed, elapsed = values["rest"].get("elapsedTime"), _elapsed(values["started"], values["ended"])
    if not wrong and claimed is not None and elapsed is not None and abs(claimed - elapsed) > _ROUNDING:
        wrong.append(at["elapsedTime"].problem(f"{elapsed:.6g}, as startTime and endTime give it"))
    if wrong:
        raise Rejected(wrong)


def _read_failure(at: At) -> Item:
    return _read_item(at, is_failure=True)


@lru_cache(maxsize=64)  # a job has few names of outputs
def _item_reader(output: str | None, is_failure: bool) -> Reader[dict[str, Any]]:
    """Make the reader of items whose output has this key."""
    return record(
        dict,
        rest=_ITEM_EXTRAS,
        status=nullable(choice(*STATUSES), "FAILED") if is_failure else choice(*STATUSES),
        output=nullable(read_item_output, key=output if output is not None else OUTPUT),
        error=nullable(read_error),
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
    times = {theirs: getattr(item, ours) for ours, theirs in _TIMES.items()}
    item_fields = {
        "status": "SUCCESSFUL",
        **_without_none(engine=item.engine, **times, elapsedTime=_elapsed(item.started, item.ended)),
        **extras_of(item.attributes, FORMAT),
    }
    extras = {**extras_of(item.explanation.attributes, FORMAT), "item": item_fields}
    return replace(item.explanation, attributes=attributes_of(extras, FORMAT))


def as_item(name: str, explanation: Explanation) -> Item:
    """Return an explanation as an item of a job, which takes what the explanation's document said of it."""
    extras = extras_of(explanation.attributes, FORMAT)
    fields = dict(mapping(At(extras.pop("item", {}), key="item")))
    others = {format: value for format, value in explanation.attributes.items() if format != FORMAT}
    bare = replace(explanation, attributes={**others, **attributes_of(extras, FORMAT)})
    fields.pop("status", None)
    known = {ours: fields.pop(theirs, None) for ours, theirs in (*_TIMES.items(), ("engine", "engine"))}
    if fields.get("elapsedTime") == _elapsed(known["started"], known["ended"]):
        fields.pop("elapsedTime", None)
    return Item(name, "successful", explanation=bare, attributes=attributes_of(fields, FORMAT), **known)


def _make_items(items: dict[str, Item]) -> Results:
    return Results("", tuple(items.values()), attributes=attributes_of({"items": True}, FORMAT))


def read_items_object(at: At) -> Results:
    """Read an object of input items by their names."""
    return at.build(_make_items, table(_read_item)(at))


def _read_batch_item(at: At) -> Item:
    explanation, beside = read_output(at), keep({}, but=("data",))(at) if "data" in at.value else {}
    extras = {"beside": beside} if beside else {}
    return Item(str(at.key), "successful", explanation=explanation, attributes=attributes_of(extras, FORMAT))


read_batch: Reader[Results] = record(partial(Results, ""), items=Field(array(_read_batch_item), "predictions"))
"""Read a batch of outputs as a job whose items are named by their index."""


def _path_of(name: str) -> str:
    """Return the path of a failure in a job."""
    return At(None, At(None, At(None), "failures"), name).path


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
    for name in failures:
        if name in results:
            raise DocumentError(f"must be in results or in failures, got {name!r:.60} in both", path=_path_of(name))
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
    if extras.get("explained") is False and _is_explained(items):
        raise DocumentError("must be true, as there are explanations, got false", path="$.explained")
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

OWN: Own = {
    "items": boolean,
    "completed": integer(0),
    "failed": integer(0),
    **OWN_OF_OUTPUT,
    "item": mapping,
    "result": mapping,
    "explanation": mapping,
}
"""Readers of our attributes."""

ITEMS = {
    "results": ItemLayout(lambda job: _read_item, named=True),
    "failures": ItemLayout(lambda job: _read_failure, named=True),
}
HEAD: Reader[dict[str, Any]] = record(dict, rest=None, **_HEAD)
