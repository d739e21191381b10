"""Edge Impulse: results of classifying the samples of a project, and of a device.

::

    {"success": true,
     "result": [{"sampleId": 7, "sample": {"filename": "wave.1.cbor", "frequency": 62.5, ...},
                 "classifications": [{"learnBlock": {"id": 3, "type": "keras", ...},
                                      "result": [{"idle": 0.02, "wave": 0.98}, ...one for each window...],
                                      "minimumConfidenceRating": 0.6,
                                      "expectedLabels": [{"startIndex": 0, "endIndex": 1, "label": "wave"}]}]}],
     "predictions": [{"sampleId": 7, "startMs": 0, "endMs": 2000, "label": "wave", "prediction": "wave",
                      "predictionCorrect": true}, ...one for each window of each sample...],
     "accuracy": {"totalSummary": {"good": 2, "bad": 0}, "accuracyScore": 100.0, ...},
     "additionalMetricsByLearnBlock": [...], "availableVariants": ["int8", "float32"]}

A sample is an item, named by its file (a name that occurs again gets the sample's number). The predictions of a window
have its `Window` as their region; an image is a single window without a region. The threshold is
``minimumConfidenceRating``, where 0 means none except for anomaly scores. The truth and the outcome of a window are
attributes of its best prediction (`xplain.explanation.outcomes`). Detections are boxes; the scores of a visual anomaly
are a `Grid` that explains its anomaly score. The figures of ``accuracy``, of grids and of detections with debug
information are recomputed.

Besides jobs, these are read: pages of results, the result of one sample, that of a device (see `runner`),
``{"success": false, "error": ...}`` instead of any of them, and the importance of features (as a record).

What else a document holds is kept as a patch in ``attributes["edge-impulse"]`` (see `writing`), together with the
``centroids`` of detections that have debug information (see `figures`).

An explanation is written as the result of a job of one sample, which the vendor's SDK accepts from 1.71.0 on;
``level="seed"`` leaves out what only releases after 1.71.0 require.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.explanation import Box, Explanation, Grid, Item, Record, Results, Window
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import Reader, boolean, integer, mapping, nullable, record, string
from xplain.formatters.edge_impulse.fields import (
    ACCURACY,
    BLOCK,
    FORMAT,
    IMPORTANCE,
    JOB,
    MODEL_RESULT,
    PAGE,
    PREDICTIONS,
    RAW_SAMPLE,
    Json,
    fields,
    list_of,
)
from xplain.formatters.edge_impulse.figures import accuracy, check_accuracy
from xplain.formatters.edge_impulse.notes import notes
from xplain.formatters.edge_impulse.runner import RUNNER, read_runner, write_runner
from xplain.formatters.edge_impulse.samples import explain_sample, with_extras
from xplain.formatters.edge_impulse.writing import apply_patch, make_patch, write_sample

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "decode", "encode", "notes", "sniff"]

T = TypeVar("T")

_ATTRIBUTES = ("expected", "correct", "predicted", "block", "anomaly")
_IMAGE = Capabilities(
    source="image",
    evidence=(Grid,),
    explains="prediction",
    described=("name", "sha256", "height", "width"),
    regions=(Box,),
    threshold=True,
    attributes=_ATTRIBUTES,
)
CAPABILITIES = {
    "image-classification": _IMAGE,
    "object-detection": _IMAGE,
    "signal-classification": Capabilities(
        source="signal",
        described=("name", "sha256", "sample_rate_hz"),
        regions=(Window,),
        threshold=True,
        attributes=_ATTRIBUTES,
    ),
}

_LEVELS = ("seed", "current")
_NO_REASON = "no reason given"
_SAMPLE = "sample"
#: Key of our attributes for the extras of the result of one sample, which tell that an explanation was read from one.
_RESPONSE = "response"
_IMPORTANCE = "feature-importance"
#: Fields that a job has and a page has not.
_JOB_FIELDS = ("accuracy", "additionalMetricsByLearnBlock", "availableVariants")


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Edge Impulse's."""
    if not isinstance(document, dict) or not isinstance(document.get("success"), bool):
        return False
    keys = ("result", "predictions", "classifications", "hasFeatureImportance")
    return document["success"] is False or any(key in document for key in keys)


# Writing.


