"""Boxes: how much they overlap, and non-maximum suppression.

A box is a row ``x0 y0 x1 y1`` with ``x0 <= x1`` and ``y0 <= y1``, in any unit; arrays of boxes are (N, 4) and are
computed with in float64. The overlap of two boxes is their intersection over union (the Jaccard index), 0..1; it is 0
where both are empty. Arguments are checked here, since boxes come from models and documents.
"""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.kernels import jit
from xplain.kernels.plain import boxes as plain
from xplain.kernels.rle_counts import as_finite, format_value

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_COMPILED = "xplain.kernels.compiled.boxes"
_LIMIT = 1e150  # largest coordinate: areas, which are products of two, have to stay finite


def iou(a: npt.ArrayLike, b: npt.ArrayLike) -> Float64:
    """Return the overlap of every box of one array with every box of another.

    Parameters
    ----------
    a, b : array_like
        (M, 4) and (N, 4) boxes.

    Returns
    -------
    float64 array (M, N)
        0..1.

    Raises
    ------
    InputError
        If an array has another shape, or a box has NaN or infinity or ends before it starts.

    Examples
    --------
    >>> iou([[0, 0, 2, 2]], [[0, 0, 2, 2], [0, 1, 2, 3], [2, 0, 4, 2]]).round(2).tolist()
    [[1.0, 0.33, 0.0]]
    """
    first, second = _boxes("a", a), _boxes("b", b)
    result = np.empty((first.shape[0], second.shape[0]))
    kernels = jit.choose(result.size, _COMPILED, plain)
    _refuse_bad_box(kernels, "a", first)
    _refuse_bad_box(kernels, "b", second)
    kernels.iou(first, second, result)
    return result


def nms(boxes: npt.ArrayLike, scores: npt.ArrayLike, threshold: float, labels: npt.ArrayLike | None = None) -> Int64:
    """Choose boxes by greedy non-maximum suppression.

    Boxes are taken by decreasing score, equal ones in the order given. A box is suppressed by a box of the same label
    that was kept before and overlaps it by more than the threshold.

    Parameters
    ----------
    boxes : array_like
        (N, 4).
    scores : array_like
        (N,) finite.
    threshold : float
        0..1; at 1 every box is kept.
    labels : array_like, optional
        (N,) integers; boxes of different labels do not meet. Without them all boxes have one label.

    Returns
    -------
    int64 array
        Indices of the boxes that are kept, by decreasing score.

    Raises
    ------
    InputError
        If an array has another shape, a number is NaN or infinite, a box ends before it starts, or the threshold is
        outside 0..1.

    Examples
    --------
    >>> nms([[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]], scores=[0.5, 0.9, 0.7], threshold=0.5).tolist()
    [1, 2]
    """
    order, suppressor = _suppress(_boxes("boxes", boxes), scores, threshold, labels)
    kept: Int64 = order[suppressor[order] < 0]
    return kept


def suppressors(
    boxes: npt.ArrayLike, scores: npt.ArrayLike, threshold: float, labels: npt.ArrayLike | None = None
) -> tuple[Int64, Float64]:
    """Return which box suppressed which in `nms`, whose arguments and errors these are.

    Returns
    -------
    by : int64 array (N,)
        The box that suppressed each box: of those kept that overlap it by more than the threshold, the one with the
        highest score; -1 for a box that is kept.
    overlap : float64 array (N,)
        The overlap with that box; 0 for a box that is kept.

    Examples
    --------
    >>> by, overlap = suppressors([[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]], [0.5, 0.9, 0.7], threshold=0.5)
    >>> by.tolist(), overlap.tolist()
    ([1, -1, -1], [0.8, 0.0, 0.0])
    """
    rows = _boxes("boxes", boxes)
    _, suppressor = _suppress(rows, scores, threshold, labels)
    overlap = np.where(suppressor < 0, 0.0, plain.overlap(rows, rows[suppressor]))
    return suppressor, overlap


def _suppress(
    boxes: Float64, scores: npt.ArrayLike, threshold: float, labels: npt.ArrayLike | None
) -> tuple[Int64, Int64]:
    """Return the indices of the boxes by decreasing score, and for each box the one that suppresses it, or -1."""
    count = boxes.shape[0]
    values = _numbers("scores", scores)
    if values.shape != (count,):
        raise InputError(f"scores must be of shape ({count},), one for each box, got {values.shape}")
    limit = as_finite("threshold", threshold)
    if not 0 <= limit <= 1:
        raise InputError(f"threshold must be a number 0..1, got {limit}")
    kernels = jit.choose(boxes.size, _COMPILED, plain)
    _refuse_bad_box(kernels, "boxes", boxes)
    order: Int64 = np.argsort(-values, kind="stable")
    if count and not (math.isfinite(values[order[0]]) and math.isfinite(values[order[-1]])):  # NaN is sorted last
        raise InputError("scores must be finite, got NaN or infinity")
    by_label, starts = (order, np.array([0, count])) if labels is None else _group(order, labels)
    suppressor = np.empty(count, np.int64)
    kernels.suppress(boxes, by_label, starts, limit, suppressor)
    return order, suppressor


def _group(order: Int64, labels: npt.ArrayLike) -> tuple[Int64, Int64]:
    """Return an order sorted by label, and where each label starts in it; the last number is the end."""
    count = order.size
    numbers = np.asarray(labels)
    if numbers.shape != (count,) or (count and numbers.dtype.kind not in "iu"):
        raise InputError(f"labels must be integers of shape ({count},), got {numbers.dtype} {numbers.shape}")
    by_label = order[np.argsort(numbers[order], kind="stable")]
    # The label before the first is any other one, so that the first starts a group, too.
    changes = np.diff(numbers[by_label], prepend=numbers[by_label[:1]] - 1)
    return by_label, np.append(np.flatnonzero(changes), count)


def _numbers(name: str, values: npt.ArrayLike) -> Float64:
    """Return a contiguous float64 array."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf" and array.size:
            raise TypeError
    except (TypeError, ValueError):
        raise InputError(f"{name} must be an array of numbers, got {format_value(values)}") from None
    return np.ascontiguousarray(array, np.float64)


def _boxes(name: str, values: npt.ArrayLike) -> Float64:
    """Return a contiguous float64 (N, 4) array; an empty sequence is (0, 4)."""
    boxes = _numbers(name, values)
    if boxes.shape == (0,):
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(f"{name} must be boxes (N, 4), got shape {boxes.shape}")
    return boxes


def _refuse_bad_box(kernels: ModuleType, name: str, boxes: Float64) -> None:
    """Raise unless every row is a box with a finite area."""
    bad = kernels.first_bad(boxes, _LIMIT)
    if bad < 0:
        return
    row = boxes[bad]
    expected = "x0 <= x1 and y0 <= y1" if (np.abs(row) <= _LIMIT).all() else f"finite numbers up to {_LIMIT:g}"
    raise InputError(f"{name}[{bad}] must have {expected}, got {row.tolist()}")
