"""Cognite's annotation types: rectangles, polygons, lines, keypoints and attributes.

Coordinates are fractions of the image with the origin at the top left; ``yMin`` is the upper edge. What the values have
no place for is kept as it stands, after a check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Polygon
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    between,
    boolean,
    integer,
    keep,
    nullable,
    number,
    optional,
    record,
    sized,
    string,
    table,
    tagged,
)

MAX_LABEL = 128
MAX_DESCRIPTION = 500
MAX_VERTICES = 1000
GEOMETRIES = ("boundingBox", "polygon", "polyline")

FRACTION = between(0, 1)


def INT64(at: At) -> int:
    """Read an integer of 64 bits."""
    value = integer()(at)
    if not -(2**63) <= value < 2**63:
        raise at.rejected("an integer of 64 bits")
    return value


LABEL = sized(string, MAX_LABEL, least=1)

_DESCRIPTION = nullable(sized(string, MAX_DESCRIPTION))
ATTRIBUTES: Reader[dict[str, Any]] = table(
    tagged(
        "type",
        {
            "boolean": keep({"type": string, "value": boolean, "description": _DESCRIPTION}),
            "numerical": keep({"type": string, "value": number, "description": _DESCRIPTION}),
        },
    )
)
"""Named attributes of a detection, a keypoint or a collection of those."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A geometry, with what the regions of xplain do not say: plain attributes of a prediction."""

    region: Box | Polygon
    attributes: dict[str, Any]


def _rectangle(xmin: float, ymin: float, xmax: float, ymax: float, confidence: float | None) -> Shape:
    for axis, least, most in (("x", xmin, xmax), ("y", ymin, ymax)):
        if least >= most:
            raise DocumentError(f"must be less than {axis}Max, got {least!r} and {most!r}", path=f"$.{axis}Min")
    said = {} if confidence is None else {"regionConfidence": confidence}
    return Shape(Box(xmin, ymin, xmax, ymax), said)


RECTANGLE: Reader[Shape] = record(
    _rectangle,
    xmin=Field(FRACTION, "xMin"),
    ymin=Field(FRACTION, "yMin"),
    xmax=Field(FRACTION, "xMax"),
    ymax=Field(FRACTION, "yMax"),
    confidence=nullable(FRACTION),
)

_VERTICES = record(
    lambda vertices: vertices,
    vertices=array(record(lambda **point: point, x=FRACTION, y=FRACTION, confidence=nullable(FRACTION))),
)


def _points(least: int, closed: bool) -> Reader[Shape]:
    """Make a reader of a polygon or a line; a line of two points needs no word about that."""

    def read(at: At) -> Shape:
        vertices = _VERTICES(at)
        if not least <= len(vertices) <= MAX_VERTICES:
            raise at["vertices"].rejected(f"an array of {least} to {MAX_VERTICES}")
        confidences = [vertex["confidence"] for vertex in vertices]
        said: dict[str, Any] = {} if closed or len(vertices) < 3 else {"closed": False}
        if any(confidence is not None for confidence in confidences):
            said["pointConfidences"] = confidences
        return Shape(Polygon(tuple((vertex["x"], vertex["y"]) for vertex in vertices)), said)

    return read


_SHAPES: dict[str, Reader[Shape]] = {
    "boundingBox": RECTANGLE,
    "polygon": _points(3, closed=True),
    "polyline": _points(2, closed=False),
}


def shape(at: At, given: dict[str, Any]) -> Shape:
    """Take the one geometry of an object that was read with `GEOMETRIES`."""
    found = [value for key in GEOMETRIES if (value := given[key]) is not None]
    if len(found) != 1:
        raise at.rejected(f"an object with exactly one of {', '.join(GEOMETRIES)}")
    one: Shape = found[0]
    return one


GEOMETRY_FIELDS: dict[str, Reader[Any]] = {key: nullable(reader) for key, reader in _SHAPES.items()}


def OBJECT_REGION(at: At) -> dict[str, Any]:
    """Read a geometry and keep it as it stands."""
    shape(at, record(dict, rest=None, **GEOMETRY_FIELDS)(at))
    return keep({})(at)


def ASSET(at: At) -> dict[str, Any]:
    """Read a reference to an asset: its id or its external id."""
    found = keep({"id": optional(INT64), "externalId": optional(string)})(at)
    if ("id" in found) == ("externalId" in found):
        raise at.rejected("an object with exactly one of id, externalId")
    return found


_POINT = keep({"x": FRACTION, "y": FRACTION, "confidence": nullable(FRACTION)})
_KEYPOINT = keep({"point": _POINT, "confidence": nullable(FRACTION), "attributes": nullable(ATTRIBUTES)})
KEYPOINTS: Reader[dict[str, Any]] = keep(
    {
        "label": LABEL,
        "keypoints": table(_KEYPOINT),
        "attributes": nullable(ATTRIBUTES),
        "confidence": nullable(FRACTION),
    }
)


# Writing.


def write_shape(region: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """Write a region as the nearest geometry that a document may hold; no region is the whole image."""
    if isinstance(region, Polygon):
        points = [{"x": _clip(x), "y": _clip(y)} for x, y in region.points[:MAX_VERTICES]]
        confidences = attributes.get("pointConfidences")
        if isinstance(confidences, list) and len(confidences) == len(points):
            said = [{} if value is None else {"confidence": _clip(value)} for value in map(_number, confidences)]
            points = [{**point, **one} for point, one in zip(points, said, strict=True)]
        closed = len(points) >= 3 and attributes.get("closed") is not False
        return {"polygon" if closed else "polyline": {"vertices": points if len(points) > 1 else points * 2}}
    box = region if isinstance(region, Box) else Box(0, 0, 1, 1)
    rectangle = write_rectangle(box, attributes)
    if rectangle is None:
        return write_shape(Polygon(((box.x0, box.y0), (box.x1, box.y1))), {})
    return {"boundingBox": rectangle}


def write_rectangle(region: Any, attributes: dict[str, Any]) -> dict[str, Any] | None:
    """Write a box, or that of a polygon, cut to the image; None if nothing of it is left."""
    box = region.bbox if isinstance(region, Polygon) else region if isinstance(region, Box) else Box(0, 0, 1, 1)
    edges = {"xMin": _clip(box.x0), "xMax": _clip(box.x1), "yMin": _clip(box.y0), "yMax": _clip(box.y1)}
    if edges["xMin"] >= edges["xMax"] or edges["yMin"] >= edges["yMax"]:
        return None
    confidence = _number(attributes.get("regionConfidence"))
    return edges if confidence is None else {**edges, "confidence": _clip(confidence)}


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
