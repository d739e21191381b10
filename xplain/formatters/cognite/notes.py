"""Notes of Cognite's documents: points, readings and states of objects, and the assets that tags are matched to."""

from __future__ import annotations

from typing import Any

from xplain.explanation import Box, Explanation, Polygon, Prediction, Record, Region, Results
from xplain.explanation.notes import Keypoint, Match, Measure, Notes, PredictionNotes, note_each
from xplain.explanation.secrets import is_secret
from xplain.formatters.cognite.gauges import read_gauge
from xplain.formatters.cognite.matches import MAX_CHARACTERS, align
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

_ATTRIBUTES = frozenset(("assetRef", "attributes", "closed", "feature", "keypoints", "unscored"))
_READ_FEATURES = ("text", "assetTag")  # features whose labels are text read in the image


def notes(value: Explanation | Results | Record) -> Notes:
    """Return what is said of the objects and texts in an image; nothing of a job or a record."""
    if not isinstance(value, Explanation):
        return Notes()
    return Notes(note_each(value.predictions, _of_prediction, _ATTRIBUTES))


def _of_prediction(prediction: Prediction) -> PredictionNotes:
    attributes = prediction.attributes
    feature = text_at(attributes, "feature")
    return PredictionNotes(
        unscored=flag_at(attributes, "unscored") is True,
        open=flag_at(attributes, "closed") is False,
        read_as=feature if feature in _READ_FEATURES else None,
        keypoints=_keypoints(attributes),
        match=_asset(prediction),
        reading=read_gauge(prediction),
        states=(*_states(attributes), *_states(value_at(attributes, "keypoints"))),
    )


def _keypoints(attributes: Any) -> tuple[Keypoint, ...]:
    """The named points of an object."""
    points = {name: point_at(item, "point") for name, item in fields_at(attributes, "keypoints", "keypoints").items()}
    return tuple(Keypoint(name, point) for name, point in points.items() if point is not None)


def _asset(tag: Prediction) -> Match | None:
    """The asset that a tag is matched to, and the region of the object that the tag is on if that is known."""
    reference, region = value_at(tag.attributes, "assetRef"), _region(value_at(tag.attributes, "objectRegion"))
    name = text_at(reference, "externalId")
    if name is None:
        number = integer_at(reference, "id")
        return None if number is None else Match(f"id {number}", region)
    if max(len(tag.name), len(name)) > MAX_CHARACTERS:
        return Match(name, region)
    return Match(name, region, align(tag.name, name))


def _region(value: Any) -> Region | None:
    edges = [number_at(value, "boundingBox", key) for key in ("xMin", "yMin", "xMax", "yMax")]
    x0, y0, x1, y1 = edges
    if x0 is not None and y0 is not None and x1 is not None and y1 is not None and x0 <= x1 and y0 <= y1:
        return Box(x0, y0, x1, y1)
    vertices = [point_at(item) for kind in ("polygon", "polyline") for item in items_at(value, kind, "vertices")]
    points = tuple(point for point in vertices if point is not None)
    return Polygon(points) if points else None


def _states(holder: Any) -> list[Measure]:
    """The named attributes of an object or of its points: whether a valve is open, the digits of a gauge."""
    states = []
    for name, item in fields_at(holder, "attributes").items():
        flag, number = flag_at(item, "value"), number_at(item, "value")
        if is_secret(name):
            continue
        if flag is not None:
            states.append(Measure(name, "yes" if flag else "no"))
        elif number is not None:
            states.append(Measure(name, number))
    return states
