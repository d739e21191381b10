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
our counts; `from_coco` and `to_coco` read and write its compressed text. `from_kaggle` and `from_label_studio` read the
run lengths of others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xplain.errors import DocumentError, InputError
from xplain.kernels import jit
from xplain.kernels.plain import rle as plain
from xplain.kernels.rle_coco import from_coco, to_coco
from xplain.kernels.rle_counts import (
    LIMIT,
    RUN_KERNELS,
    Counts,
    as_array,
    as_items,
    as_length,
    as_runs,
    canonical,
    check,
    freeze,
    refuse_too_large,
)
from xplain.kernels.rle_exchange import from_kaggle, from_label_studio, to_kaggle, to_label_studio
from xplain.kernels.rle_images import decode, encode, encode_batch, encode_levels

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
    "from_kaggle",
    "from_label_studio",
    "intersection",
    "iou",
    "iou_matrix",
    "to_coco",
    "to_kaggle",
    "to_label_studio",
    "union",
]

_EMPTY_RUN = np.zeros(1, np.uint32)


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
