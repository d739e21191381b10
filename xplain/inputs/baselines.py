"""What an input shows where "nothing is there": the baselines of methods and the substrates of measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError


def filled(array: npt.NDArray[Any], channel_axis: int, spec: Any, name: str = "baseline") -> npt.NDArray[np.float32]:
    """Return the input that stands for "nothing there".

    Parameters
    ----------
    array : numpy.ndarray
        One image, (channels, height, width) or (height, width, channels).
    channel_axis : int
        0 or -1, which of them it is.
    spec : float, "mean", "blur" or array_like
        A number fills the input, in its own units. "mean" is the input's own mean colour, "blur" the input out of focus
        (a Gaussian of a tenth of its shorter side), and an array of its shape, or one that broadcasts to it, is itself.
    name : str
        What the caller calls ``spec``.

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
            spec = _blurred(array.astype(np.float64), rows, columns)
    elif np.ndim(spec) == 0:
        spec = _check.number(name, spec)
    try:
        result = np.array(np.broadcast_to(np.asarray(spec, dtype=np.float32), array.shape))
    except (TypeError, ValueError):
        shape = getattr(spec, "shape", None) or type(spec).__name__
        raise InputError(
            f"{name} must be a number, 'mean', 'blur' or an array of the input's shape {array.shape}, got {shape}"
        ) from None
    if not np.isfinite(result).all():
        raise InputError(f"{name} must be finite, got NaN or infinity")
    return result


def _blurred(array: npt.NDArray[np.float64], rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Convolve two axes with a Gaussian that is renormalised at the borders."""
    sigma = min(array.shape[rows], array.shape[columns]) / 10
    for axis in (rows, columns):
        at = np.arange(array.shape[axis])
        weights = np.exp(-((at[:, np.newaxis] - at) ** 2) / (2 * sigma**2))
        weights /= weights.sum(axis=1, keepdims=True)
        array = np.moveaxis(np.tensordot(weights, array, axes=(1, axis)), 0, axis)
    return array
