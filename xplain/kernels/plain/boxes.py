"""NumPy twins of ``_boxes_numba``: every box against every box that may matter."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


def first_bad(boxes: Float64, limit: float) -> int:
    """Return the first row that has NaN, a number beyond the limit or an end before its start, or -1."""
    good = (np.abs(boxes) <= limit).all(axis=1) & (boxes[:, :2] <= boxes[:, 2:]).all(axis=1)
    return -1 if good.all() else int(good.argmin())


def _areas(boxes: Float64) -> Float64:
    """Areas of boxes (..., 4); what lies between two boxes that do not meet has 0."""
    area: Float64 = np.maximum(boxes[..., 2] - boxes[..., 0], 0.0) * np.maximum(boxes[..., 3] - boxes[..., 1], 0.0)
    return area


def _shared(a: Float64, b: Float64) -> Float64:
    """Areas that boxes have in common; (..., 4) and (..., 4) are broadcast."""
    return _areas(np.concatenate([np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])], axis=-1))


def overlap(a: Float64, b: Float64) -> Float64:
    """Intersection over union; (..., 4) and (..., 4) are broadcast."""
    common = _shared(a, b)
    union = _areas(a) + _areas(b) - common
    return np.divide(common, union, out=np.zeros_like(union), where=union > 0)


def iou(a: Float64, b: Float64, out: Float64) -> None:
    """Fill ``out`` (M, N) with the overlaps of ``a`` (M, 4) and ``b`` (N, 4)."""
    for box, row in zip(a, out, strict=True):
        row[:] = overlap(box, b)


def suppress(boxes: Float64, order: Int64, starts: Int64, threshold: float, by: Int64) -> None:
    """Fill ``by`` with the kept box that suppresses each box: the first in the order, or -1 for a box that is kept.

    ``order[starts[g]:starts[g + 1]]`` are the boxes of one label, best first; labels do not meet.
    """
    areas = _areas(boxes)
    for start, stop in itertools.pairwise(starts.tolist()):
        kept: list[int] = []
        for i in order[start:stop].tolist():
            common = _shared(boxes[i], boxes[kept])
            hits = np.flatnonzero(common > threshold * (areas[i] + areas[kept] - common))
            by[i] = kept[hits[0]] if hits.size else -1
            if not hits.size:
                kept.append(i)
