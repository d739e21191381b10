"""What documents say beside the values: it stands in attributes, and what is not of the vendor's form is not drawn.

Vendors' names are known here only; the rest of the pictures asks for truths, keypoints, links and figures.
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

_ROUNDING = 1e-6
_READ = ("text", "assetTag")  # features of Cognite Vision whose labels are what is written there


def value_at(value: Any, *keys: str | int) -> Any:
    """Return what stands in JSON under keys and indices; None if nothing does.

    Some formats keep of an array only what they cannot tell otherwise, in an object by index.
    """
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(str(key))
        else:
            value = value[key] if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value) else None
    return value


def number_at(value: Any, *keys: str | int) -> float | None:
    """The same, if it is a finite number."""
    found = value_at(value, *keys)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    try:
        number = float(found)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def text_at(value: Any, *keys: str | int) -> str | None:
    """The same, if it is a string."""
    found = value_at(value, *keys)
    return found if isinstance(found, str) else None


def _each(value: Any, *keys: str | int) -> Iterable[Any]:
    found = value_at(value, *keys)
    if isinstance(found, Mapping):
        return found.values()
    return found if isinstance(found, list) else ()


def _point(value: Any) -> Point | None:
    x, y = number_at(value, "x"), number_at(value, "y")
    return None if x is None or y is None else (x, y)


# Objects in images.


def truths(explanation: Explanation) -> list[tuple[str, Box]]:
    """The labels and boxes, in pixels, of what is really there."""
    found = []
    for box in _each(explanation.attributes, "edge-impulse", "sample", "boundingBoxes"):
        label = text_at(box, "label")
        x, y, width, height = (number_at(box, key) for key in ("x", "y", "width", "height"))
        if label is None or x is None or y is None or width is None or height is None or width < 0 or height < 0:
            continue
        found.append((label, Box(x, y, x + width, y + height, "pixel")))
    return found


@dataclass(frozen=True, slots=True)
class Centroid:
    """The centre of a true or a predicted object in fractions of the image, and whether it has a partner."""

    at: Point
    label: str
    matched: bool


@dataclass(frozen=True, slots=True)
class Link:
    """The centres of a predicted and of a true object that were taken for the same."""

    prediction: Point
    truth: Point


def centroids(explanation: Explanation) -> tuple[list[Centroid], list[Centroid], list[Link]]:
    """The truths and the predictions that a detector's test compared, and the links between them."""
    said = value_at(explanation.attributes, "edge-impulse", "centroids")
    found: dict[str, dict[int, Centroid]] = {"truths": {}, "predictions": {}}
    for kind, places in found.items():
        for i, one in enumerate(_each(said, kind)):
            at = _point(one)
            if at is not None:
                label = text_at(one, "name") or f"label {value_at(one, 'label')}"
                places[i] = Centroid(at, label, value_at(one, "matched") is True)
    links = []
    for link in _each(said, "links"):
        prediction = found["predictions"].get(value_at(link, "prediction"))
        truth = found["truths"].get(value_at(link, "truth"))
        if prediction is not None and truth is not None:
            links.append(Link(prediction.at, truth.at))
    return list(found["truths"].values()), list(found["predictions"].values()), links


def is_dot(explanation: Explanation, prediction: Prediction) -> bool:
    """Whether a detector says of an object where its centre is, and not how large it is."""
    blocks = value_at(explanation.attributes, "edge-impulse", "classifications")
    number = prediction.attributes.get("learnBlock")
    if number is None:
        return text_at(blocks, 0, "objectDetectionLastLayer") == "fomo"
    return any(
        value_at(one, "learnBlock", "id") == number and text_at(one, "objectDetectionLastLayer") == "fomo"
        for one in _each(blocks)
    )


def is_read(prediction: Prediction) -> bool:
    """Whether the label is what is written there."""
    return prediction.attributes.get("feature") in _READ


def keypoints(prediction: Prediction) -> dict[str, Point]:
    """The places of named points in fractions of the image."""
    said = value_at(prediction.attributes, "keypoints", "keypoints")
    places = {name: _point(value_at(one, "point")) for name, one in said.items()} if isinstance(said, Mapping) else {}
    return {name: place for name, place in places.items() if place is not None}


def asset(prediction: Prediction) -> tuple[str, Region | None] | None:
    """What a tag is taken for, and where that is in the image."""
    said = prediction.attributes.get("assetRef")
    name = text_at(said, "externalId")
    if name is None:
        number = value_at(said, "id")
        if not isinstance(number, int):
            return None
        name = f"id {number}"
    return name, _region(prediction.attributes.get("objectRegion"))


