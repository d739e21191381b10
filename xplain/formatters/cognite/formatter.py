"""Cognite Vision's jobs that extract features from images.

::

    {"status": "Completed", "createdTime": 1730204346000, "startTime": 1730204346500, "statusTime": 1730204349000,
     "jobId": 123,
     "items": [{"fileId": 1, "fileExternalId": "pump.jpg", "predictions": {
         "textPredictions": [{"text": "21-PT-1019", "confidence": 0.9,
                              "textRegion": {"xMin": 0.1, "xMax": 0.4, "yMin": 0.2, "yMax": 0.3}}]}}],
     "failedItems": [{"errorMessage": "no such file", "items": [{"fileId": 2}]}],
     "parameters": {"textDetectionParameters": {"threshold": 0.8}}}

Files are worked on in batches: while a job is running, ``items`` holds the files of the batches that are done; a failed
batch is in ``failedItems`` with its error; the job is Completed if one batch was, else Failed. Items are named by their
external id or, if they have none or one that is a number, by their file id. Times are milliseconds since 1970 in UTC;
0 stands for one that is not known, and negative file ids for files that Cognite does not know. The time of the status
is that of the end of a finished job, and of the last update of another.

The reply to a request (items without predictions) is a job as well; the request and an error are records. Predictions:
`xplain.formatters.cognite.predictions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Explanation, Item, Polygon, Record, Results
from xplain.formatters.cognite.predictions import (
    FEATURES,
    FORMAT,
    HELD,
    PARAMETERS,
    encode_explanation,
    implied,
    read_explanation,
    settled,
)
from xplain.formatters.cognite.shapes import INT64
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

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "decode", "encode", "sniff"]

INSTANCE = keep({"space": string, "externalId": string})

_ITEM_OF_REQUEST = keep(
    {"fileId": optional(INT64), "fileExternalId": optional(string), "fileInstanceId": optional(INSTANCE)}
)


def _requested(at: At) -> dict[str, Any]:
    found: dict[str, Any] = _ITEM_OF_REQUEST(at)
    if sum(name in found for name in ("fileId", "fileExternalId", "fileInstanceId")) != 1:
        raise at.rejected("an object with exactly one of fileId, fileExternalId, fileInstanceId")
    return found


_FEATURES = [f"{name[0].upper()}{name[1:]}Detection" for name in FEATURES]
REQUEST = keep(
    {
        "items": sized(array(_requested), 100, least=1),
        "features": sized(array(choice(*_FEATURES)), 3, least=1),
        "parameters": optional(PARAMETERS),
    }
)
ERROR = keep({"error": keep({"code": integer(), "message": string})})


CAPABILITIES = {
    "object-detection": Capabilities(
        source="image", regions=(Box, Polygon), unit="fraction", threshold=True, attributes=HELD
    )
}

#: Each status, and that of a file which has no predictions yet.
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
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_NUMBER = re.compile("0|[1-9][0-9]{0,17}")
_NO_REASON = "no reason given"
_IMAGE = "image"


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Cognite's."""
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


# Writing.


