"""Annotation types of Cognite: rectangles, polygons, lines, keypoints and attributes.

Coordinates are fractions of the image with the origin at the top left; ``yMin`` is the upper edge. A geometry is read
as a region of xplain and the attributes that a region has no field for (confidences, whether a line is closed).
Keypoints, named attributes and references to assets are checked and kept as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Polygon
from xplain.formatters.core.lookup import fields_at
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

# Limits of the API.
MAX_LABEL = 128  # characters
MAX_DESCRIPTION = 500  # characters
MAX_VERTICES = 1000
GEOMETRIES = ("boundingBox", "polygon", "polyline")
"""Keys of an object's geometry, of which it has exactly one."""


def int64(at: At) -> int:
    """Read an integer of 64 bits."""
    value = integer()(at)
    if not -(2**63) <= value < 2**63:
        raise at.rejected("an integer of 64 bits")
    return value


FRACTION = between(0, 1)
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
"""Read named attributes: of a detection, of a keypoint or of a collection of keypoints."""


# Reading geometries.


@dataclass(frozen=True, slots=True)
class Shape:
    """A geometry as a region, with the attributes of the prediction that say the rest of it."""

    region: Box | Polygon
    attributes: dict[str, Any]


def _rectangle(
    xmin: float, ymin: float, xmax: float, ymax: float, confidence: float | None, rest: dict[str, Any]
) -> Shape:
    for axis, least, most in (("x", xmin, xmax), ("y", ymin, ymax)):
        if least >= most:
            raise DocumentError(f"must be less than {axis}Max, got {least!r} and {most!r}", path=f"$.{axis}Min")
    attributes: dict[str, Any] = {} if confidence is None else {"regionConfidence": confidence}
    attributes |= {"regionExtra": rest} if rest else {}
    return Shape(Box(xmin, ymin, xmax, ymax), attributes)


RECTANGLE: Reader[Shape] = record(
    _rectangle,
    rest={},
    xmin=Field(FRACTION, "xMin"),
    ymin=Field(FRACTION, "yMin"),
    xmax=Field(FRACTION, "xMax"),
    ymax=Field(FRACTION, "yMax"),
    confidence=nullable(FRACTION),
)

_VERTICES = record(
    lambda vertices: vertices,
    vertices=array(record(lambda **vertex: vertex, x=FRACTION, y=FRACTION, confidence=nullable(FRACTION))),
)


def _vertices(least: int, closed: bool) -> Reader[Shape]:
    """Make a reader of a polygon or of a line."""

    def read(at: At) -> Shape:
        vertices = _VERTICES(at)
        if not least <= len(vertices) <= MAX_VERTICES:
            raise at["vertices"].rejected(f"an array of {least} to {MAX_VERTICES}")
        confidences = [vertex["confidence"] for vertex in vertices]
        # A region of two points is a line anyway.
        attributes: dict[str, Any] = {} if closed or len(vertices) < 3 else {"closed": False}
        if any(confidence is not None for confidence in confidences):
            attributes["pointConfidences"] = confidences
        return Shape(Polygon(tuple((vertex["x"], vertex["y"]) for vertex in vertices)), attributes)

    return read


GEOMETRY_FIELDS: dict[str, Reader[Any]] = {
    "boundingBox": nullable(RECTANGLE),
    "polygon": nullable(_vertices(3, closed=True)),
    "polyline": nullable(_vertices(2, closed=False)),
}
"""Readers of the geometry of an object; `only_shape` takes the one that is there."""


def only_shape(at: At, geometries: dict[str, Any]) -> Shape:
    """Return the only geometry of an object that was read with `GEOMETRY_FIELDS`."""
    shapes: list[Shape] = [value for key in GEOMETRIES if (value := geometries[key]) is not None]
    if len(shapes) != 1:
        raise at.rejected(f"an object with exactly one of {', '.join(GEOMETRIES)}")
    return shapes[0]


# Objects that are kept as JSON.


def object_region(at: At) -> dict[str, Any]:
    """Check the geometry of the object that a tag is on."""
    only_shape(at, record(dict, rest=None, **GEOMETRY_FIELDS)(at))
    return keep({})(at)


def asset_reference(at: At) -> dict[str, Any]:
    """Check a reference to an asset: by its id or by its external id."""
    reference = keep({"id": optional(int64), "externalId": optional(string)})(at)
    if ("id" in reference) == ("externalId" in reference):
        raise at.rejected("an object with exactly one of id, externalId")
    return reference


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
"""Check a collection of named keypoints."""


# Writing.


def write_shape(region: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """Write a region as the nearest geometry that a document may hold; no region becomes the whole image."""
    if isinstance(region, Polygon):
        return _write_vertices(region, attributes)
    box = region if isinstance(region, Box) else Box(0, 0, 1, 1)
    rectangle = write_rectangle(box, attributes)
    if rectangle is None:  # without an area it is a line
        return write_shape(Polygon(((box.x0, box.y0), (box.x1, box.y1))), {})
    return {"boundingBox": rectangle}


def _write_vertices(polygon: Polygon, attributes: dict[str, Any]) -> dict[str, Any]:
    vertices = [{"x": _clip(x), "y": _clip(y)} for x, y in polygon.points[:MAX_VERTICES]]
    confidences = attributes.get("pointConfidences")
    if isinstance(confidences, list) and len(confidences) == len(vertices):
        for vertex, confidence in zip(vertices, map(_number, confidences), strict=True):
            if confidence is not None:
                vertex["confidence"] = _clip(confidence)
    closed = len(vertices) >= 3 and attributes.get("closed") is not False
    # A line needs two points.
    return {"polygon" if closed else "polyline": {"vertices": vertices if len(vertices) > 1 else vertices * 2}}


def write_rectangle(region: Any, attributes: dict[str, Any]) -> dict[str, Any] | None:
    """Write a box, or the box around a polygon, cut to the image; None if it has no area there."""
    box = region.bbox if isinstance(region, Polygon) else region if isinstance(region, Box) else Box(0, 0, 1, 1)
    edges = {"xMin": _clip(box.x0), "xMax": _clip(box.x1), "yMin": _clip(box.y0), "yMax": _clip(box.y1)}
    if edges["xMin"] >= edges["xMax"] or edges["yMin"] >= edges["yMax"]:
        return None
    unknown = {key: value for key, value in fields_at(attributes, "regionExtra").items() if key != "confidence"}
    confidence = _number(attributes.get("regionConfidence"))
    return {**unknown, **edges, **({} if confidence is None else {"confidence": _clip(confidence)})}


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