def encode(value: Value, *, level: str = "current") -> Json:
    """Turn fitted results, or an explanation as their only item, into the result of a job.

    Parameters
    ----------
    value : Explanation, Results or Record
        What to write. An explanation that was read from the result of one sample or of a device is written as such.
    level : {"current", "seed"}
        Whether to fill in the fields that only releases of the vendor's SDK after 1.71.0 require.

    Returns
    -------
    dict
        The document, of JSON values only.
    """
    current = _check.choice("level", level, _LEVELS) == "current"
    if isinstance(value, Record):
        return value.fields
    if isinstance(value, Explanation):
        extras = extras_of(value.attributes, FORMAT)
        if isinstance(extras.get(RUNNER), dict):
            return write_runner(value)
        if isinstance(extras.get(_RESPONSE), dict):
            return _write_response(value, current)
        value = Results("", (Item(_sample_name(value), "successful", explanation=value),))
    extras = extras_of(value.attributes, FORMAT)
    if value.error is not None:
        return apply_patch({"success": False, "error": value.error}, extras)
    return _write_job(value, extras, current)


def _sample_name(explanation: Explanation) -> str:
    return _SAMPLE if explanation.source.name is None else explanation.source.name


def _write_job(results: Results, extras: Json, current: bool) -> Json:
    is_page, order = extras.pop("page", False), extras.pop("order", None)
    samples: list[Json] = []
    windows: dict[int, list[Json]] = {}
    for i, item in enumerate(results.items):
        if item.explanation is None or item.status != "successful":
            continue
        patch = _sample_patch(item.explanation)
        number = _pop_number(patch, i + 1)
        while number in windows:
            number += 1
        sample, windows[number] = _write_item(item.explanation, item.name, number, patch, current)
        samples.append(sample)
    predictions = _in_order(windows, order)
    document: Json = {"success": True, "result": samples, "predictions": predictions}
    if is_page:
        document |= {"totalCount": results.total} if current else {}
    else:
        written = _read_or_none(PREDICTIONS, predictions)
        document |= _plain_job(written or [])
        if "accuracy" in extras and not _is_current(extras["accuracy"], written, samples):
            del extras["accuracy"]
    return apply_patch(document, extras)


def _write_item(
    explanation: Explanation, name: str, number: int, patch: Json, current: bool
) -> tuple[Json, list[Json]]:
    """Write a sample and its windows; without the patch, if it no longer goes with values that have changed."""
    sample, windows = write_sample(explanation, name, number, patch=patch, current=current)
    if patch and not _is_readable(sample, windows):
        return write_sample(explanation, name, number, patch={}, current=current)
    return sample, windows


def _is_readable(sample: Json, windows: list[Json]) -> bool:
    at = At(sample)
    try:
        document, decisions = MODEL_RESULT(at), PREDICTIONS(At(windows))
        at.build(explain_sample, at["classifications"], document, decisions, [At(window) for window in windows])
    except Rejected:
        return False
    return True


def _is_current(claimed: Any, predictions: list[Json] | None, samples: list[Json]) -> bool:
    """Whether the accuracy that a document claimed is still that of the predictions."""
    figures = _read_or_none(ACCURACY, claimed)
    if figures is None or predictions is None:
        return False
    return not check_accuracy(At(claimed), figures, predictions, samples)


def _read_or_none(reader: Reader[T], value: Any) -> T | None:
    """Read what may have come from a patch, which may hold anything; None if the reader refuses it."""
    try:
        return reader(At(value))
    except Rejected:
        return None


def _sample_patch(explanation: Explanation) -> Json:
    """Return the patch of a sample: its extras, without those that stand beside the patch."""
    others = ("centroids", RUNNER, _RESPONSE)
    return {key: change for key, change in extras_of(explanation.attributes, FORMAT).items() if key not in others}


def _pop_number(patch: Json, default: int) -> int:
    number = patch.pop("sampleId", default)
    return number if type(number) is int else default


def _plain_job(predictions: list[Json]) -> Json:
    """Return the fields of a job that follow from its predictions, or are empty."""
    return {"accuracy": accuracy(predictions), "additionalMetricsByLearnBlock": [], "availableVariants": []}


