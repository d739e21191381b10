"""Run-length encoded masks, as COCO defines them: column by column, zeros first.

A mask of height H and width W is read down its first column, then down the second, and so on, as one row of H * W
pixels. Its *counts* are the lengths of the alternating runs of 0 and 1 in that row, starting with zeros: the first
count is 0 if the first pixel is set. For example, the 3x4 mask ::

    0 1 1 0
    0 1 0 0        columns: 000 111 100 001
    0 1 0 1

has the counts ``[3, 4, 4, 1]``: 3 zeros, 4 ones, 4 zeros, 1 one. They sum to H * W = 12.

Counts take room in proportion to the outline of the mask and not to its pixels, and areas, boxes, overlaps and set
operations are found by walking over them, without making any pixels. (For noise, which has as many runs as pixels,
plain boolean arrays are smaller and faster.) They do not hold the size: where that matters, it is an argument.

Counts returned from here are one-dimensional uint32 arrays and *canonical*: no run after the first is empty, so that
equal masks of one size have equal counts. A mask without pixels is ``[0]``. A mask has at most 2**32 - 1 pixels. Counts
taken as arguments may be any flat sequence or array of integers; empty runs are allowed. All numbers returned are
Python's. Wrong counts raise `DocumentError`, since they mostly come from documents; wrong pixels raise `InputError`.

The format is bit for bit that of pycocotools, https://github.com/cocodataset/cocoapi: the list form of its "counts" are
our counts; `from_coco` and `to_coco` read and write its compressed text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import DocumentError, InputError
from xplain.kernels import jit
from xplain.kernels.plain import rle as plain
from xplain.kernels.rle_coco import from_coco, to_coco
from xplain.kernels.rle_counts import (
    LIMIT,
    PIXEL_KERNELS,
    RUN_KERNELS,
    Counts,
    as_array,
    as_finite,
    as_image,
    as_items,
    as_length,
    as_runs,
    canonical,
    check,
    freeze,
    refuse_too_large,
)

__all__ = [
    "LIMIT",
    "area",
    "bbox",
    "canonical",
    "check",
    "complement",
    "decode",
    "difference",
    "encode",
    "encode_batch",
    "encode_levels",
    "from_coco",
    "intersection",
    "iou",
    "iou_matrix",
    "to_coco",
    "union",
]

_EMPTY_RUN = np.zeros(1, np.uint32)
_UNUSED_THRESHOLD = np.zeros(1, np.uint8)  # bytes are set where they are not 0, whatever the threshold


# ---------------------------------------------------------------- pixels to counts and back


def encode(mask: npt.ArrayLike, threshold: float | None = None) -> Counts:
    """Encode a mask, or the pixels of a map that reach a threshold.

    Parameters
    ----------
    mask : array_like
        (height, width), in any memory order. Without a threshold of booleans or integers, of which any but 0 is set.
    threshold : float, optional
        Pixels >= threshold are set; NaN never is. It is rounded to the dtype of a float map, as NumPy does. The map
        is compared and encoded in one read, without a mask in between.

    Returns
    -------
    counts : uint32 array
        Canonical run lengths.

    Raises
    ------
    InputError
        If the mask is not two-dimensional, is neither boolean nor integer and has no threshold, or is too large.

    Examples
    --------
    >>> encode([[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1]]).tolist()
    [3, 4, 4, 1]
    >>> encode([[0.1, 0.9], [0.4, 0.6]], threshold=0.4).tolist()
    [1, 3]
    """
    values = as_image("mask", mask)
    if threshold is not None:
        return encode_levels(values, (threshold,))[0]
    if values.dtype.kind not in "biu":
        raise InputError(
            f"mask must be of booleans or integers, got {values.dtype}; give a threshold to encode a map of scores"
        )
    if values.dtype.itemsize != 1:
        values = values != 0
    counts: Counts = _encode_pixels(values.view(np.uint8), _UNUSED_THRESHOLD)[0]
    return counts


def encode_levels(values: npt.ArrayLike, thresholds: Iterable[float]) -> list[Counts]:
    """Encode a map at several thresholds, reading it once.

    Parameters
    ----------
    values : array_like
        (height, width) of booleans, integers or floats. float32 and float64 are read in place.
    thresholds : iterable of float
        Finite, in any order.

    Returns
    -------
    list of uint32 array
        The counts of ``values >= threshold`` for each threshold, as `encode` gives them.

    Raises
    ------
    InputError
        If the map is not a real (height, width) array or a threshold is not a finite number.

    Examples
    --------
    >>> [counts.tolist() for counts in encode_levels([[0.1, 0.9], [0.4, 0.6]], [0.4, 0.8])]
    [[1, 3], [2, 1, 1]]
    """
    array = as_image("values", values)
    limits = [as_finite("threshold", threshold) for threshold in as_items("thresholds", thresholds)]
    if array.dtype.kind in "biu":
        return [encode(array >= limit) for limit in limits]
    if array.dtype.kind != "f":
        raise InputError(f"values must be of real numbers, got {array.dtype}")
    if array.dtype not in (np.float32, np.float64) or not array.flags.aligned:  # the kernels read nothing else
        array = array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64)
    if not limits:
        return []
    with np.errstate(over="ignore"):  # beyond float32: no finite value reaches it, and all reach -inf
        levels = np.array(limits).astype(array.dtype)
    counts, ends = _encode_pixels(array, levels)
    return [counts] if len(limits) == 1 else [level.copy() for level in np.split(counts, ends[:-1])]


def encode_batch(masks: Iterable[npt.ArrayLike], threshold: float | None = None) -> list[Counts]:
    """Encode each mask of a batch.

    Parameters
    ----------
    masks : (N, height, width) array_like or iterable of (height, width) array_like
        As for `encode`; the masks of a list may differ in size.
    threshold : float, optional
        As for `encode`.

    Returns
    -------
    list of uint32 array
        The counts of each mask.

    Raises
    ------
    InputError
        As `encode`.

    Examples
    --------
    >>> [counts.tolist() for counts in encode_batch(np.eye(2)[np.newaxis] > 0)]
    [[0, 1, 2, 1]]
    """
    return [encode(mask, threshold) for mask in as_items("masks", masks)]


def decode(counts: npt.ArrayLike, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Decode counts to pixels.

    Parameters
    ----------
    counts : array_like
        Run lengths that sum to height * width.
    height, width : int
        Size in pixels.

    Returns
    -------
    mask : bool array
        (height, width), in C order, new.

    Raises
    ------
    DocumentError
        If the counts do not describe an image of this size.

    Examples
    --------
    >>> decode([3, 4, 4, 1], 3, 4).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 0, 0],
           [0, 1, 0, 1]])
    """
    runs = check(counts, height, width)
    height, width = int(height), int(width)  # the product of NumPy's integers may overflow
    if runs.size < 2 or height * width == 0:
        return np.zeros((height, width), np.bool_)
    mask: npt.NDArray[np.bool_] = jit.choose(height * width, PIXEL_KERNELS, plain).decode(runs, height, width)
    return mask


