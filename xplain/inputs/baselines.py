"""Images that stand for "nothing is there": the baselines of methods and the substrates of measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError


def make(array: npt.NDArray[Any], channel_axis: int, spec: Any, name: str = "baseline") -> npt.NDArray[np.float32]:
    """Make the baseline of an image.

    Parameters
    ----------
    array : numpy.ndarray
        One image, (channels, height, width) or (height, width, channels).
    channel_axis : int
        0 or -1: where the channels are.
    spec : float, "mean", "blur" or array_like
        A number fills the image, in its own units. "mean" is its mean colour. "blur" is the image out of focus, by a
        Gaussian whose standard deviation is a tenth of its shorter side. An array of its shape, or one that broadcasts
        to it, is taken as it is.
    name : str
        The caller's name for ``spec``, used in messages.

    Returns
    -------
    numpy.ndarray
        float32, of the shape of ``array``.

    Raises
    ------
    InputError
        If ``spec`` is none of these.
    """
    rows, columns = (1, 2) if channel_axis == 0 else (0, 1)
    if isinstance(spec, str):
        _check.choice(name, spec, ("mean", "blur"))
        if spec == "mean":
            spec = array.mean(axis=(rows, columns), keepdims=True, dtype=np.float64)
        else:
            spec = _blur(array.astype(np.float64), rows, columns)
    elif np.ndim(spec) == 0:
        spec = _check.number(name, spec)
    try:
        baseline = np.ascontiguousarray(np.broadcast_to(np.asarray(spec, dtype=np.float32), array.shape))
    except (TypeError, ValueError):
        shape = getattr(spec, "shape", None) or type(spec).__name__
        raise InputError(
            f"{name} must be a number, 'mean', 'blur' or an array of the input's shape {array.shape}, got {shape}"
        ) from None
    if not np.isfinite(baseline).all():
        raise InputError(f"{name} must be finite, got NaN or infinity")
    return baseline


def _blur(array: npt.NDArray[np.float64], rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Convolve two axes with a Gaussian, whose weights are renormalised at the borders."""
    sigma = min(array.shape[rows], array.shape[columns]) / 10
    for axis in (rows, columns):
        positions = np.arange(array.shape[axis])
        weights = np.exp(-((positions[:, np.newaxis] - positions) ** 2) / (2 * sigma**2))
        weights /= weights.sum(axis=1, keepdims=True)
        array = np.moveaxis(np.tensordot(weights, array, axes=(1, axis)), 0, axis)
    return array
