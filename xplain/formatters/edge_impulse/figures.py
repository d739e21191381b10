"""Edge Impulse's accuracy figures: computed for what is written, and what a document claims compared with them.

A figure is compared where the document says all that it follows from. Counts must be exact; percentages and fractions
may be rounded to two decimals, mean squared errors may differ by a thousandth. A confusion matrix holds counts or
fractions of the windows with that label. Detections have no classes to count: the vendor gives one summary, "F1 score".
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
from xplain.formatters.edge_impulse.fields import fields, items

#: Half of the second decimal, to which figures are printed.
_ROUNDING = 0.005 + 1e-9


def near(claimed: float, found: float, relative: float = 0.0) -> bool:
    """Whether a figure is one that was found, but for rounding to two decimals (or a relative difference)."""
    return abs(claimed - found) <= max(_ROUNDING, relative * abs(found))


def box(x: float, y: float, width: float, height: float, pixels: bool = False) -> Box:
    """Make a box of its corner and its sides."""
    return Box(x, y, x + width, y + height, "pixel" if pixels else "fraction")


def rectangles(rows: list[list[float]]) -> list[Box]:
    """Make the boxes of one image, which are in pixels if any number is above 1, else fractions of it."""
    pixels = any(value > 1 for row in rows for value in row)
    return [box(x, y, width, height, pixels) for x, y, width, height in rows]


def rectangle(box: Box) -> list[float]:
    """Return x, y, width and height, which lead back to the same box."""
    return [box.x0, box.y0, _extent(box.x0, box.x1), _extent(box.y0, box.y1)]


def _extent(start: float, stop: float) -> float:
    """Return the shortest decimal number that leads from ``start`` to ``stop``: 0.1 from 0.2 to 0.2 + 0.1."""
    extent = stop - start
    if not math.isfinite(extent):
        return 0.0
    near_by = [extent, math.nextafter(extent, math.inf), math.nextafter(extent, 0.0)]
    short = (round(extent, digits) for digits in range(18))
    return next((size for size in (*short, *near_by) if size >= 0 and start + size == stop), extent)


# Centroids.

_POINT = fields(x=number, y=number, label=integer(0))
_DEBUG = fields(
    y_trues=nullable(items(_POINT), []),
    y_preds=nullable(items(_POINT), []),
    assignments=items(fields(yp=integer(0), yt=integer(0), label=integer(0), distance=number)),
    normalised_min_distance=nullable(number),
    all_pairwise_distances=nullable(items(items(number))),
    unassigned_y_true_idxs=items(integer(0)),
    unassigned_y_pred_idxs=items(integer(0)),
)
_FIGURES = ("precision", "recall", "f1")


def _debug(at: At) -> Json:
    """Read the debug information; what is wrong in it has a path that goes on in the string."""
    try:
        inside = At(loads(at.value), at.parent, at.key)
    except DocumentError as error:
        raise Rejected([Problem(at.path, error.message)]) from None
    found = _DEBUG(inside)
    problems: list[Problem] = []

    def check(place: At, index: int, points: str) -> None:
        if points in inside.value and index >= len(found[points]):
            problems.append(place.problem(f"the index of one of {len(found[points])} {points}"))

    for i, link in enumerate(found["assignments"]):
        check(inside["assignments"][i]["yp"], link["yp"], "y_preds")
        check(inside["assignments"][i]["yt"], link["yt"], "y_trues")
    for key, points in (("unassigned_y_true_idxs", "y_trues"), ("unassigned_y_pred_idxs", "y_preds")):
        for i, index in enumerate(found[key]):
            check(inside[key][i], index, points)
    if problems:
        raise Rejected(problems)
    return found


def _figures(found: Json) -> dict[str, float]:
    right = len(found["assignments"])
    missed, extra = len(found["unassigned_y_true_idxs"]), len(found["unassigned_y_pred_idxs"])
    if not right + missed + extra:
        return dict.fromkeys(_FIGURES, 1.0)
    precision = right / (right + extra) if right + extra else 0.0
    recall = right / (right + missed) if right + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def check_figures(at: At, structured: Json) -> None:
    """Compare precision, recall and F1 of one image with what its debug information gives."""
    if "debugInfoJson" not in structured:
        return
    found = _figures(_debug(at["debugInfoJson"]))
    problems = [
        at[key].problem(f"{found[key]:.6g}, as debugInfoJson gives it")
        for key in _FIGURES
        if not near(structured[key], found[key])
    ]
    if problems:
        raise Rejected(problems)


def centroids(structured: Json) -> Json | None:
    """Give the centroids of truths and predictions and what links them, if there is debug information.

    Returns
    -------
    dict or None
        ``truths`` and ``predictions``, each with x, y, label (a number from 1 on), matched and, where the predictions
        tell it, the name of the label; ``links`` with the indices of a prediction and a truth and their distance.
    """
    if "debugInfoJson" not in structured:
        return None
    found: Json = read(_DEBUG, json.loads(structured["debugInfoJson"]))
    labels = structured.get("labels", [])
    told = len(labels) == len(found["y_preds"])
    names = {point["label"]: name for point, name in zip(found["y_preds"], labels, strict=True)} if told else {}
    links = [{"prediction": one["yp"], "truth": one["yt"], "distance": one["distance"]} for one in found["assignments"]]

    def points(key: str, link: str) -> list[Json]:
        matched = {one[link] for one in links}
        return [
            {
                "x": point["x"],
                "y": point["y"],
                "label": point["label"],
                "matched": i in matched,
                **({"name": names[point["label"]]} if point["label"] in names else {}),
            }
            for i, point in enumerate(found[key])
        ]

    return {"truths": points("y_trues", "truth"), "predictions": points("y_preds", "prediction"), "links": links}


Json = dict[str, Any]

_F1 = "F1 score"
_BLOCKS = "classifications"
_REGRESSION, _DETECTION = "keras-regression", "object-detection"


def _outcomes(predictions: Iterable[Json]) -> list[Outcome]:
    return [
        Outcome(one["prediction"], one.get("label"), one.get("predictionCorrect", _compared(one)))
        for one in predictions
    ]


def _compared(prediction: Json) -> bool | None:
    return prediction["prediction"] == prediction["label"] if "label" in prediction else None


def accuracy(predictions: Iterable[Json]) -> Json:
    """Compute the figures; without a truth they are zero and empty."""
    counts = tally([one for one in _outcomes(predictions) if one.expected is not None or one.correct is not None])
    columns = [*counts.labels, UNCERTAIN]
    known = counts.good + counts.bad
    return {
        "totalSummary": {"good": counts.good, "bad": counts.bad},
        "summaryPerClass": {label: {"good": good, "bad": bad} for label, (good, bad) in counts.per_label.items()},
        "confusionMatrixValues": {
            label: {column: row.get(column, 0) for column in columns} for label, row in counts.confusion.items()
        },
        "allLabels": list(counts.labels),
        **({"accuracyScore": 100 * counts.good / known} if known else {}),
    }


def check_accuracy(at: At, claimed: Json, predictions: list[Json], results: list[Json]) -> list[Problem]:
    """List the figures that are not what the predictions give.

    Parameters
    ----------
    at : At
        The place of the figures.
    claimed : dict
        The figures.
    predictions, results : list of dict
        What the document says of each window and of each sample. Without predictions nothing is compared: just after
        a job they may be missing.
    """
    if not predictions:
        return []
    blocks = [block for one in results for block in one[_BLOCKS]]
    regression = any(block["learnBlock"]["type"] == _REGRESSION for block in blocks)
    labelled = all("label" in one for one in predictions)
    counts = tally(_outcomes(predictions))
    if any(block.get("structuredResult") or _DETECTION in block["learnBlock"]["type"] for block in blocks):
        return list(_detections(at, claimed, predictions))
    found: list[Problem] = []
    if all("predictionCorrect" in one for one in predictions) or (labelled and not regression):
        found += _summary(at["totalSummary"], claimed["totalSummary"], counts.good, counts.bad)
        found += _percent(at, claimed, "accuracyScore", counts.good, counts.bad)
        found += _classes(at, claimed, counts) if labelled else ()
        found += _anomalies(at, claimed, predictions) if labelled else ()
    if labelled and not regression:
        found += _confusion(at["confusionMatrixValues"], claimed["confusionMatrixValues"], counts)
    return [*found, *_balanced(at, claimed), *_squared_error(at, claimed, predictions, results)]


def _wrong(at: At, expected: float) -> Problem:
    return at.problem(f"{expected:.6g}, as the predictions give it")


def _summary(at: At, claimed: Json, good: int, bad: int) -> Iterator[Problem]:
    for key, count in (("good", good), ("bad", bad)):
        if claimed[key] != count:
            yield _wrong(at[key], count)


def _classes(at: At, claimed: Json, counts: Tally) -> Iterator[Problem]:
    classes = claimed["summaryPerClass"]
    for label in sorted({*classes, *counts.per_label}):
        good, bad = counts.per_label.get(label, (0, 0))
        if label in classes:
            yield from _summary(at["summaryPerClass"][label], classes[label], good, bad)
        else:
            yield Problem(at["summaryPerClass"].path, f"must hold {label!r}, which {good + bad} windows have, got none")


def _confusion(at: At, claimed: dict[str, dict[str, float]], counts: Tally) -> list[Problem]:
    """Compare counts or fractions, whatever more of the matrix is."""

    def compare(unit: str) -> list[Problem]:
        problems = []
        for actual in sorted({*claimed, *counts.confusion}):
            row, own = claimed.get(actual, {}), counts.confusion.get(actual, {})
            whole = (sum(own.values()) or 1) if unit == "fraction" else 1
            for predicted in sorted({*row, *own}):
                expected = own.get(predicted, 0) / whole
                value = row.get(predicted, 0.0)
                if not (near(value, expected) if unit == "fraction" else value == expected):
                    problems.append(_wrong(at[actual][predicted] if actual in claimed else at[actual], expected))
        return problems

    return min(compare("count"), compare("fraction"), key=len)


def _percent(at: At, claimed: Json, key: str, good: int, bad: int) -> Iterator[Problem]:
    if key in claimed and good + bad and not near(claimed[key], 100 * good / (good + bad)):
        yield _wrong(at[key], 100 * good / (good + bad))


def _anomalies(at: At, claimed: Json, predictions: list[Json]) -> Iterator[Problem]:
    """Compare the percentages of anomalies that are found and of others that are passed."""
    for key, truth in (("anomalyAccuracyScore", ANOMALY), ("noAnomalyAccuracyScore", NO_ANOMALY)):
        own = [one for one in predictions if one.get("expectedAnomalyOutcome", one["label"]) == truth]
        right = [one.get("predictionCorrect", _compared(one)) for one in own]
        yield from _percent(at, claimed, key, right.count(True), right.count(False))


def _balanced(at: At, claimed: Json) -> Iterator[Problem]:
    if not {"balancedAccuracyScore", "anomalyAccuracyScore", "noAnomalyAccuracyScore"} <= claimed.keys():
        return
    mean: float = (claimed["anomalyAccuracyScore"] + claimed["noAnomalyAccuracyScore"]) / 2
    if not near(claimed["balancedAccuracyScore"], mean):
        yield _wrong(at["balancedAccuracyScore"], mean)


def _detections(at: At, claimed: Json, predictions: list[Json]) -> Iterator[Problem]:
    """Compare what there is for detections: the score may be the mean F1 or the part of the images that is right."""
    if set(claimed["summaryPerClass"]) == {_F1}:
        yield from _summary(at["summaryPerClass"][_F1], claimed["summaryPerClass"][_F1], 0, 0)
    summary = claimed["totalSummary"]
    judged = [one["predictionCorrect"] for one in predictions if "predictionCorrect" in one]
    if len(judged) == len(predictions) and (summary["good"] or summary["bad"]):
        yield from _summary(at["totalSummary"], summary, judged.count(True), judged.count(False))
    scores = [one["f1Score"] for one in predictions if "f1Score" in one]
    if "accuracyScore" not in claimed or not len(scores) == len(judged) == len(predictions):
        return
    options = [100 * sum(scores) / len(scores), 100 * judged.count(True) / len(judged)]
    if not any(near(claimed["accuracyScore"], one) for one in options):
        yield _wrong(at["accuracyScore"], options[0])


def _squared_error(at: At, claimed: Json, predictions: list[Json], results: list[Json]) -> Iterator[Problem]:
    """Compare the mean squared error of a regression, if every window has one value and a truth that is a number."""
    if "mseScore" not in claimed:
        return
    blocks = [block for one in results for block in one[_BLOCKS] if block["learnBlock"]["type"] == _REGRESSION]
    values = [value for block in blocks for window in block["result"] for value in window.values()]
    by_sample: dict[int, list[Json]] = {}
    for prediction in predictions:
        by_sample.setdefault(prediction["sampleId"], []).append(prediction)
    try:
        truths = [float(one["label"]) for result in results for one in by_sample.get(result["sampleId"], [])]
    except (KeyError, ValueError):
        return
    if not truths or len(truths) != len(values):
        return
    errors = [value - truth for value, truth in zip(values, truths, strict=True)]
    error = sum(one * one for one in errors) / len(errors)
    if math.isfinite(error) and not near(claimed["mseScore"], error, relative=1e-3):
        yield _wrong(at["mseScore"], error)
