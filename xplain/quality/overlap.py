"""Whether a map points at the object that it should: a box or a mask that people drew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Box, Mask
from xplain.quality.result import Floats, Result, as_map

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Localisation(Result):
    """How well a map falls on a region.

    Parameters
    ----------
    hit : float
        The pointing game: 1 if the highest pixel lies in the region, else 0; of several highest pixels, the part in it.
    energy : float or None
        0..1, part of the positive evidence that lies in the region; None if there is none.
    iou : float
        0..1, intersection over union of the region and the pixels above the best threshold.
    threshold : float
        The best threshold: pixels with at least this value are above it.
    area : float
        0..1, part of the image that the region covers: on average the ``hit`` and the ``energy`` of a map of noise.
    tolerance : int
        Distance in pixels from the region at which a point still hits.
    """

    hit: float
    energy: float | None
    iou: float
    threshold: float
    area: float
    tolerance: int


def localisation(values: npt.ArrayLike, region: Box | Mask | npt.ArrayLike, *, tolerance: int = 0) -> Localisation:
    """Compare a map with the region of the object that it should point at.

    Parameters
    ----------
    values : array_like
        (height, width), the map in pixels of the image.
    region : Box, Mask or array_like
        Where the object is: a box (each pixel whose centre it holds), a mask, or bool (height, width).
    tolerance : int
        Pixels by which the pointing game may miss the region (15 in TorchRay's tables).

    Returns
    -------
    Localisation
        Pointing game, energy inside, and overlap at the best threshold.

    Raises
    ------
    InputError
        If the region is empty or of another size than the map.

    References
    ----------
    Pointing game: Zhang et al., "Top-down neural attention by excitation backprop", IJCV 2018, arXiv:1608.00507.
    Energy: Wang et al., "Score-CAM", CVPR workshops 2020, arXiv:1910.01279.

    Examples
    --------
    >>> result = localisation([[0.0, 3.0], [1.0, -1.0]], Box(1, 0, 2, 2, "pixel"))
    >>> result.hit, result.energy, result.iou
    (1.0, 0.75, 0.5)
    """
    heatmap = as_map("values", values)
    inside = _region_mask(region, heatmap.shape)
    distance = _check.integer("tolerance", tolerance, least=0)
    highest = heatmap == heatmap.max()
    positive = np.maximum(heatmap, 0.0)
    total = float(positive.sum())
    overlap, threshold = _best_overlap(heatmap, inside)
    return Localisation(
        hit=float(_dilate(inside, distance)[highest].mean()),
        energy=float(positive[inside].sum()) / total if total else None,
        iou=overlap,
        threshold=threshold,
        area=float(inside.mean()),
        tolerance=distance,
    )


def _region_mask(region: Any, shape: tuple[int, ...]) -> Bools:
    """Return which pixels of an image lie in a region."""
    height, width = shape
    if isinstance(region, Box):
        box = region.to("pixel", (height, width))
        x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
        inside: Bools = ((y >= box.y0) & (y < box.y1))[:, np.newaxis] & (x >= box.x0) & (x < box.x1)
    else:
        inside = region.to_array() if isinstance(region, Mask) else np.asarray(region)
        if inside.dtype != np.bool_:
            raise _check.wrong("region", "a Box, a Mask or an array of True and False", region)
    if inside.shape != shape:
        raise InputError(f"region must be {height}x{width} as the map, got shape {inside.shape}")
    if not inside.any():
        raise InputError("region must hold a pixel of the image, got none")
    return inside


def _best_overlap(heatmap: Floats, inside: Bools) -> tuple[float, float]:
    """Return the largest intersection over union over all thresholds, and the highest threshold that has it."""
    order = np.argsort(-heatmap, axis=None, kind="stable")
    descending = heatmap.ravel()[order]
    ends = np.flatnonzero(np.append(np.diff(descending) != 0, True))  # equal values pass a threshold together
    common = np.cumsum(inside.ravel()[order])[ends]
    overlaps = common / (inside.sum() + ends + 1 - common)
    best = int(overlaps.argmax())
    return float(overlaps[best]), float(descending[ends[best]])


def _dilate(inside: Bools, distance: int) -> Bools:
    """Return the pixels within a distance of a region: dilation by a disc, one row of the disc at a time."""
    if not distance:
        return inside
    height, width = inside.shape
    # Running sums along the rows: a stretch holds a pixel of the region if the sums at its ends differ.
    padded = np.pad(inside, ((0, 0), (distance, distance)))
    sums = np.pad(np.cumsum(padded, axis=1, dtype=np.int64), ((0, 0), (1, 0)))
    dilated = np.zeros_like(inside)
    for down in range(-distance, distance + 1):
        half = int((distance**2 - down**2) ** 0.5)  # of the width of the disc in this row
        left, right = distance - half, distance + half + 1
        near = sums[:, right : right + width] > sums[:, left : left + width]
        dilated[max(0, down) : height + min(0, down)] |= near[max(0, -down) : height - max(0, down)]
    return dilated
