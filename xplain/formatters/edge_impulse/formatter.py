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

A sample is an item, named by its file (a name that comes again gets the sample's number); the predictions of a window
carry its `Window`, and an image is one window without. The threshold is ``minimumConfidenceRating``, of which 0 is none
but for anomaly scores; the truth and the outcome of a window stand on its best prediction
(`xplain.explanation.outcomes`). Detections are boxes; the scores of a visual anomaly are a `Grid` that explains its
anomaly score. The figures of ``accuracy``, of grids and of detections with debug information are recomputed.

What is read, besides: pages of such results, the result of one sample, that of a device
(see `runner`), ``{"success": false, "error": ...}`` in place of any, and the importance of features,
a record. Everything else that a document says is kept in ``attributes["edge-impulse"]`` under the document's own keys;
in its arrays, elements go by their index (see `writing`). ``centroids`` there are those of detections
with debug information, which they are read from, see `figures`.

An explanation is written as the result of a job of one sample. It is accepted by the vendor's SDK of 1.71.0 and by
later ones; ``level="seed"`` leaves out what only later ones require.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.explanation import Box, Explanation, Grid, Item, Record, Results, Window
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import Reader, boolean, integer, mapping, nullable, problems, record, string
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
    fields,
    items,
)
from xplain.formatters.edge_impulse.figures import accuracy, check_accuracy
from xplain.formatters.edge_impulse.runner import RUNNER, read_runner, write_runner
from xplain.formatters.edge_impulse.samples import explain_sample, with_patch
from xplain.formatters.edge_impulse.writing import difference, merged, write_sample

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "decode", "encode", "sniff"]

Json = dict[str, Any]

_HELD = ("expected", "correct", "predicted", "block", "anomaly")
_IMAGE = Capabilities(
    source="image",
    evidence=(Grid,),
    explains="prediction",
    described=("name", "sha256", "height", "width"),
    regions=(Box,),
    threshold=True,
    attributes=_HELD,
)
CAPABILITIES = {
    "image-classification": _IMAGE,
    "object-detection": _IMAGE,
    "signal-classification": Capabilities(
        source="signal",
        described=("name", "sha256", "sample_rate_hz"),
        regions=(Window,),
        threshold=True,
        attributes=_HELD,
    ),
}

_LEVELS = ("seed", "current")
_NO_REASON = "no reason given"
_SAMPLE = "sample"
_RESPONSE = "response"
_IMPORTANCE = "feature-importance"
#: What a job says and a page does not.
_OF_JOBS = ("accuracy", "additionalMetricsByLearnBlock", "availableVariants")


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Edge Impulse's."""
    if not isinstance(document, dict) or not isinstance(document.get("success"), bool):
        return False
    known = ("result", "predictions", "classifications", "hasFeatureImportance")
    return document["success"] is False or any(key in document for key in known)


# Writing.


def encode(value: Value, *, level: str = "current") -> Json:
    """Turn fitted results, or an explanation as the only item of some, into the result of a job.

    Parameters
    ----------
    value : Explanation, Results or Record
        What to write. An explanation that was read from the result of one sample or of a device is written as such.
    level : {"current", "seed"}
        Whether fields are filled in that only releases of the vendor's SDK after 1.71.0 require.

    Returns
    -------
    dict
        The document, of JSON values only.
    """
    current = _check.choice("level", level, _LEVELS) == "current"
    if isinstance(value, Record):
        return value.fields
    if isinstance(value, Explanation):
        own = _own(value.attributes)
        if isinstance(own.get(RUNNER), dict):
            return write_runner(value)
        if isinstance(own.get(_RESPONSE), dict):
            return _write_response(value, current)
        value = Results("", (Item(_name(value), "successful", explanation=value),))
    own = _own(value.attributes)
    if value.error is not None:
        return merged({"success": False, "error": value.error}, own)
    return _write_job(value, own, current)


def _own(attributes: Json) -> Json:
    """Give what a document of this format said; whatever else stands there is none."""
    own = attributes.get(FORMAT)
    return dict(own) if isinstance(own, dict) else {}


def _name(explanation: Explanation) -> str:
    return _SAMPLE if explanation.source.name is None else explanation.source.name


def _write_job(results: Results, own: Json, current: bool) -> Json:
    page, order = own.pop("page", False), own.pop("order", None)
    samples, windows = [], {}
    for i, item in enumerate(results.items):
        if item.explanation is None or item.status != "successful":
            continue
        patch = _patch(item.explanation)
        number = _number(patch, i + 1)
        while number in windows:
            number += 1
        sample, own_windows = write_sample(item.explanation, item.name, number, patch=patch, current=current)
        if patch and not _readable(sample, own_windows):
            sample, own_windows = write_sample(item.explanation, item.name, number, patch={}, current=current)
        windows[number] = own_windows
        samples.append(sample)
    predictions = _in_order(windows, order)
    document: Json = {"success": True, "result": samples, "predictions": predictions}
    if page:
        document |= {"totalCount": results.total} if current else {}
    else:
        document |= _plain_job(predictions)
        if "accuracy" in own and not _follows(own["accuracy"], predictions, samples):
            del own["accuracy"]
    return merged(document, own)


