"""Readings of gauges, derived from their keypoints: from angles of a dial, from heights of a level.

A document of Cognite claims what a gauge shows. `read_gauge` computes it again, so that a renderer can show where the
value comes from and whether the claim agrees. A dial is read clockwise from its start to its end::

    angle = direction of the needle - direction of the start      (clockwise, 0..360 degrees)
    sweep = direction of the end    - direction of the start
    value = minimum + angle / sweep * (maximum - minimum)

If start or end is not marked, the dead angle between them is taken to be at the bottom. A scale that is not linear has
two linear parts: from the minimum to 0, up to ``nonLinAngle`` from the start, and from 0 to the maximum. The vendor
does not document the names of keypoints and this order; both are inferred from its annotation types and the
descriptions of its parameters (Cognite Vision, feature extraction).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from xplain.explanation import Box, Polygon, Prediction
from xplain.explanation.notes import Point, Reading
from xplain.formatters.core.lookup import fields_at, number_at, point_at, text_at, value_at

#: Attributes that claim a reading, in order of preference.
_CLAIM_NAMES = ("reading", "value", "level")
#: Names of the keypoint of each role, in order of preference.
_KEYPOINT_NAMES = {
    "start": ("start", "min"),
    "end": ("end", "max"),
    "needle": ("needle", "tip", "value", "needle_tip"),
    "center": ("center", "centre", "pivot"),
    "bottom": ("bottom", "start", "min"),
    "top": ("top", "end", "max"),
    "value": ("value", "level", "reading"),
}
_TURN = 360.0  # degrees
_DOWN = 90.0  # direction in degrees clockwise from the right
_MIDDLE = (0.5, 0.5)


def read_gauge(prediction: Prediction) -> Reading | None:
    """Derive the reading of a dial or level gauge from its keypoints.

    Parameters
    ----------
    prediction : Prediction
        With the ``attributes`` ``feature`` (``"dialGauge"`` or ``"levelGauge"``), ``keypoints``, and ``scale`` if it is
        known. A dial is assumed to be round and seen face on, so its region gives the aspect ratio of the image.

    Returns
    -------
    Reading or None
        None if the prediction is no such gauge, a keypoint is missing, or the scale is malformed.

    Examples
    --------
    >>> points = {"start": (0, 1), "end": (1, 1), "needle": (0.5, 0), "center": (0.5, 0.5)}
    >>> keypoints = {name: {"point": {"x": x, "y": y}} for name, (x, y) in points.items()}
    >>> attributes = {
    ...     "feature": "dialGauge",
    ...     "keypoints": {"label": "dial", "keypoints": keypoints},
    ...     "scale": {"minLevel": 0, "maxLevel": 10},
    ... }
    >>> reading = read_gauge(Prediction("dial", 0.9, region=Box(0, 0, 1, 1), attributes=attributes))
    >>> reading.angle, reading.sweep, reading.value, reading.pointer
    (135.0, 270.0, 5.0, ((0.5, 0.5), (0.5, 0.0)))
    """
    attributes = prediction.attributes
    derive = {"dialGauge": _read_dial, "levelGauge": _read_level}.get(text_at(attributes, "feature") or "")
    scale = _scale(attributes)
    if derive is None or scale is None:
        return None
    box = _frame(prediction.region)
    claims = [*_claims(value_at(attributes, "keypoints")), *_claims(attributes)]
    reading = derive(_points(attributes, box), scale, next(iter(claims), None))
    if reading is None or reading.pointer is None:
        return None
    start, stop = (_in_image(point, box) for point in reading.pointer)
    numbers = (reading.value, reading.fraction, *start, *stop)
    # Coordinates of a document may be so large or so near to each other that nothing can be computed of them.
    return replace(reading, pointer=(start, stop)) if all(map(math.isfinite, numbers)) else None


# Keypoints and claims of a document.


def _points(attributes: Any, box: Box) -> dict[str, Point]:
    """Return keypoints by name, in fractions of the region."""
    width, height = _size(box)
    points = {}
    for name, keypoint in fields_at(attributes, "keypoints", "keypoints").items():
        point = point_at(keypoint, "point")
        if point is not None:
            points[name.casefold()] = ((point[0] - box.x0) / width, (point[1] - box.y0) / height)
    return points


def _in_image(point: Point, box: Box) -> Point:
    """Return a point of the region in fractions of the image."""
    width, height = _size(box)
    return box.x0 + point[0] * width, box.y0 + point[1] * height


def _frame(region: Any) -> Box:
    """Return the box around a region, or the whole image."""
    return region.bbox if isinstance(region, Polygon) else region if isinstance(region, Box) else Box(0, 0, 1, 1)


def _size(box: Box) -> tuple[float, float]:
    """Return width and height to divide by; a side without length counts as 1."""
    return (box.x1 - box.x0) or 1.0, (box.y1 - box.y0) or 1.0


def _scale(attributes: Any) -> dict[str, float] | None:
    """Return the numbers of the scale; none where it is unknown, None if it is malformed."""
    if "scale" not in attributes:
        return {}
    scale = value_at(attributes, "scale")
    numbers = {name: number_at(value) for name, value in fields_at(scale).items()}
    known = {name: number for name, number in numbers.items() if number is not None}
    return known if isinstance(scale, Mapping) and len(known) == len(numbers) else None


def _claims(holder: Any) -> list[float]:
    """Return the claimed readings, best first: numerical attributes with a known name, or the only one there is."""
    numbers = {
        name.casefold(): number
        for name, item in fields_at(holder, "attributes").items()
        if text_at(item, "type") == "numerical" and (number := number_at(item, "value")) is not None
    }
    claims = [numbers[name] for name in _CLAIM_NAMES if name in numbers]
    return claims or (list(numbers.values()) if len(numbers) == 1 else [])


def _point(points: Mapping[str, Point], role: str) -> Point | None:
    return next((points[name] for name in _KEYPOINT_NAMES[role] if name in points), None)


# Geometry.


def _read_level(points: Mapping[str, Point], scale: Mapping[str, float], claimed: float | None) -> Reading | None:
    bottom, top, value = (_point(points, role) for role in ("bottom", "top", "value"))
    if bottom is None or top is None or value is None or bottom == top:
        return None
    # Project the surface on the axis from bottom to top.
    axis = (top[0] - bottom[0], top[1] - bottom[1])
    product = (value[0] - bottom[0]) * axis[0] + (value[1] - bottom[1]) * axis[1]
    square = axis[0] * axis[0] + axis[1] * axis[1]
    if not square:  # the points are so near to each other that it is rounded to 0
        return None
    fraction = min(max(product / square, 0.0), 1.0)
    low, high = scale.get("minLevel", 0.0), scale.get("maxLevel", 1.0)
    return Reading(low + fraction * (high - low), fraction, claimed, pointer=(bottom, value))


def _read_dial(points: Mapping[str, Point], scale: Mapping[str, float], claimed: float | None) -> Reading | None:
    needle, center = _point(points, "needle"), _point(points, "center") or _MIDDLE
    scale_angles = _scale_angles(points, center, scale.get("deadAngle"))
    if needle is None or scale_angles is None or needle == center:
        return None
    start, sweep = scale_angles
    angle = (_direction(center, needle) - start) % _TURN
    if angle > sweep:  # in the dead angle: move to the nearer end
        angle = sweep if angle - sweep <= _TURN - angle else 0.0
    low, high, bend = scale.get("minLevel", 0.0), scale.get("maxLevel", 1.0), scale.get("nonLinAngle")
    value = low + angle / sweep * (high - low)
    if bend is not None and 0 < bend < sweep:
        value = low * (1 - angle / bend) if angle <= bend else high * (angle - bend) / (sweep - bend)
    return Reading(value, angle / sweep, claimed, angle, start, sweep, (center, needle))


def _scale_angles(points: Mapping[str, Point], center: Point, dead_angle: float | None) -> tuple[float, float] | None:
    """Return the direction of the start and the sweep of the scale, in degrees."""
    start, end = _point(points, "start"), _point(points, "end")
    if start is not None and end is not None and center not in (start, end):
        sweep = (_direction(center, end) - _direction(center, start)) % _TURN
        return (_direction(center, start), sweep) if sweep else None
    if dead_angle is None or not 0 <= dead_angle < _TURN:
        return None
    return _DOWN + dead_angle / 2, _TURN - dead_angle


def _direction(center: Point, point: Point) -> float:
    """Return degrees clockwise from the right; y points down."""
    return math.degrees(math.atan2(point[1] - center[1], point[0] - center[0])) % _TURN
