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
from dataclasses import dataclass
from typing import Any

from xplain import _check
from xplain.explanation.core import Prediction
from xplain.explanation.regions import Box, Polygon

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

Point = tuple[float, float]
"""x and y as fractions of the image or of a region."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a gauge shows, and from which angles that was derived.

    Parameters
    ----------
    value : float
        In the unit of the scale; equal to the fraction if the scale is unknown.
    fraction : float
        How far along the scale, 0..1.
    claimed : float, optional
        The reading in the document.
    angle, start, sweep : float, optional
        Angles of a dial, in degrees clockwise: from the start to the needle, from the right to the start, and of the
        whole scale.
    """

    value: float
    fraction: float
    claimed: float | None = None
    angle: float | None = None
    start: float | None = None
    sweep: float | None = None

    @property
    def difference(self) -> float | None:
        """The claimed reading minus the derived one, in the unit of the scale."""
        return None if self.claimed is None else self.claimed - self.value


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
        None if the prediction is no such gauge or a keypoint is missing.

    Raises
    ------
    InputError
        If the attributes are malformed.

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
    >>> reading.angle, reading.sweep, reading.value
    (135.0, 270.0, 5.0)
    """
    attributes = prediction.attributes
    feature = attributes.get("feature")
    if feature not in ("dialGauge", "levelGauge"):
        return None
    collection = _check.mapping("Prediction.attributes['keypoints']", attributes.get("keypoints", {}))
    scale = _check.mapping("Prediction.attributes['scale']", attributes.get("scale", {}))
    scale = {name: _check.number(f"Prediction.attributes['scale'].{name}", value) for name, value in scale.items()}
    claims = [*_claims(collection), *_claims(attributes)]
    derive = _read_dial if feature == "dialGauge" else _read_level
    return derive(_points(collection, prediction.region), scale, next(iter(claims), None))


def pointer(prediction: Prediction) -> tuple[Point, Point] | None:
    """Return the two ends of the line that shows a reading, in fractions of the image.

    The line of a dial goes from the centre to the tip of the needle, that of a level from the bottom to the surface.
    None if there is no reading, see `read_gauge`.

    Examples
    --------
    >>> points = {"bottom": (0.5, 1), "top": (0.5, 0), "level": (0.5, 0.25)}
    >>> keypoints = {name: {"point": {"x": x, "y": y}} for name, (x, y) in points.items()}
    >>> attributes = {"feature": "levelGauge", "keypoints": {"label": "level", "keypoints": keypoints}}
    >>> pointer(Prediction("level", 0.9, attributes=attributes))
    ((0.5, 1.0), (0.5, 0.25))
    """
    if read_gauge(prediction) is None:
        return None
    is_dial = prediction.attributes["feature"] == "dialGauge"
    points = _points(prediction.attributes["keypoints"], prediction.region)
    start = (_point(points, "center") or _MIDDLE) if is_dial else _point(points, "bottom")
    stop = _point(points, "needle" if is_dial else "value")
    assert start is not None  # otherwise there would be no reading
    assert stop is not None
    box = _frame(prediction.region)
    width, height = _size(box)
    (x0, y0), (x1, y1) = start, stop
    return (box.x0 + x0 * width, box.y0 + y0 * height), (box.x0 + x1 * width, box.y0 + y1 * height)


# Keypoints and claims of a document.


def _points(collection: Mapping[str, Any], region: Any) -> dict[str, Point]:
    """Return keypoints by name, in fractions of the region."""
    box = _frame(region)
    width, height = _size(box)
    points = {}
    for name, keypoint in _check.mapping("keypoints", collection.get("keypoints", {})).items():
        point = _check.mapping(f"keypoints.{name}.point", _check.mapping(f"keypoints.{name}", keypoint).get("point"))
        x, y = (_check.number(f"keypoints.{name}.point.{axis}", point.get(axis)) for axis in "xy")
        points[name.casefold()] = ((x - box.x0) / width, (y - box.y0) / height)
    return points


def _frame(region: Any) -> Box:
    """Return the box around a region, or the whole image."""
    return region.bbox if isinstance(region, Polygon) else region if isinstance(region, Box) else Box(0, 0, 1, 1)


def _size(box: Box) -> tuple[float, float]:
    """Return width and height to divide by; a side without length counts as 1."""
    return (box.x1 - box.x0) or 1.0, (box.y1 - box.y0) or 1.0


def _claims(detection: Mapping[str, Any]) -> list[float]:
    """Return the claimed readings, best first: numerical attributes with a known name, or the only one there is."""
    attributes = _check.mapping("attributes", detection.get("attributes") or {})
    fields = {name.casefold(): _check.mapping(f"attributes.{name}", value) for name, value in attributes.items()}
    numbers = {name: float(value["value"]) for name, value in fields.items() if value.get("type") == "numerical"}
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
    fraction = min(max(product / (axis[0] ** 2 + axis[1] ** 2), 0.0), 1.0)
    low, high = scale.get("minLevel", 0.0), scale.get("maxLevel", 1.0)
    return Reading(low + fraction * (high - low), fraction, claimed)


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
    return Reading(value, angle / sweep, claimed, angle, start, sweep)


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
