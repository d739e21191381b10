"""The format of Cognite Vision: jobs that extract features from images, requests for jobs, and errors.

::

    {"status": "Completed", "createdTime": 1730204346000, "startTime": 1730204346500, "statusTime": 1730204349000,
     "jobId": 123,
     "items": [{"fileId": 1, "fileExternalId": "pump.jpg", "predictions": {
         "textPredictions": [{"text": "21-PT-1019", "confidence": 0.9,
                              "textRegion": {"xMin": 0.1, "xMax": 0.4, "yMin": 0.2, "yMax": 0.3}}]}}],
     "failedItems": [{"errorMessage": "no such file", "items": [{"fileId": 2}]}],
     "parameters": {"textDetectionParameters": {"threshold": 0.8}}}

A job works through its files in batches. While it runs, ``items`` holds the files of the batches that are done, and
``failedItems`` the batches that failed, each with its error. A finished job is Completed if a batch was, else Failed.

An item is named by the external id of its file, or by the file id if there is no external id or one that looks like a
file id. Files that Cognite does not know get negative file ids. Times are milliseconds since 1970 in UTC, 0 if unknown.
The time of the status is that of the end of a finished job, and of the last update of any other.

The reply to a request is a job whose items have no predictions. The request itself and an error are records. The
predictions of one file are read by `xplain.formatters.cognite.predictions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Explanation, Item, Polygon, Record, Results
from xplain.formatters.cognite.notes import notes
from xplain.formatters.cognite.predictions import (
    FEATURES,
    FORMAT,
    PARAMETERS,
    PREDICTION_ATTRIBUTES,
    encode_explanation,
    implied_parameters,
    read_explanation,
    without_unmet_thresholds,
)
from xplain.formatters.cognite.shapes import int64
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.places import At, Rejected
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    choice,
    integer,
    keep,
    mapping,
    nullable,
    optional,
    record,
    sized,
    string,
)

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "decode", "encode", "notes", "sniff"]

CAPABILITIES = {
    "object-detection": Capabilities(
        source="image", regions=(Box, Polygon), unit="fraction", threshold=True, attributes=PREDICTION_ATTRIBUTES
    )
}

# Limits of a request.
MAX_FILES = 100
MAX_FEATURES = 3

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
_DEFAULT_NAME = "image"


# Requests and errors, which are records.

INSTANCE = keep({"space": string, "externalId": string})
_FILE_KEYS: dict[str, Reader[Any]] = {
    "fileId": optional(int64),
    "fileExternalId": optional(string),
    "fileInstanceId": optional(INSTANCE),
}
_FILE = keep(_FILE_KEYS)


def _requested_file(at: At) -> dict[str, Any]:
    file: dict[str, Any] = _FILE(at)
    if sum(key in file for key in _FILE_KEYS) != 1:
        raise at.rejected(f"an object with exactly one of {', '.join(_FILE_KEYS)}")
    return file


_FEATURE_NAMES = [f"{name[0].upper()}{name[1:]}Detection" for name in FEATURES]
REQUEST = keep(
    {
        "items": sized(array(_requested_file), MAX_FILES, least=1),
        "features": sized(array(choice(*_FEATURE_NAMES)), MAX_FEATURES, least=1),
        "parameters": optional(PARAMETERS),
    }
)
ERROR = keep({"error": keep({"code": integer(), "message": string})})


#: Extras of an item and of a job that are written only if they are what a reader would have kept.
_ITEM_EXTRAS: dict[str, Reader[Any]] = {"fileId": int64, "fileExternalId": string}
_JOB_EXTRAS: dict[str, Reader[Any]] = {"parameters": PARAMETERS, "failedItems": array(mapping)}


# The format.


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Cognite."""
    if not isinstance(document, dict):
        return False
    if "jobId" in document:
        return "createdTime" in document or "statusTime" in document
    return ("features" in document and "items" in document) or _is_error(document) or _is_predictions(document)


def _is_predictions(document: dict[str, Any]) -> bool:
    return any(f"{feature}Predictions" in document for feature in FEATURES)


def _is_error(document: dict[str, Any]) -> bool:
    error = document.get("error")
    return len(document) == 1 and isinstance(error, dict) and "code" in error and "message" in error


def decode(at: At) -> Value:
    """Read a job, the predictions for a file, a request or an error."""
    fields = mapping(at)
    if "features" in fields:
        return Record(FORMAT, "request", REQUEST(at))
    if "error" in fields and "jobId" not in fields:
        return Record(FORMAT, "error", ERROR(at))
    if _is_predictions(fields):
        return read_explanation({})(at)
    return read_job(at)


