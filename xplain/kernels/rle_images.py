"""Run-length masks of pixels, and back: masks and maps at thresholds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.kernels import jit
from xplain.kernels.plain import rle as plain
from xplain.kernels.rle_counts import PIXEL_KERNELS, Counts, as_finite, as_image, as_items, check, freeze

_UNUSED_THRESHOLD = np.zeros(1, np.uint8)  # bytes are set where they are not 0, whatever the threshold


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
