"""Boxes of Edge Impulse's detections, and the centroids that say why a detection counted.

``debugInfoJson`` is JSON in a string: the centroids of the true and of the predicted objects (fractions of the image),
which prediction was assigned to which truth of the same label, and what was left over. From it precision, recall and
F1 follow: true positives are the assignments, false negatives and false positives the truths and the predictions that
were not assigned; without any object, all three are 1.
"""

from __future__ import annotations

import json
import math
from typing import Any

from xplain.dialects._edge_fields import fields, items
from xplain.dialects._places import At, Problem, Rejected
from xplain.dialects._text import loads
from xplain.dialects._wire import integer, nullable, number, read
from xplain.errors import DocumentError
from xplain.explanation import Box

__all__ = ["box", "centroids", "check_figures", "near", "rectangle", "rectangles"]

Json = dict[str, Any]

#: Half of the second decimal, to which figures are printed.
_ROUNDING = 0.005 + 1e-9


def near(claimed: float, found: float, relative: float = 0.0) -> bool:
    """Whether a figure is one that was found, but for rounding to two decimals (or a relative difference)."""
    return abs(claimed - found) <= max(_ROUNDING, relative * abs(found))


def box(x: float, y: float, width: float, height: float, pixels: bool = False) -> Box:
    """Make a box of its corner and its sides."""
    return Box(x, y, x + width, y + height, "pixel" if pixels else "fraction")


def rectangles(rows: list[list[float]]) -> list[Box]:
    """Make the boxes of one image, which are in pixels if any number is above 1, else fractions of it."""
    pixels = any(value > 1 for row in rows for value in row)
    return [box(x, y, width, height, pixels) for x, y, width, height in rows]


def rectangle(box: Box) -> list[float]:
    """Return x, y, width and height, which lead back to the same box."""
    return [box.x0, box.y0, _extent(box.x0, box.x1), _extent(box.y0, box.y1)]


def _extent(start: float, stop: float) -> float:
    """Return the shortest decimal number that leads from ``start`` to ``stop``: 0.1 from 0.2 to 0.2 + 0.1."""
    extent = stop - start
    if not math.isfinite(extent):
        return 0.0
    near_by = [extent, math.nextafter(extent, math.inf), math.nextafter(extent, 0.0)]
    short = (round(extent, digits) for digits in range(18))
    return next((size for size in (*short, *near_by) if size >= 0 and start + size == stop), extent)


# Centroids.

_POINT = fields(x=number, y=number, label=integer(0))
_DEBUG = fields(
    y_trues=nullable(items(_POINT), []),
    y_preds=nullable(items(_POINT), []),
    assignments=items(fields(yp=integer(0), yt=integer(0), label=integer(0), distance=number)),
    normalised_min_distance=nullable(number),
    all_pairwise_distances=nullable(items(items(number))),
    unassigned_y_true_idxs=items(integer(0)),
    unassigned_y_pred_idxs=items(integer(0)),
)
_FIGURES = ("precision", "recall", "f1")


def _debug(at: At) -> Json:
    """Read the debug information; what is wrong in it has a path that goes on in the string."""
    try:
        inside = At(loads(at.value), at.parent, at.key)
    except DocumentError as error:
        raise Rejected([Problem(at.path, error.message)]) from None
    found = _DEBUG(inside)
    problems: list[Problem] = []

    def check(place: At, index: int, points: str) -> None:
        if points in inside.value and index >= len(found[points]):
            problems.append(place.problem(f"the index of one of {len(found[points])} {points}"))

    for i, link in enumerate(found["assignments"]):
        check(inside["assignments"][i]["yp"], link["yp"], "y_preds")
        check(inside["assignments"][i]["yt"], link["yt"], "y_trues")
    for key, points in (("unassigned_y_true_idxs", "y_trues"), ("unassigned_y_pred_idxs", "y_preds")):
        for i, index in enumerate(found[key]):
            check(inside[key][i], index, points)
    if problems:
        raise Rejected(problems)
    return found


def _figures(found: Json) -> dict[str, float]:
    right = len(found["assignments"])
    missed, extra = len(found["unassigned_y_true_idxs"]), len(found["unassigned_y_pred_idxs"])
    if not right + missed + extra:
        return dict.fromkeys(_FIGURES, 1.0)
    precision = right / (right + extra) if right + extra else 0.0
    recall = right / (right + missed) if right + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def check_figures(at: At, structured: Json) -> None:
    """Compare precision, recall and F1 of one image with what its debug information gives."""
    if "debugInfoJson" not in structured:
        return
    found = _figures(_debug(at["debugInfoJson"]))
    problems = [
        at[key].problem(f"{found[key]:.6g}, as debugInfoJson gives it")
        for key in _FIGURES
        if not near(structured[key], found[key])
    ]
    if problems:
        raise Rejected(problems)


def centroids(structured: Json) -> Json | None:
    """Give the centroids of truths and predictions and what links them, if there is debug information.

    Returns
    -------
    dict or None
        ``truths`` and ``predictions``, each with x, y, label (a number from 1 on), matched and, where the predictions
        tell it, the name of the label; ``links`` with the indices of a prediction and a truth and their distance.
    """
    if "debugInfoJson" not in structured:
        return None
    found: Json = read(_DEBUG, json.loads(structured["debugInfoJson"]))
    labels = structured.get("labels", [])
    told = len(labels) == len(found["y_preds"])
    names = {point["label"]: name for point, name in zip(found["y_preds"], labels, strict=True)} if told else {}
    links = [{"prediction": one["yp"], "truth": one["yt"], "distance": one["distance"]} for one in found["assignments"]]

    def points(key: str, link: str) -> list[Json]:
        matched = {one[link] for one in links}
        return [
            {
                "x": point["x"],
                "y": point["y"],
                "label": point["label"],
                "matched": i in matched,
                **({"name": names[point["label"]]} if point["label"] in names else {}),
            }
            for i, point in enumerate(found[key])
        ]

    return {"truths": points("y_trues", "truth"), "predictions": points("y_preds", "prediction"), "links": links}
