"""Notes of Edge Impulse's documents: ground truth, outcomes of windows, figures of models and jobs.

Of a sample, an explanation keeps only the difference between the document and what its values give (`writing`). So the
sample is written again, and read from the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from xplain.explanation import Box, Explanation, Prediction, Record, Results
from xplain.explanation.notes import (
    Centroid,
    Link,
    Measure,
    Notes,
    PredictionNotes,
    Ranking,
    Table,
    Truth,
    note_each,
)
from xplain.formatters.core.extras import extras_of
from xplain.formatters.core.lookup import (
    fields_at,
    flag_at,
    integer_at,
    items_at,
    number_at,
    point_at,
    text_at,
    value_at,
)
from xplain.formatters.edge_impulse.fields import FORMAT
from xplain.formatters.edge_impulse.outcomes import outcome_notes
from xplain.formatters.edge_impulse.runner import RUNNER
from xplain.formatters.edge_impulse.writing import block_of, write_sample

_FOMO = "fomo"  # the kind of detector that finds centres of objects, not their sizes
_FIGURES = {"mAP": "mAP", "F1": "f1", "precision": "precision", "recall": "recall"}
_MEAN_SQUARED_ERROR = "mseScore"  # the one score of a job that is no percentage


def notes(value: Explanation | Results | Record) -> Notes:
    """Return what is said of a sample, of a job, or of the importance of features."""
    if isinstance(value, Results):
        return Notes(tables=tuple(_tables(extras_of(value.attributes, FORMAT))))
    if isinstance(value, Record):
        is_importance = (value.format, value.kind) == (FORMAT, "feature-importance")
        return _importances(value.fields) if is_importance else Notes()
    extras = extras_of(value.attributes, FORMAT)
    sample = _sample(value, extras) if extras and value.source.kind == "image" else None
    blocks = list(items_at(sample, "classifications"))
    predictions = note_each(value.predictions, lambda prediction: _of_prediction(prediction, blocks))
    true_centroids, centroids, links = _centroids(value_at(extras, "centroids"))
    return Notes(predictions, tuple(_truths(sample)), true_centroids, centroids, links, tuple(_agreement(blocks)))


def _sample(explanation: Explanation, extras: dict[str, Any]) -> Any:
    """The sample of an image as its document had it; None of the result of a runner, which is no sample."""
    if RUNNER in extras:
        return None
    sample, _ = write_sample(explanation, "", 0, patch=extras, current=False)
    return sample


# Samples.


def _of_prediction(prediction: Prediction, blocks: list[Any]) -> PredictionNotes:
    said = outcome_notes(prediction)
    number = block_of(prediction)
    if number < len(blocks) and text_at(blocks[number], "objectDetectionLastLayer") == _FOMO:
        return replace(said, only_centre=True)
    return said


def _truths(sample: Any) -> Iterator[Truth]:
    """The true objects of an image."""
    for item in items_at(sample, "sample", "boundingBoxes"):
        label = text_at(item, "label")
        x, y, width, height = (number_at(item, key) for key in ("x", "y", "width", "height"))
        if label is None or x is None or y is None or width is None or height is None or width < 0 or height < 0:
            continue
        yield Truth(label, Box(x, y, x + width, y + height, "pixel"))


def _centroids(record: Any) -> tuple[tuple[Centroid, ...], tuple[Centroid, ...], tuple[Link, ...]]:
    """The true centroids, the predicted ones, and the links between them, from the test of a detector."""
    true, predicted = _centroids_by_index(record, "truths"), _centroids_by_index(record, "predictions")
    links = []
    for link in items_at(record, "links"):
        prediction, truth = integer_at(link, "prediction"), integer_at(link, "truth")
        if prediction in predicted and truth in true:
            links.append(Link(predicted[prediction].at, true[truth].at))
    return tuple(true.values()), tuple(predicted.values()), tuple(links)


def _centroids_by_index(record: Any, kind: str) -> dict[int | None, Centroid]:
    """Centroids by their index in the array, by which links refer to them."""
    by_index: dict[int | None, Centroid] = {}
    for i, item in enumerate(items_at(record, kind)):
        at = point_at(item)
        if at is not None:
            label = text_at(item, "name") or f"label {value_at(item, 'label')}"
            by_index[i] = Centroid(at, label, flag_at(item, "matched") is True)
    return by_index


def _agreement(blocks: list[Any]) -> Iterator[Table]:
    """How well each block's detections agree with the truth; the blocks are named where there are several."""
    results = [(block, result) for block in blocks if (result := value_at(block, "structuredResult", 0)) is not None]
    for number, (block, result) in enumerate(results, 1):
        name = text_at(block, "learnBlock", "name") or text_at(block, "learnBlock", "title") or f"block {number}"
        figures = [
            Measure(figure, value) for figure, key in _FIGURES.items() if (value := number_at(result, key)) is not None
        ]
        if figures:
            yield Table(name if len(results) > 1 else "", tuple(figures))


# Jobs and records.


def _tables(record: Any) -> Iterator[Table]:
    """The figures of a job, and those of each tested part of its model."""
    of_job = [
        Measure(_in_words(name.removesuffix("Score")), score, "" if name == _MEAN_SQUARED_ERROR else "%")
        for name, value in fields_at(record, "accuracy").items()
        if name.endswith("Score") and (score := number_at(value)) is not None
    ]
    if of_job:
        yield Table("The job's own figures", tuple(of_job))
    for block in items_at(record, "additionalMetricsByLearnBlock"):
        of_block = [
            Measure(name, value)
            for metric in items_at(block, "additionalMetrics")
            if (name := text_at(metric, "name")) and (value := text_at(metric, "value")) is not None
        ]
        if of_block:
            yield Table(text_at(block, "learnBlockName") or "a learn block", tuple(of_block))


def _in_words(name: str) -> str:
    """``totalAccuracy`` as "total accuracy"."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _importances(fields: Mapping[str, Any]) -> Notes:
    """The features of each label by their importance, the largest first."""
    charts = []
    for label, record in fields_at(fields, "labels").items():
        features = [
            Measure(axis, value)
            for feature in items_at(record, "features")
            if (axis := text_at(feature, "axis")) and (value := number_at(feature, "importance")) is not None
        ]
        if features:
            charts.append(Ranking(label, tuple(sorted(features, key=lambda feature: -float(feature.value)))))
    return Notes(charts=tuple(charts), remaining={name: value for name, value in fields.items() if name != "labels"})
