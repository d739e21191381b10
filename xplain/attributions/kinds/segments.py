"""Divide an image into regions, which perturbation methods switch on and off as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain._lazy import require
from xplain.errors import InputError
from xplain.models import Geometry, Prepared

Int = npt.NDArray[np.int64]

SEGMENTATIONS = ("slic", "quickshift", "felzenszwalb", "grid")


def segment(prepared: Prepared, channel_axis: int, segments: Any, n_segments: Any) -> Int:
    """Divide the model's input into regions.

    Parameters
    ----------
    prepared : Prepared
        The input.
    channel_axis : int
        Axis of its channels, 0 or -1.
    segments : {"slic", "quickshift", "felzenszwalb", "grid"} or array_like
        A superpixel algorithm, a grid of rectangles, or a feature mask: integers (height, width) in pixels of the
        original image, where pixels of one region share any number.
    n_segments : int
        How many regions to aim at, >= 2. "felzenszwalb" makes at most twice as many; "quickshift" and a feature mask
        ignore it.

    Returns
    -------
    int64 array (input height, input width)
        Regions 0..count-1, each with at least one pixel.

    Raises
    ------
    InputError
        If an argument is malformed, or if there is only one region.

    References
    ----------
    Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", TPAMI 2012; Vedaldi & Soatto,
    "Quick shift and kernel methods for mode seeking", ECCV 2008; Felzenszwalb & Huttenlocher, "Efficient graph-based
    image segmentation", IJCV 2004. The first three are scikit-image's.
    """
    count = _check.integer("n_segments", n_segments, least=2)
    if isinstance(segments, str):
        channels_last = np.moveaxis(prepared.array, channel_axis, -1)
        labels = _superpixels(channels_last, _check.choice("segments", segments, SEGMENTATIONS), count)
        remedy = "raise n_segments or pass segments='grid'"
    else:
        labels = _feature_mask(prepared.geometry, segments)
        remedy = "number the pixels of different regions differently"
    # Algorithms leave gaps in their numbers, masks have any, and a crop may drop regions: number them 0..count-1.
    _, numbers = np.unique(labels, return_inverse=True)
    labels = numbers.reshape(labels.shape)
    if labels.max() == 0:
        raise InputError(f"segments must divide the model's input into at least 2 regions, got 1; {remedy}")
    return labels.astype(np.int64)


def _feature_mask(geometry: Geometry, segments: Any) -> Int:
    expected = f"one of {', '.join(map(repr, SEGMENTATIONS))}, or integers ({geometry.height}, {geometry.width})"
    try:
        mask = np.asarray(segments)
    except ValueError:
        raise _check.wrong("segments", expected, segments) from None
    if mask.dtype.kind not in "iu":
        raise _check.wrong("segments", expected, segments)
    if mask.shape != (geometry.height, geometry.width):
        raise InputError(
            f"segments must be {expected}, got shape {mask.shape}; a feature mask is in pixels of the original image"
        )
    labels: Int = geometry.to_input(mask)
    return labels


def _superpixels(image: npt.NDArray[Any], name: str, count: int) -> npt.NDArray[Any]:
    height, width = image.shape[:2]
    if name == "grid":
        rows = max(1, min(height, round((count * height / width) ** 0.5)))
        columns = max(1, min(width, round(count / rows)))
        row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
        labels: npt.NDArray[Any] = row[:, None] * columns + column
        return labels
    segmentation = require("skimage.segmentation", extra="torch")
    picture = _rgb(image)
    if name == "slic":
        labels = segmentation.slic(picture, n_segments=count, start_label=0)
    elif name == "quickshift":  # the settings that LIME's authors use for photos
        labels = segmentation.quickshift(picture, kernel_size=4, max_dist=200, ratio=0.2)
    else:  # regions of at least min_size pixels, so at most 2 * count of them
        labels = segmentation.felzenszwalb(picture, scale=100, min_size=max(1, height * width // (2 * count)))
    return labels


def _rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the model's input as (height, width, 3) in 0..1, whatever its channels and normalisation."""
    array = image.astype(np.float64)
    if array.shape[2] != 3:
        array = np.repeat(array.mean(axis=2, keepdims=True), 3, axis=2)
    low, high = array.min(), array.max()
    return (array - low) / (high - low) if high > low else np.zeros_like(array)
