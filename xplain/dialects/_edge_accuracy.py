"""Edge Impulse's accuracy figures: computed for what is written, and what a document claims compared with them.

A figure is compared where the document says all that it follows from. Counts must be exact; percentages and fractions
may be rounded to two decimals, mean squared errors may differ by a thousandth. A confusion matrix holds counts or
fractions of the windows with that label. Detections have no classes to count: the vendor gives one summary, "F1 score".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from xplain.dialects._edge_boxes import near
from xplain.dialects._wire import At, Problem
from xplain.explanation.outcomes import ANOMALY, NO_ANOMALY, UNCERTAIN, Outcome, Tally, tally

__all__ = ["accuracy", "check_accuracy"]

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