def _encode_pixels(values: npt.NDArray[Any], thresholds: npt.NDArray[Any]) -> Any:
    """Encode bytes or floats in the memory order that they have; an array with gaps is copied."""
    height, width = values.shape
    if values.size == 0:
        return np.zeros(thresholds.size, np.uint32), np.arange(1, thresholds.size + 1)
    kernels = jit.choose(values.size * thresholds.size, PIXEL_KERNELS, plain)
    if width < 64 or (values.flags.f_contiguous and not values.flags.c_contiguous):
        return kernels.encode_columns(freeze(values.ravel(order="F")), thresholds)
    return kernels.encode_rows(freeze(values.ravel()), height, width, thresholds)


# ---------------------------------------------------------------- one mask


def area(counts: npt.ArrayLike) -> int:
    """Return the number of set pixels.

    Parameters
    ----------
    counts : array_like
        Run lengths.

    Examples
    --------
    >>> area([3, 4, 4, 1])
    5
    """
    return as_runs(counts)[2]


def bbox(counts: npt.ArrayLike, height: int) -> tuple[int, int, int, int]:
    """Return the tightest box around the set pixels, as COCO writes it.

    Parameters
    ----------
    counts : array_like
        Run lengths.
    height : int
        Of the mask, in pixels.

    Returns
    -------
    x, y, width, height : int
        Left and upper edge and size, in pixels; all 0 if no pixel is set.

    Raises
    ------
    DocumentError
        If the counts do not fill whole columns of this height.

    Examples
    --------
    >>> bbox([3, 4, 4, 1], 3)
    (1, 0, 3, 3)
    """
    runs, pixels, _ = as_runs(counts)
    rows = as_length("height", height)
    if pixels and (rows == 0 or pixels % rows):
        raise DocumentError(f"height must divide the sum of the counts, {pixels}, got {rows}")
    if runs.size < 2:
        return 0, 0, 0, 0
    x, y, box_width, box_height = jit.choose(runs.size, RUN_KERNELS, plain).bbox(runs, rows, pixels)
    return int(x), int(y), int(box_width), int(box_height)


# ---------------------------------------------------------------- two masks


