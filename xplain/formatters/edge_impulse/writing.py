"""Explanations written as Edge Impulse's samples, and the patches with which documents round-trip.

A document holds more than an explanation does: sensors, devices, readings, names of blocks. So a reader writes its
explanation back from the values alone (`plain_sample`), and keeps the difference to the document as a patch
(`make_patch`) in ``attributes["edge-impulse"]``. On writing, the patch is applied again (`apply_patch`). A patch holds
only what differs, so values that were changed after reading are written as they are now.

Fields that the vendor requires and an explanation does not have are filled in neutrally: no signature, the epoch as
every time, ``testing`` as the category, one learn block for each that the predictions tell apart (``block``), a
threshold of 0, zero for figures of detections whose truth is not known, "" or [] or 0 for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xplain.explanation import Attribution, Box, Explanation, Grid, Prediction, Window
from xplain.explanation.outcomes import ANOMALY, UNCERTAIN, Outcome, choose, outcome
from xplain.explanation.regions import LengthUnit
from xplain.formatters.core.wire import problems
from xplain.formatters.edge_impulse.fields import SAMPLE, Json
from xplain.formatters.edge_impulse.figures import rectangle
from xplain.formatters.edge_impulse.outcomes import outcome_notes

DETECTION = "object-detection"

MAX_BLOCKS = 64
"""Most learn blocks of a sample: a block is written for each number up to the highest that predictions name."""

_EPOCH = "1970-01-01T00:00:00.000Z"
_SIDES = ("x", "y", "width", "height")

#: Arrays whose elements a patch changes one by one, by their index. Any other value is replaced as a whole.
_PATCHED_ARRAYS = {"classifications", "predictions", "result", "structuredResult", "anomalyResult"}
_PATCHED = {"sample", *_PATCHED_ARRAYS}
#: Key in the patch of an array for the elements to append.
_MORE = "+"
#: Fields required by releases after 1.71.0 only. A patch does not remove them: a document without them is just older.
_NEWLY_REQUIRED = {"datastreams", "thresholds", "intervalMs", "frequencyHz", "resultCount", "totalCount"}


# Samples.


def write_sample(
    explanation: Explanation, name: str, number: int, *, patch: Json, current: bool
) -> tuple[Json, list[Json]]:
    """Write an explanation as an element of a job's ``result``, and its windows as elements of ``predictions``.

    Parameters
    ----------
    explanation : Explanation
        What to write.
    name : str
        The sample's file name.
    number : int
        The sample's number.
    patch : dict
        The difference between the document that the explanation was read from and what its values give.
    current : bool
        Whether to fill in what releases after 1.71.0 require.
    """
    document = apply_patch(plain_sample(explanation, name, number, current=current), patch)
    if current and not problems(SAMPLE, document["sample"]):
        sample = document["sample"]
        sample["sensors"] = _number_sensors(sample["sensors"])
        sample.setdefault("datastreams", single_stream(sample))
    windows = document.pop("predictions", [])
    return document, windows if isinstance(windows, list) else []


def plain_sample(explanation: Explanation, name: str, number: int, *, current: bool = True) -> Json:
    """Write a sample from the values of an explanation alone; its windows stand under ``predictions``."""
    windows = _split_windows(explanation)
    if explanation.task == DETECTION:
        chosen: list[Prediction | None] = [None] * len(windows)
    else:
        chosen = [choose(window.scores.values(), outcome_notes) for window in windows]
    outcomes = [None if best is None else outcome(best, outcome_notes(best)) for best in chosen]
    grids = _grids(explanation, windows)
    blocks = [block for window in windows for block in window.blocks()]
    return {
        "sampleId": number,
        "sample": _write_sample(explanation, name, number, outcomes),
        "classifications": [
            _write_block(explanation, windows, outcomes, block, grids.get(block), current)
            for block in range(1 + max(blocks, default=0))
        ],
        "predictions": [
            _write_window(window, prediction, number, grids) for window, prediction in zip(windows, chosen, strict=True)
        ],
    }


@dataclass(slots=True)
class _WindowPredictions:
    """The predictions of one window, by number of the learn block."""

    region: Window | None
    #: Predictions of the whole window, by block and name.
    scores: dict[tuple[int, str], Prediction] = field(default_factory=dict)
    boxes: dict[int, list[Prediction]] = field(default_factory=dict)

    def blocks(self) -> set[int]:
        return {*(block for block, _ in self.scores), *self.boxes}

    def scores_of(self, block: int) -> list[Prediction]:
        return [prediction for (number, _), prediction in self.scores.items() if number == block]


def block_of(prediction: Prediction) -> int:
    """Return the number of the learn block that made a prediction."""
    number = prediction.attributes.get("block", 0)
    return number if type(number) is int and 0 < number < MAX_BLOCKS else 0


def _split_windows(explanation: Explanation) -> list[_WindowPredictions]:
    """Group predictions by window: an image is one; in a signal, a name that occurs again begins another one."""
    is_image = explanation.source.kind == "image"
    windows = [_WindowPredictions(None)] if is_image else []
    for prediction in explanation.predictions:
        block, region = block_of(prediction), prediction.region
        if isinstance(region, Box):
            if is_image:
                windows[0].boxes.setdefault(block, []).append(prediction)
            continue
        window = region if isinstance(region, Window) and not is_image else None
        key = (block, prediction.name)
        if not is_image and (not windows or window != windows[-1].region or key in windows[-1].scores):
            windows.append(_WindowPredictions(window))
        windows[-1].scores.setdefault(key, prediction)
    return windows


def _write_sample(explanation: Explanation, name: str, number: int, outcomes: Sequence[Outcome | None]) -> Json:
    source = explanation.source
    rate = source.sample_rate_hz or 0.0
    interval = interval_of(rate)
    truths = {decision.expected for decision in outcomes if decision is not None and decision.expected is not None}
    return {
        "id": number,
        "filename": name,
        "signatureValidate": False,
        "created": _EPOCH,
        "lastModified": _EPOCH,
        "category": "testing",
        "coldstorageFilename": "",
        "label": truths.pop() if len(truths) == 1 else "",
        "intervalMs": interval,
        "frequency": rate,
        "originalIntervalMs": interval,
        "originalFrequency": rate,
        "deviceType": "",
        "sensors": [],
        "valuesCount": 0,
        "added": _EPOCH,
        "boundingBoxes": [],
        "boundingBoxesType": "object_detection",
        "chartType": "image" if source.kind == "image" else "chart",
        "isDisabled": False,
        "isProcessing": False,
        "processingError": False,
        "isCropped": False,
        "projectId": 0,
        "sha256Hash": source.sha256 or "",
        **({} if source.height is None else {"imageDimensions": {"width": source.width, "height": source.height}}),
    }


def interval_of(rate: float) -> float:
    """Convert a rate in Hz to an interval in milliseconds, or back; 0 stands for unknown."""
    interval = 1000 / rate if rate > 0 else 0.0
    return interval if interval < math.inf else 0.0


def _number_sensors(sensors: list[Json]) -> list[Json]:
    """Give sensors without an index their position."""
    return [{**sensor, "index": sensor.get("index", i)} for i, sensor in enumerate(sensors)]


def single_stream(sample: Json) -> list[Json]:
    """Return the ``datastreams`` of a sample with a single one; every sample of an older release is that."""
    shared = {key: sample[key] for key in ("chartType", "intervalMs", "valuesCount")}
    shared["sensors"] = _number_sensors(sample["sensors"])
    size = {"imageDimensions": sample["imageDimensions"]} if "imageDimensions" in sample else {}
    values = min(sample["valuesCount"], 2**53)  # a count with more digits may overflow a float
    return [
        {
            "index": 0,
            "frequencyHz": sample["frequency"],
            "totalLengthMs": sample.get("totalLengthMs", values * sample["intervalMs"]),
            **shared,
            **size,
        }
    ]


# Windows.


def _write_window(window: _WindowPredictions, chosen: Prediction | None, number: int, grids: dict[int, Grid]) -> Json:
    """Write the decision for a window; of detections, the labels of all boxes."""
    region = window.region or Window(0, 0)
    decision = None if chosen is None else outcome(chosen, outcome_notes(chosen))
    labels = dict.fromkeys(box.name for boxes in window.boxes.values() for box in boxes)
    document: Json = {"sampleId": number, "startMs": region.start_ms, "endMs": region.end_ms}
    if decision is not None and decision.expected is not None:
        document["label"] = decision.expected
    document["prediction"] = decision.predicted if decision is not None else ", ".join(labels) or "-"
    if grids:
        document["anomalyScores"] = _grid_rows(next(iter(grids.values())))
    verdict = None if chosen is None else outcome_notes(chosen).correct
    if verdict is not None:
        document["predictionCorrect"] = _is_correct(document, window, verdict)
    return document


def _is_correct(document: Json, window: _WindowPredictions, verdict: bool) -> bool:
    """Compare label and prediction if both are classes of the window; else keep the verdict."""
    classes = {UNCERTAIN, *(name for _, name in window.scores)}
    if {document.get("label"), document["prediction"]} <= classes:
        return bool(document["prediction"] == document.get("label"))
    return verdict


# Learn blocks.


def _write_block(
    explanation: Explanation,
    windows: Sequence[_WindowPredictions],
    outcomes: Sequence[Outcome | None],
    block: int,
    grid: Grid | None,
    current: bool,
) -> Json:
    """Write the results of one learn block for all windows."""
    scores = [window.scores_of(block) for window in windows]
    boxes = [box for window in windows for box in window.boxes.get(block, [])]
    is_detection = explanation.task == DETECTION
    anomalies = [box for box in boxes if not is_detection or _is_anomaly(box)]
    detections = [box for box in boxes if is_detection and not _is_anomaly(box)]
    document: Json = {
        "learnBlock": {"id": block + 1, "type": _block_type(explanation, grid), "name": "", "dsp": [], "title": ""},
        "result": [{prediction.name: prediction.score for prediction in predictions} for predictions in scores],
        "minimumConfidenceRating": _first_threshold([*(p for predictions in scores for p in predictions), *boxes]),
        "expectedLabels": _expected_labels(outcomes),
    }
    if anomalies or grid is not None:
        document["anomalyResult"] = [_write_anomalies(explanation, anomalies, grid)]
    if is_detection and (detections or block == 0):
        document["structuredResult"] = [_write_detections(explanation, detections)]
    return document | (_newly_required(windows) if current else {})


def _is_anomaly(box: Prediction) -> bool:
    return outcome_notes(box).anomaly


def _block_type(explanation: Explanation, grid: Grid | None) -> str:
    if grid is not None:
        return "keras-visual-anomaly"
    return "keras-object-detection" if explanation.task == DETECTION else "keras"


def _first_threshold(predictions: Iterable[Prediction]) -> float:
    """Return the threshold of the first prediction that has one: a learn block has only one."""
    return next((prediction.threshold for prediction in predictions if prediction.threshold is not None), 0.0)


def _newly_required(windows: Sequence[_WindowPredictions]) -> Json:
    """Return the fields of a block that releases after 1.71.0 require; the interval is that between windows."""
    starts = [window.region.start_ms for window in windows if window.region is not None]
    interval = starts[1] - starts[0] if len(starts) > 1 else 0.0
    interval = interval if 0 < interval < math.inf else 0.0
    return {
        "thresholds": [],
        "intervalMs": interval,
        "frequencyHz": interval_of(interval),
        "resultCount": len(windows),
    }


def _expected_labels(outcomes: Sequence[Outcome | None]) -> list[Json]:
    """Write true labels as runs of windows, ends included."""
    runs: list[Json] = []
    for i, decision in enumerate(outcomes):
        if decision is None or decision.expected is None:
            continue
        if runs and runs[-1]["label"] == decision.expected and runs[-1]["endIndex"] == i - 1:
            runs[-1]["endIndex"] = i
        else:
            runs.append({"startIndex": i, "endIndex": i, "label": decision.expected})
    return runs


def _write_anomalies(explanation: Explanation, predictions: Sequence[Prediction], grid: Grid | None) -> Json:
    boxes = [(prediction, _box_in(prediction, "fraction", explanation)) for prediction in predictions]
    document: Json = {
        "boxes": [
            {
                **dict(zip(_SIDES, rectangle(box), strict=True)),
                "label": prediction.name,
                "score": prediction.score,
            }
            for prediction, box in boxes
            if box is not None
        ]
    }
    if grid is not None:
        rows = _grid_rows(grid)
        values = [value for row in rows for value in row]
        document |= {"scores": rows, "meanScore": sum(values) / len(values), "maxScore": max(values)}
    return document


def _write_detections(explanation: Explanation, predictions: Sequence[Prediction]) -> Json:
    """Write detections, all in the unit of the first: a document tells the unit by its numbers."""
    first = predictions[0].region if predictions else None
    unit = first.unit if isinstance(first, Box) else "fraction"
    boxes = [
        (prediction, box) for prediction in predictions if (box := _box_in(prediction, unit, explanation)) is not None
    ]
    return {
        "boxes": [rectangle(box) for _, box in boxes],
        "labels": [prediction.name for prediction, _ in boxes],
        "scores": [prediction.score for prediction, _ in boxes],
        **dict.fromkeys(("mAP", "f1", "precision", "recall"), 0.0),
    }


def _box_in(prediction: Prediction, unit: LengthUnit, explanation: Explanation) -> Box | None:
    """Return a prediction's box in a unit; None if converting takes the size of the image and that is not known."""
    box, source = prediction.region, explanation.source
    if not isinstance(box, Box) or box.unit == unit:
        return box if isinstance(box, Box) else None
    return box.to(unit, (source.height, source.width)) if source.height and source.width else None