def _in_order(windows: dict[int, list[Json]], order: Any) -> list[Json]:
    """List the windows of all samples: in the order of a document, then those left, sample by sample.

    The order is a list of sample numbers, one for each window.
    """
    waiting = {number: iter(sample_windows) for number, sample_windows in windows.items()}
    numbers = [number for number in order if type(number) is int] if isinstance(order, list) else []
    ordered = [window for number in numbers if number in waiting for window in _take(waiting[number])]
    return ordered + [window for remaining in waiting.values() for window in remaining]


def _take(windows: Iterator[Json]) -> list[Json]:
    """Return the next window, if there is one."""
    return list(itertools.islice(windows, 1))


def _write_response(explanation: Explanation, current: bool) -> Json:
    """Write the result of one sample."""
    patch = _sample_patch(explanation)
    number = _pop_number(patch, 1)
    sample, _ = write_sample(explanation, _sample_name(explanation), number, patch=patch, current=current)
    plain = {"success": True, "classifications": sample.get("classifications"), _SAMPLE: {_SAMPLE: sample[_SAMPLE]}}
    return apply_patch(plain, extras_of(explanation.attributes, FORMAT)[_RESPONSE])


# Reading jobs and pages.


def _read_job(at: At) -> Results:
    is_page = not any(key in at.value for key in _JOB_FIELDS)
    document = (PAGE if is_page else JOB)(at)
    samples, predictions = document.pop("result"), document.pop("predictions")
    windows = _by_sample(predictions)
    items: list[Item] = []
    wrong = _check_numbers(at, samples, predictions)
    names: set[str] = set()
    for i, sample in enumerate(samples):
        sample_windows = [(predictions[k], at["predictions"][k]) for k in windows.get(sample["sampleId"], [])]
        try:
            name = _unique_name(sample, names)
            items.append(_make_item(at["result"][i], sample, sample_windows, name, i + 1))
        except Rejected as rejected:
            wrong += rejected.problems
    if not is_page:
        wrong += check_accuracy(at["accuracy"], document["accuracy"], predictions, samples)
    total = document.pop("totalCount", len(samples))
    if total < len(samples):
        wrong.append(at["totalCount"].problem(f"at least {len(samples)}, the number of results"))
    if wrong:
        raise Rejected(wrong)
    plain = {"success": True} if is_page else {"success": True, **_plain_job(predictions)}
    extras = make_patch(document, plain) | _prediction_extras(windows, samples, predictions)
    if is_page:
        extras["page"] = True
    return Results("", tuple(items), total=total, attributes=attributes_of(extras, FORMAT))


def _item_reader(job: At) -> Reader[Item]:
    """Make the reader of the elements of a job's ``result``."""
    predictions = PREDICTIONS(job["predictions"])
    windows = _by_sample(predictions)
    names: set[str] = set()

    def read(at: At) -> Item:
        sample = MODEL_RESULT(at)
        sample_windows = [(predictions[k], job["predictions"][k]) for k in windows.get(sample["sampleId"], [])]
        return _make_item(at, sample, sample_windows, _unique_name(sample, names), int(at.key) + 1)

    return read


ITEMS = {"result": ItemLayout(_item_reader)}

_TOTAL: Reader[Json] = record(dict, total=nullable(integer(0), key="totalCount"))


def _read_head(at: At) -> Json:
    # The accuracy follows from the samples, which are not at hand here.
    extras = {key: at.value[key] for key in _JOB_FIELDS[1:] if at.value.get(key)}
    return {"job": "", **_TOTAL(at), "attributes": attributes_of(extras, FORMAT)}


HEAD: Reader[Json] = _read_head


def _by_sample(predictions: list[Json]) -> dict[int, list[int]]:
    """Return the positions of each sample's predictions, by its number."""
    positions: dict[int, list[int]] = {}
    for k, prediction in enumerate(predictions):
        positions.setdefault(prediction["sampleId"], []).append(k)
    return positions


def _unique_name(sample: Json, names: set[str]) -> str:
    """Name an item by its sample's file; a name that occurs again gets the sample's number."""
    name: str = sample[_SAMPLE]["filename"]
    while name in names:
        name = f"{name} ({sample['sampleId']})"
    names.add(name)
    return name


def _make_item(at: At, sample: Json, windows: list[tuple[Json, At]], name: str, position: int) -> Item:
    """Make the item of a sample, from its windows and their places; the position counts from 1."""
    decisions = [decision for decision, _ in windows]
    places = [place for _, place in windows]
    explanation: Explanation = at.build(explain_sample, at["classifications"], sample, decisions, places)
    number = {} if sample["sampleId"] == position else {"sampleId": sample["sampleId"]}
    document = {**sample, "predictions": decisions}
    return Item(name, "successful", explanation=with_extras(explanation, document, name, **number))


