"""Figures of Edge Impulse's documents: boxes, centroids, and the accuracy that follows from them.

Accuracy figures are computed on writing; on reading, those that a document claims are compared with what follows from
its predictions. A figure is compared only if the document holds everything that it follows from. Counts must be exact;
percentages and fractions may be rounded to two decimals; mean squared errors may differ by a thousandth. A confusion
matrix holds counts, or fractions of the windows with that label. Detections have no classes to count: the vendor gives
one summary, "F1 score".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box
from xplain.explanation.outcomes import ANOMALY, NO_ANOMALY, UNCERTAIN, Outcome, Tally, tally
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.text import loads
from xplain.formatters.core.wire import integer, nullable, number, read
from xplain.formatters.edge_impulse.fields import Json, fields, list_of

#: Half of the second decimal, to which figures are rounded (and room for the error of the comparison itself).
_ROUNDING = 0.005 + 1e-9
#: Relative difference allowed for mean squared errors, whose scale is that of the values.
_MSE_TOLERANCE = 1e-3

_F1 = "F1 score"
_BLOCKS = "classifications"
_REGRESSION, _DETECTION = "keras-regression", "object-detection"
_ANOMALY_FIGURES = (("anomalyAccuracyScore", ANOMALY), ("noAnomalyAccuracyScore", NO_ANOMALY))
_DETECTION_FIGURES = ("precision", "recall", "f1")


def is_near(claimed: float, expected: float, relative: float = 0.0) -> bool:
    """Whether two figures agree, but for rounding to two decimals or a relative difference."""
    return abs(claimed - expected) <= max(_ROUNDING, relative * abs(expected))


# Boxes: a document gives a corner and two sides.


def make_box(x: float, y: float, width: float, height: float, in_pixels: bool = False) -> Box:
    """Make a box from its corner and its sides."""
    return Box(x, y, x + width, y + height, "pixel" if in_pixels else "fraction")


def make_boxes(rows: list[list[float]]) -> list[Box]:
    """Make the boxes of one image: in pixels if any number is above 1, else in fractions of the image."""
    in_pixels = any(value > 1 for row in rows for value in row)
    return [make_box(x, y, width, height, in_pixels) for x, y, width, height in rows]


def rectangle(box: Box) -> list[float]:
    """Return x, y, width and height, from which `make_box` makes exactly this box."""
    return [box.x0, box.y0, _extent(box.x0, box.x1), _extent(box.y0, box.y1)]


def _extent(start: float, stop: float) -> float:
    """Return the shortest decimal number that leads from ``start`` to ``stop``: 0.1 from 0.2 to 0.2 + 0.1.

    ``stop - start`` itself would be 0.10000000000000003 there, and may even miss ``stop``.
    """
    extent = stop - start
    if not math.isfinite(extent):
        return 0.0
    neighbours = [extent, math.nextafter(extent, math.inf), math.nextafter(extent, 0.0)]
    rounded = (round(extent, digits) for digits in range(18))  # a double has at most 17 significant digits
    return next((size for size in (*rounded, *neighbours) if size >= 0 and start + size == stop), extent)


# Centroids: the debug information of detections says which prediction was assigned to which truth.

_POINT = fields(x=number, y=number, label=integer(0))
_DEBUG = fields(
    y_trues=nullable(list_of(_POINT), []),
    y_preds=nullable(list_of(_POINT), []),
    assignments=list_of(fields(yp=integer(0), yt=integer(0), label=integer(0), distance=number)),
    normalised_min_distance=nullable(number),
    all_pairwise_distances=nullable(list_of(list_of(number))),
    unassigned_y_true_idxs=list_of(integer(0)),
    unassigned_y_pred_idxs=list_of(integer(0)),
)


def centroids(structured: Json) -> Json | None:
    """Return the centroids of truths and predictions and the links between them, if there is debug information.

    Parameters
    ----------
    structured : dict
        An element of ``structuredResult``.

    Returns
    -------
    dict or None
        ``truths`` and ``predictions``, each with x, y, label (a number from 1 on), matched and, if the predictions tell
        it, the name of the label; ``links`` with the indices of a prediction and a truth and their distance.
    """
    if "debugInfoJson" not in structured:
        return None
    debug: Json = read(_DEBUG, json.loads(structured["debugInfoJson"]))
    labels = structured.get("labels", [])
    has_names = len(labels) == len(debug["y_preds"])
    names = {point["label"]: name for point, name in zip(debug["y_preds"], labels, strict=True)} if has_names else {}
    links = [
        {"prediction": link["yp"], "truth": link["yt"], "distance": link["distance"]} for link in debug["assignments"]
    ]

    def points(key: str, end: str) -> list[Json]:
        matched = {link[end] for link in links}
        return [
            {
                "x": point["x"],
                "y": point["y"],
                "label": point["label"],
                "matched": i in matched,
                **({"name": names[point["label"]]} if point["label"] in names else {}),
            }
            for i, point in enumerate(debug[key])
        ]

    return {"truths": points("y_trues", "truth"), "predictions": points("y_preds", "prediction"), "links": links}


def check_figures(at: At, structured: Json) -> None:
    """Compare precision, recall and F1 of one image with its debug information; raise Rejected if they differ."""
    if "debugInfoJson" not in structured:
        return
    expected = _detection_figures(_read_debug(at["debugInfoJson"]))
    problems = [
        at[key].problem(f"{expected[key]:.6g}, as debugInfoJson gives it")
        for key in _DETECTION_FIGURES
        if not is_near(structured[key], expected[key])
    ]
    if problems:
        raise Rejected(problems)


def _read_debug(at: At) -> Json:
    """Read the debug information, which is JSON in a string; paths of problems continue inside the string."""
    try:
        inside = At(loads(at.value), at.parent, at.key)
    except DocumentError as error:
        raise Rejected([Problem(at.path, error.message)]) from None
    debug = _DEBUG(inside)
    problems: list[Problem] = []

    def check_index(place: At, index: int, points: str) -> None:
        if points in inside.value and index >= len(debug[points]):
            problems.append(place.problem(f"the index of one of {len(debug[points])} {points}"))

    for i, link in enumerate(debug["assignments"]):
        check_index(inside["assignments"][i]["yp"], link["yp"], "y_preds")
        check_index(inside["assignments"][i]["yt"], link["yt"], "y_trues")
    for key, points in (("unassigned_y_true_idxs", "y_trues"), ("unassigned_y_pred_idxs", "y_preds")):
        for i, index in enumerate(debug[key]):
            check_index(inside[key][i], index, points)
    if problems:
        raise Rejected(problems)
    return debug


def _detection_figures(debug: Json) -> dict[str, float]:
    matched = len(debug["assignments"])
    missed, extra = len(debug["unassigned_y_true_idxs"]), len(debug["unassigned_y_pred_idxs"])
    if not matched + missed + extra:
        return dict.fromkeys(_DETECTION_FIGURES, 1.0)
    precision = matched / (matched + extra) if matched + extra else 0.0
    recall = matched / (matched + missed) if matched + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


# Accuracy. The predictions here are the documents' own: one for each window.


def accuracy(predictions: list[Json], results: list[Json]) -> Json:
    """Compute the accuracy figures; without truths they are zero and empty.

    Parameters
    ----------
    predictions, results : list of dict
        The document's elements for each window and for each sample.
    """
    if _has_detections(results):
        return _detection_accuracy(predictions)
    outcomes = _outcomes(predictions)
    counts = tally([outcome for outcome in outcomes if outcome.expected is not None or outcome.correct is not None])
    columns = [*counts.labels, UNCERTAIN]
    judged = counts.good + counts.bad
    document: Json = {
        "totalSummary": {"good": counts.good, "bad": counts.bad},
        "summaryPerClass": {label: {"good": good, "bad": bad} for label, (good, bad) in counts.per_label.items()},
        "confusionMatrixValues": {
            label: {column: row.get(column, 0) for column in columns} for label, row in counts.confusion.items()
        },
        "allLabels": list(counts.labels),
        **({"accuracyScore": 100 * counts.good / judged} if judged else {}),
    }
    document |= _balanced_accuracy(counts, predictions)
    error = squared_error(predictions, results)
    return document if error is None else {**document, "mseScore": error}


def _balanced_accuracy(counts: Tally, predictions: list[Json]) -> Json:
    """Return the mean percentage of right windows over the labels; of anomalies and of the others, if that is asked."""
    shares = [100 * good / (good + bad) for good, bad in counts.per_label.values() if good + bad]
    found: Json = {}
    for key, truth in _ANOMALY_FIGURES:
        correct = [_is_correct(prediction) for prediction in predictions if _anomaly_truth(prediction) == truth]
        good, bad = correct.count(True), correct.count(False)
        found |= {key: 100 * good / (good + bad)} if good + bad else {}
    if found:
        shares = list(found.values())
    return ({"balancedAccuracyScore": sum(shares) / len(shares)} if shares else {}) | found


def _anomaly_truth(prediction: Json) -> Any:
    return prediction.get("expectedAnomalyOutcome", prediction.get("label"))


def _detection_accuracy(predictions: list[Json]) -> Json:
    """Compute the figures of detections, whose classes the vendor does not count."""
    judged = [prediction["predictionCorrect"] for prediction in predictions if "predictionCorrect" in prediction]
    scores = [prediction["f1Score"] for prediction in predictions if "f1Score" in prediction]
    labels = {
        label
        for prediction in predictions
        if "f1Score" in prediction
        for label in prediction.get("label", "").split(", ")
    }
    return {
        "totalSummary": {"good": judged.count(True), "bad": judged.count(False)},
        "summaryPerClass": {_F1: {"good": 0, "bad": 0}},
        "confusionMatrixValues": {},
        "allLabels": sorted(labels - {"", "-"}),
        **({"accuracyScore": 100 * sum(scores) / len(scores)} if scores else {}),
    }


def _has_detections(results: list[Json]) -> bool:
    blocks = [block for result in results for block in result[_BLOCKS]]
    return any(block.get("structuredResult") or _DETECTION in block["learnBlock"]["type"] for block in blocks)


def _outcomes(predictions: Iterable[Json]) -> list[Outcome]:
    return [
        Outcome(prediction["prediction"], prediction.get("label"), _is_correct(prediction))
        for prediction in predictions
    ]


def _is_correct(prediction: Json) -> bool | None:
    """Whether a window is right, as the document says or else as its label tells; None if neither does."""
    matches = prediction["prediction"] == prediction["label"] if "label" in prediction else None
    correct: bool | None = prediction.get("predictionCorrect", matches)
    return correct


def check_accuracy(at: At, claimed: Json, predictions: list[Json], results: list[Json]) -> list[Problem]:
    """List the accuracy figures that differ from what the predictions give.

    Parameters
    ----------
    at : At
        The place of the figures.
    claimed : dict
        The figures.
    predictions, results : list of dict
        The document's elements for each window and for each sample. Without predictions nothing is compared: just after
        a job they may be missing.
    """
    if not predictions:
        return []
    if _has_detections(results):
        return list(_compare_detections(at, claimed, predictions))
    blocks = [block for result in results for block in result[_BLOCKS]]
    is_regression = any(block["learnBlock"]["type"] == _REGRESSION for block in blocks)
    has_labels = all("label" in prediction for prediction in predictions)
    is_judged = all("predictionCorrect" in prediction for prediction in predictions)
    counts = tally(_outcomes(predictions))
    problems: list[Problem] = []
    # The value of a regression hardly ever equals the truth: whether it is right, only the document can tell.
    if is_judged or (has_labels and not is_regression):
        problems += _compare_summary(at["totalSummary"], claimed["totalSummary"], counts.good, counts.bad)
        problems += _compare_percentage(at, claimed, "accuracyScore", counts.good, counts.bad)
        problems += _compare_classes(at, claimed, counts) if has_labels else ()
        problems += _compare_anomalies(at, claimed, predictions) if has_labels else ()
    if has_labels and not is_regression:
        problems += _compare_confusion(at["confusionMatrixValues"], claimed["confusionMatrixValues"], counts)
    problems += _compare_balanced(at, claimed)
    problems += _compare_squared_error(at, claimed, predictions, results)
    return problems


def _wrong(at: At, expected: float) -> Problem:
    return at.problem(f"{expected:.6g}, as the predictions give it")


def _compare_summary(at: At, claimed: Json, good: int, bad: int) -> Iterator[Problem]:
    for key, count in (("good", good), ("bad", bad)):
        if claimed[key] != count:
            yield _wrong(at[key], count)


def _compare_classes(at: At, claimed: Json, counts: Tally) -> Iterator[Problem]:
    classes = claimed["summaryPerClass"]
    for label in sorted({*classes, *counts.per_label}):
        good, bad = counts.per_label.get(label, (0, 0))
        if label in classes:
            yield from _compare_summary(at["summaryPerClass"][label], classes[label], good, bad)
        else:
            yield Problem(at["summaryPerClass"].path, f"must hold {label!r}, which {good + bad} windows have, got none")


def _compare_confusion(at: At, claimed: dict[str, dict[str, float]], counts: Tally) -> list[Problem]:
    """Compare a matrix of counts or fractions; a document does not say which, so the better fit counts."""

    def compare(unit: str) -> list[Problem]:
        problems = []
        for actual in sorted({*claimed, *counts.confusion}):
            row, counted = claimed.get(actual, {}), counts.confusion.get(actual, {})
            total = (sum(counted.values()) or 1) if unit == "fraction" else 1
            for predicted in sorted({*row, *counted}):
                expected = counted.get(predicted, 0) / total
                value = row.get(predicted, 0.0)
                if not (is_near(value, expected) if unit == "fraction" else value == expected):
                    problems.append(_wrong(at[actual][predicted] if actual in claimed else at[actual], expected))
        return problems

    return min(compare("count"), compare("fraction"), key=len)


def _compare_percentage(at: At, claimed: Json, key: str, good: int, bad: int) -> Iterator[Problem]:
    if key in claimed and good + bad and not is_near(claimed[key], 100 * good / (good + bad)):
        yield _wrong(at[key], 100 * good / (good + bad))


def _compare_anomalies(at: At, claimed: Json, predictions: list[Json]) -> Iterator[Problem]:
    """Compare the percentages of right windows among the anomalies and among the others."""
    for key, truth in _ANOMALY_FIGURES:
        correct = [_is_correct(prediction) for prediction in predictions if _anomaly_truth(prediction) == truth]
        yield from _compare_percentage(at, claimed, key, correct.count(True), correct.count(False))


def _compare_balanced(at: At, claimed: Json) -> Iterator[Problem]:
    if not {"balancedAccuracyScore", "anomalyAccuracyScore", "noAnomalyAccuracyScore"} <= claimed.keys():
        return
    mean: float = (claimed["anomalyAccuracyScore"] + claimed["noAnomalyAccuracyScore"]) / 2
    if not is_near(claimed["balancedAccuracyScore"], mean):
        yield _wrong(at["balancedAccuracyScore"], mean)


def _compare_detections(at: At, claimed: Json, predictions: list[Json]) -> Iterator[Problem]:
    """Compare the figures of detections; their accuracy may be the mean F1 or the percentage of right images."""
    if set(claimed["summaryPerClass"]) == {_F1}:
        yield from _compare_summary(at["summaryPerClass"][_F1], claimed["summaryPerClass"][_F1], 0, 0)
    summary = claimed["totalSummary"]
    judged = [prediction["predictionCorrect"] for prediction in predictions if "predictionCorrect" in prediction]
    if len(judged) == len(predictions) and (summary["good"] or summary["bad"]):
        yield from _compare_summary(at["totalSummary"], summary, judged.count(True), judged.count(False))
    scores = [prediction["f1Score"] for prediction in predictions if "f1Score" in prediction]
    if "accuracyScore" not in claimed or not len(scores) == len(judged) == len(predictions):
        return
    candidates = [100 * sum(scores) / len(scores), 100 * judged.count(True) / len(judged)]
    if not any(is_near(claimed["accuracyScore"], candidate) for candidate in candidates):
        yield _wrong(at["accuracyScore"], candidates[0])


def _compare_squared_error(at: At, claimed: Json, predictions: list[Json], results: list[Json]) -> Iterator[Problem]:
    error = squared_error(predictions, results)
    claim = claimed.get("mseScore")
    if claim is not None and error is not None and not is_near(claim, error, relative=_MSE_TOLERANCE):
        yield _wrong(at["mseScore"], error)


def squared_error(predictions: list[Json], results: list[Json]) -> float | None:
    """Return the mean squared error of a regression; None unless each window has a value and a truth, both numbers."""
    blocks = [block for result in results for block in result[_BLOCKS] if block["learnBlock"]["type"] == _REGRESSION]
    values = [value for block in blocks for window in block["result"] for value in window.values()]
    by_sample: dict[int, list[Json]] = {}
    for prediction in predictions:
        by_sample.setdefault(prediction["sampleId"], []).append(prediction)
    try:
        truths = [
            float(prediction["label"]) for result in results for prediction in by_sample.get(result["sampleId"], [])
        ]
    except (KeyError, ValueError):
        return None
    if not truths or len(truths) != len(values):
        return None
    errors = [value - truth for value, truth in zip(values, truths, strict=True)]
    error = sum(difference * difference for difference in errors) / len(errors)
    return error if math.isfinite(error) else None