# Grids.


def _grids(explanation: Explanation, windows: Sequence[_WindowPredictions]) -> dict[int, Grid]:
    """Return the grid of each block: the first that explains the anomaly score of an image."""
    grids: dict[int, Grid] = {}
    if explanation.source.kind != "image":
        return grids
    for attribution in explanation.attributions:
        block = block_of(attribution.target)
        if _has_grid(attribution) and windows[0].scores.get((block, ANOMALY)) == attribution.target:
            grids.setdefault(block, attribution.evidence)  # type: ignore[arg-type]
    return grids


def _has_grid(attribution: Attribution) -> bool:
    return isinstance(attribution.evidence, Grid) and bool(attribution.evidence.values.size)


def _grid_rows(grid: Grid) -> list[list[float]]:
    """Return the scores of a grid as the shortest decimal numbers that are the same in float32."""
    return [[float(np.format_float_positional(value, unique=True)) for value in row] for row in grid.values]


# Patches.


def make_patch(document: Json, plain: Json) -> Json:
    """Return the patch that turns ``plain`` into ``document``: changed fields, and None for those to remove.

    Examples
    --------
    >>> patch = make_patch({"label": "wave", "frequency": 62.5}, {"frequency": 62.5, "sensors": []})
    >>> patch
    {'label': 'wave', 'sensors': None}
    >>> apply_patch({"frequency": 100.0, "sensors": []}, patch)
    {'frequency': 100.0, 'label': 'wave'}
    """
    patch: Json = {}
    for key in sorted(document):
        value, base = document[key], plain.get(key)
        if value == base:
            continue
        if key in _PATCHED and isinstance(value, dict) and isinstance(base, dict):
            changes = make_patch(value, base)
        elif key in _PATCHED and isinstance(value, list) and isinstance(base, list) and len(value) >= len(base):
            changes = _make_array_patch(value, base)
        else:
            patch[key] = value
            continue
        if changes:
            patch[key] = changes
    return patch | {key: None for key in sorted(plain) if key not in document and key not in _NEWLY_REQUIRED}


def _make_array_patch(values: list[Json], bases: list[Json]) -> Json:
    patch: Json = {}
    for i, (value, base) in enumerate(zip(values, bases, strict=False)):
        if value != base and (changes := make_patch(value, base)):
            patch[str(i)] = changes
    if len(values) > len(bases):
        patch[_MORE] = values[len(bases) :]
    return patch


def apply_patch(plain: Json, patch: Any) -> Json:
    """Return what a patch makes of ``plain``; parts of the patch that do not fit it are ignored."""
    document = dict(plain)
    for key, change in (patch if isinstance(patch, dict) else {}).items():
        base = plain.get(key)
        if key in _PATCHED and isinstance(base, dict):
            document[key] = apply_patch(base, change)
        elif key in _PATCHED_ARRAYS and isinstance(change, dict):
            if isinstance(base, list):
                document[key] = _apply_array_patch(base, change)
        else:
            document[key] = change
    return {key: value for key, value in document.items() if value is not None}


def _apply_array_patch(bases: list[Any], patch: Json) -> list[Any]:
    more = patch.get(_MORE)
    patched = [apply_patch(base, patch.get(str(i))) for i, base in enumerate(bases)]
    return patched + (more if isinstance(more, list) else [])
