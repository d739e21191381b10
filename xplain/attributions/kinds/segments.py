"""Divide an image into regions, which perturbation methods switch on and off as a whole."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain._lazy import require
from xplain.errors import InputError
from xplain.models import Geometry, Prepared

Int = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

SEGMENTATIONS = ("slic", "quickshift", "felzenszwalb", "grid")

_MOST_TRIES = 6  # of an algorithm with another number: two or three do for photos


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
        How many regions to make, >= 2: as many within a tenth, or the nearest where the picture is too small or flat
        for them, or where no rows times columns are near. "quickshift" and a feature mask ignore it.

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
        remedy = "pass segments='grid'"
    else:
        labels = _feature_mask(prepared.geometry, segments)
        remedy = "number the pixels of different regions differently"
    # Algorithms leave gaps in their numbers, masks have any, and a crop may drop regions.
    regions = _numbered(labels)
    if regions.max() == 0:
        raise InputError(f"segments must divide the model's input into at least 2 regions, got 1; {remedy}")
    return regions


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
        return _grid(height, width, count)
    segmentation = require("skimage.segmentation", extra="torch")
    picture = _rgb(image)
    if name == "quickshift":  # the settings that LIME's authors use for photos
        labels: npt.NDArray[Any] = segmentation.quickshift(picture, kernel_size=4, max_dist=200, ratio=0.2)
        return labels

    def divide(asked: int) -> npt.NDArray[Any]:
        if name == "slic":
            return np.asarray(segmentation.slic(picture, n_segments=asked, start_label=0))
        # Regions of at least min_size pixels, so at most 2 * asked of them; finer ones for more of them.
        smallest = max(1, height * width // (2 * asked))
        return np.asarray(segmentation.felzenszwalb(picture, scale=100 * count / asked, min_size=smallest))

    pixels = height * width
    return _as_many(divide, picture, count, pixels if name == "slic" else 100 * pixels)  # its scale may be that small


def is_near(regions: int, count: int) -> bool:
    """Whether there are as many regions as were asked for, within a tenth."""
    return abs(regions - count) <= count / 10


def _grid(height: int, width: int, count: int) -> npt.NDArray[Any]:
    """Divide into rectangles of one size: as near to ``count`` as rows times columns allow, and as square."""

    def unfitness(cells: tuple[int, int]) -> tuple[int, float]:
        rows, columns = cells
        missed = 0 if is_near(rows * columns, count) else abs(rows * columns - count)
        return missed, abs(math.log(height * columns / (width * rows)))

    pairs = [
        (rows, min(width, columns))
        for rows in range(1, min(height, count) + 1)
        for columns in {max(1, count // rows), -(-count // rows)}
    ]
    rows, columns = min(sorted(pairs), key=unfitness)
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    labels: npt.NDArray[Any] = row[:, None] * columns + column
    return labels


def _as_many(divide: Callable[[int], npt.NDArray[Any]], picture: Float64, count: int, most: int) -> npt.NDArray[Any]:
    """Divide a picture into ``count`` regions within a tenth, by asking for up to ``most``; else into the nearest.

    Algorithms make fewer regions than they are asked for, and their numbers come in steps. Where a step misses the
    count, the smallest regions above it are merged.
    """
    below, above = 0, most + 1  # what was asked for gave too few, and too many
    asked = min(count, most)
    divisions: list[tuple[int, Int]] = []
    while len(divisions) < _MOST_TRIES and below < asked < above:
        labels = _numbered(divide(asked))
        regions = int(labels.max()) + 1
        divisions.append((regions, labels))
        if is_near(regions, count):
            return labels
        below, above = (asked, above) if regions < count else (below, asked)
        asked = asked * max(count, 8) if regions == 1 else round(asked * count / regions)
        if not below < asked < above:
            asked = (below + above) // 2
    larger = [division for division in divisions if division[0] > count]
    if larger:
        return _merged(min(larger, key=lambda division: division[0])[1], picture, count)
    return max(divisions, key=lambda division: division[0])[1]


def _merged(labels: Int, picture: Float64, count: int) -> Int:
    """Merge the smallest region with the neighbour whose mean colour is nearest, until there are ``count``."""
    flat = labels.reshape(-1)
    sizes = np.bincount(flat)
    colours = np.stack([np.bincount(flat, channel) for channel in picture.reshape(-1, 3).T], axis=1)  # sums of them
    neighbours: list[set[int]] = [set() for _ in sizes]
    for first, second in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        for one, other in np.unique(np.stack([first[first != second], second[first != second]]), axis=1).T.tolist():
            neighbours[one].add(other)
            neighbours[other].add(one)
    waiting = [(int(size), region) for region, size in enumerate(sizes)]
    heapq.heapify(waiting)
    owners = np.arange(len(sizes))
    for _ in range(len(sizes) - count):
        size, region = heapq.heappop(waiting)
        while size != sizes[region]:  # it has grown, or is merged away
            size, region = heapq.heappop(waiting)
        near = np.array(sorted(neighbours[region]))
        means = colours[near] / sizes[near, np.newaxis]
        nearest = int(near[np.square(means - colours[region] / size).sum(axis=1).argmin()])
        colours[nearest] += colours[region]
        sizes[nearest] += size
        sizes[region] = 0
        for other in neighbours[region]:
            neighbours[other].discard(region)
        neighbours[nearest] |= neighbours[region] - {nearest}
        for other in neighbours[nearest]:
            neighbours[other].add(nearest)
        owners[owners == region] = nearest
        heapq.heappush(waiting, (int(sizes[nearest]), nearest))
    return _numbered(owners[labels])


def _numbered(labels: npt.NDArray[Any]) -> Int:
    """Number regions 0..count-1."""
    _, numbers = np.unique(labels, return_inverse=True)
    return numbers.reshape(labels.shape).astype(np.int64)


def _rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the model's input as (height, width, 3) in 0..1, whatever its channels and normalisation."""
    array = image.astype(np.float64)
    if array.shape[2] != 3:
        array = np.repeat(array.mean(axis=2, keepdims=True), 3, axis=2)
    low, high = array.min(), array.max()
    return (array - low) / (high - low) if high > low else np.zeros_like(array)
