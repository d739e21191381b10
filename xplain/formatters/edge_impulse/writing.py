"""Explanations as Edge Impulse's samples, classifications and windows.

What the vendor requires and an explanation does not say is filled in neutrally: no signature, the epoch as every time,
``testing`` as the category, one learn block for each that the predictions tell apart (``block``), a threshold of 0,
zero for figures of detections whose truth is not known, "" or [] or 0 for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from xplain.explanation import Attribution, Box, Explanation, Grid, Prediction, Window
from xplain.explanation.outcomes import ANOMALY, UNCERTAIN, Outcome, choose, outcome
from xplain.formatters.core.wire import problems
from xplain.formatters.edge_impulse.fields import SAMPLE
from xplain.formatters.edge_impulse.figures import rectangle

#: What is compared inside; the rest differs as a whole, so that a patch shows it as a whole.
_ARRAYS = {"classifications", "predictions", "result", "structuredResult", "anomalyResult"}
_DEEP = {"sample", *_ARRAYS}
_MORE = "+"
#: What releases after 1.71.0 require. It is written for them, so an older document that lacks it says nothing by that.
_ADDED = {"datastreams", "thresholds", "intervalMs", "frequencyHz", "resultCount", "totalCount"}


def difference(found: Json, plain: Json) -> Json:
    """Return the patch that makes ``found`` of ``plain``.

    Examples
    --------
    >>> patch = difference({"label": "wave", "frequency": 62.5}, {"frequency": 62.5, "sensors": []})
    >>> patch
    {'label': 'wave', 'sensors': None}
    >>> merged({"frequency": 100.0, "sensors": []}, patch)
    {'frequency': 100.0, 'label': 'wave'}
    """
    patch: Json = {}
    for key in sorted(found):
        value, own = found[key], plain.get(key)
        if value == own:
            continue
        if key in _DEEP and isinstance(value, dict) and isinstance(own, dict):
            part = difference(value, own)
        elif key in _DEEP and isinstance(value, list) and isinstance(own, list) and len(value) >= len(own):
            both = enumerate(zip(value, own, strict=False))
            part = {str(i): inner for i, (one, other) in both if one != other and (inner := difference(one, other))}
            part |= {_MORE: value[len(own) :]} if len(value) > len(own) else {}
        else:
            patch[key] = value
            continue
        if part:
            patch[key] = part
    return patch | {key: None for key in sorted(plain) if key not in found and key not in _ADDED}


def merged(plain: Json, patch: Any) -> Json:
    """Return what a patch makes of ``plain``; what does not fit on it is left out."""
    whole = dict(plain)
    for key, value in (patch if isinstance(patch, dict) else {}).items():
        own = plain.get(key)
        if key in _DEEP and isinstance(own, dict):
            whole[key] = merged(own, value)
        elif key in _ARRAYS and isinstance(value, dict):
            if isinstance(own, list):
                whole[key] = _elements(own, value)
        else:
            whole[key] = value
    return {key: value for key, value in whole.items() if value is not None}


def _elements(plain: list[Any], patch: Json) -> list[Any]:
    more = patch.get(_MORE)
    return [merged(one, patch.get(str(i))) for i, one in enumerate(plain)] + (more if isinstance(more, list) else [])


Json = dict[str, Any]

DETECTION = "object-detection"
MAX_BLOCKS = 64
_EPOCH = "1970-01-01T00:00:00.000Z"


class _Cut:
    """The predictions of one window, by learn block: scores of the whole window, and boxes."""

    def __init__(self, region: Window | None) -> None:
        self.region = region
        self.scores: dict[tuple[int, str], Prediction] = {}
        self.boxes: dict[int, list[Prediction]] = {}


def _block(prediction: Prediction) -> int:
    number = prediction.attributes.get("block", 0)
    return number if type(number) is int and 0 < number < MAX_BLOCKS else 0


def _cuts(explanation: Explanation) -> list[_Cut]:
    """Cut predictions into windows: an image is one; in a signal a label that comes again begins another one."""
    image = explanation.source.kind == "image"
    cuts = [_Cut(None)] if image else []
    for prediction in explanation.predictions:
        region = prediction.region
        if isinstance(region, Box):
            if image:
                cuts[0].boxes.setdefault(_block(prediction), []).append(prediction)
            continue
        window = region if isinstance(region, Window) and not image else None
        key = (_block(prediction), prediction.name)
        if not image and (not cuts or window != cuts[-1].region or key in cuts[-1].scores):
            cuts.append(_Cut(window))
        cuts[-1].scores.setdefault(key, prediction)
    return cuts


def write_sample(
    explanation: Explanation, name: str, number: int, *, patch: Json, current: bool
) -> tuple[Json, list[Json]]:
    """Turn an explanation into what a job says of one sample, and of each of its windows.

    Parameters
    ----------
    explanation : Explanation
        What to write.
    name : str
        The sample's file name.
    number : int
        The sample's number.
    patch : dict
        What a document said beyond that.
    current : bool
        Whether what releases after 1.71.0 require is written too.
    """
    whole = merged(plain_sample(explanation, name, number, current=current), patch)
    if current and not problems(SAMPLE, whole["sample"]):
        sample = whole["sample"]
        sample["sensors"] = _numbered(sample["sensors"])
        sample.setdefault("datastreams", streams(sample))
    windows = whole.pop("predictions", [])
    return whole, windows if isinstance(windows, list) else []


def plain_sample(explanation: Explanation, name: str, number: int, *, current: bool = True) -> Json:
    """Write a sample and, as ``predictions``, its windows of the values alone."""
    cuts = _cuts(explanation)
    detection = explanation.task == DETECTION
    decided = [None if detection else choose(cut.scores.values()) for cut in cuts]
    found = [None if one is None else outcome(one) for one in decided]
    grids = _grids(explanation, cuts)
    used = [block for cut in cuts for block in (*(key[0] for key in cut.scores), *cut.boxes)]
    windows = [_write_window(cut, one, number, grids) for cut, one in zip(cuts, found, strict=True)]
    for cut, window, one in zip(cuts, windows, decided, strict=True):
        if one is not None and isinstance(one.attributes.get("correct"), bool):
            classes = {UNCERTAIN, *(name for _, name in cut.scores)}
            told = {window.get("label"), window["prediction"]} <= classes
            correct = window["prediction"] == window.get("label") if told else one.attributes["correct"]
            window["predictionCorrect"] = correct
    return {
        "sampleId": number,
        "sample": _write_sample(explanation, name, number, found),
        "classifications": [
            _write_block(explanation, cuts, found, block, grids.get(block), current)
            for block in range(1 + max(used, default=0))
        ],
        "predictions": windows,
    }


def _write_sample(explanation: Explanation, name: str, number: int, found: Sequence[Outcome | None]) -> Json:
    source = explanation.source
    rate = source.sample_rate_hz or 0.0
    interval = interval_of(rate)
    truths = {one.expected for one in found if one is not None and one.expected is not None}
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
    """Return milliseconds from a rate in Hz, or the other way around; 0 stands for none that is known."""
    interval = 1000 / rate if rate > 0 else 0.0
    return interval if interval < math.inf else 0.0


def _write_window(cut: _Cut, found: Outcome | None, number: int, grids: dict[int, Grid]) -> Json:
    """Write what is decided of a window; of detections, their labels."""
    region = cut.region or Window(0, 0)
    labels = dict.fromkeys(box.name for boxes in cut.boxes.values() for box in boxes)
    predicted = found.predicted if found is not None else ", ".join(labels) or "-"
    return {
        "sampleId": number,
        "startMs": region.start_ms,
        "endMs": region.end_ms,
        **({} if found is None or found.expected is None else {"label": found.expected}),
        "prediction": predicted,
        **({"anomalyScores": _numbers(next(iter(grids.values())))} if grids else {}),
    }


def _write_block(
    explanation: Explanation,
    cuts: Sequence[_Cut],
    found: Sequence[Outcome | None],
    block: int,
    grid: Grid | None,
    current: bool,
) -> Json:
    detection = explanation.task == DETECTION
    own = [[one for (k, _), one in cut.scores.items() if k == block] for cut in cuts]
    boxes = [one for cut in cuts for one in cut.boxes.get(block, [])]
    anomalous = [one for one in boxes if not detection or one.attributes.get("anomaly") is True]
    detected = [one for one in boxes if detection and one.attributes.get("anomaly") is not True]
    limits = [
        one.threshold for one in [*(one for window in own for one in window), *boxes] if one.threshold is not None
    ]
    kind = "keras-visual-anomaly" if grid is not None else "keras-object-detection" if detection else "keras"
    document: Json = {
        "learnBlock": {"id": block + 1, "type": kind, "name": "", "dsp": [], "title": ""},
        "result": [{one.name: one.score for one in window} for window in own],
        "minimumConfidenceRating": limits[0] if limits else 0.0,
        "expectedLabels": _expected(found),
    }
    if anomalous or grid is not None:
        document["anomalyResult"] = [_anomaly(explanation, anomalous, grid)]
    if detection and (detected or block == 0):
        document["structuredResult"] = [_structured(explanation, detected)]
    return document | (_additions(cuts) if current else {})


def _additions(cuts: Sequence[_Cut]) -> Json:
    """Write what releases after 1.71.0 require of a block; the interval is that between its windows."""
    starts = [cut.region.start_ms for cut in cuts if cut.region is not None]
    interval = starts[1] - starts[0] if len(starts) > 1 else 0.0
    interval = interval if 0 < interval < math.inf else 0.0
    return {
        "thresholds": [],
        "intervalMs": interval,
        "frequencyHz": interval_of(interval),
        "resultCount": len(cuts),
    }


def _expected(found: Sequence[Outcome | None]) -> list[Json]:
    """Write true labels as runs of windows, ends included."""
    runs: list[Json] = []
    for i, one in enumerate(found):
        if one is None or one.expected is None:
            continue
        if runs and runs[-1]["label"] == one.expected and runs[-1]["endIndex"] == i - 1:
            runs[-1]["endIndex"] = i
        else:
            runs.append({"startIndex": i, "endIndex": i, "label": one.expected})
    return runs


def _grids(explanation: Explanation, cuts: Sequence[_Cut]) -> dict[int, Grid]:
    """Find the grid of each block: one for the anomaly score of an image."""
    grids: dict[int, Grid] = {}
    if explanation.source.kind != "image":
        return grids
    for attribution in explanation.attributions:
        block = _block(attribution.target)
        if _is_anomaly_grid(attribution) and cuts[0].scores.get((block, ANOMALY)) == attribution.target:
            grids.setdefault(block, attribution.evidence)  # type: ignore[arg-type]
    return grids


def _is_anomaly_grid(attribution: Attribution) -> bool:
    return isinstance(attribution.evidence, Grid) and bool(attribution.evidence.values.size)


def _anomaly(explanation: Explanation, predictions: Sequence[Prediction], grid: Grid | None) -> Json:
    boxes = [(one.name, _in(one, "fraction", explanation), one.score) for one in predictions]
    document: Json = {
        "boxes": [
            {**dict(zip(("x", "y", "width", "height"), rectangle(box), strict=True)), "label": label, "score": score}
            for label, box, score in boxes
            if box is not None
        ]
    }
    if grid is not None:
        rows = _numbers(grid)
        flat = [value for row in rows for value in row]
        document |= {"scores": rows, "meanScore": sum(flat) / len(flat), "maxScore": max(flat)}
    return document


def _structured(explanation: Explanation, predictions: Sequence[Prediction]) -> Json:
    """Write detections, all in the unit of the first."""
    unit = predictions[0].region.unit if predictions and isinstance(predictions[0].region, Box) else "fraction"
    boxes = [(box, one) for one in predictions if (box := _in(one, unit, explanation)) is not None]
    return {
        "boxes": [rectangle(box) for box, _ in boxes],
        "labels": [one.name for _, one in boxes],
        "scores": [one.score for _, one in boxes],
        **dict.fromkeys(("mAP", "f1", "precision", "recall"), 0.0),
    }


def _in(prediction: Prediction, unit: Any, explanation: Explanation) -> Box | None:
    """Convert a prediction's box; None if the size of the image, which that takes, is not known."""
    box, source = prediction.region, explanation.source
    if not isinstance(box, Box) or box.unit == unit:
        return box if isinstance(box, Box) else None
    return box.to(unit, (source.height, source.width)) if source.height and source.width else None


def _numbers(grid: Grid) -> list[list[float]]:
    """Return a grid's scores as the shortest decimal numbers that are the same in float32."""
    return [[float(np.format_float_positional(value, unique=True)) for value in row] for row in grid.values]


def _numbered(sensors: list[Json]) -> list[Json]:
    """Number sensors in their order, where they have no number."""
    return [{**sensor, "index": sensor.get("index", i)} for i, sensor in enumerate(sensors)]


def streams(sample: Json) -> list[Json]:
    """Return the data streams of a sample that has one, which is what every sample has in older releases."""
    shared = {key: sample[key] for key in ("chartType", "intervalMs", "valuesCount")}
    shared["sensors"] = _numbered(sample["sensors"])
    size = {"imageDimensions": sample["imageDimensions"]} if "imageDimensions" in sample else {}
    return [
        {
            "index": 0,
            "frequencyHz": sample["frequency"],
            "totalLengthMs": sample.get("totalLengthMs", min(sample["valuesCount"], 2**53) * sample["intervalMs"]),
            **shared,
            **size,
        }
    ]