def _region(said: Any) -> Region | None:
    edges = [number_at(said, "boundingBox", key) for key in ("xMin", "yMin", "xMax", "yMax")]
    x0, y0, x1, y1 = edges
    if x0 is not None and y0 is not None and x1 is not None and y1 is not None and x0 <= x1 and y0 <= y1:
        return Box(x0, y0, x1, y1)
    vertices = [_point(one) for kind in ("polygon", "polyline") for one in _each(said, kind, "vertices")]
    points = tuple(point for point in vertices if point is not None)
    return Polygon(points) if points else None


def states(prediction: Prediction) -> Iterator[tuple[str, str]]:
    """Names and values of what a detection says besides: the state of a valve, the digits of a gauge."""
    for said in (prediction.attributes, prediction.attributes.get("keypoints")):
        found = value_at(said, "attributes")
        for name, one in found.items() if isinstance(found, Mapping) else ():
            value = None if is_secret(name) else value_at(one, "value")
            if isinstance(value, bool):
                yield name, "yes" if value else "no"
            elif isinstance(value, (int, float)):
                yield name, f"{value:.6g}"


# Texts.


def badges(prediction: Prediction) -> tuple[str, ...]:
    """Names of the thresholds that a score meets."""
    said = prediction.attributes.get("auto_thresholds")
    return tuple(name for name in said if isinstance(name, str)) if isinstance(said, list) else ()


def spans(prediction: Prediction) -> Iterator[tuple[str | None, int, int]]:
    """Further places of what a prediction's span marks: part, start and stop in code points."""
    for one in _each(prediction.attributes, "further_spans"):
        start, stop = value_at(one, "start"), value_at(one, "stop")
        if isinstance(start, int) and isinstance(stop, int) and 0 <= start <= stop:
            yield text_at(one, "part"), start, stop


def properties(explanation: Explanation) -> list[tuple[str, float]]:
    """Names and values of what a text is like, such as its tone; they have no fixed range."""
    said = value_at(explanation.attributes, "reinfer")
    found = [(text_at(one, "property_name"), number_at(one, "value")) for one in _each(said, "label_properties")]
    sentiment = number_at(said, "sentiment", "total")
    return [(name, value) for name, value in (*found, ("sentiment", sentiment)) if name and value is not None]


def breakdowns(fields: Mapping[str, Any]) -> Iterator[tuple[str, float, list[tuple[str, float]]]]:
    """For each property of a text its name, its value, and what adds up to it."""
    for one in _each(fields, "label_properties"):
        name, value = text_at(one, "name") or text_at(one, "property_name"), number_at(one, "value")
        if name is None or value is None or value_at(one, "breakdown") is None:
            continue
        parts = [
            (_path(value_at(said, "name")), part)
            for kind in ("label_contributions", "other_group_contributions")
            for said in _each(one, "breakdown", kind)
            if (part := number_at(said, "value")) is not None
        ]
        rest = value - sum(part for _, part in parts)
        if abs(rest) > _ROUNDING * max(1.0, abs(value)):
            parts.append(("everything else", rest))
        yield name, value, parts


def _path(said: Any) -> str:
    """A label: its name, or the names of its levels."""
    return " > ".join(str(level) for level in said) if isinstance(said, list) else str(said)


# Models and jobs.


def importances(fields: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """For each label the names and the importance of its features, the largest first."""
    labels = value_at(fields, "labels")
    for label, said in labels.items() if isinstance(labels, Mapping) else ():
        found = [
            (axis, value)
            for one in _each(said, "features")
            if (axis := text_at(one, "axis")) and (value := number_at(one, "importance")) is not None
        ]
        if found:
            yield label, sorted(found, key=lambda one: -one[1])


def figures(explanation: Explanation) -> list[tuple[str, float]]:
    """How well what was found in an image agrees with what is there: names and values."""
    said = value_at(explanation.attributes, "edge-impulse", "classifications", 0, "structuredResult", 0)
    named = {"mAP": "mAP", "F1": "f1", "precision": "precision", "recall": "recall"}
    return [(name, value) for name, key in named.items() if (value := number_at(said, key)) is not None]


#: The one figure of a job that is no percentage: a mean squared error.
_ERROR = "mseScore"


def metrics(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """For the job, and each part of a model that was tested, its name, and names and values of its figures."""
    said = results.attributes.get("edge-impulse")
    scores = value_at(said, "accuracy")
    named = scores.items() if isinstance(scores, Mapping) else ()
    own = [
        (_words(name.removesuffix("Score")), number(score) if name == _ERROR else f"{score:.1f} %")
        for name, value in named
        if name.endswith("Score") and (score := number_at(value)) is not None
    ]
    found = [("The job's own figures", own)] if own else []
    for block in _each(said, "additionalMetricsByLearnBlock"):
        values = [
            (name, value)
            for one in _each(block, "additionalMetrics")
            if (name := text_at(one, "name")) and (value := text_at(one, "value")) is not None
        ]
        if values:
            found.append((text_at(block, "learnBlockName") or "a learn block", values))
    return found


def _words(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()
