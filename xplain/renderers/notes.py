"""Vendor extras kept in `attributes`: ground truth, keypoints, badges, metrics. Malformed ones are skipped.

Readers keep what a document holds beyond the values of xplain as plain JSON. This module alone knows how the vendors
name it: Edge Impulse (true boxes, centroids, accuracy), Cognite Vision (keypoints, assets, gauges), Re:infer
(thresholds, label properties). The rest of the renderers asks for truths, keypoints, links or metrics, and gets none
where there are none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xplain.explanation import Box, Explanation, Polygon, Prediction, Region, Results
from xplain.explanation.secrets import is_secret
from xplain.renderers.canvas.scale import number

Point = tuple[float, float]

_ROUNDING = 1e-6  # relative difference between a total and the sum of its parts that is rounding only
_READ_FEATURES = ("text", "assetTag")  # features of Cognite Vision whose labels are text read in the image
_MEAN_SQUARED_ERROR = "mseScore"  # the one metric of a job of Edge Impulse that is no percentage


# Access to JSON of any form.


def value_at(value: Any, *keys: str | int) -> Any:
    """Return the value under a path of keys and indices; None if there is none.

    An index may also be a key of an object: some readers keep only those items of an array that they cannot rebuild,
    as an object by index.
    """
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(str(key))
        else:
            value = value[key] if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value) else None
    return value


def number_at(value: Any, *keys: str | int) -> float | None:
    """Like `value_at`, but None unless it is a finite number."""
    item = value_at(value, *keys)
    if isinstance(item, bool) or not isinstance(item, (int, float)):
        return None
    try:
        finite = float(item)
    except OverflowError:  # an integer beyond the largest float
        return None
    return finite if math.isfinite(finite) else None


def text_at(value: Any, *keys: str | int) -> str | None:
    """Like `value_at`, but None unless it is a string."""
    item = value_at(value, *keys)
    return item if isinstance(item, str) else None


def _items_at(value: Any, *keys: str | int) -> Iterable[Any]:
    """The items of an array, or the values of an object; none of anything else."""
    items = value_at(value, *keys)
    if isinstance(items, Mapping):
        return items.values()
    return items if isinstance(items, list) else ()


def _point(value: Any) -> Point | None:
    x, y = number_at(value, "x"), number_at(value, "y")
    return None if x is None or y is None else (x, y)


# Objects in images.


def truths(explanation: Explanation) -> list[tuple[str, Box]]:
    """Return labels and boxes (in pixels) of the ground truth."""
    boxes = []
    for item in _items_at(explanation.attributes, "edge-impulse", "sample", "boundingBoxes"):
        label = text_at(item, "label")
        x, y, width, height = (number_at(item, key) for key in ("x", "y", "width", "height"))
        if label is None or x is None or y is None or width is None or height is None or width < 0 or height < 0:
            continue
        boxes.append((label, Box(x, y, x + width, y + height, "pixel")))
    return boxes


@dataclass(frozen=True, slots=True)
class Centroid:
    """Centre of a true or predicted object in fractions of the image, and whether a counterpart matches it."""

    at: Point
    label: str
    matched: bool


@dataclass(frozen=True, slots=True)
class Link:
    """Centres of a predicted and a true object that are matched to each other."""

    prediction: Point
    truth: Point


def centroids(explanation: Explanation) -> tuple[list[Centroid], list[Centroid], list[Link]]:
    """Return the true centroids, the predicted ones, and the links between them, from the test of a detector."""
    record = value_at(explanation.attributes, "edge-impulse", "centroids")
    true, predicted = _centroids_by_index(record, "truths"), _centroids_by_index(record, "predictions")
    links = []
    for link in _items_at(record, "links"):
        prediction = predicted.get(value_at(link, "prediction"))
        truth = true.get(value_at(link, "truth"))
        if prediction is not None and truth is not None:
            links.append(Link(prediction.at, truth.at))
    return list(true.values()), list(predicted.values()), links


def _centroids_by_index(record: Any, kind: str) -> dict[int, Centroid]:
    """Centroids by their index in the array, by which links refer to them."""
    by_index = {}
    for i, item in enumerate(_items_at(record, kind)):
        at = _point(item)
        if at is not None:
            label = text_at(item, "name") or f"label {value_at(item, 'label')}"
            by_index[i] = Centroid(at, label, value_at(item, "matched") is True)
    return by_index


def has_only_centre(explanation: Explanation, prediction: Prediction) -> bool:
    """Whether a prediction comes from a detector that finds centres of objects, not their sizes (FOMO)."""
    blocks = value_at(explanation.attributes, "edge-impulse", "classifications")
    block_id = prediction.attributes.get("learnBlock")
    if block_id is None:
        return text_at(blocks, 0, "objectDetectionLastLayer") == "fomo"
    return any(
        value_at(block, "learnBlock", "id") == block_id and text_at(block, "objectDetectionLastLayer") == "fomo"
        for block in _items_at(blocks)
    )


def is_read_text(prediction: Prediction) -> bool:
    """Whether the label is text that was read in the image."""
    return prediction.attributes.get("feature") in _READ_FEATURES


def keypoints(prediction: Prediction) -> dict[str, Point]:
    """Return the named points of an object, in fractions of the image."""
    items = value_at(prediction.attributes, "keypoints", "keypoints")
    if not isinstance(items, Mapping):
        return {}
    points = {name: _point(value_at(item, "point")) for name, item in items.items()}
    return {name: point for name, point in points.items() if point is not None}


def asset(prediction: Prediction) -> tuple[str, Region | None] | None:
    """Return the name of the asset that a tag is matched to, and the asset's region in the image if that is known."""
    reference = prediction.attributes.get("assetRef")
    name = text_at(reference, "externalId")
    if name is None:
        asset_id = value_at(reference, "id")
        if not isinstance(asset_id, int):
            return None
        name = f"id {asset_id}"
    return name, _region(prediction.attributes.get("objectRegion"))


