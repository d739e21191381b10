"""Numba kernels of boxes; `xplain.kernels.plain.boxes` has the same functions in NumPy.

`suppress` lays a grid over the boxes of a label, with cells about half as long as the mean box, and files every box
that is kept under each cell that it covers. A candidate meets the few kept boxes of its middle cells instead of all of
them, so the time grows with the number of boxes and not with its square.

Why its middle is enough: a box that overlaps a candidate of width w by more than t has more than t * w of it in common
on the x axis, wherever that lies; so it reaches into what remains of the candidate when t * w (at most half of w) is
cut off either side. The same holds for y.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.kernels.jit import kernel

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_MOST_CELLS = 64  # along an axis; bounds the memory that a few huge boxes among tiny ones can take


@kernel
def first_bad(boxes: Float64, limit: float) -> int:
    """Return the first row that has NaN, a number beyond the limit or an end before its start, or -1."""
    for i in range(boxes.shape[0]):
        x0, y0, x1, y1 = boxes[i]
        if not (-limit <= x0 <= x1 <= limit and -limit <= y0 <= y1 <= limit):
            return i
    return -1


@kernel
def iou(a: Float64, b: Float64, out: Float64) -> None:
    """Fill ``out`` (M, N) with the overlaps of ``a`` (M, 4) and ``b`` (N, 4)."""
    # Columns of their rows, so that the inner loop turns into vector code.
    left, top, right, bottom = b[:, 0].copy(), b[:, 1].copy(), b[:, 2].copy(), b[:, 3].copy()
    areas = (right - left) * (bottom - top)
    for i in range(a.shape[0]):
        x0, y0, x1, y1 = a[i]
        area = (x1 - x0) * (y1 - y0)
        row = out[i]
        for j in range(row.size):
            width = max(min(x1, right[j]) - max(x0, left[j]), 0.0)
            height = max(min(y1, bottom[j]) - max(y0, top[j]), 0.0)
            common = width * height
            union = area + areas[j] - common
            row[j] = common / union if union > 0.0 else 0.0


@kernel
def _axis(low: Any, high: Any) -> tuple[float, float, int]:
    """Divide one axis into cells: where the first starts, cells per unit of length, and the number of cells."""
    start, size, mean = low.min(), high.max() - low.min(), (high - low).mean()
    most = min(_MOST_CELLS, int(math.sqrt(low.size)) + 1)
    cells = int(min(2.0 * size / mean, most)) if mean > 0.0 else most
    return start, (cells / size if size > 1e-150 else 0.0), cells  # a density has to be finite


@kernel
def _cells(axis: tuple[float, float, int], low: float, high: float) -> tuple[int, int]:
    """First and last cell of a range."""
    start, density, cells = axis
    return min(int((low - start) * density), cells - 1), min(int((high - start) * density), cells - 1)


@kernel
def suppress(boxes: Float64, order: Int64, starts: Int64, threshold: float, by: Int64) -> None:
    """Fill ``by`` with the kept box that suppresses each box, the first in the order; -1 for a box that is kept.

    ``order[starts[g]:starts[g + 1]]`` are the boxes of one label, best first. Boxes of two labels never meet.
    """
    margin = min(threshold, 0.4999)  # below a half, so that rounding cannot turn the middle inside out
    for g in range(starts.size - 1):
        group = order[starts[g] : starts[g + 1]]
        if group.size == 0:
            continue
        rows = boxes[group]
        x, y = _axis(rows[:, 0], rows[:, 2]), _axis(rows[:, 1], rows[:, 3])
        columns, covered = x[2], 0  # cells that the boxes cover, those of several boxes more than once
        for k in range(group.size):
            (c0, c1), (r0, r1) = _cells(x, rows[k, 0], rows[k, 2]), _cells(y, rows[k, 1], rows[k, 3])
            covered += (c1 - c0 + 1) * (r1 - r0 + 1)
        # The kept boxes of a cell form a linked list: `newest` is its head; a link has an owner and a previous link.
        newest = np.full(y[2] * columns, -1, np.int64)
        owner, previous, links = np.empty(covered, np.int64), np.empty(covered, np.int64), 0
        for k in range(group.size):
            x0, y0, x1, y1 = rows[k]
            width, height = x1 - x0, y1 - y0
            area = width * height
            # The middle cells: where every kept box that could suppress this one is filed.
            c0, c1 = _cells(x, x0 + margin * width, x1 - margin * width)
            r0, r1 = _cells(y, y0 + margin * height, y1 - margin * height)
            best = group.size  # index in the group of the best box that suppresses this one; none yet
            for r in range(r0, r1 + 1):
                for c in range(c0, c1 + 1):
                    link = newest[r * columns + c]
                    while link >= 0:
                        j = owner[link]
                        link = previous[link]
                        left, top, right, bottom = rows[j]
                        common = max(min(x1, right) - max(x0, left), 0.0) * max(min(y1, bottom) - max(y0, top), 0.0)
                        if common > threshold * (area + (right - left) * (bottom - top) - common):
                            best = min(best, j)
            if best < group.size:
                by[group[k]] = group[best]
                continue
            by[group[k]] = -1
            (c0, c1), (r0, r1) = _cells(x, x0, x1), _cells(y, y0, y1)
            for r in range(r0, r1 + 1):
                for c in range(c0, c1 + 1):
                    owner[links], previous[links] = k, newest[r * columns + c]
                    newest[r * columns + c] = links
                    links += 1
