"""Numba kernels on run lengths, without making pixels: areas, boxes, overlaps, unions and COCO's text.

Every kernel walks the runs once, with work in proportion to their number and not to the pixels. Positions and
areas are 64 bits wide. ``counts`` are uint32 arrays; only `bbox` needs them without empty runs after the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.kernels.jit import kernel

Counts = npt.NDArray[np.uint32]


@kernel
def measure(counts: Counts) -> Any:
    """Number of pixels, number of set pixels, and whether there is no run or an empty one after the first."""
    zeros = ones = empty = 0
    for i in range(counts.size // 2):
        zeros += counts[2 * i]
        ones += counts[2 * i + 1]
        empty += (counts[2 * i] == 0) + (counts[2 * i + 1] == 0)
    if counts.size % 2:
        zeros += counts[-1]
        empty += counts[-1] == 0
    return zeros + ones, ones, counts.size == 0 or empty > int(counts[0] == 0)


@kernel
def bbox(counts: Counts, height: int, pixels: int) -> Any:
    """x, y, width and height of the tightest box; needs at least one run of ones."""
    row = np.int64(0)
    top, bottom = height, 0
    for i in range(1, counts.size, 2):
        row += counts[i - 1]
        if row >= height:  # no division for a run that ends in the next column
            row -= height
            if row >= height:
                row %= height
        top = min(top, row)
        row += counts[i]
        if row > height:
            top, bottom = 0, height
        else:
            bottom = max(bottom, row)
        if row >= height:
            row %= height
        if bottom - top == height:
            break
    first = np.int64(counts[0])
    stop = pixels - (np.int64(counts[-1]) if counts.size % 2 else 0)
    x = first // height
    return x, top, (stop - 1) // height + 1 - x, bottom - top


@kernel
def _common(a: Counts, b: Counts) -> Any:
    """Area of the intersection of two masks."""
    if a.size < 2 or b.size < 2:
        return 0
    common = i = j = 0
    start_a, start_b = np.int64(a[0]), np.int64(b[0])
    stop_a, stop_b = start_a + a[1], start_b + b[1]
    while True:
        common += max(min(stop_a, stop_b) - max(start_a, start_b), 0)
        if stop_a <= stop_b:
            i += 2
            if i + 1 >= a.size:
                return common
            start_a = stop_a + a[i]
            stop_a = start_a + a[i + 1]
        else:
            j += 2
            if j + 1 >= b.size:
                return common
            start_b = stop_b + b[j]
            stop_b = start_b + b[j + 1]


@kernel
def overlap(a: Counts, b: Counts) -> Any:
    """Areas of intersection and of union, and the number of pixels of each mask."""
    pixels_a, area_a, _ = measure(a)
    pixels_b, area_b, _ = measure(b)
    common = _common(a, b)
    return common, area_a + area_b - common, pixels_a, pixels_b


@kernel
def iou_matrix(a: Counts, ends_a: Any, b: Counts, ends_b: Any) -> npt.NDArray[np.float64]:
    """IoU of each mask of one batch with each of another; counts of a batch follow each other up to their ends."""
    result = np.zeros((ends_a.size, ends_b.size))
    areas = np.empty(ends_b.size, np.int64)
    start = 0
    for j in range(ends_b.size):
        areas[j] = measure(b[start : ends_b[j]])[1]
        start = ends_b[j]
    start_a = 0
    for i in range(ends_a.size):
        mask = a[start_a : ends_a[i]]
        start_a = ends_a[i]
        area = measure(mask)[1]
        start_b = 0
        for j in range(ends_b.size):
            common = _common(mask, b[start_b : ends_b[j]])
            start_b = ends_b[j]
            if common:
                result[i, j] = common / (area + areas[j] - common)
    return result


@kernel
def union(a: Counts, b: Counts) -> Any:
    """Return the counts of the union of two masks, and the number of pixels of each.

    Sweeps over the runs of ones of both by where they start, and joins those that overlap or touch.
    """
    pixels, other_pixels = measure(a)[0], measure(b)[0]
    start_a: Any
    start_b: Any
    far = 2**62  # where the run after the last starts: beyond every mask
    i = j = n = last = start = stop = 0
    start_a, stop_a = (np.int64(a[0]), np.int64(a[0]) + a[1]) if a.size > 1 else (far, far)
    start_b, stop_b = (np.int64(b[0]), np.int64(b[0]) + b[1]) if b.size > 1 else (far, far)
    out = np.empty(a.size + b.size + 1, np.uint32)
    while True:
        if start_a <= start_b:
            here, end = start_a, stop_a
            i += 2
            if i + 1 < a.size:
                start_a = stop_a + a[i]
                stop_a = start_a + a[i + 1]
            else:
                start_a = far
        else:
            here, end = start_b, stop_b
            j += 2
            if j + 1 < b.size:
                start_b = stop_b + b[j]
                stop_b = start_b + b[j + 1]
            else:
                start_b = far
        if here <= stop:
            stop = max(stop, end)
            continue
        if stop > start:
            out[n] = start - last
            out[n + 1] = stop - start
            n += 2
            last = stop
        if here == far:
            break
        start, stop = here, end
    if last < pixels or n == 0:
        out[n] = pixels - last
        n += 1
    return out[:n], pixels, other_pixels


@kernel
def write_text(counts: Counts) -> npt.NDArray[np.uint8]:
    """COCO's characters: differences to the run before the last, 5 bits at a time, low ones first."""
    out = np.empty(7 * counts.size, np.uint8)
    n = 0
    for i in range(counts.size):
        value = np.int64(counts[i])
        if i > 2:
            value -= np.int64(counts[i - 2])
        while True:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            out[n] = 48 + bits + (32 if more else 0)
            n += 1
            if not more:
                break
    return out[:n]


@kernel
def read_text(text: npt.NDArray[np.uint8]) -> tuple[Counts, int]:
    """Inverse of `write_text`; also the index of the first character that cannot be right, or -1."""
    counts = np.empty(text.size, np.uint32)
    n = start = 0
    value = np.int64(0)
    for i in range(text.size):
        bits = np.int64(text[i]) - 48
        shift = 5 * (i - start)
        if bits < 0 or bits > 63 or shift > 30:
            return counts[:n], i
        value |= (bits & 31) << shift
        if bits & 32:
            continue
        if bits & 16:
            value -= np.int64(1) << (shift + 5)
        if n > 2:
            value += np.int64(counts[n - 2])
        if value < 0 or value > 0xFFFFFFFF:
            return counts[:n], start
        counts[n] = value
        n += 1
        start = i + 1
        value = np.int64(0)
    return counts[:n], -1 if start == text.size else start
