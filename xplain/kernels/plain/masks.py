"""NumPy twin of `xplain.kernels.compiled.masks`: a copy at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def fade(
    across: npt.NDArray[np.float32],
    first: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    difference: npt.NDArray[np.float32],
    background: npt.NDArray[np.float32],
    out: npt.NDArray[Any],
) -> None:
    """Write an image faded by each mask: ``mask * difference + background``.

    Parameters
    ----------
    across : float32 array (n, r, width)
        Cells of each mask, enlarged along their rows.
    first : int64 array (n, height)
        For each row of pixels, the upper of the two rows of cells that it lies between.
    weights : float32 array (n, height, 2)
        Weights of those two rows.
    difference, background : float32 array (channels, height, width)
        Image minus baseline, and the baseline.
    out : uint8 or float32 array (n, channels, height, width)
        The result; uint8 is cut off, not rounded.
    """
    for i, copy in enumerate(out):
        upper = across[i, first[i]]
        lower = across[i, np.minimum(first[i] + 1, across.shape[1] - 1)]
        mask = weights[i, :, :1] * upper + weights[i, :, 1:] * lower
        np.copyto(copy, mask * difference + background, casting="unsafe")
