"""Jobs of Cognite: written from the results of many files, and read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Explanation, Item, Results
from xplain.formatters.cognite.predictions import (
    FEATURES,
    FORMAT,
    PARAMETERS,
    encode_explanation,
    implied_parameters,
    read_explanation,
    without_unmet_thresholds,
)
from xplain.formatters.cognite.shapes import int64
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.own import Own
from xplain.formatters.core.places import At, Rejected
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    boolean,
    choice,
    integer,
    keep,
    mapping,
    nullable,
    optional,
    record,
    string,
)

#: Each status of a job, with our status of its files without predictions; None where there are no such files.
_STATUSES: dict[str, str | None] = {
    "Queued": "waiting",
    "Distributing": "waiting",
    "Distributed": "waiting",
    "Running": "running",
    "Collecting": "running",
    "Completed": None,
    "Failed": None,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
#: Names that are taken for file ids: numbers below 10**18, which 64 bits hold.
_FILE_ID = re.compile("0|[1-9][0-9]{0,17}")
_NO_REASON = "no reason given"
#: Our key for the files that are not done.
_PENDING = "pendingItems"
#: Statuses of a job of which no batch is done.
_NOTHING_DONE = ("Queued", "Distributing", "Distributed")
#: Key of our attributes of a job that was read from the reply to a request.
_REPLY = "reply"

INSTANCE = keep({"space": string, "externalId": string})
"""Reader of the instance of a file."""

FEATURE_NAMES = [f"{name[0].upper()}{name[1:]}Detection" for name in FEATURES]
#: Extras of an item and of a job that are written only if they are what a reader would have kept.
_ITEM_EXTRAS: dict[str, Reader[Any]] = {"fileId": int64, "fileExternalId": string}
_FEATURE_LIST = array(choice(*FEATURE_NAMES))
_JOB_EXTRAS: dict[str, Reader[Any]] = {
    "parameters": PARAMETERS,
    "failedItems": array(mapping),
    "features": _FEATURE_LIST,
    "status": choice(*_STATUSES),
    _REPLY: boolean,
}
OWN: Own = {**_ITEM_EXTRAS, **_JOB_EXTRAS, "batch": integer(0)}
"""Readers of our attributes."""


# Writing.


def encode_job(results: Results) -> dict[str, Any]:
    """Write fitted results as a job."""
    extras = extras_of(results.attributes, FORMAT, _JOB_EXTRAS)
    explanations = [item.explanation for item in results.items if item.explanation is not None]
    files = list(zip(results.items, _files(results), strict=True))
    items = [file for item, file in files if item.status == "successful"]
    failed_items = [*_failed_batches(files), *extras.pop("failedItems", [])]
    pending = [(item, file) for item, file in files if item.status in ("waiting", "running")]
    is_reply = extras.pop(_REPLY, False) and not results.finished
    if is_reply:
        items = [file for item, file in files if item.status != "failed"]
        pending = []
    parameters = {**implied_parameters(explanations), **extras.pop("parameters", {})}
    parameters = without_unmet_thresholds(parameters, (file.get("predictions", {}) for file in items))
    status = extras.pop("status", _unfinished_status(results.items))
    if results.finished:
        status = "Completed" if items else "Failed"
    elif status in _NOTHING_DONE and any(item.status in ("successful", "failed") for item in results.items):
        status = "Running"
    error = results.error if results.error is not None or status != "Failed" else _common_error(results.items)
    document = {
        "status": status,
        **_times(results, is_reply),
        "jobId": _file_id(results.job) or 0,
        **({} if error is None else {"errorMessage": error}),
        "items": items,
        **({"failedItems": failed_items} if failed_items else {}),
        **({_PENDING: [{**file, "status": item.status} for item, file in pending]} if pending else {}),
        **({"parameters": parameters} if parameters else {}),
    }
    return {**document, **{key: value for key, value in extras.items() if key not in document}}


def _common_error(items: Iterable[Item]) -> str:
    """Say why a job failed of which nothing is said but why its files did."""
    errors = list(dict.fromkeys(item.error for item in items if item.error is not None))
    if not errors:
        return _NO_REASON
    return errors[0] if len(errors) == 1 else f"{errors[0]} (and {len(errors) - 1} other errors)"


def _unfinished_status(items: Iterable[Item]) -> str:
    """Return the usual status of a job that is not finished."""
    return "Running" if any(item.status != "waiting" for item in items) else "Queued"


def _times(results: Results, is_reply: bool) -> dict[str, int]:
    """Write the three times in order: a time that would be before its predecessor becomes equal to it."""
    created = _milliseconds(results.submitted)
    started = max(created, _milliseconds(results.started))
    changed = max(started, _milliseconds(results.ended if results.finished else results.updated))
    # Only the reply to a request may lack a start; an unknown time is the one before it, or 0.
    has_start = results.started is not None or not is_reply
    return {"createdTime": created, **({"startTime": started} if has_start else {}), "statusTime": changed}


def _milliseconds(time: str | None) -> int:
    """Convert an ISO 8601 time; one that is unknown, has no zone or is before 1970 becomes 0."""
    try:
        moment = datetime.fromisoformat(time or "")
        return 0 if moment.tzinfo is None else max(0, (moment - _EPOCH) // _MILLISECOND)
    except (ValueError, OverflowError):
        return 0


def _files(results: Results) -> list[dict[str, Any]]:
    """Write the file of each item; a file without an id gets a negative one and its name as external id."""
    files: list[dict[str, Any]] = []
    file_ids: set[int] = set()
    for index, item in enumerate(results.items):
        extras = extras_of(item.attributes, FORMAT, _ITEM_EXTRAS)
        for key in ("batch", "predictions", "status"):  # written otherwise, or not at all
            extras.pop(key, None)
        file_id = extras.pop("fileId", _file_id(item.name))
        if file_id is None or file_id in file_ids:
            file_id = -index - 1
        file_ids.add(file_id)
        external_id = extras.pop("fileExternalId", None if item.name == str(file_id) else item.name)
        file = {"fileId": file_id, **({} if external_id is None else {"fileExternalId": external_id})}
        if item.status == "successful":
            file["predictions"] = {} if item.explanation is None else encode_explanation(item.explanation)
        files.append({**file, **{key: value for key, value in extras.items() if key not in file}})
    return files


def _file_id(name: str) -> int | None:
    return int(name) if _FILE_ID.fullmatch(name) else None


def _failed_batches(files: Iterable[tuple[Item, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Write failed items; neighbours with the same error and batch number become one batch."""
    failed = [(item, file) for item, file in files if item.status == "failed"]
    batches = groupby(failed, lambda pair: (pair[0].error, extras_of(pair[0].attributes, FORMAT).get("batch", 0)))
    return [{"errorMessage": error, "items": [file for _, file in batch]} for (error, _), batch in batches]