def iou(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return intersection over union of two masks of one size.

    Parameters
    ----------
    a, b : array_like
        Run lengths.

    Returns
    -------
    float
        0..1; 0.0 if both are empty.

    Raises
    ------
    InputError
        If the masks have different numbers of pixels.

    Examples
    --------
    >>> iou([0, 2, 2], [1, 2, 1])
    0.3333333333333333
    """
    first, second = as_array(a), as_array(b)
    kernels = jit.choose(first.size + second.size, RUN_KERNELS, plain)
    intersection_area, union_area, pixels, other_pixels = kernels.overlap(first, second)
    _refuse_different_sizes(pixels, other_pixels)
    return intersection_area / union_area if union_area else 0.0


def iou_matrix(a: Sequence[npt.ArrayLike], b: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """Return intersection over union of each mask of one sequence with each of another.

    Parameters
    ----------
    a, b : sequence of array_like
        Run lengths of N and of M masks, all of one size.

    Returns
    -------
    (N, M) float64 array
        0..1.

    Raises
    ------
    InputError
        If the masks have different numbers of pixels.

    Examples
    --------
    >>> iou_matrix([[0, 2, 2]], [[0, 2, 2], [1, 2, 1], [2, 2]]).round(2).tolist()
    [[1.0, 0.33, 0.0]]
    """
    first, second = ([as_runs(runs) for runs in as_items(name, masks)] for name, masks in (("a", a), ("b", b)))
    sizes = {pixels for _, pixels, _ in first + second}
    if len(sizes) > 1:
        raise InputError(f"all masks must have one number of pixels, got {min(sizes)} to {max(sizes)}")
    if not first or not second:
        return np.zeros((len(first), len(second)))
    (runs_a, ends_a), (runs_b, ends_b) = _concatenate(first), _concatenate(second)
    work = runs_a.size * len(second) + runs_b.size * len(first)
    kernels = jit.choose(work, RUN_KERNELS, plain)
    result: npt.NDArray[np.float64] = kernels.iou_matrix(runs_a, ends_a, runs_b, ends_b)
    return result


def union(a: npt.ArrayLike, b: npt.ArrayLike) -> Counts:
    """Return the counts of the pixels that are set in ``a`` or in ``b``.

    Parameters
    ----------
    a, b : array_like
        Run lengths of masks of one size.

    Raises
    ------
    InputError
        If the masks have different numbers of pixels.

    Examples
    --------
    >>> union([0, 2, 2], [1, 2, 1]).tolist()
    [0, 3, 1]
    """
    return _union(as_array(a), as_array(b))


def intersection(a: npt.ArrayLike, b: npt.ArrayLike) -> Counts:
    """Return the counts of the pixels that are set in both; arguments and errors are those of `union`.

    Examples
    --------
    >>> intersection([0, 2, 2], [1, 2, 1]).tolist()
    [1, 1, 2]
    """
    return _flip(_union(_flip(as_array(a)), _flip(as_array(b))))


def difference(a: npt.ArrayLike, b: npt.ArrayLike) -> Counts:
    """Return the counts of the pixels that are set in ``a`` but not in ``b``; otherwise as `union`.

    Examples
    --------
    >>> difference([0, 2, 2], [1, 2, 1]).tolist()
    [0, 1, 3]
    """
    return _flip(_union(_flip(as_array(a)), as_array(b)))


def complement(a: npt.ArrayLike) -> Counts:
    """Return the counts of the pixels that are not set in ``a``.

    Examples
    --------
    >>> complement([3, 4, 4, 1]).tolist()
    [0, 3, 4, 4, 1]
    """
    return _flip(canonical(a))


def _concatenate(batch: list[tuple[Counts, int, int]]) -> tuple[Counts, npt.NDArray[np.int64]]:
    """Return the counts of a batch, one after the other, and where those of each mask end."""
    ends = np.cumsum([runs.size for runs, _, _ in batch], dtype=np.int64)
    return freeze(np.concatenate([runs for runs, _, _ in batch])), ends


def _refuse_different_sizes(pixels: int, other_pixels: int) -> None:
    refuse_too_large(pixels)
    if pixels != other_pixels:
        raise InputError(f"a and b must have one number of pixels, got {pixels} and {other_pixels}")


def _union(a: Counts, b: Counts) -> Counts:
    counts: Counts
    counts, pixels, other_pixels = jit.choose(a.size + b.size, RUN_KERNELS, plain).union(freeze(a), freeze(b))
    _refuse_different_sizes(pixels, other_pixels)
    return counts


def _flip(runs: Counts) -> Counts:
    """Return the complement, which has one empty run more or less in front; it is canonical if the runs are."""
    if runs.size and runs[0]:
        return np.concatenate([_EMPTY_RUN, runs])
    return runs[1:].copy() if runs.size > 1 else runs
