"""Explanations written as Edge Impulse's samples.

Fields that the vendor requires and an explanation does not have are filled in neutrally: no signature, the epoch as
every time, ``testing`` as the category, one learn block for each that the predictions tell apart (``block``), a
threshold of 0, "" or [] or 0 for the rest. The axes, the length and the rate of a signal are those of its source.

Figures of detections need the objects that are really there (``sample.boundingBoxes``). Where these are known, the
detections stand in ``structuredResult``, with figures; else in ``details``, which needs none. Scores beyond 0..1 are
those of a regression.
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
from xplain.formatters.edge_impulse.detections import FIGURES, Found, agreement
from xplain.formatters.edge_impulse.fields import SAMPLE, TRUTHS, Json, is_confidence
from xplain.formatters.edge_impulse.figures import rectangle
from xplain.formatters.edge_impulse.outcomes import outcome_notes
from xplain.formatters.edge_impulse.patches import apply_patch

DETECTION = "object-detection"

LABEL_NAMES = "labelNames"
"""Our key in ``details`` for the label of each box, which the vendor gives as a number."""

MAX_BLOCKS = 64
"""Most learn blocks of a sample: a block is written for each number up to the highest that predictions name."""

STRUCTURED = "structured"
"""Key of our attributes that says: the objects of an image are known, and there are none."""

_IMAGE_SENSOR = {"name": "image", "units": "rgba"}
#: Unit of an axis whose unit is not known.
_NO_UNIT = "N/A"
_MOST_READINGS = 2**53
_EPOCH = "1970-01-01T00:00:00.000Z"
_SIDES = ("x", "y", "width", "height")


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
    patch = dict(patch)
    truths = truths_of(patch.get("sample"), patch.pop(STRUCTURED, False) is True)
    plain = plain_sample(explanation, name, number, truths=truths, current=current)
    document = apply_patch(plain, patch)
    if current and not problems(SAMPLE, document["sample"]):
        sample = document["sample"]
        sample["sensors"] = _number_sensors(sample["sensors"])
        sample.setdefault("datastreams", single_stream(sample))
    windows = document.pop("predictions", [])
    return document, windows if isinstance(windows, list) else []


def truths_of(sample: Any, structured: bool) -> list[Json] | None:
    """Return the true boxes of a sample; None if they are not known.

    ``structured`` says that no boxes mean no objects.
    """
    boxes = sample.get("boundingBoxes") if isinstance(sample, dict) else None
    boxes = [] if boxes is None or problems(TRUTHS, boxes) else boxes
    return boxes if boxes or structured else None


def plain_sample(
    explanation: Explanation, name: str, number: int, *, truths: list[Json] | None = None, current: bool = True
) -> Json:
    """Write a sample from the values of an explanation alone; its windows stand under ``predictions``.

    ``truths`` are the true boxes of an image, in pixels; None if they are not known.
    """
    windows = _split_windows(explanation)
    if explanation.task == DETECTION:
        chosen: list[Prediction | None] = [None] * len(windows)
    else:
        chosen = [choose(window.scores.values(), outcome_notes) for window in windows]
    outcomes = [None if best is None else outcome(best, outcome_notes(best)) for best in chosen]
    grids = _grids(explanation, windows)
    blocks = [block for window in windows for block in window.blocks()]
    written = _Written(explanation, windows, outcomes, grids, truths)
    return {
        "sampleId": number,
        "sample": _write_sample(explanation, name, number, outcomes),
        "classifications": [
            written.block(block) | (_newly_required(windows) if current else {})
            for block in range(1 + max(blocks, default=0))
        ],
        "predictions": [
            written.window(window, prediction, number) for window, prediction in zip(windows, chosen, strict=True)
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
    is_image = source.kind == "image"
    rate = source.sample_rate_hz or 0.0
    interval = interval_of(rate)
    readings = 1 if is_image else _readings(explanation)
    length = {"totalLengthMs": readings * interval} if readings and 0 < interval < math.inf else {}
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
        "sensors": [_IMAGE_SENSOR] if is_image else [{"name": axis, "units": _NO_UNIT} for axis in source.axes],
        "valuesCount": readings,
        **length,
        "added": _EPOCH,
        "boundingBoxes": [],
        "boundingBoxesType": "object_detection",
        "chartType": "image" if is_image else "chart",
        "isDisabled": False,
        "isProcessing": False,
        "processingError": False,
        "isCropped": False,
        "projectId": 0,
        "sha256Hash": source.sha256 or "",
        **({} if source.height is None else {"imageDimensions": {"width": source.width, "height": source.height}}),
    }


def _readings(explanation: Explanation) -> int:
    """Return the readings of a signal: those of its source, or as many as its windows reach to."""
    source = explanation.source
    if source.readings is not None or source.sample_rate_hz is None:
        return source.readings or 0
    ends = (p.region.end_ms for p in explanation.predictions if isinstance(p.region, Window))
    reached = max(ends, default=0.0) * source.sample_rate_hz / 1000
    return max(round(reached), 0) if abs(reached) < _MOST_READINGS else 0


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


# Windows and learn blocks.


@dataclass(slots=True)
class _Written:
    """Writes the windows and the learn blocks of one sample."""

    explanation: Explanation
    windows: Sequence[_WindowPredictions]
    outcomes: Sequence[Outcome | None]
    grids: dict[int, Grid]
    truths: list[Json] | None

    def window(self, window: _WindowPredictions, chosen: Prediction | None, number: int) -> Json:
        """Write the decision for a window; of detections, the labels of all boxes."""
        region = window.region or Window(0, 0)
        decision = None if chosen is None else outcome(chosen, outcome_notes(chosen))
        detected = [box for boxes in window.boxes.values() for box in boxes]
        document: Json = {"sampleId": number, "startMs": region.start_ms, "endMs": region.end_ms}
        if decision is not None and decision.expected is not None:
            document["label"] = decision.expected
        document["prediction"] = decision.predicted if decision is not None else _listed(box.name for box in detected)
        if self.grids:
            document["anomalyScores"] = _grid_rows(next(iter(self.grids.values())))
        if decision is not None and decision.correct is not None:
            document["predictionCorrect"] = _is_correct(document, window, decision.correct)
        if self.truths is not None and self.explanation.task == DETECTION:
            f1 = self.figures([box for box in detected if not _is_anomaly(box)])["f1"]
            label = _listed(truth["label"] for truth in self.truths)
            document |= {"label": label, "predictionCorrect": f1 == 1, "f1Score": f1}
        return document

    def block(self, block: int) -> Json:
        """Write the results of one learn block for all windows."""
        grid = self.grids.get(block)
        scores = [window.scores_of(block) for window in self.windows]
        boxes = [box for window in self.windows for box in window.boxes.get(block, [])]
        is_detection = self.explanation.task == DETECTION
        anomalies = [box for box in boxes if not is_detection or _is_anomaly(box)]
        detections = [box for box in boxes if is_detection and not _is_anomaly(box)]
        type = _block_type(self.explanation, grid, scores)
        document: Json = {
            "learnBlock": {"id": block + 1, "type": type, "name": "", "dsp": [], "title": ""},
            "result": [{prediction.name: prediction.score for prediction in predictions} for predictions in scores],
            "minimumConfidenceRating": _first_threshold([*(p for predictions in scores for p in predictions), *boxes]),
            "expectedLabels": _expected_labels(self.outcomes),
        }
        if anomalies or grid is not None:
            document["anomalyResult"] = [_write_anomalies(self.explanation, anomalies, grid)]
        if is_detection and (detections or block == 0):
            if self.truths is None:
                document["details"] = [_write_details(self.explanation, detections)]
            else:
                structured = _write_detections(self.explanation, detections)
                document["structuredResult"] = [{**structured, **self.figures(detections)}]
        return document

    def figures(self, detections: Iterable[Prediction]) -> dict[str, float]:
        """Compare the detections that reach their thresholds with the true boxes; 0 if their units differ."""
        reached = [box for box in detections if box.threshold is None or box.score >= box.threshold]
        found = []
        for box in reached:
            in_pixels = _box_in(box, "pixel", self.explanation)
            if in_pixels is None:
                return dict.fromkeys(FIGURES, 0.0)
            found.append(Found(box.name, in_pixels, box.score))
        truths = [
            Found(t["label"], Box(t["x"], t["y"], t["x"] + t["width"], t["y"] + t["height"], "pixel"))
            for t in self.truths or ()
        ]
        return agreement(found, truths)


def _listed(labels: Iterable[str]) -> str:
    """Return the different labels of some boxes as one text."""
    return ", ".join(dict.fromkeys(labels)) or "-"


def _is_correct(document: Json, window: _WindowPredictions, verdict: bool) -> bool:
    """Compare label and prediction if both are classes of the window; else keep the verdict."""
    classes = {UNCERTAIN, *(name for _, name in window.scores)}
    if {document.get("label"), document["prediction"]} <= classes:
        return bool(document["prediction"] == document.get("label"))
    return verdict


def _is_anomaly(box: Prediction) -> bool:
    return outcome_notes(box).anomaly


def _block_type(explanation: Explanation, grid: Grid | None, scores: Iterable[Iterable[Prediction]]) -> str:
    if grid is not None:
        return "keras-visual-anomaly"
    if explanation.task == DETECTION:
        return "keras-object-detection"
    confident = (p.name == ANOMALY or is_confidence(p.score) for predictions in scores for p in predictions)
    return "keras" if all(confident) else "keras-regression"


def _first_threshold(predictions: Iterable[Prediction]) -> float:
    """Return the threshold of the first prediction that has one: a learn block has only one."""
    return next((prediction.threshold for prediction in predictions if prediction.threshold is not None), 0.0)


def _newly_required(windows: Sequence[_WindowPredictions]) -> Json:
    """Return the fields of a block that releases after 1.71.0 require; the interval is that between windows."""
    starts = [window.region.start_ms for window in windows if window.region is not None]
    lengths = (w.region.end_ms - w.region.start_ms for w in windows if w.region is not None)
    interval = starts[1] - starts[0] if len(starts) > 1 else next(lengths, 0.0)
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
    }


def _write_details(explanation: Explanation, predictions: Sequence[Prediction]) -> Json:
    """Write detections as a model gives them: corners as fractions, numbers of labels, and, in a key of ours, names."""
    boxes = [(one, box) for one in predictions if (box := _box_in(one, "fraction", explanation)) is not None]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(one.name for one, _ in boxes))}
    return {
        "boxes": [[box.y0, box.x0, box.y1, box.x1] for _, box in boxes],
        "labels": [numbers[one.name] for one, _ in boxes],
        "scores": [one.score for one, _ in boxes],
        LABEL_NAMES: [one.name for one, _ in boxes],
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
