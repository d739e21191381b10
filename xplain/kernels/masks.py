"""Perturbation masks: which parts of an input a batch of perturbed copies keeps.

There are three families: sliding windows (occlusion), coalitions of regions (ablation, LIME, Shapley values), and
random cells that are enlarged bilinearly (RISE). Masks are made for a few copies at a time, so that no array grows with
the number of perturbations times the number of pixels. Nothing is validated here; the attribution methods do that.

Enlarging is separable, so a mask is a product of three small matrices, ``rows.T @ cells @ columns``, and the weighted
sum of any number of masks is a product of three larger ones (`weighted_sum`), for which no mask is made. Where images
are faded (`fade`), a kernel makes the masks row by row.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.kernels import jit
from xplain.kernels.plain import masks as plain

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

_COMPILED = "xplain.kernels.compiled.masks"


def starts(size: int, window: int, stride: int) -> Int:
    """Place windows along one axis so that they cover it.

    Parameters
    ----------
    size, window, stride : int
        Pixels, 1 <= window <= size and stride >= 1.

    Returns
    -------
    int64 array (positions,)
        First pixel of each window, increasing and distinct; the last window is moved back to end with the axis.

    Examples
    --------
    >>> starts(10, 4, 4).tolist()
    [0, 4, 6]
    """
    return np.append(np.arange(0, size - window, stride), size - window)


def coverage(first: Int, window: int, size: int) -> Float64:
    """Indicate which pixels of an axis each window covers.

    Parameters
    ----------
    first : int64 array (positions,)
        From `starts`.
    window, size : int
        Pixels.

    Returns
    -------
    float64 array (positions, size)
        1.0 inside, 0.0 outside.
    """
    pixel = np.arange(size)
    inside = (pixel >= first[:, None]) & (pixel < first[:, None] + window)
    return inside.astype(np.float64)


def slide(size: int, window: int, stride: int) -> Float64:
    """Place windows along one axis so that they cover it.

    Parameters
    ----------
    size, window, stride : int
        Pixels, 1 <= window <= size and 1 <= stride <= window.

    Returns
    -------
    float64 array (positions, size)
        1.0 inside a window, 0.0 outside. Where windows overlap (stride < window), the last is moved back to end with
        the axis. Else each pixel is in one window: if they do not fit, they are spread evenly, and some are smaller.

    Examples
    --------
    >>> slide(5, 2, 1).sum(axis=0).tolist()
    [1.0, 2.0, 2.0, 2.0, 1.0]
    >>> slide(5, 2, 2).tolist()
    [[1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]]
    """
    if stride == window:
        count = -(-size // window)
        inside: Bool = np.arange(size) * count // size == np.arange(count)[:, None]
        return inside.astype(np.float64)
    return coverage(starts(size, window, stride), window, size)


def keep_regions(
    coalitions: Bool, labels: Int, image: npt.NDArray[Any], baseline: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Copy an image once for each coalition: its regions from the image, the rest from the baseline.

    Parameters
    ----------
    coalitions : bool array (n, players)
        Which players each copy keeps.
    labels : int array
        The player that each pixel belongs to, 0..players-1, in a shape that broadcasts to the image's.
    image, baseline : array
        Of one shape and dtype.

    Returns
    -------
    array (n, *image.shape)
        With the dtype of the image.
    """
    copies = np.empty((len(coalitions), *image.shape), image.dtype)
    copies[:] = baseline
    np.copyto(copies, image, where=np.take(coalitions, labels, axis=1))
    return copies