def encode(value: Value) -> dict[str, Any]:
    """Turn fitted results, or an explanation as the only item of some, into a job.

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
        value = Results("", (Item(_IMAGE, "successful", explanation=value),))
    own = dict(value.attributes.get(FORMAT, {}))
    explanations = [item.explanation for item in value.items if item.explanation is not None]
    files = _files(value)
    written = [(item, file) for item, file in zip(value.items, files, strict=True) if _is_written(item, value)]
    items = [file for item, file in written if item.status != "failed"]
    parameters = {**implied(explanations), **own.pop("parameters", {})}
    parameters = settled(parameters, (file.get("predictions", {}) for file in items))
    batches = [*_batches(written), *own.pop("failedItems", [])]
    status = own.pop("status", _unfinished(value.items))
    if value.finished:
        status = "Completed" if items else "Failed"
    document = {
        "status": status,
        **_times(value),
        "jobId": _file_id(value.job) or 0,
        **({} if value.error is None else {"errorMessage": value.error}),
        "items": items,
        **({"failedItems": batches} if batches else {}),
        **({"parameters": parameters} if parameters else {}),
    }
    return {**document, **{key: kept for key, kept in own.items() if key not in document}}


def _is_written(item: Item, results: Results) -> bool:
    """Whether an item can be told: in a finished job every file is done."""
    return item.status in ("successful", "failed") or not results.finished


def _unfinished(items: Iterable[Item]) -> str:
    """Give the status of a job that is not finished, if it is nothing special."""
    return "Running" if any(item.status != "waiting" for item in items) else "Queued"


def _times(results: Results) -> dict[str, int]:
    """Write the three times in their order; that of the start may be left out."""
    created = _milliseconds(results.submitted)
    started = max(created, _milliseconds(results.started))
    changed = max(started, _milliseconds(results.ended if results.finished else results.updated))
    known = results.started is not None or results.submitted is None
    return {"createdTime": created, **({"startTime": started} if known else {}), "statusTime": changed}


def _milliseconds(text: str | None) -> int:
    try:
        moment = datetime.fromisoformat(text or "")
        return 0 if moment.tzinfo is None else max(0, (moment - _EPOCH) // _MILLISECOND)
    except (ValueError, OverflowError):
        return 0


def _files(results: Results) -> list[dict[str, Any]]:
    """Write each item; of one that Cognite does not know, the number is negative and the name an external id."""
    files: list[dict[str, Any]] = []
    taken: set[int] = set()
    for index, item in enumerate(results.items):
        own = dict(item.attributes.get(FORMAT, {}))
        own.pop("batch", None)
        file_id = own.pop("fileId", _file_id(item.name))
        if file_id is None or file_id in taken:
            file_id = -index - 1
        taken.add(file_id)
        external = own.pop("fileExternalId", None if item.name == str(file_id) else item.name)
        file = {"fileId": file_id, **({} if external is None else {"fileExternalId": external})}
        if item.status == "successful":
            file["predictions"] = {} if item.explanation is None else encode_explanation(item.explanation)
        files.append({**file, **{key: kept for key, kept in own.items() if key not in file}})
    return files


def _file_id(name: str) -> int | None:
    return int(name) if _NUMBER.fullmatch(name) else None


def _batches(written: Iterable[tuple[Item, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Write failed items, those that failed together as one batch."""
    failed = [(item, file) for item, file in written if item.status == "failed"]
    groups = groupby(failed, lambda one: (one[0].error, one[0].attributes.get(FORMAT, {}).get("batch", 0)))
    return [{"errorMessage": error, "items": [file for _, file in group]} for (error, _), group in groups]


# Reading.


def _time(at: At) -> int:
    value = integer(0)(at)
    if value > _LAST:
        raise at.rejected("milliseconds since 1970 up to the year 9999")
    return value


