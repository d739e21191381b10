"""NumPy twins of `xplain.kernels.compiled.boxes`: every box meets every box that may suppress it."""

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
    """Areas of boxes (..., 4); 0 where a box ends before it starts, as the intersection of two that do not meet."""
    areas: Float64 = np.maximum(boxes[..., 2] - boxes[..., 0], 0.0) * np.maximum(boxes[..., 3] - boxes[..., 1], 0.0)
    return areas


def _intersection_areas(a: Float64, b: Float64) -> Float64:
    """Areas of the intersections of boxes; (..., 4) and (..., 4) are broadcast."""
    return _areas(np.concatenate([np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])], axis=-1))


def overlap(a: Float64, b: Float64) -> Float64:
    """Intersection over union; (..., 4) and (..., 4) are broadcast."""
    common = _intersection_areas(a, b)
    union = _areas(a) + _areas(b) - common
    return np.divide(common, union, out=np.zeros_like(union), where=union > 0)


def iou(a: Float64, b: Float64, out: Float64) -> None:
    """Fill ``out`` (M, N) with the overlaps of ``a`` (M, 4) and ``b`` (N, 4)."""
    for box, row in zip(a, out, strict=True):
        row[:] = overlap(box, b)


def suppress(boxes: Float64, order: Int64, starts: Int64, threshold: float, by: Int64) -> None:
    """Fill ``by`` with the kept box that suppresses each box, the first in the order; -1 for a box that is kept.

    ``order[starts[g]:starts[g + 1]]`` are the boxes of one label, best first. Boxes of two labels never meet.
    """
    areas = _areas(boxes)
    for start, stop in itertools.pairwise(starts.tolist()):
        kept: list[int] = []
        for i in order[start:stop].tolist():
            common = _intersection_areas(boxes[i], boxes[kept])
            suppressing = np.flatnonzero(common > threshold * (areas[i] + areas[kept] - common))
            by[i] = kept[suppressing[0]] if suppressing.size else -1
            if not suppressing.size:
                kept.append(i)