def _readable(sample: Json, windows: list[Json]) -> bool:
    """Whether what a document said of a sample still goes with its values, which may have changed since."""
    at = At(sample)
    try:
        found, listed = MODEL_RESULT(at), PREDICTIONS(At(windows))
        at.build(explain_sample, at["classifications"], found, listed, [At(window) for window in windows])
    except Rejected:
        return False
    return True


def _follows(claimed: Any, predictions: list[Json], samples: list[Json]) -> bool:
    """Whether what a document said of the accuracy is still that of the predictions."""
    return not (problems(ACCURACY, claimed) or check_accuracy(At(claimed), claimed, predictions, samples))


def _number(patch: Json, default: int) -> int:
    number = patch.pop("sampleId", default)
    return number if type(number) is int else default


def _patch(explanation: Explanation) -> Json:
    """Give what a document said of a sample beyond its values, without what follows from them."""
    return {
        key: kept for key, kept in _own(explanation.attributes).items() if key not in ("centroids", RUNNER, _RESPONSE)
    }


def _plain_job(predictions: list[Json]) -> Json:
    known = [] if problems(PREDICTIONS, predictions) else predictions
    return {"accuracy": accuracy(known), "additionalMetricsByLearnBlock": [], "availableVariants": []}


def _in_order(windows: dict[int, list[Json]], order: Any) -> list[Json]:
    """List the windows of all samples, sample by sample or in the order of a document."""
    waiting = {number: iter(own) for number, own in windows.items()}
    numbers = [one for one in order if type(one) is int] if isinstance(order, list) else []
    listed = [one for number in numbers if number in waiting for one in _next(waiting[number])]
    return listed + [one for own in waiting.values() for one in own]


def _next(windows: Any) -> list[Json]:
    return [one for one in [next(windows, None)] if one is not None]


def _write_response(explanation: Explanation, current: bool) -> Json:
    patch = _patch(explanation)
    sample, _ = write_sample(explanation, _name(explanation), _number(patch, 1), patch=patch, current=current)
    plain = {"success": True, "classifications": sample["classifications"], _SAMPLE: {_SAMPLE: sample[_SAMPLE]}}
    return merged(plain, _own(explanation.attributes)[_RESPONSE])


# Reading.


def _named(name: str, number: int, taken: set[str]) -> str:
    """Name an item by its file; a name that comes again gets the sample's number."""
    while name in taken:
        name = f"{name} ({number})"
    taken.add(name)
    return name


def _read_job(at: At) -> Results:
    page = not any(key in at.value for key in _OF_JOBS)
    found = (PAGE if page else JOB)(at)
    samples, predictions = found.pop("result"), found.pop("predictions")
    windows = _by_sample(predictions)
    read: list[Item] = []
    wrong = _check_numbers(at, samples, predictions)
    taken: set[str] = set()
    for i, sample in enumerate(samples):
        own = windows.get(sample["sampleId"], [])
        place = at["result"][i]
        try:
            name = _named(sample[_SAMPLE]["filename"], sample["sampleId"], taken)
            read.append(_item(place, sample, [(predictions[k], at["predictions"][k]) for k in own], name, i + 1))
        except Rejected as rejected:
            wrong += rejected.problems
    if not page:
        wrong += check_accuracy(at["accuracy"], found["accuracy"], predictions, samples)
    total = found.pop("totalCount", len(samples))
    if total < len(samples):
        wrong.append(at["totalCount"].problem(f"at least {len(samples)}, the number of results"))
    if wrong:
        raise Rejected(wrong)
    plain = {"success": True} if page else {"success": True, **_plain_job(predictions)}
    rest = {**difference(found, plain), **_order(windows, samples, predictions), **({"page": True} if page else {})}
    return Results("", tuple(read), total=total, attributes={FORMAT: rest} if rest else {})


def _read_one(job: At) -> Reader[Item]:
    """Make a reader of the elements of a job's ``result``."""
    predictions = PREDICTIONS(job["predictions"])
    windows = _by_sample(predictions)
    taken: set[str] = set()

    def read(at: At) -> Item:
        sample = MODEL_RESULT(at)
        own = [(predictions[k], job["predictions"][k]) for k in windows.get(sample["sampleId"], [])]
        name = _named(sample[_SAMPLE]["filename"], sample["sampleId"], taken)
        return _item(at, sample, own, name, int(at.key) + 1)

    return read


ITEMS = {"result": ItemLayout(_read_one)}


_TOTAL: Reader[Json] = record(dict, total=nullable(integer(0), key="totalCount"))