def _check_numbers(at: At, samples: list[Json], predictions: list[Json]) -> list[Problem]:
    """Check that samples and predictions can be joined by the sample's number."""
    wrong: list[Problem] = []
    numbers = set()
    for i, sample in enumerate(samples):
        if sample["sampleId"] in numbers:
            wrong.append(at["result"][i]["sampleId"].problem("that of one result only"))
        numbers.add(sample["sampleId"])
    for k, prediction in enumerate(predictions if samples else ()):
        if prediction["sampleId"] not in numbers:
            wrong.append(at["predictions"][k]["sampleId"].problem("that of one of the results"))
    return wrong


def _prediction_extras(windows: dict[int, list[int]], samples: list[Json], predictions: list[Json]) -> Json:
    """Return the predictions themselves if their samples are left out, or else their order if it is not by sample."""
    if not samples:
        return {"predictions": predictions} if predictions else {}
    actual = [prediction["sampleId"] for prediction in predictions]
    by_sample = [
        number for sample in samples for number in [sample["sampleId"]] * len(windows.get(sample["sampleId"], []))
    ]
    return {} if actual == by_sample else {"order": actual}


# Reading other documents.

_RESPONSE_FIELDS = fields(
    success=boolean,
    error=nullable(string),
    classifications=list_of(BLOCK),
    sample=RAW_SAMPLE,
    windowSizeMs=integer(0),
    windowIncreaseMs=integer(0),
    alreadyInDatabase=boolean,
    warning=nullable(string),
)
_ERROR_FIELDS = fields(success=boolean, error=nullable(string))


def _read_response(at: At) -> Explanation:
    """Read the result of one sample, with its raw readings."""
    document = _RESPONSE_FIELDS(at)
    blocks, raw_sample = document.pop("classifications"), dict(document.pop(_SAMPLE))
    sample = raw_sample.pop(_SAMPLE)
    step, size = document["windowIncreaseMs"], document["windowSizeMs"]
    windows = [{"startMs": i * step, "endMs": i * step + size} for i in range(_count_windows(blocks))]
    model_result = {"sampleId": sample["id"], _SAMPLE: sample, "classifications": blocks}
    explanation: Explanation = at.build(explain_sample, at["classifications"], model_result, windows, ())
    if explanation.source.kind == "signal":
        content = _signal(raw_sample["payload"]["values"])
        explanation = replace(explanation, source=replace(explanation.source, content=content))
    number = {} if sample["id"] == 1 else {"sampleId": sample["id"]}
    extras = {**make_patch(document, {"success": True}), _SAMPLE: raw_sample}
    return with_extras(explanation, model_result, sample["filename"], **number, **{_RESPONSE: extras})


def _signal(rows: list[list[float]]) -> npt.NDArray[np.float32] | None:
    """Turn readings, which are rows with one number for each axis, into (axes, time); None if rows differ in length."""
    if len({len(row) for row in rows}) != 1:
        return None
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinity
        return np.array(rows, np.float32).T


def _count_windows(blocks: Iterable[Json]) -> int:
    keys = ("result", "structuredResult", "anomalyResult")
    return max((len(block.get(key, [])) for block in blocks for key in keys), default=0)


def _read_error(at: At) -> Results:
    document = _ERROR_FIELDS(at)
    error = document.get("error", _NO_REASON)
    extras = make_patch(document, {"success": False, "error": error})
    return Results("", (), error=error, attributes=attributes_of(extras, FORMAT))


def decode(at: At) -> Explanation | Results | Record:
    """Read a job, a page of it, the result of one sample or of a device, an error, or the importance of features."""
    document = mapping(at)
    boolean(at["success"])
    if document["success"] is False:
        return _read_error(at)
    if "hasFeatureImportance" in document:
        return Record(FORMAT, _IMPORTANCE, IMPORTANCE(at))
    if "classifications" in document:
        return _read_response(at)
    has_results = document.get("result") and isinstance(document["result"], list)
    if has_results or any(key in document for key in ("predictions", *_JOB_FIELDS)):
        return _read_job(at)
    return read_runner(at)