def _moment(milliseconds: int | None) -> str | None:
    if not milliseconds:
        return None
    return (_EPOCH + milliseconds * _MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _named(file_id: int, external: str | None, rest: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name a file, and say what the name does not."""
    if external is None or _NUMBER.fullmatch(external):
        return str(file_id), rest if external is None else {**rest, "fileExternalId": external}
    return external, rest if file_id < 0 else {**rest, "fileId": file_id}


def _own(attributes: dict[str, Any]) -> dict[str, Any]:
    return {FORMAT: attributes} if attributes else {}


def read_item(job: At, parameters: dict[str, Any]) -> Reader[Item]:
    """Make a reader of a job's items, given what the job says besides."""
    status = job.value.get("status")
    before = _STATUSES.get(status) if isinstance(status, str) else None

    def make(file_id: int, external: str | None, explanation: Explanation | None, rest: dict[str, Any]) -> Item:
        name, own = _named(file_id, external, rest)
        done = "successful" if before is None or explanation is not None else before
        return Item(name, done, explanation=explanation, attributes=_own(own))

    predictions = read_explanation(parameters)
    return record(
        make,
        rest={},
        file_id=Field(INT64, "fileId"),
        external=nullable(string, key="fileExternalId"),
        explanation=Field(predictions, "predictions") if before is None else optional(predictions, key="predictions"),
    )


def _failed_file(file_id: int, external: str | None, rest: dict[str, Any]) -> Item:
    name, own = _named(file_id, external, rest)
    return Item(name, "failed", error=_NO_REASON, attributes=_own(own))


_BATCH: Reader[dict[str, Any]] = record(
    dict,
    error=optional(string, _NO_REASON, key="errorMessage"),
    files=optional(
        array(
            record(
                _failed_file,
                rest={"fileInstanceId": nullable(INSTANCE)},
                file_id=Field(INT64, "fileId"),
                external=nullable(string, key="fileExternalId"),
            )
        ),
        (),
        key="items",
    ),
)


def _failed(batches: tuple[dict[str, Any], ...]) -> list[Item]:
    """Give the items of failed batches; batches in a row with the same error are told apart by a number."""
    items: list[Item] = []
    before, same = None, 0
    for batch in (batch for batch in batches if batch["files"]):
        same = same + 1 if batch["error"] == before else 0
        before = batch["error"]
        for item in batch["files"]:
            own = {**item.attributes.get(FORMAT, {}), **({"batch": same} if same else {})}
            items.append(Item(item.name, "failed", error=before, attributes=_own(own)))
    return items


def read_parameters(job: At) -> dict[str, Any]:
    """Read a job's parameters; what is wrong with them is said when the job is read."""
    try:
        found: dict[str, Any] = optional(PARAMETERS, {})(job["parameters"])
        return found
    except Rejected:
        return {}


ITEMS = {
    "items": ItemLayout(lambda job: read_item(job, read_parameters(job))),
    "failedItems": ItemLayout(lambda job: lambda at: tuple(_failed((_BATCH(at),)))),
}


def _head(status: str, job: int, error: str | None, **times: Any) -> dict[str, Any]:
    finished = _STATUSES[status] is None
    return {"job": str(job), "finished": finished, "error": error, **_moments(finished, **times)}


_HEAD: dict[str, Reader[Any]] = {
    "status": choice(*_STATUSES),
    "created": Field(_time, "createdTime"),
    "started": nullable(_time, key="startTime"),
    "changed": Field(_time, "statusTime"),
}
HEAD: Reader[dict[str, Any]] = record(
    _head, rest=None, job=Field(INT64, "jobId"), error=nullable(string, key="errorMessage"), **_HEAD
)


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
        _check_items(status, items, batches)
        told = implied(item.explanation for item in items if item.explanation is not None)
        rest["parameters"] = {key: own for key, own in parameters.items() if told.get(key) != own}
        rest["failedItems"] = [{"errorMessage": batch["error"], "items": []} for batch in batches if not batch["files"]]
        whole = (*items, *_failed(batches))
        if not finished and status != _unfinished(whole):
            rest["status"] = status
        return Results(
            str(rest.pop("jobId")),
            whole,
            finished=finished,
            error=rest.pop("errorMessage", None),
            attributes=_own({key: kept for key, kept in rest.items() if kept}),
            **_moments(finished, **times),
        )

    read: Reader[Results] = record(
        make,
        rest={"jobId": INT64, "errorMessage": nullable(string), "parameters": optional(PARAMETERS)},
        **_HEAD,
        items=array(read_item(at, parameters)),
        batches=optional(array(_BATCH), (), key="failedItems"),
    )
    return read(at)


def _moments(finished: bool, created: int, started: int | None, changed: int) -> dict[str, Any]:
    if started is not None and started < created:
        raise DocumentError(f"must be at least createdTime, {created}, got {started}", path="$.startTime")
    before = "createdTime" if started is None else "startTime"
    if changed < (started or created):
        raise DocumentError(f"must be at least {before}, {started or created}, got {changed}", path="$.statusTime")
    name = "ended" if finished else "updated"
    return {"submitted": _moment(created), "started": _moment(started), name: _moment(changed)}


def _check_items(status: str, items: tuple[Item, ...], batches: tuple[dict[str, Any], ...]) -> None:
    if status == "Completed" and not items:
        raise DocumentError("must hold a file, since the job is Completed, got none", path="$.items")
    if status == "Failed" and items:
        raise DocumentError(f"must be empty, since the job is Failed, got {len(items)} files", path="$.items")
    places = [(f"$.items[{i}]", item) for i, item in enumerate(items)]
    places += [
        (f"$.failedItems[{i}].items[{k}]", item)
        for i, batch in enumerate(batches)
        for k, item in enumerate(batch["files"])
    ]
    seen: dict[tuple[str, Any], str] = {}
    for path, item in places:
        own = item.attributes.get(FORMAT, {})
        number = _file_id(item.name)
        external = own.get("fileExternalId", item.name if number is None else None)
        names = [("fileId", own.get("fileId", number)), ("fileExternalId", external)]
        for name in names:
            if name[1] is None:
                continue
            if name in seen:
                raise DocumentError(f"must be in a job once, got {name[1]!r} in {seen[name]} too", path=path)
            seen[name] = path


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
