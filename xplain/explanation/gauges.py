"""How the reading of a gauge follows from its keypoints: angles of a dial, heights of a level.

A dial is read clockwise from its start to its end::

    angle = direction of the needle - direction of the start      (clockwise, 0..360 degrees)
    sweep = direction of the end    - direction of the start
    value = minimum + angle / sweep * (maximum - minimum)

Where start or end is not marked, the dead angle between them lies at the bottom. A scale that is not linear is parted
at ``nonLinAngle`` (counted from the start) in one from the minimum to 0 and one from 0 to the maximum. The names of
keypoints and that order are not documented by the vendor: they are inferred from its annotation types and the texts of
its parameters (Cognite Vision, feature extraction).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xplain import _check
from xplain.explanation.core import Prediction
from xplain.explanation.regions import Box, Polygon

_CLAIMS = ("reading", "value", "level")
_POINTS = {
    "start": ("start", "min"),
    "end": ("end", "max"),
    "needle": ("needle", "tip", "value", "needle_tip"),
    "center": ("center", "centre", "pivot"),
    "bottom": ("bottom", "start", "min"),
    "top": ("top", "end", "max"),
    "value": ("value", "level", "reading"),
}
_TURN = 360.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a gauge shows, and how that follows.

    Parameters
    ----------
    value : float
        In the unit of the scale; the fraction if the scale is not known.
    fraction : float
        How far along the scale, 0..1.
    claimed : float, optional
        What the document says.
    angle, start, sweep : float, optional
        Of a dial, in degrees clockwise: of the needle from the start, of the start from the right, of the whole scale.
    """

    value: float
    fraction: float
    claimed: float | None = None
    angle: float | None = None
    start: float | None = None
    sweep: float | None = None

    @property
    def difference(self) -> float | None:
        """What is claimed less what follows, in the unit of the scale."""
        return None if self.claimed is None else self.claimed - self.value


def read_gauge(prediction: Prediction) -> Reading | None:
    """Derive the reading of a dial or level gauge from its keypoints.

    Parameters
    ----------
    prediction : Prediction
        With ``attributes``: ``feature`` (``"dialGauge"`` or ``"levelGauge"``), ``keypoints``, and ``scale`` if it is
        known. A dial is taken for round and seen face on, so its region says how wide the image's fractions are.

    Returns
    -------
    Reading or None
        None if it is no such gauge or a keypoint is missing.

    Raises
    ------
    InputError
        If the attributes are not of that form.

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
    find = _dial if feature == "dialGauge" else _level
    return find(_points(collection, prediction.region), scale, next(iter(claims), None))


def pointer(prediction: Prediction) -> tuple[Point, Point] | None:
    """Return the ends of the line that shows a reading, in fractions of the image.

    Of a dial from the centre to the tip of the needle, of a level from the bottom to its surface; None if `read_gauge`
    reads nothing.

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
    dial = prediction.attributes["feature"] == "dialGauge"
    points = _points(prediction.attributes["keypoints"], prediction.region)
    start = (_find(points, "center") or (0.5, 0.5)) if dial else _find(points, "bottom")
    stop = _find(points, "needle" if dial else "value")
    assert start is not None  # or there were no reading
    assert stop is not None
    box = _frame(prediction.region)
    width, height = box.x1 - box.x0 or 1.0, box.y1 - box.y0 or 1.0
    (x0, y0), (x1, y1) = start, stop
    return (box.x0 + x0 * width, box.y0 + y0 * height), (box.x0 + x1 * width, box.y0 + y1 * height)


def _points(collection: Mapping[str, Any], region: Any) -> dict[str, Point]:
    """Place keypoints in the region's own fractions."""
    box = _frame(region)
    width, height = (box.x1 - box.x0) or 1.0, (box.y1 - box.y0) or 1.0
    points = {}
    for name, keypoint in _check.mapping("keypoints", collection.get("keypoints", {})).items():
        point = _check.mapping(f"keypoints.{name}.point", _check.mapping(f"keypoints.{name}", keypoint).get("point"))
        x, y = (_check.number(f"keypoints.{name}.point.{axis}", point.get(axis)) for axis in "xy")
        points[name.casefold()] = ((x - box.x0) / width, (y - box.y0) / height)
    return points


def _frame(region: Any) -> Box:
    """The box around a region, or that of the whole image."""
    return region.bbox if isinstance(region, Polygon) else region if isinstance(region, Box) else Box(0, 0, 1, 1)


def _claims(said: Mapping[str, Any]) -> list[float]:
    """Find the reading that a document claims: by its name, or the only number that it gives."""
    attributes = _check.mapping("attributes", said.get("attributes") or {})
    given = {name.casefold(): _check.mapping(f"attributes.{name}", one) for name, one in attributes.items()}
    numbers = {name: float(one["value"]) for name, one in given.items() if one.get("type") == "numerical"}
    named = [numbers[name] for name in _CLAIMS if name in numbers]
    return named or (list(numbers.values()) if len(numbers) == 1 else [])


def _find(points: Mapping[str, Point], role: str) -> Point | None:
    return next((points[name] for name in _POINTS[role] if name in points), None)


def _level(points: Mapping[str, Point], scale: Mapping[str, float], claimed: float | None) -> Reading | None:
    bottom, top, value = (_find(points, role) for role in ("bottom", "top", "value"))
    if bottom is None or top is None or value is None or bottom == top:
        return None
    axis = (top[0] - bottom[0], top[1] - bottom[1])
    along = (value[0] - bottom[0]) * axis[0] + (value[1] - bottom[1]) * axis[1]
    fraction = min(max(along / (axis[0] ** 2 + axis[1] ** 2), 0.0), 1.0)
    low, high = scale.get("minLevel", 0.0), scale.get("maxLevel", 1.0)
    return Reading(low + fraction * (high - low), fraction, claimed)


def _dial(points: Mapping[str, Point], scale: Mapping[str, float], claimed: float | None) -> Reading | None:
    needle, center = _find(points, "needle"), _find(points, "center") or (0.5, 0.5)
    ends = _ends(points, center, scale.get("deadAngle"))
    if needle is None or ends is None or needle == center:
        return None
    start, sweep = ends
    angle = (_direction(center, needle) - start) % _TURN
    if angle > sweep:  # in the dead angle: at the nearer end
        angle = sweep if angle - sweep <= _TURN - angle else 0.0
    low, high, bend = scale.get("minLevel", 0.0), scale.get("maxLevel", 1.0), scale.get("nonLinAngle")
    value = low + angle / sweep * (high - low)
    if bend is not None and 0 < bend < sweep:
        value = low * (1 - angle / bend) if angle <= bend else high * (angle - bend) / (sweep - bend)
    return Reading(value, angle / sweep, claimed, angle, start, sweep)


def _ends(points: Mapping[str, Point], center: Point, dead: float | None) -> tuple[float, float] | None:
    """Direction of the start and sweep of the scale, in degrees."""
    start, end = _find(points, "start"), _find(points, "end")
    if start is not None and end is not None and center not in (start, end):
        sweep = (_direction(center, end) - _direction(center, start)) % _TURN
        return (_direction(center, start), sweep) if sweep else None
    if dead is None or not 0 <= dead < _TURN:
        return None
    return 90.0 + dead / 2, _TURN - dead


def _direction(center: Point, point: Point) -> float:
    """Degrees clockwise from the right, as it is seen: y is down."""
    return math.degrees(math.atan2(point[1] - center[1], point[0] - center[0])) % _TURN
