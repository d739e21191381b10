"""Helpers of all measures: results that become JSON, checks of images and maps, scores in batches, ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError

Floats = npt.NDArray[np.float64]
#: Takes inputs (n, ...) and returns their scores (n,).
Score = Callable[[npt.NDArray[Any]], npt.ArrayLike]


class Result:
    """A frozen result that holds the knobs it depends on."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, for `Attribution.quality`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def as_map(name: str, values: npt.ArrayLike) -> Floats:
    """Return a map (height, width) as float64, or raise InputError."""
    return _check.frozen_float32(name, values, "(height, width)").astype(np.float64)


def image_and_map(image: npt.ArrayLike, values: npt.ArrayLike, channel_axis: int) -> tuple[npt.NDArray[Any], Floats]:
    """Check that a map is as high and wide as an image, and return both as arrays."""
    if channel_axis not in (0, -1):
        raise _check.wrong("channel_axis", "0 or -1", channel_axis)
    array, scores = np.asarray(image), as_map("values", values)
    if array.dtype.kind not in "uif" or array.ndim != 3:
        raise _check.wrong("image", "an array of numbers with three axes, one of them of channels", image)
    size = array.shape[1:] if channel_axis == 0 else array.shape[:2]
    if scores.shape != size or not scores.size:
        raise InputError(f"values must be {size[0]}x{size[1]} as the image, got shape {scores.shape}")
    return array, scores


def score_batches(score: Score, batches: Iterator[npt.NDArray[Any]]) -> Floats:
    """Return the scores of all inputs, or raise InputError if ``score`` returns anything but one number for each."""
    all_scores = []
    for batch in batches:
        scores = np.asarray(score(batch), np.float64)
        if scores.shape != (len(batch),) or not np.isfinite(scores).all():
            raise InputError(f"score must return {len(batch)} finite numbers, one for each input, got {scores!r}")
        all_scores.append(scores)
    return np.concatenate(all_scores)


def mean_ranks(values: npt.NDArray[Any]) -> Floats:
    """Return ranks (n,) from 1 up; equal values share their mean rank."""
    _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(sizes) - (sizes - 1) / 2)[inverse.ravel()]
    return ranks