# Reading times.


def _time(at: At) -> int:
    value = integer(0)(at)
    if value > _LATEST:
        raise at.rejected("milliseconds since 1970 up to the year 9999")
    return value


def _iso_time(milliseconds: int | None) -> str | None:
    if not milliseconds:
        return None
    return (_EPOCH + milliseconds * _MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _result_times(finished: bool, created: int, started: int | None, changed: int) -> dict[str, Any]:
    """Return the times of a job as arguments of `Results`, after a check of their order."""
    if started is not None and started < created:
        raise DocumentError(f"must be at least createdTime, {created}, got {started}", path="$.startTime")
    before = "createdTime" if started is None else "startTime"
    if changed < (started or created):
        raise DocumentError(f"must be at least {before}, {started or created}, got {changed}", path="$.statusTime")
    name = "ended" if finished else "updated"
    return {"submitted": _iso_time(created), "started": _iso_time(started), name: _iso_time(changed)}


# Reading items.


def read_item(job: At, parameters: dict[str, Any]) -> Reader[Item]:
    """Make a reader of the items of a job, given the job and its parameters."""
    job_status = job.value.get("status")
    # Status of a file without predictions; None if all files must have some.
    status_before = _STATUSES.get(job_status) if isinstance(job_status, str) else None

    def make(file_id: int, external_id: str | None, explanation: Explanation | None, rest: dict[str, Any]) -> Item:
        if explanation is not None and job_status in _NOTHING_DONE:
            raise DocumentError(f"must be left out, since the job is {job_status}", path="$.predictions")
        name, extras = _name_and_extras(file_id, external_id, rest)
        status = "successful" if status_before is None or explanation is not None else status_before
        return Item(name, status, explanation=explanation, attributes=attributes_of(extras, FORMAT))

    read_predictions = read_explanation(parameters)
    required, if_done = Field(read_predictions, "predictions"), optional(read_predictions, key="predictions")
    return record(
        make,
        rest={},
        file_id=Field(int64, "fileId"),
        external_id=nullable(string, key="fileExternalId"),
        explanation=required if status_before is None else if_done,
    )


def _name_and_extras(file_id: int, external_id: str | None, rest: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of a file's item, and the fields to keep, with the id that is not the name."""
    if external_id is None or _FILE_ID.fullmatch(external_id):
        return str(file_id), rest if external_id is None else {**rest, "fileExternalId": external_id}
    # We count negative ids ourselves, so they are not kept.
    return external_id, rest if file_id < 0 else {**rest, "fileId": file_id}


_PENDING_ITEM = record(
    lambda file_id, external_id, status, rest: _pending_item(file_id, external_id, status, rest),
    rest={},
    file_id=Field(int64, "fileId"),
    external_id=nullable(string, key="fileExternalId"),
    status=choice("waiting", "running"),
)


def _pending_item(file_id: int, external_id: str | None, status: str, rest: dict[str, Any]) -> Item:
    name, extras = _name_and_extras(file_id, external_id, rest)
    return Item(name, status, attributes=attributes_of(extras, FORMAT))


# Reading failed items, which come in batches.


def _failed_item(file_id: int, external_id: str | None, rest: dict[str, Any]) -> Item:
    name, extras = _name_and_extras(file_id, external_id, rest)
    return Item(name, "failed", error=_NO_REASON, attributes=attributes_of(extras, FORMAT))


_BATCH: Reader[dict[str, Any]] = record(
    dict,
    error=optional(string, _NO_REASON, key="errorMessage"),
    items=optional(
        array(
            record(
                _failed_item,
                rest={"fileInstanceId": nullable(INSTANCE)},
                file_id=Field(int64, "fileId"),
                external_id=nullable(string, key="fileExternalId"),
            )
        ),
        (),
    ),
)


def _failed_items(batches: Iterable[dict[str, Any]]) -> Iterator[tuple[Item, ...]]:
    """Yield the items of each failed batch; neighbouring batches with the same error are kept apart by a number."""
    error, number = None, 0
    for batch in batches:
        if not batch["items"]:
            continue
        number = number + 1 if batch["error"] == error else 0
        error = batch["error"]
        more = {"batch": number} if number else {}
        yield tuple(
            Item(item.name, "failed", error=error, attributes=attributes_of(extras, FORMAT))
            for item in batch["items"]
            for extras in ({**extras_of(item.attributes, FORMAT), **more},)
        )


def _batch_reader(job: At) -> Reader[tuple[Item, ...]]:
    """Make the reader of the failed batches of a job, one after the other."""
    waiting: list[dict[str, Any]] = []
    items = _failed_items(iter(lambda: waiting.pop(), None))

    def read(at: At) -> tuple[Item, ...]:
        batch = _BATCH(at)
        if not batch["items"]:
            return ()
        waiting.append(batch)
        return next(items)

    return read


# Reading a job.


def read_parameters(job: At) -> dict[str, Any]:
    """Read the parameters of a job; malformed ones count as none here, and are reported when the job is read."""
    try:
        parameters: dict[str, Any] = optional(PARAMETERS, {})(job["parameters"])
        return parameters
    except Rejected:
        return {}


ITEMS = {
    "items": ItemLayout(lambda job: read_item(job, read_parameters(job))),
    "failedItems": ItemLayout(_batch_reader),
    _PENDING: ItemLayout(lambda job: _PENDING_ITEM),
}
"""How items are read while a long document streams in."""


def _head(status: str, job: int, error: str | None, **times: Any) -> dict[str, Any]:
    finished = _STATUSES[status] is None
    return {"job": str(job), "finished": finished, "error": error, **_result_times(finished, **times)}


_STATUS_AND_TIMES: dict[str, Reader[Any]] = {
    "status": choice(*_STATUSES),
    "created": Field(_time, "createdTime"),
    "started": nullable(_time, key="startTime"),
    "changed": Field(_time, "statusTime"),
}
HEAD: Reader[dict[str, Any]] = record(
    _head, rest=None, job=Field(int64, "jobId"), error=nullable(string, key="errorMessage"), **_STATUS_AND_TIMES
)
"""Read what a job says beside its items, as arguments of `Results`."""


def read_job(at: At) -> Results:
    """Read a job."""
    parameters = read_parameters(at)

    def make(
        status: str,
        items: tuple[Item, ...],
        batches: tuple[dict[str, Any], ...],
        pending: tuple[Item, ...],
        rest: dict[str, Any],
        **times: Any,
    ) -> Results:
        finished = _STATUSES[status] is None
        failed = tuple(item for batch in _failed_items(batches) for item in batch)
        _check_count(status, items, failed)
        _check_unique(items, batches, pending)
        all_items = (*items, *failed, *pending)
        job, error = str(rest.pop("jobId")), rest.pop("errorMessage", None)
        if status == "Failed" and error == _common_error(all_items):
            error = None
        implied = implied_parameters(item.explanation for item in items if item.explanation is not None)
        extras = {
            **rest,
            "parameters": {key: value for key, value in parameters.items() if implied.get(key) != value},
            "failedItems": [{"errorMessage": batch["error"], "items": []} for batch in batches if not batch["items"]],
        }
        if not finished and status != _unfinished_status(all_items):
            extras["status"] = status
        if any(item.status in ("waiting", "running") for item in items):
            extras[_REPLY] = True
        return Results(
            job,
            all_items,
            finished=finished,
            error=error,
            attributes=attributes_of({key: value for key, value in extras.items() if value}, FORMAT),
            **_result_times(finished, **times),
        )

    read: Reader[Results] = record(
        make,
        rest={
            "jobId": int64,
            "errorMessage": nullable(string),
            "parameters": optional(PARAMETERS),
            "features": nullable(_FEATURE_LIST),
        },
        **_STATUS_AND_TIMES,
        items=array(read_item(at, parameters)),
        batches=optional(array(_BATCH), (), key="failedItems"),
        pending=nullable(array(_PENDING_ITEM), (), key=_PENDING),
    )
    return read(at)


def _check_count(status: str, items: tuple[Item, ...], failed: tuple[Item, ...]) -> None:
    if status in _NOTHING_DONE and failed:
        raise DocumentError(f"must be empty, since the job is {status}, got {len(failed)} files", path="$.failedItems")
    if status == "Completed" and not items:
        raise DocumentError("must hold a file, since the job is Completed, got none", path="$.items")
    if status == "Failed" and items:
        raise DocumentError(f"must be empty, since the job is Failed, got {len(items)} files", path="$.items")


def _check_unique(items: tuple[Item, ...], batches: tuple[dict[str, Any], ...], pending: tuple[Item, ...]) -> None:
    """Refuse a job in which a file occurs twice, by its id or its external id."""
    by_path = {f"$.items[{i}]": item for i, item in enumerate(items)}
    by_path |= {
        f"$.failedItems[{i}].items[{k}]": item
        for i, batch in enumerate(batches)
        for k, item in enumerate(batch["items"])
    }
    by_path |= {f"$.{_PENDING}[{i}]": item for i, item in enumerate(pending)}
    paths: dict[tuple[str, Any], str] = {}
    for path, item in by_path.items():
        extras, file_id = extras_of(item.attributes, FORMAT), _file_id(item.name)
        external_id = extras.get("fileExternalId", item.name if file_id is None else None)
        for identifier in (("fileId", extras.get("fileId", file_id)), ("fileExternalId", external_id)):
            if identifier[1] is None:
                continue
            if identifier in paths:
                first = paths[identifier]
                raise DocumentError(f"must be in a job once, got {identifier[1]!r} in {first} too", path=path)
            paths[identifier] = path