def draw_cells(
    key: int, start: int, stop: int, shape: tuple[int, int], p: float, shifts: tuple[int, int]
) -> tuple[Bool, Int]:
    """Draw the random cells of the masks ``start..stop-1``.

    The generator is counter-based [1]_: a mask depends on the key and on its own index, never on how the masks are
    divided into batches.

    Parameters
    ----------
    key : int
        0..2**64-1.
    start, stop : int
        Range of mask indices.
    shape : (int, int)
        Rows and columns of cells.
    p : float
        Probability that a cell is kept, 0 < p < 1.
    shifts : (int, int)
        Number of vertical and horizontal offsets to draw from; 1 means that there is no shift.

    Returns
    -------
    kept : bool array (stop - start, rows, columns)
    offsets : int64 array (stop - start, 2)
        Vertical and horizontal offset in pixels.

    References
    ----------
    .. [1] Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    count = shape[0] * shape[1]
    blocks = -(-(count + 2) // 4)  # two numbers more for the offsets; a Philox counter stands for four 64-bit numbers
    generator = np.random.Philox(key=key, counter=start * blocks)
    raw = generator.random_raw((stop - start) * blocks * 4).reshape(stop - start, blocks * 4)
    kept = raw[:, :count] < np.uint64(int(p * 2**64))
    high = raw[:, count : count + 2] >> np.uint64(32)  # 32 bits, so that the product below fits in 64
    offsets = (high * np.array(shifts, dtype=np.uint64)) >> np.uint64(32)
    return kept.reshape(stop - start, *shape), offsets.astype(np.int64)


def enlargement(count: int, size: int, shifts: int) -> Float64:
    """Return the weights that enlarge one axis of a cell grid bilinearly, one matrix for each shift.

    Without a shift, `count` cells are stretched over `size` pixels. With shifts, they are stretched over one cell more
    than is needed, and the matrices are the crops of `size` pixels that start at 0, 1, ..., shifts - 1. Beyond the
    centre of the outermost cell its value continues.

    Parameters
    ----------
    count, size : int
        Cells and pixels along the axis.
    shifts : int
        1, or the pixels of one cell, ``ceil(size / count)``.

    Returns
    -------
    float64 array (shifts, count, size)
        Read-only view. Each column sums to 1.
    """
    length = size if shifts == 1 else (count + 1) * math.ceil(size / count)
    position = np.clip((np.arange(length) + 0.5) * (count / length) - 0.5, 0, count - 1)  # of each pixel, in cells
    weights = np.maximum(0.0, 1.0 - np.abs(position - np.arange(count)[:, None]))
    crops = np.lib.stride_tricks.sliding_window_view(weights, size, axis=1)[:, :shifts]
    return crops.transpose(1, 0, 2)


def neighbours(rows: Float64) -> tuple[Int, Float32]:
    """Return the two cells that each pixel lies between, and their weights: an `enlargement` as `fade` takes it.

    Parameters
    ----------
    rows : float64 array (shifts, r, height)
        From `enlargement`.

    Returns
    -------
    first : int64 array (shifts, height)
        The upper cell.
    weights : float32 array (shifts, height, 2)
        Weights of that cell and of the one below; 0 if there is none.
    """
    first = (rows > 0).argmax(axis=1)
    # One more cell, of weight 0, below the last.
    padded = np.vstack([rows.transpose(1, 0, 2), np.zeros((1, len(rows), rows.shape[2]))]).transpose(1, 0, 2)
    pair = [np.take_along_axis(padded, (first + step)[:, np.newaxis], axis=1)[:, 0] for step in (0, 1)]
    return first, np.stack(pair, axis=-1).astype(np.float32)


def fade(
    kept: Bool,
    offsets: Int,
    rows: tuple[Int, Float32],
    columns: Float32,
    difference: Float32,
    background: Float32,
    dtype: npt.DTypeLike,
) -> npt.NDArray[Any]:
    """Enlarge random cells to masks, and fade from a baseline to an image by each.

    Parameters
    ----------
    kept : bool array (n, r, c)
    offsets : int64 array (n, 2)
        From `draw_cells`.
    rows : (int64 array, float32 array)
        From `neighbours`.
    columns : float32 array (shifts, c, width)
        From `enlargement`.
    difference : float32 array (channels, height, width)
        Image minus baseline.
    background : float32 array (channels, height, width)
        The baseline; for uint8 0.5 more, since results are cut off, not rounded.
    dtype : dtype
        uint8 or float32.

    Returns
    -------
    array (n, channels, height, width)
        ``mask * difference + background``, where masks are 0..1.
    """
    out = np.empty((len(kept), *difference.shape), dtype)
    across = kept.astype(np.float32) @ _pick(columns, offsets[:, 1])
    first, weights = (values[offsets[:, 0]] for values in rows)
    jit.choose(out.size, _COMPILED, plain).fade(across, first, weights, difference, background, out)
    return out


def weighted_sum(weights: Float64, kept: Bool, offsets: Int, rows: Float64, columns: Float64) -> Float64:
    """Sum masks, each times a weight, without making the masks.

    Parameters
    ----------
    weights : float64 array (n, sums)
    kept, offsets, rows, columns
        From `draw_cells`, and from `enlargement` of each axis.

    Returns
    -------
    float64 array (sums, height, width)
        ``np.tensordot(weights.T, masks, 1)``.
    """
    return enlarge_down(sum_across(weights, kept, offsets, len(rows), columns), rows)


def sum_across(weights: Float64, kept: Bool, offsets: Int, shifts: int, columns: Float64) -> Float64:
    """Sum masks, each times a weight, before they are enlarged down the columns: the first step of `weighted_sum`.

    The sums of several batches of masks may be added up, so that the second and more costly step, `enlarge_down`, is
    taken once.

    Parameters
    ----------
    weights, kept, offsets, columns
        As in `weighted_sum`.
    shifts : int
        Number of vertical offsets.

    Returns
    -------
    float64 array (sums, shifts * r, width)
    """
    n, sums = weights.shape
    across = kept.astype(np.float64) @ _pick(columns, offsets[:, 1])
    placed = np.zeros((n, sums, shifts))  # by vertical offset: masks that share one share the product in `enlarge_down`
    placed[np.arange(n), :, offsets[:, 0]] = weights
    parts: Float64 = placed.reshape(n, -1).T @ across.reshape(n, -1)
    return parts.reshape(sums, -1, across.shape[2])


def enlarge_down(parts: Float64, rows: Float64) -> Float64:
    """Enlarge the sums of `sum_across` down the columns: (sums, shifts * r, width) to (sums, height, width)."""
    shifts, r, height = rows.shape
    parts = parts.reshape(len(parts), shifts, r, -1)
    result = np.zeros((len(parts), height, parts.shape[3]))
    for row in range(r):
        reached = np.flatnonzero(rows[:, row].any(axis=0))  # a row of cells reaches few rows of pixels
        if reached.size:
            near = slice(reached[0], reached[-1] + 1)
            result[:, near] += rows[:, row, near].T @ parts[:, :, row]
    return result


def _pick(matrices: npt.NDArray[Any], offsets: Int) -> npt.NDArray[Any]:
    """Return one matrix for each offset; a single matrix is broadcast, not copied."""
    return matrices if len(matrices) == 1 else matrices[offsets]