def _head(at: At) -> Json:
    """Read what a job says besides its samples, but for what is compared with them."""
    own = {key: at.value[key] for key in _OF_JOBS[1:] if at.value.get(key)}
    return {"job": "", **_TOTAL(at), "attributes": {FORMAT: own} if own else {}}


HEAD: Reader[Json] = _head


def _by_sample(predictions: list[Json]) -> dict[int, list[int]]:
    windows: dict[int, list[int]] = {}
    for k, one in enumerate(predictions):
        windows.setdefault(one["sampleId"], []).append(k)
    return windows


def _item(at: At, found: Json, windows: list[tuple[Json, At]], name: str, number: int) -> Item:
    whole = {**found, "predictions": [window for window, _ in windows]}
    places = [place for _, place in windows]
    explanation: Explanation = at.build(explain_sample, at["classifications"], found, whole["predictions"], places)
    numbered = {} if found["sampleId"] == number else {"sampleId": found["sampleId"]}
    return Item(name, "successful", explanation=with_patch(explanation, whole, name, **numbered))


def _check_numbers(at: At, samples: list[Json], predictions: list[Json]) -> list[Problem]:
    """Check that samples and predictions can be joined by the sample's number."""
    wrong, seen = [], set()
    for i, sample in enumerate(samples):
        if sample["sampleId"] in seen:
            wrong.append(at["result"][i]["sampleId"].problem("that of one result only"))
        seen.add(sample["sampleId"])
    for k, one in enumerate(predictions if samples else ()):
        if one["sampleId"] not in seen:
            wrong.append(at["predictions"][k]["sampleId"].problem("that of one of the results"))
    return wrong


def _order(windows: dict[int, list[int]], samples: list[Json], predictions: list[Json]) -> Json:
    """Keep the predictions of samples that a document leaves out, or an order that is not that of the samples."""
    if not samples:
        return {"predictions": predictions} if predictions else {}
    actual = [one["sampleId"] for one in predictions]
    plain = [number for sample in samples for number in [sample["sampleId"]] * len(windows.get(sample["sampleId"], []))]
    return {} if actual == plain else {"order": actual}


_RESPONSE_FIELDS = fields(
    success=boolean,
    error=nullable(string),
    classifications=items(BLOCK),
    sample=RAW_SAMPLE,
    windowSizeMs=integer(0),
    windowIncreaseMs=integer(0),
    alreadyInDatabase=boolean,
    warning=nullable(string),
)


def _read_response(at: At) -> Explanation:
    """Read the result of one sample, with its readings."""
    found = _RESPONSE_FIELDS(at)
    blocks, raw = found.pop("classifications"), dict(found.pop(_SAMPLE))
    sample = raw.pop(_SAMPLE)
    step, size = found["windowIncreaseMs"], found["windowSizeMs"]
    windows = [{"startMs": i * step, "endMs": i * step + size} for i in range(_count(blocks))]
    whole = {"sampleId": sample["id"], _SAMPLE: sample, "classifications": blocks}
    explanation = at.build(explain_sample, at["classifications"], whole, windows, ())
    own = {**difference(found, {"success": True}), _SAMPLE: raw}
    numbered = {} if sample["id"] == 1 else {"sampleId": sample["id"]}
    content = _readings(raw["payload"]["values"]) if explanation.source.kind == "signal" else None
    explanation = replace(explanation, source=replace(explanation.source, content=content))
    return with_patch(explanation, whole, sample["filename"], **numbered, **{_RESPONSE: own})


def _readings(rows: list[list[float]]) -> npt.NDArray[np.float32] | None:
    """Turn rows with one number for each axis into (axes, time)."""
    if len({len(row) for row in rows}) != 1:
        return None
    with np.errstate(over="ignore"):
        return np.array(rows, np.float32).T


def _count(blocks: Iterable[Json]) -> int:
    keys = ("result", "structuredResult", "anomalyResult")
    return max((len(block.get(key, [])) for block in blocks for key in keys), default=0)


_ERROR = fields(success=boolean, error=nullable(string))


def _read_error(at: At) -> Results:
    found = _ERROR(at)
    rest = difference(found, {"success": False, "error": found.get("error", _NO_REASON)})
    return Results("", (), error=found.get("error", _NO_REASON), attributes={FORMAT: rest} if rest else {})


def decode(at: At) -> Explanation | Results | Record:
    """Read the result of a job, a page of it, that of one sample or of a device, an error or features' importance."""
    document = mapping(at)
    boolean(at["success"])
    if document["success"] is False:
        return _read_error(at)
    if "hasFeatureImportance" in document:
        return Record(FORMAT, _IMPORTANCE, IMPORTANCE(at))
    if "classifications" in document:
        return _read_response(at)
    job = document.get("result") and isinstance(document["result"], list)
    return _read_job(at) if job or any(key in document for key in ("predictions", *_OF_JOBS)) else read_runner(at)
