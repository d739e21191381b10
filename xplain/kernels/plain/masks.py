"""Perturbation masks in NumPy: the slow twins of ``_masks_numba``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def fade(
    across: npt.NDArray[np.float32],
    first: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    difference: npt.NDArray[np.float32],
    behind: npt.NDArray[np.float32],
    out: npt.NDArray[Any],
) -> None:
    """Write faded copies.

    Parameters
    ----------
    across : float32 array (n, r, width)
        Cells that are enlarged along their rows.
    first : int64 array (n, height)
        For each row of pixels the upper of the two rows of cells that it lies between.
    weights : float32 array (n, height, 2)
        Of those two.
    difference, behind : float32 array (channels, height, width)
        The mask times the first plus the second is the result.
    out : uint8 or float32 array (n, channels, height, width)
        The result; cut off, not rounded, where it is of whole numbers.
    """
    for i, copy in enumerate(out):
        upper = across[i, first[i]]
        lower = across[i, np.minimum(first[i] + 1, across.shape[1] - 1)]
        mask = weights[i, :, :1] * upper + weights[i, :, 1:] * lower
        np.copyto(copy, mask * difference + behind, casting="unsafe")
