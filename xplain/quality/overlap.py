"""Whether a map points at the thing that is known to matter: a box or a mask that people drew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Box, Mask
from xplain.quality.result import Floats, Result, values_of

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Localisation(Result):
    """How well a map falls on a region.

    Parameters
    ----------
    hit : float
        The pointing game: 1 if the highest pixel lies in the region, else 0; of several highest, the part that does.
    energy : float or None
        0..1, part of the positive evidence that lies in the region; None if there is none.
    iou : float
        0..1, intersection over union of the region and the pixels above the best threshold.
    threshold : float
        That threshold: pixels with at least this value.
    area : float
        0..1, part of the image that the region covers: ``hit`` and ``energy`` of noise all over it, on average.
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
    """Compare a map with the region of the thing that it is to explain.

    Parameters
    ----------
    values : array_like
        (height, width), the map in pixels of the image.
    region : Box, Mask or array_like
        Where the thing is: a box (each pixel whose centre it holds), a mask, or bool (height, width).
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
    >>> measured = localisation([[0.0, 3.0], [1.0, -1.0]], Box(1, 0, 2, 2, "pixel"))
    >>> measured.hit, measured.energy, measured.iou
    (1.0, 0.75, 0.5)
    """
    scores = values_of("values", values)
    inside = _pixels(region, scores.shape)
    reach = _check.integer("tolerance", tolerance, least=0)
    highest = scores == scores.max()
    positive = np.maximum(scores, 0.0)
    total = float(positive.sum())
    overlap, threshold = _best_overlap(scores, inside)
    return Localisation(
        hit=float(_grown(inside, reach)[highest].mean()),
        energy=float(positive[inside].sum()) / total if total else None,
        iou=overlap,
        threshold=threshold,
        area=float(inside.mean()),
        tolerance=reach,
    )


def _pixels(region: Any, shape: tuple[int, ...]) -> Bools:
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


def _best_overlap(scores: Floats, inside: Bools) -> tuple[float, float]:
    """The largest intersection over union over all thresholds, and the highest threshold that has it."""
    order = np.argsort(-scores, axis=None, kind="stable")
    descending = scores.ravel()[order]
    ends = np.flatnonzero(np.append(np.diff(descending) != 0, True))  # equal values pass a threshold together
    common = np.cumsum(inside.ravel()[order])[ends]
    overlaps = common / (inside.sum() + ends + 1 - common)
    best = int(overlaps.argmax())
    return float(overlaps[best]), float(descending[ends[best]])


def _grown(inside: Bools, reach: int) -> Bools:
    """The pixels within a distance of a region: it grows by a disc, row by row."""
    if not reach:
        return inside
    height, width = inside.shape
    sums = np.pad(np.cumsum(np.pad(inside, ((0, 0), (reach, reach))), axis=1, dtype=np.int64), ((0, 0), (1, 0)))
    grown = np.zeros_like(inside)
    for down in range(-reach, reach + 1):
        half = int((reach**2 - down**2) ** 0.5)
        near = sums[:, reach + half + 1 : reach + half + 1 + width] > sums[:, reach - half : reach - half + width]
        grown[max(0, down) : height + min(0, down)] |= near[max(0, -down) : height - max(0, down)]
    return grown