def _region(value: Any) -> Region | None:
    edges = [number_at(value, "boundingBox", key) for key in ("xMin", "yMin", "xMax", "yMax")]
    x0, y0, x1, y1 = edges
    if x0 is not None and y0 is not None and x1 is not None and y1 is not None and x0 <= x1 and y0 <= y1:
        return Box(x0, y0, x1, y1)
    vertices = [_point(item) for kind in ("polygon", "polyline") for item in _items_at(value, kind, "vertices")]
    points = tuple(point for point in vertices if point is not None)
    return Polygon(points) if points else None


def states(prediction: Prediction) -> Iterator[tuple[str, str]]:
    """Yield names and values of an object's state: whether a valve is open, the digits of a gauge."""
    for holder in (prediction.attributes, prediction.attributes.get("keypoints")):
        items = value_at(holder, "attributes")
        for name, item in items.items() if isinstance(items, Mapping) else ():
            value = None if is_secret(name) else value_at(item, "value")
            if isinstance(value, bool):
                yield name, "yes" if value else "no"
            elif isinstance(value, (int, float)):
                yield name, f"{value:.6g}"


def figures(explanation: Explanation) -> list[tuple[str, float]]:
    """Return names and values of metrics that compare the objects found in an image with the ground truth."""
    result = value_at(explanation.attributes, "edge-impulse", "classifications", 0, "structuredResult", 0)
    keys = {"mAP": "mAP", "F1": "f1", "precision": "precision", "recall": "recall"}
    return [(name, value) for name, key in keys.items() if (value := number_at(result, key)) is not None]


# Texts.


def badges(prediction: Prediction) -> tuple[str, ...]:
    """Return names of the thresholds that a score reaches."""
    names = prediction.attributes.get("auto_thresholds")
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def spans(prediction: Prediction) -> Iterator[tuple[str | None, int, int]]:
    """Yield the further spans of a prediction that has several: part, start and stop in code points."""
    for item in _items_at(prediction.attributes, "further_spans"):
        start, stop = value_at(item, "start"), value_at(item, "stop")
        if isinstance(start, int) and isinstance(stop, int) and 0 <= start <= stop:
            yield text_at(item, "part"), start, stop


def properties(explanation: Explanation) -> list[tuple[str, float]]:
    """Return names and values of properties of a text, such as its tone; they have no fixed range."""
    record = value_at(explanation.attributes, "reinfer")
    pairs = [
        (text_at(item, "property_name"), number_at(item, "value")) for item in _items_at(record, "label_properties")
    ]
    pairs.append(("sentiment", number_at(record, "sentiment", "total")))
    return [(name, value) for name, value in pairs if name and value is not None]


def breakdowns(fields: Mapping[str, Any]) -> Iterator[tuple[str, float, list[tuple[str, float]]]]:
    """Yield each property of a text that has a breakdown: its name, its value, and the contributions to it."""
    for item in _items_at(fields, "label_properties"):
        name, total = text_at(item, "name") or text_at(item, "property_name"), number_at(item, "value")
        if name is None or total is None or value_at(item, "breakdown") is None:
            continue
        contributions = [
            (_label(value_at(contribution, "name")), value)
            for kind in ("label_contributions", "other_group_contributions")
            for contribution in _items_at(item, "breakdown", kind)
            if (value := number_at(contribution, "value")) is not None
        ]
        remainder = total - sum(value for _, value in contributions)
        if abs(remainder) > _ROUNDING * max(1.0, abs(total)):
            contributions.append(("everything else", remainder))
        yield name, total, contributions


def _label(value: Any) -> str:
    """The name of a label, or the names of its levels, as one string."""
    return " > ".join(str(level) for level in value) if isinstance(value, list) else str(value)


# Models and jobs.


def importances(fields: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Yield each label with the names and importances of its features, the largest first."""
    labels = value_at(fields, "labels")
    for label, record in labels.items() if isinstance(labels, Mapping) else ():
        features = [
            (axis, value)
            for feature in _items_at(record, "features")
            if (axis := text_at(feature, "axis")) and (value := number_at(feature, "importance")) is not None
        ]
        if features:
            yield label, sorted(features, key=lambda feature: -feature[1])


def metrics(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return tables of metrics: for the job and for each tested part of the model a title, and names and values."""
    record = results.attributes.get("edge-impulse")
    scores = value_at(record, "accuracy")
    of_job = [
        (_spaced(name.removesuffix("Score")), number(score) if name == _MEAN_SQUARED_ERROR else f"{score:.1f} %")
        for name, value in (scores.items() if isinstance(scores, Mapping) else ())
        if name.endswith("Score") and (score := number_at(value)) is not None
    ]
    tables = [("The job's own figures", of_job)] if of_job else []
    for block in _items_at(record, "additionalMetricsByLearnBlock"):
        of_block = [
            (name, value)
            for metric in _items_at(block, "additionalMetrics")
            if (name := text_at(metric, "name")) and (value := text_at(metric, "value")) is not None
        ]
        if of_block:
            tables.append((text_at(block, "learnBlockName") or "a learn block", of_block))
    return tables


def _spaced(name: str) -> str:
    """``totalAccuracy`` as "total accuracy"."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()