def encode(value: Value) -> dict[str, Any]:
    """Write fitted results, or an explanation as a job of one item, as a job.

    Parameters
    ----------
    value : Explanation, Results or Record
        What to write.

    Returns
    -------
    dict
        The document, of JSON values only.
    """
    if isinstance(value, Record):
        return value.fields
    if isinstance(value, Explanation):
        value = Results("", (Item(_DEFAULT_NAME, "successful", explanation=value),))
    return _encode_job(value)


# Writing.


def _encode_job(results: Results) -> dict[str, Any]:
    extras = extras_of(results.attributes, FORMAT, _JOB_EXTRAS)
    explanations = [item.explanation for item in results.items if item.explanation is not None]
    files = list(zip(results.items, _files(results), strict=True))
    # In a finished job every file is done: others are left out.
    written = [pair for pair in files if pair[0].status in ("successful", "failed") or not results.finished]
    items = [file for item, file in written if item.status != "failed"]
    parameters = {**implied_parameters(explanations), **extras.pop("parameters", {})}
    parameters = without_unmet_thresholds(parameters, (file.get("predictions", {}) for file in items))
    failed_items = [*_failed_batches(written), *extras.pop("failedItems", [])]
    status = extras.pop("status", _unfinished_status(results.items))
    if results.finished:
        status = "Completed" if items else "Failed"
    document = {
        "status": status,
        **_times(results),
        "jobId": _file_id(results.job) or 0,
        **({} if results.error is None else {"errorMessage": results.error}),
        "items": items,
        **({"failedItems": failed_items} if failed_items else {}),
        **({"parameters": parameters} if parameters else {}),
    }
    return {**document, **{key: value for key, value in extras.items() if key not in document}}


def _unfinished_status(items: Iterable[Item]) -> str:
    """Return the usual status of a job that is not finished."""
    return "Running" if any(item.status != "waiting" for item in items) else "Queued"


def _times(results: Results) -> dict[str, int]:
    """Write the three times in order: a time that would be before its predecessor becomes equal to it."""
    created = _milliseconds(results.submitted)
    started = max(created, _milliseconds(results.started))
    changed = max(started, _milliseconds(results.ended if results.finished else results.updated))
    # An unknown start is left out if the submission is known; else all unknown times are 0.
    has_start = results.started is not None or results.submitted is None
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
        for key in ("batch", "predictions"):  # written otherwise, or not at all
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


def _failed_items(batches: tuple[dict[str, Any], ...]) -> list[Item]:
    """Return the items of failed batches; neighbouring batches with the same error are kept apart by a number."""
    items: list[Item] = []
    error, number = None, 0
    for batch in (batch for batch in batches if batch["items"]):
        number = number + 1 if batch["error"] == error else 0
        error = batch["error"]
        for item in batch["items"]:
            extras = {**extras_of(item.attributes, FORMAT), **({"batch": number} if number else {})}
            items.append(Item(item.name, "failed", error=error, attributes=attributes_of(extras, FORMAT)))
    return items


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
    "failedItems": ItemLayout(lambda job: lambda at: tuple(_failed_items((_BATCH(at),)))),
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
        rest: dict[str, Any],
        **times: Any,
    ) -> Results:
        finished = _STATUSES[status] is None
        _check_count(status, items)
        _check_unique(items, batches)
        all_items = (*items, *_failed_items(batches))
        job, error = str(rest.pop("jobId")), rest.pop("errorMessage", None)
        implied = implied_parameters(item.explanation for item in items if item.explanation is not None)
        extras = {
            **rest,
            "parameters": {key: value for key, value in parameters.items() if implied.get(key) != value},
            "failedItems": [{"errorMessage": batch["error"], "items": []} for batch in batches if not batch["items"]],
        }
        if not finished and status != _unfinished_status(all_items):
            extras["status"] = status
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
        rest={"jobId": int64, "errorMessage": nullable(string), "parameters": optional(PARAMETERS)},
        **_STATUS_AND_TIMES,
        items=array(read_item(at, parameters)),
        batches=optional(array(_BATCH), (), key="failedItems"),
    )
    return read(at)


def _check_count(status: str, items: tuple[Item, ...]) -> None:
    if status == "Completed" and not items:
        raise DocumentError("must hold a file, since the job is Completed, got none", path="$.items")
    if status == "Failed" and items:
        raise DocumentError(f"must be empty, since the job is Failed, got {len(items)} files", path="$.items")


def _check_unique(items: tuple[Item, ...], batches: tuple[dict[str, Any], ...]) -> None:
    """Refuse a job in which a file occurs twice, by its id or its external id."""
    by_path = {f"$.items[{i}]": item for i, item in enumerate(items)}
    by_path |= {
        f"$.failedItems[{i}].items[{k}]": item
        for i, batch in enumerate(batches)
        for k, item in enumerate(batch["items"])
    }
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
