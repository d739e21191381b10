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
Files that are not done stand in a key of ours, ``pendingItems``, each with our status of it. A failed job has an
``errorMessage``: what is said of the job or, where nothing is, of its files.

An item is named by the external id of its file, or by the file id if there is no external id or one that looks like a
file id. Files that Cognite does not know get negative file ids. Times are milliseconds since 1970 in UTC, 0 if unknown.
The time of the status is that of the end of a finished job, and of the last update of any other.

The reply to a request is a job whose items have no predictions; the ``features`` that it may name are kept. The request
itself and an error are records. The
predictions of one file are read by `xplain.formatters.cognite.predictions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from xplain import _check
from xplain.explanation import Box, Explanation, Item, Polygon, Record, Results
from xplain.formatters.cognite.jobs import (
    FEATURE_NAMES,
    HEAD,
    INSTANCE,
    ITEMS,
    OWN,
    encode_job,
    read_job,
)
from xplain.formatters.cognite.notes import notes
from xplain.formatters.cognite.predictions import (
    FEATURES,
    FORMAT,
    OBJECT_FEATURES,
    PARAMETERS,
    PREDICTION_ATTRIBUTES,
    read_explanation,
)
from xplain.formatters.cognite.shapes import int64
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import (
    Reader,
    array,
    choice,
    integer,
    keep,
    mapping,
    optional,
    sized,
    string,
)

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "OWN", "decode", "encode", "notes", "sniff"]

CAPABILITIES = {
    "object-detection": Capabilities(
        source="image", regions=(Box, Polygon), unit="fraction", threshold=True, attributes=PREDICTION_ATTRIBUTES
    )
}

# Limits of a request.
MAX_FILES = 100
MAX_FEATURES = 3

_DEFAULT_NAME = "image"

# Requests and errors, which are records.

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


REQUEST = keep(
    {
        "items": sized(array(_requested_file), MAX_FILES, least=1),
        "features": sized(array(choice(*FEATURE_NAMES)), MAX_FEATURES, least=1),
        "parameters": optional(PARAMETERS),
    }
)
ERROR = keep({"error": keep({"code": integer(), "message": string})})


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
    if "features" in fields and "jobId" not in fields:
        return Record(FORMAT, "request", REQUEST(at))
    if "error" in fields and "jobId" not in fields:
        return Record(FORMAT, "error", ERROR(at))
    if _is_predictions(fields):
        return read_explanation({})(at)
    return read_job(at)


def encode(value: Value, *, features: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Write fitted results, or an explanation as a job of one item, as a job.

    Parameters
    ----------
    value : Explanation, Results or Record
        What to write.
    features : mapping of str to str, optional
        Features for labels, as ``{"person": "people"}``: a detection that names no feature of its own is written in the
        list of that of its label; without one, in that of industrial objects.

    Returns
    -------
    dict
        The document, of JSON values only.
    """
    by_label = _check_features(features)
    if isinstance(value, Record):
        return value.fields
    if isinstance(value, Explanation):
        value = Results("", (Item(_DEFAULT_NAME, "successful", explanation=value),))
    if by_label:
        value = replace(value, items=tuple(_with_features(item, by_label) for item in value.items))
    return encode_job(value)


def _check_features(features: Mapping[str, str] | None) -> dict[str, str]:
    """Return the features of labels, each one whose entries need a label and a box alone."""
    named = {} if features is None else _check.mapping("features", features)
    return {
        label: _check.choice(f"features[{label!r}]", feature, tuple(OBJECT_FEATURES))
        for label, feature in named.items()
    }


def _with_features(item: Item, by_label: Mapping[str, str]) -> Item:
    if item.explanation is None:
        return item
    predictions = tuple(
        replace(prediction, attributes={**prediction.attributes, "feature": by_label[prediction.name]})
        if prediction.name in by_label and "feature" not in prediction.attributes
        else prediction
        for prediction in item.explanation.predictions
    )
    return replace(item, explanation=replace(item.explanation, predictions=predictions))
